"""Jobs that go: what belongs to them goes with them, and a tombstone tells for a while that they were there."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime

import msgspec

from blastd.clock import to_ms
from blastd.core.ids import JobId
from blastd.core.model import Job
from blastd.store import events, jobs

FORGET_KEY = "DELETE FROM idempotency WHERE job_id = :job_id"
OLD_GONE = "SELECT job_id FROM gone WHERE at < :before ORDER BY at LIMIT :limit"
REMOVE = "DELETE FROM job WHERE job_id = :job_id AND status IN ('completed', 'failed', 'cancelled')"
BURY = "INSERT OR IGNORE INTO gone VALUES (:job_id, :owner, :now, :reason)"
OWNED = "SELECT job_id FROM job WHERE job_id IN (SELECT value FROM json_each(:names))"
IS_GONE = "SELECT 1 FROM gone WHERE job_id = :job_id"
ANY_GONE = "SELECT 1 FROM gone LIMIT 1"
UNBURY = "DELETE FROM gone WHERE job_id = :job_id"


def remove(db: sqlite3.Connection, job: Job, reason: str, now: datetime) -> bool:
    """Remove an ended job for good; False if it is not ended (any more) or gone already."""
    if db.execute(REMOVE, {"job_id": job.job_id}).rowcount == 0:
        return False
    events.forget(db, job.job_id)
    if reason == "expired":  # a key of a job that its owner deleted says so until the tombstone goes
        db.execute(FORGET_KEY, {"job_id": job.job_id})
    db.execute(BURY, {"job_id": job.job_id, "owner": job.owner, "now": to_ms(now), "reason": reason})
    jobs.add_event(db, job, reason, now, {})
    return True


def forget_gone(db: sqlite3.Connection, before: datetime, limit: int) -> int:
    """Forget up to *limit* jobs that were removed before a time, the longest gone first; returns how many."""
    old = [row["job_id"] for row in db.execute(OLD_GONE, {"before": to_ms(before), "limit": limit})]
    for job_id in old:
        events.forget(db, JobId(job_id))
        for text in (FORGET_KEY, UNBURY):
            db.execute(text, {"job_id": job_id})
    return len(old)


def any_gone(db: sqlite3.Connection) -> bool:
    """Tell whether any job was ever removed from this store."""
    return db.execute(ANY_GONE).fetchone() is not None


def is_gone(db: sqlite3.Connection, identifier: JobId) -> bool:
    """Tell whether a job of this id was removed."""
    return db.execute(IS_GONE, {"job_id": identifier}).fetchone() is not None


def unowned(db: sqlite3.Connection, names: Sequence[str]) -> list[JobId]:
    """Return those of *names* that are no job's id."""
    owned = {row[0] for row in db.execute(OWNED, {"names": msgspec.json.encode(names).decode()})}
    return [JobId(name) for name in names if name not in owned]
