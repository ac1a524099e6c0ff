"""What asks this machine for a turn, in pieces, and what is told of a piece whose turn has come. Data for `core.schedule`."""

from collections.abc import Hashable, Iterable
from enum import IntEnum, StrEnum

from blastd.core.ids import Owner
from blastd.core.model import Frozen

WorkId = str

SHORT_SECONDS = 1.0
"""A piece that is expected to take so long at most may take the express lane."""


class Urgency(IntEnum):
    """Who waits for a piece of work: it goes before others of its owner, or after those of all."""

    PERSON = 0
    """A page or a download: somebody looks at it."""
    PROGRAM = 1
    """A search, a database in the making: somebody comes back for it."""
    BACKGROUND = 2
    """Nobody asked for it yet."""


class SlotLane(StrEnum):
    """On what a piece runs."""

    SLOT = "slot"
    EXPRESS = "express"
    OWED = "owed"


class Claim(Frozen, frozen=True, kw_only=True):
    """What asks for the machine: its id, whose it is, and `what` it is in one word for those who wait behind it.

    Of several pieces of works of the same *kind* one process may be made; such a work has one piece.
    """

    work_id: WorkId
    owner: Owner
    what: str = "search"
    urgency: Urgency = Urgency.PROGRAM
    priority: int = 0
    kind: Hashable | None = None


class Piece(Frozen, frozen=True, kw_only=True):
    """A part of a work that runs as one process.

    It takes as many slots as it has *threads*, at most all; `seconds` of one core are expected (None: not known). `memory_bytes`
    are its own, `mapped` names files that it maps with their bytes: those are counted once for all who map them. `after` are
    the indices of pieces whose output it needs.
    """

    index: int = 0
    threads: int = 1
    seconds: float | None = None
    memory_bytes: int = 0
    mapped: tuple[str, int] | None = None
    after: tuple[int, ...] = ()

    @property
    def short(self) -> bool:
        """Tell whether it is known to be over soon."""
        return self.seconds is not None and self.seconds <= SHORT_SECONDS * self.threads


class Started(Frozen, frozen=True, kw_only=True):
    """A piece that may start now."""

    work_id: WorkId
    index: int
    lane: SlotLane = SlotLane.SLOT


def counted(kinds: Iterable[str]) -> str:
    """Return works in words, from what each is: "2 searches, 1 format"; empty for none."""
    numbers: dict[str, int] = {}
    for what in kinds:
        numbers[what] = numbers.get(what, 0) + 1
    return ", ".join(_plural(what, number) for what, number in numbers.items())


def _plural(what: str, number: int) -> str:
    if number == 1:
        return f"1 {what}"
    return f"{number:,} {what}{'es' if what.endswith(('ch', 'x', 's')) else 's'}"
