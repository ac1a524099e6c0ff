"""Tiny searches that one BLAST+ process does one after the other (`core.sharing`), each of which stays a unit of its own.

The process is a resident (`engines.local.residents`), which stays for the next ones where it may. What does not go smoothly (a
bad end, a word on stderr, a time-out, one of them cancelled) ends it, and those that have no table yet run alone, one
after another, in the slot that they share.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from itertools import starmap
from pathlib import Path

import structlog

from blastd.aio import duty, uninterrupted
from blastd.blastplus import process
from blastd.blastplus.process import Talking
from blastd.blastplus.tools import Build
from blastd.core import sharing
from blastd.core.engine import UnitReport, Work
from blastd.core.ids import JobId
from blastd.core.model import Unit
from blastd.durable import publish_unit
from blastd.engines.local import units
from blastd.engines.local.residents import Resident, ResidentKind, Residents
from blastd.engines.local.units import Machine, Running
from blastd.errors import BlastdError

log = structlog.get_logger()

Parted = tuple[process.Ended, units.Kept]
"""When one search was under way, and what was kept of its output."""


class SharedProcess:
    """Searches that share a process. The owner runs `run` as a task and tells `ended`; each search awaits its `report`."""

    def __init__(
        self,
        machine: Machine,
        residents: Residents,
        members: Sequence[tuple[Work, Unit]],
        stop: Callable[[], None],
    ) -> None:
        """Take the searches, the one that was first in turn first, and what cancels the task of `run`."""
        self._machine, self._residents, self._members, self._stop = machine, residents, members, stop
        self._told: dict[JobId, asyncio.Future[Parted | None]] = {
            work.job.job_id: asyncio.Future() for work, _ in members
        }
        self._over: asyncio.Future[None] = asyncio.Future()
        self._alone = asyncio.Lock()
        self.rough = False
        """Whether the common process did not go smoothly, for a reason that others of the kind may have, too."""

    async def run(self) -> None:
        """Search all with one process; what does not go smoothly leaves each to itself."""
        try:
            await self._search()
        except (BlastdError, OSError, TimeoutError) as error:
            self.rough = True
            left = sum(not told.done() for told in self._told.values())
            log.info("searched_alone", searches=left, reason=f"{type(error).__name__}: {error}")

    def ended(self, error: BaseException | None) -> None:
        """Tell those that wait that the task of `run` has ended, or never began."""
        del error  # which the owner has logged
        for told in self._told.values():
            if not told.done():
                told.set_result(None)
        self._over.set_result(None)

    async def report(self, work: Work, unit: Unit, report: UnitReport) -> UnitReport:
        """Return the report of one of the searches. A cancelled caller leaves no process behind. Raises OSError."""
        told = self._told[work.job.job_id]
        try:
            await asyncio.wait({told})  # which leaves it alone when this caller is cancelled
        except asyncio.CancelledError:
            if not told.done():
                self._stop()
                await uninterrupted(self._stopped())
            raise
        if (parted := told.result()) is not None:
            return units.done(self._one(work, unit), report, *parted, "")
        async with self._alone:
            return await units.run(self._machine, work, unit, report)

    def left(self, then: Callable[[BaseException | None], None], error: BaseException | None) -> None:
        """Call *then* with the *error* that ended the task of one of the searches, once nothing of it runs here any more.

        A task that was cancelled before its first step has not come to `report`: its search is in the common process still.
        """
        if self._over.done() or not isinstance(error, asyncio.CancelledError):
            then(error)
            return
        self._stop()
        self._over.add_done_callback(lambda _: then(error))

    async def _stopped(self) -> None:
        await asyncio.wait({self._over})

    def _one(self, work: Work, unit: Unit) -> Running:
        return units.running(self._machine, work, unit, unit.attempt + 1, Path(work.query_path))

    async def _search(self) -> None:
        ones = list(starmap(self._one, self._members))
        leader = ones[0]
        queries = await duty(_texts, ones)
        build = await self._machine.build_of(leader.work.job.program)
        resident = await self._residents.take(kind_of(leader, build), partial(_start, self._machine, leader))
        smooth = False
        try:
            await self._feed(resident, ones, queries, build)
            smooth = resident.well
        finally:
            if smooth and sharing.stays(leader.work):
                self._residents.give(resident)
            else:
                await uninterrupted(
                    self._residents.destroy(resident, "its group ended" if smooth else "it was not well")
                )

    async def _feed(self, resident: Resident, ones: Sequence[Running], queries: Sequence[bytes], build: Build) -> None:
        """Give the queries to the process, and each search its table as it comes."""
        began = self._machine.clock.now()
        resident.feed(queries, self._residents.mark())
        left = list(ones)
        while left:
            async with asyncio.timeout(left[0].limits.seconds):
                tables = await resident.tables()
            now = self._machine.clock.now()
            come, left = left[: len(tables)], left[len(tables) :]
            kept = await duty(_publish, come, tables, build.version)
            ended = process.Ended(started_at=began, ended_at=now, exit_code=0, signal=None)
            for one, each in zip(come, kept, strict=True):
                told = self._told[one.work.job.job_id]
                if not told.done():
                    told.set_result((ended, each))
            began = now


def kind_of(one: Running, build: Build) -> ResidentKind:
    """Return what a process that does the search *one* may do beside it."""
    work = one.work
    program = work.job.program
    named = tuple((database.name, database.folder) for database in work.databases)
    pins = {print_ for ref in work.job.databases for print_ in (ref.fingerprint, ref.taxonomy) if print_}
    return ResidentKind(
        place=(one.machine.programs[program], tuple(database.name for database in work.databases)),
        state=(build, named, tuple(database.fingerprint for database in work.databases), work.taxonomy),
        searched=(sharing.kind_of(work), work.job.owner, one.limits.memory_bytes, one.limits.nice),
        program=program,
        pins=frozenset(pins),
    )


async def _start(machine: Machine, one: Running) -> Talking:
    """Start the process of a kind for the search *one*. Raises OSError."""
    return await machine.processes.talk(
        units.search_words(one, "-"),
        Path(one.work.run_folder),
        units.environment(one) | sharing.ENVIRONMENT,
        one.limits,
    )


def _texts(ones: Sequence[Running]) -> list[bytes]:
    """Return the queries; blocking."""
    return [one.query.read_bytes() for one in ones]


def _publish(ones: Sequence[Running], tables: Sequence[bytes], version: str) -> list[units.Kept]:
    """Give each search its table as its output; blocking. *version*: as in `units.keep`."""
    kept = []
    for one, table in zip(ones, tables, strict=True):
        own = one.file("own")
        try:
            own.write_bytes(table)
            said = units.version_said(table[: units.HEADER_BYTES].partition(b"\n")[0].decode("utf-8", "replace"))
            kept.append((*publish_unit(own, one.final), said or version))
        finally:
            own.unlink(missing_ok=True)
    return kept
