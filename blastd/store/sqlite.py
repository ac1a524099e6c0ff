"""The SQLite file: one writer, readers, whole transactions, a consistent copy.

A transaction is one plain function run in the connection's own thread: one hop instead of one a statement, and a
cancelled caller can't split it. Writes that wait for the writer share its next commit, each in a savepoint of its own:
fifty searches posted at once cost a few flushes of the disk and not a hundred and fifty. Settings follow
https://www.sqlite.org/pragma.html: WAL with synchronous=FULL makes a commit durable before it is reported.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from concurrent.futures import Executor
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

import structlog

from blastd.aio import duty, uninterrupted
from blastd.clock import Clock
from blastd.core.ids import JobId
from blastd.core.model import Job
from blastd.durable import publish
from blastd.errors import DiskFull, StoreBroken, StoreGone
from blastd.store import connect, migrate, private
from blastd.store.connect import BUSY_SECONDS, RESTORE
from blastd.store.events import Feed
from blastd.store.place import StorePlace
from blastd.threads import Threads, system_threads

T = TypeVar("T")

log = structlog.get_logger()

PROBE_SECONDS = 0.2  # readiness is asked by probes that themselves wait a second
DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
INCREMENTAL = 2  # of PRAGMA auto_vacuum
GROUP = 64  # writes of one commit
READERS = 2  # a list page must not wait behind a big export of events
FEW_SECONDS = 0.002
FEW_STEPS = 500  # of SQLite's machine between two looks at the clock: some rows


class Connection:
    """A connection with a thread of its own: what is given to it is done in turn, a whole transaction as one step."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], thread: Executor) -> None:
        """Take what opens the connection, and its thread; used as a context manager."""
        self._connect, self._thread = connect, thread
        self._db: sqlite3.Connection | None = None

    async def __aenter__(self) -> Self:
        try:
            self._db = await asyncio.get_running_loop().run_in_executor(self._thread, self._connect)
        except BaseException:
            self._thread.shutdown()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        db, self._db = self._db, None
        if db is not None:  # behind what was given before
            await uninterrupted(_in_thread(self._thread, db.close))
        self._thread.shutdown()

    async def transaction(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* between *begin* and COMMIT; any exception rolls back and is raised."""

        def whole(db: sqlite3.Connection) -> T:
            db.execute(begin)
            try:
                result = work(db)
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
            return result

        return await self.give(whole)

    def give(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Have the connection's thread do *work* without a transaction. Raises sqlite3.ProgrammingError once closed."""
        if self._db is None:
            raise sqlite3.ProgrammingError("the store is closed")
        return asyncio.get_running_loop().run_in_executor(self._thread, work, self._db)


async def _in_thread(thread: Executor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)


@dataclass(eq=False)
class Write:
    """A write that waits for the writer, and what became of it: `done` tells the event loop."""

    work: Callable[[sqlite3.Connection], Any]
    done: asyncio.Future[None]
    result: Any = None
    error: BaseException | None = None

    def run(self, db: sqlite3.Connection) -> None:
        """Do the work in a savepoint, so that its failure is its own; one that SQLite rolls back with all is raised."""
        db.execute("SAVEPOINT one")
        try:
            self.result = self.work(db)
        except BaseException as error:  # raised where it is waited for
            if not db.in_transaction:
                raise
            self.error = error
            db.execute("ROLLBACK TO one")
        db.execute("RELEASE one")


def commit(db: sqlite3.Connection, group: Sequence[Write]) -> None:
    """Run *group* in the order given and make it durable with one commit, or give each the error that kept all from it."""
    try:
        db.execute("BEGIN IMMEDIATE")
        for each in group:
            each.run(db)
        db.execute("COMMIT")
    except BaseException as error:  # noqa: BLE001  # raised where each is waited for
        if db.in_transaction:
            db.execute("ROLLBACK")
        for each in group:
            each.error = each.error or error


def _locked(group: Sequence[Write]) -> bool:
    """Tell whether somebody else's lock kept a whole group from being written."""
    error = group[0].error
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _tell(group: Sequence[Write]) -> None:
    for each in group:
        if not each.done.done():
            each.done.set_result(None)


class Few:
    """A connection of the event loop's own, for what is read sooner than a thread has begun."""

    def __init__(self, db: sqlite3.Connection, clock: Clock) -> None:
        """Take an open connection that waits for no lock."""
        self._db, self._clock, self._until = db, clock, 0.0
        db.set_progress_handler(lambda: clock.monotonic() > self._until, FEW_STEPS)

    def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* as one consistent view. Raises sqlite3.DatabaseError, also for one that takes over FEW_SECONDS."""
        self._until = self._clock.monotonic() + FEW_SECONDS
        self._db.execute("BEGIN")
        try:
            return work(self._db)
        finally:
            self._until = self._clock.monotonic() + FEW_SECONDS
            self._db.execute("ROLLBACK")


class Store:
    """The open store. Made by `open_database`."""

    def __init__(self, path: Path, writer: Connection, readers: Sequence[Connection], few: Few) -> None:
        """Take open connections; *few* is used by the event loop itself."""
        self.path = path
        self.place, self._told_gone = StorePlace(path), False
        self.feed = Feed()
        self._trouble: StoreBroken | None = None
        self._damaged = False
        self._writer = writer
        self._writes = deque[Write]()
        self._called = False  # whether the writer's thread has been called and has not begun
        self._few = few
        self._readers = asyncio.Queue[Connection]()
        for reader in readers:
            self._readers.put_nowait(reader)

    async def write(self, work: Callable[[sqlite3.Connection], T], of: Collection[JobId] | None = None) -> T:
        """Run *work* as one transaction of the only writer, durable when this returns.

        *of* names the jobs that it writes of, where that is known: who waits for another sleeps on. What `jobs.move`
        returns names its own.
        Without a time limit: its outcome would be unknown. Raises StoreBroken when SQLite can't write, DiskFull when the
        disk keeps it from it.
        """
        one = Write(work, asyncio.get_running_loop().create_future())
        self._writes.append(one)
        try:
            if not self._called:  # else that turn of the thread writes *one*, too
                self._called = True  # before the thread begins, which takes it back
                try:
                    self._writer.give(self._drain)  # not awaited: a cancelled caller would take the others' turn away
                except sqlite3.ProgrammingError:  # of a closed store
                    self._called = False
                    raise
            await one.done  # a caller that is cancelled leaves the write to go on
            if one.error is not None:
                raise one.error
            result: T = one.result
            of = [result.job_id] if isinstance(result, Job) else of
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise
            raise self._broken(error, "written") from error
        except StoreGone as error:
            self._trouble = error
            raise
        finally:
            self.feed.wake(of)
        if not self._damaged:
            self._trouble = None
        return result

    def _drain(self, db: sqlite3.Connection) -> None:
        """Write what waits, in the writer's thread, and tell those who wait for it; who comes meanwhile calls again."""
        self._called = False
        waiting = len(self._writes)  # after that, so that nobody is left
        while waiting:
            group = [self._writes.popleft() for _ in range(min(waiting, GROUP))]
            waiting -= len(group)
            self._commit(db, group)
            if _locked(group):  # each that waits would wait as long again, and be refused as well
                behind = [self._writes.popleft() for _ in range(len(self._writes))]
                for each in behind:
                    each.error = group[0].error
                group += behind
                waiting = 0
            group[0].done.get_loop().call_soon_threadsafe(_tell, group)

    def _commit(self, db: sqlite3.Connection, group: Sequence[Write]) -> None:
        """Commit *group* to the store that has its name before and after; else each is told that the store is gone."""
        gone = self.place.gone()
        if gone is None:
            commit(db, group)
            gone = self.place.gone()
        if gone is not None:
            for each in group:
                each.error = gone

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run *work* on a read-only connection, one consistent view. Raises StoreBroken when SQLite can't read."""
        reader = await self._readers.get()
        try:
            return await reader.transaction("BEGIN", work)
        except sqlite3.DatabaseError as error:
            raise self._broken(error, "read") from error
        finally:
            self._readers.put_nowait(reader)

    async def read_few(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Read a few rows by their keys like `read`, but on the loop: a tenth of a millisecond.

        A turn of a thread costs the loop as much and the thread five times that, and fifty searches with their readers
        make hundreds. What takes longer than FEW_SECONDS (a search of very many parts), meets a lock or fails is begun
        again in a thread.
        """
        try:
            return self._few.read(work)
        except sqlite3.DatabaseError:
            return await self.read(work)

    @property
    def troubled(self) -> bool:
        """Tell whether the last transaction failed: what is a help only is better left out than waited for."""
        return self._trouble is not None

    @property
    def trouble(self) -> StoreBroken | None:
        """Return why the last transaction failed; None after one that did not."""
        return self._trouble

    async def check(self) -> None:
        """Raise StoreGone when the store is not where it was, StoreBroken when the last write failed and another would, too.

        A damaged file stays damaged, whatever pages of it can still be read: the daemon has to start on a whole one.
        """
        if (gone := await duty(self.place.gone)) is not None:
            self._trouble = gone
            raise gone
        if self._trouble is None:
            return
        if not self._damaged:
            try:
                await duty(probe, self.path)
            except sqlite3.DatabaseError as error:
                raise self._broken(error, "written") from error
            self._trouble = None
            return
        raise self._trouble

    def _broken(self, error: sqlite3.DatabaseError, what: str) -> StoreBroken:
        """Return *error* as ours, and remember it for whoever asks whether the store is well."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        self._damaged = self._damaged or code in DAMAGED
        if code == sqlite3.SQLITE_FULL:
            self._trouble = DiskFull(
                f"The disk is full: the store {self.path.name} can't be {what} until there is room."
            )
        else:
            mend = f" {RESTORE}" if self._damaged else ""
            self._trouble = StoreBroken(f"The store {self.path.name} can't be {what}: {error}.{mend}")
        return self._trouble

    async def notice(self) -> None:
        """Say in the log, once each, that the store is gone from its place and that it is back."""
        gone = await duty(self.place.gone)
        if gone is not None and not self._told_gone:
            log.error("store_gone", reason=str(gone))
        if gone is None and self._told_gone:
            log.warning("store_back")
        self._told_gone = gone is not None

    async def backup(self, target: Path) -> None:
        """Write a consistent copy of the running store to *target*, which must not exist."""
        await self._writer.give(lambda db: copy(db, target))


def probe(path: Path) -> None:
    """Write to the store what it holds already, through a connection of its own; blocking. Raises sqlite3.DatabaseError."""
    db = connect.open_file(path, "rw", PROBE_SECONDS)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("BEGIN IMMEDIATE")
        db.execute(f"PRAGMA user_version = {migrate.version(db)}")
        db.execute("COMMIT")
    finally:
        db.close()


def shrink(db: sqlite3.Connection, pages: int) -> bool:
    """Give up to *pages* free pages back to the disk; False when few are left, which new rows will take.

    A store that was made before this could be set keeps its size and reuses its pages.
    """
    free, total = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
    if free <= max(total // 10, pages) or db.execute("PRAGMA auto_vacuum").fetchone()[0] != INCREMENTAL:
        return False
    db.execute(f"PRAGMA incremental_vacuum({int(pages)})").fetchall()
    return True


def copy(db: sqlite3.Connection, target: Path) -> None:
    """Write a consistent copy of *db* to the new file *target* (VACUUM INTO), which has its name only when it is whole."""
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    try:
        db.execute("VACUUM INTO :target", {"target": str(part)})
        part.chmod(0o600)
        publish(part, target)
    finally:
        part.unlink(missing_ok=True)


@asynccontextmanager
async def open_database(path: Path, clock: Clock, threads: Threads = system_threads) -> AsyncIterator[Store]:
    """Open the store at *path*, made or migrated if need be. Raises SchemaTooNew, StoreBroken."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connect.refuse_lost(path)
    async with AsyncExitStack() as stack:
        try:
            writer = await stack.enter_async_context(
                Connection(lambda: connect.writer(path), threads("store-writer", 1))
            )
            await writer.give(lambda db: migrate.upgrade(db, path))
            readers = [
                await stack.enter_async_context(
                    Connection(lambda: connect.reader(path, BUSY_SECONDS), threads(f"store-reader-{number}", 1))
                )
                for number in range(READERS)
            ]
            few = stack.enter_context(closing(connect.reader(path, 0)))
        except sqlite3.DatabaseError as error:
            raise StoreBroken(f"The store {path} can't be opened: {error}. {RESTORE}") from error
        yield Store(path, writer, readers, Few(few, clock))


def open_sync(path: Path) -> sqlite3.Connection:
    """Open the store, made or brought to the newest schema if need be. The caller closes it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connect.refuse_lost(path)
    db = connect.open_file(path, "rwc", BUSY_SECONDS)
    db = connect.prepared(db, connect.set_up, lambda db: migrate.upgrade(db, path))
    private.give(path.parent, *(path.with_name(path.name + end) for end in ("", "-wal", "-shm")))
    return db
