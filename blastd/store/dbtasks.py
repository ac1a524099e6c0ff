"""The table of work on databases: those that are made of a FASTA file, and those that are fetched or updated from a source."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from blastd.clock import from_ms, to_ms
from blastd.core.ids import Owner
from blastd.core.model import Frozen, Warned
from blastd.core.sources import TAXA
from blastd.store.rows import dump, load, moment

MOST_WARNINGS = 500  # of one task: nobody reads more
KEPT_HOURS = 24
"""How long the file of a making that failed or was cancelled is kept, so that it can be tried again without an upload."""
INSERT = """INSERT INTO database_task (task_id, owner, name, kind, status, progress, bytes_total, settings, warnings, created_at,
            updated_at) VALUES (:task_id, :owner, :name, :kind, 'queued', 0, :bytes_total, :settings, :warnings, :now, :now)"""
GET = "SELECT * FROM database_task WHERE task_id = :task_id"
PAGE = "SELECT * FROM database_task ORDER BY created_at DESC, task_id LIMIT :limit"
UNFINISHED = "SELECT * FROM database_task WHERE finished_at IS NULL ORDER BY created_at LIMIT :limit"
INPUTS = """SELECT task_id, CASE kind WHEN 'make' THEN json_extract(settings, '$.fasta') ELSE 'fetch-' || task_id END AS input
            FROM database_task WHERE task_id > :after
            AND (finished_at IS NULL OR (kind = 'make' AND status <> 'completed' AND finished_at > :kept))
            ORDER BY task_id LIMIT :limit"""
MAKER = """SELECT owner FROM database_task WHERE name = :name AND status NOT IN ('failed', 'cancelled')
           AND json_extract(settings, '$.molecule') = :molecule
           ORDER BY created_at DESC, task_id LIMIT 1"""
OPEN = """SELECT count(*) AS tasks, coalesce(sum(bytes_total), 0) AS bytes FROM database_task
          WHERE owner = :owner AND finished_at IS NULL"""
IS_OPEN = """SELECT 1 FROM database_task WHERE finished_at IS NULL AND name = :name
             AND json_extract(settings, '$.molecule') = :molecule LIMIT 1"""
BEGIN = """UPDATE database_task SET status = 'running', attempts = attempts + 1, started_at = coalesce(started_at, :now),
           step = '', updated_at = :now WHERE task_id = :task_id AND finished_at IS NULL AND NOT cancelling"""
PROGRESS = """UPDATE database_task SET progress = max(progress, :progress), step = :step, bytes_total = :bytes_total,
              attempts = CASE WHEN kind <> 'make' AND :bytes_done > bytes_done THEN 1 ELSE attempts END,
              bytes_done = :bytes_done, updated_at = :now WHERE task_id = :task_id AND finished_at IS NULL"""
POSTPONE = """UPDATE database_task SET status = 'queued', step = 'waiting', error_code = :error_code, error = :error,
              tries = :tries, attempts = 0, due_at = :due_at, updated_at = :now
              WHERE task_id = :task_id AND finished_at IS NULL"""
CANCEL = "UPDATE database_task SET cancelling = 1, updated_at = :now WHERE task_id = :task_id AND finished_at IS NULL"
RETRY = """UPDATE database_task SET status = 'queued', step = '', progress = 0, bytes_done = 0, error_code = NULL, error = NULL,
           started_at = NULL, finished_at = NULL, due_at = 0, attempts = 0, tries = 0, cancelling = 0, updated_at = :now
           WHERE task_id = :task_id AND status IN ('failed', 'cancelled')"""
RENAME = """UPDATE database_task SET name = :new WHERE name = :name AND finished_at IS NOT NULL
            AND json_extract(settings, '$.molecule') = :molecule"""
END = """UPDATE database_task SET status = :status, step = '', progress = CASE :status WHEN 'completed' THEN 1.0 ELSE progress END,
         error_code = :error_code, error = :error, fingerprint = :fingerprint, warnings = :warnings, updated_at = :now,
         finished_at = :now, cancelling = 0 WHERE task_id = :task_id AND finished_at IS NULL"""

FORGET = """DELETE FROM database_task WHERE task_id IN
            (SELECT task_id FROM database_task AS old WHERE finished_at < :before AND (status IN ('failed', 'cancelled') OR EXISTS
             (SELECT 1 FROM database_task AS newer WHERE newer.name = old.name AND newer.created_at > old.created_at
              AND newer.status = 'completed')) ORDER BY finished_at LIMIT :limit)"""


PAGE_ROWS = 1000


class DatabaseTask(Frozen, frozen=True, kw_only=True):
    """Work on a database, with progress in 0..1; `kind` is make, fetch or update.

    `step` says what is done now, `bytes_done` of `bytes_total` how much of its input was read or received. One that waits
    after a failure that may pass has an `error` and is tried again at `due_at`.
    """

    task_id: str
    owner: Owner
    name: str
    kind: str
    status: str
    step: str
    progress: float
    bytes_done: int
    bytes_total: int
    settings: dict[str, Any]
    error_code: str | None
    error: str | None
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    due_at: datetime
    fingerprint: str | None
    warnings: tuple[Warned, ...] = ()
    attempts: int = 0
    tries: int = 0
    cancelling: bool = False

    @property
    def molecule(self) -> str:
        """Return the molecule of what is to be made, empty where it is not known."""
        return str(self.settings.get("molecule", ""))


class Ordered(Frozen, frozen=True, kw_only=True):
    """What `settings` of a making holds: the name of the uploaded file, and what is to be made of it."""

    fasta: str
    title: str
    molecule: str
    parse_seqids: bool
    replace: bool
    examined: bool = False
    molecule_check: bool = True


class FetchOrder(Frozen, frozen=True, kw_only=True):
    """What `settings` of a fetch or an update holds: the source's name, what it calls the database, and what it is to be here."""

    source: str
    offer: str
    molecule: str
    version: str
    replace: bool = False
    scheduled: bool = False


