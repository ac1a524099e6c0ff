"""A writer's thread that begins before its caller has gone on: the next write has a turn all the same."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

from blastd.clock import SystemClock
from blastd.store.sqlite import open_database

T = TypeVar("T")
P = ParamSpec("P")


class Sooner(Executor):
    """A thread that has done its work before its caller knows that it was given."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future = self._thread.submit(fn, *args, **kwargs)
        future.exception()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._thread.shutdown(wait, cancel_futures=cancel_futures)


async def test_a_thread_quicker_than_its_caller_leaves_nobody_waiting(tmp_path: Path) -> None:
    def count(db: sqlite3.Connection) -> int:
        return int(db.execute("SELECT count(*) FROM job").fetchone()[0])

    async with open_database(tmp_path / "blastd.sqlite", SystemClock(), lambda _name, _most: Sooner()) as store:
        for _ in range(3):
            assert await store.write(count) == 0
