"""What is removed by age, what no row owns, and the disk floor."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import structlog

from blastd.aio import duty, offload
from blastd.clock import Clock, to_ms
from blastd.core.ids import JobId
from blastd.core.model import Frozen, Job
from blastd.metrics import Metrics
from blastd.store import dbhistory, dbtasks, events, jobs, leftovers, removal, usage
from blastd.store.files import Files
from blastd.store.files import remove as remove_path
from blastd.store.sqlite import Store, shrink

log = structlog.get_logger()

PAGE = 25
"""Jobs that go in one transaction: 20 ms in which no other row is written."""
OLD_ROWS = 500
"""Other rows of one transaction."""
FOLDERS = 1000
VACUUM_PAGES = 250
GONE_DAYS = 90.0
"""How long a job that was removed is told from one that never was."""
HISTORY_DAYS = 3 * 365.0
"""How long the catalogue tells what became of its databases."""
JUMP_SECONDS = 600.0  # what the clock may run ahead between two passes; summer time does not touch UTC
TRUST_SECONDS = 24 * 3600.0
"""Nothing is removed by age for so long after the clock jumped ahead: time for whoever runs the machine to set it right."""


class RetentionCount(Frozen, frozen=True, kw_only=True):
    """What a pass removed, or would remove in a dry run."""

    jobs: int
    bytes_freed: int


class Retention:
    """Removes ended jobs past their days, and files that no row owns."""

    def __init__(
        self,
        store: Store,
        files: Files,
        clock: Clock,
        days: float,
        *,
        dry_run: bool,
        generations_days: float = 0.0,
        sweep_generations: Callable[[set[str]], int],
        metrics: Metrics,
    ) -> None:
        """Take the parts; *days* 0 keeps jobs for ever, *generations_days* 0 their databases as long as them."""
        self._store, self._files, self._clock = store, files, clock
        self._days, self._dry_run, self._sweep_generations, self._metrics = days, dry_run, sweep_generations, metrics
        self._generations_days = generations_days
        self._offset = self._ahead()
        self._jumped_at: float | None = None

    async def run_once(self) -> None:
        """One pass: expiry, then the sweep of strangers; none of it on a clock that has just jumped ahead."""
        await self._store.check()  # a state that was replaced is not ours to sweep
        if self._clock_is_sound():
            await self.expire(dry_run=self._dry_run)
            if not self._dry_run:
                await self.forget()
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

    async def expire(self, *, dry_run: bool) -> RetentionCount:
        """Remove every job that ended more than the days ago, in pages; a dry run only says which of the first page."""
        if self._days <= 0:
            return RetentionCount(jobs=0, bytes_freed=0)
        now = self._clock.now()
        before = now - timedelta(days=self._days)
        if dry_run:
            old = await self._store.read(lambda db: jobs.finished_before(db, before, PAGE))
            log.info("jobs_would_expire", jobs=[job.job_id for job in old])
            return RetentionCount(jobs=len(old), bytes_freed=0)
        removed = freed = 0
        while gone := await self._store.write(lambda db: _expire_page(db, before, now)):
            freed += await offload(lambda gone=gone: sum(map(self._files.remove_job, gone)))  # type: ignore[misc]  # a lambda with a default
            removed += len(gone)
        if removed:
            log.info("jobs_expired", jobs=removed, bytes_freed=freed)
        return RetentionCount(jobs=removed, bytes_freed=freed)

    async def forget(self) -> None:
        """Remove rows that outlived what they were for, in pages, and give free pages of the store back."""
        now = self._clock.now()
        gone, told = now - timedelta(days=GONE_DAYS), now - timedelta(days=max(self._days, GONE_DAYS))
        history = now - timedelta(days=HISTORY_DAYS)
        works: tuple[Callable[[sqlite3.Connection], int], ...] = (
            lambda db: removal.forget_gone(db, gone, PAGE),
            lambda db: usage.forget(db, now, OLD_ROWS),
            lambda db: dbtasks.forget(db, told, OLD_ROWS),
            lambda db: dbhistory.forget(db, history, OLD_ROWS),
            lambda db: events.forget_of_databases(db, told, OLD_ROWS),
            lambda db: shrink(db, VACUUM_PAGES),
        )
        for work in works:
            while await self._store.write(work, of=()):
                pass

    async def sweep(self) -> None:
        """Remove files that no row owns: a crash between file and row leaves such."""
        now = to_ms(self._clock.now()) / 1000
        pages = self._files.old_folders(now, FOLDERS)
        while (names := await offload(next, pages, None)) is not None:
            await self._remove_strangers(names)
        await self.sweep_temporary()
        days = self._generations_days
        since = self._clock.now() - timedelta(days=days) if days else None
        used = await self._store.read(lambda db: jobs.fingerprints(db, since))
        await offload(self._sweep_generations, used)

    async def _remove_strangers(self, names: Sequence[str]) -> None:
        strangers = await self._store.read(lambda db: removal.unowned(db, names))
        if strangers and not await self._store.read(lambda db: bool(jobs.ids_after(db, "", 1)) or removal.any_gone(db)):
            log.error(
                "strangers_kept", searches=len(strangers), reason="The store knows no search: is it the right one?"
            )
            return
        for stranger in strangers:
            freed = await offload(self._files.remove_job, stranger)
            log.info("stranger_removed", job_id=stranger, bytes_freed=freed)

    async def sweep_temporary(self) -> None:
        """Remove what work that was cut off left in `tmp`: what no row names and no process that lives has made."""
        left = await duty(self._files.temporaries)  # before the rows are read: what comes meanwhile is not in it
        now = self._clock.now()
        owned = await self._store.read(lambda db: dbtasks.inputs(db, now))
        for path in left:
            if path.name not in owned:
                await offload(remove_path, path)
                log.info("temporary_removed", name=path.name)


def _expire_page(db: sqlite3.Connection, before: datetime, now: datetime) -> list[JobId]:
    """Remove the rows of a page of jobs that ended before a time, and return whose files go."""
    old = jobs.finished_before(db, before, PAGE)
    for job in old:
        leftovers.add(db, job, now)
        removal.remove(db, job, "expired", now)
    return [job.job_id for job in old]


async def remove(store: Store, files: Files, clock: Clock, job: Job, reason: str) -> int:
    """Remove an ended job for good, row first, so that a crash leaves strangers for the sweep and never a row without files.

    Returns bytes freed; 0 also when the job had not ended or was gone.
    """
    now = clock.now()

    def row(db: sqlite3.Connection) -> bool:
        leftovers.add(db, job, now)
        return removal.remove(db, job, reason, now)

    if not await store.write(row):
        return 0
    return await offload(files.remove_job, job.job_id)
