"""What is said about what happens, on standard error."""

import sys
from contextlib import suppress


def clean(text: str) -> str:
    """Return *text* without control characters: a title of somebody else must not steer this terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text.replace("\t", " ").replace("\n", " "))


def say(text: str) -> None:
    """Print a sentence about what happens to standard error."""
    with suppress(OSError):  # a full disk behind it, say: the exit code still tells
        print(clean(text), file=sys.stderr, flush=True)
