"""Hits as GFF3 (version 1.26 of the Sequence Ontology): one feature for each HSP, on the subject, with the query as Target.

A genome browser that has the subjects as its reference shows the features where the HSPs lie. Coordinates count letters of
the subject from 1, start before end whatever the strand.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from blastd.core.tabular import COLUMN, Section, cells, last_sections

FIRST_LINE = "##gff-version 3\n"
_NOT_IN_ID = re.compile(r"[^a-zA-Z0-9.:^*$@!+_?|-]")
_NOT_IN_VALUE = re.compile("[\x00-\x1f%;=&,\x7f\ud800-\udfff]")
_NOT_IN_TARGET = re.compile("[\x00-\x20%;=&,\x7f\ud800-\udfff]")
_NUCLEOTIDE, _PROTEIN, _TRANSLATED = "nucleotide_match", "protein_match", "translated_nucleotide_match"
KINDS: Mapping[str, str] = {
    "BLASTN": _NUCLEOTIDE,
    "BLASTX": _TRANSLATED,
    "TBLASTX": _TRANSLATED,
    "RPSTBLASTN": _TRANSLATED,
}
"""The term of the Sequence Ontology for what a program aligns to the subject; the other programs align proteins."""
STRANDED = frozenset({"BLASTN", "TBLASTN", "TBLASTX"})
"""Programs whose subjects have two strands."""


def features(parts: Iterable[Iterable[str]]) -> Iterator[str]:
    """Yield the lines of a GFF3 file from the lines of each stored part, of the last iteration where there are several."""
    yield FIRST_LINE
    number = 0
    for lines in parts:
        for section in last_sections(lines):
            for row in section.rows:
                number += 1
                yield _feature(section, cells(row), number)


def _feature(section: Section, row: list[str], number: int) -> str:
    def cell(name: str) -> str:
        return row[COLUMN[name]]

    program = section.program
    start, end = sorted((int(cell("sstart")), int(cell("send"))))
    query_start, query_end = sorted((int(cell("qstart")), int(cell("qend"))))
    target = f"{_escaped(_NOT_IN_TARGET, cell('qaccver'))} {query_start} {query_end}"
    if int(cell("qframe")):
        target += f" {_strand(cell('qframe'))}"
    attributes = {
        "ID": f"hsp{number}",
        "Name": _escaped(_NOT_IN_VALUE, cell("qaccver")),
        "Target": target,
        "bit_score": cell("bitscore").strip(),
        "score": cell("score"),
        "evalue": cell("evalue"),
        "identity": cell("pident"),
        "query_length": cell("qlen"),
    }
    if title := section.title.partition(" ")[2].strip():
        attributes["Note"] = _escaped(_NOT_IN_VALUE, title)
    columns = (
        _escaped(_NOT_IN_ID, cell("saccver")),
        program or ".",
        KINDS.get(program, _PROTEIN),
        str(start),
        str(end),
        cell("evalue"),
        _strand(cell("sframe")) if program in STRANDED else ".",
        ".",
        ";".join(f"{name}={value}" for name, value in attributes.items()),
    )
    return "\t".join(columns) + "\n"


def _strand(frame: str) -> str:
    return "-" if int(frame) < 0 else "+"


def _escaped(forbidden: re.Pattern[str], text: str) -> str:
    """Return *text* with what is *forbidden* as percent-encoded bytes."""

    def encoded(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in match[0].encode("utf-8", "surrogateescape"))

    return forbidden.sub(encoded, text)
