"""From queued to handed over, intent first: the row says `submitting` before anything is made that outlives the daemon.

Everything here may be repeated after a crash at any point: files of the job folder are made again, and engines take a
job of the same attempt only once.
"""

from collections.abc import Sequence
from math import inf
from pathlib import Path

import structlog
from msgspec.structs import replace

from blastd.aio import duty
from blastd.blastplus import command
from blastd.blastplus.layout import cuts_of
from blastd.blastplus.pins import Pins
from blastd.clock import Clock
from blastd.core import lifecycle
from blastd.core.engine import Engine, Prepares, Present, Trouble, Work
from blastd.core.model import Change, Frozen, Job, Lost, Missed, Unit
from blastd.core.tabular import rich_spec
from blastd.durable import of_machine
from blastd.errors import BlastdError, Exhausted
from blastd.store import jobs
from blastd.store.files import ASCII_QUERY, QUERY, Files
from blastd.store.sqlite import Store
from blastd.tracking.times import Times

log = structlog.get_logger()


class LaunchSettings(Frozen, frozen=True, kw_only=True):
    """Limits of a search, for engines that have none of their own; None: no limit."""

    time_limit_seconds: float
    memory_limit_bytes: int | None


class Launcher:
    """Makes the Work of a job and hands it to its engine."""

    def __init__(
        self, store: Store, files: Files, pins: Pins, clock: Clock, times: Times, settings: LaunchSettings
    ) -> None:
        """Take the parts."""
        self._store, self._files, self._pins, self._times, self._settings = store, files, pins, times, settings
        self._begun = clock.now()

    async def launch(self, engine: Engine, job: Job, its_units: Sequence[Unit]) -> Job | Lost:
        """Hand *job* with its units over and return its row; Missed.LOST when somebody else moved it on."""
        work = await self._prepared(engine, job, its_units)
        if isinstance(work, Work) and engine.outlives and lifecycle.intends(job):
            intended = await self._move(job, lifecycle.submitting(job, self._times.now(job)))
            if intended is Missed.LOST:
                return Missed.LOST
            job, work = intended, replace(work, job=intended)
        begun = self._times.now(job)
        trouble = await engine.submit(work) if isinstance(work, Work) else work
        now = self._times.now(job)
        if trouble is not None and not trouble.retryable:
            return await self._move(job, lifecycle.failed(job, trouble, now, "process"))
        if trouble is not None:
            change = lifecycle.waiting(job, trouble, now)
            return job if change is None else await self._move(job, change)
        if isinstance(engine.glance(job), Present):
            return job  # what the engine says of it follows at once and makes the next move
        return await self._move(job, lifecycle.handed_over(job, begun, now))

    async def tidy(self, job: Job) -> None:
        """Remove half files that a crash left of *job*, of which nothing runs. Raises OSError."""
        await duty(self._files.tidy_units, job.job_id)

    async def _prepared(self, engine: Engine, job: Job, its_units: Sequence[Unit]) -> Work | Trouble:
        """Return what the engine is given, or why it can't be now."""
        try:
            if job.attempt > 1 or job.created_at < self._begun:  # else nothing of it was begun before
                await duty(self._files.make_units, job.job_id)
                await self.tidy(job)
            work = await self._work(job, its_units)
        except BlastdError as error:
            return Trouble(code=error.code, sentence=str(error), retryable=isinstance(error, Exhausted))
        except OSError as error:
            if isinstance(ours := of_machine(error), Exhausted):
                return Trouble(code=ours.code, sentence=str(ours), retryable=True)
            return Trouble(
                code="store_broken",
                sentence=f"The files of the job could not be prepared: {error}.",
                remedy="Check free disk space and the rights of the state folder.",
                retryable=True,
            )
        trouble = await engine.prepare(work) if isinstance(engine, Prepares) else None
        return work if trouble is None else trouble

    async def _work(self, job: Job, its_units: Sequence[Unit]) -> Work:
        folder = self._files.job_folder(job.job_id)
        placed = await self._pins.place(job.databases, folder)
        writes = bool(command.list_files(job.options))
        arguments = await duty(command.arguments, job, folder) if writes else command.arguments(job, folder)
        shards = max((unit.shard + 1 for unit in its_units if unit.shard is not None), default=0)
        cuts = await duty(cuts_of, placed.layout, shards) if shards and placed.layout is not None else ()
        return Work(
            job=job,
            units=its_units,
            folder=str(folder),
            query_path=str(query_for_blast(folder, job)),
            databases=placed.databases,
            run_folder=placed.run_folder,
            database_argument=placed.argument,
            arguments=arguments,
            rich_format=rich_spec(job.program, job.options),
            time_limit_seconds=min(self._settings.time_limit_seconds, job.time_limit_seconds or inf),
            memory_limit_bytes=self._settings.memory_limit_bytes,
            layout=placed.layout,
            cuts=cuts,
            taxonomy=placed.taxonomy,
        )

    async def _move(self, job: Job, change: Change) -> Job | Lost:
        now = self._times.now(job)
        return await self._store.write(lambda db: jobs.move(db, job, change, now))


def query_for_blast(folder: Path, job: Job) -> Path:
    """Return the FASTA that BLAST+ reads: the submitted one, or the one with ASCII stand-ins that submit made."""
    return folder / (ASCII_QUERY if job.standins else QUERY)
