"""The table of what owners have searched, in buckets of a minute: an owner has at most a day of them."""

import sqlite3
from datetime import datetime, timedelta

from blastd.clock import from_ms, to_ms
from blastd.core.ids import Owner
from blastd.core.quota import WINDOW, Spent

BUCKET_MS = 60_000
ADD = """INSERT INTO usage (owner, at, letters) VALUES (:owner, :at, :letters)
         ON CONFLICT DO UPDATE SET letters = letters + excluded.letters"""
FORGET = "DELETE FROM usage WHERE owner = :owner AND at <= :before"
FORGET_ALL = """DELETE FROM usage WHERE (owner, at) IN
                (SELECT owner, at FROM usage WHERE at <= :before ORDER BY at LIMIT :limit)"""
SINCE = "SELECT at, letters FROM usage WHERE owner = :owner AND at > :before ORDER BY at LIMIT 2000"


def spent(db: sqlite3.Connection, owner: Owner, now: datetime) -> list[Spent]:
    """Return what *owner* has searched within the window, oldest first. A bucket counts until its last moment is too old."""
    values = {"owner": owner, "before": _before(now)}
    length = timedelta(milliseconds=BUCKET_MS)
    return [Spent(until=from_ms(row["at"]) + length, letters=row["letters"]) for row in db.execute(SINCE, values)]


def add(db: sqlite3.Connection, owner: Owner, letters: int, now: datetime) -> None:
    """Note that *owner* searches *letters*, and forget what the window no longer holds."""
    at = to_ms(now) // BUCKET_MS * BUCKET_MS
    db.execute(FORGET, {"owner": owner, "before": _before(now)})
    db.execute(ADD, {"owner": owner, "at": at, "letters": letters})


def forget(db: sqlite3.Connection, now: datetime, limit: int) -> int:
    """Forget up to *limit* buckets that no window holds any longer, whoever's they are; returns how many."""
    return db.execute(FORGET_ALL, {"before": _before(now), "limit": limit}).rowcount


def _before(now: datetime) -> int:
    return to_ms(now - WINDOW) - BUCKET_MS
