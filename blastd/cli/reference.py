"""The command line described by its own parser: a page in Markdown, and a manual page in roff."""

import argparse
import re
from collections.abc import Iterator

from blastd import __version__
from blastd.cli.flags import PROGRAMS, Parser
from blastd.cli.parser import commands_of, every_command

SHARED = ("--url", "--token-file", "--service")
"""Told once, since every command that talks to a service has them."""
ENVIRONMENT = (
    ("BLASTD_URL", "address of the service, where no flag names one"),
    ("BLASTD_TOKEN", "token, where no flag names a file with one"),
    ("BLASTD_SERVICE", "name of a service that 'blastd login' keeps"),
    ("BLASTD_ANSWER_SECONDS", "how long an answer is waited for at most (default: 300)"),
    ("BLASTD_CONFIG", "settings file of the commands on the service's own state"),
)


def markdown(parser: Parser) -> str:
    """Return what `--help` says of every command, as sections of a page."""
    return "\n".join(_sections(parser))


def _sections(parser: Parser) -> Iterator[str]:
    for words, command in every_command(parser):
        if commands_of(command) or words[0] in PROGRAMS[1:]:
            continue  # its actions are described one by one, and all programs are alike
        others = f" (and {', '.join(PROGRAMS[1:])})" if words[0] in PROGRAMS else ""
        yield f"### blastd {' '.join(words)}{others}\n"
        yield f"{command.description}\n"
        yield f"    {_usage(command)}\n"
        rows = [row for row in _arguments(command) if not row[0].startswith(SHARED)]
        if rows:
            yield "| | |\n|---|---|"
            yield "\n".join(f"| `{_cell(name)}` | {_cell(about)} |" for name, about in rows) + "\n"
        yield "\n".join(f"    {line}" for line in command.examples) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def manual(parser: Parser) -> str:
    """Return the manual page blastd(1)."""
    lines = [f'.TH BLASTD 1 "" "blastd {__version__}" "User Commands"', ".SH NAME"]
    lines += [r"blastd \- run a BLAST service, or use one", ".SH SYNOPSIS", ".B blastd", "COMMAND [FLAGS] ..."]
    lines += [".SH DESCRIPTION", ".nf", *map(_escaped, (parser.description or "").strip().splitlines()), ".fi"]
    lines += [".SH COMMANDS"]
    for words, command in every_command(parser):
        if commands_of(command) or words[0] in PROGRAMS[1:]:
            continue
        lines += [f".SS {_escaped(_usage(command))}", _escaped(command.description or "")]
        for name, about in _arguments(command):
            lines += [".TP", f".B {_escaped(name)}", _escaped(about)]
        lines += [".PP", "Examples:" if len(command.examples) > 1 else "Example:", ".PP", ".nf", ".RS"]
        lines += [*map(_escaped, command.examples), ".RE", ".fi"]
    lines += [".SH ENVIRONMENT"]
    for name, about in ENVIRONMENT:
        lines += [".TP", f".B {name}", _escaped(about)]
    return "\n".join(lines) + "\n"


def _usage(command: Parser) -> str:
    """Return how a command is called, in one line; flags are told below it."""
    if command.usage:
        return command.usage
    places = [_place(action) for action in command._actions if not action.option_strings]  # noqa: SLF001  # the only way
    needed = [
        f"{action.option_strings[-1]} {_metavar(action)}".rstrip()
        for action in command._actions  # noqa: SLF001  # the same
        if action.option_strings and action.required
    ]
    return " ".join([command.prog, *needed, *places, "[FLAGS]"])


def _place(action: argparse.Action) -> str:
    name = _metavar(action)
    several = {"?": f"[{name}]", "*": f"[{name} …]", "+": f"{name} …"}
    return several.get(str(action.nargs), name)


def _metavar(action: argparse.Action) -> str:
    if action.nargs == 0:
        return ""
    if action.metavar is None and action.choices is not None:
        return "|".join(map(str, action.choices))
    return str(action.metavar or action.dest.upper())


def _arguments(command: Parser) -> list[tuple[str, str]]:
    """Return every argument of a command with what it is."""
    rows = []
    for action in command._actions:  # noqa: SLF001  # the only way
        if action.help in (None, argparse.SUPPRESS) or "--help" in action.option_strings:
            continue
        names = ", ".join(action.option_strings)
        value = _metavar(action) if not names or action.nargs != 0 else ""
        rows.append((" ".join(part for part in (names, value) if part), re.sub(r"\s+", " ", action.help or "")))
    return rows


def _escaped(text: str) -> str:
    """Return *text* for roff: no line is a request, no backslash an escape, no hyphen a soft one."""
    safe = text.replace("\\", r"\e").replace("-", r"\-").replace("…", "...")
    return r"\&" + safe if safe.startswith((".", "'")) else safe
