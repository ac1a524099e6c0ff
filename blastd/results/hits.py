"""Hits as rows for tables and plots, read from their index (`results.hit_index`), or while there is none yet from the beginning of the stored form.

All functions block.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from blastd.core.hits import HitsRequest
from blastd.core.model import Job, Unit
from blastd.core.programs import iterates
from blastd.core.tabular import Section, sections
from blastd.errors import Invalid
from blastd.results.assemble import result_units, stored_lines, stored_path
from blastd.results.hit_index import SCHEMA, Filler, opened, raw_bytes

NAMED = "SELECT sseqid, saccver, length FROM subject WHERE sseqid = ? OR saccver = ? ORDER BY place"
SUBJECTS = "SELECT place, sseqid, saccver, length FROM subject WHERE place > ? ORDER BY place LIMIT ?"
OF_QUERY = """SELECT place, sseqid, saccver, length FROM subject WHERE subject_id IN
              (SELECT subject_id FROM hsp WHERE query = ?) AND place > ? ORDER BY place LIMIT ?"""
SORTS = {
    "query": "query, rank, hsp", "evalue": "evalue", "bit_score": "bit_score", "score": "score",
    "identity": "identity", "length": "length", "coverage": "query_coverage", "subject": "subject",
    "subject_length": "subject_length", "title": "subject_title", "positives": "positives", "taxid": "taxids",
}  # fmt: skip
SUBJECT_SORTS = {"total_bit_score": "total_bit_score", "hsps": "hsps"}
"""Orders of subjects, not of HSPs."""
DESCENDING = frozenset(
    {"bit_score", "score", "identity", "length", "coverage", "subject_length", "positives", "total_bit_score", "hsps"}
)

MOST_FILLED = 2000
"""Rows that are counted and sorted for an answer without an index: 0.1 s."""
MOST_READ = 100_000
"""Lines that are read for it."""


def page(path: Path, request: HitsRequest, offset: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how many rows match, and those of the page. Raises Invalid for a sort that there is not."""
    with closing(opened(path)) as db:
        return _page(db, request, offset)


def _page(db: sqlite3.Connection, request: HitsRequest, offset: int) -> tuple[int, list[dict[str, Any]]]:
    source, order, values = _selection(request)
    total = db.execute(f"SELECT count(*) FROM {source}", values).fetchone()[0]  # our names
    found = db.execute(
        f"SELECT * FROM {source} ORDER BY {order} LIMIT :limit OFFSET :offset",  # our names
        values | {"limit": request.limit, "offset": offset},
    ).fetchall()
    return total, [_shown(dict(row)) for row in found]


def first(
    folder: Path, job: Job, units: Sequence[Unit], request: HitsRequest, offset: int
) -> tuple[int, list[dict[str, Any]]] | None:
    """Return what `page` will once there is an index, from the beginning of the stored form; None where that does not tell it."""
    plain = HitsRequest(
        query=request.query,
        group=request.group,
        limit=request.limit,
        sequences=request.sequences,
        cursor=request.cursor,
    )
    by_subject = request.group == "subject"
    if request != plain or iterates(job.program, job.options) or (by_subject and request.query is None):
        return None
    wanted, total = offset + request.limit, job.hits
    with closing(sqlite3.connect(":memory:")) as db:
        db.row_factory = sqlite3.Row
        db.executescript(SCHEMA)
        filler, filled = Filler(db, job), 0
        for number, section in _beginning(folder, units):
            cut = len(section.rows) < (section.found or 0)
            if request.query is None or number == request.query:
                filled += len(section.rows)
                filler.add(number, section, 0)
            if number == request.query:
                total = None if by_subject and cut else section.found or 0
            if number == request.query or (request.query is None and filled >= wanted):
                counted, rows = _page(db, request, offset)
                return None if total is None or (cut and filled < wanted) else (counted if by_subject else total, rows)
            if cut or filled > MOST_FILLED:
                break
    return None


def _beginning(folder: Path, units: Sequence[Unit]) -> Iterator[tuple[int, Section]]:
    """Yield the first queries by number with what each found, the last one cut if it found more than is read."""
    read = 0
    for unit in result_units(units):
        number = unit.first_query
        for section in sections(stored_lines(stored_path(folder, unit)), MOST_FILLED):
            number, read = number + 1, read + len(section.rows) + len(section.head)
            yield number, section
            if read > MOST_READ:
                return


def rows(path: Path, request: HitsRequest) -> Iterator[dict[str, Any]]:
    """Yield every row that matches, in order. Raises Invalid for a sort that there is not."""
    source, order, values = _selection(request)
    with closing(opened(path)) as db:
        for row in db.execute(f"SELECT * FROM {source} ORDER BY {order}", values):  # our names
            yield _shown(dict(row))


