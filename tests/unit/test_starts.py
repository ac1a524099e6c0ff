"""Answers before starts (`service.search.starts`): who waits for whom, and that nobody waits long."""

import asyncio
import time

from blastd.core.ids import JobId
from blastd.service.search.starts import LATE_SECONDS, SLICE, SLICE_SECONDS, WAIT_SECONDS, Starts
from tests.patience import PATIENCE_SECONDS


async def test_a_search_alone_starts_with_its_answer() -> None:
    started: list[JobId] = []
    starts = Starts(started.append)
    with starts.request():
        starts.accepted(JobId("a"))
        assert started == []
    assert started == ["a"]


async def test_those_that_came_together_are_all_answered_first() -> None:
    started: list[JobId] = []
    starts = Starts(started.append)
    with starts.request():
        with starts.request():
            starts.accepted(JobId("a"))
        assert started == []
        starts.accepted(JobId("b"))
    assert started == ["a", "b"]


async def test_a_request_that_takes_long_holds_nobody_up() -> None:
    started: list[JobId] = []
    starts = Starts(started.append)
    with starts.request():
        starts.accepted(JobId("a"))
        await asyncio.sleep(WAIT_SECONDS * 1.5)
        assert started == ["a"]


async def test_many_start_some_at_a_time_in_their_order() -> None:
    started: list[JobId] = []
    starts = Starts(started.append)
    names = [JobId(f"{number:03}") for number in range(SLICE * 2 + 1)]
    with starts.request():
        for name in names:
            starts.accepted(name)
    assert started == names[:SLICE]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(started) < len(names):  # noqa: ASYNC110  # nothing tells of a start
            await asyncio.sleep(SLICE_SECONDS)
    assert started == names


async def test_a_loop_that_is_late_answers_before_it_starts_more_and_starts_them_all_the_same() -> None:
    started: list[tuple[float, JobId]] = []
    starts = Starts(lambda job_id: started.append((time.monotonic(), job_id)))
    begin = time.monotonic()
    with starts.request():
        for number in range(SLICE + 1):
            starts.accepted(JobId(str(number)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(started) <= SLICE:
            time.sleep(SLICE_SECONDS + 3 * LATE_SECONDS)  # noqa: ASYNC251  # this is what makes the loop late
            await asyncio.sleep(0)
    assert started[-1][0] - begin >= WAIT_SECONDS
