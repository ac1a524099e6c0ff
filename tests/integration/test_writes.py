"""Writes that wait share a commit; each keeps its own outcome."""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from blastd.clock import SystemClock
from blastd.errors import StoreBroken, TooMany
from blastd.store.sqlite import GROUP, Store, Write, open_database
from tests.patience import PATIENCE_SECONDS, eventually

Work = Callable[[sqlite3.Connection], object]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_database(tmp_path / "blastd.sqlite", SystemClock()) as found:
        await found.write(lambda db: db.execute("CREATE TABLE kept (name TEXT PRIMARY KEY)"))
        yield found


def keep(name: str) -> Work:
    return lambda db: db.execute("INSERT INTO kept VALUES (?)", (name,)).rowcount


async def names(store: Store) -> list[str]:
    return await store.read(lambda db: [row[0] for row in db.execute("SELECT name FROM kept ORDER BY rowid")])


class Gate:
    """A write that has begun when `begun` is set, and ends when `free` is."""

    def __init__(self, work: Work = lambda _db: None) -> None:
        self.begun, self.free, self._work = threading.Event(), threading.Event(), work

    def write(self, db: sqlite3.Connection) -> None:
        self._work(db)
        self.begun.set()
        assert self.free.wait(PATIENCE_SECONDS)


@asynccontextmanager
async def held(store: Store, work: Work = lambda _db: None) -> AsyncIterator[None]:
    """Have a write in hand that does *work* and ends with the block: what comes meanwhile waits for the writer."""
    gate = Gate(work)
    async with asyncio.TaskGroup() as group:
        group.create_task(store.write(gate.write))
        await asyncio.to_thread(gate.begun.wait, PATIENCE_SECONDS)
        try:
            yield
        finally:
            gate.free.set()


async def waiting(store: Store, *works: Work) -> list[asyncio.Task[object]]:
    """Return tasks that have given their writes to the store, in this order."""
    tasks = [asyncio.create_task(store.write(work)) for work in works]
    await asyncio.sleep(0)  # the first step of each
    return tasks


async def test_writes_that_wait_share_commits_in_their_order(store: Store) -> None:
    commits: list[str] = []
    count = GROUP + 10

    def count_commits(db: sqlite3.Connection) -> None:
        db.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)

    async with held(store, count_commits):
        tasks = await waiting(store, *(keep(str(number)) for number in range(count)))
    assert await asyncio.gather(*tasks) == [1] * count
    assert await names(store) == [str(number) for number in range(count)]
    assert len(commits) == 3, "the first, a full group, the rest"


async def test_failed_write_fails_alone(store: Store) -> None:
    def refuse(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO kept VALUES ('half')")
        raise TooMany("no room")

    async with held(store):
        tasks = await waiting(store, keep("a"), refuse, keep("a"), keep("b"))
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in found] == [int, TooMany, sqlite3.IntegrityError, int]
    assert await names(store) == ["a", "b"]


async def test_commit_that_fails_fails_for_all_and_leaves_nothing(store: Store) -> None:
    def undone(db: sqlite3.Connection) -> None:
        db.execute("ROLLBACK")  # as SQLite itself does on a full disk or a broken one
        db.execute("INSERT INTO no_such_table VALUES (1)")

    async with held(store):
        tasks = await waiting(store, keep("a"), undone, keep("b"))
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in found] == [StoreBroken] * 3
    assert await names(store) == []
    assert await store.write(keep("c")) == 1


async def test_cancelled_caller_leaves_the_others_their_writes(store: Store) -> None:
    async with held(store):
        tasks = await waiting(store, *map(keep, "abc"))
        tasks[1].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in found] == [int, asyncio.CancelledError, int]
    assert {"a", "c"} <= set(await names(store))


async def test_few_rows_are_read_on_the_loop(store: Store) -> None:
    await store.write(keep("one"))
    assert await store.read_few(
        lambda db: (threading.get_ident(), db.execute("SELECT name FROM kept").fetchone()[0])
    ) == (
        threading.get_ident(),
        "one",
    )


