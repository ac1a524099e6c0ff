"""What starts next on this machine: one budget of slots and memory for searches, formats, databases, all. Pure: it starts nothing.

Slots go to the owner who has the fewest in use, among equals to the one who has waited longest for a turn; then to that
owner's work that a person waits for, of the highest priority, with the fewest in use, and among equals to the one that has
waited longest. Who comes new has waited less than all but the one who was served last. What nobody waits for comes last,
until it has waited as long as strangers have to. So owners share the machine evenly, a small job waits for at most one piece
of each big one that its owner has, and nobody waits for ever, whatever comes after him.

Two lanes lie beside the slots, for the time in which long pieces hold them all (docs/decisions/0009):

- *Express*: a piece that is known to be short starts beside them, at most `express` at once.
- *Owed*: an owner of whom nothing runs, and who has waited `share_seconds`, gets one piece beside them, and what ends next
  pays it back: its slot is not given away. There are never more than twice as many pieces as slots, and the express ones.

Pieces of a kind may share a slot, and its process (`core.sharing`): those of one owner and priority.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from blastd.core.claims import Claim, Piece, SlotLane, Started, Urgency, WorkId, counted
from blastd.core.ids import Owner

Turn = tuple[int, bool, int]
"""When somebody last had a turn: number of starts before, whether it was a start (else the arrival), order of arrival."""

LONG_SECONDS = 1.2
"""A piece that has run so long is a long one, whatever was expected of it."""


@dataclass
class RunningPiece:
    """A piece that runs: the slots that it has, its lane, and since when. One that shares another's slot has none (width 0)."""

    piece: Piece
    width: int
    lane: SlotLane
    since: float

    def long(self, now: float) -> bool:
        """Tell whether it has run too long for a short one, or never was one."""
        return not self.piece.short or now - self.since >= LONG_SECONDS

    def counts(self, now: float) -> int:
        """Return the slots that it takes: none on the express lane, while it keeps what was expected of it."""
        return 0 if self.lane is SlotLane.EXPRESS and now - self.since < LONG_SECONDS else self.width


@dataclass
class Waiting:
    """A work with pieces that have not started. `done` holds the indices of pieces that others may wait for."""

    claim: Claim
    turn: Turn
    since: float
    pieces: dict[int, Piece]
    done: set[int] = field(default_factory=set)
    running: dict[int, RunningPiece] = field(default_factory=dict)

    def ready(self) -> Piece | None:
        """Return the next piece whose needs are met."""
        return next((piece for piece in self.pieces.values() if self.done.issuperset(piece.after)), None)

    @property
    def width(self) -> int:
        """Return the slots that its pieces have."""
        return sum(running.width for running in self.running.values())


