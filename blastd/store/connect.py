"""Opens the SQLite file: with the settings that all who write share, and as it is for commands beside the daemon."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from blastd.errors import NotFound, StoreBroken
from blastd.store import migrate

BUSY_SECONDS = 5.0
WRITE_BUSY_SECONDS = 2.0
"""How long a write of the daemon waits for a lock of somebody else; those that wait behind it are refused with it."""
RESTORE = "Restore a copy made by 'blastd backup', or move the whole state folder away."


def open_beside(path: Path, *, older: bool = False) -> sqlite3.Connection:
    """Open the store at *path* as it is for a command beside the daemon, which makes and upgrades none.

    *older*: one of an earlier schema will do. Raises NotFound, StoreBroken, SchemaTooNew, sqlite3.DatabaseError. The
    caller closes it.
    """
    refuse_lost(path)

    def known(db: sqlite3.Connection) -> None:
        db.row_factory = sqlite3.Row
        newest, at = len(migrate.steps()), migrate.version(db)
        if at > newest:
            raise migrate.too_new(at)
        if not at:
            raise NotFound(f"{path} holds no store yet: 'blastd migrate' or the first 'blastd serve' makes it.")
        if at < newest and not older:
            raise StoreBroken(f"The store has schema {at} of {newest}: run 'blastd migrate', or start the service.")

    return prepared(open_file(path, "rw", BUSY_SECONDS), known, set_up)


def prepared(db: sqlite3.Connection, *steps: Callable[[sqlite3.Connection], object]) -> sqlite3.Connection:
    """Return *db* after *steps*; one that is refused or damaged is closed, and what a step raised is raised."""
    try:
        for step in steps:
            step(db)
    except BaseException:
        db.close()
        raise
    return db


def refuse_lost(path: Path) -> None:
    """Raise StoreBroken for a store that is missing or empty beside searches that it owned.

    A new one would own none of them, and the sweep would remove their files as strangers.
    """
    if path.exists() and path.stat().st_size:
        return
    jobs = path.parent / "jobs"
    lost = sum(1 for _ in jobs.iterdir()) if jobs.is_dir() else 0
    if lost:
        raise StoreBroken(f"The store {path} is missing or empty, and there are files of {lost} searches. {RESTORE}")


def writer(path: Path) -> sqlite3.Connection:
    """Open the only writer of a daemon, made if need be."""

    def wait_less(db: sqlite3.Connection) -> None:
        db.execute(f"PRAGMA busy_timeout = {round(WRITE_BUSY_SECONDS * 1000)}")

    return prepared(open_file(path, "rwc", BUSY_SECONDS), set_up, wait_less)


def reader(path: Path, busy_seconds: float) -> sqlite3.Connection:
    """Open to read."""

    def set_up_reader(db: sqlite3.Connection) -> None:
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA cache_size = -16000")

    return prepared(open_file(path, "ro", busy_seconds), set_up_reader)


def open_file(path: Path, mode: str, busy_seconds: float) -> sqlite3.Connection:
    """Open in a *mode* of SQLite's addresses: ro, rw, or rwc, which makes the file."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, isolation_level=None, timeout=busy_seconds)


def set_up(db: sqlite3.Connection) -> None:
    """Set what all who write share: a commit is durable before it is reported."""
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # of a new file; an old one reuses what is free in it
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000"):
        db.execute(f"PRAGMA {pragma}")
