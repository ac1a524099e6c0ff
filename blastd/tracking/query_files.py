"""Small queries from the store to durable files.

A search is accepted with one flush of the disk, the commit that holds its row and its query. The file of the query is
written then, too, but flushed here: many at a time, after the kernel has written most of them anyway (it does within half
a minute), so that a flush here does not hold up the commits of searches that come meanwhile.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import structlog

from blastd.aio import offload
from blastd.clock import Clock
from blastd.errors import StoreBroken
from blastd.store import query_texts
from blastd.store.files import Files
from blastd.store.query_texts import QueryText
from blastd.store.sqlite import Store

log = structlog.get_logger()

PAGE = 100
QUERY_FLUSH_SECONDS = 15.0
AGE = timedelta(seconds=40)


class QueryFiles:
    """Makes the files of small queries durable, and lets the store forget them."""

    def __init__(self, store: Store, files: Files, clock: Clock) -> None:
        """Take the parts."""
        self._store, self._files, self._clock = store, files, clock
        self._begun = clock.now()

    async def restore(self) -> None:
        """Write again what a power cut took from files: at the start, before anything reads them. Raises StoreBroken."""
        async for page in self._pages(None):  # whatever the clock says: after a power cut it may be behind
            try:
                written = await offload(self._files.restore_queries, page)
            except OSError as error:
                raise StoreBroken(f"The query of an accepted search can't be written again: {error}.") from error
            if written:
                log.warning("queries_restored", job_ids=written)

    async def run_once(self) -> None:
        """Flush files of queries and drop their texts, those from before this start at once. Raises OSError, StoreBroken."""
        async for page in self._pages(max(self._begun, self._clock.now() - AGE)):
            await offload(self._files.flush_queries, page)
            durable = [text.job_id for text in page]
            await self._store.write(lambda db, durable=durable: query_texts.drop(db, durable), of=())  # type: ignore[misc]  # a lambda with a default

    async def _pages(self, before: datetime | None) -> AsyncIterator[Sequence[QueryText]]:
        after = ""
        while page := await self._store.read(lambda db, after=after: query_texts.page(db, before, after, PAGE)):  # type: ignore[misc]  # as above
            yield page
            after = page[-1].job_id
