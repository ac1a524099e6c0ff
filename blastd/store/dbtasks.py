"""The table of databases in the making."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from blastd.clock import from_ms, to_ms
from blastd.core.ids import Owner
from blastd.core.model import Frozen, Warned
from blastd.store.rows import dump, load, moment

MOST_WARNINGS = 500  # of one task: nobody reads more
INSERT = """INSERT INTO database_task (task_id, owner, name, status, progress, settings, warnings, created_at, updated_at)
            VALUES (:task_id, :owner, :name, 'queued', 0, :settings, :warnings, :now, :now)"""
GET = "SELECT * FROM database_task WHERE task_id = :task_id"
PAGE = "SELECT * FROM database_task ORDER BY created_at DESC, task_id LIMIT :limit"
UNFINISHED = "SELECT * FROM database_task WHERE status IN ('queued', 'running') ORDER BY created_at LIMIT :limit"
INPUTS = """SELECT task_id, json_extract(settings, '$.fasta') AS fasta FROM database_task
            WHERE status IN ('queued', 'running') AND task_id > :after ORDER BY task_id LIMIT :limit"""
MAKER = """SELECT owner FROM database_task WHERE name = :name AND status <> 'failed'
           ORDER BY created_at DESC, task_id LIMIT 1"""
PROGRESS = """UPDATE database_task SET status = 'running', progress = max(progress, :progress), updated_at = :now
              WHERE task_id = :task_id AND finished_at IS NULL"""
END = """UPDATE database_task SET status = :status, progress = :progress, error_code = :error_code, error = :error,
         fingerprint = :fingerprint, warnings = :warnings, updated_at = :now, finished_at = :now WHERE task_id = :task_id AND finished_at IS NULL"""

FORGET = """DELETE FROM database_task WHERE task_id IN
            (SELECT task_id FROM database_task AS old WHERE finished_at < :before AND (status = 'failed' OR EXISTS
             (SELECT 1 FROM database_task AS newer WHERE newer.name = old.name AND newer.created_at > old.created_at
              AND newer.status = 'completed')) ORDER BY finished_at LIMIT :limit)"""


PAGE_ROWS = 1000


class DatabaseTask(Frozen, frozen=True, kw_only=True):
    """The making of a database from a FASTA file, with progress in 0..1."""

    task_id: str
    owner: Owner
    name: str
    status: str
    progress: float
    settings: dict[str, Any]
    error_code: str | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    fingerprint: str | None
    warnings: tuple[Warned, ...] = ()


def insert(
    db: sqlite3.Connection,
    task_id: str,
    owner: Owner,
    name: str,
    settings: dict[str, Any],
    now: datetime,
    warnings: Sequence[Warned] = (),
) -> None:
    """Add a task that waits."""
    values = {"task_id": task_id, "owner": owner, "name": name, "settings": dump(settings), "now": to_ms(now)}
    values |= {"warnings": dump(warnings[:MOST_WARNINGS])}
    db.execute(INSERT, values)


def get(db: sqlite3.Connection, task_id: str) -> DatabaseTask | None:
    """Return a task, None if there is none."""
    row = db.execute(GET, {"task_id": task_id}).fetchone()
    return None if row is None else task_from(row)


def page(db: sqlite3.Connection, limit: int = 50) -> list[DatabaseTask]:
    """Return the newest tasks first."""
    return [task_from(row) for row in db.execute(PAGE, {"limit": limit})]


def unfinished(db: sqlite3.Connection, limit: int = 1000) -> list[DatabaseTask]:
    """Return the tasks that have not ended, oldest first."""
    return [task_from(row) for row in db.execute(UNFINISHED, {"limit": limit})]


def inputs(db: sqlite3.Connection) -> set[str]:
    """Return the names of the files that all unfinished tasks are made from, however long they wait."""
    names, after = set[str](), ""
    while page := db.execute(INPUTS, {"after": after, "limit": PAGE_ROWS}).fetchall():
        names.update(str(row["fasta"]) for row in page)
        after = page[-1]["task_id"]
    return names


def maker(db: sqlite3.Connection, name: str) -> Owner | None:
    """Return whose order made the database of this name, or is about to; None for one that was not made here."""
    row = db.execute(MAKER, {"name": name}).fetchone()
    return None if row is None else Owner(row["owner"])


def progress(db: sqlite3.Connection, task_id: str, fraction: float, now: datetime) -> None:
    """Note how far a task is."""
    db.execute(PROGRESS, {"task_id": task_id, "progress": fraction, "now": to_ms(now)})


def end(
    db: sqlite3.Connection,
    task_id: str,
    now: datetime,
    *,
    fingerprint: str | None = None,
    error_code: str | None = None,
    error: str | None = None,
    warnings: Sequence[Warned] = (),
) -> None:
    """End a task: completed with the fingerprint made, or failed with cause; *warnings* are all of them."""
    db.execute(
        END,
        {
            "task_id": task_id,
            "status": "completed" if error_code is None else "failed",
            "progress": 1.0 if error_code is None else 0.0,
            "error_code": error_code,
            "error": error,
            "fingerprint": fingerprint,
            "warnings": dump(warnings[:MOST_WARNINGS]),
            "now": to_ms(now),
        },
    )


def task_from(row: sqlite3.Row) -> DatabaseTask:
    """Return the task of a row."""
    return DatabaseTask(
        task_id=row["task_id"],
        owner=Owner(row["owner"]),
        name=row["name"],
        status=row["status"],
        progress=row["progress"],
        settings=load(row["settings"], dict[str, Any]),
        error_code=row["error_code"],
        error=row["error"],
        created_at=from_ms(row["created_at"]),
        updated_at=from_ms(row["updated_at"]),
        finished_at=moment(row["finished_at"]),
        fingerprint=row["fingerprint"],
        warnings=load(row["warnings"], tuple[Warned, ...]),
    )


def forget(db: sqlite3.Connection, before: datetime, limit: int) -> int:
    """Forget up to *limit* tasks that ended before a time, but not the last good one of a name, which says whose it is."""
    return db.execute(FORGET, {"before": to_ms(before), "limit": limit}).rowcount
