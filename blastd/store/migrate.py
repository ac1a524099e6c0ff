"""Numbered SQL files in `migrations/`, each applied in one transaction, never edited once released."""

import re
import sqlite3
from pathlib import Path

from blastd.errors import SchemaTooNew, StoreBroken

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


def migrate(db: sqlite3.Connection) -> int:
    """Bring *db* to the newest schema; returns how many steps were applied. Raises SchemaTooNew for a newer store."""
    known, at = steps(), version(db)
    if at > len(known):
        raise SchemaTooNew(
            f"The store has schema {at}, this blastd knows {len(known)}: run the newer blastd that wrote it, or restore a backup."
        )
    for number, text in known[at:]:
        try:
            db.executescript(f"BEGIN IMMEDIATE;\n{text}\nPRAGMA user_version = {number};\nCOMMIT;")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
    return len(known) - at