class OpenWork(Frozen, frozen=True, kw_only=True):
    """The work of an owner that has not ended, and the bytes that it reads or receives."""

    tasks: int
    bytes: int


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
    *,
    kind: str = "make",
    bytes_total: int = 0,
) -> None:
    """Add a task that waits."""
    values = {"task_id": task_id, "owner": owner, "name": name, "settings": dump(settings), "now": to_ms(now)}
    values |= {"warnings": dump(warnings[:MOST_WARNINGS]), "kind": kind, "bytes_total": bytes_total}
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


def inputs(db: sqlite3.Connection, now: datetime) -> set[str]:
    """Return the names of what tasks own in `tmp`: the files that they are made from, the folders into which they receive.

    A making that failed or was cancelled owns its file for KEPT_HOURS more.
    """
    names, after = set[str](), ""
    kept = to_ms(now - timedelta(hours=KEPT_HOURS))
    while found := db.execute(INPUTS, {"after": after, "kept": kept, "limit": PAGE_ROWS}).fetchall():
        names.update(str(row["input"]) for row in found)
        after = found[-1]["task_id"]
    return names


def maker(db: sqlite3.Connection, name: str, molecule: str) -> Owner | None:
    """Return whose order made the database of this name and molecule, or is about to; None for one not made here."""
    row = db.execute(MAKER, {"name": name, "molecule": molecule}).fetchone()
    return None if row is None else Owner(row["owner"])


def open_work(db: sqlite3.Connection, owner: Owner) -> OpenWork:
    """Return how much work of an owner has not ended."""
    row = db.execute(OPEN, {"owner": owner}).fetchone()
    return OpenWork(tasks=row["tasks"], bytes=row["bytes"])


def is_open(db: sqlite3.Connection, name: str, molecule: str) -> bool:
    """Tell whether work on a database of this name and molecule has not ended."""
    return db.execute(IS_OPEN, {"name": name, "molecule": molecule}).fetchone() is not None


def begin(db: sqlite3.Connection, task_id: str, now: datetime) -> bool:
    """Count a start of the work, before it begins; False for one that has ended or is to be cancelled."""
    return db.execute(BEGIN, {"task_id": task_id, "now": to_ms(now)}).rowcount > 0


