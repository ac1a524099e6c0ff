"""T and C on a real store, with an engine and a clock that do what a test says: throttle, pollers, ends, absence, cancels."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from blastd.config import load
from blastd.core import ids, steps
from blastd.core.engine import Absent, Observation, Present, Trouble, UnitReport, Unknown
from blastd.core.ids import JobId, Owner
from blastd.core.lifecycle import cancelled
from blastd.core.model import Job, Phase, QueryInfo, Status, StepName, Unit, UnitKind, UnitState
from blastd.core.tabular import TRAILER
from blastd.daemon import Parts, build
from blastd.durable import digest
from blastd.service.access import Identity
from blastd.service.jobs import JobFilter
from blastd.store import events, jobs
from tests.fakes import START, FakeClock, FaultyEngine
from tests.patience import eventually, rest, watch_threads

WHO = Identity(owner=Owner("anna"), role="admin")
NO_HITS = f"# BLASTN 2.12.0+\n# Query: q\n# Database: db\n# 0 hits found\n{TRAILER}1 queries\n"
TROUBLE = Trouble(code="out_of_memory", sentence="It ran out of memory.", remedy="Ask for less.")


class Watched(FaultyEngine):
    """Notes when it was asked, and can be made to answer late."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock
        self.asked_at: list[float] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def observe(self, job: Job) -> Observation:
        self.asked_at.append(self._clock.monotonic())
        answer = await super().observe(job)
        await self.gate.wait()
        return answer


class World:
    """The tracker and what it works with."""

    def __init__(self, parts: Parts, engine: Watched, clock: FakeClock) -> None:
        self.store, self.files, self.metrics = parts.store, parts.files, parts.metrics
        self.tracker, self.reconciler, self.jobs = parts.tracker, parts.reconciler, parts.services.jobs
        self.engine, self.clock = engine, clock

    async def add(self, phase: Phase = Phase.RUNNING, *, follow: bool = False) -> JobId:
        """Put a job into the store that its engine has taken, its output beside it."""
        job_id, now = ids.job_id(uuid4()), self.clock.now()
        job = Job(
            job_id=job_id, version=1, title="", program="blastn", task="megablast", databases=(), options={},
            query_loc=None, engine="faulty", priority=0, owner=WHO.owner, source="api",
            query=QueryInfo(count=1, letters=10, molecule="nucl", first_id="q", sha256=""),
            status=Status.RUNNING if phase is Phase.RUNNING else Status.QUEUED,
            phase=phase, created_at=now, updated_at=now, steps=steps.begin(), units_total=1,
        )  # fmt: skip
        unit = Unit(
            job_id=job_id, index=0, kind=UnitKind.SEARCH, batch=0, shard=None, first_query=0, queries=1,
            letters=10, offset=0, size=10,
        )  # fmt: skip
        await self.store.write(lambda db: jobs.insert(db, job, [unit], now))
        folder = self.files.units_folder(job_id)
        folder.mkdir(parents=True)
        (folder / "0.out").write_text(NO_HITS)
        self.engine.answer = Present(phase=phase)
        if follow:
            self.tracker.follow(job_id)
            await rest()
        return job_id

    async def row(self, job_id: JobId) -> Job:
        """Return the row as it is, without a look."""
        found = await self.store.read(lambda db: jobs.get(db, job_id))
        assert found is not None
        return found

    async def events(self, job_id: JobId) -> list[Any]:
        return await self.store.read(lambda db: events.after(db, 0, job_id=job_id))

    async def listed(self, job_id: JobId) -> Job:
        """Return the row as the list shows it."""
        page = await self.jobs.page(WHO, JobFilter(), None, 50)
        if await self._looking(job_id):  # a busy machine: the look went on behind the reader
            page = await self.jobs.page(WHO, JobFilter(), None, 50)
        return next(job for job in page.jobs if job.job_id == job_id)

    async def both(self, job_id: JobId) -> None:
        """Read the list and the detail."""
        await self.listed(job_id)
        await self.jobs.get(WHO, job_id)
        await self._looking(job_id)

    async def _looking(self, job_id: JobId) -> bool:
        """Wait for the end of a reader's look; tells whether there was one."""
        assert self.tracker._tasks is not None
        name, found = f"look-{job_id}", False
        while name in self.tracker._tasks:
            found = True
            await rest()
        return found

    async def cancelled(self, job_id: JobId) -> None:
        """Cancel a job that its engine lets go of."""
        await self.jobs.cancel(WHO, job_id)

        async def ended() -> bool:
            return (await self.row(job_id)).status is Status.CANCELLED

        await eventually(ended)
        await rest()  # the engine is told after the row

    def done(self, job_id: JobId) -> Present:
        """Return what an engine says of a job that ended well."""
        size, sha = digest(self.files.units_folder(job_id) / "0.out")
        begun = START + timedelta(seconds=self.clock.monotonic() - 2)
        report = UnitReport(
            index=0, state=UnitState.DONE, attempt=1, started_at=begun, ended_at=begun + timedelta(seconds=1),
            exit_code=0, path="units/0.out", size_bytes=size, sha256=sha,
        )  # fmt: skip
        return Present(phase=Phase.RUNNING, ended=True, units=(report,))


