"""Writes that wait share a commit; each keeps its own outcome."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from blastd.clock import SystemClock
from blastd.errors import StoreBroken, TooMany
from blastd.store.sqlite import GROUP, Database, open_database

Work = Callable[[sqlite3.Connection], object]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(tmp_path / "blastd.sqlite", SystemClock()) as found:
        await found.write(lambda db: db.execute("CREATE TABLE kept (name TEXT PRIMARY KEY)"))
        yield found


def keep(name: str) -> Work:
    return lambda db: db.execute("INSERT INTO kept VALUES (?)", (name,)).rowcount


async def names(store: Database) -> list[str]:
    return await store.read(lambda db: [row[0] for row in db.execute("SELECT name FROM kept ORDER BY rowid")])


def busy(commits: list[str]) -> Work:
    """Return a write that holds the writer up, and counts the commits from now on."""

    def work(db: sqlite3.Connection) -> None:
        db.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)
        time.sleep(0.2)

    return work


async def test_writes_that_wait_share_commits_in_their_order(store: Database) -> None:
    commits: list[str] = []
    count = GROUP + 10
    first = asyncio.create_task(store.write(busy(commits)))
    await asyncio.sleep(0.05)
    found = await asyncio.gather(*(store.write(keep(str(number))) for number in range(count)))
    await first
    assert found == [1] * count
    assert await names(store) == [str(number) for number in range(count)]
    assert len(commits) == 3, "the first, a full group, the rest"


async def test_failed_write_fails_alone(store: Database) -> None:
    def refuse(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO kept VALUES ('half')")
        raise TooMany("no room")

    first = asyncio.create_task(store.write(busy([])))
    await asyncio.sleep(0.05)
    writes = [keep("a"), refuse, keep("a"), keep("b")]
    found = await asyncio.gather(*map(store.write, writes), return_exceptions=True)
    await first
    assert [type(one) for one in found] == [int, TooMany, sqlite3.IntegrityError, int]
    assert await names(store) == ["a", "b"]


async def test_commit_that_fails_fails_for_all_and_leaves_nothing(store: Database) -> None:
    def undone(db: sqlite3.Connection) -> None:
        db.execute("ROLLBACK")  # as SQLite itself does on a full disk or a broken one
        db.execute("INSERT INTO no_such_table VALUES (1)")

    first = asyncio.create_task(store.write(busy([])))
    await asyncio.sleep(0.05)
    found = await asyncio.gather(*map(store.write, [keep("a"), undone, keep("b")]), return_exceptions=True)
    await first
    assert [type(one) for one in found] == [StoreBroken] * 3
    assert await names(store) == []
    assert await store.write(keep("c")) == 1


async def test_cancelled_caller_leaves_the_others_their_writes(store: Database) -> None:
    first = asyncio.create_task(store.write(busy([])))
    await asyncio.sleep(0.05)
    tasks = [asyncio.create_task(store.write(keep(name))) for name in "abc"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    await first
    assert [type(one) for one in found] == [int, asyncio.CancelledError, int]
    assert {"a", "c"} <= set(await names(store))


async def test_few_rows_are_read_on_the_loop(store: Database) -> None:
    await store.write(keep("one"))
    assert await store.read_few(
        lambda db: (threading.get_ident(), db.execute("SELECT name FROM kept").fetchone()[0])
    ) == (
        threading.get_ident(),
        "one",
    )


async def test_what_takes_long_is_read_in_a_thread_while_the_loop_goes_on(store: Database) -> None:
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 3000000) SELECT count(*) FROM n"
    threads: list[int] = []

    def count(db: sqlite3.Connection) -> int:
        threads.append(threading.get_ident())
        return int(db.execute(endless).fetchone()[0])

    begin = time.monotonic()
    task = asyncio.create_task(store.read_few(count))
    await asyncio.sleep(0)
    held_up = time.monotonic() - begin
    assert await task == 3_000_000
    assert threads[0] == threading.get_ident() != threads[1]
    assert held_up < (time.monotonic() - begin) / 3


async def test_an_error_of_a_few_rows_leaves_the_connection_as_it_was(store: Database) -> None:
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


async def test_writes_of_a_crowd_take_few_turns_of_the_thread(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    turns: list[int] = []
    drain = store._drain

    def counted(db: sqlite3.Connection) -> None:
        turns.append(1)
        drain(db)

    monkeypatch.setattr(store, "_drain", counted)
    first = asyncio.create_task(store.write(busy([])))
    await asyncio.sleep(0.05)
    await asyncio.gather(first, *(store.write(keep(str(number))) for number in range(3 * GROUP)))
    assert len(await names(store)) == 3 * GROUP
    assert len(turns) == 2, "one that was busy, one for all who came meanwhile"


async def test_nobody_waits_for_those_who_come_later(store: Database) -> None:
    """The one whose call the thread answers is told with its own commit, however many come meanwhile."""
    first = asyncio.create_task(store.write(keep("first")))
    later: list[asyncio.Task[object]] = []

    async def come() -> None:
        while not first.done() and len(later) < 1000:
            later.append(asyncio.create_task(store.write(keep(str(len(later))))))
            await asyncio.sleep(0)

    async with asyncio.timeout(20):
        await come()
        await asyncio.gather(*later)
    assert first.done()
    assert len(later) < 1000
    assert len(await names(store)) == len(later) + 1


async def test_a_caller_who_goes_leaves_nobody_waiting(store: Database) -> None:
    first = asyncio.create_task(store.write(busy([])))
    await asyncio.sleep(0.05)
    caller = asyncio.create_task(store.write(keep("caller")))
    others = [asyncio.create_task(store.write(keep(str(number)))) for number in range(3)]
    await asyncio.sleep(0)
    caller.cancel()
    async with asyncio.timeout(5):
        assert await asyncio.gather(*others) == [1, 1, 1]
    await first
    assert await names(store) == ["caller", "0", "1", "2"]


async def test_a_closed_store_refuses_at_once(tmp_path: Path) -> None:
    async with open_database(tmp_path / "blastd.sqlite", SystemClock()) as store:
        pass
    for _ in range(2):
        with pytest.raises(StoreBroken, match="closed"):
            async with asyncio.timeout(5):
                await store.write(keep("late"))
