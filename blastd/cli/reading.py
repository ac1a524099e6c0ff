"""From the words of a command line to the command that is meant: what argparse can't know of BLAST+'s flags and of habits."""

import argparse
import re
from collections.abc import Sequence

from blastd.cli.flags import OUTPUTS, PROGRAMS, Parser
from blastd.cli.parser import commands_of, make_parser
from blastd.core.near import near
from blastd.errors import BadRequest

GLOBAL = ("--url", "--token-file", "--service")
"""Flags with a value that may stand before the command."""
BLAST_FLAG = re.compile(r"-[A-Za-z][A-Za-z_]+")
"""How BLAST+ writes its flags; ours of one dash have one letter."""
TALKING = "it works on the state folder of this machine: --config or --state-dir name it."


def read(words: Sequence[str]) -> argparse.Namespace:
    """Return what is to run, BLAST+'s own words as its `tail`. Raises BadRequest, and SystemExit when argparse has said all."""
    parser, words, tail = make_parser(), list(words), list[str]()
    at = _command_at(words)
    name = words[at] if at < len(words) else ""
    commands = commands_of(parser)
    if name and not name.startswith("-") and name not in commands:
        raise BadRequest(f"There is no command {name!r}.{near(name, commands)} 'blastd --help' lists them.")
    if name == "submit":
        words, tail = _submit_words(words, at)
    elif name in PROGRAMS:
        words, tail = _program_words(words, at, commands[name])
    given = parser.parse_args(words)
    given.tail = tail
    if given.talks is False and any(hasattr(given, flag[2:].replace("-", "_")) for flag in GLOBAL):
        raise BadRequest(f"{name} talks to no service; {TALKING}")
    return given


def _command_at(words: Sequence[str]) -> int:
    """Return the place of the command, after the flags that may stand before it."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in GLOBAL else 1
    return at


def _submit_words(words: list[str], at: int) -> tuple[list[str], list[str]]:
    """Return our words and those of BLAST+, which stand after two dashes. Raises BadRequest where one stands before."""
    cut = words.index("--") if "--" in words else len(words)
    before, tail = words[:cut], words[cut + 1 :]
    for word in before[at + 1 :]:
        if BLAST_FLAG.fullmatch(word) and word.removeprefix("-o") not in OUTPUTS:
            raise BadRequest(
                f"{word} is a flag of BLAST+. They stand after two dashes (blastd submit … query.fa -- {word} …), or give "
                f"the whole command line of BLAST+: blastd {PROGRAMS[0]} -query query.fa -db NAME -outfmt 6 …"
            )
    return before, tail


def _program_words(words: list[str], at: int, parser: Parser) -> tuple[list[str], list[str]]:
    """Return our words and those of BLAST+, in a command line of BLAST+: ours begin with two dashes."""
    ours, theirs, rest = words[: at + 1], list[str](), words[at + 1 :]
    if rest in (["-h"], ["-help"]):
        return [*ours, "--help"], []
    takes_value = {name: action.nargs != 0 for action in parser._actions for name in action.option_strings}  # noqa: SLF001  # the only way to ask
    index = 0
    while index < len(rest):
        word, index = rest[index], index + 1
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag in takes_value:
            ours.append(word)
            if takes_value[flag] and "=" not in word:
                ours += rest[index : index + 1]
                index += 1
        elif flag.startswith("--") and (meant := near(flag, takes_value)):
            raise BadRequest(f"{flag} is no flag of 'blastd {words[at]}'.{meant}")
        else:
            theirs.append(word)
    return ours, theirs
