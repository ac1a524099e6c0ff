"""Makes files of results: a projection of the stored form, what BLAST+ writes anew, sequences; and gives them place and row."""

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from msgspec.structs import replace

from blastd.aio import by_size, duty
from blastd.blastplus import organisms, process
from blastd.blastplus.ids import Ids
from blastd.blastplus.pins import Pins
from blastd.blastplus.tools import Tools
from blastd.clock import Clock
from blastd.core.model import Artifact, Frozen, Job
from blastd.core.schedule import Piece, SlotLane
from blastd.core.tabular import beside
from blastd.durable import rename_unflushed
from blastd.errors import DatabaseGone, Expired, StoreBroken, Unsupported
from blastd.results import formats, hits, reformat, sequences, taxa
from blastd.results.course import FormatCourse
from blastd.results.formats import ORGANISMS, PROJECTED, Format
from blastd.results.sequences import Subject
from blastd.service.results.request import ReadyResult, held, shaped
from blastd.store import artifacts, jobs
from blastd.store.files import Files
from blastd.store.sqlite import Store

log = structlog.get_logger()

FORMAT_BYTES_PER_SECOND = 1_000_000
"""Of the stored form, of which BLAST+ makes another format: searched again, compared, written."""
START_SECONDS = 0.1
"""What two starts of BLAST+ take."""


class FormatWanted(Frozen, frozen=True, kw_only=True):
    """A format of a result, with its checked columns, of all queries or of one; `key` names it among those of the job."""

    key: str
    kind: Format
    names: tuple[str, ...] | None = None
    query: int | None = None


