"""How fast searches of a kind were here: read from the rows of those that completed last, so that nothing else has to be kept."""

import json
import sqlite3

from blastd.core.estimate import START_SECONDS, Pace
from blastd.core.model import Job

MOST_SEARCHES = 20
RECENT = """SELECT databases, (SELECT sum(ended_at - started_at) FROM unit WHERE unit.job_id = job.job_id) AS ms,
                   (SELECT sum(letters) FROM unit WHERE unit.job_id = job.job_id AND kind <> 'propose') AS letters
            FROM job INDEXED BY job_pace
            WHERE status = 'completed' AND program = :program AND task = :task AND engine = :engine
            ORDER BY finished_at DESC LIMIT :limit"""


def pace(db: sqlite3.Connection, job: Job) -> Pace:
    """Return the pace of the searches of *job*'s program, task and engine that completed last."""
    kind = {"program": job.program, "task": job.task, "engine": job.engine, "limit": MOST_SEARCHES}
    found = []
    for row in db.execute(RECENT, kind):
        work = (row["letters"] or 0) * sum(database.get("letters", 0) for database in json.loads(row["databases"]))
        if row["ms"] and work:
            found.append(max(row["ms"] / 1000 - START_SECONDS, 0.0) / work)
    return Pace(seconds_per_cell=tuple(found))
