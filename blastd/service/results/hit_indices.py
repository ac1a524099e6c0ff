"""The indices of hits beside stored results: made once however many ask, and for large results before anybody asks."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from weakref import WeakValueDictionary

import structlog

from blastd.aio import News, by_size, duty
from blastd.core.ids import JobId
from blastd.core.model import Job
from blastd.errors import BlastdError
from blastd.results import hits
from blastd.service.results.request import ReadyResult
from blastd.store import jobs
from blastd.store.files import Files
from blastd.store.sqlite import Store

log = structlog.get_logger()

INDEXED_BYTES = 256 << 10
"""A result from here on has its hits indexed before somebody looks: some hundred milliseconds."""


class HitIndices:
    """Makes indices of hits."""

    def __init__(
        self, store: Store, files: Files, ready: Callable[[Job], Awaitable[ReadyResult]], completed: News[JobId]
    ) -> None:
        """Take the parts; *ready* gives what is stored of a job, *completed* tells which jobs are done."""
        self._store, self._files, self._ready, self._completed = store, files, ready, completed
        self._locks: WeakValueDictionary[JobId, asyncio.Lock] = WeakValueDictionary()

    async def of(self, ready: ReadyResult) -> Path:
        """Return the index of the hits of a job, made if it is not there."""
        lock = self._locks.setdefault(ready.job.job_id, asyncio.Lock())
        async with lock:
            made, ensure = self._files.temporary(), hits.ensure if ready.complete else hits.ensure_partial
            try:
                return await by_size(ready.stored_bytes, ensure, ready.folder, ready.job, ready.units, made)
            finally:
                await duty(made.unlink, missing_ok=True)

    async def run(self) -> None:
        """Make the index of each large result when it is there, one after the other, until cancelled.

        Small ones are made in milliseconds at the first look, as is what a restart or an error here left out.
        """
        while True:
            await self._index(await self._completed.next())

    async def _index(self, job_id: JobId) -> None:
        try:
            job = await self._store.read_few(lambda db: jobs.get(db, job_id))
            ready = await self._ready(job) if job is not None else None
            if ready is not None and ready.stored_bytes >= INDEXED_BYTES:
                await self.of(ready)
        except (BlastdError, OSError, sqlite3.Error) as error:
            log.warning("hits_not_indexed", job_id=job_id, reason=str(error))