class Schedule:
    """Which piece starts next. `total` slots, `memory_bytes` for all (0: not counted); times are seconds that never go back."""

    def __init__(self, total: int, memory_bytes: int = 0, share_seconds: float = 60.0, express: int = 1) -> None:
        """Begin with *total* free slots, and *express* places for short pieces beside them."""
        self.total, self.memory_bytes, self.share_seconds, self.express = total, memory_bytes, share_seconds, express
        self._works: dict[WorkId, Waiting] = {}
        self._owners: dict[Owner, Turn] = {}
        self._served: dict[Owner, float] = {}  # until when something of an owner ran
        self._sharing: dict[tuple[WorkId, int], list[tuple[WorkId, int]]] = {}
        self._arrivals = self._starts = 0
        self._order: dict[WorkId, int] | None = None  # what `waiting` found, until something changes
        self._pieces: list[tuple[Owner, RunningPiece]] | None = None  # what runs, likewise

    # ------------------------------------------------------------------ what runs
    def _running(self) -> list[tuple[Owner, RunningPiece]]:
        if self._pieces is None:
            works = self._works.values()
            self._pieces = [(work.claim.owner, running) for work in works for running in work.running.values()]
        return self._pieces

    def __contains__(self, work_id: WorkId) -> bool:
        """Tell whether something of a work waits or runs."""
        return work_id in self._works

    @property
    def used(self) -> int:
        """Return the number of slots in use, those of the other lanes included."""
        return sum(running.width for _, running in self._running())

    @property
    def running(self) -> int:
        """Return the number of pieces that run."""
        return len(self._running())

    def _taken(self, pieces: Iterable[Piece]) -> int:
        """Return the bytes that *pieces* are expected to take together."""
        each = list(pieces)
        mapped = {piece.mapped for piece in each if piece.mapped is not None}
        return sum(piece.memory_bytes for piece in each) + self._counted(sum(size for _, size in mapped))

    def _counted(self, mapped_bytes: int) -> int:
        """Return what mapped files count: the kernel keeps what fits, so the largest leave room for others."""
        return min(mapped_bytes, self.memory_bytes // 2)

    # ------------------------------------------------------------------ coming and going
    def add(self, claim: Claim, pieces: Iterable[Piece], now: float, done: Iterable[int] = ()) -> None:
        """Queue the pieces of a work; *done* are those that need not run."""
        self._arrivals += 1
        turn = (self._starts, False, self._arrivals)
        self._owners.setdefault(claim.owner, turn)
        waiting = {piece.index: piece for piece in pieces}
        self._works[claim.work_id] = Waiting(claim, turn, now, waiting, set(done))
        known = self._order if len(self._owners) == 1 and waiting and not self._works[claim.work_id].done else None
        if known and claim.work_id not in known:  # the usual case, not worth a sort: behind all that wait
            last = self._works[next(reversed(known))]
            if (last.claim.urgency, -last.claim.priority, last.turn) < (claim.urgency, -claim.priority, turn):
                known[claim.work_id] = len(known) + 1
                return
        self._order = None

    def drop(self, work_id: WorkId) -> None:
        """Forget the pieces of a work that have not started; what runs keeps its slots until `free`."""
        if (work := self._works.get(work_id)) is not None:
            self._changed()
            work.pieces.clear()
            self._prune(work)

    def free(self, work_id: WorkId, index: int, *, done: bool, now: float = 0.0, again: Piece | None = None) -> None:
        """Give back the slots of a piece that ended; those that share it keep them until the last has ended.

        *again* is the piece when it could not be run: it waits before the others of its work.
        """
        self._changed()
        work = self._works[work_id]
        if again is not None:
            work.pieces = {index: again} | work.pieces
        ended = work.running.pop(index, None)
        together = self._sharing.pop((work_id, index), [])
        if together:
            together.remove((work_id, index))
        if together and ended is not None and ended.width:
            heir, its_index = together[0]
            self._works[heir].running[its_index] = ended
        if done:
            work.done.add(index)
        self._served[work.claim.owner] = now
        self._prune(work)

    # ------------------------------------------------------------------ who is next
    def take(self, now: float) -> Started | None:
        """Return the next piece to start and occupy what it takes; None when nothing can start now."""
        running = self._running()
        free = self.total - sum(piece.counts(now) for _, piece in running)
        if free > 0:
            for work in self._in_turn(now):
                piece = work.ready()
                if piece is None:
                    continue
                if self._width(piece) <= free and self._fits(piece):
                    return self._start(work, piece, SlotLane.SLOT, now)
                break  # slots and memory are kept for it: others overtaking would starve it
            else:
                return None
        elif not all(piece.long(now) for _, piece in running if piece.counts(now)):
            return None  # one that is over soon makes room
        return self._beside(running, now)

    def _beside(self, running: Sequence[tuple[Owner, RunningPiece]], now: float) -> Started | None:
        """Start what need not wait for long pieces: a short one, or one of an owner who has waited long for his share."""
        express = sum(piece.width > 0 and not piece.counts(now) for _, piece in running)
        if sum(piece.counts(now) for _, piece in running) >= 2 * self.total:
            return None
        if express < self.express and (short := self._first(now, self._quick)) is not None:
            return self._start(*short, SlotLane.EXPRESS, now)
        busy = {owner for owner, _ in running}
        owed = self._first(now, lambda work, _: work.claim.owner not in busy and self._owed(work, now))
        return None if owed is None else self._start(*owed, SlotLane.OWED, now)

    @staticmethod
    def _quick(work: Waiting, piece: Piece) -> bool:
        del work
        return piece.short

    def _first(self, now: float, may: Callable[[Waiting, Piece], bool]) -> tuple[Waiting, Piece] | None:
        """Return the first in turn of the pieces that *may* start beside the slots and for which there is memory."""
        works = [
            work
            for work in self._works.values()
            if work.pieces and (piece := work.ready()) is not None and may(work, piece) and self._fits(piece)
        ]
        if not works:
            return None
        work = min(works, key=self._claims(now)) if len(works) > 1 else works[0]
        piece = work.ready()
        return None if piece is None else (work, piece)

    def _owed(self, work: Waiting, now: float) -> bool:
        waits_since = max(work.since, self._served.get(work.claim.owner, work.since))
        return work.claim.urgency is not Urgency.BACKGROUND and now - waits_since >= self.share_seconds

    @property
    def waits(self) -> bool:
        """Tell whether any piece waits."""
        return any(work.pieces for work in self._works.values())

    def join(self, work_id: WorkId, index: int, most: int, now: float = 0.0) -> list[Started]:
        """Start other waiting pieces in the slot of one just taken, at most *most* in all.

        Each slot gets a share of two thirds of what waits (guided self-scheduling), of little its share of all: so slots
        end together, and what comes out of one is finished while others compute. Of 48 searches in two slots this takes
        5 % less time than shares of half, since fewer processes start.
        """
        first = self._works[work_id]
        if first.claim.kind is None or most < 2:
            return []
        kind = (first.claim.kind, first.claim.owner, first.claim.priority)
        alike = [
            work
            for work in self._in_turn(now)
            if work.pieces and (work.claim.kind, work.claim.owner, work.claim.priority) == kind
        ]
        left = len(alike) + 1
        share = min(most, -(-left // self.total) if left <= 4 * self.total else -(-2 * left // (3 * self.total)))
        lane = first.running[index].lane
        joined = [
            self._start(other, piece, lane, now, width=0)
            for other in alike[: share - 1]
            if (piece := other.ready()) is not None
        ]
        together = [(work_id, index), *((taken.work_id, taken.index) for taken in joined)]
        self._sharing |= dict.fromkeys(together, together) if joined else {}
        return joined

    def _start(self, work: Waiting, piece: Piece, lane: SlotLane, now: float, width: int | None = None) -> Started:
        self._changed()
        work.pieces.pop(piece.index)
        work.running[piece.index] = RunningPiece(piece, self._width(piece) if width is None else width, lane, now)
        self._starts += 1
        work.turn = self._owners[work.claim.owner] = (self._starts, True, 0)
        work.since = now
        return Started(work_id=work.claim.work_id, index=piece.index, lane=lane)

    # ------------------------------------------------------------------ what waits
    def waiting(self) -> Sequence[WorkId]:
        """Return the works of which nothing has started, in the order in which owners take turns."""
        return list(self._places())

    def place(self, work_id: WorkId) -> int | None:
        """Return the place of a work among those that wait, from 1; None if it does not wait."""
        return self._places().get(work_id)

    def why(self, work_id: WorkId) -> str:
        """Return what a work waits for, in words: "a slot: 2 searches of another owner run"; empty if it does not wait."""
        work = self._works.get(work_id)
        if work is None or not work.pieces:
            return ""
        mine = _counted_works(other for other in self._works.values() if other.running and self._mine(other, work))
        theirs = _counted_works(
            other for other in self._works.values() if other.running and not self._mine(other, work)
        )
        behind = [f"{mine} of yours"] if mine else []
        behind += [f"{theirs} of others"] if theirs else []
        if not behind:
            return ""
        piece = work.ready()
        lacks = "memory" if piece is not None and self.used < self.total and not self._fits(piece) else "a slot"
        place = self.place(work_id)
        first = f", {place - 1:,} before it in the queue" if place is not None and place > 1 else ""
        return f"{lacks}: behind {' and '.join(behind)}{first}"

    def _mine(self, other: Waiting, work: Waiting) -> bool:
        return other.claim.owner == work.claim.owner

    def _places(self) -> dict[WorkId, int]:
        if self._order is None:
            self._order = {work_id: place for place, work_id in enumerate(self._waiting(), 1)}
        return self._order

    def _waiting(self) -> Sequence[WorkId]:
        by_owner: dict[Owner, list[WorkId]] = {}
        for work in self._in_turn(0.0):
            if not work.running and work.pieces and not work.done:
                by_owner.setdefault(work.claim.owner, []).append(work.claim.work_id)
        order: list[WorkId] = []
        turn = 0
        queues = list(by_owner.values())
        while len(order) < sum(map(len, queues)):
            order += [queue[turn] for queue in queues if turn < len(queue)]
            turn += 1
        return order

    # ------------------------------------------------------------------ rules
    def _width(self, piece: Piece) -> int:
        return max(1, min(piece.threads, self.total))

    def _fits(self, piece: Piece) -> bool:
        """Tell whether there is memory for a piece; one that needs more than there is runs alone."""
        if not self.memory_bytes or not self._running():
            return True
        return self._taken([*(running.piece for _, running in self._running()), piece]) <= self.memory_bytes

    def _claims(self, now: float) -> Callable[[Waiting], tuple[bool, int, Turn, int, int, int, Turn]]:
        """Return what orders works: the smallest is next."""
        loads: dict[Owner, int] = {}
        for owner, running in self._running():
            loads[owner] = loads.get(owner, 0) + running.width

        def order(work: Waiting) -> tuple[bool, int, Turn, int, int, int, Turn]:
            claim = work.claim
            unasked = claim.urgency is Urgency.BACKGROUND and now - work.since < self.share_seconds
            turn = self._owners[claim.owner]
            return unasked, loads.get(claim.owner, 0), turn, claim.urgency, -claim.priority, work.width, work.turn

        return order

    def _in_turn(self, now: float) -> list[Waiting]:
        """Return all works in the order of their claims."""
        return sorted(self._works.values(), key=self._claims(now))

    def _changed(self) -> None:
        self._order = self._pieces = None

    def _prune(self, work: Waiting) -> None:
        if not work.pieces and not work.running:
            self._works.pop(work.claim.work_id, None)
            if all(other.claim.owner != work.claim.owner for other in self._works.values()):
                self._owners.pop(work.claim.owner, None)
                self._served.pop(work.claim.owner, None)


def _counted_works(works: Iterable[Waiting]) -> str:
    return counted(work.claim.what for work in works)


__all__ = ["Claim", "Piece", "Schedule", "SlotLane", "Started", "Urgency", "WorkId"]
