"""The one queue of this machine: whoever starts a process of BLAST+, or computes for long, waits here for its turn.

`core.schedule` decides; this tells whoever was chosen, and looks again when time alone may change a decision. Searches of
the local engine come with many pieces (`add`, `free`); everything else is one piece: `async with turns.turn(claim, piece)`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import partial

from blastd.clock import Clock
from blastd.core.schedule import Claim, Piece, Schedule, SlotLane, Started, WorkId

Start = Callable[[Started], None]
LOOK_SECONDS = 0.5  # between looks while something waits: time alone makes a piece long, or a share due


class Turns:
    """Gives turns in the order of a schedule. Not for threads: all is done on the loop."""

    def __init__(self, schedule: Schedule, clock: Clock) -> None:
        """Take the schedule, which is empty, and what time it is."""
        self.schedule, self._clock = schedule, clock
        self._starts: dict[WorkId, Start] = {}
        self._waits, self._filling, self._paused = asyncio.Event(), False, False

    async def run(self) -> None:
        """Look again whenever time alone lets something start, until cancelled."""
        while True:
            await self._waits.wait()
            await self._clock.wait(asyncio.Event(), LOOK_SECONDS)
            self._waits.clear()
            self.fill()

    # ------------------------------------------------------------------ works of many pieces
    def add(self, claim: Claim, pieces: Iterable[Piece], start: Start, done: Iterable[int] = ()) -> None:
        """Queue a work; *start* is told of each piece whose turn has come, perhaps at once, and `free` gives it back."""
        self._starts[claim.work_id] = start
        self.schedule.add(claim, pieces, self._clock.monotonic(), done)
        self.fill()

    def drop(self, work_id: WorkId) -> None:
        """Forget what of a work has not started; what runs keeps its slots until `free`."""
        self.schedule.drop(work_id)
        self._forget(work_id)
        self.fill()

    def free(self, work_id: WorkId, index: int, *, done: bool, again: Piece | None = None) -> None:
        """Give back what a piece had; *again* is the piece when it could not be run."""
        self.schedule.free(work_id, index, done=done, now=self._clock.monotonic(), again=again)
        self._forget(work_id)
        self.fill()

    def join(self, started: Started, most: int) -> Sequence[Started]:
        """Start others of the kind in the slot of one just started, at most *most* in all; their `start` is not called."""
        return self.schedule.join(started.work_id, started.index, most, self._clock.monotonic())

    def pause(self, paused: bool) -> None:
        """Start nothing for a while, since the machine has no room even for one process; or go on."""
        self._paused = paused
        self.fill()

    def fill(self) -> None:
        """Start what can start now."""
        if self._filling:  # the turn under way goes on with it
            return
        self._filling = True
        try:
            while not self._paused and (started := self.schedule.take(self._clock.monotonic())) is not None:
                self._starts[started.work_id](started)
        finally:
            self._filling = False
        if not self._waits.is_set() and self.schedule.waits:
            self._waits.set()

    def _forget(self, work_id: WorkId) -> None:
        if work_id not in self.schedule:
            self._starts.pop(work_id, None)

    # ------------------------------------------------------------------ works of one piece
    @asynccontextmanager
    async def turn(self, claim: Claim, piece: Piece | None = None) -> AsyncIterator[SlotLane]:
        """Wait for a turn, hold what the piece takes during the block, and give it back; gives the lane.

        A cancelled caller holds nothing. The id of the claim is of nobody else at the time.
        """
        began: asyncio.Future[Started] = asyncio.get_running_loop().create_future()
        self.add(claim, [piece or Piece()], partial(_tell, began))
        try:
            yield (await began).lane
        finally:
            self.schedule.drop(claim.work_id)
            if claim.work_id in self.schedule:
                self.schedule.free(claim.work_id, (piece or Piece()).index, done=True, now=self._clock.monotonic())
            self._forget(claim.work_id)
            self.fill()


def _tell(began: asyncio.Future[Started], started: Started) -> None:
    if not began.done():  # else its caller was cancelled a moment ago, and gives it back
        began.set_result(started)
