"""Rows of fields, as people, shells and programs want them: a table that fits the terminal, tab-separated lines, JSON, ids.

A terminal gets numbers with separators and local times, and its table is never wider than it is: an id or a number is
shown whole, texts are cut, and what still finds no room is left out, the last column first. A pipe gets every value as
the service sent it, times in UTC, under the names that the fields have in JSON.
"""

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from blastd import errors
from blastd.cli.answers import decode
from blastd.cli.words import clean
from blastd.core.near import near

Row = Mapping[str, Any]
GAP = "  "
SHORTEST = 8
"""Cells that a text keeps before a column is left out."""
COLOURS = {
    "completed": "green",
    "ready": "green",
    "ok": "green",
    "failed": "red",
    "broken": "red",
    "fail": "red",
    "cancelled": "yellow",
    "cancelling": "yellow",
    "warn": "yellow",
    "running": "cyan",
    "queued": "blue",
}


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column: the field's name, dots leading inward; *show* makes the text for people.

    *whole*: it is never cut. *terminal*, *pipe*: whether it is there unless fields are named.
    """

    name: str
    heading: str = ""
    show: Callable[[Any], str] | None = None
    whole: bool = False
    right: bool = False
    terminal: bool = True
    pipe: bool = True


def print_rows(given: argparse.Namespace, rows: Sequence[Row], columns: Sequence[Column], *, one: bool = False) -> None:
    """Print *rows* in the way that was asked for; *one*: JSON is the row itself, no list. Raises BadRequest.

    The first column is the id.
    """
    output = given.output or ("table" if sys.stdout.isatty() else "tsv")
    names = [name for name in (given.fields or "").replace(",", " ").split() if name]
    _check(names, rows, columns)
    if output == "id":
        for row in rows:
            print(plain(value_of(row, columns[0].name)))
    elif output == "json":
        wanted = [{name: value_of(row, name) for name in names} if names else row for row in rows]
        text = msgspec.json.encode(wanted[0] if one and len(wanted) == 1 else wanted)
        print(text.decode(), flush=True)
    else:
        known = {column.name: column for column in columns}
        if names:
            shown = [known.get(name, Column(name=name)) for name in names]
        else:
            shown = [column for column in columns if (column.terminal if output == "table" else column.pipe)]
        if output == "tsv":
            print_lines([column.name for column in shown], [[value_of(row, it.name) for it in shown] for row in rows])
        else:
            print_table(shown, [[_shown(column, row) for column in shown] for row in rows])


def print_json(body: bytes) -> None:
    """Print JSON as the service sent it. Raises Unavailable for what is none."""
    decode(object, body)
    print(body.decode().rstrip("\n"), flush=True)


def print_lines(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print tab-separated lines under a line of names."""
    print("\t".join(names))
    for row in rows:
        print("\t".join(clean(plain(value)) for value in row))


def print_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> None:
    """Print a table for a terminal, as wide as that at most."""
    headings = [column.heading or column.name.upper().replace("_", " ") for column in columns]
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = fit(
        [max([cell_len(heading), *(cell_len(row[at]) for row in cells)]) for at, heading in enumerate(headings)],
        [column.whole or column.right for column in columns],
        shutil.get_terminal_size().columns,
    )
    console = Console(highlight=False, soft_wrap=True)
    for number, row in enumerate([headings, *cells]):
        line = Text()
        for at, width in enumerate(widths):
            text = cut(row[at], width)
            space = " " * (width - cell_len(text))
            style = "bold" if number == 0 else COLOURS.get(row[at], "")
            line.append(GAP if at else "")
            line.append(space + text if columns[at].right else text + space, style)
        line.rstrip()
        console.print(line)


def fit(widths: Sequence[int], whole: Sequence[bool], most: int) -> list[int]:
    """Return the widths of the columns that are shown, of the first ones at least, so that a line has *most* cells.

    The widest text gives first; a text gives down to SHORTEST cells, then the last column is left out.
    """
    shown = list(widths)
    while shown:
        over = sum(shown) + len(GAP) * (len(shown) - 1) - most
        if over <= 0:
            return shown
        texts = [at for at in range(len(shown)) if not whole[at] and shown[at] > SHORTEST]
        if not texts:
            if len(shown) == 1:
                return shown
            shown = list(widths[: len(shown) - 1])
            continue
        shown[max(texts, key=lambda at: shown[at])] -= 1
    return shown


def cut(text: str, width: int) -> str:
    """Return *text* in *width* cells at most, with an ellipsis where some of it is gone."""
    return text if cell_len(text) <= width else set_cell_size(text, width - 1).rstrip() + "…"


def plain(value: Any) -> str:
    """Return a value as one cell for programs: nothing for null, lists of texts by commas, else JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return msgspec.json.encode(value).decode()


def value_of(row: Row, name: str) -> Any:
    """Return the field *name* of *row*, dots leading inward; None where there is none."""
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _shown(column: Column, row: Row) -> str:
    value = value_of(row, column.name)
    if column.show is not None:
        return column.show(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return plain(value) or "-"


def _check(names: Sequence[str], rows: Sequence[Row], columns: Sequence[Column]) -> None:
    """Refuse a field that no row has; without rows, one that no column has. Raises BadRequest."""
    if not rows:
        return
    known = {name for row in rows for name in row} | {column.name for column in columns}
    for name in names:
        if name.partition(".")[0] not in known:
            raise errors.BadRequest(
                f"--fields: there is no field {name!r}.{near(name, sorted(known))} Known: {', '.join(sorted(known))}."
            )
