"""One BLAST+ process for several tiny searches (`core.sharing`), each of which stays a unit of its own.

What does not go smoothly (an exit code, a word on stderr, one of them cancelled) ends the common process, and those that
are left run alone, one after another, in the slot that they share.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import starmap
from pathlib import Path

import structlog

from blastd.aio import offload, uninterrupted
from blastd.blastplus import process
from blastd.core import sharing
from blastd.core.engine import UnitReport, Work
from blastd.core.ids import JobId
from blastd.core.model import Unit
from blastd.core.tabular import Damaged
from blastd.durable import publish_unit
from blastd.engines.local import units
from blastd.engines.local.units import Failed, Machine, Running

log = structlog.get_logger()

QUERY = "shared.fa"
Kept = tuple[process.Ended, tuple[int, str]]
"""How the common process ended, and size and SHA-256 of one search's output."""


class Shared:
    """Searches that share a process. The owner runs `run` as a task; each search awaits its `report`."""

    def __init__(self, machine: Machine, members: Sequence[tuple[Work, Unit]]) -> None:
        """Take the searches, the one that was first in turn first."""
        self._machine, self._members = machine, members
        self._found: asyncio.Future[Mapping[JobId, Kept]] = asyncio.Future()
        self._task: asyncio.Task[None] | None = None
        self._alone = asyncio.Lock()
        self.rough = False
        """Whether the common process did not go smoothly, for a reason that others of the kind may have, too."""

    async def run(self) -> None:
        """Search all at once; whatever happens, those that wait for it are told."""
        self._task = asyncio.current_task()
        found: Mapping[JobId, Kept] = {}
        try:
            if not self._found.done():
                found = await self._search()
        except (Failed, Damaged, OSError) as error:
            self.rough = True
            log.info("searched_alone", searches=len(self._members), reason=f"{type(error).__name__}: {error}")
        finally:
            if not self._found.done():
                self._found.set_result(found)

    async def report(self, work: Work, unit: Unit, report: UnitReport) -> UnitReport:
        """Return the report of one of the searches. A cancelled caller leaves no process behind. Raises OSError."""
        try:
            await asyncio.wait({self._found})  # which leaves it alone when this caller is cancelled
        except asyncio.CancelledError:
            await uninterrupted(self._stop())
            raise
        if (found := self._found.result().get(work.job.job_id)) is not None:
            ended, kept = found
            return units.done(self._one(work, unit), report, ended, kept, "")
        async with self._alone:
            return await units.run(self._machine, work, unit, report)

    async def _stop(self) -> None:
        if self._task is None and not self._found.done():  # `run` has not begun, and will find this
            self._found.set_result({})
        elif self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def _one(self, work: Work, unit: Unit) -> Running:
        query = Path(work.query_path)
        return units.running(self._machine, work, unit, unit.attempt + 1, query)

    async def _search(self) -> Mapping[JobId, Kept]:
        ones = list(starmap(self._one, self._members))
        first = ones[0]
        query = first.file(QUERY)
        leader = units.running(self._machine, first.work, first.unit, first.unit.attempt + 1, query)
        try:
            await offload(_join, query, [one.query for one in ones])
            ended, stderr = await units.search(leader, Path(first.work.run_folder), sharing.ENVIRONMENT)
            if stderr.strip():
                raise Damaged(f"BLAST+ said: {stderr.strip().splitlines()[0]}")
            kept = await offload(_take_apart, first.file("part"), ones)
        finally:
            await uninterrupted(offload(units.clean, first))
        log.info("searched_together", searches=len(ones), job_ids=[one.work.job.job_id for one in ones])
        return {one.work.job.job_id: (ended, it) for one, it in zip(ones, kept, strict=True)}


def _join(target: Path, queries: Sequence[Path]) -> None:
    """Write the query files into one; blocking."""
    with target.open("wb") as out:
        for query in queries:
            text = query.read_bytes()
            out.write(text if text.endswith(b"\n") else text + b"\n")


def _take_apart(table: Path, ones: Sequence[Running]) -> list[tuple[int, str]]:
    """Give each search its part of the common table as its output; blocking. Returns sizes and SHA-256."""
    with table.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines:
        parts = sharing.split(lines, len(ones))
    kept = []
    for one, text in zip(ones, parts, strict=True):
        own = one.file("own")
        own.write_text(text, "utf-8", "surrogateescape", newline="\n")
        kept.append(publish_unit(own, one.final))
    return kept
