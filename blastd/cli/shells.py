"""`blastd completion` and `blastd man`: what a shell and a reader of manuals are given, made from the parser."""

import argparse
from pathlib import Path

import shtab

from blastd.cli.exits import ExitCode
from blastd.cli.flags import Parser
from blastd.cli.outputs import unwritable
from blastd.cli.parser import every_command, make_parser
from blastd.cli.reference import manual
from blastd.cli.words import say

FILES = frozenset({"FASTA", "FILE", "INI"})
FOLDERS = frozenset({"DIR"})


def completion(given: argparse.Namespace) -> int:
    """Print the completion script of a shell."""
    parser = make_parser()
    for _, command in [((), parser), *every_command(parser)]:
        _say_files(command)
    print(shtab.complete(parser, given.shell))
    return ExitCode.OK


def _say_files(command: Parser) -> None:
    """Let the shell offer files and folders where an argument is one."""
    for action in command._actions:  # noqa: SLF001  # shtab reads its own attribute of the actions
        if action.metavar in FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]  # the attribute is shtab's
        elif action.metavar in FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]  # the same


def man(given: argparse.Namespace) -> int:
    """Print the manual page, or write it where `man` finds it."""
    text = manual(make_parser())
    if given.out is None:
        print(text, end="")
        return ExitCode.OK
    target = Path(given.out)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(target, error) from error
    say(f"{target}: {len(text):,} bytes")
    return ExitCode.OK
