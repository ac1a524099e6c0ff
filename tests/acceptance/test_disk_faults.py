"""S06: a disk that is really full, or turns read-only, under a running daemon. Needs the right to mount file systems."""

import os
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_command_ends import CLIENTS, check, good
from tests.acceptance.test_faults import JOBS, SEARCH, SECONDS, down, locked, running, start, stopped
from tests.acceptance.test_truth import children_of
from tests.commands import nursery
from tests.daemon import Answer, Daemon, cli, is_problem
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.mounts import filled, read_only, small
from tests.patience import until

pytestmark = pytest.mark.slow


@pytest.fixture
def narrow(databases: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose state is a small file system of its own, without a floor that would refuse work before it is full."""
    with small(tmp_path / "state") as folder:
        environ = {"BLASTD_RETENTION__DISK_FLOOR_BYTES": "0", "BLASTD_LOCAL__SLOTS": "1"}
        own = Daemon(folder, [databases], environ).start()
        yield own
        if own.process is not None and own.process.poll() is None:
            own.kill()


def full(answer: Answer, method: str = "POST") -> bool:
    return is_problem(answer, method, 507) and answer.json["code"] == "disk_full" and "Retry-After" in answer.headers


def mended(daemon: Daemon, job_id: str) -> dict[str, Any]:
    """Return the row of a job in its end; one that a disk failed says so, and is retried."""
    row = daemon.ended(job_id)
    if row["status"] == "failed":
        assert row["error_code"] in ("disk_full", "store_broken"), row["error"]
        assert str(daemon.state) not in row["error"]
        assert "retry" in row["error"].lower()
        assert daemon.post(f"{JOBS}/{job_id}/retry").status == 202
        row = daemon.ended(job_id)
    return row


def test_S06_a_full_disk_refuses_work_and_goes_on_when_there_is_room(narrow: Daemon) -> None:
    done = narrow.run(LAMBDA_QUERY)["job_id"]
    table = narrow.results(done, "tabular")
    computing = running(narrow)
    waiting = narrow.submit(LAMBDA_QUERY, reuse=False)["job_id"]
    with filled(narrow.state):
        assert full(narrow.post(JOBS, SEARCH))
        assert full(narrow.post(f"{JOBS}/{computing}/cancel"))
        assert full(narrow.get(f"{JOBS}/{done}/results?format=xml"), "GET")  # it would have to be made
        assert narrow.results(done, "tabular") == table
        assert narrow.results(done, "csv").count(b"\n") == 2  # made now, and sent without a file
        assert "full" in down(narrow)
        health = {part["name"]: part["status"] for part in narrow.get("/api/health").json["components"]}
        assert health["disk"] == "down"
        until(lambda: "poller_waits" in narrow.log.read_text(), SECONDS + 30)
        assert [job["job_id"] for job in narrow.get(JOBS).json["jobs"]] == [waiting, computing, done]
    until(lambda: not down(narrow))
    narrow.post(f"{JOBS}/{computing}/cancel")
    assert narrow.ended(computing)["status"] == "cancelled"
    assert mended(narrow, waiting)["status"] == "completed"
    assert narrow.results(waiting, "tabular") == table
    assert narrow.run(LAMBDA_QUERY, reuse=False)["status"] == "completed"
    assert "request_failed" not in narrow.log.read_text()
    assert narrow.stop() == 0


def test_S06_an_output_that_finds_no_room_fails_saying_so(narrow: Daemon) -> None:
    """BLAST+ itself, not the daemon, meets the full disk: one search ends on it, the next begins on it."""
    few = "".join(">" + record for record in SLOW_QUERY.split(">")[1:3])
    accepted = [narrow.submit(few, **SLOW)["job_id"], narrow.submit(LAMBDA_QUERY, reuse=False)["job_id"]]
    until(lambda: narrow.job(accepted[0])["status"] == "running")
    with filled(narrow.state):
        until(lambda: not children_of(narrow, "blast"))
        assert narrow.get("/livez").status == 200
    assert [mended(narrow, job_id)["status"] for job_id in accepted] == ["completed"] * 2


def test_S06_a_state_that_turns_read_only_is_named_and_serves_on(fresh: Daemon) -> None:
    fresh.start()
    done = fresh.run(LAMBDA_QUERY)["job_id"]
    table = fresh.results(done, "tabular")
    with read_only(fresh.state):
        for answer in (fresh.post(JOBS, SEARCH), fresh.get(f"{JOBS}/{done}/results?format=xml")):
            assert is_problem(answer, "GET", 503)
            assert answer.json["code"] == "store_broken"
            assert "Read-only" in answer.json["detail"]
            assert str(fresh.state) not in answer.text
        assert fresh.results(done, "tabular") == table
        assert "written" in down(fresh)
    assert not down(fresh)
    assert fresh.run(LAMBDA_QUERY, reuse=False)["status"] == "completed"
    assert fresh.results(done, "xml")
    assert fresh.stop() == 0


def test_S06_a_read_only_state_refuses_the_start(fresh: Daemon) -> None:
    fresh.start()
    assert fresh.stop() == 0
    with read_only(fresh.state):
        ended = start(fresh)
    assert ended.returncode == 2
    assert str(fresh.state) in ended.stderr
    assert "Read-only" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.timeout(900)
def test_S06_random_faults_under_load_lose_nothing(narrow: Daemon) -> None:
    """FAULT_ROUNDS, FAULT_SEED and FAULT_SECONDS choose how many, which and how long; `make faults` asks for more."""
    rng = random.Random(int(os.environ.get("FAULT_SEED", "20261125")))
    faults: list[Callable[[], AbstractContextManager[None]]] = [
        lambda: filled(narrow.state),
        lambda: locked(narrow),
        lambda: stopped(narrow),
        lambda: read_only(narrow.state),
    ]
    accepted: list[str] = []
    for _ in range(int(os.environ.get("FAULT_ROUNDS", "4"))):
        accepted += [narrow.submit(LAMBDA_QUERY, reuse=False)["job_id"] for _ in range(rng.randint(1, 3))]
        time.sleep(rng.random() * 0.2)
        fault = rng.choice(faults)
        with fault():
            if fault is not faults[2]:
                answer = narrow.post(JOBS, SEARCH)
                accepted += [answer.json["job_id"]] if answer.status == 202 else []
                assert answer.status in (202, 503, 507), answer.text
            time.sleep(rng.random() * SECONDS / 2)
        until(lambda: not down(narrow))
    for job_id in accepted:
        row = mended(narrow, job_id)
        assert row["status"] == "completed", row
        assert narrow.results(job_id, "tabular").count(b"\n") == row["hits"] == 2
    assert narrow.get(f"{JOBS}?limit=1").json["counts"]["completed"] == len(accepted)
    assert "request_failed" not in narrow.log.read_text()
    assert not subprocess.run(["find", narrow.state, "-name", "*.part"], capture_output=True, check=True).stdout
    assert narrow.stop() == 0


@pytest.mark.parametrize("room", [0, 40 << 10, 200 << 10, 600 << 10])
def test_U19_a_format_that_finds_no_room_is_507_however_much_is_left(narrow: Daemon, room: int) -> None:
    """BLAST+ itself meets the full disk, in each of its own ways: it aborts, or its last words find no room either."""
    records = LAMBDA_QUERY.split(">")[1:]
    many = "".join(f">{number}{record}" for number in range(60) for record in records)
    job = narrow.run(many)["job_id"]
    refused = 0
    with filled(narrow.state):
        ballast = narrow.state / "ballast"
        os.truncate(ballast, ballast.stat().st_size - room)
        for kind in ("xml", "pairwise", "json", "asn1", "fasta"):
            answer = narrow.get(f"{JOBS}/{job}/results?format={kind}")
            assert answer.status == 200 or full(answer, "GET"), (kind, answer.status, answer.text[:300])
            refused += answer.status == 507
        assert refused or room
    assert narrow.get(f"{JOBS}/{job}/results?format=xml").status == 200, "and it is made when there is room"


def test_U17_a_full_disk_for_an_output_is_told(tmp_path: Path) -> None:
    assert cli("migrate", "--state-dir", str(tmp_path / "state")).returncode == 0
    with small(tmp_path / "full", 64 << 10) as folder, good() as url, nursery(tmp_path) as commands:
        (folder / "ballast").write_bytes(b"x" * (60 << 10))
        given = {"BLASTD_URL": url}
        check(commands.run(*CLIENTS["results"], "--out", str(folder / "x"), environ=given), (2,), "results")
        check(commands.run("backup", str(folder / "y"), "--state-dir", "state"), (2,), "backup")
        assert [path.name for path in folder.iterdir()] == ["ballast"]
