"""The table of databases in the making."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

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
           AND json_extract(settings, '$.molecule') = :molecule
           ORDER BY created_at DESC, task_id LIMIT 1"""
BEGIN = "UPDATE database_task SET attempts = attempts + 1, updated_at = :now WHERE task_id = :task_id"
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
    attempts: int = 0


class Ordered(Frozen, frozen=True, kw_only=True):
    """What `settings` holds: the name of the uploaded file, and what is to be made of it."""

    fasta: str
    title: str
    molecule: str
    parse_seqids: bool
    replace: bool
    examined: bool = False
    molecule_check: bool = True


class Unfinished(Frozen, frozen=True, kw_only=True):
    """Tasks that have not ended, oldest first, and the ids of those whose row can't be read."""

    tasks: tuple[DatabaseTask, ...]
    unreadable: tuple[str, ...]


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
    return None if row is None else readable(row)


def page(db: sqlite3.Connection, limit: int = 50) -> list[DatabaseTask]:
    """Return the newest tasks first; a row that can't be read is left out."""
    return [task for row in db.execute(PAGE, {"limit": limit}) if (task := readable(row)) is not None]


def unfinished(db: sqlite3.Connection, limit: int = 1000) -> Unfinished:
    """Return the tasks that have not ended, oldest first."""
    found = [(str(row["task_id"]), readable(row)) for row in db.execute(UNFINISHED, {"limit": limit})]
    return Unfinished(
        tasks=tuple(task for _, task in found if task is not None),
        unreadable=tuple(task_id for task_id, task in found if task is None),
    )


def inputs(db: sqlite3.Connection) -> set[str]:
    """Return the names of the files that all unfinished tasks are made from, however long they wait."""
    names, after = set[str](), ""
    while page := db.execute(INPUTS, {"after": after, "limit": PAGE_ROWS}).fetchall():
        names.update(str(row["fasta"]) for row in page)
        after = page[-1]["task_id"]
    return names


def maker(db: sqlite3.Connection, name: str, molecule: str) -> Owner | None:
    """Return whose order made the database of this name and molecule, or is about to; None for one not made here."""
    row = db.execute(MAKER, {"name": name, "molecule": molecule}).fetchone()
    return None if row is None else Owner(row["owner"])


def begin(db: sqlite3.Connection, task_id: str, now: datetime) -> None:
    """Count a start of the making, before it begins."""
    db.execute(BEGIN, {"task_id": task_id, "now": to_ms(now)})


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


def ordered(task: DatabaseTask) -> Ordered:
    """Return what a task orders. Raises ValueError for what no order holds: it is no file, title or molecule."""
    found = msgspec.convert(task.settings, Ordered)
    if "/" in found.fasta or not found.fasta or not found.fasta.isprintable():
        raise ValueError("its file is none")
    if any(ord(letter) < ord(" ") for letter in found.title):
        raise ValueError("its title holds control characters")
    if found.molecule not in ("nucl", "prot"):
        raise ValueError("its molecule is none")
    return found


def unsound(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the ids of tasks that have not ended and can't be begun, and why: the service ends them failed."""
    found = unfinished(db)
    faults = [(task_id, "its row can't be read") for task_id in found.unreadable]
    for task in found.tasks:
        try:
            ordered(task)
        except ValueError as error:
            faults.append((task.task_id, str(error)))
    return faults


def readable(row: sqlite3.Row) -> DatabaseTask | None:
    """Return the task of a row, None for one that can't be read."""
    try:
        return task_from(row)
    except (ValueError, OverflowError, TypeError):  # msgspec's errors are ValueErrors
        return None


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
        attempts=row["attempts"],
    )


def forget(db: sqlite3.Connection, before: datetime, limit: int) -> int:
    """Forget up to *limit* tasks that ended before a time, but not the last good one of a name, which says whose it is."""
    return db.execute(FORGET, {"before": to_ms(before), "limit": limit}).rowcount
