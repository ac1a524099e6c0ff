"""The table of jobs: SQL and row <-> Job, no policy.

Only `move` and `insert` write status and phase: a compare-and-swap on `version`, with its event in the same transaction.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from blastd.clock import from_ms, to_ms
from blastd.core.ids import JobId, Owner, prefix_range
from blastd.core.lifecycle import legal
from blastd.core.model import (
    Artifact,
    Change,
    Frozen,
    Job,
    Lost,
    Missed,
    Phase,
    Status,
    Unit,
    Warned,
)
from blastd.errors import Ambiguous, Expired, NotFound
from blastd.store import artifacts, events, job_text, leftovers, outbox, units
from blastd.store.job_rows import COLUMNS, column_value, job_from, row_values
from blastd.store.rows import dump, ms

CHANGEABLE = frozenset(COLUMNS) - {
    "job_id",
    "version",
    "owner",
    "status",
    "phase",
    "created_at",
    "query",
    "options",
    "organisms",
    "watch",
    "time_limit_seconds",
}

INSERT = f"""INSERT INTO job ({", ".join(COLUMNS)}, database_names)
             VALUES ({", ".join(":" + column for column in COLUMNS)}, :database_names)"""
GET = "SELECT * FROM job WHERE job_id = :job_id"
IN_RANGE = "SELECT * FROM job WHERE job_id BETWEEN :low AND :high AND (:owner IS NULL OR owner = :owner) LIMIT 2"
GONE_IN_RANGE = "SELECT * FROM gone WHERE job_id BETWEEN :low AND :high AND (:owner IS NULL OR owner = :owner) LIMIT 1"
ACTIVE = "SELECT job_id FROM job WHERE status = :status ORDER BY created_at LIMIT :limit"
COUNTS = "SELECT status, sum(jobs) AS jobs FROM job_count GROUP BY status"
COUNTS_OWNER = "SELECT status, jobs FROM job_count WHERE owner = :owner"
REUSABLE = """SELECT * FROM job WHERE owner = :owner AND reuse_key = :key AND status = 'completed'
              ORDER BY created_at DESC LIMIT 1"""
REPLAY = "SELECT job_id, body_sha256 FROM idempotency WHERE owner = :owner AND key = :key"
REMEMBER = "INSERT INTO idempotency VALUES (:owner, :key, :body_sha256, :job_id, :now)"
WARN = (
    "UPDATE job SET warnings = :warnings, version = version + 1, updated_at = :now WHERE job_id = :job_id RETURNING *"
)
UNBURY = "DELETE FROM gone WHERE job_id = :job_id"
FINISHED_BEFORE = """SELECT * FROM job WHERE finished_at < :before
                     AND NOT EXISTS (SELECT 1 FROM watch WHERE before_job = job.job_id)
                     AND NOT EXISTS (SELECT 1 FROM watch WHERE after_job = job.job_id)
                     AND NOT EXISTS (SELECT 1 FROM watch_run WHERE watch_run.job_id = job.job_id AND settled_at IS NULL)
                     ORDER BY finished_at LIMIT :limit"""
POSITIONS = """UPDATE job SET queue_position = places.value, updated_at = :now
               FROM json_each(:places) AS places
               WHERE job_id = places.key AND status = 'queued' AND queue_position IS NOT places.value"""
RUN_TIMES = """UPDATE job SET ran_ms = times.value FROM json_each(:times) AS times
               WHERE job_id = times.key AND status IN ('queued', 'running')"""
FINGERPRINTS = """SELECT DISTINCT name.value FROM job, json_each(job.databases) AS d,
                  json_each(json_array(d.value ->> '$.fingerprint', d.value ->> '$.taxonomy', d.value ->> '$.taxa')) AS name
                  WHERE name.value IS NOT NULL AND (:since IS NULL OR finished_at IS NULL OR finished_at >= :since)"""
ALL_IDS = "SELECT job_id FROM job WHERE job_id > :after ORDER BY job_id LIMIT :limit"


MOST_WARNINGS = 1000  # of one row: those of its queries, of its units, and of the formats made later


class Idempotency(Frozen, frozen=True, kw_only=True):
    """The promise that a repeated request makes no second job."""

    owner: Owner
    key: str
    body_sha256: str


class JobFilter(Frozen, frozen=True, kw_only=True):
    """What a list shows; empty or None: everything."""

    statuses: tuple[Status, ...] = ()
    phases: tuple[Phase, ...] = ()
    program: str | None = None
    database: str | None = None
    q: str | None = None
    owner: Owner | None = None
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None


class Cursor(Frozen, frozen=True, kw_only=True):
    """The place in a list after a job, stable when newer jobs arrive."""

    created_ms: int
    job_id: str

    def text(self) -> str:
        """Return the cursor for the wire."""
        return f"{self.created_ms:x}.{self.job_id}"

    @staticmethod
    def parse(text: str) -> "Cursor":
        """Return the cursor of *text*. Raises ValueError."""
        created, dot, identifier = text.partition(".")
        if not dot or len(identifier) > 36 or len(created) > 15:  # more digits don't fit SQLite's 64 bits
            raise ValueError(text)
        return Cursor(created_ms=int(created, 16), job_id=identifier)


def insert(
    db: sqlite3.Connection,
    job: Job,
    its_units: Sequence[Unit],
    now: datetime,
    idempotency: Idempotency | None = None,
    webhook: str | None = None,
) -> None:
    """Add *job* with its units, its first event, its idempotency key, and the address to be told of its end."""
    values = row_values(job) | {"database_names": database_names(job)}
    db.execute(INSERT, values)
    units.insert(db, its_units)
    if idempotency is not None:
        db.execute(
            REMEMBER,
            {
                "owner": idempotency.owner,
                "key": idempotency.key,
                "body_sha256": idempotency.body_sha256,
                "job_id": job.job_id,
                "now": to_ms(now),
            },
        )
    event_id = add_event(db, job, "accepted", now, {"source": job.source})
    if webhook is not None:
        outbox.subscribe(db, job.job_id, webhook)
    if job.status.terminal:  # answered from a stored result
        outbox.put(db, job, event_id, now)


def restore(db: sqlite3.Connection, job: Job) -> None:
    """Add the row of an ended *job* as it was elsewhere, or here before it was removed; its events are the caller's."""
    db.execute(INSERT, row_values(job) | {"database_names": database_names(job)})
    db.execute(UNBURY, {"job_id": job.job_id})


