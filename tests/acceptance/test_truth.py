"""T: truth of state, on the local engine."""

import json
import threading
import urllib.request
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, NO_HITS_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS, until

pytestmark = pytest.mark.blast

ENDS = ("completed", "failed", "cancelled")
ROW_FIELDS = [
    "job_id",
    "short_id",
    "title",
    "program",
    "task",
    "database",
    "engine",
    "status",
    "phase",
    "waiting_for",
    "queue_position",
    "created_at",
    "started_at",
    "finished_at",
    "updated_at",
    "observed_at",
    "observed_by",
    "stale",
    "stale_reason",
    "owner",
    "query",
    "progress",
    "steps",
    "error_code",
    "error",
    "attempt",
    "engine_ref",
    "blast_version",
    "database_fingerprint",
    "source",
    "links",
]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_T01_accepted_job_is_there_at_once_and_after_a_crash(fresh: Daemon) -> None:
    fresh.start()
    answer = fresh.post("/api/blast/jobs", {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY})
    assert answer.status == 202
    job_id = answer.json["job_id"]
    assert answer.headers["Location"].endswith(f"/api/blast/jobs/{job_id}")
    assert answer.headers["Retry-After"].isdigit()
    assert answer.json["status"] == "queued", "202 is for accepting, not for searching"
    fresh.kill()
    fresh.start()
    assert fresh.job(job_id)["job_id"] == job_id
    assert fresh.ended(job_id)["status"] == "completed"


def test_T06_every_surface_says_completed_without_anybody_asking(daemon: Daemon) -> None:
    job_id = daemon.submit(LAMBDA_QUERY, reuse=False)["job_id"]
    events = stream(daemon, f"/api/blast/jobs/{job_id}/events", until="completed")
    row = daemon.job(job_id)
    listed = next(job for job in daemon.get("/api/blast/jobs").json["jobs"] if job["job_id"] == job_id)
    assert row["status"] == listed["status"] == "completed"
    assert events[-1]["status"] == "completed"
    ended = next(step["ended_at"] for step in row["steps"] if step["name"] == "running")
    assert at(row["finished_at"]) >= at(ended)
    assert row["observed_by"] == "process", "told by the process that ended, not found by somebody who looked"


def stream(daemon: Daemon, path: str, until: str, after: int | None = None) -> list[dict[str, Any]]:
    """Read an event stream until an event of this status."""
    headers = {"Accept": "text/event-stream"} | ({} if after is None else {"Last-Event-ID": str(after)})
    if daemon.token:
        headers["Authorization"] = f"Bearer {daemon.token}"
    found: list[dict[str, Any]] = []
    with urllib.request.urlopen(
        urllib.request.Request(daemon.url + path, headers=headers), timeout=PATIENCE_SECONDS
    ) as response:
        assert response.headers["Content-Type"].startswith("text/event-stream")
        identifier = None
        for raw in response:
            line = raw.decode().rstrip("\n")
            if line.startswith("id:"):
                identifier = int(line[3:])
            if line.startswith("data:"):
                event = json.loads(line[5:]) | {"id": identifier}
                found.append(event)
                if event["status"] == until:
                    break
    return found


def test_T07_surfaces_agree_and_every_form_of_the_id_resolves(daemon: Daemon) -> None:
    row = daemon.run(LAMBDA_QUERY, title="agree")
    assert [name for name in ROW_FIELDS if name not in row] == []
    assert row["short_id"] == row["job_id"].replace("-", "")[:12]
    for form in (row["job_id"], row["job_id"].upper(), row["short_id"], row["job_id"].replace("-", "")[:16]):
        assert daemon.job(form) == row, form
    listed = next(job for job in daemon.get("/api/blast/jobs?limit=500").json["jobs"] if job["job_id"] == row["job_id"])
    assert {name: row[name] for name in listed if name in row} == listed


def test_T07_an_unknown_id_is_404_and_never_something_else(daemon: Daemon) -> None:
    for text in ("00000000-0000-4000-8000-000000000000", "0000000", "nonsense", "..%2f..%2fetc", "%00"):
        answer = daemon.get(f"/api/blast/jobs/{text}")
        assert answer.status == 404, text
        assert answer.headers["Content-Type"].startswith("application/problem+json")


def test_T08_steps_are_in_order_timed_and_skipped_ones_say_so(daemon: Daemon) -> None:
    row = daemon.run(LAMBDA_QUERY, reuse=False)
    steps = {step["name"]: step for step in row["steps"]}
    order = ["preparing", "warming_up", "configuring", "staging_db", "submitting", "running", "exporting"]
    assert [name for name in steps if name != "waiting"] == order
    for name in ("warming_up", "configuring", "staging_db"):
        assert steps[name]["status"] == "skipped"
        assert steps[name]["skip_reason"]
        assert steps[name]["duration_ms"] is None
    done = [step for step in row["steps"] if step["status"] == "done"]
    assert {"preparing", "running", "exporting"} <= {step["name"] for step in done}
    for step in done:
        assert at(step["started_at"]) <= at(step["ended_at"])
    for before, after in pairwise(done):
        assert at(before["started_at"]) <= at(after["started_at"])
    wall = (at(row["finished_at"]) - at(row["created_at"])).total_seconds() * 1000
    assert sum(step["duration_ms"] for step in done) <= wall + 1


