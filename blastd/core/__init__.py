"""The pure rules of blastd: no waiting, no input or output, no clock, no randomness, no logging."""
