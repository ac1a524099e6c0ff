"""Numbered SQL files in `migrations/`, each applied in one transaction, never edited once released."""

import re
import sqlite3
from pathlib import Path

from blastd.durable import publish
from blastd.errors import SchemaTooNew, StoreBroken
from blastd.store.lock import alone

NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")
FOLDERS = (Path(__file__).parent.parent / "migrations", Path(__file__).parents[2] / "migrations")
"""Inside the installed package, else beside it in a checkout."""


def steps() -> list[tuple[int, str]]:
    """Return every migration as (number, SQL), in order. Raises StoreBroken when the files are missing or numbered wrong."""
    folder = next((folder for folder in FOLDERS if folder.is_dir()), None)
    if folder is None:
        raise StoreBroken("The folder migrations/ is missing from this installation: install blastd again.")
    found = [
        (int(match[1]), file.read_text("utf-8"))
        for file in sorted(folder.iterdir())
        if (match := NAME.fullmatch(file.name))
    ]
    if [number for number, _ in found] != list(range(1, len(found) + 1)):
        raise StoreBroken("The files in migrations/ are not numbered 0001, 0002, … without a gap.")
    return found


def version(db: sqlite3.Connection) -> int:
    """Return the number of the last migration that *db* has."""
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def too_new(at: int) -> SchemaTooNew:
    """Return the error of a store with schema *at*, which this blastd does not know."""
    return SchemaTooNew(
        f"The store has schema {at}, this blastd knows {len(steps())}: run the newer blastd that wrote it, or restore a backup."
    )


def upgrade(db: sqlite3.Connection, file: Path) -> int:
    """Bring the store *file*, open as *db*, to the newest schema, and keep it beside as it was (`kept_as`).

    Returns how many steps were applied. Raises SchemaTooNew for a newer store, which is not touched.
    """
    if version(db) >= len(steps()):
        return migrate(db)
    with alone(file.absolute().parent):
        at = version(db)  # another process may just have done it
        if 0 < at < len(steps()):
            _keep(db, kept_as(file, at))
        return migrate(db)


def kept_as(file: Path, schema: int) -> Path:
    """Return where the store as it was with *schema* is kept by the upgrade from it."""
    return file.with_name(f"{file.stem}-schema-{schema:04}{file.suffix}")


def _keep(db: sqlite3.Connection, kept: Path) -> None:
    """Write a consistent copy, also over that of an earlier try: the older blastd may have gone on since."""
    making = kept.with_name(f".{kept.name}")
    making.unlink(missing_ok=True)
    db.execute("VACUUM INTO :making", {"making": str(making)})
    making.chmod(0o600)
    publish(making, kept)


def migrate(db: sqlite3.Connection) -> int:
    """Bring *db* to the newest schema; returns how many steps were applied. Raises SchemaTooNew for a newer store."""
    known, at = steps(), version(db)
    if at > len(known):
        raise too_new(at)
    for number, text in known[at:]:
        try:
            db.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    return len(known) - at
