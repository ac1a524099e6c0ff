"""Hits as the JSON that UCSC's hgBlat answers with `output=json`, which IGV and other genome browsers read: PSL rows.

PSL counts from 0, ends excluded. Of nucleotides a hit on the other strand is told as the query turned round (`-`); of
translated searches the strand has two signs, query and subject, and the starts of a turned one count from its other end.
See https://genome.ucsc.edu/FAQ/FAQformat.html#format2.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise

import msgspec

from blastd.core.model import Frozen
from blastd.core.tabular import RICH, Beside, cells, last_sections

FIELDS = (
    "matches", "misMatches", "repMatches", "nCount", "qNumInsert", "qBaseInsert", "tNumInsert", "tBaseInsert",
    "strand", "qName", "qSize", "qStart", "qEnd", "tName", "tSize", "tStart", "tEnd", "blockCount", "blockSizes",
    "qStarts", "tStarts",
)  # fmt: skip
COLUMNS = ("btop",)
"""What is needed of the stored form beside what it always has."""
PROGRAMS = ("blastn", "tblastn", "tblastx")
"""Of these the subjects are nucleotides, as a genome browser shows them."""

_OPERATION = re.compile(r"(\d+)|([^\d]{2})")


class Block(Frozen, frozen=True, kw_only=True):
    """A stretch of an alignment without gaps: offsets from the alignment's begin, in letters of the alignment."""

    query: int
    subject: int
    size: int


def document(parts: Iterable[Iterable[str]], more: Beside | None = None) -> Iterator[str]:
    """Yield the document from the lines of each stored part and the table beside it that holds `btop` where they don't."""
    sections = chain.from_iterable(last_sections(lines) for lines in parts)
    first = next(sections, None)
    names = ",".join(f'"{name}"' for name in FIELDS)
    yield f'{{"track":"blat","genome":{_json(first.database if first else "")},"fields":[{names}],"blat":['
    separator = "\n"
    for section in chain([first] if first else [], sections):
        for row in section.rows:
            cell = dict(zip(RICH, cells(row), strict=True))
            if more is not None:
                cell |= more.row()
            yield separator + _json(psl(section.program, cell))
            separator = ",\n"
    yield "]}\n"


def psl(program: str, cell: Mapping[str, str]) -> list[int | str]:
    """Return the values of FIELDS for one HSP of a *program* (as BLAST+ calls it), from its columns by name."""
    translated = program != "BLASTN"
    query_unit, subject_unit = (3 if program == "TBLASTX" else 1), (3 if translated else 1)
    size, subject_size = int(cell["qlen"]), int(cell["slen"])
    start, end = sorted((int(cell["qstart"]), int(cell["qend"])))
    subject_start, subject_end = sorted((int(cell["sstart"]), int(cell["send"])))
    turned, subject_turned = int(cell["qframe"]) < 0, int(cell["sframe"]) < 0
    found = blocks(cell["btop"])
    query_from = size - end if turned else start - 1
    subject_from = subject_size - subject_end if subject_turned else subject_start - 1
    query_starts = [query_from + block.query * query_unit for block in found]
    subject_starts = [subject_from + block.subject * subject_unit for block in found]
    sizes = [block.size * query_unit for block in found]
    strand = ("-" if turned else "+") + ("-" if subject_turned else "+")
    if not translated:  # what lies on the other strand is told as a turned query
        strand = "-" if subject_turned else "+"
        if subject_turned:
            query_starts = [size - at - length for at, length in zip(query_starts, sizes, strict=True)][::-1]
            subject_starts = [subject_size - at - length for at, length in zip(subject_starts, sizes, strict=True)][
                ::-1
            ]
            sizes.reverse()
    inserts = _inserts(found)
    matches = int(cell["nident"]) * query_unit
    return [
        matches,
        sum(sizes) - matches,
        0,
        0,
        inserts[0],
        inserts[1] * query_unit,
        inserts[2],
        inserts[3] * subject_unit,
        strand,
        cell["qaccver"],
        size,
        start - 1,
        end,
        cell["saccver"],
        subject_size,
        subject_start - 1,
        subject_end,
        len(found),
        *(",".join(map(str, numbers)) for numbers in (sizes, query_starts, subject_starts)),
    ]


def blocks(btop: str) -> list[Block]:
    """Return the stretches without gaps of an alignment, from its BTOP (BLAST+ manual: "Traceback operations")."""
    found: list[Block] = []
    query = subject = size = 0
    for run, pair in _OPERATION.findall(btop):
        size += int(run or 0)
        if pair and "-" not in pair:
            size += 1
        elif pair:
            if size:
                found.append(Block(query=query, subject=subject, size=size))
            query, subject, size = query + size + (pair[0] != "-"), subject + size + (pair[1] != "-"), 0
    return [*found, Block(query=query, subject=subject, size=size)] if size else found


def _inserts(found: Sequence[Block]) -> tuple[int, int, int, int]:
    """Return gaps and letters that the query has more than the subject, and those that the subject has more."""
    gaps = [
        (after.query - before.query - before.size, after.subject - before.subject - before.size)
        for before, after in pairwise(found)
    ]
    of_query, of_subject = ([gap[side] for gap in gaps if gap[side]] for side in (0, 1))
    return len(of_query), sum(of_query), len(of_subject), sum(of_subject)


def _json(value: object) -> str:
    """Return *value* as JSON; what is no UTF-8 in an id is replaced, since JSON has no bytes."""
    if isinstance(value, list):
        return "[" + ",".join(_json(entry) for entry in value) + "]"
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return msgspec.json.encode(value).decode()
