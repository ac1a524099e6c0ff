"""NCBI's Tabular report, made of BLAST+'s format 7. Pure.

NCBI writes the program in lower case without a version, the iteration and the RID, a thirteenth column "% positives" for
proteins, and no last line that counts queries. Clients look for the first words and count columns from the end.
Source: hit tables of NCBI's web BLAST (ALIGNMENT_VIEW=Tabular, FORMAT_TYPE=Text).
"""

import csv
import re
from collections.abc import Callable, Iterable, Iterator

from blastd.core.fewer_subjects import Most

POSITIVES = ("std", "ppos")
"""Columns of a report of proteins: the standard twelve, and "% positives"."""
FOUND = re.compile(rb"# (\d+) hits? found")


def fields(program: str) -> tuple[str, ...] | None:
    """Return the columns of NCBI's table for a *program*, None for the standard twelve."""
    return None if program == "blastn" else POSITIVES


def subjects_shown(most: Most) -> int | None:
    """Return how many subjects a query has at most in a table, None for all."""
    numbers = [number for number in (most.alignments, most.hits) if number is not None]
    return min(numbers, default=None)


def tabular(lines: Iterable[bytes], program: str, rid: str, most: Most) -> Iterator[bytes]:
    """Yield NCBI's table from the *lines* (with ends) of format 7, with the subjects that *most* allows.

    Rows are counted, not recognised: a query named `#q1` makes rows that look like comments.
    """
    source, limit = iter(lines), subjects_shown(most)
    for line in source:
        if line.startswith(b"# BLAST processed "):
            continue
        if not line.startswith(b"#"):  # a search has converged
            yield line
            continue
        head = next(source, b"")
        iterated = head.startswith(b"# Iteration: ")
        yield f"# {program}\n".encode() + (head if iterated else b"# Iteration: 0\n")
        yield next(source, b"") if iterated else head
        yield f"# RID: {rid}\n".encode()
        for head in source:
            count = FOUND.match(head)
            if count is None:
                yield head
                continue
            rows = [row for row, _ in zip(source, range(int(count[1])), strict=False)] if int(count[1]) else []
            kept = list(_first_subjects(rows, limit, lambda row: row.split(b"\t", 2)[1]))
            yield f"# {len(kept)} hits found\n".encode()
            yield from kept
            break


def comma_separated(lines: Iterable[bytes], most: Most) -> Iterator[bytes]:
    """Yield the *lines* of a CSV table with the subjects that *most* allows for each query."""
    limit = subjects_shown(most)
    if limit is None:
        yield from lines
        return
    query: str | None = None
    names: set[str] = set()
    for line in lines:
        cells = next(csv.reader([line.decode("utf-8", "surrogateescape")]), [])
        if len(cells) < 2:
            continue
        if cells[0] != query:
            query, names = cells[0], set()
        if cells[1] in names or len(names) < limit:
            names.add(cells[1])
            yield line


def _first_subjects(rows: Iterable[bytes], limit: int | None, name: Callable[[bytes], bytes]) -> Iterator[bytes]:
    names: set[bytes] = set()
    for row in rows:
        subject = name(row)
        if limit is None or subject in names or len(names) < limit:
            names.add(subject)
            yield row
