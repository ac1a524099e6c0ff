"""Running watches: a new search when a database of theirs has changed, once for each generation, and the comparison after it.

What is to be done stands in the rows, so a crash anywhere is mended by the next look: a run is submitted under an
Idempotency-Key of its number, a comparison is written in one transaction with the event and the message that tell of it.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import structlog
from msgspec.structs import replace

from blastd.aio import by_size, duty, isolated
from blastd.clock import Clock
from blastd.config.watches import WatchesSettings
from blastd.core import watching
from blastd.core.difference import DifferenceCounts
from blastd.core.ids import JobId
from blastd.core.model import ACTIVE, DatabaseRef, Job
from blastd.core.watching import CurrentDatabase, Watch, WatchRun
from blastd.errors import BlastdError, DatabaseBroken, Expired, StoreBroken
from blastd.results import difference
from blastd.service.access import Identity
from blastd.service.databases.catalogue import Databases
from blastd.service.results.read import Results
from blastd.service.search.query import Uploads
from blastd.service.search.submit import Submit
from blastd.service.webhooks import Webhooks
from blastd.store import dbhistory, jobs, outbox, watches
from blastd.store.files import Files
from blastd.store.sqlite import Store
from blastd.store.watches import ActiveWatch

log = structlog.get_logger()

PAGE = 200
LOOK_SECONDS = 60.0
"""Between looks at watches beside those after each look through the folders of databases."""
SLICE_SECONDS = 30.0
PAUSE_SECONDS = 0.2
"""Between looks for runs that have ended: every commit wakes us, and most have nothing for us."""
SETTLED_AT_ONCE = 100
MOST_FAILURES = 3
"""Of settling one run: what fails for a reason that nobody foresaw fails again."""


class WatchRuns:
    """Begins runs of watches, and settles those that have ended."""

    def __init__(
        self,
        *,
        store: Store,
        files: Files,
        clock: Clock,
        databases: Databases,
        submit: Submit,
        results: Results,
        webhooks: Webhooks,
        settings: WatchesSettings,
    ) -> None:
        """Take the parts; nothing is looked at before `follow` and `look` run."""
        self._store, self._files, self._clock, self._databases = store, files, clock, databases
        self._submit, self._results, self._webhooks, self._settings = submit, results, webhooks, settings
        self.changed = databases.looks()
        """Set when watches are to be looked at: databases may have changed, or one was resumed."""
        self._begun = asyncio.Event()
        self._begun.set()  # what a stop left open
        self._tried: dict[str, tuple[tuple[str, ...], float]] = {}
        """For which generation each watch that could not run was tried, and when: a hint, so that it costs little."""
        self._failures: dict[tuple[str, int], int] = {}
        """How often settling a run has failed, of those at which it did."""

    # ------------------------------------------------------------------ hints
    def begun(self) -> None:
        """Note that a run was added, whose end is waited for."""
        self._begun.set()

    def look_now(self, watch_id: str) -> None:
        """Look at a watch again at once, whatever was tried before."""
        self._tried.pop(watch_id, None)
        self.changed.set()

    # ------------------------------------------------------------------ beginning
    async def look(self) -> None:
        """Look at every watch that is not paused, and begin the runs that are due."""
        if not self._databases.scanned.is_set():
            return
        after: str | None = ""
        while after is not None:
            found, after = await self._store.read(partial(watches.active, after=after, limit=PAGE))
            for each in found:
                with isolated("watch", watch_id=each.watch.watch_id):
                    await self._look_at(each)

    async def _look_at(self, each: ActiveWatch) -> None:
        watch = each.watch
        if each.status in ACTIVE:
            return
        current, trouble = await self._current(each.databases)
        if trouble is None and not watching.is_due(watch.search, each.databases, current):
            self._tried.pop(watch.watch_id, None)
        elif trouble is None:
            trouble = await self._try(watch, tuple(database.fingerprint for database in current))
        if trouble != (None if watch.trouble is None else (watch.trouble.code, watch.trouble.text)):
            await self._note_trouble(watch, trouble)

    async def _note_trouble(self, watch: Watch, trouble: tuple[str, str] | None) -> None:
        now = self._clock.now()
        await self._store.write(lambda db: watches.set_trouble(db, watch.watch_id, trouble, now), of=())
        if trouble is not None:
            log.warning("watch_can_not_run", watch_id=watch.watch_id, code=trouble[0], reason=trouble[1])

    async def _current(self, searched: Sequence[DatabaseRef]) -> tuple[list[CurrentDatabase], tuple[str, str] | None]:
        """Return the databases of a watch as the catalogue has them, or what keeps it from running."""
        current: list[CurrentDatabase] = []
        for ref in searched:
            database = self._databases.held(ref.name, ref.molecule)
            if database is None:
                return [], ("database_gone", await self._gone(ref))
            if database.state != "ready":
                return [], (DatabaseBroken.code, f"Database {ref.name} is {database.state}: {database.reason}.")
            now = CurrentDatabase(fingerprint=database.fingerprint, taxonomy=database.taxonomy.fingerprint)
            current.append(now)
        return current, None

    async def _gone(self, ref: DatabaseRef) -> str:
        """Return what became of a database that is not there any more."""
        new = await self._store.read_few(lambda db: dbhistory.renamed(db, ref.name, ref.molecule))
        if new is not None:
            return f"Database {ref.name} was renamed to {new}: search there and watch that search, or rename it back."
        return f"Database {ref.name} is not here any more: the watch goes on when there is one of this name again."

    async def _try(self, watch: Watch, generation: tuple[str, ...]) -> tuple[str, str] | None:
        """Begin the next run, unless the same was tried a moment ago; returns what keeps it from running."""
        before, now = self._tried.get(watch.watch_id), self._clock.monotonic()
        if before is not None and before[0] == generation and now - before[1] < self._settings.retry_seconds:
            return None if watch.trouble is None else (watch.trouble.code, watch.trouble.text)
        try:
            await self._begin(watch)
        except StoreBroken:
            raise
        except BlastdError as error:
            self._tried[watch.watch_id] = (generation, now)
            return error.code, str(error)
        self._tried.pop(watch.watch_id, None)
        return None

    async def _begin(self, watch: Watch) -> None:
        """Submit the next run. Raises BlastdError."""
        number = watch.runs + 1
        fasta = await self._store.read_few(lambda db: watches.query(db, watch.watch_id))
        if fasta is None:
            return  # removed meanwhile
        search = replace(watch.search, watch=watch.watch_id, webhook="")
        who = Identity(owner=watch.owner, role="user")
        key = f"{watch.watch_id}\n{number}"  # no header holds a line end, so it is none of a client
        try:
            accepted = await self._submit.submit(who, search, Uploads(query=fasta), key)
        except Expired:  # it was submitted before a crash, and deleted since: its number is used up
            key += "\nagain"
            accepted = await self._submit.submit(who, search, Uploads(query=fasta), key)
        job, now, keep = accepted.job, self._clock.now(), self._settings.runs_kept
        if await self._store.write(lambda db: watches.begin_run(db, watch.watch_id, number, job, now, keep), of=()):
            log.info("watch_ran", watch_id=watch.watch_id, run=number, job_id=job.job_id)
            self.begun()

    # ------------------------------------------------------------------ settling
    async def follow(self) -> None:
        """Settle runs whose searches have ended, as they end, until cancelled."""
        while True:
            await self._clock.wait(self._begun, SLICE_SECONDS)
            self._begun.clear()
            seen = self._store.feed.count
            while await self._settle_ended():
                seen = await self._store.feed.wait(seen, SLICE_SECONDS)
                await asyncio.sleep(PAUSE_SECONDS)

    async def _settle_ended(self) -> bool:
        """Settle the runs that have ended; tells whether others go on."""
        try:
            for run in await self._store.read_few(lambda db: watches.ended(db, SETTLED_AT_ONCE)):
                await self._try_to_settle(run)
            return await self._store.read_few(watches.any_going)
        except StoreBroken as error:
            log.warning("watches_not_settled", reason=str(error))
            return True

    async def _try_to_settle(self, run: WatchRun) -> None:
        """Settle a run; one at which that fails again and again is left aside with a note."""
        key, done = (run.watch_id, run.number), False
        with isolated("watch_run", watch_id=run.watch_id):
            await self._settle(run)
            done = True
        self._failures[key] = 0 if done else self._failures.get(key, 0) + 1
        if self._failures[key] >= MOST_FAILURES:
            given_up, now = (
                replace(run, note="It could not be compared: the log of the service says why."),
                self._clock.now(),
            )
            await self._store.write(lambda db: watches.settle(db, given_up, now), of=())
        if done or self._failures[key] >= MOST_FAILURES:
            del self._failures[key]

    async def _settle(self, run: WatchRun) -> None:
        """Compare a run with the one before, and tell what became of the hits."""
        watch, job = await self._store.read_few(lambda db: (watches.get(db, run.watch_id), jobs.get(db, run.job_id)))
        if watch is None:
            return
        settled = run
        if job is None:
            settled = replace(run, note="Its search was deleted.")
        elif watch.after_job is not None:
            settled = await self._compared(run, job, watch.after_job)
        now = self._clock.now()

        def write(db: sqlite3.Connection) -> bool:
            if not watches.settle(db, settled, now):
                return False
            if job is not None:
                watches.compared(db, settled, now)
                if settled.difference:
                    self._tell(db, watch, job, settled, settled.difference, now)
            return True

        if await self._store.write(write, of=[run.job_id]):
            counts = settled.difference or DifferenceCounts()
            log.info(
                "watch_settled", watch_id=watch.watch_id, run=run.number, job_id=run.job_id, new=counts.new,
                lost=counts.lost, changed=counts.changed, note=settled.note,
            )  # fmt: skip

    async def _compared(self, run: WatchRun, job: Job, base_id: JobId) -> WatchRun:
        """Return the run with its comparison, or with a note why there is none."""
        base = await self._store.read_few(lambda db: jobs.get(db, base_id))
        if base is None:
            return replace(run, note="The run before was deleted, so there is nothing to compare with.")
        try:
            before, after = await self._results.ready(base), await self._results.ready(job)
            old, new = await self._results.indices.of(before), await self._results.indices.of(after)
            part, final = self._files.temporary(), after.folder / difference.NAME
            try:
                size = before.stored_bytes + after.stored_bytes
                counts = await by_size(size, difference.make, old, new, part, final)
            finally:
                await duty(part.unlink, missing_ok=True)
        except (BlastdError, OSError, sqlite3.Error) as error:
            if isinstance(error, StoreBroken):
                raise
            return replace(run, note=f"It could not be compared with the run before: {error}")
        return replace(run, base_job=base.job_id, difference=counts)

    def _tell(
        self,
        db: sqlite3.Connection,
        watch: Watch,
        job: Job,
        run: WatchRun,
        counts: DifferenceCounts,
        now: datetime,
    ) -> None:
        """Add the event that tells of changes, and the message to who wants to be told."""
        data = {
            "watch_id": watch.watch_id, "run": run.number, "before": run.base_job, "new": counts.new,
            "lost": counts.lost, "changed": counts.changed, "queries": counts.queries,
        }  # fmt: skip
        event_id = jobs.add_event(db, job, "watch_changed", now, data)
        url = watch.search.webhook
        if url is None:
            url = outbox.default_of(db, watch.owner)
        if url and self._webhooks.fault(url) is None:
            outbox.put_changed(db, url, watch, job, run, event_id, now)


__all__ = ["LOOK_SECONDS", "WatchRuns"]
