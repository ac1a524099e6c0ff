"""Hits as rows for tables and plots: an index beside the stored form, `hits.sqlite`, made when it is first asked.

It is derived data: a file that is missing or of an older layout is made again. All functions block.
"""

import hashlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from blastd.core.alias import targets
from blastd.core.ascii_titles import Table, decode_titles
from blastd.core.hits import HitsRequest
from blastd.core.model import Job, Unit
from blastd.core.tabular import cells, lacking, sections
from blastd.errors import Invalid
from blastd.results.aligned import query_lengths
from blastd.results.assemble import result_units, stored_lines, stored_path

NAME = "hits.sqlite"
PARTIAL = "partial"
LAYOUT = 4
HELD = 100_000
"""Subjects whose number is known without asking SQLite while an index is filled."""
SCHEMA = """
CREATE TABLE query (query INTEGER PRIMARY KEY, id TEXT, title TEXT, length INTEGER, hits INTEGER, hsps INTEGER,
    best_evalue REAL, best_bit_score REAL, limit_reached INTEGER, iterations INTEGER, converged INTEGER) STRICT;
CREATE TABLE every_hsp (hsp_id INTEGER PRIMARY KEY, query INTEGER, rank INTEGER, hsp INTEGER, query_id TEXT,
    query_length INTEGER, subject_id INTEGER, subject TEXT, subject_accession TEXT, subject_title TEXT, subject_length INTEGER,
    taxids TEXT, identity REAL, positives REAL, length INTEGER, identical INTEGER, mismatches INTEGER,
    gap_opens INTEGER, gaps INTEGER, query_start INTEGER, query_end INTEGER, subject_start INTEGER,
    subject_end INTEGER, query_frame INTEGER, subject_frame INTEGER, evalue REAL, evalue_text TEXT, bit_score REAL,
    score REAL, strand TEXT, query_coverage REAL, hsp_coverage REAL, btop TEXT, iteration INTEGER, last INTEGER) STRICT;
CREATE TABLE subject (subject_id INTEGER PRIMARY KEY, sseqid BLOB, saccver BLOB, length INTEGER,
    UNIQUE (sseqid, saccver, length)) STRICT;
CREATE VIEW hsp AS SELECT * FROM every_hsp WHERE last = 1;
"""
"""`hsp` are the HSPs of the last iteration of each query; most programs have one."""
INDEX = """CREATE INDEX hsp_query ON every_hsp (query, rank, hsp); CREATE INDEX subject_name ON subject (saccver);"""
ADD_SUBJECT = "INSERT OR IGNORE INTO subject (sseqid, saccver, length) VALUES (?, ?, ?)"
SUBJECT = "SELECT subject_id FROM subject WHERE sseqid = ? AND saccver = ? AND length = ?"
NAMED = "SELECT sseqid, saccver, length FROM subject WHERE sseqid = ? OR saccver = ? ORDER BY subject_id"
SUBJECTS = "SELECT subject_id, sseqid, saccver, length FROM subject WHERE subject_id > ? ORDER BY subject_id LIMIT ?"
OF_QUERY = """SELECT subject_id, sseqid, saccver, length FROM subject WHERE subject_id IN
              (SELECT subject_id FROM hsp WHERE query = ?) AND subject_id > ? ORDER BY subject_id LIMIT ?"""
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


def ensure(folder: Path, job: Job, units: Sequence[Unit], made: Path) -> Path:
    """Return the index of a job's hits, made now if it is not there, under the temporary name *made*."""
    _forget_partial(folder, 0)
    return _made(folder / NAME, folder, job, units, made)


def ensure_partial(folder: Path, job: Job, units: Sequence[Unit], made: Path) -> Path:
    """Return an index of the hits of the *units* that are done; those of fewer units are removed but for the latest."""
    done = " ".join(f"{unit.index}:{unit.output_sha256}" for unit in units)
    path = folder / PARTIAL / f"{hashlib.sha256(done.encode()).hexdigest()[:16]}.sqlite"
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        _forget_partial(folder, 1)  # which somebody may be reading
    return _made(path, folder, job, units, made)


def _forget_partial(folder: Path, keep: int) -> None:
    """Remove indices of what was done of a job, all but the *keep* newest."""
    found = sorted((path.stat().st_mtime, path) for path in (folder / PARTIAL).glob("*.sqlite"))
    for _, path in found[: len(found) - keep]:
        path.unlink(missing_ok=True)
    if not keep and (folder / PARTIAL).is_dir():
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)