@asynccontextmanager
async def tracking(state: Path, before: Callable[[World], None] = lambda _world: None) -> AsyncIterator[World]:
    """Run the tracker on *state*; *before* prepares what it begins with."""
    settings = load(None, {}, {"store.state_dir": state})
    watch_threads()
    clock = FakeClock()
    engine = Watched(clock)
    async with build(settings, clock, {"faulty": engine}) as parts:
        await parts.services.databases.rescan()
        world = World(parts, engine, clock)
        before(world)
        run = asyncio.ensure_future(parts.tracker.run())
        try:
            await rest()
            yield world
        finally:
            run.cancel()
            await asyncio.wait({run})


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with tracking(tmp_path / "state") as made:
        yield made


async def test_T03_reads_within_the_throttle_cost_two_looks(world: World) -> None:
    job_id = await world.add()
    counts = []
    for moment in (100.0, 106.0, 109.0):
        await world.clock.pass_time(moment - world.clock.monotonic(), 10)
        await world.both(job_id)
        counts.append(len(world.engine.observed))
    assert counts == [1, 2, 2]


async def test_T03_the_poller_shares_the_throttle_with_readers(world: World) -> None:
    job_id = await world.add(follow=True)
    for _ in range(40):
        await world.clock.pass_time(1)
        await world.both(job_id)
    asked = world.engine.asked_at
    assert len(asked) <= 9
    assert all(later - earlier >= 5 for earlier, later in pairwise(asked))


async def test_T03_submitted_waits_twenty_seconds(world: World) -> None:
    job_id = await world.add(Phase.SUBMITTED)
    counts = []
    for moment in (100.0, 106.0, 119.0, 120.0):
        await world.clock.pass_time(moment - world.clock.monotonic(), 10)
        await world.both(job_id)
        counts.append(len(world.engine.observed))
    assert counts == [1, 1, 1, 2]


async def test_T03_T02_a_healthy_watch_and_ended_jobs_cost_no_call(world: World) -> None:
    job_id = await world.add()
    world.engine.known = Present(phase=Phase.RUNNING)
    for _ in range(3):
        await world.clock.pass_time(30, 10)
        await world.both(job_id)
    world.engine.known = world.done(job_id)
    assert (await world.listed(job_id)).status is Status.COMPLETED
    world.engine.known = None
    await world.clock.pass_time(60, 20)
    await world.both(job_id)
    assert world.engine.observed == []


async def test_readers_of_a_row_that_says_all_there_is_start_no_looks(world: World) -> None:
    job_id = await world.add()
    world.engine.known = Present(phase=Phase.RUNNING)
    row = await world.listed(job_id)
    assert await world.tracker.refresh([row])  # this one finds that there is nothing more
    assert not await world.tracker.refresh([row])
    world.engine.known = Present(phase=Phase.RUNNING, blast_version="2.12.0")
    assert (await world.jobs.get(WHO, job_id)).blast_version == "2.12.0"


async def test_a_commit_of_one_job_wakes_its_own_waiters_only(world: World) -> None:
    mine, other = await world.add(), await world.add()
    news = {job_id: world.store.feed.of(job_id) for job_id in (mine, other)}
    row = await world.row(mine)
    await world.store.write(lambda db: jobs.move(db, row, cancelled(row, world.clock.now()), world.clock.now()))
    assert [news[mine].is_set(), news[other].is_set()] == [True, False]
    await world.store.write(lambda db: jobs.set_positions(db, {}, world.clock.now()))  # may be of any job
    assert news[other].is_set()


async def test_T04_a_list_read_that_finds_the_end_keeps_every_step_time(world: World) -> None:
    job_id = await world.add(Phase.SUBMITTED)
    begun = world.clock.now() + timedelta(seconds=3)
    running = UnitReport(index=0, state=UnitState.RUNNING, attempt=1, started_at=begun)
    await world.clock.pass_time(10, 5)
    world.engine.answer = Present(phase=Phase.RUNNING, units=(running,))
    before = {step.name: step for step in (await world.listed(job_id)).steps}
    assert before[StepName.RUNNING].started_at == begun
    await world.clock.pass_time(60, 20)
    world.engine.answer = world.done(job_id)  # by another clock, whose start is later
    row = await world.listed(job_id)
    assert row.status is Status.COMPLETED
    after = {step.name: step for step in row.steps}
    assert after[StepName.RUNNING].started_at == begun
    assert after[StepName.RUNNING].ended_at is not None
    for name, step in before.items():
        if step.started_at is not None:
            assert after[name].started_at == step.started_at
        if step.ended_at is not None:
            assert after[name].ended_at == step.ended_at


