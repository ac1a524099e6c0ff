"""The fair queue of units for the slots of this machine. Pure: it starts nothing.

Slots go to the owner who has the fewest in use, among equals to the one who has waited longest for a turn; then to that
owner's job of the highest priority with the fewest in use, among equals to the one that has waited longest. Who comes
new has waited less than all but the one who was served last. So owners share the machine evenly, a small job waits for
at most one unit of each big one that its owner has, and nobody waits for ever, whatever comes after him.

Units of a kind may share a slot, and its process (`core.sharing`): those of one owner and priority.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field

from blastd.core.ids import JobId, Owner
from blastd.core.model import Unit

Turn = tuple[int, bool, int]
"""When somebody last had a turn: number of starts before, whether it was a start (else the arrival), order of arrival."""


@dataclass
class Waiting:
    """A job with units that have not started. `done` holds the indices of units that others may wait for."""

    job_id: JobId
    owner: Owner
    priority: int
    turn: Turn
    units: dict[int, Unit]
    done: set[int] = field(default_factory=set)
    running: dict[int, int] = field(default_factory=dict)
    kind: Hashable | None = None

    def ready(self) -> Unit | None:
        """Return the next unit whose needs are met."""
        return next((unit for unit in self.units.values() if self.done.issuperset(unit.after)), None)


class Slots:
    """Which unit starts next. `total` slots; a unit takes as many as it has threads, at most all."""

    def __init__(self, total: int) -> None:
        """Begin with *total* free slots."""
        self.total = total
        self._jobs: dict[JobId, Waiting] = {}
        self._owners: dict[Owner, Turn] = {}
        self._sharing: dict[tuple[JobId, int], list[tuple[JobId, int]]] = {}
        self._arrivals = self._starts = 0
        self._order: dict[JobId, int] | None = None  # what `waiting` found, until something changes
        self._used: int | None = None  # what `used` and `running` found, likewise
        self._units: int | None = None

    @property
    def used(self) -> int:
        """Return the number of slots in use."""
        if self._used is None:
            self._used = sum(sum(job.running.values()) for job in self._jobs.values())
        return self._used

    @property
    def running(self) -> int:
        """Return the number of units that run."""
        if self._units is None:
            self._units = sum(len(job.running) for job in self._jobs.values())
        return self._units

    def add(
        self,
        job_id: JobId,
        owner: Owner,
        priority: int,
        units: Iterable[Unit],
        done: Iterable[int],
        kind: Hashable | None = None,
    ) -> None:
        """Queue the units of a job; *done* are those that need not run. A job with a *kind* has one unit."""
        self._arrivals += 1
        turn = (self._starts, False, self._arrivals)
        self._owners.setdefault(owner, turn)
        waiting = {unit.index: unit for unit in units}
        self._jobs[job_id] = Waiting(job_id, owner, priority, turn, waiting, set(done), kind=kind)
        known = self._order if len(self._owners) == 1 and waiting and not self._jobs[job_id].done else None
        if known and job_id not in known:  # the usual case, not worth a sort: behind all that wait
            last = self._jobs[next(reversed(known))]
            if (-last.priority, last.turn) < (-priority, turn):
                known[job_id] = len(known) + 1
                return
        self._order = None

    def drop(self, job_id: JobId) -> None:
        """Forget the units of a job that have not started; what runs keeps its slots until `free`."""
        if (job := self._jobs.get(job_id)) is not None:
            self._order = self._used = self._units = None
            job.units.clear()
            self._prune(job)

    def take(self) -> tuple[JobId, Unit] | None:
        """Return the next unit to start and occupy its slots; None when nothing can start now."""
        free = self.total - self.used
        if free <= 0:
            return None
        for job in self._in_turn():
            unit = job.ready()
            if unit is None:
                continue
            if self._width(unit) > free:
                return None  # slots are kept for it: others overtaking would starve it
            self._start(job, unit, self._width(unit))
            return job.job_id, unit
        return None

    def join(self, job_id: JobId, index: int, most: int) -> list[tuple[JobId, Unit]]:
        """Start other waiting units in the slot of one just taken, at most *most* in all.

        Each slot gets a share of two thirds of what waits (guided self-scheduling), of little its share of all: so slots
        end together, and what comes out of one is finished while others compute. Of 48 searches in two slots this takes
        5 % less time than shares of half, since fewer processes start.
        """
        first = self._jobs[job_id]
        if first.kind is None or most < 2:
            return []
        alike = [
            job
            for job in self._in_turn()
            if job.units and (job.kind, job.owner, job.priority) == (first.kind, first.owner, first.priority)
        ]
        left = len(alike) + 1
        share = min(most, -(-left // self.total) if left <= 4 * self.total else -(-2 * left // (3 * self.total)))
        joined = [(job.job_id, unit) for job in alike[: share - 1] if (unit := job.ready()) is not None]
        for other, unit in joined:
            self._start(self._jobs[other], unit, 0)
        together = [(job_id, index), *((other, unit.index) for other, unit in joined)]
        self._sharing |= dict.fromkeys(together, together) if joined else {}
        return joined

    def _start(self, job: Waiting, unit: Unit, width: int) -> None:
        self._order = self._used = self._units = None
        del job.units[unit.index]
        job.running[unit.index] = width
        self._starts += 1
        job.turn = self._owners[job.owner] = (self._starts, True, 0)

    def free(self, job_id: JobId, index: int, *, done: bool, again: Unit | None = None) -> None:
        """Give back the slots of a unit that ended; those that share it keep them until the last has ended.

        *again* is the unit when it could not be run: it waits before the others of its job.
        """
        self._order = self._used = self._units = None
        job = self._jobs[job_id]
        if again is not None:
            job.units = {index: again} | job.units
        width = job.running.pop(index, 0)
        together = self._sharing.pop((job_id, index), [])
        if together:
            together.remove((job_id, index))
        if together and width:
            heir, its_index = together[0]
            self._jobs[heir].running[its_index] = width
        if done:
            job.done.add(index)
        self._prune(job)

    def waiting(self) -> Sequence[JobId]:
        """Return the jobs of which nothing has started, in the order in which owners take turns."""
        return list(self._places())

    def place(self, job_id: JobId) -> int | None:
        """Return the place of a job among those that wait, from 1; None if it does not wait."""
        return self._places().get(job_id)

    def _places(self) -> dict[JobId, int]:
        if self._order is None:
            self._order = {job_id: place for place, job_id in enumerate(self._waiting(), 1)}
        return self._order

    def _waiting(self) -> Sequence[JobId]:
        by_owner: dict[Owner, list[JobId]] = {}
        for job in self._in_turn():
            if not job.running and job.units and not job.done:
                by_owner.setdefault(job.owner, []).append(job.job_id)
        order: list[JobId] = []
        turn = 0
        queues = list(by_owner.values())
        while len(order) < sum(map(len, queues)):
            order += [queue[turn] for queue in queues if turn < len(queue)]
            turn += 1
        return order

    def _width(self, unit: Unit) -> int:
        return max(1, min(unit.threads, self.total))

    def _in_turn(self) -> list[Waiting]:
        """Return all jobs in the order of their claims."""
        loads: dict[Owner, int] = {}
        for job in self._jobs.values():
            loads[job.owner] = loads.get(job.owner, 0) + sum(job.running.values())

        def claim(job: Waiting) -> tuple[int, Turn, int, int, Turn]:
            running = sum(job.running.values())
            return loads[job.owner], self._owners[job.owner], -job.priority, running, job.turn

        return sorted(self._jobs.values(), key=claim)

    def _prune(self, job: Waiting) -> None:
        if not job.units and not job.running:
            self._jobs.pop(job.job_id, None)
            if all(other.owner != job.owner for other in self._jobs.values()):
                self._owners.pop(job.owner, None)
