"""What rows say while something outside is broken, and how long it takes until they are true again."""

import time
from typing import Any

from tests.cluster.parts import RECOVERIES, until
from tests.daemon import Daemon
from tests.databases import SLOW, SLOW_QUERY

SOME_SECONDS = ">s".join(SLOW_QUERY.split(">s")[:9])
"""A query that takes some seconds of one core with SLOW."""
QUICK = 0.5


class Recovery:
    """Seconds from the end of a fault, noted for the summary."""

    def __init__(self) -> None:
        self.begin = time.monotonic()

    def of(self, what: str, most: float) -> None:
        seconds = time.monotonic() - self.begin
        RECOVERIES.append((what, seconds))
        assert seconds < most, (what, seconds)


def quick(daemon: Daemon, *paths: str) -> None:
    """Ask for pages: none waits for what is away."""
    for path in ("/api/blast/jobs", "/api/health", "/livez", *paths):
        begin = time.monotonic()
        assert daemon.get(path).status == 200, path
        assert time.monotonic() - begin < QUICK, path


def stale(daemon: Daemon, job_id: str, seconds: float = 30.0) -> dict[str, Any]:
    """Wait until a row says that it is not up to date; it has not ended meanwhile."""

    def look() -> dict[str, Any] | None:
        row = daemon.job(job_id)
        assert row["status"] in ("queued", "running"), row
        return row if row["stale"] else None

    found: dict[str, Any] = until("the row is stale", look, seconds)
    assert found["stale_since"]
    return found


def waits(daemon: Daemon, job_id: str, code: str, seconds: float = 30.0) -> dict[str, Any]:
    """Wait until a search that has not ended says what holds it up."""

    def look() -> dict[str, Any] | None:
        row = daemon.job(job_id)
        assert row["status"] in ("queued", "running"), row
        return row if row["waiting_for"] == code else None

    found: dict[str, Any] = until(f"it waits for {code}", look, seconds)
    assert found["error_code"] == code
    return found


def running(daemon: Daemon, query: str = SOME_SECONDS) -> str:
    """Submit a search that takes some seconds, and wait until it runs."""
    job_id: str = daemon.submit(query, **SLOW)["job_id"]
    until("it runs", lambda: daemon.job(job_id)["phase"] == "running", 60)
    return job_id


def done(daemon: Daemon, job_id: str, seconds: float = 60.0) -> dict[str, Any]:
    row = daemon.ended(job_id, seconds)
    assert (row["status"], row["attempt"]) == ("completed", 1), row
    return row
