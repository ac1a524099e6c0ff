"""What a task was given comes back once, whatever becomes of it; a thread's work never outlives the task that asked for it."""

import asyncio
import random
import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import cast

import pytest

from blastd.aio import FAVOURS, Pool, Tasks, offload, owning_tasks
from blastd.engines.local.residents import Residents
from blastd.engines.local.shared import SharedProcess
from blastd.engines.local.units import Machine
from tests.patience import PATIENCE_SECONDS


class Broken(Exception):
    """What a task of these tests fails with."""


async def work(kind: str) -> None:
    if kind == "fails":
        raise Broken
    if kind == "fails later":
        await asyncio.sleep(0)
        raise Broken
    if kind == "waits":
        await asyncio.Event().wait()
    if kind == "holds on":
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        for _ in iter(true, True):
            await asyncio.sleep(0.001)


KINDS = ("ends", "fails", "fails later", "waits", "holds on")


@pytest.mark.parametrize("seed", range(40))
async def test_U02_whatever_happens_to_crowds_of_tasks_each_gives_back_once(seed: int) -> None:
    chance = random.Random(seed)
    given_back = Counter[int]()
    started = 0

    def ended(number: int, error: BaseException | None) -> None:
        assert error is None or isinstance(error, Broken | asyncio.CancelledError)
        given_back[number] += 1

    async with owning_tasks() as tasks:
        for started in range(1, 120):
            name = f"task-{chance.randrange(40)}"
            tasks.start(name, work(chance.choice(KINDS)), partial(ended, started))
            if chance.random() < 0.5:
                tasks.cancel(f"task-{chance.randrange(40)}")
            if chance.random() < 0.2:
                await asyncio.sleep(0)
    assert given_back == Counter(range(1, started + 1))


@pytest.mark.parametrize(
    ("kind", "cancelled", "told"),
    [
        ("ends", False, type(None)),
        ("fails", False, Broken),
        ("fails later", False, Broken),
        ("waits", True, asyncio.CancelledError),
        ("ends", True, asyncio.CancelledError),
        ("fails", True, asyncio.CancelledError),
    ],
)
async def test_U02_the_owner_is_told_how_a_task_ended(kind: str, cancelled: bool, told: type) -> None:
    ends: list[BaseException | None] = []
    async with owning_tasks() as tasks:
        assert tasks.start("one", work(kind), ends.append)
        if cancelled:
            tasks.cancel("one")  # before its first step
        await until(lambda: bool(ends))
        assert "one" not in tasks
    assert [type(end) for end in ends] == [told]


async def test_U02_a_second_task_of_a_name_is_refused_and_gives_back_what_it_was_given() -> None:
    first: list[BaseException | None] = []
    second: list[BaseException | None] = []
    async with owning_tasks() as tasks:
        assert tasks.start("one", work("waits"), first.append)
        assert not tasks.start("one", work("ends"), second.append)
        assert second == []  # not before the caller has gone on
        await asyncio.sleep(0)
        assert first == []
        assert len(second) == 1
    assert len(first) == 1


async def test_U02_an_owner_that_closes_starts_nothing_more() -> None:
    ends: list[BaseException | None] = []
    tasks = Tasks()

    def again(error: BaseException | None) -> None:
        ends.append(error)
        if len(ends) < 10:
            tasks.start("one", work("waits"), again)

    tasks.start("one", work("waits"), again)
    await tasks.close()
    await until(lambda: len(ends) == 10)
    assert len(tasks) == 0


async def test_a_name_is_free_when_its_end_is_told() -> None:
    async with owning_tasks() as tasks:
        rounds: list[bool] = []

        def again(error: BaseException | None) -> None:
            if error is None and len(rounds) < 5:
                rounds.append(tasks.start("one", work("ends"), again))

        tasks.start("one", work("ends"), again)
        await until(lambda: len(rounds) == 5)
        assert rounds == [True] * 5


async def test_a_cancelled_caller_goes_only_when_its_thread_has_ended() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def blocks() -> None:
        begun.set()
        go_on.wait(PATIENCE_SECONDS)
        done.append("written")

    task = asyncio.ensure_future(offload(blocks))
    await until(begun.is_set)
    assert any("blocks" in name for name in FAVOURS.at_work())
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.001)
        assert not task.done()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["written"]
    assert not any("blocks" in name for name in FAVOURS.at_work())


async def test_a_cancelled_caller_takes_back_what_has_not_begun() -> None:
    pool, go_on = Pool("test", 1), threading.Event()
    ran: list[int] = []
    first = asyncio.ensure_future(pool.run(partial(go_on.wait, 30), "first"))
    await asyncio.sleep(0)
    waiting = [asyncio.ensure_future(pool.run(partial(ran.append, number), f"{number}")) for number in range(5)]
    await asyncio.sleep(0)
    for task in waiting[1:]:
        task.cancel()
    assert (await asyncio.gather(*waiting[1:], return_exceptions=True)) != []
    assert not first.done()
    go_on.set()
    await first
    await waiting[0]
    assert ran == [0]
    assert pool.at_work() == []


async def test_threads_that_are_made_ahead_do_work() -> None:
    pool = Pool("test", 3)
    pool.start()
    assert sorted(await asyncio.gather(*[pool.run(partial(int, n), "n") for n in "213"])) == [1, 2, 3]


async def test_an_error_in_a_thread_is_raised_where_it_is_waited_for() -> None:
    with pytest.raises(ZeroDivisionError):
        await offload(lambda: 1 // 0)


async def test_a_search_cancelled_before_its_first_step_leaves_the_common_process_first() -> None:
    """Its task has not come to wait for the common process, which would publish its output after `cancelled`."""
    stopped: list[str] = []
    ended: list[BaseException | None] = []
    shared = SharedProcess(cast("Machine", None), cast("Residents", None), [], lambda: stopped.append("stop"))
    shared.left(ended.append, asyncio.CancelledError())
    await asyncio.sleep(0)
    assert (stopped, ended) == (["stop"], [])
    shared.ended(None)
    await asyncio.sleep(0)
    assert len(ended) == 1


async def test_a_search_that_ended_by_itself_leaves_the_common_process_to_the_others() -> None:
    stopped: list[str] = []
    ended: list[BaseException | None] = []
    shared = SharedProcess(cast("Machine", None), cast("Residents", None), [], lambda: stopped.append("stop"))
    shared.left(ended.append, None)
    assert (stopped, ended) == ([], [None])
