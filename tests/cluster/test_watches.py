"""Watches that are cut, held silent or forbidden: searches end, rows are true, calls stay few, and the service says it."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import pytest

from tests.cluster.conftest import Make
from tests.cluster.parts import Cluster, until
from tests.cluster.proxy import Proxy
from tests.daemon import Daemon, cli
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY

TRUE_SECONDS = 25.0
"""How long after the cluster's own truth a row may tell the old one when no watch serves."""
WATCH = r"[?&]watch=true"
LONG = ">s".join(SLOW_QUERY.split(">s")[:15])
"""A query that takes a third of SLOW_QUERY's time, in fewer pods."""
Start = Callable[[str], Daemon]


@contextmanager
def broken(api: Proxy, mode: str) -> Iterator[None]:
    """Break the watches of whoever comes through the proxy, from now on."""
    how: dict[str, dict[str, Any]] = {"cut": {"status": 200}, "held": {"stall": True}}
    with ExitStack() as stack:
        if mode in how:
            stack.enter_context(api.fault(WATCH, **how[mode]))
            api.sever()
        yield


@pytest.fixture
def start(make: Make, proxied: dict[str, str], cluster: Cluster) -> Start:
    """Start a daemon behind the proxy, or as an account that may not watch."""

    def one(mode: str) -> Daemon:
        if mode == "forbidden":
            account = cluster.make_account("watchless", without="watch")
            return make(BLASTD_KUBERNETES__KUBECONFIG=str(account)).start()
        return make(**proxied).start()

    return one


def runs(daemon: Daemon, job_id: str) -> bool:
    return bool(daemon.job(job_id)["status"] == "running")


def unplaced(daemon: Daemon, job_id: str) -> bool:
    return bool(daemon.job(job_id)["waiting_for"] == "unschedulable")


def named(daemon: Daemon, job_id: str) -> str:
    return f"blastd-{daemon.job(job_id)['short_id']}-1"


def over(cluster: Cluster, name: str) -> bool:
    """Tell whether the cluster itself says that a Job has ended or is gone."""
    found = cluster.ask("GET", cluster.path("jobs", name), allowed=(404,))
    return found is None or any(
        one["type"] in ("Complete", "Failed") and one["status"] == "True"
        for one in found["status"].get("conditions", [])
    )


def interfere(what: str, daemon: Daemon, cluster: Cluster, job_id: str, name: str) -> None:
    """Bring about that a search that runs has this end."""
    if what == "cancelled":
        assert daemon.post(f"/api/blast/jobs/{job_id}/cancel").status == 202
    elif what == "failed":
        cluster.ask("PATCH", cluster.path("jobs", name), {"spec": {"activeDeadlineSeconds": 1}})
    else:
        cluster.ask("DELETE", cluster.path("jobs", name) + "?propagationPolicy=Background")


@pytest.mark.parametrize("mode", ["watch", "cut", "held", "forbidden"])
def test_U18_K08_every_end_is_seen_whatever_becomes_of_the_watch(
    start: Start, api: Proxy, cluster: Cluster, mode: str
) -> None:
    with broken(api, mode):
        own = start(mode)
        rows = {
            what: own.submit(LONG, **SLOW | {"title": what})["job_id"] for what in ("failed", "cancelled", "deleted")
        }
        rows["completed"] = own.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        names = {what: named(own, job_id) for what, job_id in rows.items()}
        for what in ("failed", "cancelled", "deleted"):
            until(f"{what}: it runs", partial(runs, own, rows[what]), 120)
            interfere(what, own, cluster, rows[what], names[what])
        ends = {
            "failed": ("failed", "deadline_exceeded"),
            "deleted": ("failed", "kubernetes_job_deleted"),
            "cancelled": ("cancelled", None),
            "completed": ("completed", None),
        }
        for what, end in ends.items():
            until(f"{what}: the cluster says so", partial(over, cluster, names[what]), 120)
            row = own.ended(rows[what], TRUE_SECONDS)
            assert (row["status"], row["error_code"]) == end, (what, row)
            assert not row["stale"]


