"""What all work on databases shares: how far a piece is, how it ends, and the failures that may pass."""

from typing import Protocol

from blastd.core.model import Frozen, Warned
from blastd.errors import BlastdError
from blastd.store.dbtasks import DatabaseTask

RECENT_SECONDS = 30.0
"""The rate is that of about this time, so that a source that slows down is told as such."""


class Passing(BlastdError):
    """It failed for a reason that may pass: it is tried again by itself."""

    code = "waiting"

    def __init__(
        self, sentence: str, code: str = "waiting", after_seconds: float | None = None, *, moved: bool = False
    ) -> None:
        """Take the cause, its stable name, how long to wait where somebody said so, and whether it got any further this time."""
        super().__init__(sentence)
        self.code, self.after_seconds, self.moved = code, after_seconds, moved


class Carried(Frozen, frozen=True, kw_only=True):
    """How work ended well: the database's fingerprint, what is to be remembered, and its line of history."""

    fingerprint: str
    warnings: tuple[Warned, ...] = ()
    history: str = ""
    detail: str = ""


class TaskProgress:
    """How far a piece of work is now: whoever does it writes, whoever shows it reads."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.step = ""
        self.bytes_done = self.bytes_total = 0
        self.share: float | None = None
        """Share of the whole work where bytes alone don't tell it."""
        self._marks: list[tuple[float, str, int]] = []

    def begin(self, step: str) -> None:
        """Name what is done from now on."""
        self.step = step

    @property
    def fraction(self) -> float:
        """Return the share that is done, below 1 while the work goes on."""
        share = self.share
        if share is None:
            share = self.bytes_done / self.bytes_total if self.bytes_total else 0.0
        return min(0.99, max(0.0, share))

    def mark(self, monotonic: float) -> None:
        """Remember what is done now, for the rate."""
        self._marks = [mark for mark in self._marks if mark[1] == self.step and monotonic - mark[0] <= RECENT_SECONDS]
        self._marks.append((monotonic, self.step, self.bytes_done))

    def seconds_left(self) -> float | None:
        """Return how long the rest of the bytes takes at the rate of late, None where nothing is known."""
        if len(self._marks) < 2 or not self.bytes_total:
            return None
        (begin, _, first), (end, _, last) = self._marks[0], self._marks[-1]
        if end <= begin or last <= first:
            return None
        return (self.bytes_total - last) * (end - begin) / (last - first)


class Carrier(Protocol):
    """What carries out one kind of work."""

    async def carry(self, task: DatabaseTask, progress: TaskProgress) -> Carried:
        """Do all of it; a cancelled one leaves nothing behind but what a next try goes on with.

        Raises Passing to be tried again, any other error to end failed.
        """

    async def forget(self, task: DatabaseTask, error: BaseException | None) -> None:
        """Drop what a task that has ended does not own any more; what can't be dropped now goes with the sweep."""