async def test_T05_a_poller_of_an_unknown_job_ends_quietly(world: World) -> None:
    stranger = ids.job_id(uuid4())
    world.tracker.follow(stranger)

    async def gone() -> bool:
        return not world.tracker.follows(stranger)

    await eventually(gone)
    assert world.tracker.pollers == 0
    assert world.engine.observed == []
    assert b"blastd_poller_failures_total 0.0" in world.metrics.render("text/plain")[0]


async def test_T05_a_poller_of_an_ended_job_does_nothing(world: World) -> None:
    job_id = await world.add()
    world.engine.answer = world.done(job_id)
    await world.listed(job_id)
    row, told, asked = await world.row(job_id), await world.events(job_id), len(world.engine.observed)
    assert row.status is Status.COMPLETED
    world.tracker.follow(job_id)
    await world.clock.pass_time(30, 5)
    assert not world.tracker.follows(job_id)
    assert (await world.row(job_id), await world.events(job_id)) == (row, told)
    assert len(world.engine.observed) == asked


@pytest.mark.parametrize("by", ["push", "reconcile"])
async def test_T05_after_180_rounds_the_poller_retires_and_the_job_still_ends(world: World, by: str) -> None:
    job_id = await world.add(follow=True)
    for _ in range(400):
        if not world.tracker.follows(job_id):
            break
        await world.clock.pass_time(5, 5)
    assert not world.tracker.follows(job_id)
    asked = len(world.engine.observed)
    assert 178 <= asked <= 182, "an active job is followed for 180 rounds"
    assert (await world.row(job_id)).status is Status.RUNNING
    world.engine.answer = world.done(job_id)
    await world.clock.pass_time(600, 60)
    assert len(world.engine.observed) == asked
    if by == "push":
        world.engine.push(job_id)
    else:
        await world.reconciler.run_once()

    async def ended() -> bool:
        return (await world.row(job_id)).status is Status.COMPLETED

    await eventually(ended)


LATE: dict[str, Observation] = {
    "failed": Present(phase=Phase.RUNNING, ended=True, trouble=TROUBLE),
    "running": Present(phase=Phase.RUNNING),
    "absent": Absent(reason="It is gone."),
    "resumable": Absent(resumable=True),
    "unknown": Unknown(reason="The cluster is away."),
}


@pytest.mark.parametrize("late", list(LATE))
@pytest.mark.parametrize("end", [Status.COMPLETED, Status.FAILED, Status.CANCELLED])
async def test_T10_late_observations_change_nothing_of_an_end(world: World, late: str, end: Status) -> None:
    job_id = await world.add()
    if end is Status.CANCELLED:
        await world.cancelled(job_id)
    else:
        world.engine.answer = world.done(job_id) if end is Status.COMPLETED else LATE["failed"]
        await world.listed(job_id)
    row, told = await world.row(job_id), await world.events(job_id)
    assert row.status is end
    assert (row.error is None) == (end is not Status.FAILED)
    world.engine.answer = world.engine.known = LATE[late]
    for _ in range(3):
        world.engine.push(job_id)
        world.tracker.follow(job_id)
        await world.reconciler.run_once()
        await world.both(job_id)
        await world.clock.pass_time(60, 30)
    assert (await world.row(job_id), await world.events(job_id)) == (row, told)


async def test_T10_an_observation_that_was_under_way_when_the_job_ended_changes_nothing(world: World) -> None:
    job_id = await world.add()
    world.engine.answer = LATE["failed"]
    world.engine.gate.clear()
    look = asyncio.ensure_future(world.tracker.look(job_id, "poll"))
    await rest()
    assert world.engine.observed == [job_id]
    now = world.clock.now()
    running = await world.row(job_id)
    ended = cancelled(running, now)
    assert isinstance(await world.store.write(lambda db: jobs.move(db, running, ended, now)), Job)
    world.engine.gate.set()
    row = await look
    assert isinstance(row, Job)
    assert (row.status, row.error_code) == (Status.CANCELLED, None)
    assert [event.kind for event in await world.events(job_id)][-1] == "cancelled"


