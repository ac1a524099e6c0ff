"""S06: what users see while the store is locked or damaged, the daemon stands still, or somebody sets the clock.

`make faults` runs these for longer; FAULT_SECONDS says how long.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from blastd.store.connect import WRITE_BUSY_SECONDS
from blastd.tracking.retention import TRUST_SECONDS
from tests.daemon import Answer, Daemon, cli, is_problem
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.fakes import JumpyClock
from tests.patience import PATIENCE_SECONDS, until
from tests.service import Service, serving

pytestmark = pytest.mark.slow

JOBS = "/api/blast/jobs"
CROWD = 50
SEARCH = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "reuse": False}
SECONDS = float(os.environ.get("FAULT_SECONDS", "7"))
"""Longer than SQLite waits for a lock (5 s)."""
DAY = 86400.0


@contextmanager
def locked(daemon: Daemon) -> Iterator[None]:
    """Hold the write lock of the store, as a back-up tool that hangs does."""
    other = sqlite3.connect(daemon.state / "blastd.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def stopped(daemon: Daemon) -> Iterator[None]:
    """Let the daemon stand still."""
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        daemon.process.send_signal(signal.SIGCONT)


def down(daemon: Daemon) -> str:
    """Return what /readyz says is down; the daemon itself must live."""
    assert daemon.get("/livez").status == 200
    answer = daemon.get("/readyz")
    if answer.status == 200:
        return ""
    assert is_problem(answer, "GET", 503)
    return str(answer.json["detail"])


def running(daemon: Daemon) -> str:
    job_id: str = daemon.submit(SLOW_QUERY, **SLOW)["job_id"]
    until(lambda: daemon.job(job_id)["status"] == "running")
    return job_id


def test_S06_a_store_that_is_locked_for_long_refuses_clearly_and_loses_nothing(slow: Daemon) -> None:
    done = slow.run(LAMBDA_QUERY)["job_id"]
    table = slow.results(done, "tabular")
    computing = running(slow)
    waiting = [slow.submit(LAMBDA_QUERY, reuse=False)["job_id"] for _ in range(2)]
    refused: list[Answer] = []
    with locked(slow):
        begin = time.monotonic()
        thread = threading.Thread(target=lambda: refused.append(slow.post(JOBS, SEARCH)))
        thread.start()
        while time.monotonic() - begin < SECONDS:  # readers don't wait: the lock is held until they were answered
            assert slow.get(f"{JOBS}/{computing}").status == 200
            assert slow.get(JOBS).status == 200
            assert slow.results(done, "tabular") == table
            time.sleep(0.2)
        thread.join(PATIENCE_SECONDS)
        assert "locked" in down(slow)
        assert slow.results(done, "csv").count(b"\n") == 2, "made now, and not noted"
    assert is_problem(refused[0], "POST", 503)
    assert refused[0].json["code"] == "store_broken"
    assert "locked" in refused[0].json["detail"]
    until(lambda: not down(slow))
    slow.post(f"{JOBS}/{computing}/cancel")
    assert slow.ended(computing)["status"] == "cancelled"
    assert [slow.ended(job_id)["status"] for job_id in waiting] == ["completed"] * 2
    assert slow.get(f"{JOBS}?limit=1").json["counts"] == {
        "queued": 0, "running": 0, "completed": 3, "failed": 0, "cancelled": 1,
    }  # fmt: skip


def test_S06_a_daemon_that_stands_still_goes_on_where_it_was(fresh: Daemon) -> None:
    fresh.environ["BLASTD_LOCAL__TIME_LIMIT_SECONDS"] = str(max(1.0, SECONDS / 4))
    fresh.start()
    accepted = [fresh.submit(LAMBDA_QUERY, reuse=False)["job_id"] for _ in range(6)]
    answers: list[Answer] = []
    with stopped(fresh):
        threads = [
            threading.Thread(target=lambda: answers.append(fresh.post(JOBS, SEARCH))),
            threading.Thread(target=lambda: answers.append(fresh.get("/livez"))),
        ]
        for thread in threads:
            thread.start()
        time.sleep(SECONDS / 2)
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert sorted(answer.status for answer in answers) == [200, 202]
    accepted += [answer.json["job_id"] for answer in answers if answer.status == 202]
    for job_id in accepted:
        row = fresh.ended(job_id)
        assert row["status"] == "completed", "a search was taken for slow because the daemon was"
        assert row["hits"] == 2
    assert fresh.stop() == 0


def damaged(whole: bytes, how: str) -> bytes:
    """Return a store as a broken disk leaves it."""
    noise = random.Random(int(os.environ.get("FAULT_SEED", "20261125")))
    page = int.from_bytes(whole[16:18], "big")
    if how == "header":
        return noise.randbytes(page) + whole[page:]
    if how == "cut":
        return whole[: 2 * page]
    return whole[:page] + noise.randbytes(len(whole) - page)


@pytest.mark.parametrize("how", ["header", "cut", "pages"])
def test_S06_a_damaged_store_stops_the_start_and_its_backup_brings_all_back(
    fresh: Daemon, tmp_path: Path, how: str
) -> None:
    fresh.start()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    assert fresh.stop() == 0
    file, kept = fresh.state / "blastd.sqlite", tmp_path / "copy.sqlite"
    whole = file.read_bytes()
    kept.write_bytes(whole)
    file.write_bytes(damaged(whole, how))
    ended = start(fresh)
    assert ended.returncode == 1
    assert "blastd backup" in ended.stderr
    assert "Traceback" not in ended.stderr
    file.write_bytes(kept.read_bytes())
    fresh.start()
    assert fresh.job(job_id)["status"] == "completed"
    assert fresh.results(job_id, "tabular").count(b"\n") == 2


def start(daemon: Daemon) -> subprocess.CompletedProcess[str]:
    """Start a daemon that must refuse to."""
    argv = [*daemon.command, "serve", "--listen", "127.0.0.1:0", "--state-dir", str(daemon.state)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)


def test_S06_a_store_that_was_lost_never_costs_its_files(fresh: Daemon) -> None:
    fresh.start()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    assert fresh.stop() == 0
    file = fresh.state / "blastd.sqlite"
    whole = file.read_bytes()
    for found in (b"", None):
        file.unlink() if found is None else file.write_bytes(found)
        ended = start(fresh)
        assert ended.returncode == 1
        assert "1 searches" in ended.stderr
        assert "1 searches" in cli("doctor", "--state-dir", str(fresh.state)).stdout
        token = subprocess.run(
            [sys.executable, "-m", "blastd", "token", "create", "--owner", "a", "--state-dir", str(fresh.state)],
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert token.returncode == 1, "a command made a new store over the lost one"
    file.write_bytes(whole)
    fresh.start()
    assert fresh.results(job_id, "tabular")


def test_S06_a_store_damaged_under_a_running_daemon_is_named(fresh: Daemon) -> None:
    fresh.start()
    fresh.run(LAMBDA_QUERY)
    fresh.stop()  # so that the file holds all that the journal held
    fresh.start()
    file = fresh.state / "blastd.sqlite"
    whole = file.read_bytes()
    with file.open("r+b") as there:
        there.write(damaged(whole, "pages"))
    answer = fresh.get(f"{JOBS}?limit=500")
    assert is_problem(answer, "GET", 503)
    assert answer.json["code"] == "store_broken"
    assert "blastd backup" in answer.json["detail"]
    assert "malformed" in down(fresh)
    fresh.kill()
    for journal in fresh.state.glob("blastd.sqlite-*"):
        journal.unlink()
    file.write_bytes(whole)
    fresh.start()
    assert not down(fresh)
    assert fresh.get(JOBS).json["counts"]["completed"] == 1


def sound(row: dict[str, Any]) -> bool:
    """Tell whether the times of a row are in order."""
    lasted = [step["duration_ms"] for step in row["steps"] if step["duration_ms"] is not None]
    return all(ms >= 0 for ms in lasted) and row["finished_at"] >= row["created_at"]


async def begun(service: Service, job_id: str) -> None:
    while (await service.get(f"{JOBS}/{job_id}")).json["status"] == "queued":
        pass


@pytest.mark.parametrize("days", [400.0, -400.0])
async def test_S06_a_clock_that_is_set_while_searches_run(databases: Path, tmp_path: Path, days: float) -> None:
    clock = JumpyClock()
    async with serving(tmp_path / "state", [databases], clock=clock, local__slots=1) as service:
        before = await service.run(LAMBDA_QUERY)
        computing = (await service.submit(SLOW_QUERY, **SLOW))["job_id"]
        waiting = (await service.submit(LAMBDA_QUERY, reuse=False))["job_id"]
        await begun(service, computing)
        clock.ahead = days * DAY
        assert (await service.post(f"{JOBS}/{computing}/cancel")).status == 202
        cancelled = await service.ended(computing)
        waited = await service.ended(waiting)
        after = await service.run(LAMBDA_QUERY, reuse=False)
        assert [row["status"] for row in (cancelled, waited, after)] == ["cancelled", "completed", "completed"]
        assert all(sound(row) for row in (before, cancelled, waited, after))
        again = await service.run(LAMBDA_QUERY)
        assert again["status"] == "completed"
        clock.ahead = 0.0
        await service.parts.retention.run_once()  # what was written under the wrong clock ages by the right one
        assert sound(await service.run(LAMBDA_QUERY, reuse=False))
        listed = (await service.get(JOBS)).json
        assert listed["counts"]["completed"] == len(listed["jobs"]) - 1


async def test_S06_a_clock_that_jumps_ahead_expires_nothing(databases: Path, tmp_path: Path) -> None:
    clock = JumpyClock()
    async with serving(tmp_path / "state", [databases], clock=clock) as service:
        job_id = (await service.run(LAMBDA_QUERY))["job_id"]

        async def status() -> int:
            await service.parts.retention.run_once()
            return (await service.get(f"{JOBS}/{job_id}/results?format=tabular")).status

        clock.ahead = 400 * DAY
        assert await status() == 200
        clock.later = timedelta(hours=1).total_seconds()
        assert await status() == 200
        clock.ahead = 0.0  # set right again
        assert await status() == 200
        clock.later += 31 * DAY  # and days that really pass count as ever
        assert await status() == 410


async def test_S06_a_clock_that_was_right_to_jump_is_believed_after_a_day(databases: Path, tmp_path: Path) -> None:
    clock = JumpyClock()
    async with serving(tmp_path / "state", [databases], clock=clock) as service:
        job_id = (await service.run(LAMBDA_QUERY))["job_id"]
        clock.ahead = 400 * DAY
        await service.parts.retention.run_once()
        clock.later = TRUST_SECONDS + 1
        await service.parts.retention.run_once()
        assert (await service.get(f"{JOBS}/{job_id}")).status == 410


def test_U19_a_locked_store_is_answered_in_time_and_rows_say_that_they_may_be_old(fresh: Daemon) -> None:
    fresh.start()
    job = running(fresh)
    done = fresh.run(LAMBDA_QUERY)["job_id"]
    took: list[float] = []

    def post() -> None:
        begin = time.monotonic()
        answer = fresh.post(JOBS, SEARCH)
        took.append(time.monotonic() - begin)
        assert is_problem(answer, "POST", 503)
        assert "Retry-After" in answer.headers

    with locked(fresh):
        crowd = [threading.Thread(target=post) for _ in range(CROWD)]
        for thread in crowd:
            thread.start()
        for thread in crowd:
            thread.join(PATIENCE_SECONDS)
        assert len(took) == CROWD, "each was refused"
        assert max(took) < CROWD / 2 * WRITE_BUSY_SECONDS, "they wait for the lock together, not one after the other"
        for row in (fresh.job(job), next(row for row in fresh.get(JOBS).json["jobs"] if row["job_id"] == job)):
            assert row["stale"]
            assert "can't be written" in row["stale_reason"]
        assert not fresh.job(done)["stale"], "an end is final"
    until(lambda: not down(fresh))
    fresh.post(f"{JOBS}/{job}/cancel")
    assert not fresh.ended(job)["stale"]
    assert fresh.stop() == 0
