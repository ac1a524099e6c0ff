"""The SQLite file: one writer, two readers, whole transactions, a consistent copy.

A transaction is one plain function run in the connection's own thread: one hop instead of one a statement, and a
cancelled caller can't split it. Settings follow https://www.sqlite.org/pragma.html: WAL with synchronous=FULL makes a
commit durable before it is reported.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Self, TypeVar

import aiosqlite

from blastd.errors import StoreBroken
from blastd.store import migrate
from blastd.store.events import Feed

T = TypeVar("T")

BUSY_SECONDS = 5.0
READERS = 2  # a list page must not wait behind a big export of events


class Connection(aiosqlite.Connection):
    """A connection whose transaction is one step of its thread."""

    async def __aenter__(self) -> Self:
        await self
        return self

    async def transaction(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* between *begin* and COMMIT; any exception rolls back and is raised."""

        def whole() -> T:
            self._conn.execute(begin)
            try:
                result = work(self._conn)
                self._conn.execute("COMMIT")
            except BaseException:
                if self._conn.in_transaction:
                    self._conn.execute("ROLLBACK")
                raise
            return result

        return await self._execute(whole)  # type: ignore[no-untyped-call, no-any-return]  # untyped in aiosqlite

    async def plain(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* in the connection's thread without a transaction."""
        return await self._execute(lambda: work(self._conn))  # type: ignore[no-untyped-call, no-any-return]  # as above


class Database:
    """The open store. Made by `open_database`."""

    def __init__(self, path: Path, writer: Connection, readers: list[Connection]) -> None:
        """Take open connections."""
        self.path = path
        self.feed = Feed()
        self._writer = writer
        self._readers = asyncio.Queue[Connection]()
        for reader in readers:
            self._readers.put_nowait(reader)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* as one transaction of the only writer, durable when this returns.

        Without a time limit: its outcome would be unknown. Raises StoreBroken when SQLite can't write.
        """
        try:
            result = await self._writer.transaction("BEGIN IMMEDIATE", work)
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise
            raise StoreBroken(f"The store {self.path.name} can't be written: {error}.") from error
        finally:
            self.feed.wake()
        return result

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* on a read-only connection, one consistent view. Raises StoreBroken when SQLite can't read."""
        reader = await self._readers.get()
        try:
            return await reader.transaction("BEGIN", work)
        except sqlite3.DatabaseError as error:
            raise StoreBroken(f"The store {self.path.name} can't be read: {error}.") from error
        finally:
            self._readers.put_nowait(reader)

    async def backup(self, target: Path) -> None:
        """Write a consistent copy of the running store to *target*, which must not exist."""
        await self._writer.plain(lambda db: copy(db, target))


def copy(db: sqlite3.Connection, target: Path) -> None:
    """Write a consistent copy of *db* to the new file *target* (VACUUM INTO)."""
    db.execute("VACUUM INTO :target", {"target": str(target)})


@asynccontextmanager
async def open_database(path: Path) -> AsyncIterator[Database]:
    """Open the store at *path*, made or migrated if need be. Raises SchemaTooNew, StoreBroken."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with AsyncExitStack() as stack:
        try:
            writer = await stack.enter_async_context(_connect(path, read_only=False))
            await writer.plain(migrate.migrate)
            readers = [await stack.enter_async_context(_connect(path, read_only=True)) for _ in range(READERS)]
        except sqlite3.DatabaseError as error:
            raise StoreBroken(
                f"The store {path} can't be opened: {error}. Restore a copy made by 'blastd backup', or move the file away."
            ) from error
        yield Database(path, writer, readers)


def open_sync(path: Path) -> sqlite3.Connection:
    """Open the store for a command that runs beside the daemon: same settings, migrated. The caller closes it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
    _set_up(db)
    migrate.migrate(db)
    return db


def _connect(path: Path, *, read_only: bool) -> Connection:
    mode = "ro" if read_only else "rwc"

    def connect() -> sqlite3.Connection:
        db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=BUSY_SECONDS
        )
        if read_only:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA cache_size = -16000")
        else:
            _set_up(db)
        return db

    return Connection(connect, iter_chunk_size=64)


def _set_up(db: sqlite3.Connection) -> None:
    db.row_factory = sqlite3.Row
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "busy_timeout = 5000"):
        db.execute(f"PRAGMA {pragma}")
