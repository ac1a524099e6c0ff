"""The view in memory: repeated, late and out-of-order events change nothing; a list is taken as a whole."""

import msgspec

from blastd.engines.kubernetes.objects import JobObject
from blastd.engines.kubernetes.reflector import ObjectView, newer


def job(uid: str, version: int, active: int = 0, name: str = "") -> JobObject:
    given = {
        "metadata": {"name": name or uid, "uid": uid, "resourceVersion": str(version)},
        "status": {"active": active},
    }
    return msgspec.convert(given, JobObject)


def view() -> tuple[ObjectView[JobObject], list[str]]:
    told: list[str] = []
    return ObjectView(lambda each: each.metadata.name, told.append), told


def test_T14_repeated_event_tells_nothing() -> None:
    seen, told = view()
    seen.put(job("a", 5))
    seen.put(job("a", 5))
    assert told == ["a"]


def test_T14_older_event_does_not_undo_a_newer_one() -> None:
    seen, told = view()
    seen.put(job("a", 9, active=0))
    seen.put(job("a", 10, active=1))
    seen.put(job("a", 9, active=0))
    assert seen.of("a")["a"].status.active == 1
    assert told == ["a", "a"]


def test_T14_deleted_object_does_not_come_back_by_a_late_event() -> None:
    seen, told = view()
    seen.put(job("a", 5))
    seen.remove(job("a", 8))
    seen.put(job("a", 7))
    assert len(seen) == 0
    assert told == ["a", "a"]


def test_new_object_of_the_same_name_is_another() -> None:
    seen, _ = view()
    seen.put(job("a", 5, name="j"))
    seen.remove(job("a", 8, name="j"))
    seen.put(job("b", 9, name="j"))
    assert list(seen.of("j")) == ["b"]


def test_list_takes_away_what_it_does_not_name_and_tells_only_changes() -> None:
    seen, told = view()
    for each in (job("a", 1), job("b", 2)):
        seen.put(each)
    told.clear()
    seen.replace([job("b", 2), job("c", 3)])
    assert set(seen.groups()) == {"b", "c"}
    assert sorted(told) == ["a", "c"]


def test_versions_are_compared_as_numbers() -> None:
    assert newer("10", "9")
    assert not newer("9", "10")
    assert newer("abc", "abd")
    assert not newer("abc", "abc")


def test_fields_that_are_not_used_are_dropped() -> None:
    raw = (
        b'{"metadata": {"name": "x", "uid": "u", "managedFields": [1,2]}, "spec": {"template": {"big": "y"}},'
        b'"status": {"uncountedTerminatedPods": {}}}'
    )
    assert b"big" not in msgspec.json.encode(msgspec.json.decode(raw, type=JobObject))


def test_U18_an_object_that_was_deleted_before_its_creation_was_answered_is_not_put_back() -> None:
    """The list that dropped it is newer than the answer that names it."""
    seen, told = view()
    seen.replace([], "9")
    seen.put(job("a", 5))
    assert len(seen) == 0
    assert told == []


def test_U18_an_object_made_after_a_list_began_outlives_that_list() -> None:
    seen, _ = view()
    seen.put(job("a", 10))
    seen.replace([], "9")
    assert list(seen.of("a")) == ["a"]
    seen.replace([], "11")
    assert len(seen) == 0
