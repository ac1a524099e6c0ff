"""Queries as rows: what each found, its best hit, and how good that is, read from the index of hits. All functions block."""

import json
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from itertools import groupby
from pathlib import Path
from typing import Any

from blastd.core.hits import QueriesRequest
from blastd.core.model import Frozen
from blastd.core.verdict import BestHit, Counts, GoodHit, Verdict, covered, verdict
from blastd.errors import Invalid
from blastd.results.hit_index import opened

SORTS = {
    "query": "q.query", "id": "q.id", "length": "q.length", "hits": "q.hits", "hsps": "q.hsps", "evalue": "h.evalue",
    "bit_score": "h.bit_score", "identity": "h.identity", "coverage": "h.query_coverage", "title": "h.subject_title",
    "subject": "h.subject",
}  # fmt: skip
DESCENDING = frozenset({"length", "hits", "hsps", "bit_score", "identity", "coverage"})
SOURCE = "query q LEFT JOIN hsp h ON h.query = q.query AND h.rank = 1 AND h.hsp = 1"
SHOWN = """q.query, q.id, q.title, q.length, q.hits, q.hsps, q.best_evalue, q.best_bit_score, q.limit_reached, q.iterations, q.converged, h.subject,
    h.subject_accession, h.subject_title, h.subject_length, h.taxids, h.identity, h.query_coverage, h.evalue, h.evalue_text,
    h.bit_score"""
NEAR = """SELECT query, rank, query_length, query_start, query_end FROM hsp WHERE identity >= :identity
          ORDER BY query, rank"""
WHOLE = """SELECT DISTINCT query FROM hsp WHERE identity >= :identity
           AND (abs(query_end - query_start) + 1) * 100.0 >= :coverage * query_length"""
OF_TAXA = "SELECT EXISTS (SELECT 1 FROM every_hsp WHERE taxids <> '')"
COUNTS = """SELECT count(*), coalesce(sum(hits > 0), 0), coalesce(sum(limit_reached), 0) FROM query"""
SPANS = "SELECT query_start, query_end FROM hsp WHERE query = :query AND rank = 1 ORDER BY hsp LIMIT 200"


class QueryRow(Frozen, frozen=True, kw_only=True):
    """A query, what it found, and its best hit (None: no hit)."""

    query: int
    id: str
    title: str
    length: int
    hits: int
    hsps: int
    best_evalue: float | None
    best_bit_score: float | None
    limit_reached: bool
    iterations: int | None
    """None where the program has one only."""
    converged: bool | None
    verdict: Verdict
    best: BestHit | None


def good_queries(path: Path, rule: GoodHit) -> frozenset[int]:
    """Return the numbers of the queries that have a good hit."""
    values = {"identity": rule.identity, "coverage": rule.coverage}
    with closing(opened(path)) as db:
        good = {row[0] for row in db.execute(WHOLE, values)}
        rows = (row for row in db.execute(NEAR, values) if row["query"] not in good)
        for (query, _), group in groupby(rows, key=lambda row: (row["query"], row["rank"])):
            hsps = list(group)
            if len(hsps) < 2 or query in good:
                continue
            length = covered((row["query_start"], row["query_end"]) for row in hsps)
            if length * 100.0 >= rule.coverage * hsps[0]["query_length"]:
                good.add(query)
    return frozenset(good)


def counts(path: Path, good: Collection[int]) -> Counts:
    """Return how many queries have a good hit, a weaker one, none, and as many subjects as were asked for.

    *good* are those of `good_queries`, here and below: they are found once for many readings.
    """
    with closing(opened(path)) as db:
        queries, with_hits, limited = db.execute(COUNTS).fetchone()
    return Counts(
        queries=queries,
        good=len(good),
        weaker=with_hits - len(good),
        none=queries - with_hits,
        limit_reached=limited,
    )


def of_taxa(path: Path) -> bool:
    """Tell whether any subject found has a taxonomy id."""
    with closing(opened(path)) as db:
        return bool(db.execute(OF_TAXA).fetchone()[0])


def page(
    path: Path, request: QueriesRequest, good: Collection[int], warned: Collection[int], offset: int
) -> tuple[int, list[QueryRow]]:
    """Return how many queries match, and those of the page. *warned* are those that have warnings. Raises Invalid."""
    tail, order, values = _selection(request, good, warned)
    with closing(opened(path)) as db:
        total = db.execute(f"SELECT count(*) FROM {SOURCE} {tail}", values).fetchone()[0]  # our names
        found = db.execute(
            f"SELECT {SHOWN} FROM {SOURCE} {tail} ORDER BY {order} LIMIT :limit OFFSET :offset",  # our names
            values | {"limit": request.limit, "offset": offset},
        ).fetchall()
        return total, [_row(row, good, _spans(db, row)) for row in found]