def database_names(job: Job) -> str:
    """Return the names for filters: each between newlines, so that one is never found inside another."""
    return "\n" + "\n".join(database.name for database in job.databases) + "\n"


def get(db: sqlite3.Connection, identifier: JobId) -> Job | None:
    """Return the job, None if there is none."""
    row = db.execute(GET, {"job_id": identifier}).fetchone()
    return None if row is None else job_from(row)


def resolve(db: sqlite3.Connection, digits: str, owner: Owner | None) -> Job:
    """Return the one job whose id begins with *digits*, among those of *owner* (None: of all).

    Raises NotFound, Ambiguous, or Expired when it was removed.
    """
    low, high = prefix_range(digits)
    values = {"low": low, "high": high, "owner": owner}
    rows = db.execute(IN_RANGE, values).fetchall()
    if len(rows) > 1:
        raise Ambiguous
    if rows:
        return job_from(rows[0])
    gone = db.execute(GONE_IN_RANGE, values).fetchone()
    if gone is not None:
        day = from_ms(gone["at"]).strftime("%Y-%m-%d %H:%M UTC")
        if gone["reason"] == "expired":
            raise Expired(f"The results were removed at the end of their retention on {day}: submit the search again.")
        raise Expired(f"The job was deleted on {day}.")
    raise NotFound("There is no such job.")


