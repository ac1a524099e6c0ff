"""When a search that runs is expected to end: from its own parts that have ended, else from earlier searches of its kind. Pure.

The work of a part is letters of its queries times letters of the database that it searches. Seconds for a piece of work are those of one
core: they are learnt from what ran, never from a table, and where nothing of the kind ran nothing is said.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from statistics import median

from blastd.core.model import Frozen, Job, Unit, UnitKind, UnitState

START_SECONDS = 0.05
"""What each process takes whatever its work."""
FINISH_SHARE = 0.05
"""Of a finish over the proposals, of the work of a whole search."""
LEAST_LEFT = 0.1
"""Of its time a part that runs longer than expected has still to go."""


class Pace(Frozen, frozen=True, kw_only=True):
    """Seconds of one core for a cell (query letter times database letter) in each of some earlier searches."""

    seconds_per_cell: tuple[float, ...] = ()

    @property
    def searches(self) -> int:
        """Return how many searches are known."""
        return len(self.seconds_per_cell)


class Expected(Frozen, frozen=True, kw_only=True):
    """When a search is expected to end, and what that is made of."""

    ends_at: datetime
    made_of: str


def cells(job: Job, units: Sequence[Unit], unit: Unit) -> float:
    """Return the work of a unit."""
    letters = sum(database.letters for database in job.databases)
    shards = sum(other.kind is UnitKind.PROPOSE and other.batch == unit.batch for other in units)
    share = {UnitKind.SEARCH: 1.0, UnitKind.PROPOSE: 1.0 / max(shards, 1), UnitKind.FINISH: FINISH_SHARE}[unit.kind]
    return unit.letters * letters * share


def seconds_of(unit: Unit) -> float | None:
    """Return the seconds of one core that a unit took, None if that is not known."""
    if unit.started_at is None or unit.ended_at is None:
        return None
    return max((unit.ended_at - unit.started_at).total_seconds() * unit.threads - START_SECONDS, 0.0)


def expected(job: Job, units: Sequence[Unit], now_run: Collection[int], pace: Pace, now: datetime) -> Expected | None:
    """Return when *job* is expected to end; *now_run* are the indices of the units of this attempt."""
    ended = [
        (seconds, cells(job, units, unit))
        for unit in units
        if unit.index in now_run and unit.state is UnitState.DONE and (seconds := seconds_of(unit)) is not None
    ]
    work = sum(cell for _, cell in ended)
    if ended and work:
        rate, made_of = sum(seconds for seconds, _ in ended) / work, f"{len(ended):,} of its own parts"
    elif pace.searches:
        number = f"{pace.searches} earlier search{'es' if pace.searches > 1 else ''}"
        rate, made_of = median(pace.seconds_per_cell), number
    else:
        return None

    def whole(unit: Unit) -> float:
        return START_SECONDS + rate * cells(job, units, unit) / unit.threads

    running = [unit for unit in units if unit.state is UnitState.RUNNING]
    left = [_left(unit, whole(unit), now) for unit in running]
    waiting = sum(whole(unit) for unit in units if unit.state is UnitState.WAITING)
    seconds = max([(sum(left) + waiting) / max(len(running), 1), *left])
    return Expected(ends_at=now + timedelta(milliseconds=round(seconds * 1000)), made_of=made_of)


def _left(unit: Unit, whole: float, now: datetime) -> float:
    run = (now - unit.started_at).total_seconds() if unit.started_at is not None else 0.0
    return max(whole - run, LEAST_LEFT * whole)