class ResultMaker:
    """Makes files of results. Who asks for one, and when its turn is, is decided elsewhere."""

    def __init__(
        self,
        *,
        store: Store,
        files: Files,
        pins: Pins,
        tools: Tools,
        clock: Clock,
        ids: Ids,
        limits: process.Limits,
    ) -> None:
        """Take the parts; *limits* are those of a search."""
        self._store, self._files, self._pins, self._tools, self._clock = store, files, pins, tools, clock
        self._ids, self._limits = ids, limits

    def projected(self, ready: ReadyResult, wanted: FormatWanted, more: Path | None = None) -> Iterator[bytes] | None:
        """Return the blocks of a format that the stored form holds, None for one that BLAST+ has to write (into *more*)."""
        if wanted.kind.name not in PROJECTED:
            return None
        shape = shaped(ready.job, wanted.kind)
        return formats.projection(
            ready.folder, ready.units, wanted.kind.name, wanted.names, wanted.query, more=more, **shape
        )

    async def project(self, ready: ReadyResult, wanted: FormatWanted, blocks: Iterator[bytes]) -> Artifact:
        """Write *blocks* into a file and keep it."""
        made = self._files.temporary()
        try:
            return await self.keep(ready, wanted.key, wanted.kind, made, blocks)
        finally:
            await duty(made.unlink, missing_ok=True)

    async def write(self, ready: ReadyResult, wanted: FormatWanted, course: FormatCourse, lane: SlotLane) -> Artifact:
        """Let BLAST+ write a format that the stored form does not hold, or a table of the columns that it lacks, and keep it."""
        if (kept := await self._stored(ready, wanted.key)) is not None:
            return kept
        table = wanted.kind.name in PROJECTED
        made, more = self._files.temporary(), self._files.temporary()
        try:
            await self._finish(ready, wanted, more if table else made, course, lane)
            blocks = self.projected(ready, wanted, more) if table else None
            return await self.keep(ready, wanted.key, wanted.kind, made, blocks)
        finally:
            await duty(made.unlink, missing_ok=True)
            await duty(more.unlink, missing_ok=True)

    async def sequences(
        self, ready: ReadyResult, wanted: FormatWanted, index: Path, course: FormatCourse, lane: SlotLane
    ) -> Artifact:
        """Write the sequences of all subjects that were found, and keep them."""
        del course  # blastdbcmd does not say how far it is
        if (kept := await self._stored(ready, wanted.key)) is not None:
            return kept
        target = self._files.temporary()
        try:
            await self.write_sequences(ready, hits.subjects(index, wanted.query, sequences.PAGE), target, lane)
            return await self.keep(ready, wanted.key, wanted.kind, target)
        finally:
            await duty(target.unlink, missing_ok=True)

    async def write_sequences(
        self, ready: ReadyResult, pages: Iterator[list[Subject]], target: Path, lane: SlotLane
    ) -> None:
        """Write the sequences of subjects to a file. Raises ToolFailed, DatabaseGone."""
        async with self._searched(ready, lane) as given:
            await sequences.write(given, self._ids, pages, target)

    def piece(self, ready: ReadyResult, query: int | None) -> Piece:
        """Return what the making of a format asks of this machine: at most what the search did, twice."""
        computed = sum(
            (unit.ended_at - unit.started_at).total_seconds()
            for unit in ready.units
            if unit.ended_at is not None and unit.started_at is not None
        )
        seconds = 2 * computed
        if ready.job.hits:  # then it is restricted to what was found
            seconds = min(seconds, ready.stored_bytes / FORMAT_BYTES_PER_SECOND)
        share = 1 if query is None else max(ready.job.query.count, 1)
        return Piece(seconds=START_SECONDS + seconds / share)

    async def _finish(
        self, ready: ReadyResult, wanted: FormatWanted, target: Path, course: FormatCourse, lane: SlotLane
    ) -> None:
        outfmt = str(wanted.kind.outfmt)
        if wanted.names is not None:
            outfmt = f"6 {' '.join(beside(wanted.names, held(ready.job)['without']))}"
        async with self._searched(ready, lane) as given:
            if wanted.kind.outfmt == ORGANISMS:
                await by_size(ready.stored_bytes, all_named, given)
            said = await reformat.make_format(
                replace(given, course=course), outfmt, target, wanted.query, wanted.kind.words, wanted.kind.writes
            )
        if new := [warned for warned in said if warned not in ready.job.warnings]:
            now = self._clock.now()
            await self._store.write(lambda db: jobs.warn(db, ready.job.job_id, new, now), of=[ready.job.job_id])

    @asynccontextmanager
    async def _searched(self, ready: ReadyResult, lane: SlotLane) -> AsyncIterator[reformat.Reformat]:
        """Yield what making something from the databases of a search needs, with a work folder of its own.

        What is made counts only if the databases are those of the search before and after. Raises DatabaseGone.
        """
        refs, work = ready.job.databases, self._files.temporary()
        await duty(work.mkdir, mode=0o700)
        try:
            await self._same(ready.job)
            yield reformat.Reformat(
                job=ready.job,
                folder=ready.folder,
                units=ready.units,
                placed=await self._pins.place(refs, work),
                generations=[await self._pins.find(ref) for ref in refs],
                tools=self._tools,
                clock=self._clock,
                work=work,
                limits=replace(self._limits, nice=0) if lane is SlotLane.EXPRESS else self._limits,
            )
            await self._same(ready.job)
        finally:
            await duty(reformat.remove_work, work)

    async def _same(self, job: Job) -> None:
        """Raise DatabaseGone unless the databases are as they were when they were searched."""
        changed = await self._pins.changed(job.databases)
        if changed is not None:
            raise DatabaseGone(
                f"{changed.sentence} Tables, hits and formats that are stored can still be read; for others search again."
            )

    async def _stored(self, ready: ReadyResult, key: str) -> Artifact | None:
        """Return what somebody else has made since *ready* was read."""
        job_id, name = ready.job.job_id, f"results/{key}"
        found = await self._store.read_few(lambda db: artifacts.of_job(db, job_id))
        known = {one.created_at for one in ready.kept if one.name == name}
        return next((one for one in found if one.name == name and one.created_at not in known), None)

    async def keep(
        self, ready: ReadyResult, key: str, kind: Format, temporary: Path, blocks: Iterator[bytes] | None = None
    ) -> Artifact:
        """Give a made file its place and its row; with *blocks* it is written before."""
        path = f"results/{key}.{kind.extension}"
        final = ready.folder / path
        if not ready.folder.is_dir():
            raise Expired("The job has just been removed.")
        size, sha256 = await by_size(ready.stored_bytes, _place, temporary, final, blocks)
        kept = Artifact(
            job_id=ready.job.job_id,
            name=f"results/{key}",
            path=path,
            media_type=kind.media_type,
            size_bytes=size,
            sha256=sha256,
            created_at=self._clock.now(),
        )
        if self._store.troubled:  # a lock of somebody else would hold the download up
            return kept
        try:
            await self._store.write(lambda db: artifacts.put(db, kept), of=[kept.job_id])
        except sqlite3.IntegrityError as error:  # the row went while the file was made
            await duty(final.unlink, missing_ok=True)
            raise Expired("The job has just been removed.") from error
        except StoreBroken as error:  # it is made again the next time
            log.warning("format_not_noted", job_id=ready.job.job_id, format=key, reason=str(error))
        return kept


def _place(temporary: Path, final: Path, blocks: Iterator[bytes] | None) -> tuple[int, str]:
    """Give a made file its place, one of *blocks* after writing it; blocking. Returns size and SHA-256."""
    if blocks is not None:
        formats.write_all(blocks, temporary)
    final.parent.mkdir(mode=0o700, exist_ok=True)
    return rename_unflushed(temporary, final)


def all_named(given: reformat.Reformat) -> None:
    """Raise Unsupported where BLAST+ would leave hits out of its report by organism: it names only what taxdb names."""
    ids, all_have = taxa.found_in(given.folder, given.units)
    lost = organisms.without_name(Path(given.placed.taxonomy), ids) if given.placed.taxonomy else sorted(ids)
    if lost or not all_have:
        which = f"those of taxonomy ids {', '.join(map(str, lost[:5]))}" if lost else "those without organism"
        raise Unsupported(
            f"BLAST+'s report by organism would leave hits out, {which}: taxdb (taxdb.btd, taxdb.bti) has no name for them. "
            "Put a newer one beside the database and search again, or read /taxonomy of this job, which counts all."
        )
