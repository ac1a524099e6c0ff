"""What became of the hits of a search since an earlier run, as a file beside the later one: `difference.sqlite`.

It is made of both indices of hits when the later run has ended, and read afterwards even if the earlier run was deleted.
All functions block.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path

from msgspec.structs import replace

from blastd.core.difference import (
    CHANGED,
    LOST,
    NEW,
    DifferenceCounts,
    FoundSubject,
    SubjectChange,
    count,
    differences,
)
from blastd.core.model import Frozen
from blastd.results.hit_index import opened
from blastd.store.rows import dump, load

NAME = "difference.sqlite"
LAYOUT = 1
SCHEMA = """
CREATE TABLE query (query INTEGER PRIMARY KEY, id TEXT, title TEXT, new INTEGER, lost INTEGER, changed INTEGER) STRICT;
CREATE TABLE change (change_id INTEGER PRIMARY KEY, query INTEGER, kind TEXT, subject TEXT, detail TEXT) STRICT;
CREATE INDEX change_query ON change (query, kind);
CREATE INDEX change_kind ON change (kind, change_id);
"""
QUERIES = "SELECT query, id, title FROM query ORDER BY query"
HSPS = """SELECT query, rank, subject, subject_accession, subject_title, subject_length, evalue_text, bit_score, identity,
          query_coverage, query_start, query_end, subject_start, subject_end, identical, gaps, score, strand, btop
          FROM hsp ORDER BY query, rank, hsp"""
PAGE = """SELECT change.query, query.id, query.title, detail FROM change JOIN query USING (query)
          WHERE (:query IS NULL OR change.query = :query) AND (:kind IS NULL OR kind = :kind)
          ORDER BY change_id LIMIT :limit OFFSET :offset"""
TOTAL = """SELECT count(*) FROM change WHERE (:query IS NULL OR query = :query) AND (:kind IS NULL OR kind = :kind)"""
TOTALS = """SELECT coalesce(sum(new), 0), coalesce(sum(lost), 0), coalesce(sum(changed), 0), count(*) FROM query
            WHERE new + lost + changed > 0"""


class QueryChange(Frozen, frozen=True, kw_only=True):
    """One change of one query, which is counted from 1."""

    query: int
    query_id: str
    query_title: str
    change: SubjectChange


def made(path: Path) -> DifferenceCounts | None:
    """Return what a comparison that is there counted, None where none is, or none that is whole."""
    try:
        with closing(opened(path)) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] != LAYOUT:
                return None
            new, lost, changed, queries = db.execute(TOTALS).fetchone()
            return DifferenceCounts(new=new, lost=lost, changed=changed, queries=queries)
    except sqlite3.Error:
        return None


def make(before: Path, after: Path, part: Path, final: Path) -> DifferenceCounts:
    """Compare the indices of hits *before* and *after*, and write what became of each query to *final*.

    It is written as *part* first, so that *final* is whole when it is there.
    """
    with closing(sqlite3.connect(part, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.executescript(SCHEMA)
        db.execute("BEGIN")
        with closing(opened(before)) as old, closing(opened(after)) as new:
            _fill(db, old, new)
        db.execute("COMMIT")
        db.execute(f"PRAGMA user_version = {LAYOUT}")
    part.replace(final)
    counts = made(final)
    if counts is None:
        raise OSError(f"{final.name} can't be read after it was written")
    return counts


def page(path: Path, query: int | None, kind: str | None, limit: int, offset: int) -> tuple[int, list[QueryChange]]:
    """Return how many changes there are of a *query* (None: of all) and a *kind* (None: of each), and those of the page."""
    values = {"query": query, "kind": kind, "limit": limit, "offset": offset}
    with closing(opened(path)) as db:
        total = db.execute(TOTAL, values).fetchone()[0]
        rows = db.execute(PAGE, values).fetchall()
    changes = [
        QueryChange(
            query=row["query"],
            query_id=row["id"],
            query_title=row["title"],
            change=load(row["detail"], SubjectChange),
        )
        for row in rows
    ]
    return total, changes


def _fill(db: sqlite3.Connection, old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    then, now = _by_query(old), _by_query(new)
    waiting: tuple[int, list[FoundSubject]] | None = next(then, None)
    coming: tuple[int, list[FoundSubject]] | None = next(now, None)
    for row in new.execute(QUERIES):
        number = row["query"]
        before: list[FoundSubject] = []
        after: list[FoundSubject] = []
        if waiting is not None and waiting[0] == number:
            before, waiting = waiting[1], next(then, None)
        if coming is not None and coming[0] == number:
            after, coming = coming[1], next(now, None)
        changes = differences(before, after)
        numbers = count(changes)
        db.execute(
            "INSERT INTO query VALUES (?, ?, ?, ?, ?, ?)",
            (number, row["id"], row["title"], numbers[NEW], numbers[LOST], numbers[CHANGED]),
        )
        db.executemany(
            "INSERT INTO change (query, kind, subject, detail) VALUES (?, ?, ?, ?)",
            [(number, change.kind, _named(change), dump(_told(change))) for change in changes],
        )


def _by_query(db: sqlite3.Connection) -> Iterator[tuple[int, list[FoundSubject]]]:
    """Yield the subjects that each query found, in the order of BLAST+."""
    for number, of_query in groupby(db.execute(HSPS), key=lambda row: int(row["query"])):
        yield number, [_subject(list(hsps)) for _, hsps in groupby(of_query, key=lambda row: int(row["rank"]))]


def _subject(hsps: list[sqlite3.Row]) -> FoundSubject:
    best = hsps[0]
    return FoundSubject(
        subject=best["subject"],
        accession=best["subject_accession"],
        title=best["subject_title"],
        length=best["subject_length"],
        rank=best["rank"],
        evalue=best["evalue_text"],
        bit_score=best["bit_score"],
        identity=best["identity"],
        coverage=best["query_coverage"],
        alignments="\n".join(sorted(" ".join(map(str, tuple(hsp)[10:])) for hsp in hsps)),
    )


def _named(change: SubjectChange) -> str:
    found = change.after or change.before
    return found.subject if found is not None else ""


def _told(change: SubjectChange) -> SubjectChange:
    """Return a change without what only served to find it."""
    return SubjectChange(kind=change.kind, before=_plain(change.before), after=_plain(change.after), what=change.what)


def _plain(found: FoundSubject | None) -> FoundSubject | None:
    return None if found is None else replace(found, alignments="")
