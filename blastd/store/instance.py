"""The name of a store: random, made with it, the same in every copy of it."""

import sqlite3

SELECT = "SELECT name FROM instance LIMIT 1"


def name(db: sqlite3.Connection) -> str:
    """Return the store's name: 16 hex digits."""
    return str(db.execute(SELECT).fetchone()[0])
