"""Results of a job as users read them: any format, made once and kept; hits, queries and statistics; the query.

What a format is and how it is made is known by `results`. Here it is decided whether there is something to read, and
every stored file is compared with its checksum before it is served the first time after a start.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from functools import partial
from itertools import count
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import structlog
from msgspec.structs import replace

from blastd.aio import News, by_size, duty
from blastd.blastplus import process
from blastd.blastplus.ids import Ids
from blastd.blastplus.pins import Pins
from blastd.blastplus.tools import Tools
from blastd.clock import Clock
from blastd.core.hits import HitsRequest
from blastd.core.ids import JobId
from blastd.core.imported import ENGINE as IMPORTED
from blastd.core.model import Artifact, Job, Status, Unit, UnitKind, UnitState
from blastd.core.outlinks import LinkTemplate, fitting, links_of
from blastd.core.schedule import Claim, Piece, SlotLane, Urgency
from blastd.core.tabular import columns
from blastd.core.taxa import organism_of
from blastd.errors import Invalid, NotReady, ResultGone, Unsupported
from blastd.results import formats, hits
from blastd.results.course import FormatCourse
from blastd.results.formats import FORMATS, PROJECTED, Format
from blastd.service.progress import progress
from blastd.service.results.format_makings import FormatMakings, Make
from blastd.service.results.hit_indices import HitIndices
from blastd.service.results.intact import Intact
from blastd.service.results.maker import FormatWanted, ResultMaker
from blastd.service.results.pages import align, offset_of, page_of
from blastd.service.results.request import (
    ReadyResult,
    ResultFile,
    ResultMaking,
    ResultRequest,
    ResultStream,
    check_program,
    check_searched,
    file_name,
    format_of,
    key_of,
    shaped,
    stored_file,
)
from blastd.service.results.streams import Copy, FileBlocks, in_threads
from blastd.service.taxonomy.taxa import Taxa
from blastd.store import artifacts, units
from blastd.store.files import Files
from blastd.store.sqlite import Store
from blastd.turns import Turns

log = structlog.get_logger()

SMALL_BYTES = 8 << 20
"""A stored form under this is projected in well under a second: then the whole file is made before the first byte."""

SEQUENCES_PER_SECOND = 10_000
"""That blastdbcmd writes, of usual length."""


class Results:
    """Use cases of results."""

    def __init__(
        self,
        *,
        store: Store,
        files: Files,
        pins: Pins,
        tools: Tools,
        clock: Clock,
        intact: Intact,
        taxa: Taxa,
        ids: Ids,
        turns: Turns,
        completed: News[JobId],
        limits: process.Limits,
        links: Sequence[LinkTemplate] = (),
    ) -> None:
        """Take the parts; *limits* are those of a search, *links* templates of links from subjects."""
        self._store, self._files, self._clock = store, files, clock
        self._maker = ResultMaker(store=store, files=files, pins=pins, tools=tools, clock=clock, ids=ids, limits=limits)
        self.makings = FormatMakings(turns, clock)
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._turns, self._numbers = turns, count(1)
        self._intact, self._taxa, self._links = intact, taxa, links
        self.indices = HitIndices(store, files, self.ready, completed, turns)

    def formats(self) -> list[Format]:
        """Return every format."""
        return list(FORMATS.values())

    async def ready(self, job: Job, *, partial: bool = False) -> ReadyResult:
        """Return what is stored of a completed job, whole; *partial*: of any other what is done. Raises NotReady, ResultGone."""
        if job.status is not Status.COMPLETED:
            done = await self._done(job) if partial else ()
            if not done:
                raise self._not_ready(job)
            return ReadyResult(job=job, folder=self._files.job_folder(job.job_id), units=tuple(done), complete=False)
        if job.source == "external":
            raise ResultGone(
                f"The run {job.title!r} was started outside blastd and ended well; its results are where who started it "
                "keeps them, not here."
            )
        its_units, its_artifacts = await self._rows(job)
        folder = self._files.job_folder(job.job_id)
        outputs = [one for one in its_artifacts if one.name.startswith("units/")]
        await by_size(self._intact.unread_bytes(folder, outputs), self._intact.check, folder, outputs)
        made = tuple(one for one in its_artifacts if one.name.startswith("results/"))
        return ReadyResult(job=job, folder=folder, units=tuple(its_units), kept=made)

    async def _done(self, job: Job) -> Sequence[Unit]:
        """Return the units that have written results."""
        its_units, _ = await self._rows(job)
        return [unit for unit in its_units if unit.kind is not UnitKind.PROPOSE and unit.state is UnitState.DONE]

    def _not_ready(self, job: Job) -> NotReady:
        far = msgspec.to_builtins(progress(job, self._clock.now()))
        if not job.status.terminal:
            detail = f"The search is {job.phase}: {far['units_done']} of {far['units_total']} parts are done."
        else:
            detail = f"The search has {job.status}, so it has no results. {job.error or ''}".strip()
        return NotReady(detail, progress=far, phase=job.phase, active=not job.status.terminal)

    async def _rows(self, job: Job) -> tuple[list[Unit], list[Artifact]]:
        def read(db: sqlite3.Connection) -> tuple[list[Unit], list[Artifact]]:
            return units.of_job(db, job.job_id), artifacts.of_job(db, job.job_id)

        return await self._store.read_few(read)

    # ------------------------------------------------------------------ files
    async def query(self, job: Job) -> ResultFile:
        """Return the submitted sequences. Raises ResultGone."""
        check_searched(job)
        path = self._files.query_path(job.job_id)
        await by_size(job.query.letters, self._intact.check_query, path, job.query.sha256)
        try:
            size = (await duty(path.stat)).st_size
        except OSError as error:
            raise ResultGone("The submitted sequences are no longer there.") from error
        return ResultFile(
            path=path,
            size_bytes=size,
            sha256=job.query.sha256,
            media_type="text/x-fasta; charset=utf-8",
            name=f"{job.short_id}-query.fa",
        )

    async def read(self, job: Job, wanted: ResultRequest) -> ResultFile | ResultStream | ResultMaking:
        """Return results in a format, or how far its making is after `wait_seconds`. Raises Invalid, NotReady, ResultGone, DatabaseGone, Unsupported."""
        kind = format_of(wanted)
        check_program(job, kind)
        names = columns(wanted.fields) if wanted.fields is not None else None
        if job.status is not Status.COMPLETED and wanted.partial:
            return await self._partial(job, kind, names)
        ready = await self.ready(job)
        if wanted.query is not None and wanted.query > job.query.count:
            raise Invalid([("/query", f"The search has {job.query.count:,} queries.")])
        if kind.name == "fasta":
            check_searched(job)
            return await self._sequences(ready, kind, wanted)
        key = key_of(kind, names, wanted.query)
        form = FormatWanted(key=key, kind=kind, names=names or kind.columns or None, query=wanted.query)
        kept = await self._kept(ready, form.key)
        if kept is not None:
            return stored_file(ready, kept)
        blocks = self._maker.projected(ready, form)
        if blocks is None:
            check_searched(job)
        if blocks is None or (wanted.whole and ready.stored_bytes > SMALL_BYTES):
            return await self._asked(ready, form, wanted.wait_seconds, partial(self._make, ready, form))
        if ready.stored_bytes <= SMALL_BYTES:
            try:
                return await self._projected(ready, form, blocks)
            except OSError:  # no room to make it: what needs none is sent as it is made
                blocks = self._maker.projected(ready, form)
        sent = self._while_sent(ready, form, blocks) if blocks is not None else in_threads(iter(()))
        return ResultStream(blocks=sent, media_type=kind.media_type, name=file_name(job, kind))

    async def _asked(
        self, ready: ReadyResult, form: FormatWanted, seconds: float, make: Make
    ) -> ResultFile | ResultMaking:
        """Have a file made, and return it, or how far it is after *seconds*."""
        job = ready.job
        making = self.makings.begin(job.job_id, job.owner, form.key, self._maker.piece(ready, form.query), make)
        if await self.makings.wait(making, seconds):
            return stored_file(ready, making.made())
        return ResultMaking(view=await self.makings.view(making))

    async def _make(self, ready: ReadyResult, form: FormatWanted, course: FormatCourse, lane: SlotLane) -> Artifact:
        """Make a file in its turn."""
        blocks = self._maker.projected(ready, form)
        if blocks is not None:
            return await self._maker.project(ready, form, blocks)
        return await self._maker.write(ready, form, course, lane)

    def cancel_making(self, job: Job, wanted: ResultRequest) -> int:
        """Stop the making of a file; returns how many were stopped. Raises Invalid."""
        kind = format_of(wanted)
        names = columns(wanted.fields) if wanted.fields is not None else None
        return self.makings.cancel(job.job_id, key_of(kind, names, wanted.query))

    async def _partial(self, job: Job, kind: Format, names: tuple[str, ...] | None) -> ResultStream:
        """Return what is done of a job that has not completed."""
        its_units, _ = await self._rows(job)
        result = [unit for unit in its_units if unit.kind is not UnitKind.PROPOSE]
        done = [unit for unit in result if unit.state is UnitState.DONE]
        if kind.name not in PROJECTED:
            raise Unsupported(f"Partial results are given as {', '.join(sorted(PROJECTED))} only.")
        if not done:
            raise self._not_ready(job)
        blocks = formats.projection(
            self._files.job_folder(job.job_id),
            done,
            kind.name,
            names or kind.columns or None,
            None,
            **shaped(job, kind),
        )
        if blocks is None:
            raise Unsupported("These columns are made when the search has completed.")
        return ResultStream(
            blocks=in_threads(blocks),
            media_type=kind.media_type,
            name=file_name(job, kind),
            partial=f"{len(done)}/{len(result)}",
        )

    async def _kept(self, ready: ReadyResult, key: str) -> Artifact | None:
        """Return the stored file of a format if it is whole; one that is not is forgotten, and made again."""
        name = f"results/{key}"
        kept = next((one for one in ready.kept if one.name == name), None)
        if kept is None:
            return None
        reason = await by_size(
            kept.size_bytes, self._intact.damage, ready.folder / kept.path, kept.size_bytes, kept.sha256
        )
        if reason is None:
            return kept
        log.warning("stored_format_damaged", job_id=ready.job.job_id, format=key, reason=reason)
        await self._store.write(lambda db: artifacts.drop(db, ready.job.job_id, name))
        return None

    async def _projected(self, ready: ReadyResult, form: FormatWanted, blocks: Iterator[bytes]) -> ResultFile:
        """Write a small table, keep it, and return its file; made once however many ask at the same time."""
        lock = self._locks.setdefault((ready.job.job_id, form.key), asyncio.Lock())
        waited = lock.locked()
        async with lock:
            if waited:  # for somebody who made it, perhaps
                _, its_artifacts = await self._rows(ready.job)
                ready = replace(ready, kept=tuple(its_artifacts))
            kept = await self._kept(ready, form.key)
            if kept is None:
                kept = await self._maker.project(ready, form, blocks)
        return stored_file(ready, kept)

    async def _sequences(
        self, ready: ReadyResult, kind: Format, wanted: ResultRequest
    ) -> ResultFile | ResultStream | ResultMaking:
        """Return sequences of subjects: all that were found, or those asked for."""
        if not wanted.subjects:
            form = FormatWanted(key=key_of(kind, None, wanted.query), kind=kind, query=wanted.query)
            kept = await self._kept(ready, form.key)
            if kept is not None:
                return stored_file(ready, kept)

            async def make(course: FormatCourse, lane: SlotLane) -> Artifact:
                return await self._maker.sequences(
                    ready, form, await self.indices.of(ready, in_turn=True), course, lane
                )

            return await self._asked(ready, form, wanted.wait_seconds, make)
        index = await self.indices.of(ready)
        found, missing = await by_size(ready.stored_bytes, hits.named, index, wanted.subjects, wanted.query)
        if missing:
            shown = ", ".join(name[:100] for name in sorted(missing)[:5])
            raise Invalid([("/subject", f"The search did not find {shown}; take ids from its hits.")])
        target = self._files.temporary()
        try:
            async with self._turns.turn(self._claim(ready), Piece(seconds=len(found) / SEQUENCES_PER_SECOND)) as lane:
                await self._maker.write_sequences(ready, iter([found]), target, lane)
            blocks = await duty(FileBlocks.of, target)
            return ResultStream(blocks=blocks, media_type=kind.media_type, name=file_name(ready.job, kind))
        finally:
            await duty(target.unlink, missing_ok=True)

    def _claim(self, ready: ReadyResult) -> Claim:
        work_id = f"sequences-{next(self._numbers)}"
        return Claim(work_id=work_id, owner=ready.job.owner, what="format", urgency=Urgency.PERSON)

    # ------------------------------------------------------------------ tables
    async def hits(self, ready: ReadyResult, wanted: HitsRequest, *, statistics: bool = False) -> dict[str, Any]:
        """Return a page of hits. Raises Invalid."""
        offset = offset_of(wanted.cursor)
        first = None if statistics else await self.indices.first(ready, wanted, offset)
        if first is None:
            index = await self.indices.of(ready)
            first = await by_size(ready.stored_bytes, hits.page, index, wanted, offset)
        total, rows = first
        if wanted.sequences and wanted.group == "hsp" and ready.job.engine != IMPORTED:
            letters, query = ready.job.query.letters, self._files.query_path(ready.job.job_id)
            await by_size(letters, self._intact.check_query, query, ready.job.query.sha256)
            await by_size(letters, align, ready.job, ready.folder, rows)
        templates = fitting(self._links, [database.name for database in ready.job.databases])
        known = await self._taxa.lineages(ready.job.databases, sorted({one for row in rows for one in row["taxids"]}))
        for row in rows:
            row.pop("btop")
            row["organisms"] = [msgspec.to_builtins(organism_of(known[one])) for one in row["taxids"] if one in known]
            row["links"] = links_of(templates, row["subject"], row["subject_accession"])
        found: dict[str, Any] = {"complete": ready.complete, "total": total, "hits": rows}
        found["page"] = page_of(wanted.limit, offset, len(rows), total)
        if statistics:
            found["statistics"] = await self.statistics(ready, wanted.query)
        return found

    async def statistics(self, ready: ReadyResult, query: int | None) -> dict[str, Any]:
        """Return numbers and histograms over all hits or those of one query."""
        return await by_size(ready.stored_bytes, hits.statistics, await self.indices.of(ready), query)

    async def _while_sent(
        self, ready: ReadyResult, form: FormatWanted, blocks: Iterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Yield blocks as they are made, and keep them as a file once they are complete."""
        copy = Copy(self._files.temporary())
        try:
            async for block in in_threads(blocks):
                await duty(copy.write, block)
                yield block
            if copy.end():
                await self._maker.keep(ready, form.key, form.kind, copy.path)
        finally:
            copy.drop()
