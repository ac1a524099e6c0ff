"""A machine without file descriptors: accepted searches wait, say so, and end well; what is refused is told to come again."""

import http.client
import json
import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS

LIMIT, IDLE = 256, 234
QUEUED = 60
"""More connections, which wait for a descriptor themselves, and take what becomes free."""
WAIT_SECONDS = 60.0


def descriptors(daemon: Daemon) -> int:
    assert daemon.process is not None
    return sum(1 for _ in Path(f"/proc/{daemon.process.pid}/fd").iterdir())


def until(true: Callable[[], bool]) -> None:
    """Wait for what the daemon does."""
    end = time.monotonic() + WAIT_SECONDS
    for _ in iter(lambda: true() or time.monotonic() > end, True):
        time.sleep(0.05)
    assert true()


class Line(closing[http.client.HTTPConnection]):
    """A connection that was made before the descriptors were gone, and stays."""

    def __init__(self, daemon: Daemon) -> None:
        where = urlsplit(daemon.url)
        self._http = http.client.HTTPConnection(where.hostname or "", where.port, timeout=PATIENCE_SECONDS)
        super().__init__(self._http)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        text = None if body is None else json.dumps(body)
        self._http.request(method, path, text, {"Content-Type": "application/json"})
        answer = self._http.getresponse()
        return answer.status, json.loads(answer.read())

    def job(self, job_id: str) -> dict[str, Any]:
        row: dict[str, Any] = self.ask("GET", f"/api/blast/jobs/{job_id}")[1]
        return row


def test_U15_the_limit_of_descriptors_is_raised(daemon: Daemon) -> None:
    assert daemon.process is not None
    soft, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    assert soft == hard


@pytest.mark.parametrize("together", ["1", "16"])
def test_U15_searches_wait_for_descriptors_say_so_and_end_well(fresh: Daemon, together: str) -> None:
    fresh.environ = {"BLASTD_LOCAL__SLOTS": "1", "BLASTD_LOCAL__TOGETHER": together, "BLASTD_LOCAL__EXPRESS": "0"}
    fresh.start()
    assert fresh.process is not None
    resource.prlimit(fresh.process.pid, resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
    holder = fresh.submit(SLOW_QUERY, **SLOW)["job_id"]
    until(lambda: fresh.job(holder)["status"] == "running")
    accepted = [fresh.submit(LAMBDA_QUERY, reuse=False)["job_id"] for _ in range(6)]
    line = Line(fresh)
    assert line.job(holder)["status"] == "running"
    with line, ExitStack() as idle:
        where = urlsplit(fresh.url)
        for _ in range(IDLE + QUEUED):
            idle.enter_context(socket.create_connection((where.hostname, where.port or 0), timeout=PATIENCE_SECONDS))
        until(lambda: descriptors(fresh) == LIMIT)
        assert line.ask("POST", f"/api/blast/jobs/{holder}/cancel")[0] == 202
        until(lambda: any(line.job(job_id)["waiting_for"] == "machine_exhausted" for job_id in accepted))
        row = next(row for row in map(line.job, accepted) if row["waiting_for"] == "machine_exhausted")
        assert row["status"] == "queued"
        assert "no file descriptor" in row["error"]
        status, answer = line.ask(
            "POST", "/api/blast/jobs", {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "reuse": False}
        )
        assert (status, answer.get("code")) in {(202, None), (503, "machine_exhausted")}, answer
        if status == 202:
            accepted.append(answer["job_id"])
        assert {line.job(job_id)["status"] for job_id in accepted} <= {"queued", "running", "completed"}
    for job_id in accepted:
        row = fresh.ended(job_id)
        assert (row["status"], row["error"], row["waiting_for"]) == ("completed", None, None)
    assert fresh.ended(holder)["status"] == "cancelled"
    slots = [engine for engine in fresh.get("/api/health").json["engines"] if "slots" in engine]
    assert [engine["slots_busy"] for engine in slots] == [0]
    assert fresh.stop() == 0
