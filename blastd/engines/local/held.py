"""What the local engine holds of a job and of a try at one of its units, and how long the job has run. Data; it starts nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from blastd.clock import Steady
from blastd.core.engine import Trouble, UnitReport, Work
from blastd.core.model import Unit
from blastd.core.schedule import SlotLane


@dataclass
class RunTime:
    """For how many seconds at least one unit has run: neither waits between units nor stops of the service count."""

    before: float
    at_once: int = 0
    since: float = 0.0

    def begin(self, now: float) -> None:
        """Note that a unit began *now*, in monotonic seconds."""
        if not self.at_once:
            self.since = now
        self.at_once += 1

    def end(self, now: float) -> None:
        """Note that a unit ended."""
        self.before = self.seconds(now)
        self.since, self.at_once = now, self.at_once - 1

    def seconds(self, now: float) -> float:
        """Return the seconds until *now*."""
        return self.before + (now - self.since if self.at_once else 0.0)


@dataclass
class LocalJob:
    """A job that the engine has.

    `tasks` are the names of those of its units that have not ended, `trouble` why it failed, `waits` what it waits for that
    this machine has no room for.
    """

    work: Work
    time: Steady
    reports: dict[int, UnitReport]
    run_time: RunTime
    tasks: dict[str, None] = field(default_factory=dict)
    trouble: Trouble | None = None
    waits: Trouble | None = None
    cancelled: bool = False
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    @cached_property
    def units(self) -> Mapping[int, Unit]:
        """Return all units by index."""
        return {unit.index: unit for unit in self.work.units}

    def until(self) -> float:
        """Return when it will have run as long as it may if it runs from now on, in monotonic seconds."""
        now = self.time.monotonic()
        return now + self.work.time_limit_seconds - self.run_time.seconds(now)


@dataclass
class UnitRun:
    """One try at a unit of a job; `report` is what is known of it, the last word once the unit's work has ended well.

    `waits`: the machine had no room for it, and it is to be tried again.
    """

    held: LocalJob
    unit: Unit
    report: UnitReport
    name: str
    lane: SlotLane
    waits: Trouble | None = None
