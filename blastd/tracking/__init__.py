"""What moves a job along: pollers, looks, launching, finishing, reconciling, retention."""
