"""What goes wrong on a cluster: each cause has its code while it holds a search up, and nothing is lost."""

import os
import random
import time
from functools import partial
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from tests.cluster.conftest import Make
from tests.cluster.parts import Cluster, Emulator, until
from tests.cluster.rows import Recovery, done, quick, running, waits
from tests.daemon import Answer, Daemon
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY


def held_up(daemon: Daemon, job_id: str, code: str) -> dict[str, Any]:
    """Wait until a job that has not ended says why it waits."""

    def look() -> dict[str, Any] | None:
        row = daemon.job(job_id)
        assert row["status"] in ("queued", "running"), row
        return row if row["waiting_for"] == code else None

    row: dict[str, Any] = until(f"it waits for {code}", look, 40)
    assert row["status"] == "queued"
    assert row["error"]
    return row


def cancelled(daemon: Daemon, job_id: str) -> None:
    daemon.post(f"/api/blast/jobs/{job_id}/cancel")
    assert daemon.ended(job_id)["status"] == "cancelled"


@pytest.mark.parametrize(
    ("code", "name", "value"),
    [
        ("image_pull_failed", "IMAGE", "registry.invalid/no/such:1"),
        ("unschedulable", "CPU", "10000"),
        ("container_config_error", "IMAGE_PULL_POLICY", "Never"),
    ],
)
def test_T17_what_holds_a_pending_search_up_is_named(make: Make, code: str, name: str, value: str) -> None:
    more = {f"BLASTD_KUBERNETES__{name}": value}
    if name == "IMAGE_PULL_POLICY":
        more["BLASTD_KUBERNETES__IMAGE"] = "registry.invalid/no/such:1"
        code = "image_pull_failed"
    own = make(**more).start()
    row = held_up(own, own.submit(LAMBDA_QUERY)["job_id"], code)
    cancelled(own, row["job_id"])


def test_T17_quota_is_named_and_the_search_goes_on_when_it_is_raised(daemon: Daemon, cluster: Cluster) -> None:
    cluster.ask("POST", cluster.path("resourcequotas"), {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})
    until("quota counts", lambda: cluster.ask("GET", cluster.path("resourcequotas", "none"))["status"].get("hard"))
    row = daemon.submit(LAMBDA_QUERY, reuse=False)
    try:
        held_up(daemon, row["job_id"], "quota_exceeded")
    finally:
        cluster.ask("DELETE", cluster.path("resourcequotas", "none"))
    assert daemon.ended(row["job_id"], 90)["status"] == "completed"


def test_T17_memory_kill_is_named_and_C11_retry_runs_what_is_missing(make: Make, cluster: Cluster) -> None:
    own = make(BLASTD_KUBERNETES__MEMORY_LIMIT_BYTES=str(240 << 20), BLASTD_KUBERNETES__RETRIES="0").start()
    # Words of four letters and any e-value: hits fill 340 MB within two seconds.
    greedy = {"word_size": 4, "evalue": "1e9", "dust": "no", "ungapped": True}
    search: dict[str, Any] = {"program": "blastn", "task": "blastn", "database": "slow", "options": greedy}
    row = own.ended(own.submit(SLOW_QUERY, **search)["job_id"])
    assert (row["status"], row["error_code"]) == ("failed", "out_of_memory"), row
    assert own.stop() == 0
    del own.environ["BLASTD_KUBERNETES__MEMORY_LIMIT_BYTES"]
    own.start()
    assert own.post(f"/api/blast/jobs/{row['job_id']}/retry").status == 202
    running = until(
        "it runs again", lambda: own.job(row["job_id"])["status"] == "running" and own.job(row["job_id"]), 40
    )
    assert running["attempt"] == 2
    assert [job["metadata"]["name"] for job in cluster.of_job("jobs", row["job_id"])] == [f"blastd-{row['short_id']}-2"]
    cancelled(own, row["job_id"])


