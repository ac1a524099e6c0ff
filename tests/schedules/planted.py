"""Faults that blastd once had, or could have, to be put back one at a time: schedules that don't find them look at nothing.

`python -m tests.schedules 1 5000 --planted NAME`; README.md says after how many schedules each was found.
"""

import asyncio
import shutil
import sqlite3
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from blastd.aio import Ended, Pool, Tasks, offload
from blastd.clock import Clock
from blastd.core.ids import JobId
from blastd.core.intervals import Intervals, poll_delay
from blastd.core.model import Job, Missed
from blastd.engines.kubernetes import harvest, result_fetches
from blastd.engines.kubernetes.podplan import unit_blob
from blastd.engines.kubernetes.reflector import ObjectView
from blastd.engines.kubernetes.result_fetches import ClusterJob, ResultFetches
from blastd.engines.local import units
from blastd.engines.local.engine import LocalEngine
from blastd.engines.local.units import Running
from blastd.storage.contract import Area, Storage, StorageMissing
from blastd.store import jobs
from blastd.tracking import tracker
from blastd.tracking.finish import Finisher
from blastd.tracking.look import Looks
from blastd.tracking.poller import Look

T = TypeVar("T")


class Beaten(Exception):
    """A finish lost its compare-and-swap."""


def slot_in_task() -> None:
    """Give a unit's slot back inside its own task, which a cancel before its first step never enters."""
    start = Tasks.start

    def planted(self: Tasks, name: str, work: Coroutine[Any, Any, None], ended: Ended | None = None) -> bool:
        if ended is None or not name.startswith("unit-"):
            return start(self, name, work, ended)

        async def inside() -> None:
            error: BaseException | None = None
            try:
                await work
            except BaseException as caught:
                error = caught
                raise
            finally:
                ended(error)

        return start(self, name, inside())

    setattr(Tasks, "start", planted)  # noqa: B010  # mypy allows no assignment to a method


def place_beats_end() -> None:
    """Let a place in the queue take a row's version, and a finish that lost to it say that there is no such job.

    As then, a unit's start is not told either: since it is, nearly every row runs before its search is over, and has no place.
    """
    write, finish, apply, tell = jobs.set_positions, Finisher.finish, Looks._apply, LocalEngine._tell

    def tell_end(self: LocalEngine, job_id: JobId) -> None:
        held = self._held.get(job_id)
        if held is None or not held.tasks:
            tell(self, job_id)

    def bump(db: sqlite3.Connection, positions: dict[JobId, int], now: datetime) -> None:
        write(db, positions, now)
        for job_id in positions:
            db.execute("UPDATE job SET version = version + 1 WHERE job_id = ? AND status = 'queued'", (job_id,))

    async def finish_or_raise(*given: Any) -> Any:
        ended = await finish(*given)
        if ended is Missed.LOST:
            raise Beaten
        return ended

    async def apply_or_gone(*given: Any) -> Any:
        try:
            return await apply(*given)
        except Beaten:
            return Missed.GONE

    setattr(LocalEngine, "_tell", tell_end)  # noqa: B010
    setattr(jobs, "set_positions", bump)  # noqa: B010  # as above
    setattr(Finisher, "finish", finish_or_raise)  # noqa: B010
    setattr(Looks, "_apply", apply_or_gone)  # noqa: B010


def thread_alone() -> None:
    """Let the thread of a caller that was cancelled go on alone, and write when it likes."""

    async def run(self: Pool, work: Callable[[], T], name: str) -> T:
        del name
        return await asyncio.wrap_future(self._threads.submit(work))

    setattr(Pool, "run", run)  # noqa: B010


def clean_of_others() -> None:
    """Let the clean-up of a try remove the files of the next one, and threads go on alone."""
    thread_alone()

    def clean(one: Running) -> None:
        for path in one.stem.parent.glob(f"{one.unit.index}.*.*"):
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    setattr(units, "clean", clean)  # noqa: B010


def wake_lost() -> None:
    """Forget calls that come while a poller looks, which it then sleeps over."""

    async def poll(job_id: JobId, look: Look, wake: asyncio.Event, clock: Clock, policy: Intervals) -> None:
        delay, rounds = policy.first_look, 0
        while rounds < policy.max_rounds:
            woken = await clock.wait(wake, delay)
            job = await look(job_id, woken)
            wake.clear()
            if job is Missed.LOST:
                delay = 0.1
                continue
            if job is Missed.GONE or job.status.terminal:
                return
            delay = poll_delay(job.phase, policy)
            rounds += not woken

    setattr(tracker, "poll", poll)  # noqa: B010


def blind_move() -> None:
    """Move a row whatever has become of it meanwhile."""
    move = jobs.move

    def blind(db: sqlite3.Connection, seen: Job, *rest: Any) -> Any:
        row = db.execute("SELECT version FROM job WHERE job_id = ?", (seen.job_id,)).fetchone()
        return move(db, replace(seen, version=row[0]) if row else seen, *rest)

    setattr(jobs, "move", blind)  # noqa: B010


def one_part_file() -> None:
    """Let all fetches of a unit write one file, at once, and believe what arrived without reading it again."""

    async def fetch(self: ResultFetches, held: ClusterJob, units: Sequence[int]) -> bool:
        return await self._fetch(held, units)

    async def harvest_unread(
        storage: Storage, folder: Path, job_id: JobId, attempt: int, unit: int
    ) -> harvest.Harvested | None:
        target = folder / "units" / f"{unit}.out"
        part = target.with_name(f"{unit}.part")
        target.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            told = harvest.decoded(await storage.download(Area.RESULTS, unit_blob(job_id, attempt, unit), part))
        except StorageMissing:
            return None
        await offload(part.replace, target)
        return harvest.Harvested(report=harvest.report_of(told, attempt), told=told)

    setattr(result_fetches, "harvest", harvest_unread)  # noqa: B010
    setattr(ResultFetches, "fetch", fetch)  # noqa: B010


def put_back() -> None:
    """Put an object into the view that a list has dropped."""
    setattr(ObjectView, "put", ObjectView._take)  # noqa: B010


PLANTED: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (
        slot_in_task,
        place_beats_end,
        clean_of_others,
        thread_alone,
        wake_lost,
        blind_move,
        one_part_file,
        put_back,
    )
}
