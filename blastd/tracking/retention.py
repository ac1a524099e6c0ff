"""What is removed by age, what no row owns, and the disk floor."""

import sqlite3
from collections.abc import Callable
from datetime import timedelta

import structlog

from blastd.aio import duty, offload
from blastd.clock import Clock, to_ms
from blastd.core.model import Frozen, Job
from blastd.metrics import Metrics
from blastd.store import dbtasks, jobs, leftovers
from blastd.store.files import Files
from blastd.store.files import remove as remove_path
from blastd.store.sqlite import Database

log = structlog.get_logger()

PAGE = 200
JUMP_SECONDS = 600.0  # what the clock may run ahead between two passes; summer time does not touch UTC
TRUST_SECONDS = 24 * 3600.0
"""Nothing is removed by age for so long after the clock jumped ahead: time for whoever runs the machine to set it right."""


class Removed(Frozen, frozen=True, kw_only=True):
    """What a pass removed, or would remove in a dry run."""

    jobs: tuple[str, ...]
    bytes_freed: int


class Retention:
    """Removes ended jobs past their days, and files that no row owns."""

    def __init__(
        self,
        store: Database,
        files: Files,
        clock: Clock,
        days: float,
        *,
        dry_run: bool,
        sweep_generations: Callable[[set[str]], int],
        metrics: Metrics,
    ) -> None:
        """Take the parts; *days* 0 keeps jobs for ever."""
        self._store, self._files, self._clock = store, files, clock
        self._days, self._dry_run, self._sweep_generations, self._metrics = days, dry_run, sweep_generations, metrics
        self._offset = self._ahead()
        self._jumped_at: float | None = None

    async def run_once(self) -> None:
        """One pass: expiry, then the sweep of strangers; none of it on a clock that has just jumped ahead."""
        await self._store.check()  # a state that was replaced is not ours to sweep
        if self._clock_is_sound():
            await self.expire(dry_run=self._dry_run)
            await self.sweep()
        self._metrics.disk_free_bytes.set(await duty(self._files.free_bytes))

    def _ahead(self) -> float:
        """Return what must stay the same while the clock of day is only driven by time that passes."""
        return to_ms(self._clock.now()) / 1000 - self._clock.monotonic()

    def _clock_is_sound(self) -> bool:
        """Tell whether the clock of day can be believed: a wrong year would make every result look old."""
        jump = self._ahead() - self._offset
        if jump <= JUMP_SECONDS:  # back where it was, or behind: ages only look younger
            self._offset, self._jumped_at = min(self._offset, self._ahead()), None
            return True
        now = self._clock.monotonic()
        if self._jumped_at is None:
            self._jumped_at = now
            log.warning("clock_jumped", seconds=round(jump), nothing_expires_for_seconds=TRUST_SECONDS)
        if now - self._jumped_at < TRUST_SECONDS:
            return False
        self._offset, self._jumped_at = self._ahead(), None
        return True

    async def expire(self, *, dry_run: bool) -> Removed:
        """Remove jobs that ended more than the days ago; a dry run only says which."""
        if self._days <= 0:
            return Removed(jobs=(), bytes_freed=0)
        before = self._clock.now() - timedelta(days=self._days)
        old = await self._store.read(lambda db: jobs.finished_before(db, before, PAGE))
        freed = 0
        for job in old if not dry_run else ():
            freed += await remove(self._store, self._files, self._clock, job, "expired")
        if old:
            log.info("jobs_expired", jobs=[job.job_id for job in old], bytes_freed=freed, dry_run=dry_run)
        return Removed(jobs=tuple(job.job_id for job in old), bytes_freed=freed)

    async def sweep(self) -> None:
        """Remove files that no row owns: a crash between file and row leaves such."""
        now = to_ms(self._clock.now()) / 1000
        known: set[str] = set()
        after = ""
        while page := await self._store.read(lambda db, after=after: jobs.ids_after(db, after, 5000)):  # type: ignore[misc]  # a lambda with a default
            known.update(page)
            after = page[-1]
        strangers = await offload(self._files.strangers, known, now)
        if strangers and not known and not await self._store.read(jobs.any_gone):
            log.error(
                "strangers_kept", searches=len(strangers), reason="The store knows no search: is it the right one?"
            )
            strangers = []
        for stranger in strangers:
            if await self._store.read(lambda db, stranger=stranger: jobs.get(db, stranger)) is None:  # type: ignore[misc]  # as above
                freed = await offload(self._files.remove_job, stranger)
                log.info("stranger_removed", job_id=stranger, bytes_freed=freed)
        await self.sweep_temporary()
        used = await self._store.read(jobs.fingerprints)
        await offload(self._sweep_generations, used)

    async def sweep_temporary(self) -> None:
        """Remove what work that was cut off left in `tmp`: what no row names and no process that lives has made."""
        left = await duty(self._files.temporaries)  # before the rows are read: what comes meanwhile is not in it
        owned = await self._store.read(dbtasks.inputs)
        for path in left:
            if path.name not in owned:
                await offload(remove_path, path)
                log.info("temporary_removed", name=path.name)


async def remove(store: Database, files: Files, clock: Clock, job: Job, reason: str) -> int:
    """Remove an ended job for good, row first, so that a crash leaves strangers for the sweep and never a row without files.

    Returns bytes freed; 0 also when the job had not ended or was gone.
    """
    now = clock.now()

    def row(db: sqlite3.Connection) -> bool:
        leftovers.add(db, job, now)
        return jobs.remove(db, job, reason, now)

    if not await store.write(row):
        return 0
    return await offload(files.remove_job, job.job_id)
