"""One answer says which: a decision that lost its race is made again, a hint loses nobody's, and no item stops the others."""

import asyncio
import random
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from blastd.core.engine import Present, Trouble
from blastd.core.ids import JobId
from blastd.core.model import Change, Job, Missed, Phase, Status
from blastd.errors import BlastdError, StoreBroken
from blastd.store import jobs, leftovers
from tests.integration.test_tracking import WHO, World, tracking
from tests.patience import eventually, rest


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with tracking(tmp_path / "state") as made:
        yield made


def place(world: World, job_id: JobId, number: int) -> None:
    """Order the writing of a place in the queue, as the tracker does for all who wait."""

    async def write() -> None:
        await world.store.write(lambda db: jobs.set_positions(db, {job_id: number}, world.clock.now()))

    asyncio.ensure_future(write())  # noqa: RUF006  # the store holds it


async def test_U01_a_place_in_the_queue_never_invalidates_a_decision(world: World) -> None:
    job_id = await world.add(Phase.SUBMITTED)
    seen = await world.row(job_id)
    await world.store.write(lambda db: jobs.set_positions(db, {job_id: 3}, world.clock.now()))
    placed = await world.row(job_id)
    assert placed.queue_position == 3
    assert placed.edition != seen.edition  # readers see it
    moved = await world.store.write(lambda db: jobs.move(db, seen, Change(kind="progress"), world.clock.now()))
    assert isinstance(moved, Job)
    assert moved.version > placed.version
    assert moved.queue_position == 3
    again = await world.store.write(lambda db: jobs.move(db, seen, Change(kind="progress"), world.clock.now()))
    assert again is Missed.LOST


@pytest.mark.parametrize("seed", range(12))
async def test_U01_an_end_that_meets_other_writes_is_told_at_once(world: World, seed: int) -> None:
    """Places and moves of others between reading and completing: the row completes, and its poller lives until then."""
    chance = random.Random(seed)
    job_id = await world.add(Phase.SUBMITTED, follow=True)
    rivals = chance.randrange(1, 4)

    async def collect(job: Job, folder: str) -> Trouble | None:
        nonlocal rivals
        del folder
        if rivals:
            rivals -= 1
            place(world, job_id, chance.randrange(1, 99))
            await rest()
            if chance.random() < 0.6:
                now, other = world.clock.now(), await world.row(job.job_id)
                await world.store.write(lambda db: jobs.move(db, other, Change(kind="rival"), now))
        return None

    world.engine.collect = collect  # type: ignore[method-assign]  # the moment that the test needs
    world.engine.known = world.done(job_id)
    world.engine.push(job_id)

    async def ended() -> bool:
        return (await world.row(job_id)).status is Status.COMPLETED

    await eventually(ended)  # without time passing: neither a poll nor reconcile helps


async def test_U01_a_poller_goes_on_while_others_are_always_faster(world: World) -> None:
    job_id = await world.add(Phase.SUBMITTED, follow=True)
    busy = True

    async def collect(job: Job, folder: str) -> Trouble | None:
        del folder
        now, other = world.clock.now(), await world.row(job.job_id)
        if busy:
            await world.store.write(lambda db: jobs.move(db, other, Change(kind="rival"), now))
        return None

    world.engine.collect = collect  # type: ignore[method-assign]  # as above
    world.engine.known = world.done(job_id)
    world.engine.push(job_id)

    async def tried() -> bool:
        return len(await world.events(job_id)) > 24

    await eventually(tried)
    await rest()
    assert world.tracker.follows(job_id)
    busy = False

    async def ended() -> bool:
        await world.clock.pass_time(0.2, 0.1)
        return (await world.row(job_id)).status is Status.COMPLETED

    await eventually(ended)
    assert world.clock.monotonic() < 5  # not by the poll of a phase, nor by reconcile