def _made(path: Path, folder: Path, job: Job, units: Sequence[Unit], made: Path) -> Path:
    try:
        with closing(opened(path)) as db:
            if db.execute("PRAGMA user_version").fetchone()[0] == LAYOUT:
                return path
    except sqlite3.Error:
        pass  # not there, or not whole: it is made again
    with closing(sqlite3.connect(made, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.executescript(SCHEMA)
        db.execute("BEGIN")
        _fill(db, folder, job, units)
        db.execute("COMMIT")
        db.executescript(INDEX)
        db.execute(f"PRAGMA user_version = {LAYOUT}")
    made.replace(path)
    return path


def opened(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads; what is read may be asked for from several threads, one after the other."""
    db = sqlite3.connect(f"file:{path.as_posix().replace('?', '%3f')}?mode=ro", uri=True, check_same_thread=False)
    db.row_factory = sqlite3.Row
    return db


def _fill(db: sqlite3.Connection, folder: Path, job: Job, units: Sequence[Unit]) -> None:
    limit, masked = targets(job.options), bool(lacking(job.program, job.options))
    known: dict[tuple[bytes, bytes, int], int] = {}
    lengths = [job.query.letters] if job.query.type == "pssm" else query_lengths(folder / "query.fa")
    for unit in result_units(units):
        number, before = unit.first_query, 0
        for section in sections(stored_lines(stored_path(folder, unit))):
            number += section.begins_query
            if not section.begins_query:  # what the iteration before found is no longer the last word
                db.execute("UPDATE every_hsp SET last = 0 WHERE hsp_id > ?", (before,))
            before = db.execute("SELECT coalesce(max(hsp_id), 0) FROM every_hsp").fetchone()[0]
            title = _text(section.title, job.standins)
            ranks: dict[tuple[str, str], int] = {}
            counts: dict[tuple[str, str], int] = {}
            rows = []
            for row in section.rows:
                parts = cells(row)
                values = _row(number, parts, job.standins)
                values["subject_id"] = _subject_id(db, known, (_raw(parts[13]), _raw(parts[1]), int(parts[16])))
                if masked:  # other columns stand in their places
                    values |= {"positives": None, "btop": ""}
                key = (values["subject"], values["subject_title"])
                values["rank"] = ranks.setdefault(key, len(ranks) + 1)
                counts[key] = values["hsp"] = counts.get(key, 0) + 1
                values["iteration"] = section.iteration
                rows.append(values)
            if rows:
                names = list(rows[0])
                marks = ", ".join(f":{name}" for name in names)
                db.executemany(f"INSERT INTO every_hsp ({', '.join(names)}) VALUES ({marks})", rows)  # our names
            db.execute(
                "INSERT OR REPLACE INTO query VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    number, title.split(" ", 1)[0], title, lengths[number - 1], len(ranks),
                    len(rows), min((row["evalue"] for row in rows), default=None),
                    max((row["bit_score"] for row in rows), default=None), int(len(ranks) >= limit),
                    section.iteration, int(section.converged) if section.iteration is not None else None,
                ),
            )  # fmt: skip


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _subject_id(
    db: sqlite3.Connection, known: dict[tuple[bytes, bytes, int], int], key: tuple[bytes, bytes, int]
) -> int:
    """Return the number of a subject, which it has from its first hit on."""
    number = known.get(key)
    if number is None:
        db.execute(ADD_SUBJECT, key)
        number = int(db.execute(SUBJECT, key).fetchone()[0])
        if len(known) >= HELD:
            known.clear()
        known[key] = number
    return number


def _text(text: str, standins: Table) -> str:
    raw = text.encode("utf-8", "surrogateescape")
    return (decode_titles(raw, standins) if standins else raw).decode("utf-8", "replace")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _row(query: int, row: Sequence[str], standins: Table) -> dict[str, Any]:
    (
        qaccver, saccver, pident, length, mismatch, gapopen, qstart, qend, sstart, send, evalue, bitscore, _qseqid,
        sseqid, sacc, qlen, slen, score, nident, _positive, gaps, ppos, qframe, sframe, sstrand, qcovs, qcovhsp,
        _qcovus, staxids, btop, stitle,
    ) = row  # fmt: skip
    return {
        "query": query, "query_id": _text(qaccver, standins), "query_length": int(qlen), "subject": _text(saccver, {}),
        "subject_accession": _text(sacc, {}), "subject_title": _text(stitle or sseqid, {}),
        "subject_length": int(slen), "taxids": "" if staxids == "N/A" else staxids, "identity": _number(pident),
        "positives": _number(ppos), "length": int(length), "identical": int(nident), "mismatches": int(mismatch),
        "gap_opens": int(gapopen), "gaps": int(gaps), "query_start": int(qstart), "query_end": int(qend),
        "subject_start": int(sstart), "subject_end": int(send), "query_frame": int(qframe),
        "subject_frame": int(sframe), "evalue": _number(evalue), "evalue_text": evalue,
        "bit_score": _number(bitscore), "score": _number(score), "strand": sstrand, "query_coverage": _number(qcovs),
        "hsp_coverage": _number(qcovhsp), "btop": btop, "rank": 0, "hsp": 0,
        "iteration": None, "last": 1,
    }  # fmt: skip


def page(path: Path, request: HitsRequest, offset: int) -> tuple[int, list[dict[str, Any]]]:
    """Return how many rows match, and those of the page. Raises Invalid for a sort that there is not."""
    source, order, values = _selection(request)
    with closing(opened(path)) as db:
        total = db.execute(f"SELECT count(*) FROM {source}", values).fetchone()[0]  # our names
        found = db.execute(
            f"SELECT * FROM {source} ORDER BY {order} LIMIT :limit OFFSET :offset",  # our names
            values | {"limit": request.limit, "offset": offset},
        ).fetchall()
    return total, [_shown(dict(row)) for row in found]


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
    last = 0
    while True:
        with closing(opened(path)) as db:
            values = (last, size) if query is None else (query, last, size)
            rows = db.execute(SUBJECTS if query is None else OF_QUERY, values).fetchall()
        if not rows:
            return
        last = rows[-1]["subject_id"]
        yield [_subject(row) for row in rows]


def named(path: Path, names: Sequence[str], query: int | None) -> tuple[list[Subject], list[str]]:
    """Return the subjects that are called one of *names* by sseqid or saccver, and those names that none has."""
    found: dict[Subject, None] = {}
    missing = []
    with closing(opened(path)) as db:
        for name in dict.fromkeys(names):
            raw = _raw(name)
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
