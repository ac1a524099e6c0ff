"""Files of results in the making: work like a search, with a turn, a course, an end, and one making for all who ask."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from blastd.aio import Tasks, duty, owning_tasks
from blastd.clock import Clock
from blastd.core.ids import JobId, Owner
from blastd.core.model import Artifact, Frozen
from blastd.core.schedule import Claim, Piece, SlotLane, Urgency
from blastd.errors import BlastdError, Conflict, Unavailable
from blastd.results.course import FormatCourse
from blastd.turns import Turns

REMEMBERED_SECONDS = 30.0
"""How long the error of a making is the answer to whoever asks: it is not tried again for each look."""
MOST_REMEMBERED = 1000
WAITING = "waiting"

Make = Callable[[FormatCourse, SlotLane], Awaitable[Artifact]]
Key = tuple[JobId, str]


class MakingStatus(Frozen, frozen=True, kw_only=True):
    """How far a file is: `step` is waiting, checking or writing; `fraction` and `waits_for` are None where they are not known."""

    key: str
    step: str
    fraction: float | None
    seconds: float
    waits_for: str | None = None


@dataclass
class Making:
    """One file in the making; `artifact` or `error` once it has `ended`."""

    key: Key
    work_id: str
    begun: float
    course: FormatCourse = field(default_factory=FormatCourse)
    started: bool = False
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    artifact: Artifact | None = None
    error: BlastdError | OSError | None = None

    def made(self) -> Artifact:
        """Return the file. Raises what the making failed with, Conflict when it was cancelled."""
        if self.error is not None:
            raise self.error
        if self.artifact is None:
            raise Conflict("The making of this file was cancelled: ask for it again.")
        return self.artifact


class FormatMakings:
    """Makes files one turn at a time, whoever asks and however many."""

    def __init__(self, turns: Turns, clock: Clock) -> None:
        """Take the queue of this machine; `run` owns what is made."""
        self._turns, self._clock, self._numbers = turns, clock, count(1)
        self._tasks: Tasks | None = None
        self._under_way: dict[Key, Making] = {}
        self._failed: dict[Key, tuple[float, Making]] = {}

    async def run(self) -> None:
        """Own what is being made until cancelled."""
        async with owning_tasks() as tasks:
            self._tasks = tasks
            try:
                await asyncio.Event().wait()
            finally:
                self._tasks = None

    def begin(self, job_id: JobId, owner: Owner, key: str, piece: Piece, make: Make) -> Making:
        """Return the making of a file: the one under way, one that failed a moment ago, or a new one. Raises Unavailable."""
        now = self._clock.monotonic()
        its_key = (job_id, key)
        if (making := self._under_way.get(its_key)) is not None:
            return making
        failed = self._failed.get(its_key)
        if failed is not None and failed[0] > now:
            return failed[1]
        if self._tasks is None:
            raise Unavailable("The service is stopping.")
        making = Making(key=its_key, work_id=f"format-{next(self._numbers)}", begun=now)
        self._under_way[its_key] = making
        claim = Claim(work_id=making.work_id, owner=owner, what="format", urgency=Urgency.PERSON)
        self._tasks.start(making.work_id, self._make(making, claim, piece, make), partial(self._ended, making))
        return making

    async def wait(self, making: Making, seconds: float) -> bool:
        """Wait for the end of a making; False when it goes on."""
        return making.ended.is_set() or await self._clock.wait(making.ended, seconds)

    async def view(self, making: Making) -> MakingStatus:
        """Return how far a making is."""
        now = self._clock.monotonic()
        return MakingStatus(
            key=making.key[1],
            step=making.course.step if making.started else WAITING,
            fraction=await duty(making.course.fraction, now) if making.started else None,
            seconds=round(now - making.begun, 1),
            waits_for=None if making.started else self._turns.schedule.why(making.work_id) or None,
        )

    def cancel(self, job_id: JobId, key: str | None = None) -> int:
        """Stop the making of a file, or of all of a job; returns how many were stopped."""
        found = [making for its, making in self._under_way.items() if its[0] == job_id and key in (None, its[1])]
        for making in found:
            if self._tasks is not None:
                self._tasks.cancel(making.work_id)
        return len(found)

    async def _make(self, making: Making, claim: Claim, piece: Piece, make: Make) -> None:
        try:
            async with self._turns.turn(claim, piece) as lane:
                making.started = True
                making.artifact = await make(making.course, lane)
        except (BlastdError, OSError) as error:
            making.error = error

    def _ended(self, making: Making, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, asyncio.CancelledError):
            making.error = BlastdError(f"The file could not be made ({type(error).__name__}).")
        self._under_way.pop(making.key)
        now = self._clock.monotonic()
        self._failed = {key: kept for key, kept in self._failed.items() if kept[0] > now}
        if making.error is not None and len(self._failed) < MOST_REMEMBERED:
            self._failed[making.key] = (now + REMEMBERED_SECONDS, making)
        making.ended.set()
