"""The aligned letters of an HSP, from the traceback that the stored form keeps and the query. Blocking where a file is read."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def aligned(row: Mapping[str, Any], letters: str, gencode: Mapping[str, str] | None) -> tuple[str, str]:
    """Return the aligned query and subject letters of an HSP, from its BTOP (BLAST+ manual: "Traceback operations").

    *letters* is the whole query; *gencode* translates codons when the query is searched translated. Matches are written
    with the query's letters.
    """
    part = _part(row, letters, gencode)
    mine, other, at, digits = [], [], 0, ""
    text = row["btop"]
    index = 0
    while index < len(text) or digits:
        if index < len(text) and text[index].isdigit():
            digits += text[index]
            index += 1
            continue
        if digits:
            run = part[at : at + int(digits)]
            mine.append(run)
            other.append(run)
            at += int(digits)
            digits = ""
        if index < len(text):
            mine.append(text[index])
            other.append(text[index + 1])
            at += text[index] != "-"
            index += 2
    return "".join(mine), "".join(other)


COMPLEMENT = str.maketrans("ACGTRYSWKMBDHVNacgtryswkmbdhvn", "TGCAYRSWMKVHDBNtgcayrswmkvhdbn")


def _part(row: Mapping[str, Any], letters: str, gencode: Mapping[str, str] | None) -> str:
    start, end = sorted((row["query_start"], row["query_end"]))
    part = letters[start - 1 : end]
    if gencode is None:
        return part
    if row["query_frame"] < 0:
        part = part.translate(COMPLEMENT)[::-1]
    return "".join(gencode.get(part[at : at + 3].upper(), "X") for at in range(0, len(part) - 2, 3))


BASES = "TCAG"
STANDARD = dict(
    zip(
        (a + b + c for a in BASES for b in BASES for c in BASES),
        "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG",
        strict=True,
    )
)
"""NCBI's genetic code 1, by codon."""


def query_letters(fasta: Path, number: int) -> str:
    """Return the letters of one query (its number from 1) of a normalised file."""
    found = []
    for at, line in _numbered(fasta):
        if at == number and not line.startswith(b">"):
            found.append(line.strip().decode("ascii", "replace"))
        elif at > number:
            break
    return "".join(found).replace("-", "")


def query_lengths(fasta: Path) -> list[int]:
    """Return the length of each query of a normalised file, in order."""
    lengths: list[int] = []
    for at, line in _numbered(fasta):
        if at > len(lengths):
            lengths.append(0)
        if not line.startswith(b">"):
            lengths[-1] += len(line.strip()) - line.count(b"-")
    return lengths


def of_queries(fasta: Path, numbers: frozenset[int]) -> Iterator[bytes]:
    """Yield the records of some queries (numbers from 1) of a normalised file, as they stand there."""
    return (line for at, line in _numbered(fasta) if at in numbers)


def _numbered(fasta: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each line with the number of its query, which counts from 1; the first may have no line of its own for a title."""
    at = 0
    with fasta.open("rb") as file:
        for line in file:
            at += line.startswith(b">") or at == 0
            yield at, line