def test_T09_waiting_for_a_slot_is_queued_with_a_place(slow: Daemon) -> None:
    first = slow.submit(SLOW_QUERY, **SLOW)["job_id"]
    second = slow.submit(SLOW_QUERY, **SLOW)["job_id"]
    third = slow.submit(SLOW_QUERY, **SLOW)["job_id"]
    until(lambda: slow.job(first)["status"] == "running")
    until(lambda: [slow.job(job)["queue_position"] for job in (second, third)] == [1, 2])
    row = slow.job(second)
    assert (row["status"], row["phase"], row["waiting_for"]) == ("queued", "queued", "slot")
    assert row["started_at"] is None
    for job in (third, second, first):
        slow.post(f"/api/blast/jobs/{job}/cancel")


def test_T10_failed_has_a_code_and_a_sentence_and_completed_has_none(daemon: Daemon) -> None:
    good = daemon.run(LAMBDA_QUERY)
    assert (good["error_code"], good["error"]) == (None, None)
    bad = daemon.ended(daemon.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7}, task="blastn")["job_id"])
    assert bad["status"] == "failed"
    assert bad["error_code"] == "engine_error"
    assert "1 and -7 are not supported" in bad["error"]
    after = daemon.post(f"/api/blast/jobs/{bad['job_id']}/cancel")
    assert after.status in (202, 409)
    assert daemon.job(bad["job_id"])["status"] == "failed"


def test_T11_an_artifact_deleted_behind_our_back_is_reported_not_served_empty(fresh: Daemon) -> None:
    fresh.start()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    outputs = list((fresh.state / "jobs" / job_id / "units").glob("*.out"))
    assert outputs
    for path in outputs:
        path.unlink()
    answer = fresh.get(f"/api/blast/jobs/{job_id}/results?format=tabular")
    assert answer.status in (409, 410)
    assert answer.json["code"] == "result_missing"


def test_T11_a_damaged_artifact_is_reported(fresh: Daemon) -> None:
    fresh.start()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    fresh.stop()
    for path in (fresh.state / "jobs" / job_id / "units").glob("*.out"):
        path.write_bytes(path.read_bytes().replace(b"lam0", b"lamX"))
    fresh.start()
    answer = fresh.get(f"/api/blast/jobs/{job_id}/results?format=tabular")
    assert answer.status in (409, 410)
    assert answer.json["code"] == "result_missing"


@pytest.mark.parametrize(
    "fmt", ["tabular", "commented", "csv", "xml", "xml2", "json", "pairwise", "asn1", "sam", "fasta"]
)
def test_T12_no_hits_is_completed_and_valid_in_every_format(daemon: Daemon, fmt: str) -> None:
    row = daemon.run(NO_HITS_QUERY)
    assert row["hits"] == 0
    body = daemon.results(row["job_id"], fmt)
    if fmt in ("tabular", "csv", "fasta", "sam"):  # BLAST+ itself writes an empty SAM
        assert body == b""
    else:
        assert body
    assert daemon.get(f"/api/blast/jobs/{row['job_id']}/hits").json["hits"] == []


def test_T20_events_ascend_and_resume_without_gap_or_repeat_across_a_restart(fresh: Daemon) -> None:
    fresh.start()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    everything = fresh.get(f"/api/blast/jobs/{job_id}/events").json["events"]
    ids = [event["event_id"] for event in everything]
    assert ids == sorted(set(ids))
    assert [everything[0]["kind"], everything[-1]["status"]] == ["accepted", "completed"]
    fresh.stop()
    fresh.start()
    middle = ids[len(ids) // 2]
    rest = stream(fresh, f"/api/blast/jobs/{job_id}/events", until="completed", after=middle)
    assert [event["id"] for event in rest] == [identifier for identifier in ids if identifier > middle]


def test_T20_a_slow_reader_harms_nobody(daemon: Daemon) -> None:
    """A reader that never reads, while others search."""
    import socket
    from urllib.parse import urlsplit

    where = urlsplit(daemon.url)
    with socket.create_connection((where.hostname, where.port)) as lazy:
        lazy.sendall(b"GET /api/blast/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        rows: list[str] = []
        threads = [
            threading.Thread(target=lambda: rows.append(daemon.run(LAMBDA_QUERY, reuse=False)["status"]))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)
        assert rows == ["completed"] * 5


def test_T18_a_killed_process_is_named_and_never_reads_as_no_hits(slow: Daemon) -> None:
    """T18 on this machine: somebody kills the BLAST+ process."""
    job_id = slow.submit(SLOW_QUERY, **SLOW)["job_id"]
    until(lambda: slow.job(job_id)["status"] == "running" and children_of(slow, "tblastx"))
    for process in children_of(slow, "tblastx"):
        process.kill()
    row = slow.ended(job_id)
    assert row["status"] == "failed"
    assert row["error_code"] in ("killed", "out_of_memory")
    assert "retry" in row["error"].lower()


def children_of(daemon: Daemon, name: str) -> list[Any]:
    """Return running BLAST+ processes below the daemon."""
    import psutil

    assert daemon.process is not None
    return [child for child in psutil.Process(daemon.process.pid).children(recursive=True) if name in child.name()]


def test_T02_ended_rows_are_read_without_a_look(daemon: Daemon, tmp_path: Path) -> None:
    del tmp_path
    row = daemon.run(LAMBDA_QUERY)
    before = row["observed_at"]
    for _ in range(3):
        daemon.get("/api/blast/jobs")
    assert daemon.job(row["job_id"])["observed_at"] == before
