"""Several daemons in one namespace: each sees its own searches and no others, and one store has one daemon."""

import shutil
import sqlite3
from contextlib import closing
from typing import Any

from tests.cluster.conftest import Make
from tests.cluster.parts import Cluster, until
from tests.cluster.rows import Recovery, waits
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY

TAKEN = 90.0
NO_NODE = {"BLASTD_KUBERNETES__CPU": "10000"}
"""A search that stays with the cluster for as long as a test needs it, and takes nothing of the node."""


def pending(daemon: Daemon) -> str:
    job_id: str = daemon.submit(LAMBDA_QUERY, reuse=False)["job_id"]
    waits(daemon, job_id, "unschedulable", TAKEN)
    return job_id


def listed(daemon: Daemon) -> set[str]:
    return {row["job_id"] for row in daemon.get("/api/blast/jobs").json["jobs"]}


def reconciled(daemon: Daemon) -> None:
    """Wait until the daemon has compared its store with the cluster twice more."""

    def passes() -> float:
        lines = daemon.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith("blastd_reconcile_seconds_count"))

    before = passes()
    until("it has looked at the cluster", lambda: passes() >= before + 2, 30)


def test_K13_daemons_of_two_stores_leave_each_others_searches_alone(make: Make, cluster: Cluster) -> None:
    one, two = (make(**NO_NODE, BLASTD_TRACKING__RECONCILE_SECONDS="1").start() for _ in range(2))
    hers, his = pending(one), pending(two)
    for daemon, own in ((one, hers), (two, his)):
        reconciled(daemon)
        assert listed(daemon) == {own}
    assert two.post(f"/api/blast/jobs/{hers}/cancel").status == 404
    two.post(f"/api/blast/jobs/{his}/cancel")
    assert two.ended(his)["status"] == "cancelled"
    reconciled(two)
    assert one.job(hers)["status"] == "queued"
    assert cluster.of_job("jobs", hers)
    warmers = [daemon.post("/api/blast/databases/tnt/warm") for daemon in (one, two)]
    assert [answer.status for answer in warmers] == [202, 202], [answer.text for answer in warmers]
    told = [answer.json["detail"] for answer in warmers]
    names = until(f"each warms for itself: {told}", lambda: pair(cluster.items("daemonsets")), 30)
    assert len({item["metadata"]["labels"]["blastd.io/instance"] for item in names}) == 2
    for item in names:
        cluster.ask("DELETE", cluster.path("daemonsets", item["metadata"]["name"]))
    one.post(f"/api/blast/jobs/{hers}/cancel")
    one.ended(hers)


def pair(found: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    return found if len(found) == 2 else None


def copied(daemon: Daemon, copy: Daemon) -> None:
    """Lay a copy of a daemon's state, as a backup taken while it ran would be put back."""
    copy.state.mkdir(mode=0o700)
    with (
        closing(sqlite3.connect(daemon.state / "blastd.sqlite")) as source,
        closing(sqlite3.connect(copy.state / "blastd.sqlite")) as target,
    ):
        source.backup(target)
    for name in ("jobs", "generations"):
        shutil.copytree(daemon.state / name, copy.state / name, ignore_dangling_symlinks=True)


def refused(daemon: Daemon) -> dict[str, Any] | None:
    answer = daemon.get("/readyz")
    return answer.json if answer.status == 503 and "copy of the same store" in answer.json["detail"] else None


def test_K13_a_second_daemon_on_a_copy_of_the_store_changes_nothing(make: Make, cluster: Cluster) -> None:
    first, second = make(**NO_NODE), make()
    first.start()
    job_id = pending(first)
    copied(first, second)
    second.start()
    until("the second is refused", lambda: refused(second), 30)
    waiting = second.submit(LAMBDA_QUERY, reuse=False)["job_id"]
    row = until(
        "it says so", lambda: told if (told := second.job(waiting))["waiting_for"] == "store_in_use" else None, 30
    )
    assert "Stop one of the two" in row["error"]
    second.post(f"/api/blast/jobs/{job_id}/cancel")
    assert not cluster.of_job("jobs", waiting)
    assert second.job(job_id)["phase"] == "cancelling"
    assert first.job(job_id)["status"] == "queued"
    assert [item["metadata"].get("deletionTimestamp") for item in cluster.of_job("jobs", job_id)] == [None]
    assert first.stop() == 0
    recovery = Recovery()
    assert second.ended(waiting, TAKEN)["status"] == "completed"
    recovery.of("first daemon stopped: the search of the second, which waited for the lease, completed", TAKEN)
    assert second.ended(job_id, TAKEN)["status"] == "cancelled"


def test_K13_a_daemon_that_died_is_followed_by_one_elsewhere(make: Make) -> None:
    first, second = make(), make()
    first.start()
    first.run(LAMBDA_QUERY, reuse=False)
    copied(first, second)
    first.kill()
    second.start()
    recovery = Recovery()
    row = second.submit(LAMBDA_QUERY, reuse=False)
    assert second.ended(row["job_id"], TAKEN)["status"] == "completed"
    recovery.of("daemon killed: a search of its successor elsewhere completed", TAKEN)
