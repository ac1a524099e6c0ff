"""Habits of the code that no linter of ours holds: nothing dead, a class name once, nothing long."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from vulture import Vulture  # type: ignore[import-untyped]

from blastd.cli.parser import commands_of, every_command, make_parser

ROOT = Path(__file__).parents[2]
CODE = ROOT / "blastd"
COMMAND = re.compile(r'"[a-z_]+\.([a-z_]+)"')
"""How the command line names what runs a command, so that only that command's modules are imported."""
CALLED_FROM_OUTSIDE = {
    "at_work",  # the simulation's checker: what a pool still does at rest
    "handle_error",  # aiohttp
    "seekable",  # tarfile
}
COMMANDS = {
    command.get_default("run").function().__name__
    for words, command in every_command(make_parser())
    if not commands_of(command)
}
"""What the parser names by module and function, so that it is read when it runs."""


MOST_LINES, MOST_LINES_OF_FUNCTION = 400, 50
ONE_FILE = {"podrunner.py"}  # it is handed as it is to images that have nothing but Python


def test_modules_and_functions_are_short() -> None:
    """What is longer has more than one concern; a part of it gets a name and a place of its own."""
    long = []
    for path in CODE.rglob("*.py"):
        text, name = path.read_text("utf-8"), path.relative_to(ROOT)
        if len(text.splitlines()) > MOST_LINES and path.name not in ONE_FILE:
            long.append(f"{name}: {len(text.splitlines())} lines")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > MOST_LINES_OF_FUNCTION:
                    long.append(f"{name}:{node.lineno}: {node.name} has {lines} lines")
    assert not long, "\n".join(long)


def test_nothing_is_dead() -> None:
    """Fields of structs are left out: they are read by name when they are encoded."""
    commands = [path.read_text("utf-8") for path in (CODE / "cli").glob("*_commands.py")]
    outside = CALLED_FROM_OUTSIDE.union(*(COMMAND.findall(text) for text in commands))
    look = Vulture()
    look.scavenge([str(CODE)])
    unused = [
        f"{Path(item.filename).relative_to(ROOT)}:{item.first_lineno}: {item.typ} {item.name}"
        for item in look.get_unused_code(min_confidence=60)
        if item.name not in outside | COMMANDS
        and (item.typ not in ("attribute", "variable") or _at_module_level(item.filename, item.first_lineno))
    ]
    assert unused == []


def _at_module_level(filename: Path, line: int) -> bool:
    return not Path(filename).read_text("utf-8").splitlines()[line - 1].startswith(" ")


def test_a_class_name_exists_once() -> None:
    names = Counter(node.name for _, node in _nodes() if isinstance(node, ast.ClassDef))
    assert [name for name, count in names.items() if count > 1] == []


def _nodes() -> Iterator[tuple[Path, ast.AST]]:
    for path in sorted(CODE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            yield path, node