@pytest.mark.parametrize("mode", ["cut", "held", "forbidden"])
def test_U18_watches_that_do_not_serve_cost_few_calls_and_are_told(
    start: Start, api: Proxy, mode: str, environ: dict[str, str]
) -> None:
    with broken(api, mode):
        own = start(mode)
        row = own.submit(SLOW_QUERY, **SLOW)

        def told() -> dict[str, Any] | None:
            ready = own.get("/readyz")
            assert ready.status == 200, "the cluster can be asked"
            parts: list[dict[str, Any]] = ready.json["degraded"]
            return next((one for one in parts if one["name"] == "engine kubernetes"), None)

        part = until("readyz tells it", told, 30)
        assert "is asked every 5 s" in part["detail"]
        (engine,) = own.get("/api/health").json["engines"]
        assert engine["status"] == "degraded"
        assert {watch["name"]: watch["status"] for watch in engine["watches"]}["jobs"] == "degraded"
        assert engine["age_seconds"] < TRUE_SECONDS
        begin = time.monotonic()
        time.sleep(10.0)  # the measure: how often the cluster is asked in ten seconds
        if mode != "forbidden":
            asked = api.since(begin, r"labelSelector=app|fieldSelector=type")
            assert len(asked) <= 30, [(round(one.at - begin, 1), one.path) for one in asked]
        own.post(f"/api/blast/jobs/{row['job_id']}/cancel")
        assert own.ended(row["job_id"])["status"] == "cancelled"
    if mode == "forbidden":
        given = environ | {"BLASTD_KUBERNETES__KUBECONFIG": own.environ["BLASTD_KUBERNETES__KUBECONFIG"]}
        found = cli("doctor", "--state-dir", str(own.state), environ=given)
        for resource in ("jobs.batch", "pods", "events"):
            line = rf"warning +right watch {resource}: the account may not watch .*\n +-> Apply config/kubernetes/rbac"
            assert re.search(line, found.stdout), found.stdout
        return
    until("the watches serve again", lambda: own.get("/readyz").json == {"status": "ok", "degraded": []}, 60)


def test_U18_doctor_names_each_right_that_the_account_lacks(cluster: Cluster, environ: dict[str, str]) -> None:
    account = cluster.make_account("secretless", without="secrets")
    found = cli("doctor", environ=environ | {"BLASTD_KUBERNETES__KUBECONFIG": str(account)})
    assert found.returncode == 1
    lacking = re.findall(r"^fault +right (\w+ secrets):", found.stdout, re.MULTILINE)
    assert sorted(lacking) == ["create secrets", "delete secrets", "patch secrets"], found.stdout
    whole = cli("doctor", environ=environ)
    assert re.search(r"^ok +cluster: .* (\d+) of \1 rights", whole.stdout, re.MULTILINE), whole.stdout


def test_K09_many_pending_searches_cost_no_call_of_their_own(api: Proxy, make: Make, proxied: dict[str, str]) -> None:
    own = make(**proxied | {"BLASTD_KUBERNETES__CPU": "10000"}).start()
    rows = [own.submit(LAMBDA_QUERY, reuse=False, title=str(number))["job_id"] for number in range(40)]
    for job_id in rows:
        until("it waits for a node", partial(unplaced, own, job_id), 90)
    begin = time.monotonic()
    time.sleep(10.0)  # the measure: how often the cluster is asked in ten seconds
    asked = api.since(begin)
    assert len(asked) <= 12, [one.path for one in asked]
    assert all(re.search(WATCH, one.path) for one in asked), [one.path for one in asked]
    for job_id in rows:
        own.post(f"/api/blast/jobs/{job_id}/cancel")
    for job_id in rows:
        assert own.ended(job_id, 120)["status"] == "cancelled"


def test_U18_readyz_is_503_when_the_cluster_can_not_be_asked_though_this_machine_searches_too(
    make: Make, proxied: dict[str, str], api: Proxy
) -> None:
    own = make(**proxied | {"BLASTD_LOCAL__ENABLED": "true"}).start()
    until("the service is ready", lambda: own.get("/readyz").status == 200, 60)
    with api.fault(".", status=500):
        api.sever()
        until("it says so", lambda: own.get("/readyz").status == 503, 15)
        ready = own.get("/readyz").json
        assert [part["name"] for part in ready["down"]] == ["engine kubernetes"]
        assert "answers 500" in ready["detail"]
        (engine,) = [one for one in own.get("/api/health").json["engines"] if one["name"] == "kubernetes"]
        assert (engine["status"], engine["age_seconds"] >= 0) == ("down", True)
    until("the service is ready again", lambda: own.get("/readyz").status == 200, 60)