async def test_what_takes_long_is_read_in_a_thread_while_the_loop_goes_on(store: Store) -> None:
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    threads: list[int] = []
    told = threading.Event()

    def count(db: sqlite3.Connection) -> bool:
        threads.append(threading.get_ident())
        if threads[-1] == threading.main_thread().ident:
            db.execute(endless).fetchone()
        return told.wait(PATIENCE_SECONDS)  # by the loop, which goes on

    task = asyncio.create_task(store.read_few(count))
    await eventually(lambda: asyncio.sleep(0, len(threads) == 2))
    told.set()
    assert await task
    assert threads[0] == threading.get_ident() != threads[1]


async def test_an_error_of_a_few_rows_leaves_the_connection_as_it_was(store: Store) -> None:
    def refuse(db: sqlite3.Connection) -> None:
        db.execute("SELECT 1")
        raise TooMany("no room")

    for _ in range(2):
        with pytest.raises(TooMany):
            await store.read_few(refuse)
    with pytest.raises(StoreBroken, match="no such table"):
        await store.read_few(lambda db: db.execute("SELECT * FROM nowhere"))
    await store.write(keep("new"))
    assert await store.read_few(lambda db: db.execute("SELECT count(*) FROM kept").fetchone()[0]) == 1


async def test_writes_of_a_crowd_take_few_turns_of_the_thread(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    drain = store._drain

    def counted(db: sqlite3.Connection) -> None:
        turns.append(1)
        drain(db)

    monkeypatch.setattr(store, "_drain", counted)
    async with held(store):
        tasks = await waiting(store, *(keep(str(number)) for number in range(3 * GROUP)))
    await asyncio.gather(*tasks)
    assert len(await names(store)) == 3 * GROUP
    assert len(turns) == 2, "one that was busy, one for all who came meanwhile"


async def test_nobody_waits_for_those_who_come_later(store: Store) -> None:
    """The one whose call the thread answers is told with its own commit, however many come meanwhile."""
    gates = [Gate() for _ in range(20)]
    try:
        (own,) = await waiting(store, gates[0].write)
        for gate, later in pairwise(gates):
            await asyncio.to_thread(gate.begun.wait, PATIENCE_SECONDS)
            (next_one,) = await waiting(store, later.write)
            gate.free.set()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await own
            assert not next_one.done()
            own = next_one
    finally:
        for gate in gates:
            gate.free.set()
    await own


async def test_a_caller_who_goes_leaves_nobody_waiting(store: Store) -> None:
    async with held(store):
        caller, *others = await waiting(store, keep("caller"), *(keep(str(number)) for number in range(3)))
        caller.cancel()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asyncio.gather(*others) == [1, 1, 1]
    assert await names(store) == ["caller", "0", "1", "2"]


async def test_a_closed_store_refuses_at_once(tmp_path: Path) -> None:
    async with open_database(tmp_path / "blastd.sqlite", SystemClock()) as store:
        pass
    for _ in range(2):
        with pytest.raises(StoreBroken, match="closed"):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await store.write(keep("late"))


async def test_a_write_that_comes_as_a_locked_store_refuses_the_others_has_a_turn_of_its_own(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes when all that waited were taken to be refused, before the thread has looked for more."""
    loop = asyncio.get_running_loop()
    late, commit = Write(keep("late"), loop.create_future()), store._commit

    class Waiting(deque[Write]):
        def popleft(self) -> Write:
            taken = super().popleft()
            if not self and taken is not late:
                self.append(late)
                loop.call_soon_threadsafe(store._writer.give, store._drain)
            return taken

    def locked(db: sqlite3.Connection, group: Sequence[Write]) -> None:
        if late in group:
            commit(db, group)
        for each in group if late not in group else ():
            each.error = sqlite3.OperationalError("database is locked")
            each.error.sqlite_errorcode = sqlite3.SQLITE_BUSY

    async with held(store):
        monkeypatch.setattr(store, "_commit", locked)
        store._writes = Waiting()
        tasks = await waiting(store, *(keep(str(number)) for number in range(2 * GROUP)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        refused = await asyncio.gather(*tasks, return_exceptions=True)
        await late.done
    assert all(isinstance(error, StoreBroken) for error in refused), refused[:3]
    assert await names(store) == ["late"]
