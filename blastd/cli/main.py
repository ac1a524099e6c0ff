"""Entry of `blastd`: parse, run the command, turn errors into one sentence and an exit code."""

import os
import sys
from collections.abc import Sequence

from blastd.cli.exits import ExitCode, exit_code_of
from blastd.cli.parser import make_parser
from blastd.cli.screen import say
from blastd.errors import BlastdError, Invalid


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. What stands after "--" are BLAST+ options of `submit`."""
    words = list(sys.argv[1:] if argv is None else argv)
    tail: list[str] = []
    if "--" in words and words[:1] == ["submit"]:
        cut = words.index("--")
        words, tail = words[:cut], words[cut + 1 :]
    given = make_parser().parse_args(words)
    given.tail = tail
    try:
        return int(given.run(given))
    except BlastdError as error:
        return _explain(error)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing to complain about, and nothing to flush at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def _explain(error: BlastdError) -> ExitCode:
    """Print an error, every fault of it on its own line."""
    lines = str(error).splitlines() or [type(error).__name__]
    if isinstance(error, Invalid) and error.faults:
        told = [
            f"{pointer.lstrip('/').replace('/', '.')}: {text}" if pointer else text for pointer, text in error.faults
        ]
        lines = [*([] if len(told) == 1 else [f"{len(told)} faults:"]), *told]
    for index, line in enumerate(lines):
        say(f"blastd: {line}" if index == 0 else f"  {line}")
    return exit_code_of(error)


if __name__ == "__main__":
    sys.exit(main())
