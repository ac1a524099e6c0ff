"""BLAST+ processes that stay after a search, for the next one of the same kind.

To start BLAST+ and to open a database costs more than a tiny search itself. A resident is an unmodified BLAST+ that reads its
queries from a pipe (`core.feeding`). It is of one kind: program, its files and its version, arguments, pinned generation,
limits, owner. It is used by one search, or one group, at a time, and everything that is not as usual ends it: whatever was
asked of it is then searched by a process of its own.

Bounds: so many that wait in all and of a kind, so long, so many queries of each, so much memory; none while memory is short.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import suppress

import structlog

from blastd.aio import duty
from blastd.blastplus.process import Processes, Talking
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.core.feeding import Feeding
from blastd.core.model import Frozen
from blastd.core.tabular import Damaged

log = structlog.get_logger()

LOOK_SECONDS = 1.0  # between looks at those that wait, and at the memory that is left
MORE_SECONDS = 0.001  # until more of a large output is read: BLAST+ writes 4 KiB at a time
LARGE_BYTES = 4096
CLOSE_SECONDS = 10.0  # for the end of killed processes


class ResidentSettings(Frozen, frozen=True, kw_only=True):
    """Bounds: `most` that wait in all (0: none stays), `alike` of a kind, idle seconds, queries and private bytes of each."""

    most: int = 0
    alike: int = 1
    idle_seconds: float = 60.0
    queries: int = 1000
    private_bytes: int = 64 << 20


class ResidentKind(Frozen, frozen=True, kw_only=True):
    """What one process may search one after the other; all of `searched` is the same.

    `place` names program and databases by path and name, `state` what they were when the process began: of one place only
    the newest state stays. `pins` are the fingerprints of all that the process may still open by name.
    """

    place: Hashable
    state: Hashable
    searched: Hashable
    program: str
    pins: frozenset[str]


class Resident:
    """A process of a kind, while it is fed or waits."""

    def __init__(self, kind: ResidentKind, process: Talking, mark: str) -> None:
        """Take a process that has read nothing; *mark* is the name of its first mark."""
        self.kind, self.fed, self.idle_since = kind, 0, 0.0
        self._process, self._feeding = process, Feeding(kind.program)
        process.write(self._feeding.start(mark))

    def feed(self, queries: Sequence[bytes], mark: str) -> None:
        """Give it queries, FASTA of one record each; *mark* as for `Feeding.feed`."""
        self.fed += len(queries)
        self._process.write(self._feeding.feed(queries, mark))

    async def tables(self) -> list[bytes]:
        """Wait for the tables of the next queries, one or more. Raises Damaged for anything that is not as usual."""
        tables: list[bytes] = []
        while not tables:
            text = await self._process.read()
            if not text:
                raise Damaged(f"{self.kind.program} ended.")
            self._feeding.wrote(text)
            while (table := self._feeding.take()) is not None:
                tables.append(table)
            if not tables and len(text) >= LARGE_BYTES:
                await asyncio.sleep(MORE_SECONDS)
        if self._process.complained:
            raise Damaged(f"{self.kind.program} wrote to stderr.")
        return tables

    @property
    def ended(self) -> bool:
        """Tell whether the process has ended."""
        return self._process.returncode is not None

    @property
    def well(self) -> bool:
        """Tell whether it runs, has answered all and has not complained."""
        return not self.ended and not self._feeding.owes and not self._process.complained

    @property
    def private_bytes(self) -> int:
        """Return the memory that it shares with nobody."""
        return self._process.private_bytes

    def end(self, reason: str) -> None:
        """Kill the process, which has nothing to lose."""
        if not self.ended:
            self._process.signal(signal.SIGKILL)
        log.info("resident_ended", program=self.kind.program, reason=reason, queries=self.fed)

    async def gone(self) -> None:
        """Wait until the process has ended, and let go of its pipes."""
        try:
            await self._process.wait()
        finally:
            self._process.close()


class Residents:
    """The processes that stay. Not for threads, but for `pins`."""

    def __init__(self, settings: ResidentSettings, processes: Processes, clock: Clock, chance: Chance) -> None:
        """Take the bounds and what starts processes; *chance* names marks."""
        self.settings, self._processes, self._clock, self._chance = settings, processes, clock, chance
        self._idle: list[Resident] = []  # the one that has waited longest first
        self._ending: list[Resident] = []
        self._any, self._closed = asyncio.Event(), True
        self.pins: frozenset[str] = frozenset()
        """Fingerprints of generations that one may still open a file of: nobody removes them meanwhile."""

    def mark(self) -> str:
        """Return a new name for marks that no query can know."""
        return f"m{self._chance.uuid().hex}"

    async def take(self, kind: ResidentKind, start: Callable[[], Awaitable[Talking]]) -> Resident:
        """Return one of *kind* that waits, or a new one that *start* begins; its owner gives it back with `give`.

        Raises OSError when it can't be started.
        """
        taken = None
        for resident in reversed(self._idle):
            if resident.kind.place == kind.place and resident.kind.state != kind.state:
                self._drop(resident, "its database or BLAST+ is another")
            elif not resident.well:
                self._drop(resident, "it ended or complained")
            elif taken is None and resident.kind == kind:
                taken = resident
        if taken is not None:
            self._idle.remove(taken)
            return taken
        resident = Resident(kind, await start(), self.mark())
        log.info("resident_started", program=kind.program)
        return resident

    def give(self, resident: Resident) -> None:
        """Take back one that has answered all: it stays if it may."""
        alike = [other for other in self._idle if other.kind == resident.kind]
        bounds = self.settings
        if self._closed or not bounds.most:
            self._end(resident, "none stays")
        elif not resident.well:
            self._end(resident, "it ended or complained")
        elif resident.fed >= bounds.queries:
            self._end(resident, "it has had its queries")
        elif resident.private_bytes > bounds.private_bytes:
            self._end(resident, "it has grown")
        else:
            resident.idle_since = self._clock.monotonic()
            self._idle.append(resident)
            if len(alike) >= bounds.alike:
                self._drop(alike[0], "there are others of its kind")
            elif len(self._idle) > bounds.most:
                self._drop(self._idle[0], "others were used after it")
            self._any.set()
        self._note()

    async def destroy(self, resident: Resident, reason: str) -> None:
        """End one that is not well, and return when its process is gone."""
        resident.end(reason)
        await resident.gone()

    async def run(self) -> None:
        """End those that wait for too long, or while memory is short, until cancelled; then end all."""
        self._closed = False
        try:
            while True:
                await self._any.wait()
                await self._clock.wait(asyncio.Event(), LOOK_SECONDS)
                await self._look()
        finally:
            self._closed = True
            for resident in list(self._idle):
                self._drop(resident, "the service stops")
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._reap()

    async def _look(self) -> None:
        """End those that may not wait any longer, and forget those that have ended."""
        scarce = await duty(self._processes.scarce)
        now = self._clock.monotonic()
        for resident in list(self._idle):
            if not resident.well:
                self._drop(resident, "it ended or complained")
            elif scarce:
                self._drop(resident, "memory is short")
            elif now - resident.idle_since >= self.settings.idle_seconds:
                self._drop(resident, "nobody asked it for a while")
        self._note()
        await self._reap()
        if not self._idle and not self._ending:
            self._any.clear()

    def _drop(self, resident: Resident, reason: str) -> None:
        self._idle.remove(resident)
        self._end(resident, reason)

    def _end(self, resident: Resident, reason: str) -> None:
        resident.end(reason)
        self._ending.append(resident)
        self._any.set()

    async def _reap(self) -> None:
        for resident in list(self._ending):
            await resident.gone()
            self._ending.remove(resident)

    def _note(self) -> None:
        pins: frozenset[str] = frozenset()
        self.pins = pins.union(*(resident.kind.pins for resident in self._idle))

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._idle)
