"""The index of hits beside the stored form, `hits.sqlite`: how it is made; `results.hits` reads it. All functions block.

It is derived data: a file that is missing or of an older layout is made again. Of a search that runs there is one of the
parts that are done; each begins as a copy of the one before, so that a part is read once.
"""

import hashlib
import shutil
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from blastd.core.alias import targets
from blastd.core.ascii_titles import Table, decode_titles
from blastd.core.model import Job, Unit
from blastd.core.tabular import Section, cells, lacking, sections
from blastd.results.aligned import query_lengths
from blastd.results.assemble import result_units, stored_lines, stored_path

NAME = "hits.sqlite"
PARTIAL = "partial"
LAYOUT = 5
HELD = 100_000
"""Subjects whose number is known without asking SQLite while an index is filled."""
PLACES = 40
"""Bits for the subjects of one part in the order of all."""
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
    place INTEGER, UNIQUE (sseqid, saccver, length)) STRICT;
CREATE TABLE part (batch INTEGER PRIMARY KEY, sha256 TEXT) STRICT;
CREATE VIEW hsp AS SELECT * FROM every_hsp WHERE last = 1;
"""
"""`hsp` are the HSPs of the last iteration of each query; most programs have one. `place` orders subjects by their first hit."""
INDEX = """CREATE INDEX IF NOT EXISTS hsp_query ON every_hsp (query, rank, hsp);
CREATE INDEX IF NOT EXISTS subject_name ON subject (saccver);
CREATE INDEX IF NOT EXISTS subject_place ON subject (place);"""
ADD_HSP = """INSERT INTO every_hsp (query, rank, hsp, query_id, query_length, subject_id, subject, subject_accession, subject_title,
    subject_length, taxids, identity, positives, length, identical, mismatches, gap_opens, gaps, query_start,
    query_end, subject_start, subject_end, query_frame, subject_frame, evalue, evalue_text, bit_score, score,
    strand, query_coverage, hsp_coverage, btop, iteration, last)
    VALUES (:query, :rank, :hsp, :query_id, :query_length, :subject_id, :subject, :subject_accession, :subject_title,
    :subject_length, :taxids, :identity, :positives, :length, :identical, :mismatches, :gap_opens, :gaps,
    :query_start, :query_end, :subject_start, :subject_end, :query_frame, :subject_frame, :evalue, :evalue_text,
    :bit_score, :score, :strand, :query_coverage, :hsp_coverage, :btop, :iteration, :last)"""
ADD_SUBJECT = """INSERT INTO subject (sseqid, saccver, length, place) VALUES (?, ?, ?, ?)
                 ON CONFLICT (sseqid, saccver, length) DO UPDATE SET place = min(place, excluded.place)"""
SUBJECT = "SELECT subject_id FROM subject WHERE sseqid = ? AND saccver = ? AND length = ?"


def path_of(folder: Path, units: Sequence[Unit], *, complete: bool) -> Path:
    """Return where the index of the *units* of a job lies; *complete*: they are all."""
    if complete:
        return folder / NAME
    done = " ".join(f"{unit.index}:{unit.output_sha256}" for unit in units)
    return folder / PARTIAL / f"{hashlib.sha256(done.encode()).hexdigest()[:16]}.sqlite"


def there(path: Path) -> bool:
    """Tell whether a whole index of this layout lies at *path*."""
    try:
        with closing(opened(path)) as db:
            return bool(db.execute("PRAGMA user_version").fetchone()[0] == LAYOUT)
    except sqlite3.Error:
        return False  # not there, or not whole: it is made again


def make(path: Path, folder: Path, job: Job, units: Sequence[Unit], made: Path) -> Path:
    """Return the index of the hits of the *units* of a job at its *path*, made now if it is not there, under the name *made*."""
    if there(path):
        return path
    parts = {unit.batch: unit.output_sha256 or "" for unit in result_units(units)}
    before = next((old for old in _partial(folder) if there(old) and _held(old).items() <= parts.items()), None)
    if before is not None:
        shutil.copyfile(before, made)
    with closing(sqlite3.connect(made, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        if before is None:
            db.executescript(SCHEMA)
        held = {row[0] for row in db.execute("SELECT batch FROM part")}
        db.execute("BEGIN")
        _fill(db, folder, job, [unit for unit in units if unit.batch not in held])
        db.execute("COMMIT")
        db.executescript(INDEX)
        db.execute(f"PRAGMA user_version = {LAYOUT}")
    path.parent.mkdir(mode=0o700, exist_ok=True)
    made.replace(path)
    if path.parent == folder:
        shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    for old in _partial(folder)[2:]:  # the one before somebody may be about to read
        old.unlink(missing_ok=True)
    return path


def _partial(folder: Path) -> list[Path]:
    """Return the indices of parts of a job, the newest first."""
    found = []
    for path in (folder / PARTIAL).glob("*.sqlite"):
        with suppress(FileNotFoundError):  # somebody else has just made a newer one
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found, reverse=True)]


def _held(path: Path) -> Mapping[int, str]:
    """Return the parts that an index holds, with their checksums."""
    with closing(opened(path)) as db:
        return {row["batch"]: row["sha256"] for row in db.execute("SELECT batch, sha256 FROM part")}


def opened(path: Path) -> sqlite3.Connection:
    """Return a connection that only reads; what is read may be asked for from several threads, one after the other."""
    db = sqlite3.connect(f"file:{path.as_posix().replace('?', '%3f')}?mode=ro", uri=True, check_same_thread=False)
    db.row_factory = sqlite3.Row
    return db


def _fill(db: sqlite3.Connection, folder: Path, job: Job, units: Sequence[Unit]) -> None:
    lengths = [job.query.letters] if job.query.type == "pssm" else query_lengths(folder / "query.fa")
    for unit in result_units(units):
        filler, number = Filler(db, job, unit.batch), unit.first_query
        for section in sections(stored_lines(stored_path(folder, unit))):
            number += section.begins_query
            filler.add(number, section, lengths[number - 1])
        db.execute("INSERT INTO part VALUES (?, ?)", (unit.batch, unit.output_sha256 or ""))


class Filler:
    """Puts what a part of a search found into an index, query by query."""

    def __init__(self, db: sqlite3.Connection, job: Job, batch: int = 0) -> None:
        """Take an index with its schema, and the part's number."""
        self._db, self._standins, self._limit = db, job.standins, targets(job.options)
        self._masked = bool(lacking(job.program, job.options))
        self._known: dict[tuple[bytes, bytes, int], int] = {}
        self._place, self._before = batch << PLACES, 0

    def add(self, number: int, section: Section, length: int) -> None:
        """Add what the query of this *number* found, or what an iteration of its search did."""
        db = self._db
        if not section.begins_query:  # what the iteration before found is no longer the last word
            db.execute("UPDATE every_hsp SET last = 0 WHERE hsp_id > ?", (self._before,))
        self._before = db.execute("SELECT coalesce(max(hsp_id), 0) FROM every_hsp").fetchone()[0]
        title = _text(section.title, self._standins)
        ranks: dict[tuple[str, str], int] = {}
        counts: dict[tuple[str, str], int] = {}
        rows = []
        for row in section.rows:
            parts = cells(row)
            values = _row(number, parts, self._standins)
            values["subject_id"] = self._subject_id((raw_bytes(parts[13]), raw_bytes(parts[1]), int(parts[16])))
            if self._masked:  # other columns stand in their places
                values |= {"positives": None, "btop": ""}
            key = (values["subject"], values["subject_title"])
            values["rank"] = ranks.setdefault(key, len(ranks) + 1)
            counts[key] = values["hsp"] = counts.get(key, 0) + 1
            values["iteration"] = section.iteration
            rows.append(values)
        db.executemany(ADD_HSP, rows)
        db.execute(
            "INSERT OR REPLACE INTO query VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                number, title.split(" ", 1)[0], title, length, len(ranks),
                len(rows), min((row["evalue"] for row in rows), default=None),
                max((row["bit_score"] for row in rows), default=None), int(len(ranks) >= self._limit),
                section.iteration, int(section.converged) if section.iteration is not None else None,
            ),
        )  # fmt: skip

    def _subject_id(self, key: tuple[bytes, bytes, int]) -> int:
        """Return the number of a subject, which it has from its first hit on."""
        number = self._known.get(key)
        if number is None:
            self._place += 1
            self._db.execute(ADD_SUBJECT, (*key, self._place))
            number = int(self._db.execute(SUBJECT, key).fetchone()[0])
            if len(self._known) >= HELD:
                self._known.clear()
            self._known[key] = number
        return number


def raw_bytes(text: str) -> bytes:
    """Return the bytes of a stored text as BLAST+ wrote them."""
    return text.encode("utf-8", "surrogateescape")


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