def progress(
    db: sqlite3.Connection,
    task_id: str,
    fraction: float,
    now: datetime,
    *,
    step: str = "",
    bytes_done: int = 0,
    bytes_total: int = 0,
) -> None:
    """Note how far a task is; bytes that came since the last start let it begin as often again."""
    values = {"task_id": task_id, "progress": fraction, "now": to_ms(now)}
    db.execute(PROGRESS, values | {"step": step, "bytes_done": bytes_done, "bytes_total": bytes_total})


def postpone(
    db: sqlite3.Connection, task_id: str, now: datetime, due_at: datetime, tries: int, *, error_code: str, error: str
) -> None:
    """Let a task wait until *due_at* after a failure that may pass, the last of *tries* without getting any further."""
    values = {"task_id": task_id, "now": to_ms(now), "due_at": to_ms(due_at), "tries": tries}
    db.execute(POSTPONE, values | {"error_code": error_code, "error": error})


def cancel(db: sqlite3.Connection, task_id: str, now: datetime) -> bool:
    """Note that a task is to end; False when it has ended."""
    return db.execute(CANCEL, {"task_id": task_id, "now": to_ms(now)}).rowcount > 0


def retry(db: sqlite3.Connection, task_id: str, now: datetime) -> bool:
    """Open a failed or cancelled task again; False for any other."""
    return db.execute(RETRY, {"task_id": task_id, "now": to_ms(now)}).rowcount > 0


def rename(db: sqlite3.Connection, name: str, molecule: str, new: str) -> None:
    """Let the ended work on a database follow its new name, so that it stays its maker's."""
    db.execute(RENAME, {"name": name, "molecule": molecule, "new": new})


def end(
    db: sqlite3.Connection,
    task_id: str,
    now: datetime,
    *,
    status: str = "",
    fingerprint: str | None = None,
    error_code: str | None = None,
    error: str | None = None,
    warnings: Sequence[Warned] = (),
) -> bool:
    """End a task: completed with the fingerprint made, failed with cause, or as *status* says; *warnings* are all of them.

    False when it has ended already.
    """
    values = {
        "task_id": task_id,
        "status": status or ("completed" if error_code is None else "failed"),
        "error_code": error_code,
        "error": error,
        "fingerprint": fingerprint,
        "warnings": dump(warnings[:MOST_WARNINGS]),
        "now": to_ms(now),
    }
    return db.execute(END, values).rowcount > 0


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


def fetch_order(task: DatabaseTask) -> FetchOrder:
    """Return what a fetch or an update orders. Raises ValueError for what no order holds."""
    found = msgspec.convert(task.settings, FetchOrder)
    if found.molecule not in ("nucl", "prot", TAXA):
        raise ValueError("its molecule is none")
    return found


def unsound(db: sqlite3.Connection) -> list[tuple[str, str]]:
    """Return the ids of tasks that have not ended and can't be begun, and why: the service ends them failed."""
    found = unfinished(db)
    faults = [(task_id, "its row can't be read") for task_id in found.unreadable]
    for task in found.tasks:
        try:
            (ordered if task.kind == "make" else fetch_order)(task)
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
        kind=row["kind"],
        status=row["status"],
        step=row["step"],
        progress=row["progress"],
        bytes_done=row["bytes_done"],
        bytes_total=row["bytes_total"],
        settings=load(row["settings"], dict[str, Any]),
        error_code=row["error_code"],
        error=row["error"],
        created_at=from_ms(row["created_at"]),
        updated_at=from_ms(row["updated_at"]),
        started_at=moment(row["started_at"]),
        finished_at=moment(row["finished_at"]),
        due_at=from_ms(row["due_at"]),
        fingerprint=row["fingerprint"],
        warnings=load(row["warnings"], tuple[Warned, ...]),
        attempts=row["attempts"],
        tries=row["tries"],
        cancelling=bool(row["cancelling"]),
    )


def forget(db: sqlite3.Connection, before: datetime, limit: int) -> int:
    """Forget up to *limit* tasks that ended before a time, but not the last good one of a name, which says whose it is."""
    return db.execute(FORGET, {"before": to_ms(before), "limit": limit}).rowcount
