"""The local engine: BLAST+ child processes on this machine."""
