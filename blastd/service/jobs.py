"""The use cases of jobs that were submitted: list, show, wait, cancel, retry, delete, events, logs.

Every read asks the tracker for a look first, which waits for an engine at most a quarter of a second. Whose jobs are
seen is decided here, by `Identity.reads` and a link's job, and whose are changed by `Identity.scope`: any other is NotFound.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec.structs import replace

from blastd.clock import Clock
from blastd.core import lifecycle, unit_moves
from blastd.core.ids import JobId, Owner, dashed, parse_prefix
from blastd.core.model import ACTIVE, Artifact, Event, Frozen, Job, Lost, Missed, Phase, Status, Unit
from blastd.errors import Conflict, Forbidden, Invalid, NotFound
from blastd.service.access import Identity
from blastd.store import artifacts, events, jobs, presentations, units
from blastd.store.files import Files
from blastd.store.jobs import Cursor, JobFilter
from blastd.store.sqlite import Store
from blastd.store.units import Attempt
from blastd.tracking.retention import remove
from blastd.tracking.tracker import Tracker

REFRESH_SECONDS = 0.25
SLICE_SECONDS = 1.0
"""How long a waiting reader sleeps at most, so that it notices a stop of the daemon and a client that went away."""
TRIES = 8
"""Of a compare-and-swap: each loss means that the tracker moved the job on."""


class JobListing(Frozen, frozen=True, kw_only=True):
    """A page of jobs, newest first, and where the next one begins."""

    jobs: list[Job]
    next_cursor: str | None
    counts: dict[str, int]


class JobParts(Frozen, frozen=True, kw_only=True):
    """A job with what belongs to it."""

    job: Job
    units: list[Unit]
    artifacts: list[Artifact]


class Jobs:
    """Use cases of jobs."""

    def __init__(self, store: Store, files: Files, tracker: Tracker, clock: Clock, stopping: asyncio.Event) -> None:
        """Take the parts; *stopping* ends what waits."""
        self._store, self._files, self._tracker, self._clock = store, files, tracker, clock
        self._stopping = stopping

    # ------------------------------------------------------------------ reading
    async def page(self, who: Identity, wanted: JobFilter, cursor: str | None, limit: int) -> JobListing:
        """Return a page of the jobs that *who* sees, active ones looked at before. Raises Invalid, Forbidden."""
        if wanted.owner is not None and who.reads is not None and wanted.owner != who.owner:
            raise Forbidden("Only admins may list the jobs of other owners.")
        scope = who.reads if wanted.owner is None else wanted.owner
        seen = JobFilter(**{name: getattr(wanted, name) for name in wanted.__struct_fields__} | {"owner": scope})
        after = _cursor(cursor)

        def read(db: sqlite3.Connection) -> JobListing:
            found, following = jobs.page(db, seen, after, limit)
            text = None if following is None else following.text()
            return JobListing(
                jobs=[self._as_known(job) for job in found], next_cursor=text, counts=jobs.counts(db, scope)
            )

        page = await self._store.read(read)
        active = [job for job in page.jobs if job.status in ACTIVE]
        if not active:
            return page
        before = self._store.feed.count
        looked = await self._tracker.refresh(active, REFRESH_SECONDS)
        return await self._store.read(read) if looked and self._store.feed.count != before else page

    async def find(self, who: Identity, text: str) -> Job:
        """Return the job of an id, short id or unique prefix as the row has it. Raises NotFound, Ambiguous, Expired."""
        digits = parse_prefix(text)
        return await self._store.read_few(lambda db: _readable(db, digits, who))

    async def own(self, who: Identity, text: str) -> Job:
        """Return the job of an id if *who* may change it. Raises NotFound, Ambiguous, Expired."""
        digits = parse_prefix(text)
        return await self._store.read_few(lambda db: jobs.resolve(db, digits, who.scope))

    async def get(self, who: Identity, text: str) -> Job:
        """Return the job of an id, looked at before if it is active. Raises NotFound, Ambiguous, Expired."""
        job = await self.find(who, text)
        if job.status.terminal or not await self._tracker.refresh([job], REFRESH_SECONDS):
            return job
        return await self.find(who, job.job_id)

    async def show(self, who: Identity, text: str) -> JobParts:
        """Return the job of an id like `get`, with what belongs to it. Raises NotFound, Ambiguous, Expired."""
        found = await self._intact(who, text)
        if found.job.status.terminal or not await self._tracker.refresh([found.job], REFRESH_SECONDS):
            return found
        return await self.parts(found.job)

    async def _intact(self, who: Identity, text: str) -> JobParts:
        """Return the job of an id as the rows have it. Raises NotFound, Ambiguous, Expired."""
        digits = parse_prefix(text)

        def read(db: sqlite3.Connection) -> JobParts:
            return _parts(db, self._as_known(_readable(db, digits, who)))

        return await self._store.read_few(read)

    def _as_known(self, job: Job) -> Job:
        """Return *job* as it may be shown: while nothing can be written, what becomes of an active one stays unseen."""
        trouble = self._store.trouble
        if trouble is None or job.status.terminal or job.stale:
            return job
        return replace(job, stale_since=job.observed_at or job.updated_at, stale_reason=str(trouble))

    async def presentation(self, job: Job) -> dict[str, str]:
        """Return what a client of the NCBI URL API said at Put about how *job* is shown."""
        return await self._store.read_few(lambda db: presentations.get(db, job.job_id))

    async def parts(self, job: Job) -> JobParts:
        """Return *job* with its units and artifacts, all of one moment."""

        def read(db: sqlite3.Connection) -> JobParts:
            now = jobs.get(db, job.job_id)
            if now is None:
                raise NotFound("The job has just been removed.")
            return _parts(db, self._as_known(now))

        return await self._store.read_few(read)

    async def get_many(self, wanted: Sequence[JobId]) -> dict[JobId, Job]:
        """Return the rows of several jobs; removed ones are left out. For events, whose owner was checked."""

        def read(db: sqlite3.Connection) -> dict[JobId, Job]:
            return {job_id: self._as_known(job) for job_id in wanted if (job := jobs.get(db, job_id)) is not None}

        return await self._store.read(read)

    async def wait(
        self, who: Identity, text: str, seconds: float, edition: str | None, alive: Callable[[], bool]
    ) -> JobParts:
        """Return the job once its row differs from *edition* (None: from now), it has ended, or *seconds* are over."""
        until = self._clock.monotonic() + seconds
        digits = parse_prefix(text)
        job_id = dashed(digits.ljust(32, "0"))  # of a prefix: no job's, so that it is read again by its id
        news = self._store.feed.of(job_id)  # before the reading: what is written after it sets this
        found = await self.show(who, text)
        seen = found.job.edition if edition is None else edition
        while not found.job.status.terminal and found.job.edition == seen and not self._stopping.is_set() and alive():
            left = until - self._clock.monotonic()
            if left <= 0:
                break
            if found.job.job_id == job_id:
                try:
                    async with asyncio.timeout(min(left, SLICE_SECONDS)):
                        await news.wait()
                except TimeoutError:
                    continue
            job_id = found.job.job_id
            news = self._store.feed.of(job_id)
            found = await self._intact(who, job_id)
        return found

    async def logs(self, job: Job) -> tuple[list[Unit], list[Attempt]]:
        """Return the units of a job and the ended attempts at them."""
        return await self._store.read(lambda db: (units.of_job(db, job.job_id), units.attempts(db, job.job_id)))

    # ------------------------------------------------------------------ events
    async def events_after(self, owner: Owner | None, job_id: JobId | None, after: int, limit: int) -> list[Event]:
        """Return events with greater ids, ascending: of a job, else of *owner* (None: of all)."""
        return await self._store.read(lambda db: events.after(db, after, job_id=job_id, owner=owner, limit=limit))

    async def last_event(self) -> int:
        """Return the id of the newest event."""
        return await self._store.read(events.last_id)

    def commits(self) -> int:
        """Return the number of commits so far, to be given to `next_commit`."""
        return self._store.feed.count

    async def next_commit(self, seen: int, seconds: float) -> int:
        """Return the number of commits once it differs from *seen*, at the latest after *seconds*."""
        return await self._store.feed.wait(seen, min(seconds, SLICE_SECONDS))

    # ------------------------------------------------------------------ changing
    async def cancel(self, who: Identity, text: str) -> Job:
        """Order the end of a job; repeating is harmless. Raises Conflict for one that completed or failed."""
        for _ in range(TRIES):
            job = await self.own(who, text)
            if job.status is Status.CANCELLED or job.phase is Phase.CANCELLING:
                return job
            now = self._clock.now()
            change = lifecycle.cancelling(job, now)
            if change is None:
                raise Conflict(f"The job has {job.status} already; there is nothing to cancel.", status=job.status)
            moved = await self._store.write(lambda db, job=job, change=change, now=now: jobs.move(db, job, change, now))  # type: ignore[misc]  # mypy can't infer a lambda with defaults
            if moved is not Missed.LOST:
                self._tracker.follow(moved.job_id)
                return moved
        raise Conflict("The job is changing all the time; please repeat.")

    async def retry(self, who: Identity, text: str) -> Job:
        """Open a failed or cancelled job again, as a new attempt that keeps finished units. Raises Conflict."""
        for _ in range(TRIES):
            job = await self.own(who, text)
            moved = await self._reopen(job, self._clock.now())
            if moved is not Missed.LOST:
                self._tracker.follow(moved.job_id)
                return moved
        raise Conflict("The job is changing all the time; please repeat.")

    async def _reopen(self, job: Job, now: datetime) -> Job | Lost:
        change = lifecycle.reopen(job)
        if change is None:
            raise Conflict(
                f"The job is {job.status}; only a failed or cancelled one can be retried.", status=job.status
            )
        if job.source == "external":
            raise Conflict("This run was started elsewhere; it can't be retried from here.")

        def write(db: sqlite3.Connection) -> Job | Lost:
            again = unit_moves.reset(units.of_job(db, job.job_id))
            return jobs.move(db, job, change, now, again)

        return await self._store.write(write)

    async def delete(self, who: Identity, text: str) -> tuple[JobId, int]:
        """Remove an ended job and its files for good; returns its id and bytes freed. Raises Conflict while it is active."""
        job = await self.own(who, text)
        if not job.status.terminal:
            raise Conflict("The job has not ended: cancel it first, then delete it.", status=job.status)
        freed = await remove(self._store, self._files, self._clock, job, "deleted")
        if await self._store.read_few(lambda db: jobs.get(db, job.job_id)) is not None:
            raise Conflict("The job has just been opened again.")
        return job.job_id, freed


def _readable(db: sqlite3.Connection, digits: str, who: Identity) -> Job:
    """Return the job of an id or prefix that *who* may read. Raises NotFound, Ambiguous, Expired."""
    if who.shared is not None and who.shared.replace("-", "").startswith(digits):
        return jobs.resolve(db, parse_prefix(who.shared), None)
    return jobs.resolve(db, digits, who.reads)


def _parts(db: sqlite3.Connection, job: Job) -> JobParts:
    return JobParts(job=job, units=units.of_job(db, job.job_id), artifacts=artifacts.of_job(db, job.job_id))


def _cursor(text: str | None) -> Cursor | None:
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except ValueError as error:
        raise Invalid([("/cursor", "This is no cursor of ours: use `next_cursor` of the page before.")]) from error


__all__ = ["JobFilter", "JobListing", "JobParts", "Jobs"]
