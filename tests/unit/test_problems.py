"""Errors as answers: every deliberate error has its status, and all have one shape."""

import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from blastd import errors
from blastd.web.problems import CODES, MEDIA_TYPE, REQUEST_ID, STATUS, foreign, problem, refusal, status_of


def every_error() -> list[type[errors.BlastdError]]:
    found, waiting = [], [errors.BlastdError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return [kind for kind in found if kind.__module__ == "blastd.errors"]


def request(path: str = "/api/blast/jobs", **headers: str) -> web.Request:
    made = make_mocked_request("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})
    made[REQUEST_ID] = "req-1"
    return made


def body_of(answer: web.Response) -> Any:
    assert isinstance(answer.body, bytes)
    return json.loads(answer.body)


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_has_its_own_status(kind: type[errors.BlastdError]) -> None:
    assert kind in STATUS


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_stable_code(kind: type[errors.BlastdError]) -> None:
    assert len(kind.code) <= 64
    assert kind.code.replace("_", "").isalnum()
    assert kind.code == kind.code.lower()


def test_codes_of_errors_differ() -> None:
    codes = [kind.code for kind in every_error()]
    assert len(codes) == len(set(codes))


def test_an_error_of_ours_is_a_problem_with_its_facts_as_members() -> None:
    answer = refusal(request(), errors.NotReady("It runs.", progress={"units_done": 1}))
    body = body_of(answer)
    assert (answer.status, answer.content_type) == (409, MEDIA_TYPE)
    assert body["code"] == "not_finished"
    assert body["detail"] == "It runs."
    assert body["progress"] == {"units_done": 1}
    assert body["request_id"] == "req-1"
    assert "errors" not in body


def test_facts_never_replace_the_members_of_the_shape() -> None:
    body = body_of(refusal(request(), errors.Conflict("No.", status="completed")))
    assert body["status"] == 409


def test_every_fault_is_named() -> None:
    faults = [("/query", "Record 1 is empty."), ("/options/evalue", "It must be greater than 0.")]
    body = body_of(refusal(request(), errors.Invalid(faults)))
    assert body["errors"] == [{"pointer": pointer, "detail": text} for pointer, text in faults]
    assert body["status"] == 422


def test_a_class_without_its_own_status_has_that_of_its_base() -> None:
    class Special(errors.NotFound):
        """There is no special."""

    assert status_of(Special()) == 404


def test_unauthorized_says_how_to_authenticate() -> None:
    assert refusal(request(), errors.Unauthorized()).headers["WWW-Authenticate"] == 'Bearer realm="blastd"'
    basic = refusal(request(Authorization="Basic eDp5"), errors.Unauthorized()).headers["WWW-Authenticate"]
    assert "Basic" in basic
    ncbi = refusal(request("/blast/Blast.cgi"), errors.Unauthorized()).headers["WWW-Authenticate"]
    assert "Basic" in ncbi


@pytest.mark.parametrize("kind", [errors.TooMany, errors.Unavailable, errors.DiskFull])
def test_what_time_may_mend_says_when_to_come_back(kind: type[errors.BlastdError]) -> None:
    assert int(refusal(request(), kind()).headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "error", [web.HTTPNotFound(), web.HTTPMethodNotAllowed("PUT", ["GET"]), web.HTTPRequestEntityTooLarge(1, 2)]
)
def test_refusals_of_the_server_have_the_same_shape(error: web.HTTPException) -> None:
    answer = foreign(request(), error)
    body = body_of(answer)
    assert answer.content_type == MEDIA_TYPE
    assert {"type", "title", "status", "detail", "code", "request_id"} <= body.keys()
    assert body["code"] == CODES[error.status]


def test_a_wrong_method_says_which_are_right() -> None:
    answer = foreign(request(), web.HTTPMethodNotAllowed("PUT", ["GET", "HEAD"]))
    assert answer.headers["Allow"] == "GET,HEAD"


def test_a_problem_is_not_kept_by_caches() -> None:
    assert problem(request(), 500, "internal", "x").headers["Cache-Control"] == "no-store"
