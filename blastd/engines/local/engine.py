"""The local engine: units as BLAST+ processes on this machine, whose turns come with those of all other work (`blastd.turns`).

It holds what it knows in memory. After a restart it knows nothing and says so (`Absent`, resumable): the tracker
hands the missing units over again. Output gets its name only after exit code 0, so half a file never counts.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import structlog
from msgspec.structs import replace

from blastd.aio import News, Tasks, owning_tasks
from blastd.blastplus import process
from blastd.blastplus.tools import Build
from blastd.chance import Chance, SystemChance
from blastd.clock import Clock, Steady
from blastd.core import sharing, steps
from blastd.core.engine import (
    Absent,
    Capacity,
    External,
    Health,
    Observation,
    Present,
    StepReport,
    Trouble,
    UnitReport,
    Work,
)
from blastd.core.ids import JobId
from blastd.core.model import Frozen, Job, Phase, StepName, Unit, UnitState
from blastd.core.schedule import Claim, SlotLane, Started, Urgency
from blastd.durable import SCARCE
from blastd.engines.local import units
from blastd.engines.local.held import LocalJob, RunTime, UnitRun
from blastd.engines.local.pieces import piece_of, shard_major
from blastd.engines.local.residents import Residents, ResidentSettings
from blastd.engines.local.shared import SharedProcess
from blastd.errors import BlastdError, Exhausted
from blastd.turns import Turns

log = structlog.get_logger()

PAUSE_SECONDS = 1.0  # until something is started again after the machine had no room for it
ROUGH_SECONDS = 60.0  # for which searches of a kind run alone after a common process of theirs did not go smoothly
NOT_NEEDED = "not needed on this machine"
ENDING = Trouble(
    code="attempt_ending",
    sentence="The attempt before this one has not ended yet.",
    remedy="The search starts by itself then.",
    retryable=True,
)
SKIPPED = tuple(
    StepReport(name=name, skip_reason=NOT_NEEDED)
    for name in (StepName.WARMING_UP, StepName.CONFIGURING, StepName.STAGING_DB)
)


class LocalEngineSettings(Frozen, frozen=True, kw_only=True):
    """How the engine uses this machine. `programs` maps a BLAST+ program to its path."""

    threads: int = 0
    shards: int = 1
    together: int = 1
    nice: int
    programs: Mapping[str, str]
    environment: Mapping[str, str]
    blast_version: str
    residents: ResidentSettings = ResidentSettings()


class LocalEngine:
    """Runs units as child processes; made by the daemon, used through `core.engine.Engine`."""

    name = "local"
    outlives = False
    pushed_by = "process"

    def __init__(
        self,
        settings: LocalEngineSettings,
        state_dir: Path,
        clock: Clock,
        turns: Turns,
        processes: process.Processes = process.SYSTEM,
        build_of: Callable[[str], Awaitable[Build]] | None = None,
        chance: Chance | None = None,
    ) -> None:
        """Take settings; *state_dir* marks children, so that a restart finds those that this daemon left, *turns* say which unit is next.

        *processes* starts them. *build_of* asks a program what it is now; without it the version of the settings counts.
        """
        self._settings = settings
        self._clock = clock
        self._turns, self._slots = turns, turns.schedule
        self._held: dict[JobId, LocalJob] = {}
        self._news = News[JobId]()
        self._tasks: Tasks | None = None
        self._rough: dict[Hashable, float] = {}
        self.residents = Residents(settings.residents, processes, clock, chance or SystemChance())
        self._machine = units.Machine(
            programs=dict(settings.programs),
            environment=dict(settings.environment) | {process.MARK: str(state_dir)},
            nice=settings.nice,
            clock=clock,
            processes=processes,
            numbers=count(1),
            build_of=build_of or self._settings_build,
        )

    async def _settings_build(self, program: str) -> Build:
        del program
        return Build(version=self._settings.blast_version)

    async def run(self) -> None:
        """Own the tasks of running units until cancelled, and longer the processes that stay."""
        async with owning_tasks() as keepers, owning_tasks() as tasks:
            keepers.start("residents", self.residents.run())
            self._tasks = tasks
            for held in self._held.values():
                self._queue(held)
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None
                for job_id in self._held:
                    self._turns.drop(job_id)

    async def changed(self) -> JobId:
        """Wait for the next job that something new is known of."""
        return await self._news.next()

    async def submit(self, work: Work) -> Trouble | None:
        """Queue the units of *work*; harmless when the job is held already."""
        job = work.job
        held = self._held.get(job.job_id)
        if held is not None and held.work.job.attempt == job.attempt:
            return None
        if held is not None and not await self.cancel(job):
            return ENDING
        reports = {
            unit.index: UnitReport(index=unit.index, state=UnitState.WAITING, attempt=unit.attempt + 1)
            for unit in work.units
            if unit.state is not UnitState.DONE
        }
        time = Steady(self._clock, steps.latest(job.steps, job.created_at))
        held = LocalJob(work, time, reports, RunTime(job.ran_ms / 1000))
        self._held[job.job_id] = held
        if self._tasks is not None:
            self._queue(held)
        self._news.drop(job.job_id)  # who hands it over looks at once
        return None

    def _queue(self, held: LocalJob) -> None:
        """Let the units of a job that have not ended wait for their turns."""
        work, job = held.work, held.work.job
        missing = [unit for unit in work.units if unit.index in held.reports]
        claim = Claim(
            work_id=job.job_id,
            owner=job.owner,
            urgency=Urgency.PROGRAM if job.watch is None else Urgency.BACKGROUND,
            priority=job.priority,
            kind=sharing.kind_of(work) if missing else None,
        )
        done = [unit.index for unit in work.units if unit.state is UnitState.DONE]
        missing.sort(key=shard_major)
        self._turns.add(claim, [piece_of(work, unit) for unit in missing], partial(self._start_turn, held), done)

    async def observe(self, job: Job) -> Observation:
        """Say what is known of *job*; this engine always knows."""
        return self.glance(job)

    def glance(self, job: Job) -> Observation:
        """Say what is known of *job*."""
        held = self._held.get(job.job_id)
        if held is None or held.work.job.attempt != job.attempt:
            return Absent(reason="This daemon has not started it yet.", resumable=True)
        reports = tuple(held.reports.values())
        ended = not held.tasks and (
            held.trouble is not None or held.cancelled or all(report.state is UnitState.DONE for report in reports)
        )
        begun = ended or any(report.started_at is not None for report in reports)
        return Present(
            phase=Phase.RUNNING if begun else Phase.QUEUED,
            units=reports,
            ended=ended,
            trouble=held.trouble if ended else held.waits,
            waiting_for=None if begun else "slot",
            queue_position=None if begun else self._slots.place(job.job_id),
            steps=SKIPPED,
            blast_version=next((it.blast_version for it in reversed(reports) if it.blast_version), None),
        )

    async def collect(self, job: Job, folder: str) -> Trouble | None:
        """Nothing to bring: outputs are written where they belong."""
        del job, folder
        return None

    async def cancel(self, job: Job) -> bool:
        """Kill every process of *job* and wait until they are gone."""
        held = self._held.get(job.job_id)
        if held is None:
            return True
        held.cancelled = True
        self._turns.drop(job.job_id)
        self._kill(held)
        try:
            async with asyncio.timeout(10):
                while held.tasks:
                    held.idle.clear()
                    await held.idle.wait()
        except TimeoutError:
            return False
        return True

    async def forget(self, job: Job) -> bool:
        """Drop what is known of an ended *job*, once nothing of it runs."""
        held = self._held.get(job.job_id)
        if held is not None and held.work.job.attempt <= job.attempt:
            if not await self.cancel(job):
                return False
            if self._held.get(job.job_id) is held:
                del self._held[job.job_id]
        self._news.drop(job.job_id)
        return True

    async def externals(self) -> Sequence[External]:
        """Nobody else starts units here."""
        return ()

    def places(self) -> Mapping[JobId, int]:
        """Return the places of the jobs that wait for a slot, among all work that does."""
        waiting = enumerate(self._slots.waiting(), 1)
        return {JobId(work_id): place for place, work_id in waiting if work_id in self._held}

    def run_times(self) -> Mapping[JobId, int]:
        """Return how many milliseconds each job has run that runs now."""
        now = self._clock.monotonic()
        return {job_id: round(held.run_time.seconds(now) * 1000) for job_id, held in self._held.items() if held.tasks}

    def health(self) -> Health:
        """Say how many slots are used."""
        return Health(
            ok=True,
            capacity=Capacity(
                at_once=self._slots.total,
                threads=self._settings.threads,
                shards=self._settings.shards or None,
                slots=self._slots.total,
                slots_busy=self._slots.used,
                units=self._slots.running,
                jobs=len(self._held),
            ),
        )

    # ------------------------------------------------------------------ running units
    def _tell(self, job_id: JobId) -> None:
        self._news.tell(job_id)

    def _start_turn(self, held: LocalJob, started: Started) -> None:
        """Start a unit whose turn has come, and with it others that may share its process."""
        if self._tasks is None:  # it is closing: all that waits was dropped
            return
        unit = held.units[started.index]
        kind = self._kind(held)
        smooth = kind is not None and self._clock.monotonic() >= self._rough.get(kind, 0.0)
        others = self._turns.join(started, self._settings.together if smooth else 1)
        stays = smooth and self._settings.residents.most > 0 and sharing.stays(held.work)
        if not others and not stays:
            self._start(self._tasks, held, unit, started.lane)
            return
        members = [(held, unit.index), *((self._held[JobId(it.work_id)], it.index) for it in others)]
        work = held.work
        name = f"shared-{work.job.job_id}-{work.job.attempt}"
        shared = SharedProcess(
            self._machine_for(held, started.lane),
            self.residents,
            [(its.work, its.units[index]) for its, index in members],
            partial(self._tasks.cancel, name),
        )
        self._tasks.start(name, shared.run(), partial(self._shared_ended, shared, kind))
        for its, index in members:
            self._start(self._tasks, its, its.units[index], started.lane, shared)

    def _machine_for(self, held: LocalJob, lane: SlotLane) -> units.Machine:
        """Return the machine for a unit of a job: one on the express lane is not nice, so that it is over soon."""
        nice = 0 if lane is SlotLane.EXPRESS else self._machine.nice
        return replace(self._machine, clock=held.time, nice=nice, until=held.until())

    def _start(
        self, tasks: Tasks, held: LocalJob, unit: Unit, lane: SlotLane, shared: SharedProcess | None = None
    ) -> None:
        name = f"unit-{held.work.job.job_id}-{held.work.job.attempt}-{unit.index}"
        report = UnitReport(
            index=unit.index, state=UnitState.RUNNING, attempt=unit.attempt + 1, started_at=held.time.now()
        )
        held.tasks[name] = None
        held.run_time.begin(self._clock.monotonic())
        held.reports[unit.index] = report
        self._tell(held.work.job.job_id)
        run = UnitRun(held, unit, report, name, lane)
        ended = partial(self._unit_ended, run)
        tasks.start(name, self._unit(run, shared), ended if shared is None else partial(shared.left, ended))

    def _kind(self, held: LocalJob) -> Hashable | None:
        """Return what searches have in common that one process may do, so that what was rough for one is so for all; None: it runs alone."""
        kind = sharing.kind_of(held.work)
        return None if kind is None else (kind, held.work.job.owner)

    def _shared_ended(self, shared: SharedProcess, kind: Hashable, error: BaseException | None) -> None:
        """Let the searches of a common process go on, whatever became of it."""
        shared.ended(error)
        now = self._clock.monotonic()
        self._rough = {other: until for other, until in self._rough.items() if until > now}
        if shared.rough:
            self._rough[kind] = now + ROUGH_SECONDS

    async def _unit(self, run: UnitRun, shared: SharedProcess | None) -> None:
        work = run.held.work
        try:
            if shared is None:
                machine = self._machine_for(run.held, run.lane)
                run.report = await units.run(machine, work, run.unit, run.report)
            else:
                run.report = await shared.report(work, run.unit, run.report)
        except Exhausted as error:
            run.waits = units.waiting(error)
        except BlastdError as error:  # BLAST+ itself can't be asked
            run.report = units.failed(run.report, Trouble(code=error.code, sentence=str(error), retryable=True))
        except OSError as error:
            trouble = units.trouble_of(work.job.program, work.folder, error)
            if error.errno in SCARCE:
                run.waits = trouble
            else:
                run.report = units.failed(run.report, trouble)

    def _unit_ended(self, run: UnitRun, error: BaseException | None) -> None:
        """Keep the report of a unit and give its slots back: called once, also for one that never began."""
        held, job_id, report = run.held, run.held.work.job.job_id, run.report
        if isinstance(error, asyncio.CancelledError):
            report = UnitReport(
                index=report.index, state=UnitState.CANCELLED, attempt=report.attempt, ended_at=held.time.now()
            )
        elif error is not None:
            report = units.failed(report, units.broken(error))
        again = run.waits is not None and error is None and not held.cancelled and held.trouble is None
        if again:
            report = UnitReport(index=report.index, state=UnitState.WAITING, attempt=report.attempt)
            self._pause(run)
        elif run.waits is not None:
            report = UnitReport(index=report.index, state=UnitState.CANCELLED, attempt=report.attempt)
        held.reports[run.unit.index], held.waits = report, run.waits if again else None
        del held.tasks[run.name]
        held.run_time.end(self._clock.monotonic())
        failing = report.state is UnitState.FAILED and held.trouble is None
        if failing:
            held.trouble = report.trouble
            self._turns.drop(job_id)  # one failed unit fails the search: its others would compute for nothing
        done = report.state is UnitState.DONE
        piece = piece_of(held.work, run.unit) if again else None
        self._turns.free(job_id, run.unit.index, done=done, again=piece)
        if failing:
            self._kill(held)
        held.idle.set()
        self._tell(job_id)

    def _pause(self, run: UnitRun) -> None:
        """Start nothing for a while: the machine has no room."""
        log.warning("unit_waits", job_id=run.held.work.job.job_id, unit=run.unit.index, reason=run.waits)
        self._turns.pause(True)
        if self._tasks is not None:
            self._tasks.start("pause", asyncio.sleep(PAUSE_SECONDS), self._go_on)

    def _go_on(self, error: BaseException | None) -> None:
        """End a pause, or be told that one was under way already."""
        if error is None or self._tasks is None:
            self._turns.pause(False)

    def _kill(self, held: LocalJob) -> None:
        for name in held.tasks:
            if self._tasks is not None:
                self._tasks.cancel(name)
