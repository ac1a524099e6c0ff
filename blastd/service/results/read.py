"""Results of a job as users read them: any format, made once and kept; hits, queries and statistics; the query.

What a format is and how it is made is known by `results`. Here it is decided whether there is something to read, and
every stored file is compared with its checksum before it is served the first time after a start.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import structlog
from msgspec.structs import replace

from blastd.aio import News, by_size, duty
from blastd.blastplus.ids import Ids
from blastd.blastplus.pins import Pins
from blastd.blastplus.tools import Tools
from blastd.clock import Clock
from blastd.core.hits import HitsRequest
from blastd.core.ids import JobId
from blastd.core.model import Artifact, Job, Status, Unit, UnitKind, UnitState
from blastd.core.schedule import Claim, Piece, SlotLane, Urgency
from blastd.core.tabular import beside, columns
from blastd.durable import rename_unflushed
from blastd.errors import DatabaseGone, Expired, Invalid, NotReady, ResultGone, StoreBroken, Unsupported
from blastd.results import formats, hits, reformat, sequences
from blastd.results.formats import FORMATS, Format
from blastd.service.progress import progress
from blastd.service.results.hit_indices import HitIndices
from blastd.service.results.intact import Intact
from blastd.service.results.pages import align, offset_of, page_of
from blastd.service.results.request import (
    PROJECTED,
    ReadyResult,
    ResultFile,
    ResultRequest,
    ResultStream,
    file_name,
    format_of,
    held,
    key_of,
    shaped,
    stored_file,
)
from blastd.service.results.streams import Copy, FileBlocks, in_threads
from blastd.store import artifacts, jobs, units
from blastd.store.files import Files
from blastd.store.sqlite import Store
from blastd.turns import Turns

log = structlog.get_logger()

SMALL_BYTES = 8 << 20
"""A stored form under this is projected in well under a second: then the whole file is made before the first byte."""

FORMAT_BYTES_PER_SECOND = 1_000_000
"""Of the stored form, of which BLAST+ makes another format: searched twice, and compared."""


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
        ids: Ids,
        turns: Turns,
        completed: News[JobId],
    ) -> None:
        """Take the parts."""
        self._store, self._files, self._pins, self._tools, self._clock = store, files, pins, tools, clock
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._turns, self._numbers = turns, count(1)
        self._intact, self._ids = intact, ids
        self.indices = HitIndices(store, files, self.ready, completed)

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

    async def read(self, job: Job, wanted: ResultRequest) -> ResultFile | ResultStream:
        """Return results in a format. Raises Invalid, NotReady, ResultGone, DatabaseGone, Unsupported."""
        kind = format_of(wanted)
        names = columns(wanted.fields) if wanted.fields is not None else None
        if job.status is not Status.COMPLETED and wanted.partial:
            return await self._partial(job, kind, names)
        ready = await self.ready(job)
        if wanted.query is not None and wanted.query > job.query.count:
            raise Invalid([("/query", f"The search has {job.query.count:,} queries.")])
        if kind.name == "fasta":
            return await self._sequences(ready, kind, wanted)
        key = key_of(kind, names, wanted.query)
        kept = await self._kept(ready, key)
        if kept is not None:
            return stored_file(ready, kept)
        sent: Iterator[bytes] | None = None
        if kind.name in PROJECTED and not wanted.whole:
            sent = formats.projection(ready.folder, ready.units, kind.name, names, wanted.query, **shaped(job, kind))
        if sent is None or ready.stored_bytes <= SMALL_BYTES:
            try:
                return await self._made(ready, key, kind, names, wanted.query)
            except OSError:  # no room to make it: what needs none is sent as it is made
                if sent is None:
                    raise
        blocks = self._while_sent(ready, key, kind, sent)
        return ResultStream(blocks=blocks, media_type=kind.media_type, name=file_name(job, kind))

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
            self._files.job_folder(job.job_id), done, kind.name, names, None, **shaped(job, kind)
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

    async def _made(
        self, ready: ReadyResult, key: str, kind: Format, names: tuple[str, ...] | None, query: int | None
    ) -> ResultFile:
        """Make a format, keep it, and return its file; made once however many ask at the same time."""
        lock = self._locks.setdefault((ready.job.job_id, key), asyncio.Lock())
        waited = lock.locked()
        async with lock:
            if waited:  # for somebody who made it, perhaps
                _, its_artifacts = await self._rows(ready.job)
                ready = replace(ready, kept=tuple(its_artifacts))
            kept = await self._kept(ready, key)
            if kept is None:
                kept = await self._make(ready, key, kind, names, query)
        return stored_file(ready, kept)

    async def _make(
        self, ready: ReadyResult, key: str, kind: Format, names: tuple[str, ...] | None, query: int | None
    ) -> Artifact:
        made, more, blocks = self._files.temporary(), self._files.temporary(), None
        project = partial(
            formats.projection, ready.folder, ready.units, kind.name, names, query, **shaped(ready.job, kind)
        )
        if kind.name in PROJECTED:
            blocks = project()
        try:
            if blocks is None:
                async with self._turn(ready, key):
                    await self._finish(ready, kind, names, query, more if kind.name in PROJECTED else made)
                blocks = project(more=more) if kind.name in PROJECTED else None
            return await self._keep(ready, key, kind, made, blocks)
        except BaseException:
            await duty(made.unlink, missing_ok=True)
            raise
        finally:
            await duty(more.unlink, missing_ok=True)

    def _turn(self, ready: ReadyResult, key: str) -> AbstractAsyncContextManager[SlotLane]:
        """Wait for the turn of something that is made of a result: a person waits for it."""
        seconds = ready.stored_bytes / FORMAT_BYTES_PER_SECOND
        claim = Claim(
            work_id=f"{ready.job.job_id}/{key}-{next(self._numbers)}",
            owner=ready.job.owner,
            what="format",
            urgency=Urgency.PERSON,
        )
        return self._turns.turn(claim, Piece(seconds=seconds))

    async def _finish(
        self, ready: ReadyResult, kind: Format, names: tuple[str, ...] | None, query: int | None, target: Path
    ) -> None:
        """Let BLAST+ write a format that the stored form does not hold, or a table of the columns that it lacks."""
        outfmt = str(kind.outfmt)
        if names is not None:
            outfmt = f"6 {' '.join(beside(names, held(ready.job)['without']))}"
        if kind.programs and ready.job.program not in kind.programs:
            raise Unsupported(f"BLAST+ writes {kind.name} for {', '.join(kind.programs)} only.")
        async with self._searched(ready) as given:
            said = await reformat.make_format(given, outfmt, target, query, kind.words)
        if new := [warned for warned in said if warned not in ready.job.warnings]:
            now = self._clock.now()
            await self._store.write(lambda db: jobs.warn(db, ready.job.job_id, new, now), of=[ready.job.job_id])

    @asynccontextmanager
    async def _searched(self, ready: ReadyResult) -> AsyncIterator[reformat.Reformat]:
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

    async def _sequences(self, ready: ReadyResult, kind: Format, wanted: ResultRequest) -> ResultFile | ResultStream:
        """Return sequences of subjects: all that were found, or those asked for."""
        if not wanted.subjects:
            key = key_of(kind, None, wanted.query)
            kept = await self._kept(ready, key)
            if kept is not None:
                return stored_file(ready, kept)
        index = await self.indices.of(ready)
        pages = hits.subjects(index, wanted.query, sequences.PAGE)
        if wanted.subjects:
            found, missing = await by_size(ready.stored_bytes, hits.named, index, wanted.subjects, wanted.query)
            if missing:
                shown = ", ".join(name[:100] for name in sorted(missing)[:5])
                raise Invalid([("/subject", f"The search did not find {shown}; take ids from its hits.")])
            pages = iter([found])
        target = self._files.temporary()
        try:
            async with self._turn(ready, "sequences"), self._searched(ready) as given:
                await sequences.write(given, self._ids, pages, target)
            if not wanted.subjects:
                return stored_file(ready, await self._keep(ready, key_of(kind, None, wanted.query), kind, target))
            blocks = await duty(FileBlocks.of, target)
            return ResultStream(blocks=blocks, media_type=kind.media_type, name=file_name(ready.job, kind))
        finally:
            await duty(target.unlink, missing_ok=True)

    # ------------------------------------------------------------------ tables
    async def hits(self, ready: ReadyResult, wanted: HitsRequest, *, statistics: bool = False) -> dict[str, Any]:
        """Return a page of hits. Raises Invalid."""
        index = await self.indices.of(ready)
        offset = offset_of(wanted.cursor)
        total, rows = await by_size(ready.stored_bytes, hits.page, index, wanted, offset)
        if wanted.sequences and wanted.group == "hsp":
            letters, query = ready.job.query.letters, self._files.query_path(ready.job.job_id)
            await by_size(letters, self._intact.check_query, query, ready.job.query.sha256)
            await by_size(letters, align, ready.job, ready.folder, rows)
        for row in rows:
            row.pop("btop")
        found: dict[str, Any] = {"complete": ready.complete, "total": total, "hits": rows}
        found["page"] = page_of(wanted.limit, offset, len(rows), total)
        if statistics:
            found["statistics"] = await by_size(ready.stored_bytes, hits.statistics, index, wanted.query)
        return found

    async def queries(
        self, ready: ReadyResult, text: str | None, with_hits: bool | None, limit: int, cursor: str | None
    ) -> dict[str, Any]:
        """Return a page of the queries and what each found. Raises Invalid."""
        index, offset = await self.indices.of(ready), offset_of(cursor)
        total, rows = await by_size(ready.stored_bytes, hits.queries, index, text, with_hits, limit, offset)
        for row in rows:
            row["warnings"] = [warned.text for warned in ready.job.warnings if warned.query == row["query"]]
        return {
            "complete": ready.complete,
            "total": total,
            "queries": rows,
            "page": page_of(limit, offset, len(rows), total),
        }

    async def statistics(self, ready: ReadyResult, query: int | None) -> dict[str, Any]:
        """Return numbers and histograms over all hits or those of one query."""
        return await by_size(ready.stored_bytes, hits.statistics, await self.indices.of(ready), query)

    async def _keep(
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

    async def _while_sent(
        self, ready: ReadyResult, key: str, kind: Format, blocks: Iterator[bytes]
    ) -> AsyncIterator[bytes]:
        """Yield blocks as they are made, and keep them as a file once they are complete."""
        copy = Copy(self._files.temporary())
        try:
            async for block in in_threads(blocks):
                await duty(copy.write, block)
                yield block
            if copy.end():
                await self._keep(ready, key, kind, copy.path)
        finally:
            copy.drop()


def _place(temporary: Path, final: Path, blocks: Iterator[bytes] | None) -> tuple[int, str]:
    """Give a made file its place, one of *blocks* after writing it; blocking. Returns size and SHA-256."""
    if blocks is not None:
        formats.write_all(blocks, temporary)
    final.parent.mkdir(mode=0o700, exist_ok=True)
    return rename_unflushed(temporary, final)
