"""Work on the state folder beside the daemon: export, import and fsck. It blocks, and never runs on the daemon's loop."""
