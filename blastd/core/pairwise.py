"""Alignments in BLAST+'s own words: the part of a pairwise report (format 0) that belongs to one query. Pure.

Nothing is drawn anew: midlines, masked letters and numbers of HSPs are those that BLAST+ wrote.
"""

import re
from collections.abc import Iterable, Iterator

from blastd.core.fewer_subjects import alignment_lines
from blastd.core.model import Frozen

SCORE = b" Score = "
LENGTH = b"Length="


class SubjectAlignments(Frozen, frozen=True, kw_only=True):
    """The alignments with one subject: its place (from 1) in the report, its definition line, and a text for each HSP."""

    rank: int
    title: str
    hsps: tuple[str, ...]


ROUND = re.compile(rb"Results from round (\d+)\n")
"""What stands before each iteration of a query in the report of a search with several."""


def last_round(lines: Iterable[bytes], query: int) -> int:
    """Return which report in *lines*, counted from 1, is that of the last iteration of a *query*; *query* where it has one."""
    reports = queries = 0
    found = query
    for line in lines:
        told = ROUND.fullmatch(line)
        if told is None:
            continue
        reports += 1
        queries += told[1] == b"1"
        if queries > query:
            break
        if queries == query:
            found = reports
    return found


def subjects(lines: Iterable[bytes], query: int) -> Iterator[SubjectAlignments]:
    """Yield the subjects of the *query* (its number from 1 in *lines*) in the order of the report."""
    held: list[bytes] = []
    rank = 0
    for first, line in alignment_lines(lines, query):
        if first and held:
            rank += 1
            yield _subject(rank, held)
            held = []
        held.append(line)
    if held:
        yield _subject(rank + 1, held)


def _subject(rank: int, lines: list[bytes]) -> SubjectAlignments:
    title: list[str] = []
    hsps: list[list[str]] = []
    ended = False
    for raw in lines:
        line = raw.decode("utf-8", "replace")
        if not ended:
            ended = raw.startswith(LENGTH)
            title.append(line.strip())
        elif raw.startswith(SCORE):
            hsps.append([line])
        elif hsps:
            hsps[-1].append(line)
    text = " ".join(part for part in title[:-1] if part).removeprefix(">").strip()
    return SubjectAlignments(rank=rank, title=text, hsps=tuple("".join(hsp).strip("\n") for hsp in hsps))
