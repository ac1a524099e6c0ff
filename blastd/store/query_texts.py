"""The table of small queries whose files are not known to be durable yet."""

import sqlite3
from collections.abc import Collection
from datetime import datetime

from blastd.core.ids import JobId
from blastd.core.model import Frozen
from blastd.store.rows import ms

ADD = "INSERT INTO query_text VALUES (:job_id, :fasta, :ascii)"
PAGE = """SELECT query_text.* FROM query_text JOIN job USING (job_id)
          WHERE job_id > :after AND (:before IS NULL OR created_at < :before) ORDER BY job_id LIMIT :limit"""
HAS = "SELECT 1 FROM query_text WHERE job_id = :job_id"
DROP = "DELETE FROM query_text WHERE job_id = :job_id"


class QueryText(Frozen, frozen=True, kw_only=True):
    """The normalised query sequences of a job, and the form with ASCII stand-ins where BLAST+ needs one."""

    job_id: JobId
    fasta: bytes
    ascii: bytes | None


def add(db: sqlite3.Connection, text: QueryText) -> None:
    """Keep a query, in the transaction that accepts its search."""
    db.execute(ADD, {"job_id": text.job_id, "fasta": text.fasta, "ascii": text.ascii})


def page(db: sqlite3.Connection, before: datetime | None, after: str, limit: int) -> list[QueryText]:
    """Return up to *limit* queries accepted before *before* (None: whenever) by job id, those after *after*."""
    rows = db.execute(PAGE, {"before": ms(before), "after": after, "limit": limit})
    return [QueryText(job_id=JobId(row["job_id"]), fasta=row["fasta"], ascii=row["ascii"]) for row in rows]


def has(db: sqlite3.Connection, job_id: JobId) -> bool:
    """Tell whether the query of a job is kept."""
    return db.execute(HAS, {"job_id": job_id}).fetchone() is not None


def drop(db: sqlite3.Connection, job_ids: Collection[JobId]) -> None:
    """Let go of queries whose files are durable."""
    db.executemany(DROP, [{"job_id": job_id} for job_id in job_ids])
