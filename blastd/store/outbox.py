"""The tables of webhooks: who wants to be told, and what has not been told yet. No policy, and nothing is sent here."""

import json
import sqlite3
from collections.abc import Collection, Sequence
from datetime import datetime

from blastd.clock import from_ms, to_ms
from blastd.core import webhook
from blastd.core.ids import JobId, Owner
from blastd.core.model import Frozen, Job
from blastd.core.watching import Watch, WatchRun

SUBSCRIBE = "INSERT INTO webhook (job_id, url) VALUES (:job_id, :url)"
URL = "SELECT url FROM webhook WHERE job_id = :job_id"
SET_DEFAULT = """INSERT INTO owner_webhook (owner, url, set_at) VALUES (:owner, :url, :now)
                 ON CONFLICT (owner) DO UPDATE SET url = excluded.url, set_at = excluded.set_at"""
DEFAULT = "SELECT url FROM owner_webhook WHERE owner = :owner"
NO_DEFAULT = "DELETE FROM owner_webhook WHERE owner = :owner"
ADD = """INSERT INTO outbox (event_id, job_id, url, host, message, body, created_at, due_at, attempts)
         VALUES (:event_id, :job_id, :url, :host, :message, :body, :now, :now, 0)"""
# min() makes the other columns those of the row that is due first (https://www.sqlite.org/lang_select.html#bareagg).
DUE = """SELECT *, min(due_at) FROM outbox WHERE host NOT IN (SELECT value FROM json_each(:busy))
         GROUP BY host ORDER BY due_at LIMIT :limit"""
POSTPONE = "UPDATE outbox SET attempts = :attempts, due_at = :due WHERE event_id = :event_id"
DONE = "DELETE FROM outbox WHERE event_id = :event_id"
COUNT = "SELECT count(*) FROM outbox"


class Letter(Frozen, frozen=True, kw_only=True):
    """A message that waits to be delivered; `attempts` counts those that failed."""

    event_id: int
    job_id: JobId
    url: str
    host: str
    message: str
    body: str
    due_at: datetime
    attempts: int


def subscribe(db: sqlite3.Connection, job_id: JobId, url: str) -> None:
    """Note where the end of a job is told."""
    db.execute(SUBSCRIBE, {"job_id": job_id, "url": url})


def set_default(db: sqlite3.Connection, owner: Owner, url: str, now: datetime) -> None:
    """Note where the ends of those jobs of *owner* are told that name no address."""
    db.execute(SET_DEFAULT, {"owner": owner, "url": url, "now": to_ms(now)})


def default_of(db: sqlite3.Connection, owner: Owner) -> str | None:
    """Return that address."""
    row = db.execute(DEFAULT, {"owner": owner}).fetchone()
    return None if row is None else str(row["url"])


def clear_default(db: sqlite3.Connection, owner: Owner) -> None:
    """Forget that address; jobs that were submitted before keep it."""
    db.execute(NO_DEFAULT, {"owner": owner})


def put(db: sqlite3.Connection, job: Job, event_id: int, now: datetime) -> None:
    """Put the message of the end of *job* into the outbox, if somebody wants it: in the transaction of the end."""
    row = db.execute(URL, {"job_id": job.job_id}).fetchone()
    to = webhook.where(row["url"]) if row is not None else None
    if row is None or to is None:
        return
    _add(db, webhook.message(job, event_id, now), job.job_id, row["url"], to.key, event_id, now)


def put_changed(
    db: sqlite3.Connection, url: str, watch: Watch, job: Job, run: WatchRun, event_id: int, now: datetime
) -> None:
    """Put the message of what a *run* of a watch found into the outbox: in the transaction that settles it."""
    to = webhook.where(url)
    if to is not None:
        told = webhook.changed_message(watch, job, run, event_id, now)
        _add(db, told, job.job_id, url, to.key, event_id, now)


def _add(
    db: sqlite3.Connection,
    told: webhook.Message | webhook.ChangedMessage,
    job_id: JobId,
    url: str,
    host: str,
    event_id: int,
    now: datetime,
) -> None:
    db.execute(
        ADD,
        {
            "event_id": event_id,
            "job_id": job_id,
            "url": url,
            "host": host,
            "message": told.id,
            "body": webhook.encode(told),
            "now": to_ms(now),
        },
    )


def next_ones(db: sqlite3.Connection, busy: Collection[str], limit: int) -> Sequence[Letter]:
    """Return the letter that is due first of each host that is not *busy*, the first due first; also those not due yet."""
    rows = db.execute(DUE, {"busy": json.dumps(sorted(busy)), "limit": limit})
    return [
        Letter(
            event_id=row["event_id"],
            job_id=JobId(row["job_id"]),
            url=row["url"],
            host=row["host"],
            message=row["message"],
            body=row["body"],
            due_at=_due(row["due_at"]),
            attempts=row["attempts"],
        )
        for row in rows
    ]


def _due(ms: int) -> datetime:
    """Return when a letter is due; one with a time that there is not is due now, so that its tries end."""
    try:
        return from_ms(ms)
    except (ValueError, OverflowError, OSError):
        return from_ms(0)


def postpone(db: sqlite3.Connection, letter: Letter, until: datetime) -> None:
    """Note a try that failed, and when the next one is due."""
    db.execute(POSTPONE, {"event_id": letter.event_id, "attempts": letter.attempts + 1, "due": to_ms(until)})


def remove(db: sqlite3.Connection, letter: Letter) -> None:
    """Remove a letter that was delivered or given up."""
    db.execute(DONE, {"event_id": letter.event_id})


def count(db: sqlite3.Connection) -> int:
    """Return how many letters wait."""
    return int(db.execute(COUNT).fetchone()[0])
