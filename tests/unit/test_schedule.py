"""Fairness of the queue for this machine, and the two lanes beside its slots."""

from hypothesis import given
from hypothesis import strategies as st

from blastd.core.ids import Owner
from blastd.core.schedule import Claim, Piece, Schedule, SlotLane, Urgency


def units(count: int, threads: int = 1, after: dict[int, tuple[int, ...]] | None = None) -> list[Piece]:
    return [Piece(index=index, threads=threads, after=(after or {}).get(index, ())) for index in range(count)]


def add(slots: Schedule, job: str, owner: str, count: int, priority: int = 0, threads: int = 1) -> None:
    slots.add(Claim(work_id=job, owner=Owner(owner), priority=priority), units(count, threads), 0.0)


def test_a_small_job_waits_for_one_unit_of_a_big_one_at_most() -> None:
    slots = Schedule(2)
    add(slots, "big", "anna", 100)
    first, second = slots.take(0.0), slots.take(0.0)
    assert first is not None
    assert second is not None
    add(slots, "small", "anna", 1)
    assert slots.take(0.0) is None
    slots.free("big", first.index, done=True)
    taken = slots.take(0.0)
    assert taken is not None
    assert taken.work_id == "small"


def test_two_owners_share_the_machine_evenly() -> None:
    slots = Schedule(4)
    for number in range(5):
        add(slots, f"a{number}", "anna", 3)
    add(slots, "b", "ben", 10)
    taken = [slots.take(0.0) for _ in range(4)]
    owners = [pick.work_id[0] for pick in taken if pick is not None]
    assert sorted(owners) == ["a", "a", "b", "b"]


def test_priority_goes_first_within_an_owner_only() -> None:
    slots = Schedule(1)
    add(slots, "normal", "anna", 1)
    add(slots, "urgent", "anna", 1, priority=5)
    assert list(slots.waiting()) == ["urgent", "normal"]


def test_a_unit_starts_only_after_those_it_needs() -> None:
    slots = Schedule(4)
    slots.add(Claim(work_id="j", owner=Owner("anna")), units(3, after={2: (0, 1)}), 0.0)
    taken = [slots.take(0.0), slots.take(0.0), slots.take(0.0)]
    assert [pick.index for pick in taken if pick] == [0, 1]
    slots.free("j", 0, done=True)
    assert slots.take(0.0) is None
    slots.free("j", 1, done=True)
    last = slots.take(0.0)
    assert last is not None
    assert last.index == 2


def test_slots_are_kept_for_a_wide_unit() -> None:
    slots = Schedule(2)
    add(slots, "one", "anna", 1)
    assert slots.take(0.0) is not None
    add(slots, "wide", "ben", 1, threads=8)
    add(slots, "late", "carl", 1)
    assert slots.take(0.0) is None
    slots.free("one", 0, done=True)
    taken = slots.take(0.0)
    assert taken is not None
    assert taken.work_id == "wide"
    assert slots.used == 2


def test_a_dropped_job_keeps_its_slots_until_they_are_freed() -> None:
    slots = Schedule(1)
    add(slots, "j", "anna", 3)
    taken = slots.take(0.0)
    assert taken is not None
    slots.drop("j")
    assert slots.used == 1
    slots.free("j", taken.index, done=False)
    assert slots.used == 0
    assert slots.take(0.0) is None


def test_places_follow_every_change_of_the_queue() -> None:
    slots = Schedule(1)
    for name in ("j0", "j1", "j2"):
        add(slots, name, "anna", 1)
    assert [slots.place(name) for name in ("j0", "j1", "j2")] == [1, 2, 3]
    taken = slots.take(0.0)
    assert taken is not None
    assert [slots.place(name) for name in ("j0", "j1", "j2")] == [None, 1, 2]
    slots.drop("j1")
    assert slots.waiting() == ["j2"]
    add(slots, "j3", "ben", 1)
    slots.free(taken.work_id, taken.index, done=True)
    assert {slots.place(name) for name in ("j2", "j3")} == {1, 2}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.integers(1, 3)), max_size=12), st.integers(1, 5)
)
def test_everything_runs_once_and_slots_are_never_exceeded(jobs: list[tuple[str, int, int]], total: int) -> None:
    slots = Schedule(total)
    expected = 0
    for number, (owner, count, threads) in enumerate(jobs):
        add(slots, f"{owner}{number}", owner, count, threads=threads)
        expected += count
    ran: list[tuple[str, int]] = []
    running: list[tuple[str, int]] = []
    while True:
        while (taken := slots.take(0.0)) is not None:
            assert slots.used <= total
            running.append((taken.work_id, taken.index))
        if not running:
            break
        job, index = running.pop(0)
        slots.free(job, index, done=True)
        ran.append((job, index))
    assert len(ran) == len(set(ran)) == expected


