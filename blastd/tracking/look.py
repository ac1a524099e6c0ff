"""One look at a job: observe within the throttle, decide, move; launch or finish when the decision asks for it.

Poller, readers and reconcile all come through here, one at a time per job; the throttle of outside calls is shared by
all of them, and an engine that can't be asked cools down as a whole.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from weakref import WeakValueDictionary

import structlog
from msgspec.structs import replace

from blastd.chance import Chance
from blastd.clock import Clock
from blastd.core import lifecycle
from blastd.core.engine import Engine, Observation, Present, Unknown
from blastd.core.estimate import Pace
from blastd.core.ids import JobId
from blastd.core.intervals import Intervals, backoff, may_look, throttle
from blastd.core.lifecycle import Decision, Next
from blastd.core.model import Change, Gone, Job, Lost, Missed, NotNow, Phase, Unit
from blastd.errors import BlastdError
from blastd.metrics import Metrics
from blastd.store import jobs, leftovers, paces, units
from blastd.store.sqlite import Store
from blastd.tracking.finish import Finisher
from blastd.tracking.launch import Launcher
from blastd.tracking.times import Times

log = structlog.get_logger()

PACE_SECONDS = 15.0  # between looks at how fast searches of a kind were
TRIES = 5  # of a compare-and-swap; each loss means that somebody else moved the job on


class Looks:
    """What is known of when each job was last looked at, and of engines that are away."""

    def __init__(
        self,
        store: Store,
        engines: Mapping[str, Engine],
        launcher: Launcher,
        finisher: Finisher,
        clock: Clock,
        times: Times,
        chance: Chance,
        policy: Intervals,
        metrics: Metrics,
    ) -> None:
        """Take the parts; nothing is asked yet."""
        self._store, self._engines, self._clock, self._policy = store, engines, clock, policy
        self._chance, self._times = chance, times
        self._launcher, self._finisher, self._metrics = launcher, finisher, metrics
        self._last: dict[JobId, float] = {}
        self._settled: dict[JobId, tuple[Job, Observation]] = {}
        self._locks: WeakValueDictionary[JobId, asyncio.Lock] = WeakValueDictionary()
        self._failures: dict[str, int] = {}
        self._cool_until: dict[str, float] = {}
        self._away: dict[str, Unknown] = {}
        self._paces: dict[tuple[str, str, str], tuple[float, Pace]] = {}

    async def look(self, job_id: JobId, by: str) -> Job | Gone | Lost:
        """Bring the row of *job_id* up to date and return it; *by* as in `observed_by`.

        Missed.GONE: there is no such job. Missed.LOST: others moved it all the time, and the news is still to be told.
        """
        lock = self._locks.setdefault(job_id, asyncio.Lock())
        async with lock:
            for _ in range(TRIES):
                job, its_units = await self._read(job_id)
                if job is None or job.status.terminal:
                    self.forget(job_id)
                    return job or Missed.GONE
                moved = await self._advance(job, its_units, by)
                if moved is not Missed.LOST:
                    return moved
                self._last.pop(job_id, None)  # what was asked has told nobody anything
            return Missed.LOST

    async def _pace(self, job: Job, seen: Observation) -> Pace:
        """Return how fast searches of the kind of *job* were of late, for one that begins to run or goes on."""
        if not isinstance(seen, Present) or seen.ended or seen.phase is not Phase.RUNNING:
            return Pace()
        kind, now = (job.engine, job.program, job.task), self._clock.monotonic()
        until, pace = self._paces.get(kind, (0.0, Pace()))
        if until <= now:
            pace = await self._store.read_few(lambda db: paces.pace(db, job))
            self._paces[kind] = (now + PACE_SECONDS, pace)
        return pace

    async def _read(self, job_id: JobId) -> tuple[Job | None, list[Unit]]:
        return await self._store.read_few(lambda db: (jobs.get(db, job_id), units.of_job(db, job_id)))

    def due(self, job: Job) -> bool:
        """Tell whether a look at *job* is allowed now and may find something.

        Where a glance serves, it finds nothing when the row says already what the glance does, and when a look that the
        engine's push has called is under way. Else the throttle decides.
        """
        engine = self._engines.get(job.engine)
        seen = engine.glance(job) if engine is not None else None
        if seen is None:
            return may_look(job.phase, self._last.get(job.job_id), self._clock.monotonic(), self._policy)
        lock = self._locks.get(job.job_id)
        if lock is not None and lock.locked():
            return False
        return self._settled.get(job.job_id) != _without_place(job, seen)

    def forget(self, job_id: JobId) -> None:
        """Drop what is known of a job that has ended."""
        self._last.pop(job_id, None)
        self._settled.pop(job_id, None)
        self._times.forget(job_id)

    # ------------------------------------------------------------------ steps of a look
    async def _advance(self, job: Job, its_units: list[Unit], by: str) -> Job | Gone | Lost:
        engine = self._engines.get(job.engine)
        if engine is None:
            unknown = Unknown(reason=f"The {job.engine} engine is switched off in this daemon's configuration.")
            return await self._apply(job, its_units, unknown, by)
        if job.phase is Phase.CANCELLING:
            return await self._cancel(engine, job)
        seen = engine.glance(job)
        if job.phase in lifecycle.BEFORE_SUBMIT and not isinstance(seen, Present):
            launched = await self._launcher.launch(engine, job, its_units)
            if launched is Missed.LOST or launched.status.terminal:
                return launched
            job, seen = launched, engine.glance(launched)
            if seen is None and launched.phase not in lifecycle.BEFORE_SUBMIT:
                self._put_off(launched)
            if seen is None or (launched.phase in lifecycle.BEFORE_SUBMIT and not isinstance(seen, Present)):
                return launched  # not taken: the row says why; or taken a moment ago
        if seen is not None:
            self._back(engine.name)
            return await self._apply(job, its_units, seen, engine.pushed_by)
        answer = await self._observe(engine, job)
        return job if answer is Missed.NOT_NOW else await self._apply(job, its_units, answer, by)

    def _put_off(self, job: Job) -> None:
        """Let the first look at a job that was handed over now be allowed when it is due, not sooner and not later."""
        sooner = throttle(job.phase, self._policy) - self._policy.first_look
        self._last[job.job_id] = self._clock.monotonic() - sooner

    async def _observe(self, engine: Engine, job: Job) -> Observation | NotNow:
        """Ask the engine within the throttle and the cool-down of the whole engine."""
        now = self._clock.monotonic()
        away = self._away.get(engine.name)
        if away is not None and now < self._cool_until.get(engine.name, 0.0):
            return away
        if not may_look(job.phase, self._last.get(job.job_id), now, self._policy):
            return away or Missed.NOT_NOW
        self._last[job.job_id] = now
        begin = self._clock.monotonic()
        seen = await engine.observe(job)
        self._metrics.engine_call_seconds.labels(engine=engine.name, operation="observe").observe(
            self._clock.monotonic() - begin
        )
        self._metrics.engine_calls.labels(
            engine=engine.name, operation="observe", outcome=type(seen).__name__.lower()
        ).inc()
        if isinstance(seen, Unknown):
            failures = self._failures[engine.name] = self._failures.get(engine.name, 0) + 1
            self._cool_until[engine.name] = now + backoff(failures, self._policy, self._chance.share())
            if away is None:
                log.warning("engine_lost", engine=engine.name, reason=seen.reason)
            since = away.since if away is not None else self._clock.now()
            self._away[engine.name] = Unknown(reason=seen.reason, since=seen.since or since)
            return self._away[engine.name]
        self._back(engine.name)
        return seen

    def _back(self, name: str) -> None:
        """Forget that an engine was away: the next time has its own reason, beginning and cool-down."""
        if self._away.pop(name, None) is not None:
            self._failures.pop(name, None)
            self._cool_until.pop(name, None)
            log.info("engine_back", engine=name)

    async def _apply(self, job: Job, its_units: list[Unit], seen: Observation, by: str) -> Job | Gone | Lost:
        """Decide and move, again while somebody else was faster: what was seen is told in the end."""
        for _ in range(TRIES):
            now = self._times.now(job)
            decision = lifecycle.decide(job, its_units, seen, now, by, await self._pace(job, seen))
            if decision.next is Next.LAUNCH:
                engine = self._engines[job.engine]
                launched = await self._launcher.launch(engine, job, its_units)
                taken = None if launched is Missed.LOST or launched.status.terminal else engine.glance(launched)
                if launched is Missed.LOST or not isinstance(taken, Present):
                    return launched
                job, seen, by = launched, taken, engine.pushed_by  # after a restart it waits for a slot again, say
                continue
            if decision.next is Next.FINISH:
                moved = await self._finish(job, its_units, decision, seen, by)
            else:
                moved = await self._move(job, decision, now)
                if moved is job:
                    self._settled[job.job_id] = _without_place(job, seen)
            if moved is not Missed.LOST:
                if decision.next is Next.AGAIN:
                    await self._let_go(job)
                    return Missed.LOST  # a job of another attempt: look at that
                await self._after(moved)
                return moved
            again, its_units = await self._read(job.job_id)
            if again is None or again.status.terminal:
                return again or Missed.GONE
            job = again
        return Missed.LOST

    async def _move(self, job: Job, decision: Decision, now: datetime) -> Job | Lost:
        change = decision.change
        if change is None and not decision.units:
            return job
        if change is None:
            change = Change(kind="progress")
        moved = await self._store.write(lambda db: jobs.move(db, job, change, now, decision.units))
        if moved is not Missed.LOST:
            log.info("job_moved", job_id=moved.job_id, kind=change.kind, status=moved.status, phase=moved.phase)
        return moved

    async def _finish(
        self, job: Job, its_units: list[Unit], decision: Decision, seen: Observation, by: str
    ) -> Job | Lost:
        merged = {unit.index: unit for unit in its_units} | {unit.index: unit for unit in decision.units}
        complete = [merged[index] for index in sorted(merged)]
        version = seen.blast_version if isinstance(seen, Present) else None
        return await self._finisher.finish(self._engines[job.engine], job, complete, decision, version, by)

    async def _cancel(self, engine: Engine, job: Job) -> Job | Lost:
        if not await engine.cancel(job):
            return job
        await self._tidy(job)
        now = self._times.now(job)
        moved = await self._move(job, Decision(change=lifecycle.cancelled(job, now)), now)
        if moved is not Missed.LOST:
            await self._after(moved)
        return moved

    async def _after(self, job: Job) -> None:
        """Let the engine drop what it holds of an ended job; what fails here is repeated by reconcile."""
        if not job.status.terminal:
            return
        self.forget(job.job_id)
        await self._let_go(job)
        engine = self._engines.get(job.engine)
        if engine is not None and engine.outlives:
            await self._tidy(job)  # what a killed daemon was fetching

    async def _tidy(self, job: Job) -> None:
        """Remove what was left half made of a job of which nothing runs any more."""
        try:
            await self._launcher.tidy(job)
        except OSError as error:  # its files go with the job at the latest
            log.warning("job_not_tidied", job_id=job.job_id, reason=str(error))

    async def clean(self, left: Job) -> None:
        """Have the engine let go of an ended or removed job of which it may still hold something."""
        job_id = left.job_id
        lock = self._locks.setdefault(job_id, asyncio.Lock())
        async with lock:  # a retry must not lose what it has just made
            job = await self._store.read_few(lambda db: jobs.get(db, job_id))
            if job is not None and not job.status.terminal:
                await self._store.write(lambda db: leftovers.remove(db, job_id), of=())
                return
            await self._let_go(job or left, recorded=True)

    async def _let_go(self, job: Job, *, recorded: bool = False) -> None:
        engine = self._engines.get(job.engine)
        if engine is None:
            return
        try:
            gone = await engine.forget(job)
        except (BlastdError, OSError) as error:
            log.warning("engine_forget_failed", job_id=job.job_id, engine=job.engine, reason=str(error))
            return
        if gone and (recorded or job.engine in leftovers.OUTSIDE):
            await self._store.write(lambda db: leftovers.remove(db, job.job_id), of=())


def _without_place(job: Job, seen: Observation) -> tuple[Job, Observation]:
    """Return row and observation without the place in the queue, which moves with every search that starts."""
    still = replace(job, version=0, updated_at=job.created_at, queue_position=None)
    return still, replace(seen, queue_position=None) if isinstance(seen, Present) else seen
