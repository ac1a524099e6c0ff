"""One BLAST+ process for several tiny searches (`core.sharing`), each of which stays a unit of its own.

What does not go smoothly (an exit code, a word on stderr, one of them cancelled) ends the common process, and those that
are left run alone, one after another, in the slot that they share.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from itertools import starmap
from pathlib import Path

import structlog
from msgspec.structs import replace

from blastd.aio import duty, uninterrupted
from blastd.blastplus import process
from blastd.core import sharing
from blastd.core.engine import UnitReport, Work
from blastd.core.ids import JobId
from blastd.core.model import Unit
from blastd.core.tabular import Damaged
from blastd.durable import publish_unit
from blastd.engines.local import units
from blastd.engines.local.units import Machine, Running, UnitFailed

log = structlog.get_logger()

QUERY = "shared.fa"
Parted = tuple[process.Ended, units.Kept]
"""How the common process ended, and what was kept of one search's output."""


class SharedProcess:
    """Searches that share a process. The owner runs `run` as a task and tells `ended`; each search awaits its `report`."""

    def __init__(self, machine: Machine, members: Sequence[tuple[Work, Unit]], stop: Callable[[], None]) -> None:
        """Take the searches, the one that was first in turn first, and what cancels the task of `run`."""
        self._machine, self._members, self._stop = machine, members, stop
        self._kept: Mapping[JobId, Parted] = {}
        self._over: asyncio.Future[None] = asyncio.Future()
        self._alone = asyncio.Lock()
        self.rough = False
        """Whether the common process did not go smoothly, for a reason that others of the kind may have, too."""

    async def run(self) -> None:
        """Search all at once; what does not go smoothly leaves each to itself."""
        try:
            self._kept = await self._search()
        except (UnitFailed, Damaged, OSError) as error:
            self.rough = True
            log.info("searched_alone", searches=len(self._members), reason=f"{type(error).__name__}: {error}")

    def ended(self, error: BaseException | None) -> None:
        """Tell those that wait that the task of `run` has ended, or never began."""
        del error  # which the owner has logged
        self._over.set_result(None)

    async def report(self, work: Work, unit: Unit, report: UnitReport) -> UnitReport:
        """Return the report of one of the searches. A cancelled caller leaves no process behind. Raises OSError."""
        try:
            await asyncio.wait({self._over})  # which leaves it alone when this caller is cancelled
        except asyncio.CancelledError:
            self._stop()
            await uninterrupted(self._stopped())
            raise
        if (kept := self._kept.get(work.job.job_id)) is not None:
            return units.done(self._one(work, unit), report, *kept, "")
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
        query = Path(work.query_path)
        return units.running(self._machine, work, unit, unit.attempt + 1, query)

    async def _search(self) -> Mapping[JobId, Parted]:
        ones = list(starmap(self._one, self._members))
        leader = ones[0]
        together = replace(leader, query=leader.file(QUERY))
        try:
            await duty(_join, together.query, [one.query for one in ones])
            version = await self._machine.version_of(leader.work.job.program)
            ended, stderr = await units.search(together, Path(leader.work.run_folder), sharing.ENVIRONMENT)
            if stderr.strip():
                raise Damaged(f"BLAST+ said: {stderr.strip().splitlines()[0]}")
            kept = await duty(_take_apart, together.file("part"), ones, version)
        finally:
            await uninterrupted(duty(_clean, ones))
        log.info("searched_together", searches=len(ones), job_ids=[one.work.job.job_id for one in ones])
        return {one.work.job.job_id: (ended, it) for one, it in zip(ones, kept, strict=True)}


def _clean(ones: Sequence[Running]) -> None:
    """Remove the temporary files of all; blocking."""
    for one in ones:
        units.clean(one)


def _join(target: Path, queries: Sequence[Path]) -> None:
    """Write the query files into one; blocking."""
    with target.open("wb") as out:
        for query in queries:
            text = query.read_bytes()
            out.write(text if text.endswith(b"\n") else text + b"\n")


def _take_apart(table: Path, ones: Sequence[Running], version: str) -> list[units.Kept]:
    """Give each search its part of the common table as its output; blocking. *version*: as in `units.keep`."""
    with table.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        parts = sharing.split(lines, len(ones))
    kept = []
    for one, text in zip(ones, parts, strict=True):
        own = one.file("own")
        own.write_text(text, "utf-8", "surrogateescape", newline="\n")
        said = units.version_said(text.partition("\n")[0])
        kept.append((*publish_unit(own, one.final), said or version))
    return kept