def tiny(slots: Schedule, job: str, owner: str = "anna", kind: str = "k", priority: int = 0) -> None:
    slots.add(Claim(work_id=job, owner=Owner(owner), priority=priority, kind=kind), units(1), 0.0)


def test_units_of_a_kind_share_a_slot_and_each_slot_gets_some() -> None:
    slots = Schedule(2)
    for number in range(13):
        tiny(slots, f"j{number}")
    tiny(slots, "other-kind", kind="l")
    tiny(slots, "other-owner", owner="ben")
    tiny(slots, "higher", priority=1)
    first = slots.take(0.0)
    assert first is not None
    assert first.work_id == "higher"
    assert slots.join(first.work_id, 0, 16) == []
    second = slots.take(0.0)
    assert second is not None
    assert second.work_id == "other-owner"
    slots.free("other-owner", 0, done=True)
    third = slots.take(0.0)
    assert third is not None
    joined = slots.join(third.work_id, 0, 16)
    assert [it.work_id for it in joined] == ["j1", "j2", "j3", "j4"]
    assert slots.used == 2
    assert [place for place in slots.waiting() if place.startswith("j")] == [f"j{number}" for number in range(5, 13)]


def test_a_shared_slot_is_kept_until_the_last_has_ended() -> None:
    slots = Schedule(1)
    for number in range(5):
        tiny(slots, f"j{number}")
    assert slots.take(0.0) is not None
    assert len(slots.join("j0", 0, 3)) == 2
    for ended in ("j0", "j2"):
        slots.free(ended, 0, done=True)
        assert slots.used == 1
        assert slots.take(0.0) is None
    tiny(slots, "j0")  # retried while the others still run
    slots.free("j1", 0, done=False)
    assert slots.used == 0
    assert slots.take(0.0) is not None


def test_no_more_join_than_asked_for_and_none_without_a_kind() -> None:
    slots = Schedule(1)
    for number in range(10):
        tiny(slots, f"j{number}")
    assert slots.take(0.0) is not None
    assert len(slots.join("j0", 0, 4)) == 3
    plain = Schedule(1)
    add(plain, "a", "anna", 1)
    add(plain, "b", "anna", 1)
    assert plain.take(0.0) is not None
    assert plain.join("a", 0, 4) == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["add", "add", "add", "take", "free", "drop"]), st.integers(0, 2), st.sampled_from("ab")
        ),
        max_size=40,
    ),
    st.integers(1, 2),
)
def test_places_kept_from_one_look_to_the_next_are_those_of_a_new_one(
    steps: list[tuple[str, int, str]], owners: int
) -> None:
    slots, started = Schedule(2), list[tuple[str, int]]()
    for number, (step, priority, owner) in enumerate(steps):
        if step == "add":
            add(slots, f"j{number}", owner if owners == 2 else "a", 1 + number % 2, priority)
        elif step == "take" and (taken := slots.take(0.0)) is not None:
            started.append((taken.work_id, taken.index))
        elif step == "free" and started:
            slots.free(*started.pop(), done=bool(number % 2))
        elif step == "drop":
            slots.drop(f"j{number - 1}")
        kept = list(slots.waiting())
        assert [slots.place(job_id) for job_id in kept] == list(range(1, len(kept) + 1))
        slots._order = None  # what it would find without what it keeps
        assert list(slots.waiting()) == kept


