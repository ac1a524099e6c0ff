"""Fairness of the queue for this machine's slots."""

from hypothesis import given
from hypothesis import strategies as st

from blastd.core.ids import JobId, Owner
from blastd.core.model import Unit, UnitKind
from blastd.engines.local.slots import Slots


def units(job: str, count: int, threads: int = 1, after: dict[int, tuple[int, ...]] | None = None) -> list[Unit]:
    return [
        Unit(
            job_id=JobId(job),
            index=index,
            kind=UnitKind.SEARCH,
            batch=index,
            shard=None,
            first_query=0,
            queries=1,
            letters=1,
            offset=0,
            size=1,
            threads=threads,
            after=(after or {}).get(index, ()),
        )
        for index in range(count)
    ]


def add(slots: Slots, job: str, owner: str, count: int, priority: int = 0, threads: int = 1) -> None:
    slots.add(JobId(job), Owner(owner), priority, units(job, count, threads), [])


def test_a_small_job_waits_for_one_unit_of_a_big_one_at_most() -> None:
    slots = Slots(2)
    add(slots, "big", "anna", 100)
    first, second = slots.take(), slots.take()
    assert first is not None
    assert second is not None
    add(slots, "small", "anna", 1)
    assert slots.take() is None
    slots.free(JobId("big"), first[1].index, done=True)
    taken = slots.take()
    assert taken is not None
    assert taken[0] == "small"


def test_two_owners_share_the_machine_evenly() -> None:
    slots = Slots(4)
    for number in range(5):
        add(slots, f"a{number}", "anna", 3)
    add(slots, "b", "ben", 10)
    taken = [slots.take() for _ in range(4)]
    owners = [pick[0][0] for pick in taken if pick is not None]
    assert sorted(owners) == ["a", "a", "b", "b"]


def test_priority_goes_first_within_an_owner_only() -> None:
    slots = Slots(1)
    add(slots, "normal", "anna", 1)
    add(slots, "urgent", "anna", 1, priority=5)
    assert list(slots.waiting()) == ["urgent", "normal"]


def test_a_unit_starts_only_after_those_it_needs() -> None:
    slots = Slots(4)
    slots.add(JobId("j"), Owner("anna"), 0, units("j", 3, after={2: (0, 1)}), [])
    taken = [slots.take(), slots.take(), slots.take()]
    assert [pick[1].index for pick in taken if pick] == [0, 1]
    slots.free(JobId("j"), 0, done=True)
    assert slots.take() is None
    slots.free(JobId("j"), 1, done=True)
    last = slots.take()
    assert last is not None
    assert last[1].index == 2


def test_slots_are_kept_for_a_wide_unit() -> None:
    slots = Slots(2)
    add(slots, "one", "anna", 1)
    assert slots.take() is not None
    add(slots, "wide", "ben", 1, threads=8)
    add(slots, "late", "carl", 1)
    assert slots.take() is None
    slots.free(JobId("one"), 0, done=True)
    taken = slots.take()
    assert taken is not None
    assert taken[0] == "wide"
    assert slots.used == 2


def test_a_dropped_job_keeps_its_slots_until_they_are_freed() -> None:
    slots = Slots(1)
    add(slots, "j", "anna", 3)
    taken = slots.take()
    assert taken is not None
    slots.drop(JobId("j"))
    assert slots.used == 1
    slots.free(JobId("j"), taken[1].index, done=False)
    assert slots.used == 0
    assert slots.take() is None


