"""Time, injected: the only module that reads a clock.

Times are aware UTC datetimes in whole milliseconds, so that they stay equal to themselves through SQLite and JSON.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


def from_ms(ms: int) -> datetime:
    """Return the UTC time *ms* milliseconds after the epoch."""
    return datetime.fromtimestamp(ms // 1000, UTC).replace(microsecond=ms % 1000 * 1000)


def to_ms(moment: datetime) -> int:
    """Return whole milliseconds since the epoch."""
    return int(moment.timestamp() * 1000 + 0.5)


class Clock(Protocol):
    """What the code may ask of time."""

    def now(self) -> datetime:
        """Return the time in UTC, whole milliseconds."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for *event* at most *seconds*; True if it came."""


class Steady:
    """The clock of day as it was at one moment, driven on by seconds that never jump.

    What lies between two of its times has really passed, whoever sets the clock of the machine meanwhile.
    """

    def __init__(self, clock: Clock, not_before: datetime) -> None:
        """Begin now, or at *not_before* when the clock of day is behind what is known to have been."""
        self._clock, self._since = clock, clock.monotonic()
        self._begun = to_ms(max(clock.now(), not_before))

    def now(self) -> datetime:
        """Return the time in UTC, whole milliseconds."""
        return from_ms(self._begun + round((self._clock.monotonic() - self._since) * 1000))

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._clock.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for *event* at most *seconds*; True if it came."""
        return await self._clock.wait(event, seconds)


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return the time in UTC, whole milliseconds."""
        return from_ms(time.time_ns() // 1_000_000)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for *event* at most *seconds*; True if it came."""
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        return True