async def test_T13_an_engine_that_is_away_makes_rows_stale_and_cools_down_as_a_whole(world: World) -> None:
    followed = [await world.add(follow=True) for _ in range(20)]
    await world.clock.pass_time(20)
    asked, since = len(world.engine.observed), world.clock.now()
    world.engine.answer = Unknown(reason="The cluster does not answer.")
    for _ in range(60):
        await world.clock.pass_time(10, 5)
        row = await world.listed(followed[0])
    for job_id in followed:
        row = await world.row(job_id)
        assert (row.status, row.phase, row.error) == (Status.RUNNING, Phase.RUNNING, None)
        assert row.stale_reason == "The cluster does not answer."
        assert row.stale_since is not None
        assert since <= row.stale_since <= since + timedelta(seconds=60)
    assert len(world.engine.observed) - asked <= 30, "each of 20 jobs asked on its own"
    assert not world.engine.health().ok
    world.engine.answer = Present(phase=Phase.RUNNING)
    back = world.clock.monotonic()

    async def fresh() -> bool:
        await world.clock.pass_time(5, 5)
        return not any([(await world.row(job_id)).stale for job_id in followed])

    await eventually(fresh)
    assert world.clock.monotonic() - back <= 120
    for job_id in followed:
        row = await world.row(job_id)
        assert (row.status, row.stale, row.stale_reason) == (Status.RUNNING, False, None)


async def test_T13_a_watch_that_is_back_makes_rows_true_at_the_next_read(world: World) -> None:
    job_id = await world.add()
    world.engine.answer = Unknown(reason="The cluster does not answer.")
    assert (await world.listed(job_id)).stale
    await world.clock.pass_time(1)
    world.engine.known = Present(phase=Phase.RUNNING)
    row = await world.listed(job_id)
    assert (row.stale, row.stale_reason) == (False, None)
    world.engine.known, world.engine.answer = None, Unknown(reason="Another thing.")
    await world.clock.pass_time(5)
    row = await world.listed(job_id)
    assert (row.stale_reason, row.stale_since) == ("Another thing.", world.clock.now()), "it tells of its own time"


async def test_C03_cancelled_while_waiting_stays_cancelled(world: World) -> None:
    job_id = await world.add(Phase.SUBMITTED, follow=True)
    world.engine.answer = Present(phase=Phase.SUBMITTED, waiting_for="memory")
    await world.clock.pass_time(25, 5)
    assert (await world.row(job_id)).waiting_for == "memory"
    await world.cancelled(job_id)
    row, told = await world.row(job_id), await world.events(job_id)
    assert row.status is Status.CANCELLED
    assert world.engine.forgotten == [job_id]
    world.engine.answer = Present(phase=Phase.RUNNING)
    for _ in range(12):
        await world.clock.pass_time(10, 5)
        world.engine.push(job_id)
        await world.both(job_id)
    await world.reconciler.run_once()
    assert (await world.row(job_id), await world.events(job_id)) == (row, told)
    assert row.started_at is None


async def test_C04_a_cancel_that_is_refused_stays_cancelling_and_is_tried_again(world: World) -> None:
    job_id = await world.add(follow=True)
    await world.clock.pass_time(20, 5)
    world.engine.cancel_works = False
    await world.jobs.cancel(WHO, job_id)
    await rest()
    for _ in range(12):
        row = await world.listed(job_id)
        assert (row.status, row.phase) == (Status.RUNNING, Phase.CANCELLING)
        await world.clock.pass_time(10, 5)
    assert world.engine.cancels >= 4, "it was not tried again"
    world.engine.cancel_works = True

    async def ended() -> bool:
        await world.clock.pass_time(5, 5)
        return (await world.row(job_id)).status.terminal

    await eventually(ended)
    row = await world.row(job_id)
    assert (row.status, row.phase, row.error) == (Status.CANCELLED, Phase.CANCELLED, None)
    assert [event.kind for event in await world.events(job_id)].count("cancelled") == 1


async def test_S06_a_poller_waits_while_the_store_is_locked(tmp_path: Path) -> None:
    """The lock of another program is longer than SQLite waits for it: the job's end is written when it is gone."""
    import sqlite3

    async with tracking(tmp_path / "state") as world:
        job_id = await world.add()
        world.engine.answer = world.done(job_id)
        other = sqlite3.connect(world.store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        world.tracker.follow(job_id)
        await rest()  # its thread waits for the lock as long as SQLite does, then it waits for time
        assert world.tracker.follows(job_id)
        assert (await world.row(job_id)).status is Status.RUNNING
        other.execute("ROLLBACK")
        other.close()

        async def ended() -> bool:
            await world.clock.pass_time(5, 5)
            return (await world.row(job_id)).status is Status.COMPLETED

        await eventually(ended)