async def test_an_error_of_the_disk_in_tidying_keeps_no_job_cancelling(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(identifier: JobId) -> None:
        raise OSError(5, "Input/output error", identifier)

    monkeypatch.setattr(world.files, "tidy_units", broken)
    for job_id in [await world.add(follow=True) for _ in range(3)]:
        await world.cancelled(job_id)


async def test_U04_reconcile_goes_on_behind_an_item_that_fails(world: World) -> None:
    """Any error of a job's look, of an engine's list or of a leftover is that item's own."""
    job_ids = [await world.add() for _ in range(5)]
    observe = world.engine.observe

    async def odd(job: Job) -> object:
        if job.job_id in job_ids[:2]:
            raise ValueError("an odd row")
        return await observe(job)

    world.engine.observe = odd  # type: ignore[assignment,method-assign]  # a fault
    world.engine.externals = odd  # type: ignore[assignment]  # as above: takes no argument, so it fails
    await world.reconciler.run_once()
    assert set(world.engine.observed) >= set(job_ids[2:])
    assert all(world.tracker.follows(job_id) for job_id in job_ids)


@pytest.mark.parametrize(("fault", "left"), [(ValueError("an odd row"), [1, 2, 3, 4]), (BlastdError("away"), [0] * 9)])
async def test_U04_a_leftover_whose_clean_up_always_fails_is_given_up_but_not_while_its_engine_is_away(
    world: World, monkeypatch: pytest.MonkeyPatch, fault: Exception, left: list[int]
) -> None:
    monkeypatch.setattr(leftovers, "OUTSIDE", frozenset({"faulty"}))
    job_ids = [await world.add(follow=True) for _ in range(3)]
    forget = world.engine.forget

    async def refuse(job: Job) -> bool:
        if job.job_id != job_ids[1]:
            return await forget(job)
        raise fault

    world.engine.forget = refuse  # type: ignore[method-assign]  # a fault
    for job_id in job_ids:
        await world.jobs.cancel(WHO, job_id)

    async def rows() -> list[tuple[JobId, int]]:
        select = "SELECT job_id, attempts FROM leftover"
        return await world.store.read(lambda db: [(JobId(row[0]), row[1]) for row in db.execute(select)])

    async def others_gone() -> bool:
        return [job_id for job_id, _ in await rows()] == job_ids[1:2]

    await eventually(others_gone)
    seen = []
    for _ in range(9):
        await world.reconciler.run_once()
        seen += [attempts for _, attempts in await rows()]
    assert seen == left


async def test_S06_a_store_that_can_not_be_read_at_the_start_does_not_end_the_tracker(tmp_path: Path) -> None:
    async with tracking(tmp_path / "state") as world:
        job_id = await world.add()
    async with tracking(tmp_path / "state", before=break_reads(3)) as world:
        assert world.tracker.pollers == 0
        world.engine.answer = Present(phase=Phase.RUNNING)
        await world.clock.pass_time(60, 5)
        assert world.tracker.follows(job_id)


def break_reads(times: int) -> Callable[[World], None]:
    """Return what makes the first reads of a world fail."""
    left = times

    def install(world: World) -> None:
        read = world.store.read

        async def broken(work: object) -> object:
            nonlocal left
            if left:
                left -= 1
                raise StoreBroken("locked") from sqlite3.OperationalError("database is locked")
            return await read(work)  # type: ignore[arg-type]  # passed on

        world.store.read = broken  # type: ignore[assignment,method-assign]  # a fault

    return install


async def test_U01_a_cancel_that_meets_places_and_moves_ends(world: World) -> None:
    job_ids = [await world.add(Phase.SUBMITTED, follow=True) for _ in range(8)]
    for number, job_id in enumerate(job_ids):
        place(world, job_id, number + 1)
        await world.jobs.cancel(WHO, job_id)
        place(world, job_id, number + 2)

    async def ended() -> bool:
        return all([(await world.row(job_id)).status is Status.CANCELLED for job_id in job_ids])

    await eventually(ended)
    await world.clock.pass_time(1)
    assert world.tracker.pollers == 0
