"""Entry of `blastd`: parse, run the command, and end with a sentence and an exit code, whatever happens.

The modules of the commands are read inside of `main`: that takes a moment, in which somebody may press Ctrl-C.
"""

import os
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress

INTERRUPTED = 128 + signal.SIGINT


def _nothing(_unraisable: object) -> None:
    """Say nothing of what can't be raised while an interrupted command ends."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. What stands after "--" are BLAST+ options of `submit`."""
    try:
        from blastd.cli import ends  # noqa: PLC0415  # as said above

        return ends.run(list(sys.argv[1:] if argv is None else argv))
    except KeyboardInterrupt:
        warnings.simplefilter("ignore")  # what had not begun yet is no news
        sys.unraisablehook = _nothing  # nor is an event loop that was half made
        with suppress(OSError):
            os.write(2, b"blastd: interrupted\n")
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
