"""Whose work on databases begins next: fair between owners, the oldest first, never two pieces on one database."""

from collections.abc import Sequence

from blastd.core.ids import Owner
from blastd.core.model import Frozen


class Piece(Frozen, frozen=True, kw_only=True):
    """A piece of work: `target` is the database that it makes or replaces; it waits since `since` (any order)."""

    key: str
    owner: Owner
    target: tuple[str, str]
    since: int


def next_ones(waiting: Sequence[Piece], running: Sequence[Piece], at_once: int) -> list[Piece]:
    """Return the pieces that begin now, so that at most *at_once* run: each time of the owner who has the fewest."""
    chosen: list[Piece] = []
    left = sorted(waiting, key=lambda piece: (piece.since, piece.key))
    while len(running) + len(chosen) < at_once:
        active = [*running, *chosen]
        busy = {piece.target for piece in active}
        free = [piece for piece in left if piece.target not in busy]
        if not free:
            break
        piece = min(free, key=lambda one: sum(other.owner == one.owner for other in active))
        chosen.append(piece)
        left.remove(piece)
    return chosen
