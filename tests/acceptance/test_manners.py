"""Q11: what clients and people do with addresses, bodies and preferences that no page of the docs shows them."""

import base64
import json

import pytest

from tests.daemon import Daemon, make_token
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


ORIGIN = "https://lab.example.org"


def test_P05_pages_of_listed_origins_may_use_the_api_with_a_token(fresh: Daemon) -> None:
    fresh.environ["BLASTD_SERVER__CORS_ORIGINS"] = json.dumps([ORIGIN])
    fresh.token = make_token(fresh.state, "ada")
    fresh.start().ready()
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    asked = fresh.ask("OPTIONS", "/api/blast/jobs", headers={"Origin": ORIGIN, **ask, "Authorization": ""})
    assert asked.status == 204
    assert asked.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in asked.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "Content-Type"} <= set(asked.headers["Access-Control-Allow-Headers"].split(", "))
    assert "Access-Control-Allow-Credentials" not in asked.headers
    foreign = {"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}
    search = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
    sent = fresh.post("/api/blast/jobs", search, foreign)
    assert sent.status == 202
    assert sent.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Location" in sent.headers["Access-Control-Expose-Headers"]
    missing = fresh.get("/api/blast/jobs/ffffffffffff", foreign)
    assert (missing.status, missing.headers["Access-Control-Allow-Origin"]) == (404, ORIGIN)
    token, fresh.token = fresh.token, None
    password = base64.b64encode(f"u:{token}".encode()).decode()
    unasked = fresh.post("/api/blast/jobs", search, foreign | {"Authorization": f"Basic {password}"})
    assert unasked.status == 403, "what a browser sends by itself is not believed"


def test_P05_other_origins_get_nothing(fresh: Daemon) -> None:
    fresh.environ["BLASTD_SERVER__CORS_ORIGINS"] = json.dumps([ORIGIN])
    fresh.start().ready()
    for origin in (
        "https://evil.example",
        ORIGIN + ".evil.example",
        "http://lab.example.org",
        ORIGIN + ":8443",
        "null",
    ):
        headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        for answer in (fresh.ask("OPTIONS", "/api/blast/jobs", headers=headers), fresh.get("/api/blast/jobs", headers)):
            assert not [name for name in answer.headers if name.startswith("Access-Control")], origin
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert fresh.post("/api/blast/jobs", {}, {"Origin": origin}).status == 403
    page = fresh.get("/jobs", {"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in page.headers
    search = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
    assert fresh.post("/api/blast/jobs", search, {"Origin": ORIGIN}).status == 202


@pytest.mark.parametrize(
    "origin", ["*", "null", "https://lab.example.org/", "lab.example.org", "https://*.example.org"]
)
def test_P05_what_is_no_origin_stops_the_start(fresh: Daemon, origin: str) -> None:
    fresh.environ["BLASTD_SERVER__CORS_ORIGINS"] = json.dumps([origin])
    assert fresh.begin().wait(60) == 2
    assert "SERVER__CORS_ORIGINS" in fresh.log.read_text()
