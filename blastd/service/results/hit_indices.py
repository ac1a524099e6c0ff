"""The indices of hits beside stored results: work in turns, made once however many ask, and for large results before anybody asks."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import structlog

from blastd.aio import News, Tasks, by_size, duty, owning_tasks
from blastd.core.hits import HitsRequest
from blastd.core.ids import JobId
from blastd.core.model import Job
from blastd.core.schedule import Claim, Piece, Urgency
from blastd.errors import BlastdError, Unavailable
from blastd.results import hit_index, hits
from blastd.service.results.request import ReadyResult
from blastd.store import jobs
from blastd.store.files import Files
from blastd.store.sqlite import Store
from blastd.turns import Turns

log = structlog.get_logger()

INDEXED_BYTES = 256 << 10
"""A result from here on has its hits indexed before somebody looks: some hundred milliseconds."""
BYTES_PER_SECOND = 8_000_000
"""Of the stored form that are indexed; measured with a million rows."""


@dataclass
class HitIndexing:
    """An index in the making: `error` once it has `ended`, if it failed."""

    work_id: str
    urgency: Urgency
    started: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    error: Exception | None = None


class HitIndices:
    """Makes indices of hits."""

    def __init__(
        self,
        store: Store,
        files: Files,
        ready: Callable[[Job], Awaitable[ReadyResult]],
        completed: News[JobId],
        turns: Turns,
    ) -> None:
        """Take the parts; *ready* gives what is stored of a job, *completed* tells which jobs are done."""
        self._store, self._files, self._ready, self._completed = store, files, ready, completed
        self._turns, self._numbers = turns, count(1)
        self._tasks: Tasks | None = None
        self._under_way: dict[Path, HitIndexing] = {}
        self._locks: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()

    async def of(self, ready: ReadyResult, *, in_turn: bool = False) -> Path:
        """Return the index of the hits of a job, made if it is not there. *in_turn*: the caller has a turn, and takes no other.

        Raises Unavailable while the service stops, and what its making failed with.
        """
        path = self._path(ready)
        if not await duty(hit_index.there, path):
            if in_turn or ready.stored_bytes < INDEXED_BYTES:
                return await self._make(ready)
            await self._made(ready, Urgency.PERSON)
        return path

    async def first(
        self, ready: ReadyResult, wanted: HitsRequest, offset: int
    ) -> tuple[int, list[dict[str, Any]]] | None:
        """Return the first hits of a large result of which there is no index yet; None where they can't be told without it.

        The index is begun meanwhile.
        """
        if ready.stored_bytes < INDEXED_BYTES or await duty(hit_index.there, self._path(ready)):
            return None
        self._begin(ready, Urgency.PERSON)
        return await duty(hits.first, ready.folder, ready.job, ready.units, wanted, offset)

    async def run(self) -> None:
        """Make the index of each large result when it is there, one after the other, until cancelled.

        Small ones are made in milliseconds at the first look, as is what a restart or an error here left out.
        """
        async with owning_tasks() as tasks:
            self._tasks = tasks
            try:
                while True:
                    await self._index(await self._completed.next())
            finally:
                self._tasks = None

    async def _index(self, job_id: JobId) -> None:
        try:
            job = await self._store.read_few(lambda db: jobs.get(db, job_id))
            ready = await self._ready(job) if job is not None else None
            if ready is not None and ready.stored_bytes >= INDEXED_BYTES:
                await self._made(ready, Urgency.PROGRAM)
        except (BlastdError, OSError, sqlite3.Error) as error:
            log.warning("hits_not_indexed", job_id=job_id, reason=str(error))

    # ------------------------------------------------------------------ making
    def _path(self, ready: ReadyResult) -> Path:
        return hit_index.path_of(ready.folder, ready.units, complete=ready.complete)

    async def _made(self, ready: ReadyResult, urgency: Urgency) -> None:
        """Wait until an index is made, by whoever asked first."""
        making = self._begin(ready, urgency)
        await making.ended.wait()
        if making.error is not None:
            raise making.error

    def _begin(self, ready: ReadyResult, urgency: Urgency) -> HitIndexing:
        """Return the making of an index: the one under way, or a new one. Raises Unavailable."""
        path = self._path(ready)
        making = self._under_way.get(path)
        if making is not None and (making.started or making.urgency <= urgency):
            return making
        if self._tasks is None:
            raise Unavailable("The service is stopping.")
        if making is not None:  # it waits for nobody's sake, and now somebody looks
            self._tasks.cancel(making.work_id)
        begun = self._under_way[path] = HitIndexing(f"index-{next(self._numbers)}", urgency)
        self._tasks.start(begun.work_id, self._in_turn(ready, begun), partial(self._ended, path, begun))
        return begun

    async def _in_turn(self, ready: ReadyResult, making: HitIndexing) -> None:
        claim = Claim(work_id=making.work_id, owner=ready.job.owner, what="index", urgency=making.urgency)
        try:
            async with self._turns.turn(claim, Piece(seconds=ready.stored_bytes / BYTES_PER_SECOND)):
                making.started = True
                await self._make(ready)
        except (BlastdError, OSError, sqlite3.Error) as error:
            making.error = error

    def _ended(self, path: Path, making: HitIndexing, error: BaseException | None) -> None:
        if error is not None:
            making.error = making.error or Unavailable("The hits are not indexed yet; ask again in a moment.")
        if self._under_way.get(path) is making:
            del self._under_way[path]
        making.ended.set()

    async def _make(self, ready: ReadyResult) -> Path:
        path, made = self._path(ready), self._files.temporary()
        async with self._locks.setdefault(path, asyncio.Lock()):
            try:
                return await by_size(
                    ready.stored_bytes, hit_index.make, path, ready.folder, ready.job, ready.units, made
                )
            finally:
                await duty(made.unlink, missing_ok=True)
