"""The table of how clients of the NCBI URL API want searches to be shown: what a Put said for later Gets."""

import json
import sqlite3
from collections.abc import Mapping

from blastd.core.ids import JobId

PUT = "INSERT INTO presentation (job_id, given) VALUES (:job_id, :given)"
GET = "SELECT given FROM presentation WHERE job_id = :job_id"


def put(db: sqlite3.Connection, job_id: JobId, given: Mapping[str, str]) -> None:
    """Remember parameters for a job; nothing is written when there are none."""
    if given:
        db.execute(PUT, {"job_id": job_id, "given": json.dumps(dict(given))})


def get(db: sqlite3.Connection, job_id: JobId) -> dict[str, str]:
    """Return what is remembered for a job."""
    row = db.execute(GET, {"job_id": job_id}).fetchone()
    found: dict[str, str] = json.loads(row["given"]) if row is not None else {}
    return found
