"""How much an owner may search within a day, and when there is room again. The day is the last 24 hours, not a date."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from blastd.core.model import Frozen

WINDOW = timedelta(days=1)


class Spent(Frozen, frozen=True, kw_only=True):
    """Letters that were searched; `until` is the last moment of the stretch in which they were."""

    until: datetime
    letters: int


def used(spent: Sequence[Spent]) -> int:
    """Return the sum of letters."""
    return sum(part.letters for part in spent)


def room_at(spent: Sequence[Spent], letters: int, limit: int, now: datetime) -> datetime | None:
    """Return when a search of *letters* fits under *limit*: *now*, or later; None when it never does.

    *spent* is what lies within the window at *now*, oldest first.
    """
    if letters > limit:
        return None
    left = used(spent)
    if left + letters <= limit:
        return now
    for part in spent:
        left -= part.letters
        if left + letters <= limit:
            return max(now, part.until + WINDOW)
    return now