def test_K10_the_wait_for_a_node_is_not_the_time_limit(make: Make, cluster: Cluster) -> None:
    own = make(BLASTD_KUBERNETES__TIME_LIMIT_SECONDS="1", BLASTD_KUBERNETES__CPU="10000").start()
    row = held_up(own, own.submit(LAMBDA_QUERY)["job_id"], "unschedulable")
    (job,) = cluster.of_job("jobs", row["job_id"])
    assert "activeDeadlineSeconds" not in job["spec"], "it would count from the Job's making"
    cancelled(own, row["job_id"])
    assert own.stop() == 0
    own.environ["BLASTD_KUBERNETES__CPU"] = "0.1"
    own.start()
    row = own.ended(own.submit(SLOW_QUERY, **SLOW)["job_id"])
    assert (row["status"], row["error_code"]) == ("failed", "deadline_exceeded"), row


def test_T16_a_pod_that_dies_is_a_try_and_not_the_end(daemon: Daemon, cluster: Cluster) -> None:
    row = daemon.submit(SLOW_QUERY, **SLOW)
    until("it runs", lambda: daemon.job(row["job_id"])["status"] == "running", 30)

    def running() -> dict[str, Any] | None:
        pods = cluster.of_job("pods", row["job_id"])
        return next((one for one in pods if one["status"]["phase"] == "Running"), None)

    pod: dict[str, Any] = until("a pod runs", running, 20)
    before = {one["metadata"]["name"] for one in cluster.of_job("pods", row["job_id"])}
    cluster.ask("DELETE", cluster.path("pods", pod["metadata"]["name"]))

    def another() -> bool:
        assert daemon.job(row["job_id"])["status"] == "running"
        return {one["metadata"]["name"] for one in cluster.of_job("pods", row["job_id"])} > before - {
            pod["metadata"]["name"]
        }

    until("the Job has made another pod", another, 40)
    cancelled(daemon, row["job_id"])


def test_K11_an_evicted_pod_is_told_and_costs_no_try(make: Make, cluster: Cluster) -> None:
    own = make(BLASTD_KUBERNETES__RETRIES="0").start()
    job_id = running(own)
    (pod, *_) = [each for each in cluster.of_job("pods", job_id) if each["status"]["phase"] == "Running"]
    name = pod["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    cluster.ask("POST", cluster.path("pods", name) + "/eviction", body)
    done(own, job_id, 120)
    logs = own.get(f"/api/blast/jobs/{job_id}/events").text
    assert '"failed"' not in logs


def test_T18_a_job_that_somebody_deletes_is_failed_with_the_reason(daemon: Daemon, cluster: Cluster) -> None:
    row = daemon.submit(SLOW_QUERY, **SLOW)
    until("it runs", lambda: daemon.job(row["job_id"])["status"] == "running", 30)
    cluster.ask("DELETE", cluster.path("jobs", f"blastd-{row['short_id']}-1") + "?propagationPolicy=Background")
    ended = daemon.ended(row["job_id"])
    assert (ended["status"], ended["error_code"]) == ("failed", "kubernetes_job_deleted")


def test_T18_a_job_deleted_after_its_results_is_completed(make: Make, cluster: Cluster) -> None:
    own = make().start()
    row = own.submit(LAMBDA_QUERY, reuse=False)
    until("it is with the cluster", lambda: own.job(row["job_id"])["engine_ref"].get("units"), 30)
    own.kill()
    name = f"blastd-{row['short_id']}-1"

    def complete() -> bool:
        conditions = cluster.ask("GET", cluster.path("jobs", name))["status"].get("conditions", [])
        return any(one["type"] == "Complete" for one in conditions)

    until("the Job is complete", complete, 30)
    cluster.ask("DELETE", cluster.path("jobs", name) + "?propagationPolicy=Background")
    until("it is gone", lambda: not cluster.of_job("jobs", row["job_id"]))
    own.start()
    assert own.ended(row["job_id"])["status"] == "completed"


def test_T19_a_run_of_somebody_else_is_adopted_once_and_cancellable(make: Make, cluster: Cluster) -> None:
    own = make(BLASTD_TRACKING__RECONCILE_SECONDS="1").start()
    labels = {"app": "blast", "elb-job-id": "job-7", "program": "blastp", "db": "nr"}
    image = own.environ["BLASTD_KUBERNETES__IMAGE"]
    pod = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1}
    pod["containers"] = [{"name": "blast", "image": image, "command": ["sleep", "120"]}]
    body = {"metadata": {"name": "blast-batch-000", "labels": labels}}
    body["spec"] = {"template": {"metadata": {"labels": labels}, "spec": pod}}
    cluster.ask("POST", cluster.path("jobs"), body)

    def found() -> list[dict[str, Any]]:
        rows = own.get("/api/blast/jobs").json["jobs"]
        return [row for row in rows if row["source"] == "external" and "job-7" in row["title"]]

    (row,) = until("the run is listed", found, 30)
    time.sleep(2.5)
    assert len(found()) == 1
    assert own.job(row["job_id"])["status"] == "running"
    cancelled(own, row["job_id"])
    until("its pods are gone", lambda: not cluster.items("pods", "elb-job-id=job-7"))