def page(
    db: sqlite3.Connection, wanted: JobFilter, after: Cursor | None, limit: int
) -> tuple[list[Job], Cursor | None]:
    """Return up to *limit* jobs, newest first, and where the next page begins (None: this was the last)."""
    where, values = conditions(wanted)
    if after is not None:
        where.append("(created_at, job_id) < (:created_ms, :after_id)")
        values |= {"created_ms": after.created_ms, "after_id": after.job_id}
    text = "SELECT * FROM job" + (" WHERE " + " AND ".join(where) if where else "")
    text += " ORDER BY created_at DESC, job_id DESC LIMIT :limit"
    words = job_text.words_of(wanted.q)
    if words:
        rows = job_text.found(db, where, values, words, limit + 1)
    else:
        rows = db.execute(text, values | {"limit": limit + 1}).fetchall()
    jobs = [job for row in rows[:limit] if (job := readable(row)) is not None]
    last = rows[limit - 1] if len(rows) > limit else None
    return jobs, None if last is None else Cursor(created_ms=last["created_at"], job_id=last["job_id"])


def readable(row: sqlite3.Row) -> Job | None:
    """Return the job of a row, None for one that can't be read: a list holds the others, and fsck names it."""
    try:
        return job_from(row)
    except (ValueError, TypeError, OverflowError):  # msgspec's errors are ValueErrors
        return None


def conditions(wanted: JobFilter) -> tuple[list[str], dict[str, Any]]:
    """Return WHERE terms and their values; only names of this module reach the text."""
    where: list[str] = []
    values: dict[str, Any] = {}
    for column in ("program", "owner", "source"):
        if (value := getattr(wanted, column)) is not None:
            where.append(f"{column} = :{column}")
            values[column] = value
    for column, given in (("status", wanted.statuses), ("phase", wanted.phases)):
        if given:
            names = {f"{column}{number}": str(value) for number, value in enumerate(given)}
            where.append(f"{column} IN ({', '.join(':' + name for name in names)})")
            values |= names
    if wanted.since is not None:
        where.append("created_at >= :since")
        values["since"] = to_ms(wanted.since)
    if wanted.until is not None:
        where.append("created_at < :until")
        values["until"] = to_ms(wanted.until)
    if wanted.database is not None:
        where.append("instr(database_names, :database) > 0")
        values["database"] = f"\n{wanted.database}\n"
    return where, values


def counts(db: sqlite3.Connection, owner: Owner | None) -> dict[str, int]:
    """Return the number of jobs by status, of *owner* or of all."""
    found = db.execute(COUNTS) if owner is None else db.execute(COUNTS_OWNER, {"owner": owner})
    return {str(status): 0 for status in Status} | {row["status"]: row["jobs"] for row in found}


def active_count(db: sqlite3.Connection, owner: Owner) -> tuple[int, int]:
    """Return how many jobs of *owner* are queued and running."""
    numbers = counts(db, owner)
    return numbers[Status.QUEUED], numbers[Status.RUNNING]


def active(db: sqlite3.Connection, limit: int = 100_000) -> list[JobId]:
    """Return the ids of all active jobs, oldest first."""
    return [
        JobId(row["job_id"])
        for status in (Status.RUNNING, Status.QUEUED)
        for row in db.execute(ACTIVE, {"status": str(status), "limit": limit})
    ]


def move(
    db: sqlite3.Connection,
    seen: Job,
    change: Change,
    now: datetime,
    its_units: Sequence[Unit] = (),
    its_artifacts: Sequence[Artifact] = (),
) -> Job | Lost:
    """Apply *change* if nobody has decided anything of the row since *seen*; Missed.LOST when somebody was faster."""
    status, phase = change.status or seen.status, change.phase or seen.phase
    reopened = change.fields.get("attempt") == seen.attempt + 1
    if not legal(seen.status, status) and not reopened:
        return Missed.LOST
    unknown = change.fields.keys() - CHANGEABLE
    if unknown:
        raise ValueError(f"a move does not write {sorted(unknown)}")
    values = {name: column_value(name, value) for name, value in change.fields.items()}
    values |= {"status": str(status), "phase": str(phase), "updated_at": to_ms(now)}
    text = f"""UPDATE job SET {", ".join(f"{name} = :{name}" for name in values)}, version = version + 1
               WHERE job_id = :job_id AND version = :seen RETURNING *"""
    row = db.execute(text, values | {"job_id": seen.job_id, "seen": seen.version}).fetchone()
    if row is None:
        return Missed.LOST
    units.update(db, its_units)
    for artifact in its_artifacts:
        artifacts.put(db, artifact)
    job = job_from(row)
    event_id = add_event(db, job, change.kind, now, change.data)
    if job.status.terminal:
        outbox.put(db, job, event_id, now)
        leftovers.add(db, job, now)
    return job