def rows(path: Path, request: QueriesRequest, good: Collection[int], warned: Collection[int]) -> Iterator[QueryRow]:
    """Yield every query that matches, in order, without the spans of its best hit. Raises Invalid."""
    tail, order, values = _selection(request, good, warned)
    with closing(opened(path)) as db:
        for row in db.execute(f"SELECT {SHOWN} FROM {SOURCE} {tail} ORDER BY {order}", values):  # our names
            yield _row(row, good, ())


def numbers(path: Path, request: QueriesRequest, good: Collection[int], warned: Collection[int]) -> frozenset[int]:
    """Return the numbers of all queries that match. Raises Invalid."""
    tail, _, values = _selection(request, good, warned)
    with closing(opened(path)) as db:
        return frozenset(row[0] for row in db.execute(f"SELECT q.query FROM {SOURCE} {tail}", values))  # our names


def _selection(
    request: QueriesRequest, good: Collection[int], warned: Collection[int]
) -> tuple[str, str, dict[str, Any]]:
    """Return the condition, the order, and the values of both."""
    if request.sort not in SORTS:
        raise Invalid([("/sort", f"There is no order by {request.sort[:40]!r}: choose one of {', '.join(SORTS)}.")])
    values: dict[str, Any] = {
        "text": (request.text or "").lower(),
        "good": json.dumps(sorted(good)),
        "warned": json.dumps(sorted(warned)),
        "numbers": json.dumps(request.numbers),
    }
    is_good, is_warned = (
        "q.query IN (SELECT value FROM json_each(:good))",
        "q.query IN (SELECT value FROM json_each(:warned))",
    )
    of_verdict = {
        Verdict.GOOD: is_good,
        Verdict.WEAKER: f"q.hits > 0 AND NOT {is_good}",
        Verdict.NONE: "q.hits = 0",
    }
    conditions = [
        "(instr(lower(q.title), :text) OR instr(lower(h.subject_title), :text))" if request.text else "",
        "" if request.with_hits is None else "q.hits > 0" if request.with_hits else "q.hits = 0",
        "" if request.verdict is None else of_verdict[request.verdict],
        "" if request.limit_reached is None else f"q.limit_reached = {int(request.limit_reached)}",
        "" if request.warned is None else is_warned if request.warned else f"NOT {is_warned}",
        "q.query IN (SELECT value FROM json_each(:numbers))" if request.numbers else "",
    ]
    text = " AND ".join(condition for condition in conditions if condition)
    descending = request.order == "desc" if request.order else request.sort in DESCENDING
    key = SORTS[request.sort]
    return (f"WHERE {text}" if text else ""), f"{key} IS NULL, {key}{' DESC' if descending else ''}, q.query", values


def _spans(db: sqlite3.Connection, row: sqlite3.Row) -> tuple[tuple[int, int], ...]:
    found = db.execute(SPANS, {"query": row["query"]}) if row["hits"] else ()
    return tuple((start, end) for start, end in found)


def _row(row: sqlite3.Row, good: Collection[int], spans: tuple[tuple[int, int], ...]) -> QueryRow:
    best = None
    if row["subject"] is not None:
        best = BestHit(
            subject=row["subject"],
            accession=row["subject_accession"],
            title=row["subject_title"],
            length=row["subject_length"],
            taxids=tuple(int(one) for one in row["taxids"].split(";") if one.isdigit() and one != "0"),
            identity=row["identity"],
            coverage=row["query_coverage"],
            evalue=row["evalue"],
            evalue_text=row["evalue_text"],
            bit_score=row["bit_score"],
            spans=spans,
        )
    return QueryRow(
        query=row["query"],
        id=row["id"],
        title=row["title"],
        length=row["length"],
        hits=row["hits"],
        hsps=row["hsps"],
        best_evalue=row["best_evalue"],
        best_bit_score=row["best_bit_score"],
        limit_reached=bool(row["limit_reached"]),
        iterations=row["iterations"],
        converged=None if row["converged"] is None else bool(row["converged"]),
        verdict=verdict(row["query"] in good, row["hits"]),
        best=best,
    )
