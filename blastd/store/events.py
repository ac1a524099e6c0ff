"""The event log, and the Feed that wakes whoever waits for the next event.

The log is the truth; the Feed is a hint without content, so a missed or doubled wake-up loses nothing.
"""

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from weakref import WeakValueDictionary

from blastd.clock import from_ms, to_ms
from blastd.core.ids import JobId, Owner
from blastd.core.model import Event, Phase, Status
from blastd.store.rows import dump, load

AFTER_ALL = "SELECT * FROM event WHERE event_id > :after ORDER BY event_id LIMIT :limit"
AFTER_OWNER = "SELECT * FROM event WHERE owner = :owner AND event_id > :after ORDER BY event_id LIMIT :limit"
AFTER_JOB = "SELECT * FROM event WHERE job_id = :job_id AND event_id > :after ORDER BY event_id LIMIT :limit"
ALL_OF_JOB = "SELECT * FROM event WHERE job_id = :job_id ORDER BY event_id"
KINDS = "SELECT kind, count(*) AS number, max(event_id) AS last FROM event WHERE event_id > :after GROUP BY kind"
FORGET = "DELETE FROM event WHERE job_id = :job_id"
FORGET_OLD = """DELETE FROM event WHERE event_id IN
                (SELECT event_id FROM event WHERE job_id = '' AND at < :before ORDER BY event_id LIMIT :limit)"""
LAST = "SELECT coalesce(max(event_id), 0) FROM event"
ADD = """INSERT INTO event (job_id, owner, at, kind, status, phase, data)
         VALUES (:job_id, :owner, :now, :kind, :status, :phase, :data)"""


class Feed:
    """Counts commits and wakes whoever waits for the next one."""

    def __init__(self) -> None:
        """Begin at 0."""
        self.count = 0
        self._next = asyncio.Event()
        self._of: WeakValueDictionary[JobId, asyncio.Event] = WeakValueDictionary()

    def wake(self, job_ids: Collection[JobId] | None = None) -> None:
        """Note a commit that wrote only what belongs to these jobs (None: it may have been any)."""
        self.count += 1
        self._next.set()
        self._next = asyncio.Event()
        for one in list(self._of) if job_ids is None else job_ids:
            if (event := self._of.pop(one, None)) is not None:
                event.set()

    def of(self, job_id: JobId) -> asyncio.Event:
        """Return what the next commit that may have written the row of *job_id* sets."""
        return self._of.setdefault(job_id, asyncio.Event())

    async def wait(self, seen: int, seconds: float) -> int:
        """Return the count once it differs from *seen*, at the latest after *seconds*."""
        if self.count == seen:
            event = self._next
            try:
                async with asyncio.timeout(seconds):
                    await event.wait()
            except TimeoutError:
                pass
        return self.count


def after(
    db: sqlite3.Connection, event_id: int, *, job_id: JobId | None = None, owner: Owner | None = None, limit: int = 500
) -> list[Event]:
    """Return up to *limit* events after *event_id*, ascending: of a job, of an owner, or of all."""
    values = {"after": event_id, "job_id": job_id, "owner": owner, "limit": limit}
    text = AFTER_JOB if job_id is not None else AFTER_OWNER if owner is not None else AFTER_ALL
    return [event_from(row) for row in db.execute(text, values)]


def add_of_database(
    db: sqlite3.Connection, kind: str, owner: Owner, now: datetime, data: dict[str, Any], *, failed: bool
) -> None:
    """Add an event of the catalogue, which is of no job: its job id is empty."""
    end = "failed" if failed else "completed"
    values = {"job_id": "", "owner": owner, "now": to_ms(now), "kind": kind, "status": end, "phase": end}
    db.execute(ADD, values | {"data": dump(data)})


def forget_of_databases(db: sqlite3.Connection, before: datetime, limit: int) -> int:
    """Forget up to *limit* events of the catalogue from before a time; returns how many went."""
    return db.execute(FORGET_OLD, {"before": to_ms(before), "limit": limit}).rowcount


def kinds_after(db: sqlite3.Connection, event_id: int) -> tuple[dict[str, int], int]:
    """Return how many events of each kind came after *event_id*, and the id of the newest."""
    rows = db.execute(KINDS, {"after": event_id}).fetchall()
    return {row["kind"]: row["number"] for row in rows}, max((row["last"] for row in rows), default=event_id)


def forget(db: sqlite3.Connection, job_id: JobId) -> None:
    """Remove the events of a job that goes."""
    db.execute(FORGET, {"job_id": job_id})


def last_id(db: sqlite3.Connection) -> int:
    """Return the id of the newest event, 0 if there is none."""
    return int(db.execute(LAST).fetchone()[0])


def restore(db: sqlite3.Connection, identifier: JobId, its_events: Sequence[Event]) -> None:
    """Add the events of a job as they were elsewhere, under new ids; those that are here already are left as they are.

    They were committed now, so a reader of the log sees them after everything before, with their old times.
    """
    here = {_key(event_from(row)) for row in db.execute(ALL_OF_JOB, {"job_id": identifier})}
    for event in its_events:
        if _key(event) not in here:
            db.execute(
                ADD,
                {
                    "job_id": identifier,
                    "owner": event.owner,
                    "now": to_ms(event.at),
                    "kind": event.kind,
                    "status": str(event.status),
                    "phase": str(event.phase),
                    "data": dump(event.data),
                },
            )


def _key(event: Event) -> tuple[object, ...]:
    return event.at, event.kind, event.phase, dump(event.data)


def event_from(row: sqlite3.Row) -> Event:
    """Return the event of a row."""
    return Event(
        event_id=row["event_id"],
        job_id=JobId(row["job_id"]),
        owner=Owner(row["owner"]),
        at=from_ms(row["at"]),
        kind=row["kind"],
        status=Status(row["status"]),
        phase=Phase(row["phase"]),
        data=load(row["data"], dict[str, Any]),
    )