# ---------------------------------------------------------------- the lanes beside the slots
def one(schedule: Schedule, work: str, owner: str, now: float = 0.0, **facts: float | int | tuple[str, int]) -> None:
    urgency = Urgency(int(facts.pop("urgency", Urgency.PROGRAM)))  # type: ignore[arg-type]  # a number
    claim = Claim(work_id=work, owner=Owner(owner), urgency=urgency)
    schedule.add(claim, [Piece(**facts)], now)  # type: ignore[arg-type]  # checked by the struct


def memory_used(schedule: Schedule) -> int:
    return schedule._taken(running.piece for _, running in schedule._running())


def begun(schedule: Schedule, now: float) -> list[tuple[str, SlotLane]]:
    found = []
    while (taken := schedule.take(now)) is not None:
        found.append((taken.work_id, taken.lane))
    return found


def test_Y01_a_tiny_piece_starts_beside_long_ones_that_hold_every_slot() -> None:
    schedule = Schedule(2)
    add(schedule, "long", "anna", 4)
    assert begun(schedule, 0.0) == [("long", SlotLane.SLOT)] * 2
    one(schedule, "tiny", "ben", 10.0, seconds=0.1)
    one(schedule, "second", "carl", 10.0, seconds=0.1)
    one(schedule, "unknown", "dora", 10.0)
    assert begun(schedule, 10.0) == [("tiny", SlotLane.EXPRESS)]  # one at a time
    schedule.free("tiny", 0, done=True, now=10.2)
    assert begun(schedule, 10.2) == [("second", SlotLane.EXPRESS)]


def test_Y02_what_a_person_waits_for_is_not_behind_his_own_long_search() -> None:
    schedule = Schedule(1)
    add(schedule, "long", "anna", 9)
    assert len(begun(schedule, 0.0)) == 1
    one(schedule, "big-format", "anna", 1.0, seconds=500.0, urgency=Urgency.PERSON)
    one(schedule, "small-format", "anna", 1.0, seconds=0.2, urgency=Urgency.PERSON)
    assert begun(schedule, 1.0) == [("small-format", SlotLane.EXPRESS)]
    schedule.free("long", 0, done=True, now=2.0)
    assert begun(schedule, 2.0) == [("big-format", SlotLane.SLOT)]  # before the next unit of the search


def test_Y01_slots_that_are_free_soon_need_no_lane_beside_them() -> None:
    schedule = Schedule(2)
    for number in range(3):
        one(schedule, f"j{number}", "anna", seconds=0.3)
    assert begun(schedule, 0.0) == [("j0", SlotLane.SLOT), ("j1", SlotLane.SLOT)]
    assert begun(schedule, 0.5) == []
    assert begun(schedule, 1.3) == [("j2", SlotLane.EXPRESS)]  # none kept what was expected of it


def test_Y03_an_owner_who_waited_long_for_his_share_gets_it_and_pays_it_back() -> None:
    schedule = Schedule(2, share_seconds=60.0)
    add(schedule, "long", "anna", 9)
    assert len(begun(schedule, 0.0)) == 2
    add(schedule, "other", "ben", 2)
    assert begun(schedule, 59.0) == []
    assert begun(schedule, 60.0) == [("other", SlotLane.OWED)]
    assert begun(schedule, 600.0) == []  # he has his share
    schedule.free("long", 0, done=True, now=700.0)
    assert begun(schedule, 700.0) == []  # paid back
    schedule.free("long", 1, done=True, now=800.0)
    assert begun(schedule, 800.0) == [("long", SlotLane.SLOT)]


def test_what_nobody_asked_for_comes_last_until_it_has_waited_its_share() -> None:
    schedule = Schedule(1, share_seconds=60.0)
    one(schedule, "index", "anna", urgency=Urgency.BACKGROUND)
    one(schedule, "search", "anna")
    one(schedule, "search2", "ben")
    order = []
    for now in (1.0, 2.0, 3.0):
        (started,) = begun(schedule, now)
        order.append(started[0])
        schedule.free(started[0], 0, done=True, now=now)
    assert order == ["search", "search2", "index"]
    for number in range(99):
        one(schedule, f"ben{number}", "ben", 10.0)
    one(schedule, "index", "anna", 10.0, urgency=Urgency.BACKGROUND)
    assert begun(schedule, 69.0) == [("ben0", SlotLane.SLOT)]
    schedule.free("ben0", 0, done=True, now=70.0)
    assert begun(schedule, 70.0) == [("index", SlotLane.SLOT)]


