"""How long a small search waits behind big ones, on a clock: a bound that no number of big ones moves."""

import heapq
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastd.core.ids import Owner
from blastd.core.schedule import Claim, Piece, Schedule

LONGEST = 60.0
"""Seconds of the longest unit."""


class Machine:
    """A schedule on a clock: units take their seconds, and what has room starts at once."""

    def __init__(self, total: int) -> None:
        self.slots, self.now = Schedule(total, share_seconds=1e9), 0.0
        self.began: dict[str, float] = {}
        self.added: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self._running: list[tuple[float, str, int]] = []
        self._seconds: dict[str, float] = {}

    def add(self, job: str, owner: str, count: int, seconds: float, *, threads: int = 1, priority: int = 0) -> None:
        pieces = [Piece(index=index, threads=threads) for index in range(count)]
        self._seconds[job], self.added[job] = seconds, self.now
        self.slots.add(Claim(work_id=job, owner=Owner(owner), priority=priority), pieces, self.now)
        self.start()

    def start(self) -> None:
        while (taken := self.slots.take(self.now)) is not None:
            job = taken.work_id
            self.began.setdefault(job, self.now)
            heapq.heappush(self._running, (self.now + self._seconds[job], job, taken.index))

    def run(self, until: float) -> None:
        """Let time pass."""
        while self._running and self._running[0][0] <= until:
            self.now, job, index = heapq.heappop(self._running)
            self.slots.free(job, index, done=True, now=self.now)
            self.ended[job] = self.now
            self.start()
        self.now = until

    def waits(self, jobs: Iterable[str]) -> list[float]:
        return [self.began.get(job, float("inf")) - self.added[job] for job in jobs]


@pytest.mark.parametrize("total", [1, 2, 4])
@pytest.mark.parametrize("owner", ["anna", "ben"])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_a_small_search_waits_for_one_unit_of_each_big_one_at_most(total: int, owner: str, threads: int) -> None:
    machine = Machine(total)
    for number in range(3):
        machine.add(f"big{number}", "anna", 1000, LONGEST, threads=threads)
    small = []
    for number in range(20):
        machine.run(machine.now + 5 * LONGEST + number)
        small.append(f"small{number}")
        machine.add(small[-1], owner, 1, 1.0)
    machine.run(machine.now + 10 * LONGEST)
    most = LONGEST if owner == "ben" else 3 * LONGEST
    assert max(machine.waits(small)) <= most


@pytest.mark.parametrize("total", [1, 2, 4])
def test_a_big_search_goes_on_while_small_ones_keep_coming(total: int) -> None:
    machine = Machine(total)
    machine.add("big", "anna", 20, LONGEST)
    for number in range(300):
        machine.add(f"small{number}", "anna" if number % 2 else "ben", 1, 10.0)
        machine.run(machine.now + 20.0)
    assert machine.ended["big"] <= 3 * 20 * LONGEST  # small ones ask for half of one slot


@pytest.mark.parametrize("total", [1, 2, 3])
def test_priority_of_one_owner_is_no_claim_against_another(total: int) -> None:
    machine = Machine(total)
    for number in range(50):
        machine.add(f"urgent{number}", "anna", 10, LONGEST, priority=10)
    machine.add("patient", "ben", 1, 1.0, priority=-10)
    machine.run(3 * LONGEST)
    assert machine.waits(["patient"])[0] <= LONGEST


@given(
    total=st.integers(1, 4),
    big=st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.floats(1, LONGEST)), min_size=1, max_size=8),
    owner=st.sampled_from("abcd"),
    at=st.floats(0, 500),
)
def test_the_wait_has_a_bound_whatever_is_queued(
    total: int, big: list[tuple[str, int, float]], owner: str, at: float
) -> None:
    machine = Machine(total)
    for number, (who, threads, seconds) in enumerate(big):
        machine.add(f"big{number}", who, 200, seconds, threads=threads)
    machine.run(at)
    machine.add("small", owner, 1, 1.0)
    # One unit of each big search of the same owner, in turns with all owners; before a wide unit the slots drain first.
    owners = len({who for who, _, _ in big} | {owner})
    turns = (sum(who == owner for who, _, _ in big) + 1) * owners
    drains = 2 if any(threads > 1 for _, threads, _ in big) else 1
    bound = (turns * drains + 1) * LONGEST
    machine.run(at + bound + 1)
    assert machine.waits(["small"])[0] <= bound
