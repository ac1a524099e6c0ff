"""BLAST+'s reports with fewer subjects a query, line by line: what NCBI's DESCRIPTIONS, ALIGNMENTS and HITLIST_SIZE do.

A shorter report is cut from the whole one instead of searched again: BLAST+ that is told to keep fewer subjects also
looks at fewer, and may find others. What is left is byte for byte as BLAST+ writes it.
Parts are told apart by their whole line, so that no title, however odd, reads as one.
"""

import re
from collections.abc import Iterable, Iterator

from blastd.core.model import Frozen

ANCHORED = frozenset({"anchored", "anchored_letters", "flat", "flat_letters"})
"""Alignments of all subjects together: only the table before them can be cut."""
Lines = Iterable[bytes]
"""Intact lines with their ends."""

_TABLE_HEAD = re.compile(rb" {20,}Score +E *\n")
_TABLE_LINE = b"Sequences producing significant alignments:"


class Most(Frozen, frozen=True, kw_only=True):
    """How many of each query's subjects a report shows at most, None: all that it has.

    Descriptions and alignments are for text and HTML, hits for every report.
    """

    descriptions: int | None = None
    alignments: int | None = None
    hits: int | None = None

    def cuts(self, name: str) -> bool:
        """Tell whether the format *name* is changed."""
        if name in ANCHORED:
            return _least(self.descriptions, self.hits) is not None
        if name == "pairwise":
            return self != Most()
        return self.hits is not None and name in ("xml", "xml2", "json")


def shorten(lines: Lines, name: str, most: Most) -> Iterable[bytes]:
    """Return *lines* of a report in the format *name* with the subjects that *most* allows."""
    if not most.cuts(name):
        return lines
    if name in ANCHORED:
        return pairwise(lines, _least(most.descriptions, most.hits), None)
    if name == "pairwise":
        return pairwise(lines, _least(most.descriptions, most.hits), _least(most.alignments, most.hits))
    hits = most.hits or 0
    return json(lines, hits) if name == "json" else xml(lines, hits)


def _least(one: int | None, other: int | None) -> int | None:
    return min((value for value in (one, other) if value is not None), default=None)


def pairwise(lines: Lines, descriptions: int | None, alignments: int | None) -> Iterator[bytes]:
    """Yield format 0 with at most so many lines of descriptions and so many alignments a query."""
    source = iter(lines)
    for line in source:
        yield line
        if not line.startswith(b"Query= "):
            continue
        for title in source:  # long titles are broken; a blank line ends them
            yield title
            if title == b"\n":
                break
        yield from _descriptions(source, descriptions)
        yield from _alignments(source, alignments)


def _descriptions(source: Iterator[bytes], most: int | None) -> Iterator[bytes]:
    """Yield from the length of a query to the blank line after its table; without a table to the first blank line."""
    table = False
    for line in source:
        if _TABLE_HEAD.fullmatch(line) or (not table and line.startswith(_TABLE_LINE)):
            if most != 0:
                yield line
            table = table or line.startswith(_TABLE_LINE)
            if table:
                break
            continue
        yield line
        if line == b"\n":
            return
    blank = next(source, None)
    if blank is not None and most != 0:
        yield blank
    for number, line in enumerate(source):
        if line == b"\n":
            yield line
            return
        if most is None or number < most:
            yield line


def _alignments(source: Iterator[bytes], most: int | None) -> Iterator[bytes]:
    """Yield the alignments of one query up to its statistics; each begins with '>' and ends with two blank lines.

    A query of which nothing could be searched has no line "Lambda", but one on the search space.
    """
    number, blanks = 0, 1
    for line in source:
        if blanks and line.startswith(b">"):
            number += 1
        elif blanks and line.startswith((b"Lambda ", b"Effective search space used: ")):
            yield line
            return
        blanks = blanks + 1 if line == b"\n" else 0
        if most is None or number <= most or blanks > 2:
            yield line


def alignment_lines(lines: Lines, query: int) -> Iterator[tuple[bool, bytes]]:
    """Yield the lines of one query's alignments (its number from 1), each with whether it begins those of a subject."""
    source, number = iter(lines), 0
    for line in source:
        if not line.startswith(b"Query= "):
            continue
        number += 1
        for title in source:
            if title == b"\n":
                break
        for _ in _descriptions(source, None):
            pass
        blanks, begun = 1, False
        for inner in _alignments(source, None):
            if blanks and inner.startswith((b"Lambda ", b"Effective search space used: ")):
                break
            first = bool(blanks) and inner.startswith(b">")
            begun = begun or first
            if begun and number == query:
                yield first, inner
            blanks = blanks + 1 if inner == b"\n" else 0
        if number == query:
            return


def xml(lines: Lines, most: int) -> Iterator[bytes]:
    """Yield formats 5 and 16 with at most *most* `<Hit>` a query."""
    number = 0
    inside = False
    for line in lines:
        word = line.strip()
        if word in (b"<Iteration_hits>", b"<hits>"):
            number = 0
        elif word == b"<Hit>":
            number += 1
            inside = True
        if not inside or number <= most:
            yield line
        if word == b"</Hit>":
            inside = False


def json(lines: Lines, most: int) -> Iterator[bytes]:
    """Yield format 15 with at most *most* hits a query; the last has no comma."""
    source = iter(lines)
    for line in source:
        yield line
        if line.strip() != b'"hits": [':
            continue
        indent = line[: len(line) - len(line.lstrip())]
        ends = (indent + b"],\n", indent + b"]\n")
        number = 0
        for inner in source:
            if inner in ends:
                yield inner
                break
            last = inner.rstrip() in (indent + b"  }", indent + b"  },")
            if number < most:
                yield indent + b"  }\n" if last and number == most - 1 else inner
            number += last
