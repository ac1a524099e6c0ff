"""Work on databases as users see it: ordered, listed, cancelled, tried again; and what carries it out, some at once.

The row is the message: what is to be done, or to be given up, stands there; memory holds only what runs now.
"""

import asyncio
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog

from blastd.aio import Tasks, duty, owning_tasks
from blastd.blastplus import makedb
from blastd.blastplus.makedb import BuildFailed
from blastd.blastplus.regular import printed
from blastd.clock import Clock
from blastd.config import Settings
from blastd.core.ids import Owner
from blastd.core.model import Warned
from blastd.core.task_order import OpenTask, next_ones
from blastd.errors import BlastdError, Conflict, DatabaseBroken, DiskFull, NotFound, StoreBroken, TooMany
from blastd.metrics import Metrics
from blastd.service.access import Identity
from blastd.service.databases.carrying import Carried, Carrier, Passing, TaskProgress
from blastd.service.databases.orders import first_of_all
from blastd.store import dbhistory, dbtasks
from blastd.store.dbtasks import DatabaseTask
from blastd.store.files import Files
from blastd.store.sqlite import Store

log = structlog.get_logger()

MOST_LETTERS = 2000
"""Of a cause."""
MOST_ATTEMPTS = 5
"""Starts of work that never ended: what stops the service each time must not stop it for ever."""
PROGRESS_SECONDS = 1.0
AGAIN_SECONDS = 5.0  # while the store can't be written
IDLE_SECONDS = 3600.0
LONGEST_PAUSE_SECONDS = 3600.0


