"""From the last unit's end to completed: collect, check every output, count, and only then move the row."""

from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from blastd.aio import News, by_size, duty
from blastd.blastplus.pins import Pins
from blastd.core import lifecycle
from blastd.core.engine import Engine, Trouble
from blastd.core.ids import JobId
from blastd.core.lifecycle import Decision
from blastd.core.model import Artifact, Change, Job, Lost, Missed, Phase, Status, Unit, UnitKind, UnitState
from blastd.durable import of_machine
from blastd.errors import BlastdError, Exhausted
from blastd.metrics import Metrics
from blastd.results.assemble import Assembled, assemble
from blastd.store import jobs
from blastd.store.files import Files
from blastd.store.sqlite import Store
from blastd.tracking.times import Times

log = structlog.get_logger()

MEDIA_TYPE = "text/tab-separated-values; charset=utf-8"


def foreign(job: Job) -> bool:
    """Tell whether somebody else started *job*: which databases it searched is not known, and its results are not here."""
    return job.source == "external"


class Finisher:
    """Completes jobs whose units have all ended well."""

    def __init__(
        self, store: Store, files: Files, pins: Pins, times: Times, metrics: Metrics, completed: News[JobId]
    ) -> None:
        """Take the parts; *completed* is told of every job that is."""
        self._store, self._files, self._pins, self._times, self._metrics = store, files, pins, times, metrics
        self._completed = completed

    async def finish(
        self, engine: Engine, job: Job, its_units: Sequence[Unit], decision: Decision, version: str | None, by: str
    ) -> Job | Lost:
        """Complete *job*, or say what is missing; returns the row, Missed.LOST when somebody else moved it on.

        `completed` is written only after every unit's output was read whole and its checksum compared.
        """
        folder = self._files.job_folder(job.job_id)
        trouble = await engine.collect(job, str(folder))
        if trouble is not None:
            return await self._pending(job, its_units, decision, trouble)
        if engine.outlives and not foreign(job):  # what a killed daemon was fetching
            await duty(self._files.tidy_units, job.job_id)
        try:
            changed = None if foreign(job) else await self._pins.changed(job.databases, job.created_at)
            if changed is not None:
                return await self._fail(job, its_units, changed, by)
            size = sum(unit.output_bytes or 0 for unit in its_units)
            assembled = await by_size(size, assemble, folder, job, its_units)
        except (OSError, Exhausted) as error:
            return await self._pending(job, its_units, decision, _kept_away(error))
        except BlastdError as error:
            remedy = "Retry the search; if it happens again, check the disk."
            return await self._fail(job, its_units, Trouble(code=error.code, sentence=str(error), remedy=remedy), by)
        for trouble in assembled.refuted.values():  # nothing of it is kept: a retry runs all of it again
            refuted = [replace(unit, state=UnitState.FAILED, error_code=trouble.code) for unit in its_units]
            return await self._fail(job, refuted, trouble, by)
        return await self._complete(job, its_units, decision, assembled, version, by)

    async def _complete(
        self,
        job: Job,
        its_units: Sequence[Unit],
        decision: Decision,
        assembled: Assembled,
        version: str | None,
        by: str,
    ) -> Job | Lost:
        now = self._times.now(job)
        artifacts = [
            Artifact(
                job_id=job.job_id,
                name=f"units/{unit.index}",
                path=f"units/{unit.index}.out",
                media_type=MEDIA_TYPE,
                size_bytes=unit.output_bytes or 0,
                sha256=unit.output_sha256 or "",
                created_at=now,
            )
            for unit in its_units
            if unit.kind is not UnitKind.PROPOSE
        ]
        ran = next((unit.blast_version for unit in its_units if unit.blast_version), None)
        fields: dict[str, object] = {
            "hits": None if foreign(job) else assembled.hits,
            "limit_reached": assembled.limit_reached,
            "warnings": (*job.warnings, *assembled.warnings),
            "blast_version": ran or version or job.blast_version,
        }
        if job.blast_version and fields["blast_version"] != job.blast_version:
            fields["reuse_key"] = None  # it names another BLAST+ than the one that ran
        if decision.change is not None:
            job = replace(job, steps=decision.change.fields.get("steps", job.steps))
        change = lifecycle.completed(job, now, by, fields, its_units)
        done = await self._store.write(lambda db: jobs.move(db, job, change, now, its_units, artifacts))
        if done is not Missed.LOST:
            self._completed.tell(done.job_id)
            self._metrics.artifact_bytes.inc(sum(one.size_bytes for one in artifacts))
            for step in done.steps:
                if step.duration_ms is not None:
                    self._metrics.step_seconds.labels(engine=done.engine, step=str(step.name)).observe(
                        step.duration_ms / 1000
                    )
            log.info("job_completed", job_id=done.job_id, hits=done.hits)
        return done

    async def _pending(self, job: Job, its_units: Sequence[Unit], decision: Decision, trouble: Trouble) -> Job | Lost:
        """Say that compute has ended and what keeps the results away; the next look tries again."""
        now = self._times.now(job)
        fields = dict(decision.change.fields) if decision.change is not None else {}
        fields |= {"error_code": trouble.code, "error": trouble.text}
        if job.phase is Phase.RESULTS_PENDING and job.error == trouble.text:
            return job
        change = Change(
            status=Status.RUNNING, phase=Phase.RESULTS_PENDING, fields=fields, data={"trouble": trouble.code}
        )
        return await self._store.write(lambda db: jobs.move(db, job, change, now, its_units))

    async def _fail(self, job: Job, its_units: Sequence[Unit], trouble: Trouble, by: str) -> Job | Lost:
        now = self._times.now(job)
        change = lifecycle.failed(job, trouble, now, by)
        return await self._store.write(lambda db: jobs.move(db, job, change, now, its_units))


def _kept_away(error: OSError | Exhausted) -> Trouble:
    """Return what keeps the outputs from being read now; it is tried again."""
    ours = of_machine(error) if isinstance(error, OSError) else error
    if ours is None:
        return Trouble(code="store_broken", sentence=f"The outputs can't be read: {error}.", remedy="Check the disk.")
    return Trouble(code=ours.code, sentence=str(ours))
