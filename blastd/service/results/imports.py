"""BLAST XML that was made elsewhere becomes a completed job that is only read: tables, hits and statistics, and the file itself."""

import sqlite3
from pathlib import Path

import structlog
from msgspec.structs import replace

from blastd.aio import by_size, duty
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import LimitsSettings
from blastd.core import ids, steps
from blastd.core.ids import JobId, Owner
from blastd.core.imported import ENGINE
from blastd.core.model import (
    Artifact,
    DatabaseRef,
    Frozen,
    Job,
    Phase,
    QueryInfo,
    Status,
    StepStatus,
    Unit,
    UnitKind,
    UnitState,
    Warned,
)
from blastd.core.programs import molecules
from blastd.durable import digest, publish, publish_unit
from blastd.results.blast_xml import ImportedResult, ImportLimits, read_xml
from blastd.results.formats import FORMATS
from blastd.store import artifacts, jobs
from blastd.store.files import Files
from blastd.store.sqlite import Store

log = structlog.get_logger()
OUTPUT, XML = "units/0.out", "results/xml.xml"
MEDIA_TYPE = "text/plain; charset=utf-8"
_REASON = "the result was imported"
_WARNING = (
    "This result was imported from BLAST XML. The XML does not hold the sequences of the queries and databases, so formats "
    "that BLAST+ would write anew, alignments and sequences are not there."
)


class ImportedFiles(Frozen, frozen=True, kw_only=True):
    """What an import has written, with size and checksum of each file."""

    result: ImportedResult
    output: tuple[int, str]
    query: tuple[int, str]
    xml: tuple[int, str]


class ResultImports:
    """The use case of importing."""

    def __init__(self, store: Store, files: Files, clock: Clock, chance: Chance, limits: LimitsSettings) -> None:
        """Take the parts; *limits* are those of a search."""
        self._store, self._files, self._clock, self._chance = store, files, clock, chance
        self._limits = ImportLimits(queries=limits.query_sequences, letters=limits.query_letters)

    async def take(self, owner: Owner, upload: Path, title: str, source: str) -> Job:
        """Make a job of the BLAST XML in *upload*, which is moved. Raises Invalid."""
        job_id = ids.job_id(self._chance.uuid())
        stored, query = self._files.temporary(), self._files.temporary()
        try:
            size = (await duty(upload.stat)).st_size
            made = await by_size(size, self._write, job_id, upload, stored, query)
            job = self._job(job_id, owner, made, title, source)
            await self._store.write(lambda db: _insert(db, job, made), of=[job_id])
        except Exception:  # a write whose caller is cancelled may be stored all the same: then the sweep decides
            await duty(self._files.remove_job, job_id)
            raise
        finally:
            await duty(_drop, stored, query)
        log.info("result_imported", job_id=job_id, program=job.program, hits=job.hits)
        return job

    def _write(self, job_id: JobId, upload: Path, stored: Path, query: Path) -> ImportedFiles:
        """Read *upload* into the files *stored* and *query*, and give all three their places; blocking. Raises Invalid."""
        result = read_xml(upload, stored, query, self._limits)
        folder, query_digest = self._files.job_folder(job_id), digest(query)
        self._files.make_job(job_id, query, None)
        output = publish_unit(stored, folder / OUTPUT)
        (folder / XML).parent.mkdir(mode=0o700, exist_ok=True)
        return ImportedFiles(result=result, output=output, query=query_digest, xml=publish(upload, folder / XML))

    def _job(self, job_id: JobId, owner: Owner, made: ImportedFiles, title: str, source: str) -> Job:
        result, now = made.result, self._clock.now()
        molecule = molecules(result.program)
        return Job(
            job_id=job_id,
            version=1,
            title=" ".join(title.split()),
            program=result.program,
            task=result.program,
            databases=(DatabaseRef(name=result.database or "unknown", fingerprint="", molecule=molecule[1]),),
            options={},
            query_loc=None,
            engine=ENGINE,
            priority=0,
            owner=owner,
            source=source,
            query=QueryInfo(
                count=result.queries,
                letters=result.letters,
                molecule=molecule[0],
                first_id=result.first_id,
                sha256=made.query[1],
            ),
            status=Status.COMPLETED,
            phase=Phase.COMPLETED,
            created_at=now,
            updated_at=now,
            finished_at=now,
            steps=tuple(replace(step, status=StepStatus.SKIPPED, skip_reason=_REASON) for step in steps.begin()),
            units_total=1,
            units_done=1,
            blast_version=result.version or None,
            warnings=(Warned(text=_WARNING),),
            hits=result.hits,
            limit_reached=0,
        )


def _insert(db: sqlite3.Connection, job: Job, made: ImportedFiles) -> None:
    """Write the row of an import with its one unit and its files."""
    unit = Unit(
        job_id=job.job_id,
        index=0,
        kind=UnitKind.SEARCH,
        batch=0,
        shard=None,
        first_query=0,
        queries=job.query.count,
        letters=job.query.letters,
        offset=0,
        size=made.query[0],
        state=UnitState.DONE,
        output_bytes=made.output[0],
        output_sha256=made.output[1],
        blast_version=job.blast_version,
    )
    jobs.insert(db, job, [unit], job.created_at)
    xml = FORMATS["xml"].media_type
    for name, path, media_type, (size, sha256) in (
        ("units/0", OUTPUT, MEDIA_TYPE, made.output),
        ("results/xml", XML, xml, made.xml),
    ):
        artifact = Artifact(
            job_id=job.job_id,
            name=name,
            path=path,
            media_type=media_type,
            size_bytes=size,
            sha256=sha256,
            created_at=job.created_at,
        )
        artifacts.put(db, artifact)


def _drop(*paths: Path) -> None:
    """Remove what has not been moved away; blocking."""
    for path in paths:
        path.unlink(missing_ok=True)
