"""Tables as files: tab-separated, comma-separated, and as a workbook of Excel whose text stays text.

A workbook is the least that the format asks for (ECMA-376, part 1): one sheet, cells of inline text and numbers. Text is never
read as a date or a formula there, so that an id such as MARCH1 or 1-2 is the same when it is opened.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from blastd.core.model import Frozen
from blastd.core.tabular import safe_cell
from blastd.errors import Unsupported

Cell = str | int | float | None
MOST_ROWS = 1_048_576
"""Rows of a sheet that Excel opens, the one of names included."""
BLOCK_ROWS = 1000
UNFIT = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""Characters that XML can't hold."""


class Sheet(Frozen, frozen=True, kw_only=True):
    """A kind of table file."""

    name: str
    media_type: str


SHEETS = {
    "tsv": Sheet(name="tsv", media_type="text/tab-separated-values; charset=utf-8"),
    "csv": Sheet(name="csv", media_type="text/csv; charset=utf-8"),
    "xlsx": Sheet(name="xlsx", media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


def text_blocks(kind: str, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Yield a table as `tsv` or `csv`, a line of *names* first.

    Tabs and line ends in cells of `tsv` become blanks; no spreadsheet takes text of `csv` for a formula.
    """
    line = _csv_line if kind == "csv" else _tsv_line
    block: list[str] = []
    for row in _all(names, rows):
        block.append(line(row))
        if len(block) == BLOCK_ROWS:
            yield "".join(block).encode("utf-8", "replace")
            block.clear()
    yield "".join(block).encode("utf-8", "replace")


def _tsv_line(row: Sequence[Cell]) -> str:
    return "\t".join(re.sub(r"[\t\r\n]", " ", "" if cell is None else str(cell)) for cell in row) + "\n"


def _csv_line(row: Sequence[Cell]) -> str:
    cells = ("" if cell is None else safe_cell(cell) if isinstance(cell, str) else str(cell) for cell in row)
    return ",".join(cells) + "\n"


def write_workbook(path: Path, names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a workbook of one sheet; blocking. Raises Unsupported where Excel could not open it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as book:
        for name, text in PARTS.items():
            book.writestr(name, text)
        with book.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet:
            sheet.write(SHEET_HEAD.encode())
            for number, row in enumerate(_all(names, rows), 1):
                if number > MOST_ROWS:
                    raise Unsupported(
                        f"A workbook has {MOST_ROWS:,} rows at most: take tsv or csv, or filter the table."
                    )
                sheet.write(f"<row>{''.join(map(_cell, row))}</row>".encode("utf-8", "replace"))
            sheet.write(SHEET_END.encode())


def _all(names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[Sequence[Cell]]:
    yield names
    yield from rows


def _cell(value: Cell) -> str:
    if value is None or value == "":
        return "<c/>"
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(UNFIT.sub("�", value[:32_000]))}</t></is></c>'
    return f"<c><v>{value!r}</v></c>"


MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
SHEET_HEAD = (
    f'{HEAD}<worksheet xmlns="{MAIN}"><sheetViews><sheetView workbookViewId="0"><pane ySplit="1" topLeftCell="A2" '
    'activePane="bottomLeft" state="frozen"/></sheetView></sheetViews><sheetData>'
)
SHEET_END = "</sheetData></worksheet>"
PARTS = {
    "[Content_Types].xml": (
        f'{HEAD}<Types xmlns="{PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{KIND}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{KIND}.worksheet+xml"/></Types>'
    ),
    "_rels/.rels": (
        f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    ),
    "xl/workbook.xml": (
        f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}"><sheets><sheet name="blastd" sheetId="1" r:id="rId1"/></sheets></workbook>'
    ),
    "xl/_rels/workbook.xml.rels": (
        f'{HEAD}<Relationships xmlns="{PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{OFFICE}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'
    ),
}
