"""A repeated search is answered from the stored result: a new job that is completed at once and shares the files.

Files are shared by hard links, so that each job can be deleted alone. A stored result that is no longer whole, by its
checksums, or whose databases were overwritten in place meanwhile, is not reused: the search then runs. What was derived
from the files (the index of hits) has no checksum, so that it is not shared but made again.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import structlog
from msgspec.structs import replace

from blastd.aio import News, by_size, duty
from blastd.blastplus.pins import Pins
from blastd.clock import Clock
from blastd.core.ids import JobId, Owner
from blastd.core.model import Artifact, Frozen, Job, Phase, Status, Step, StepStatus, Unit
from blastd.durable import flush_folder
from blastd.errors import ResultGone
from blastd.service.results.intact import Intact
from blastd.store import artifacts, jobs, units
from blastd.store.files import ASCII_QUERY, QUERY, Files
from blastd.store.sqlite import Store

log = structlog.get_logger()

QUERY_FILES = (QUERY, ASCII_QUERY)


class Reused(Frozen, frozen=True, kw_only=True):
    """A job that is completed before it began, with what belongs to it."""

    job: Job
    units: tuple[Unit, ...]
    artifacts: tuple[Artifact, ...]


class Reuse:
    """Finds and shares results of equal searches."""

    def __init__(
        self, store: Store, files: Files, clock: Clock, pins: Pins, intact: Intact, completed: News[JobId]
    ) -> None:
        """Take the parts; *completed* is told of every job that is."""
        self._store, self._files, self._clock, self._pins, self._intact = store, files, clock, pins, intact
        self._completed = completed

    async def find(self, owner: Owner, key: str) -> Job | None:
        """Return the newest completed job of *owner* with the same search."""
        return await self._store.read_few(lambda db: jobs.reusable(db, owner, key))

    async def take(self, same: Job, job: Job) -> Reused | None:
        """Make *job* a completed one with the results of *same*, files included; None if they are not whole."""
        its_units, its_artifacts = await self._store.read(
            lambda db: (units.of_job(db, same.job_id), artifacts.of_job(db, same.job_id))
        )
        folder, source = self._files.job_folder(job.job_id), self._files.job_folder(same.job_id)
        if not its_artifacts or await self._pins.changed(same.databases) is not None:
            return None
        if not await by_size(
            sum(each.size_bytes for each in its_artifacts), self._share, same, source, folder, its_artifacts
        ):
            await duty(self._files.remove_job, job.job_id)
            return None
        now = self._clock.now()
        done = replace(
            job,
            status=Status.COMPLETED,
            phase=Phase.COMPLETED,
            updated_at=now,
            finished_at=now,
            steps=tuple(_skipped(step, same) for step in job.steps),
            units_total=same.units_total,
            units_done=same.units_total,
            blast_version=same.blast_version,
            warnings=(*job.warnings, *(warned for warned in same.warnings if warned.source == "blast")),
            plan_why=same.plan_why,
            hits=same.hits,
            limit_reached=same.limit_reached,
            reused_from=same.reused_from or same.job_id,
            standins=same.standins,
        )
        return Reused(
            job=done,
            units=tuple(replace(unit, job_id=job.job_id, started_at=None, ended_at=None) for unit in its_units),
            artifacts=tuple(replace(artifact, job_id=job.job_id, created_at=now) for artifact in its_artifacts),
        )

    def committed(self, job: Job) -> None:
        """Tell that the row of a job that `take` made is stored, so that its hits are indexed before somebody looks."""
        self._completed.tell(job.job_id)

    def _share(self, same: Job, source: Path, folder: Path, its_artifacts: Sequence[Artifact]) -> bool:
        """Link the files of *same* into the folder of another job; False if one of them is not whole. Blocking."""
        try:
            self._intact.check(source, its_artifacts)
            self._intact.check_query(source / QUERY, same.query.sha256)
        except ResultGone as error:
            log.warning("stored_result_not_reused", job_id=same.job_id, reason=str(error))
            return False
        return share(source, folder, its_artifacts)


def share(source: Path, folder: Path, its_artifacts: Sequence[Artifact]) -> bool:
    """Link the files of a job into the folder of another; False if one is missing or can't be linked. Blocking."""
    for part in (folder, folder / "units", folder / "results"):
        part.mkdir(mode=0o700, exist_ok=True)
    for artifact in its_artifacts:
        try:
            (folder / artifact.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.link(source / artifact.path, folder / artifact.path)
        except OSError:  # removed meanwhile, or a file system without hard links: the search runs
            return False
    try:
        for name in QUERY_FILES:
            if (source / name).exists():
                os.link(source / name, folder / name)
    except OSError:  # as above
        return False
    for part in (folder / "units", folder / "results", folder, folder.parent):
        flush_folder(part)
    return (folder / QUERY_FILES[0]).exists()


def _skipped(step: Step, same: Job) -> Step:
    reason = f"the stored result of job {same.short_id} was reused"
    return replace(step, status=StepStatus.SKIPPED, skip_reason=reason)
