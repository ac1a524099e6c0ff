"""The back-up of docs/operating.md of a running service, restored into a new folder and started."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.daemon import Daemon
from tests.databases import DB, LAMBDA_QUERY, random_dna
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

JOBS = "/api/blast/jobs"
ENDS = ("completed", "failed", "cancelled")


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "blastd.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


@contextmanager
def load(daemon: Daemon) -> Iterator[list[str]]:
    """Submit one search after the other, until the block ends; gives the ids of those that were accepted."""
    stop, accepted = threading.Event(), list[str]()

    def submit() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            query = f">q{number}\n{random_dna(400, number)}\n{LAMBDA_QUERY}"
            accepted.append(daemon.submit(query, reuse=False)["job_id"])
            daemon.get(f"{JOBS}/{accepted[-1]}/results?format=tabular")

    threads = [threading.Thread(target=submit) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield accepted
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_SECONDS)


def test_S06_a_backup_of_a_running_service_under_load_is_restored(fresh: Daemon, tmp_path: Path) -> None:
    fresh.start()
    old = fresh.run(LAMBDA_QUERY, title="old")
    tables = {name: fresh.results(old["job_id"], name) for name in ("tabular", "xml")}
    made = command("db", "make", str(DB / "nt.fa"), "--name", "mine", "--url", fresh.url)
    assert made.returncode == 0, made.stderr
    copy = tmp_path / "backup"
    copy.mkdir()
    with load(fresh) as accepted:
        while len(accepted) < 8:
            fresh.get("/livez")
        before = list(accepted)
        saved = command("backup", str(copy / "blastd.sqlite"), "--state-dir", str(fresh.state))
        assert saved.returncode == 0, saved.stderr
        many = len(accepted)
        # cp may tell of a temporary file that vanished meanwhile: harmless, so its exit code is not looked at
        folders = [str(fresh.state / "jobs"), str(fresh.state / "databases")]
        subprocess.run(["cp", "-a", *folders, str(copy)], capture_output=True, timeout=PATIENCE_SECONDS, check=False)
        while len(accepted) < many + 4:
            fresh.get("/livez")
    fresh.kill()

    restored = Daemon(tmp_path / "restored", fresh.db_dirs)
    restored.state.mkdir(mode=0o700)
    subprocess.run(["cp", "-a", *map(str, copy.iterdir()), str(restored.state)], timeout=PATIENCE_SECONDS, check=True)
    mended = command("fsck", "--mend", "--json", "--state-dir", str(restored.state))
    findings = json.loads(mended.stdout)["findings"]
    assert all(one["mended"] for one in findings), "nothing is lost, some files are newer than the store's copy"
    assert command("fsck", "--state-dir", str(restored.state)).returncode == 0

    restored.start()
    try:
        for name, body in tables.items():
            assert restored.results(old["job_id"], name) == body
        assert restored.results(old["job_id"], "json"), "the database is found again for what was not made yet"
        for job_id in before:
            assert restored.ended(job_id)["status"] == "completed", "accepted before the copy was begun"
            assert restored.results(job_id, "tabular")
        listed = restored.get(f"{JOBS}?limit=500").json["jobs"]
        assert all(restored.ended(job["job_id"])["status"] == "completed" for job in listed)
        assert restored.run(LAMBDA_QUERY)["reused_from"] == old["job_id"]
        assert restored.run(LAMBDA_QUERY, reuse=False)["hits"] == old["hits"]
        assert restored.run(LAMBDA_QUERY, database="mine")["hits"] == old["hits"]
    finally:
        restored.stop()
    assert command("fsck", "--state-dir", str(restored.state)).returncode == 0
