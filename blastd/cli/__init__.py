"""The command line: `blastd serve` and everything that talks to it."""