def foreign_job(image: str, run: str, command: list[str], **pod: Any) -> dict[str, Any]:
    """Return a Job as ElasticBLAST would make it."""
    labels = {"app": "blast", "elb-job-id": run, "program": "blastp", "db": "nr"}
    box: dict[str, Any] = {"name": "blast", "image": image, "command": command}
    if "cpu" in pod:
        box["resources"] = {"requests": {"cpu": pod.pop("cpu")}}
    spec = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [box]} | pod
    body = {"backoffLimit": 0, "template": {"metadata": {"labels": labels}, "spec": spec}}
    return {"metadata": {"name": f"blast-batch-{run}", "labels": labels}, "spec": body}


def test_K14_runs_of_somebody_else_end_as_they_end_and_pending_ones_wait(make: Make, cluster: Cluster) -> None:
    own = make(BLASTD_TRACKING__RECONCILE_SECONDS="1").start()
    image = own.environ["BLASTD_KUBERNETES__IMAGE"]
    bodies = [
        foreign_job(image, "good", ["true"]),
        foreign_job(image, "bad", ["false"]),
        foreign_job(image, "waits", ["true"], nodeSelector={"no": "such-node"}),
        foreign_job(image, "rejected", ["true"], nodeName="node-1", cpu="1000"),
    ]
    for body in bodies:
        cluster.ask("POST", cluster.path("jobs"), body)

    def row(run: str) -> dict[str, Any] | None:
        rows = own.get("/api/blast/jobs").json["jobs"]
        return next((one for one in rows if one["source"] == "external" and one["title"].endswith(f" {run}")), None)

    rows = {run: until(f"{run} is listed", partial(row, run), 60) for run in ("good", "bad", "waits", "rejected")}
    good = own.ended(rows["good"]["job_id"], 120)
    assert (good["status"], good["error"], good["hits"]) == ("completed", None, None), good
    results = own.get(f"/api/blast/jobs/{good['job_id']}/results?format=tabular")
    assert results.status == 410
    assert "started outside blastd" in results.json["detail"]
    bad = own.ended(rows["bad"]["job_id"], 120)
    assert (bad["status"], bad["error_code"]) == ("failed", "backoff_limit_exceeded"), bad
    rejected = own.ended(rows["rejected"]["job_id"], 120)
    assert rejected["status"] == "failed"
    assert "OutOfcpu" in rejected["error"], rejected
    waiting = held_up(own, rows["waits"]["job_id"], "unschedulable")
    assert (waiting["phase"], waiting["started_at"]) == ("submitted", None)
    cancelled(own, waiting["job_id"])
    until("its pods are gone", lambda: not cluster.items("pods", "elb-job-id=waits"), 60)


