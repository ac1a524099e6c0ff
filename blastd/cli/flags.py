"""What the commands' parsers share: how a command is added, and the flags that several commands have."""

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

from blastd.core.program_table import TITLES

Sub = Any
"""What add_subparsers returns: argparse gives its type no public name."""
PROGRAMS = tuple(TITLES)
FORMATS = (
    "tabular",
    "commented",
    "csv",
    "xml",
    "xml2",
    "json",
    "pairwise",
    "anchored",
    "anchored_letters",
    "flat",
    "flat_letters",
    "asn1",
    "sam",
    "organisms",
    "pssm",
    "pssm_ascii",
    "fasta",
    "gff3",
    "blat",
)
OUTPUTS = ("table", "tsv", "json", "id")


class Parser(argparse.ArgumentParser):
    """A parser whose texts keep their lines, and that takes no abbreviated flags."""

    def __init__(self, **how: Any) -> None:
        """Make a parser."""
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False, **how})
        self.examples: tuple[str, ...] = ()


def command(commands: Sub, name: str, run: str, about: str, example: str) -> Parser:
    """Add the command *name*: *run* is MODULE.FUNCTION of this package, *about* its line in the list.

    *example* is shown below its flags.
    """
    head = "examples" if "\n" in example else "example"
    text = f"{head}:\n  " + example.replace("\n", "\n  ")
    parser = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".", epilog=text)
    parser.set_defaults(run=Later(run), talks=False)
    made: Parser = parser
    made.examples = tuple(example.splitlines())
    return made


class Later:
    """A command whose module is read when it runs: those of the server take a moment, or may not be installed."""

    def __init__(self, target: str) -> None:
        """Take MODULE.FUNCTION of this package."""
        self._module, _, self._name = target.rpartition(".")

    def function(self) -> Callable[[argparse.Namespace], int]:
        """Return the function, from its module."""
        found: Callable[[argparse.Namespace], int] = getattr(import_module(f"blastd.cli.{self._module}"), self._name)
        return found

    def __call__(self, given: argparse.Namespace) -> int:
        """Run the command."""
        return self.function()(given)


def service_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which service is meant; they may stand before the command, too."""
    parser.add_argument(
        "--url",
        metavar="URL",
        default=argparse.SUPPRESS,
        help="address of the service, or unix:/PATH of its socket file (default: $BLASTD_URL, what 'blastd login' keeps, or http://127.0.0.1:8470)",
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        default=argparse.SUPPRESS,
        help="file with the token (default: $BLASTD_TOKEN, or what 'blastd login' keeps)",
    )
    parser.add_argument(
        "--service",
        metavar="NAME",
        default=argparse.SUPPRESS,
        help="a service that 'blastd login' keeps (default: $BLASTD_SERVICE, or the one that is in use)",
    )


def client_flags(parser: argparse.ArgumentParser, *, rows: bool = True) -> None:
    """Add the flags of a command that talks to a service; *rows* tells whether it prints rows of fields."""
    service_flags(parser)
    parser.set_defaults(talks=True)
    if rows:
        output_flags(parser, "-o", "--output")
        parser.add_argument(
            "--fields", metavar="NAMES", help="which fields of a row, by their names in JSON, like 'job_id,status,hits'"
        )


def output_flags(parser: argparse.ArgumentParser, *names: str) -> None:
    """Add the choice of what is printed."""
    parser.add_argument(
        *names,
        choices=OUTPUTS,
        dest="output",
        help="table (on a terminal), tsv (in a pipe: raw numbers, times in UTC), json, or id (ids only)",
    )
    parser.add_argument("--json", action="store_const", const="json", dest="output", help="the same as --output json")


def settings_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a command that works on the service's own state."""
    parser.add_argument("--config", metavar="FILE", help="settings file (default: $BLASTD_CONFIG, else none)")
    parser.add_argument(
        "--state-dir", metavar="DIR", help="folder of the state (default: $STATE_DIRECTORY or the XDG folder)"
    )


def result_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a command that follows a search and writes its result."""
    parser.add_argument(
        "--format", metavar="FORMAT", choices=FORMATS, help=f"write the result in this format: {', '.join(FORMATS)}"
    )
    parser.add_argument("--fields", metavar="FIELDS", help="columns of a tabular format, like 'qaccver saccver pident'")
    parser.add_argument("--out", metavar="FILE", help="file for the result (default: standard output)")
    timeout_flag(parser)


def timeout_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that bounds a wait."""
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help="stop waiting after this time, exit code 5")
