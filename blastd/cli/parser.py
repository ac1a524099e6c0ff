"""The parser of the command line. Its commands are described in `*_commands.py`; what they do is elsewhere."""

import argparse
from collections.abc import Iterator, Mapping

from blastd import __version__
from blastd.cli import database_commands, job_commands, service_commands, state_commands, watch_commands
from blastd.cli.flags import Parser, service_flags

TOP = """\
Run a BLAST service, or use one.

A first search, on the machine of the service:
  blastd db list
  blastd submit --program blastn --db 16S_demo query.fa --wait --format tabular

An existing BLAST+ command line, with blastd in front:
  blastd blastn -query query.fa -db 16S_demo -evalue 1e-5 -outfmt 6 -out hits.tsv

'blastd login' keeps the address and token of a service; BLASTD_URL and BLASTD_TOKEN name another one.

exit codes: 0 ok, 1 the search failed, 2 usage or input, 3 service not reachable, 4 cancelled, 5 time-out, 130 interrupted
"""


def make_parser() -> Parser:
    """Return the parser of `blastd`."""
    parser = Parser(prog="blastd", description=TOP)
    parser.add_argument("--version", action="version", version=f"blastd {__version__}")
    service_flags(parser)
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for group in (job_commands, watch_commands, database_commands, service_commands, state_commands):
        for add in group.EVERY:
            add(commands)
    return parser


def commands_of(parser: argparse.ArgumentParser) -> Mapping[str, Parser]:
    """Return the commands of *parser* by name."""
    for action in parser._actions:  # noqa: SLF001  # argparse tells of its subparsers in no other way
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001  # the same
            commands: Mapping[str, Parser] = action.choices
            return commands
    return {}


def every_command(parser: argparse.ArgumentParser, *before: str) -> Iterator[tuple[tuple[str, ...], Parser]]:
    """Give each command's words and parser, those with actions of their own by their actions."""
    for name, command in commands_of(parser).items():
        yield (*before, name), command
        yield from every_command(command, *before, name)
