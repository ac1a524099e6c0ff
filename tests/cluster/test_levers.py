"""A cluster that breaks: paused, restarted, its history compacted. Rows say that they are stale, and are true again."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.cluster.conftest import Make
from tests.cluster.parts import Cluster, pull, until
from tests.cluster.rows import Recovery, done, quick, running, stale, waits
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY


def test_T13_C04_an_api_server_that_is_away_makes_rows_stale_and_nothing_fails(daemon: Daemon) -> None:
    row = daemon.submit(SLOW_QUERY, **SLOW)
    until("it runs", lambda: daemon.job(row["job_id"])["status"] == "running", 30)
    pull("stop-apiserver")
    try:
        stale = until("it is stale", lambda: daemon.job(row["job_id"])["stale"] and daemon.job(row["job_id"]), 20)
        assert stale["status"] == "running"
        assert stale["stale_reason"]
        begin = time.monotonic()
        assert daemon.get("/api/blast/jobs").status == 200
        assert time.monotonic() - begin < 0.3
        answer = daemon.post(f"/api/blast/jobs/{row['job_id']}/cancel")
        assert answer.status == 202
        time.sleep(1.0)
        assert daemon.job(row["job_id"])["phase"] == "cancelling"
    finally:
        pull("start-apiserver")
    assert daemon.ended(row["job_id"], 60)["status"] == "cancelled"


def test_T14_a_watch_that_expired_is_listed_again(make: Make) -> None:
    own = make().start()
    row = own.submit(SLOW_QUERY, **SLOW)
    until("it runs", lambda: own.job(row["job_id"])["status"] == "running", 30)
    pull("expire-watch")
    until("it is true again", lambda: not own.job(row["job_id"])["stale"], 30)
    assert own.job(row["job_id"])["status"] == "running"
    own.post(f"/api/blast/jobs/{row['job_id']}/cancel")
    assert own.ended(row["job_id"], 60)["status"] == "cancelled"
    assert own.run(LAMBDA_QUERY, reuse=False)["status"] == "completed"


def test_T13_a_paused_api_server_makes_rows_stale_and_what_was_submitted_meanwhile_completes(daemon: Daemon) -> None:
    before = running(daemon)
    pull("pause-apiserver")
    try:
        during = daemon.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        waits(daemon, during, "cluster_unreachable")
        row = stale(daemon, before, 40)
        assert "blastd doctor" in row["stale_reason"]
        ready = daemon.get("/readyz")
        assert ready.status == 503
        assert ready.json["down"][0]["since"]
        quick(daemon, f"/api/blast/jobs/{before}", f"/api/blast/jobs/{during}")
    finally:
        pull("resume-apiserver")
    recovery = Recovery()
    until("the row is true again", lambda: not daemon.job(before)["stale"], 30)
    recovery.of("API server paused: row true again", 15)
    done(daemon, before)
    done(daemon, during)
    recovery.of("API server paused: both searches completed", 60)


@pytest.mark.slow
@pytest.mark.parametrize("words", [(), ("--pods",)], ids=["kubelet", "node"])
def test_a_node_that_is_silent_is_named_and_the_search_completes_once_when_it_is_back(
    daemon: Daemon, cluster: Cluster, databases: Path, words: tuple[str, ...]
) -> None:
    job_id = running(daemon)
    pull("kill-node", *words)
    try:
        row = waits(daemon, job_id, "node_not_ready", 80)
        assert (row["status"], row["phase"]) == ("running", "running")
        assert "NotReady" in row["error"]
        later = daemon.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        assert "untolerated taint" in waits(daemon, later, "unschedulable")["error"]
        time.sleep(1.0)
        assert daemon.job(job_id)["waiting_for"] == "node_not_ready"
    finally:
        pull("revive-node")
    recovery = Recovery()
    row = done(daemon, job_id, 120)
    assert (row["error"], row["waiting_for"]) == (None, None)
    recovery.of(f"node silent ({' '.join(words) or 'kubelet only'}): search completed", 120)
    row = done(daemon, later, 120)
    recovery.of(f"node silent ({' '.join(words) or 'kubelet only'}): search submitted meanwhile completed", 120)
    bare = ["blastn", "-query", "-", "-db", "tnt", "-outfmt", "6", "-task", row["task"]]
    wanted = subprocess.run(bare, cwd=databases, input=LAMBDA_QUERY.encode(), check=True, capture_output=True)
    assert daemon.results(later, "tabular") == wanted.stdout
    until("its pods are gone", lambda: not cluster.of_job("pods", job_id), 60)
