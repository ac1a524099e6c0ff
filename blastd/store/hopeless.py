"""The end of an active job that nothing can move along, also of one whose row can't be read any more. No policy."""

import sqlite3
from datetime import datetime

from blastd.clock import to_ms
from blastd.core import lifecycle
from blastd.core.engine import Trouble
from blastd.core.ids import JobId
from blastd.store import events, jobs
from blastd.store.rows import dump

END = """UPDATE job SET status = 'failed', phase = 'failed', error_code = :code, error = :text, finished_at = :now,
         updated_at = :now, waiting_for = NULL, queue_position = NULL, version = version + 1
         WHERE job_id = :job_id AND status IN ('queued', 'running') RETURNING owner"""


def end(db: sqlite3.Connection, job_id: JobId, trouble: Trouble, now: datetime) -> None:
    """End a job as failed with its cause: by the usual move, or, where its row can't be read, by what is written of it alone."""
    try:
        job = jobs.get(db, job_id)
    except (ValueError, TypeError, OverflowError):  # msgspec's errors are ValueErrors
        job = None
    if job is not None:
        jobs.move(db, job, lifecycle.failed(job, trouble, now, "process"), now)
        return
    values = {"job_id": job_id, "code": trouble.code, "text": trouble.text, "now": to_ms(now)}
    row = db.execute(END, values).fetchone()
    if row is not None:
        facts = {"owner": row["owner"], "kind": "failed", "status": "failed", "phase": "failed"}
        db.execute(events.ADD, values | facts | {"data": dump({"code": trouble.code})})