def warn(db: sqlite3.Connection, identifier: JobId, more: Sequence[Warned], now: datetime) -> None:
    """Add warnings that came after the end of a job; it stays as it ended."""
    job = get(db, identifier)
    new = [warned for warned in more if job is not None and warned not in job.warnings]
    if job is None or not new:
        return
    warnings = column_value("warnings", (*job.warnings, *new)[:MOST_WARNINGS])
    row = db.execute(WARN, {"job_id": identifier, "warnings": warnings, "now": to_ms(now)}).fetchone()
    add_event(db, job_from(row), "warned", now, {"warnings": [warned.text for warned in new]})


def add_event(db: sqlite3.Connection, job: Job, kind: str, now: datetime, data: dict[str, Any]) -> int:
    """Add the event of a change of *job* and return its id."""
    added = db.execute(
        events.ADD,
        {
            "job_id": job.job_id,
            "owner": job.owner,
            "now": to_ms(now),
            "kind": kind,
            "status": str(job.status),
            "phase": str(job.phase),
            "data": dump(data),
        },
    )
    return int(added.lastrowid or 0)


def replay(db: sqlite3.Connection, owner: Owner, key: str) -> tuple[JobId, str] | None:
    """Return the job and the body's SHA-256 of an Idempotency-Key that was used before."""
    row = db.execute(REPLAY, {"owner": owner, "key": key}).fetchone()
    return None if row is None else (JobId(row["job_id"]), row["body_sha256"])


def reusable(db: sqlite3.Connection, owner: Owner, key: str) -> Job | None:
    """Return the newest completed job of *owner* with the same search."""
    row = db.execute(REUSABLE, {"owner": owner, "key": key}).fetchone()
    return None if row is None else job_from(row)


def finished_before(db: sqlite3.Connection, before: datetime, limit: int) -> list[Job]:
    """Return up to *limit* jobs that ended before a time, oldest first, but those that watches compare with."""
    return [job_from(row) for row in db.execute(FINISHED_BEFORE, {"before": to_ms(before), "limit": limit})]


def set_positions(db: sqlite3.Connection, positions: dict[JobId, int], now: datetime) -> None:
    """Write the places of waiting jobs in their queue; rows that moved on are left alone, decisions about the others hold.

    One statement, since Python's lock is held between statements: a thousand of them made requests wait.
    """
    db.execute(POSITIONS, {"places": msgspec.json.encode(positions).decode(), "now": to_ms(now)})


def set_run_times(db: sqlite3.Connection, times: Mapping[JobId, int]) -> None:
    """Write for how many milliseconds active jobs have run; no decision about them changes with it."""
    db.execute(RUN_TIMES, {"times": msgspec.json.encode(times).decode()})


def fingerprints(db: sqlite3.Connection, since: datetime | None = None) -> set[str]:
    """Return what names the databases of jobs, and their taxonomy, that have not ended before *since* (None: of all)."""
    return {row[0] for row in db.execute(FINGERPRINTS, {"since": ms(since)})}


def ids_after(db: sqlite3.Connection, identifier: str, limit: int) -> list[JobId]:
    """Return up to *limit* job ids after *identifier*, ascending: for sweeps."""
    return [JobId(row["job_id"]) for row in db.execute(ALL_IDS, {"after": identifier, "limit": limit})]
