"""The history of the catalogue: what became of each database that the service made, fetched, updated, renamed or removed."""

import sqlite3
from datetime import datetime

from blastd.clock import from_ms, to_ms
from blastd.core.ids import Owner
from blastd.core.model import Frozen
from blastd.store import events

ADD = """INSERT INTO database_history (name, molecule, at, kind, owner, task_id, fingerprint, detail)
         VALUES (:name, :molecule, :now, :kind, :owner, :task_id, :fingerprint, :detail)"""
OF = "SELECT * FROM database_history WHERE name = :name ORDER BY history_id DESC LIMIT :limit"
SERVES = """SELECT coalesce(sum(finished_at IS NULL), 0) AS active, coalesce(sum(finished_at IS NOT NULL), 0) AS stored
            FROM job WHERE instr(databases, :fingerprint) > 0"""
FAILURES = """SELECT name, molecule, detail FROM database_history WHERE kind = 'update_failed' AND history_id IN
              (SELECT max(history_id) FROM database_history GROUP BY name, molecule) LIMIT 10000"""
RENAME = "UPDATE database_history SET name = :new WHERE name = :name AND molecule = :molecule"
RENAMED = """SELECT name FROM database_history WHERE kind = 'renamed' AND detail = :detail AND molecule = :molecule
             ORDER BY history_id DESC LIMIT 1"""
FORGET = """DELETE FROM database_history WHERE history_id IN
            (SELECT history_id FROM database_history WHERE at < :before ORDER BY history_id LIMIT :limit)"""

WAS = "was {}"
"""What the line of a renamed database says."""


class HistoryLine(Frozen, frozen=True, kw_only=True):
    """One change of the catalogue: `kind` is made, replaced, fetched, updated, update_failed, renamed or removed."""

    name: str
    molecule: str
    at: datetime
    kind: str
    owner: Owner
    task_id: str | None
    fingerprint: str
    detail: str


def add(
    db: sqlite3.Connection,
    name: str,
    molecule: str,
    kind: str,
    owner: Owner,
    now: datetime,
    *,
    task_id: str | None = None,
    fingerprint: str = "",
    detail: str = "",
) -> None:
    """Add a line, and the event that tells of it."""
    data = {"name": name, "molecule": molecule, "task_id": task_id, "fingerprint": fingerprint, "detail": detail}
    events.add_of_database(db, f"database_{kind}", owner, now, data, failed=kind == "update_failed")
    values = {"name": name, "molecule": molecule, "kind": kind, "owner": owner, "now": to_ms(now), "task_id": task_id}
    db.execute(ADD, values | {"fingerprint": fingerprint, "detail": detail})


def of(db: sqlite3.Connection, name: str, limit: int = 100) -> list[HistoryLine]:
    """Return the newest lines of a name first, of both molecules."""
    return [
        HistoryLine(
            name=row["name"],
            molecule=row["molecule"],
            at=from_ms(row["at"]),
            kind=row["kind"],
            owner=Owner(row["owner"]),
            task_id=row["task_id"],
            fingerprint=row["fingerprint"],
            detail=row["detail"],
        )
        for row in db.execute(OF, {"name": name, "limit": limit})
    ]


def failures(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Return why the last update failed, by name and molecule, of databases whose last change is that failure."""
    return {(row["name"], row["molecule"]): row["detail"] for row in db.execute(FAILURES)}


def serves(db: sqlite3.Connection, fingerprint: str) -> tuple[int, int]:
    """Return how many searches on a generation of a database wait or run, and how many are stored."""
    if not fingerprint:
        return 0, 0
    row = db.execute(SERVES, {"fingerprint": fingerprint}).fetchone()
    return row["active"], row["stored"]


def rename(db: sqlite3.Connection, name: str, molecule: str, new: str) -> None:
    """Let the lines of a database follow its new name."""
    db.execute(RENAME, {"name": name, "molecule": molecule, "new": new})


def renamed(db: sqlite3.Connection, name: str, molecule: str) -> str | None:
    """Return what a database is called since it was renamed, None where none of this name was."""
    row = db.execute(RENAMED, {"detail": WAS.format(name), "molecule": molecule}).fetchone()
    return None if row is None else str(row["name"])


def forget(db: sqlite3.Connection, before: datetime, limit: int) -> int:
    """Forget up to *limit* lines from before a time; returns how many went."""
    return db.execute(FORGET, {"before": to_ms(before), "limit": limit}).rowcount