def test_access_is_renewed_before_it_ends(make: Make, cluster: Cluster) -> None:
    own = make(BLASTD_AZURE__SAS_HOURS="0.003").start()
    row = own.submit(SLOW_QUERY, **SLOW)
    first = until("its Secret", lambda: cluster.of_job("secrets", row["job_id"]), 20)[0]["data"]

    def renewed() -> bool:
        (now,) = cluster.of_job("secrets", row["job_id"])
        return bool(
            now["data"]["access.json"] != first["access.json"] and now["data"]["plan.json"] == first["plan.json"]
        )

    until("its addresses are new", renewed, 20)
    own.stop()
    own.environ["BLASTD_AZURE__SAS_HOURS"] = "1"
    own.start()
    cancelled(own, row["job_id"])


def test_results_wait_for_an_emulator_that_is_away(make: Make, emulator: Emulator) -> None:
    own = make().start()
    own.run(LAMBDA_QUERY, reuse=False)
    row = own.submit(LAMBDA_QUERY, reuse=False)
    until("it is with the cluster", lambda: own.job(row["job_id"])["phase"] == "submitted", 20)
    emulator.stop()
    try:
        later = own.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        waits(own, later, "blob_unreachable", 60)
        ready: Answer = until("the service is not ready", lambda: not_ready(own), 30)
        assert "storage account can't be reached" in ready.json["detail"]
        assert "check the network and the account key" in ready.json["detail"]
        quick(own)
    finally:
        emulator.start()
    recovery = Recovery()
    done(own, row["job_id"], 90)
    done(own, later, 90)
    recovery.of("storage account stopped: both searches completed", 60)
    until("the service is ready", lambda: own.get("/readyz").status == 200, 30)
    recovery.of("storage account stopped: service ready", 60)


def not_ready(daemon: Daemon) -> Answer | None:
    answer = daemon.get("/readyz")
    return answer if answer.status == 503 else None


def test_C08_C09_killed_at_any_moment_there_is_one_job_and_nothing_is_left(make: Make, cluster: Cluster) -> None:
    own = make(BLASTD_TRACKING__RECONCILE_SECONDS="2").start()
    dice = random.Random(20261125)
    rows: list[str] = []
    for _ in range(int(os.environ.get("CRASH_ROUNDS", "6"))):
        row = own.submit(LAMBDA_QUERY, reuse=False)
        rows.append(row["job_id"])
        time.sleep(dice.uniform(0.0, 4.0))
        own.kill()
        assert len(cluster.of_job("jobs", row["job_id"])) <= 1
        own.start()
        ended = own.ended(row["job_id"])
        assert ended["status"] == "completed", ended
        assert ended["attempt"] == 1
    for kind in ("jobs", "pods", "secrets"):
        for job_id in rows:
            until(f"no {kind} of {job_id} are left", partial(gone, cluster, kind, job_id), 90)


def gone(cluster: Cluster, kind: str, job_id: str) -> bool:
    return not cluster.of_job(kind, job_id)


def test_what_could_not_be_removed_at_the_end_is_removed_later(
    make: Make, cluster: Cluster, emulator: Emulator
) -> None:
    own = make(BLASTD_TRACKING__RECONCILE_SECONDS="1").start()
    row = own.submit(SLOW_QUERY, **SLOW)
    until("it is with the cluster", lambda: own.job(row["job_id"])["engine_ref"].get("units"), 30)
    emulator.stop()
    try:
        cancelled(own, row["job_id"])
        assert cluster.of_job("secrets", row["job_id"]) == [], "the cluster can be cleaned"
    finally:
        emulator.start()
    container = BlobServiceClient.from_connection_string(emulator.connection).get_container_client("queries")
    until("its query is gone", lambda: not list(container.list_blobs(name_starts_with=row["job_id"])), 40)
