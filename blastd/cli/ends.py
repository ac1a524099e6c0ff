"""Every end of every command: what went wrong becomes a sentence and an exit code, and never a traceback."""

import errno
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper

from blastd.cli.exits import ExitCode, exit_code_of
from blastd.cli.reading import read
from blastd.cli.words import say
from blastd.errors import BlastdError, Invalid

SERVER_PARTS = frozenset(
    {"anyio", "azure", "defusedxml", "jinja2", "kubernetes_asyncio", "prometheus_client", "structlog"}
)
"""Packages that only a server has; a client is installed without them."""
AGENT_PARTS = frozenset({"mcp", "mcp_types", "pydantic"})
"""Packages of `blastd mcp`."""
OF_OUTPUT = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, None})


def run(words: Sequence[str]) -> int:
    """Run a command and return its exit code. Raises KeyboardInterrupt."""
    _prepare_streams()
    # What a loop says while it closes after an interrupt is no sentence for a user; `serve` sets its own levels.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        code = _command(list(words))
        sys.stdout.flush()  # what can't be written is told while there is somebody to tell
    except BaseExceptionGroup as errors:
        return _end(_first(errors))
    except Exception as error:  # noqa: BLE001  # each becomes a sentence
        return _end(error)
    return code


def _prepare_streams() -> None:
    """Let no letter and no closed descriptor stop a command in the middle of its output."""
    if sys.stdout is None:  # Python's None for a descriptor that is closed
        sys.stdout = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123  # read only: a write to it is an OSError
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  # there is nobody to tell
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _command(words: list[str]) -> int:
    try:
        given = read(words)
    except SystemExit as end:  # argparse has said all
        return end.code if isinstance(end.code, int) else ExitCode.USAGE
    return int(given.run(given))


def _end(error: BaseException) -> int:
    """Say what happened and return the exit code that stands for it."""
    if isinstance(error, KeyboardInterrupt):
        raise error
    if isinstance(error, BlastdError):
        return _explain(error)
    if isinstance(error, BrokenPipeError):
        _forget_output()
        return ExitCode.OK  # the reader of our output has gone (`| head`): there is nothing to complain about
    if isinstance(error, OSError):
        _forget_output()
        of_output = error.filename is None and error.errno in OF_OUTPUT
        what = "the output can't be written" if of_output else str(error.filename or "the system refuses")
        say(f"blastd: {what}: {error.strerror or error}")
        return ExitCode.USAGE
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in SERVER_PARTS:
        say(
            f"blastd: this command needs the parts of the server ({error.name} is missing): pip install 'blastd[server]'"
        )
        return ExitCode.USAGE
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] in AGENT_PARTS:
        say(f"blastd: this command needs the parts for agents ({error.name} is missing): pip install 'blastd[mcp]'")
        return ExitCode.USAGE
    say(
        f"blastd: this should not happen, and is a fault of blastd ({type(error).__name__}: {error}). Please report it."
    )
    return ExitCode.FAILED


def _forget_output() -> None:
    """Let the interpreter's end flush what is left to nowhere: it would complain again."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what is most to be told of a group: an error of ours, else the first."""
    known, _ = errors.split(BlastdError)
    error: BaseException = known if known is not None else errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


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