def test_memory_is_one_budget_in_which_mapped_files_count_once() -> None:
    schedule = Schedule(8, memory_bytes=100)
    for number in range(3):
        one(schedule, f"j{number}", f"o{number}", memory_bytes=22, mapped=("nt", 40))
    assert [name for name, _ in begun(schedule, 0.0)] == ["j0", "j1"]
    assert memory_used(schedule) == 84
    assert schedule.why("j2").startswith("memory: behind 2 searches of others")
    for number in range(2):
        schedule.free(f"j{number}", 0, done=True, now=1.0)
    assert [name for name, _ in begun(schedule, 1.0)] == ["j2"]
    schedule.free("j2", 0, done=True, now=2.0)
    one(schedule, "huge", "anna", memory_bytes=5000)
    assert [name for name, _ in begun(schedule, 2.0)] == ["huge"]  # alone


def test_what_waits_says_behind_whom() -> None:
    schedule = Schedule(2)
    add(schedule, "a", "anna", 1)
    one(schedule, "f", "anna")
    assert len(begun(schedule, 0.0)) == 2
    add(schedule, "b", "ben", 1)
    add(schedule, "c", "ben", 1)
    assert schedule.why("b") == "a slot: behind 2 searches of others"
    assert schedule.why("c") == "a slot: behind 2 searches of others, 1 before it in the queue"
    assert schedule.why("a") == ""


@given(
    works=st.lists(
        st.tuples(
            st.sampled_from("abcd"), st.integers(1, 4), st.integers(1, 3), st.floats(0.05, 300),
            st.sampled_from([None, 0.1, 0.5, 30.0]), st.integers(0, 60), st.sampled_from(Urgency), st.floats(0, 400),
        ),
        min_size=1, max_size=14,
    ),
    total=st.integers(1, 4),
)  # fmt: skip
def test_the_budget_is_never_exceeded_nobody_starves_and_everything_ends(
    works: list[tuple[str, int, int, float, float | None, int, Urgency, float]], total: int
) -> None:
    schedule = Schedule(total, memory_bytes=100, share_seconds=60.0)
    comes = sorted((at, number) for number, (*_, at) in enumerate(works))
    running: list[tuple[float, str, int, SlotLane, str]] = []
    now, ran, waited = 0.0, 0, dict.fromkeys(range(len(works)), 0.0)
    while comes or running or schedule.waits:
        moments = [comes[0][0]] if comes else []
        moments += [min(running)[0]] if running else []
        now = min([*moments, now + 0.5] if schedule.waits else moments)
        while comes and comes[0][0] <= now:
            _, number = comes.pop(0)
            owner, count, threads, _, expected, memory, urgency, at = works[number]
            pieces = [
                Piece(index=index, threads=threads, seconds=expected, memory_bytes=memory) for index in range(count)
            ]
            schedule.add(Claim(work_id=str(number), owner=Owner(owner), urgency=urgency), pieces, at)
        while running and min(running)[0] <= now:
            ended = min(running)
            running.remove(ended)
            schedule.free(ended[1], ended[2], done=True, now=ended[0])
            ran += 1
        alone = not running
        while (taken := schedule.take(now)) is not None:
            owner, _, _, seconds, *_ = works[int(taken.work_id)]
            if taken.lane is SlotLane.OWED:
                assert all(holder != owner for *_, holder in running)
            running.append((now + seconds, taken.work_id, taken.index, taken.lane, owner))
            assert memory_used(schedule) <= 100 or (alone and len(running) == 1)
            assert len(running) <= 2 * total + schedule.express
            fresh = [it for it in running if it[3] is SlotLane.EXPRESS and it[0] - works[int(it[1])][3] > now - 1.2]
            assert len(fresh) <= schedule.express
            waited[int(taken.work_id)] = max(waited[int(taken.work_id)], 0.0)
    assert ran == sum(count for _, count, *_ in works)
    assert schedule.used == schedule.running == memory_used(schedule) == 0