def test_places_follow_every_change_of_the_queue() -> None:
    slots = Slots(1)
    for name in ("j0", "j1", "j2"):
        add(slots, name, "anna", 1)
    assert [slots.place(JobId(name)) for name in ("j0", "j1", "j2")] == [1, 2, 3]
    taken = slots.take()
    assert taken is not None
    assert [slots.place(JobId(name)) for name in ("j0", "j1", "j2")] == [None, 1, 2]
    slots.drop(JobId("j1"))
    assert slots.waiting() == ["j2"]
    add(slots, "j3", "ben", 1)
    slots.free(taken[0], taken[1].index, done=True)
    assert {slots.place(JobId(name)) for name in ("j2", "j3")} == {1, 2}


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.integers(1, 3)), max_size=12), st.integers(1, 5)
)
def test_everything_runs_once_and_slots_are_never_exceeded(jobs: list[tuple[str, int, int]], total: int) -> None:
    slots = Slots(total)
    expected = 0
    for number, (owner, count, threads) in enumerate(jobs):
        add(slots, f"{owner}{number}", owner, count, threads=threads)
        expected += count
    ran: list[tuple[str, int]] = []
    running: list[tuple[JobId, int]] = []
    while True:
        while (taken := slots.take()) is not None:
            assert slots.used <= total
            running.append((taken[0], taken[1].index))
        if not running:
            break
        job, index = running.pop(0)
        slots.free(job, index, done=True)
        ran.append((job, index))
    assert len(ran) == len(set(ran)) == expected


def tiny(slots: Slots, job: str, owner: str = "anna", kind: str = "k", priority: int = 0) -> None:
    slots.add(JobId(job), Owner(owner), priority, units(job, 1), [], kind)


def test_units_of_a_kind_share_a_slot_and_each_slot_gets_some() -> None:
    slots = Slots(2)
    for number in range(13):
        tiny(slots, f"j{number}")
    tiny(slots, "other-kind", kind="l")
    tiny(slots, "other-owner", owner="ben")
    tiny(slots, "higher", priority=1)
    first = slots.take()
    assert first is not None
    assert first[0] == "higher"
    assert slots.join(first[0], 0, 16) == []
    second = slots.take()
    assert second is not None
    assert second[0] == "other-owner"
    slots.free(JobId("other-owner"), 0, done=True)
    third = slots.take()
    assert third is not None
    joined = slots.join(third[0], 0, 16)
    assert [job for job, _ in joined] == ["j1", "j2", "j3", "j4"]
    assert slots.used == 2
    assert [place for place in slots.waiting() if place.startswith("j")] == [f"j{number}" for number in range(5, 13)]


def test_a_shared_slot_is_kept_until_the_last_has_ended() -> None:
    slots = Slots(1)
    for number in range(5):
        tiny(slots, f"j{number}")
    assert slots.take() is not None
    assert len(slots.join(JobId("j0"), 0, 3)) == 2
    for ended in ("j0", "j2"):
        slots.free(JobId(ended), 0, done=True)
        assert slots.used == 1
        assert slots.take() is None
    tiny(slots, "j0")  # retried while the others still run
    slots.free(JobId("j1"), 0, done=False)
    assert slots.used == 0
    assert slots.take() is not None


def test_no_more_join_than_asked_for_and_none_without_a_kind() -> None:
    slots = Slots(1)
    for number in range(10):
        tiny(slots, f"j{number}")
    assert slots.take() is not None
    assert len(slots.join(JobId("j0"), 0, 4)) == 3
    plain = Slots(1)
    add(plain, "a", "anna", 1)
    add(plain, "b", "anna", 1)
    assert plain.take() is not None
    assert plain.join(JobId("a"), 0, 4) == []


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
    slots, started = Slots(2), list[tuple[JobId, int]]()
    for number, (step, priority, owner) in enumerate(steps):
        if step == "add":
            add(slots, f"j{number}", owner if owners == 2 else "a", 1 + number % 2, priority)
        elif step == "take" and (taken := slots.take()) is not None:
            started.append((taken[0], taken[1].index))
        elif step == "free" and started:
            slots.free(*started.pop(), done=bool(number % 2))
        elif step == "drop":
            slots.drop(JobId(f"j{number - 1}"))
        kept = list(slots.waiting())
        assert [slots.place(job_id) for job_id in kept] == list(range(1, len(kept) + 1))
        slots._order = None  # what it would find without what it keeps
        assert list(slots.waiting()) == kept