class DatabaseTasks:
    """Use cases of work on databases, and the root that carries it out."""

    def __init__(
        self,
        *,
        store: Store,
        files: Files,
        clock: Clock,
        settings: Settings,
        metrics: Metrics,
        carriers: Mapping[str, Carrier],
    ) -> None:
        """Take the parts; *carriers* do the work of each kind."""
        self._store, self._files, self._clock, self._metrics = store, files, clock, metrics
        self._carriers, self._limits, self._settings = carriers, settings.limits, settings.databases
        self._floor = settings.retention.disk_floor_bytes
        self._wake = asyncio.Event()
        self._running: dict[str, DatabaseTask] = {}
        self._progress: dict[str, TaskProgress] = {}
        self._tasks: Tasks | None = None

    # ------------------------------------------------------------------ use cases
    def wake(self) -> None:
        """Look for work now: a row was added."""
        self._wake.set()

    def room(self, expected: int = 0) -> None:
        """Refuse to receive what does not fit above the floor, before and while it comes. Raises DiskFull."""
        free = self._files.free_bytes()
        if free - expected < self._floor:
            more = f", and {expected:,} more were to come" if expected else ""
            raise DiskFull(f"Free disk space ({free:,} bytes{more}) is under the floor of {self._floor:,}.")

    def admit(self, db: sqlite3.Connection, owner: Owner, size: int, *, bytes_count: bool = True) -> None:
        """Refuse one more task of an owner beyond the limits, within a transaction. Raises TooMany."""
        work, most = dbtasks.open_work(db, owner), self._limits.database_tasks_per_owner
        if work.tasks >= most:
            raise TooMany(
                f"You have {work.tasks} databases that wait or are being made or fetched, as many as this service allows "
                "(limits.database_tasks_per_owner): wait for one, or cancel one."
            )
        limit = self._limits.database_bytes_per_owner
        if bytes_count and limit and work.bytes + size > limit:
            raise TooMany(
                f"Your databases that wait or are being made or fetched would have {work.bytes + size:,} bytes of input, more "
                f"than the {limit:,} that this service allows (limits.database_bytes_per_owner): wait for one, or cancel one."
            )

    async def task(self, who: Identity, task_id: str) -> DatabaseTask:
        """Return a task of *who*. Raises NotFound."""
        found = await self._store.read(lambda db: dbtasks.get(db, task_id))
        if found is None or (not who.admin and found.owner != who.owner):
            raise NotFound("There is no such task.")
        return found

    async def seen(self, task_id: str) -> DatabaseTask:
        """Return a task that was just accepted, whoever's it is. Raises NotFound."""
        found = await self._store.read(lambda db: dbtasks.get(db, task_id))
        if found is None:
            raise NotFound("There is no such task.")
        return found

    async def tasks(self, who: Identity) -> list[DatabaseTask]:
        """Return the newest tasks that *who* sees."""
        return [task for task in await self._store.read(dbtasks.page) if who.admin or task.owner == who.owner]

    def seconds_left(self, task: DatabaseTask) -> float | None:
        """Return how long the bytes of a task that runs still take, None where nothing is known."""
        progress = self._progress.get(task.task_id)
        return None if progress is None or task.status != "running" else progress.seconds_left()

    async def cancel(self, who: Identity, task_id: str) -> DatabaseTask:
        """Let a task end; repeating is harmless. Raises NotFound; Conflict for one that has ended otherwise."""
        task, now = await self.task(who, task_id), self._clock.now()
        if not await self._store.write(lambda db: dbtasks.cancel(db, task_id, now)) and task.status != "cancelled":
            raise Conflict(f"This task is {(await self.task(who, task_id)).status}: there is nothing to cancel.")
        if self._tasks is not None:
            self._tasks.cancel(_name(task_id))
        self._wake.set()
        return await self.task(who, task_id)

    async def retry(self, who: Identity, task_id: str) -> DatabaseTask:
        """Begin a failed or cancelled task again. Raises NotFound; Conflict for others, and where its file is gone; TooMany."""
        task, now = await self.task(who, task_id), self._clock.now()
        if task.kind == "make" and not await self._has_file(task):
            raise Conflict(
                "The uploaded file of this task is gone, since it would fail again or is too old: upload it again."
            )

        def write(db: sqlite3.Connection) -> bool:
            if task.status in {"failed", "cancelled"}:
                self.admit(db, task.owner, task.bytes_total, bytes_count=task.kind == "make")
            return dbtasks.retry(db, task_id, now)

        if not await self._store.write(write):
            raise Conflict(f"This task is {task.status}: only a failed or cancelled one can be tried again.")
        self._wake.set()
        return await self.task(who, task_id)

    async def _has_file(self, task: DatabaseTask) -> bool:
        try:
            return await duty((self._files.tmp / dbtasks.ordered(task).fasta).is_file)
        except ValueError:
            return False

    # ------------------------------------------------------------------ carrying it out
    async def run(self) -> None:
        """Carry out what was ordered, some at once, until cancelled; what was cut off is begun again at a start."""
        async with owning_tasks() as tasks:
            self._tasks = tasks
            while True:
                self._wake.clear()
                try:
                    pause = await self._start_due(tasks)
                except StoreBroken as error:  # the tasks are still there
                    log.warning("database_tasks_wait", reason=str(error))
                    pause = AGAIN_SECONDS
                await self._clock.wait(self._wake, pause)

    async def _start_due(self, tasks: Tasks) -> float:
        """Start what is due and has room; returns seconds until the next one is due. Raises StoreBroken."""
        unfinished = await self._store.read(dbtasks.unfinished)
        for task_id in unfinished.unreadable:
            text = "The order can't be read: it was not written whole."
            await self._end(None, task_id, error_code=BuildFailed.code, error=text)
        idle = [task for task in unfinished.tasks if task.task_id not in self._running]
        for task in idle:
            if task.cancelling:
                await self._end_cancelled(task)
        now = self._clock.now()
        due = {task.task_id: task for task in idle if not task.cancelling and task.due_at <= now}
        waiting = [_piece(task) for task in due.values()]
        running = [_piece(task) for task in self._running.values()]
        for piece in next_ones(waiting, running, self._settings.at_once):
            task = due[piece.key]
            self._running[task.task_id], self._progress[task.task_id] = task, TaskProgress()
            tasks.start(_name(task.task_id), self._carry(task), partial(self._ended, task.task_id))
        later = [task.due_at for task in idle if not task.cancelling and task.due_at > now]
        return min(((min(later) - now).total_seconds() if later else IDLE_SECONDS), IDLE_SECONDS)

    def _ended(self, task_id: str, error: BaseException | None) -> None:
        del error  # logged by the owner of the tasks; the row is still there
        self._running.pop(task_id, None)
        self._progress.pop(task_id, None)
        self._wake.set()

    async def _carry(self, task: DatabaseTask) -> None:
        """Do the work of one task and end it, whatever comes of it."""
        try:
            await self._carry_out(task)
        except StoreBroken as error:  # it is still there, and is begun again
            log.warning("database_task_waits", task_id=task.task_id, reason=str(error))
            await asyncio.sleep(AGAIN_SECONDS)

    async def _carry_out(self, task: DatabaseTask) -> None:
        if task.attempts >= MOST_ATTEMPTS:
            text = f"The work was begun {task.attempts} times and never came to an end: the service stopped each time."
            await self._end(task, task.task_id, warnings=task.warnings, error_code=BuildFailed.code, error=text)
            return
        now, progress = self._clock.now(), self._progress[task.task_id]
        if not await self._store.write(lambda db: dbtasks.begin(db, task.task_id, now)):
            return
        failed: BaseException | None = None
        carried = Carried(fingerprint="")
        try:
            async with asyncio.TaskGroup() as group:
                noting = group.create_task(self._note(task, progress), name=f"progress-{task.task_id}")
                try:
                    carried = await self._carriers[task.kind].carry(task, progress)
                finally:
                    noting.cancel()
        except* Exception as errors:  # noqa: BLE001  # one order never ends the work on others
            failed = first_of_all(errors)
        if failed is None:
            await self._completed(task, carried)
        elif isinstance(failed, Passing) and (failed.moved or task.tries + 1 < self._settings.fetch_tries):
            await self._postpone(task, failed)
        else:
            await self._failed(task, failed)

    async def _note(self, task: DatabaseTask, progress: TaskProgress) -> None:
        """Write how far the work is, each second."""
        while True:
            progress.mark(self._clock.monotonic())
            now = self._clock.now()
            with suppress(StoreBroken):  # a lock is gone at the next turn
                await self._store.write(partial(_note, task.task_id, progress, now), of=())
            await asyncio.sleep(PROGRESS_SECONDS)

    async def _completed(self, task: DatabaseTask, carried: Carried) -> None:
        """End a task well, with its line of history."""
        history = (carried.history, carried.fingerprint, carried.detail)
        warnings = tuple(dict.fromkeys(carried.warnings))
        await self._end(task, task.task_id, warnings=warnings, history=history, fingerprint=carried.fingerprint)
        log.info("database_made", name=task.name, kind=task.kind, warnings=len(carried.warnings))
        self._metrics.database_tasks.labels(kind=task.kind, outcome="completed").inc()
        await self._carriers[task.kind].forget(task, None)

    async def _postpone(self, task: DatabaseTask, failed: Passing) -> None:
        """Let a task wait: longer each time, or as long as the source said."""
        tries = 0 if failed.moved else task.tries
        pause = min(self._settings.fetch_retry_seconds * 2**tries, LONGEST_PAUSE_SECONDS)
        if failed.after_seconds is not None:
            pause = min(max(pause, failed.after_seconds), LONGEST_PAUSE_SECONDS)
        now = self._clock.now()
        due, text = now + timedelta(seconds=pause), printed(str(failed), MOST_LETTERS)
        await self._store.write(
            lambda db: dbtasks.postpone(db, task.task_id, now, due, tries + 1, error_code=failed.code, error=text),
            of=(),
        )
        self._metrics.database_tasks.labels(kind=task.kind, outcome="postponed").inc()
        log.info("database_task_postponed", name=task.name, code=failed.code, seconds=pause)

    async def _failed(self, task: DatabaseTask, failed: BaseException) -> None:
        """End a task with its cause."""
        known = isinstance(failed, (BlastdError, OSError))
        if not known:
            log.error("database_task_failed", task_id=task.task_id, exc_info=failed)
        text = str(failed) if known else f"The database could not be made: {type(failed).__name__}: {failed}"
        text = printed(text, MOST_LETTERS)
        code = failed.code if isinstance(failed, BlastdError) else BuildFailed.code
        history = ("update_failed", "", text) if task.kind == "update" else None
        await self._end(task, task.task_id, warnings=task.warnings, history=history, error_code=code, error=text)
        log.info("database_not_made", name=task.name, kind=task.kind, code=code)
        self._metrics.database_tasks.labels(kind=task.kind, outcome="failed").inc()
        await self._carriers[task.kind].forget(task, failed)

    async def _end_cancelled(self, task: DatabaseTask) -> None:
        """End a task that was cancelled, unless its database was in its place already: then it is done."""
        if await duty(self._is_placed, task):
            await self._completed(task, Carried(fingerprint="", warnings=task.warnings, history="made"))
            return
        await self._end(task, task.task_id, warnings=task.warnings, status="cancelled")
        self._metrics.database_tasks.labels(kind=task.kind, outcome="cancelled").inc()
        await self._carriers[task.kind].forget(task, asyncio.CancelledError())

    def _is_placed(self, task: DatabaseTask) -> bool:
        """Tell whether the database of a task has taken its place; blocking."""
        try:
            final = makedb.place_of(self._files.databases, makedb.check_name(task.name), task.molecule)
        except (DatabaseBroken, KeyError):  # of a row that holds no order
            return False
        return makedb.maker(final) == task.task_id

    async def _end(
        self,
        task: DatabaseTask | None,
        task_id: str,
        *,
        warnings: Sequence[Warned] = (),
        history: tuple[str, str, str] | None = None,
        **result: str,
    ) -> None:
        """Write the end of a task, with its line of history (kind, fingerprint, detail) in one transaction."""
        now = self._clock.now()

        progress = self._progress.get(task_id)

        def write(db: sqlite3.Connection) -> None:
            if progress is not None:
                _note(task_id, progress, now, db)
            ended = dbtasks.end(db, task_id, now, warnings=warnings, **result)
            if ended and task is not None and history and history[0]:
                kind, fingerprint, detail = history
                dbhistory.add(
                    db, task.name, task.molecule, kind, task.owner, now, task_id=task_id, fingerprint=fingerprint,
                    detail=detail,
                )  # fmt: skip

        await self._store.write(write)


def _name(task_id: str) -> str:
    return f"database-{task_id}"


def _piece(task: DatabaseTask) -> OpenTask:
    since = int(task.created_at.timestamp() * 1000)
    return OpenTask(key=task.task_id, owner=task.owner, target=(task.name, task.molecule), since=since)


def _note(task_id: str, progress: TaskProgress, now: datetime, db: sqlite3.Connection) -> None:
    dbtasks.progress(
        db, task_id, progress.fraction, now, step=progress.step, bytes_done=progress.bytes_done,
        bytes_total=progress.bytes_total,
    )  # fmt: skip


__all__ = ["DatabaseTask", "DatabaseTasks"]
