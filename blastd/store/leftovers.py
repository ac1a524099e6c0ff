"""The table of ended jobs of which an engine may still hold something: told again until it has let go."""

import sqlite3
from datetime import datetime

from blastd.clock import to_ms
from blastd.core.ids import JobId
from blastd.core.model import Job
from blastd.store.rows import dump, load

ADD = "INSERT OR REPLACE INTO leftover (job_id, engine, row, created_at) VALUES (:job_id, :engine, :row, :now)"
PAGE = "SELECT job_id, row FROM leftover ORDER BY created_at LIMIT :limit"
FAILED = "UPDATE leftover SET attempts = attempts + 1 WHERE job_id = :job_id RETURNING attempts"
REMOVE = "DELETE FROM leftover WHERE job_id = :job_id"

OUTSIDE = frozenset({"kubernetes"})
"""Engines that leave objects outside of this machine: an ended job of theirs is a leftover until they have let go."""


def add(db: sqlite3.Connection, job: Job, now: datetime) -> None:
    """Note that the engine of *job* has to be told to let go, if it leaves objects outside."""
    if job.engine in OUTSIDE:
        db.execute(ADD, {"job_id": job.job_id, "engine": job.engine, "row": dump(job), "now": to_ms(now)})


def page(db: sqlite3.Connection, limit: int = 500) -> list[Job]:
    """Return jobs whose engine has to be told, oldest first; without those whose row can't be read."""
    found = (_readable(row["row"]) for row in db.execute(PAGE, {"limit": limit}))
    return [job for job in found if job is not None]


def unreadable(db: sqlite3.Connection, limit: int = 500) -> list[JobId]:
    """Return whose rows can't be read: nobody can tell their engine anything."""
    return [JobId(row["job_id"]) for row in db.execute(PAGE, {"limit": limit}) if _readable(row["row"]) is None]


def _readable(text: str) -> Job | None:
    try:
        job: Job = load(text, Job)
        return job
    except ValueError:  # msgspec's errors are ValueErrors
        return None


def failed(db: sqlite3.Connection, identifier: JobId) -> int:
    """Note that telling the engine failed in a way that nobody foresaw; returns how often it did so far."""
    row = db.execute(FAILED, {"job_id": identifier}).fetchone()
    return 0 if row is None else int(row["attempts"])


def remove(db: sqlite3.Connection, identifier: JobId) -> None:
    """Note that the engine has let go."""
    db.execute(REMOVE, {"job_id": identifier})
