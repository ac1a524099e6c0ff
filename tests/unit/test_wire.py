"""Requests are decoded with every fault named; times are written in one way."""

from datetime import UTC, datetime

import msgspec
import pytest
from multidict import MultiDict

from blastd.errors import MOST_FAULTS, BadRequest, Invalid
from blastd.web import wire


def faults_of(raw: dict[str, object], kind: type[wire.Request] = wire.SearchBody) -> dict[str, str]:
    with pytest.raises(Invalid) as caught:
        wire.decode(kind, raw)
    return dict(caught.value.faults)


def query(kind: type[wire.T], **given: str) -> wire.T:
    params = MultiDict(given)
    return wire.decode_query(kind, params, params.items())


def test_times_have_milliseconds_and_z() -> None:
    assert wire.moment(datetime(2024, 1, 2, 3, 4, 5, 6000, tzinfo=UTC)) == "2024-01-02T03:04:05.006Z"
    assert wire.moment(datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2024-01-02T03:04:05.000Z"


def test_a_whole_search_is_decoded() -> None:
    raw: dict[str, object] = {
        "program": "blastn",
        "database": ["a", "b"],
        "query": ">q\nACGT",
        "options": {"evalue": 1},
    }
    found = wire.decode(wire.SearchBody, raw)
    assert (found.database, found.options, found.reuse) == (["a", "b"], {"evalue": 1}, True)


def test_every_fault_is_found_at_once() -> None:
    found = faults_of({"program": 7, "databse": "x", "priority": "high", "title": "x" * 501})
    assert found.keys() == {"/program", "/databse", "/priority", "/title"}
    assert "Did you mean 'database'" in found["/databse"]


def test_a_field_that_is_missing_is_named() -> None:
    assert faults_of({"database": "x"}) == {"/program": "'program' is missing."}


def test_a_fault_inside_a_field_has_its_place() -> None:
    assert "/database/1" in faults_of({"program": "blastn", "database": ["a", 2]})


def test_a_pointer_escapes_what_it_must() -> None:
    assert wire.pointer("a/b~c", 0) == "/a~1b~0c/0"


def test_parameters_are_numbers_and_lists_where_the_type_says_so() -> None:
    found = query(wire.JobsQuery, status="queued,running", limit="7", since="2024-01-01T00:00:00Z")
    assert (found.status, found.limit) == (["queued", "running"], 7)
    assert found.since == datetime(2024, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("limit", ["0", "501", "x", "1.5", ""])
def test_a_limit_outside_its_range_is_refused(limit: str) -> None:
    with pytest.raises(Invalid) as caught:
        query(wire.JobsQuery, limit=limit)
    assert caught.value.faults[0][0] == "/limit"


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(Invalid, match="Did you mean 'status'"):
        query(wire.JobsQuery, statsu="queued")


def test_a_parameter_given_twice_is_refused_unless_it_is_a_list() -> None:
    params = MultiDict([("limit", "1"), ("limit", "2")])
    with pytest.raises(Invalid, match="2 times"):
        wire.decode_query(wire.JobsQuery, params, params.items())
    params = MultiDict([("status", "queued"), ("status", "failed")])
    assert wire.decode_query(wire.JobsQuery, params, params.items()).status == ["queued", "failed"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1", b"\xff", b'{"a": "\xff"}'])
def test_a_body_that_is_no_object_is_a_bad_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        wire.decode_json(body)


def test_whole_numbers_fit_the_store() -> None:
    assert query(wire.HitsQuery, query=str(2**53 - 1)).query == 2**53 - 1
    for kind, name in ((wire.HitsQuery, "query"), (wire.ResultsQuery, "query"), (wire.EventsQuery, "after")):
        with pytest.raises(Invalid):
            query(kind, **{name: str(2**64)})


@pytest.mark.parametrize("many", [1, MOST_FAULTS, MOST_FAULTS + 1, 50_000])
def test_U13_faults_end_at_a_hundred_and_the_rest_is_counted(many: int) -> None:
    with pytest.raises(Invalid) as caught:
        wire.decode(wire.SearchBody, {f"databas{number}": 1 for number in range(many)} | {"program": "blastn"})
    told = caught.value.faults
    assert len(told) == min(many, MOST_FAULTS) + (many > MOST_FAULTS)
    if many > MOST_FAULTS:
        assert told[-1] == ("", f"And {many - MOST_FAULTS:,} more.")
    hints = sum("Did you mean" in text for _, text in told)
    assert hints == min(many, 5)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": [' + b"[]," * 20_000 + b"1]}",
        b'{"a": [' + b"1," * 300_000 + b"1]}",
        b'{"a": [' + b'"x",' * 300_000 + b"1]}",
        b'{"a": "' + b'\\"' * 300_000 + b'"}',
    ],
)
def test_U13_json_of_very_many_members_is_refused_before_it_is_decoded(body: bytes) -> None:
    with pytest.raises(BadRequest, match="more than"):
        wire.decode_json(body)


def test_texts_may_hold_what_looks_like_members() -> None:
    text = '[{,"' * 20_000 + "\\" * 5
    assert wire.decode_json(msgspec.json.encode({"query": text, "options": {"a": [1, 2]}})) == {
        "query": text,
        "options": {"a": [1, 2]},
    }