def _selection(request: HitsRequest) -> tuple[str, str, dict[str, Any]]:
    """Return from where rows are taken, in which order, and the values of both."""
    sorts = SORTS | (SUBJECT_SORTS if request.group == "subject" else {})
    if request.sort not in sorts:
        raise Invalid([("/sort", f"There is no order by {request.sort[:40]!r}: choose one of {', '.join(sorts)}.")])
    descending = request.order == "desc" if request.order else request.sort in DESCENDING
    where, values = _where(request)
    where_text = f"WHERE {where}" if where else ""
    key = sorts[request.sort]
    way = " DESC" if descending else ""
    ties = "" if request.sort != "evalue" else ", bit_score" if descending else ", bit_score DESC"
    order = f"{key.replace(',', way + ',')}{way}{ties}, query, rank, hsp"
    table = "hsp" if request.iteration is None else "every_hsp"
    if request.group != "subject":
        return f"{table} {where_text}", order, values
    source = (
        "(SELECT *, count(*) AS hsps, max(bit_score) AS max_bit_score, sum(bit_score) AS total_bit_score "  # our names
        f"FROM {table} {where_text} GROUP BY query, rank)"
    )
    return source, order, values


def _where(request: HitsRequest) -> tuple[str, dict[str, Any]]:
    parts: list[str] = []
    values: dict[str, Any] = {}
    for name, condition, value in (
        ("query", "query = :query", request.query),
        ("rank", "rank = :rank", request.rank),
        ("iteration", "iteration = :iteration", request.iteration),
        ("min_identity", "identity >= :min_identity", request.min_identity),
        ("max_evalue", "evalue <= :max_evalue", request.max_evalue),
        ("min_coverage", "query_coverage >= :min_coverage", request.min_coverage),
    ):
        if value is not None:
            parts.append(condition)
            values[name] = value
    if request.text:
        parts.append("(instr(lower(subject), :text) OR instr(lower(subject_title), :text))")
        values["text"] = request.text.lower()
    return " AND ".join(parts), values


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    row.pop("hsp_id")
    row.pop("subject_id")
    row.pop("last")
    row["taxids"] = [int(one) for one in row["taxids"].split(";") if one.isdigit() and one != "0"]
    return row


def statistics(path: Path, query: int | None) -> dict[str, Any]:
    """Return numbers over all hits or those of one query: counts, and histograms by identity, coverage and e-value.

    The e-value histogram counts by the decimal exponent: `from` and `to` are powers of ten, the first bin holds zero.
    `identity_length` are [identity, aligned length, count] over whole per cents and lengths in steps of a fiftieth.
    """
    tail, values = ("WHERE query = :query", {"query": query}) if query is not None else ("", {})
    with closing(opened(path)) as db:

        def ask(sql: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in db.execute(sql.format(tail=tail), values)]

        ((hsps, longest),) = ask("SELECT count(*), max(length) FROM hsp {tail}")
        ((found, hits, with_hits),) = ask("SELECT count(*), sum(hits), sum(hits > 0) FROM query {tail}")
        step = max(1, (longest or 1) // 50)
        exponents = ask(
            "SELECT CASE WHEN evalue > 0 THEN max(-200, CAST(floor(log10(evalue)) AS INTEGER)) ELSE -200 END AS e, "
            "count(*) FROM hsp {tail} GROUP BY e ORDER BY e"
        )
        tens = {
            name: ask(
                f"SELECT min(99, CAST({name} AS INTEGER)) AS b, count(*) FROM hsp {{tail}} GROUP BY b ORDER BY b"  # our names
            )
            for name in ("identity", "query_coverage")
        }
        cloud = ask(
            f"SELECT CAST(identity AS INTEGER), length / {step} * {step}, count(*) FROM hsp {{tail}} GROUP BY 1, 2"  # a number
        )
    return {
        "hsps": hsps,
        "hits": hits or 0,
        "queries": found,
        "queries_with_hits": with_hits or 0,
        "evalue_histogram": [{"from": e, "to": e + 1, "count": count} for e, count in exponents],
        "identity_histogram": [{"from": b, "to": b + 1, "count": count} for b, count in tens["identity"]],
        "coverage_histogram": [{"from": b, "to": b + 1, "count": count} for b, count in tens["query_coverage"]],
        "identity_length": [list(row) for row in cloud],
    }


Subject = tuple[str, str, int]
"""sseqid, saccver, length."""


def subjects(path: Path, query: int | None, size: int) -> Iterator[list[Subject]]:
    """Yield every subject once, in pages of *size*, in the order of the hits; of one query if asked."""
    last = -1
    while True:
        with closing(opened(path)) as db:
            values = (last, size) if query is None else (query, last, size)
            rows = db.execute(SUBJECTS if query is None else OF_QUERY, values).fetchall()
        if not rows:
            return
        last = rows[-1]["place"]
        yield [_subject(row) for row in rows]


def named(path: Path, names: Sequence[str], query: int | None) -> tuple[list[Subject], list[str]]:
    """Return the subjects that are called one of *names* by sseqid or saccver, and those names that none has."""
    found: dict[Subject, None] = {}
    missing = []
    with closing(opened(path)) as db:
        for name in dict.fromkeys(names):
            raw = raw_bytes(name)
            its = [_subject(row) for row in db.execute(NAMED, (raw, raw))]
            found |= dict.fromkeys(its)
            if not its:
                missing.append(name)
    if query is None:
        return list(found), missing
    of_query = {subject for page in subjects(path, query, 10_000) for subject in page}
    kept = [subject for subject in found if subject in of_query]
    held = {name for subject in kept for name in subject[:2]}
    return kept, [name for name in dict.fromkeys(names) if name not in held]


def _subject(row: sqlite3.Row) -> Subject:
    return (
        row["sseqid"].decode("utf-8", "surrogateescape"),
        row["saccver"].decode("utf-8", "surrogateescape"),
        row["length"],
    )
