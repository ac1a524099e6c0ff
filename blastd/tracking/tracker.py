"""The owner of all pollers: follow, wake, supervise; and the readers' refresh.

Memory holds only hints. A daemon that is killed loses none: at the next start every active row gets its poller again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial

import structlog

from blastd.aio import Tasks, isolated, owning_tasks
from blastd.clock import Clock
from blastd.core.engine import Engine, Trouble
from blastd.core.ids import JobId
from blastd.core.intervals import Intervals
from blastd.core.model import Gone, Job, Lost
from blastd.errors import StoreBroken
from blastd.metrics import Metrics
from blastd.store import hopeless, jobs
from blastd.store.sqlite import Store
from blastd.tracking.look import Looks
from blastd.tracking.poller import Look, poll

log = structlog.get_logger()

MOST_FAILURES = 10
"""Of one job's poller, each of a minute or more: what fails so often is not of the moment."""
RUN_TIMES_SECONDS = 5.0
"""Between notes of how long searches have run: what a crash forgets at most of a time limit."""
POSITIONS_SECONDS = 0.75  # places in the queue are written for all who wait at once, and true within a second


class Tracker:
    """Follows every active job."""

    def __init__(
        self,
        store: Store,
        engines: Mapping[str, Engine],
        looks: Looks,
        clock: Clock,
        policy: Intervals,
        metrics: Metrics,
    ) -> None:
        """Take the parts; `run` starts the work."""
        self.engines = engines
        self._store, self._looks, self._clock, self._policy, self._metrics = store, looks, clock, policy, metrics
        self._wakes: dict[JobId, asyncio.Event] = {}
        self._tasks: Tasks | None = None
        self._refresh = asyncio.Event()
        self._failures: dict[JobId, int] = {}

    async def run(self) -> None:
        """Follow every active row, then whatever engines and services tell, until cancelled."""
        async with owning_tasks() as tasks:
            self._tasks = tasks
            try:
                await self._follow_all()
                async with asyncio.TaskGroup() as group:
                    for name, engine in self.engines.items():
                        group.create_task(self._listen(engine), name=f"listen-{name}")
                        group.create_task(self._positions(engine), name=f"positions-{name}")
                        group.create_task(self._run_times(engine), name=f"run-times-{name}")
            finally:
                self._tasks = None

    async def _follow_all(self) -> None:
        """Follow every active row, as soon as the store can be read."""
        while True:
            try:
                active = await self._store.read(jobs.active)
                break
            except StoreBroken as error:
                log.warning("tracker_waits", reason=str(error))
                await self._clock.wait(asyncio.Event(), self._policy.fast)
        for job_id in active:
            self.follow(job_id)

    def follow(self, job_id: JobId) -> None:
        """Wake the poller of *job_id*, or start one that looks at once; before `run` it does nothing (`run` will)."""
        wake = self._wakes.setdefault(job_id, asyncio.Event())
        wake.set()
        if self._tasks is not None and f"poll-{job_id}" not in self._tasks:
            self._tasks.start(f"poll-{job_id}", self._supervise(job_id, wake), partial(self._poller_ended, job_id))

    def _poller_ended(self, job_id: JobId, error: BaseException | None) -> None:
        """Forget the poller of *job_id*; one that somebody has called meanwhile (for a retry, say) is followed by another."""
        wake = self._wakes.pop(job_id)
        if wake.is_set() and not isinstance(error, asyncio.CancelledError):
            self.follow(job_id)

    def follows(self, job_id: JobId) -> bool:
        """Tell whether *job_id* has a poller."""
        return self._tasks is not None and f"poll-{job_id}" in self._tasks

    @property
    def pollers(self) -> int:
        """Return how many jobs are followed."""
        return len(self._wakes)

    async def refresh(self, active: Sequence[Job], seconds: float = 0.25) -> bool:
        """Look at the active jobs among *active* for a reader, within the throttle and *seconds* in total.

        Looks that take longer go on behind the reader; none raises. Returns whether there was one.
        """
        due = [job for job in active if not job.status.terminal and self._looks.due(job)]
        if not due or self._tasks is None:
            return False
        for job in due:
            self._tasks.start(f"look-{job.job_id}", self._look_for_reader(job.job_id), self._look_ended)
        try:
            async with asyncio.timeout(seconds):
                for job in due:
                    while f"look-{job.job_id}" in self._tasks:
                        self._refresh.clear()
                        await self._refresh.wait()
        except TimeoutError:
            return True
        return True

    async def look(self, job_id: JobId, by: str) -> Job | Gone | Lost:
        """Look once, now, for reconcile."""
        return await self._looks.look(job_id, by)

    async def clean(self, left: Job) -> None:
        """Have the engine of an ended or removed job let go of what it may still hold, for reconcile."""
        await self._looks.clean(left)

    # ------------------------------------------------------------------ tasks
    async def _look_for_reader(self, job_id: JobId) -> None:
        try:
            await self._looks.look(job_id, "refresh")
        except StoreBroken as error:  # the reader gets the row as it is
            log.info("row_not_refreshed", job_id=job_id, reason=str(error))

    def _look_ended(self, error: BaseException | None) -> None:
        del error  # logged by the owner of the tasks; the reader gets the row as it is
        self._refresh.set()

    async def _supervise(self, job_id: JobId, wake: asyncio.Event) -> None:
        """Run the poller of one job; a failure is logged and counted, and reconcile gives the job a new poller."""

        async def look(identifier: JobId, woken: bool) -> Job | Gone | Lost:  # the shape of Look
            return await self._looks.look(identifier, "poll" if not woken else "watch")

        try:
            await self._poll(job_id, look, wake)
        except Exception as error:
            self._metrics.poller_failures.inc()
            log.exception("poller_failed", job_id=job_id)
            await self._count(job_id, error)
        else:
            self._failures.pop(job_id, None)

    async def _count(self, job_id: JobId, error: Exception) -> None:
        """Count a failure that no rule of the lifecycle knows; a job that fails so again and again ends failed with the cause."""
        number = self._failures[job_id] = self._failures.get(job_id, 0) + 1
        if number < MOST_FAILURES:
            return
        trouble = Trouble(
            code="internal",
            sentence=f"The search could not be followed, {number} times in a row: {type(error).__name__}: {error}"[
                :500
            ],
            remedy="Submit it again; the log of the service has the whole error.",
        )
        now = self._clock.now()
        with isolated("give-up", job_id=job_id):
            await self._store.write(lambda db: hopeless.end(db, job_id, trouble, now))
            self._failures.pop(job_id, None)

    async def _poll(self, job_id: JobId, look: Look, wake: asyncio.Event) -> None:
        """Poll to the end; while the store is full or locked, wait: nothing that the job does is lost meanwhile."""
        while True:
            try:
                await poll(job_id, look, wake, self._clock, self._policy)
                return
            except StoreBroken as error:
                log.warning("poller_waits", job_id=job_id, reason=str(error))
                await self._clock.wait(asyncio.Event(), self._policy.fast)
                wake.set()

    async def _listen(self, engine: Engine) -> None:
        while True:
            self.follow(await engine.changed())

    async def _positions(self, engine: Engine) -> None:
        """Write places in the queue when they changed, all in one transaction."""
        known: Mapping[JobId, int] = {}
        told = False
        while True:
            await asyncio.sleep(POSITIONS_SECONDS)
            now = engine.places()
            news = {job_id: place for job_id, place in now.items() if known.get(job_id) != place}
            if news:
                moment = self._clock.now()
                try:
                    await self._store.write(partial(jobs.set_positions, positions=news, now=moment), of=news)
                except StoreBroken as error:  # a full disk must not stop what runs and what can be read
                    if not told:
                        log.warning("positions_not_written", engine=engine.name, reason=str(error))
                    told = True
                    continue
                told = False
            known = now

    async def _run_times(self, engine: Engine) -> None:
        """Note how long searches have run, so that their time limits hold over a restart."""
        while True:
            await asyncio.sleep(RUN_TIMES_SECONDS)
            if times := engine.run_times():
                with isolated("run-times", engine=engine.name):
                    await self._store.write(partial(jobs.set_run_times, times=times), of=())
