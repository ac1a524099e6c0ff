"""Q11: what clients and people do with addresses, bodies and preferences that no page of the docs shows them."""

import json

import pytest

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY

SEARCH = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
JSON = {"Content-Type": "application/json"}
PERSON = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def test_Q11_json_may_begin_with_a_byte_order_mark(daemon: Daemon) -> None:
    body = b"\xef\xbb\xbf" + json.dumps(SEARCH).encode()
    assert daemon.ask("POST", "/api/blast/jobs", body, JSON).status == 202
    part = b'--X\r\nContent-Disposition: form-data; name="search"\r\n\r\n' + body + b"\r\n--X--\r\n"
    form = {"Content-Type": "multipart/form-data; boundary=X"}
    assert daemon.ask("POST", "/api/blast/jobs", part, form).status == 202


@pytest.mark.parametrize("path", ["/api/blast/jobs/", "//api/blast/jobs", "/api//blast///jobs/"])
def test_Q11_slashes_too_many_lead_to_the_address_that_is_meant(daemon: Daemon, path: str) -> None:
    moved = daemon.get(path)
    assert (moved.status, moved.headers["Location"]) == (308, "/api/blast/jobs")
    behind = daemon.get(path, {"X-Forwarded-Prefix": "/tools"})
    assert behind.headers["Location"] == "/tools/api/blast/jobs"


def test_Q11_no_slash_leads_to_another_host(daemon: Daemon) -> None:
    for path in ("//evil.example/", "//evil.example/api/blast/jobs/", "/%2f%2fevil.example/"):
        found = daemon.get(path)
        assert found.status == 404, path
        assert found.json["code"] == "not_found"


def test_Q11_people_get_a_page_and_programs_a_problem(daemon: Daemon) -> None:
    page = daemon.get("/nosuch/<script>", PERSON)
    assert page.status == 404
    assert "There is nothing here" in page.text
    assert "<script>" not in page.text.split("<main", 1)[1]
    assert page.headers["Content-Type"].startswith("text/html")
    assert daemon.get("/nosuch").json["code"] == "not_found"
    assert daemon.get("/api/nosuch", PERSON).json["code"] == "not_found"


def test_Q11_an_unknown_encoding_is_415_and_says_what_is_read(daemon: Daemon) -> None:
    for kind in ("br", "zstd", "compress"):
        found = daemon.ask("POST", "/api/blast/jobs", b"x", JSON | {"Content-Encoding": kind})
        assert (found.status, found.json["code"]) == (415, "unsupported_media_type")
        assert "gzip" in found.headers["Accept-Encoding"]


def test_Q11_a_client_may_prefer_to_wait(daemon: Daemon) -> None:
    prefer = {"Prefer": "respond-async, wait=30"}
    found = daemon.ask("POST", "/api/blast/jobs", json.dumps(SEARCH | {"reuse": False}).encode(), JSON | prefer)
    assert (found.status, found.json["status"]) == (202, "completed")
    assert found.headers["Preference-Applied"] == "wait=30"
    assert "Retry-After" not in found.headers
    query = "/api/blast/jobs?program=blastn&database=tnt&reuse=false"
    again = daemon.ask("POST", query, LAMBDA_QUERY.encode(), {"Content-Type": "text/x-fasta"} | prefer)
    assert again.json["status"] == "completed"
    for odd in ("wait=abc", "wait", "wait=-1", "", "wait=99999999999999999999"):
        assert daemon.get(f"/api/blast/jobs/{found.json['job_id']}", {"Prefer": odd}).status == 200


def test_Q11_not_yet_says_when_to_ask_again(slow: Daemon) -> None:
    job_id = slow.submit(SLOW_QUERY, **SLOW)["job_id"]
    found = slow.get(f"/api/blast/jobs/{job_id}/results")
    assert (found.status, found.json["code"]) == (409, "not_finished")
    assert int(found.headers["Retry-After"]) > 0
    slow.post(f"/api/blast/jobs/{job_id}/cancel")
    slow.ended(job_id)
    ended = slow.get(f"/api/blast/jobs/{job_id}/results")
    assert ended.status == 409
    assert "Retry-After" not in ended.headers
