"""The Kubernetes engine, side by side in one run: `python -m tests.benchmarks.cluster [--only NAME ...] [--json FILE]`.

The variables of tests/cluster/parts.py name the cluster; BLASTD_TEST_KUBECTL the kubectl to compare with
(by default the one on the path).

flip       end of a Job -> the row says completed, over several jobs
warm       submit -> results here, over `kubectl create` + `kubectl wait` of the same Job
bootstrap  the operations before a Job at once, and in turn
many       1,000 suspended Jobs of others as active rows: calls, loop lag, memory, lists
"""

import argparse
import gc
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from azure.storage.blob import BlobServiceClient

from tests.benchmarks.figures import Figures
from tests.cluster.parts import Cluster, Emulator, until, wanted
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, build_all

MANY = 1000
WATCHED_SECONDS = 75  # longer than reconcile's pause


class Parts:
    """A namespace, an emulator, databases, and daemons on them."""

    def __init__(self, folder: Path, figures: Figures) -> None:
        self.folder, self.figures = folder, figures
        (folder / "cluster").mkdir()
        self.cluster = Cluster(folder / "cluster")
        self.account = self.cluster.make_account()
        self.emulator = Emulator(folder / "blob").start()
        self.databases = folder / "db"
        self.databases.mkdir()
        build_all(self.databases)
        self.made = 0

    @contextmanager
    def daemon(self, **more: str) -> Iterator[Daemon]:
        self.made += 1
        environ = {
            "BLASTD_LOCAL__ENABLED": "false",
            "BLASTD_KUBERNETES__ENABLED": "true",
            "BLASTD_KUBERNETES__KUBECONFIG": str(self.account),
            "BLASTD_KUBERNETES__NAMESPACE": self.cluster.namespace,
            "BLASTD_KUBERNETES__IMAGE": wanted("BLASTD_TEST_IMAGE"),
            "BLASTD_KUBERNETES__CPU": "0.1",
            "BLASTD_KUBERNETES__CACHE_DIR": f"/tmp/{self.cluster.namespace}",  # noqa: S108  # a folder of the node
            "BLASTD_AZURE__CONNECTION_STRING": self.emulator.connection,
            "BLASTD_AZURE__POD_ACCOUNT_URL": self.emulator.pod_url,
        }
        own = Daemon(self.folder / f"state{self.made}", [self.databases], environ | more).start()
        try:
            yield own
        finally:
            own.stop()

    def close(self) -> None:
        self.emulator.stop()
        self.cluster.remove()


def flip(parts: Parts, count: int = 24, at_once: int = 4) -> None:
    """Measure from the Job's condition, as another client of the API server sees it, to the row."""
    late: list[float] = []
    with parts.daemon() as daemon:
        daemon.run(LAMBDA_QUERY, reuse=False)

        def one(_: int) -> None:
            row = daemon.submit(LAMBDA_QUERY, reuse=False)
            ends: dict[str, float] = {}

            def look() -> None:
                while "job" not in ends and "row" not in ends:
                    for job in parts.cluster.of_job("jobs", row["job_id"]):
                        if any(one["type"] == "Complete" for one in job["status"].get("conditions", [])):
                            ends["job"] = time.monotonic()
                    time.sleep(0.01)

            watcher = threading.Thread(target=look)
            watcher.start()
            while daemon.job(row["job_id"])["status"] not in ("completed", "failed"):
                time.sleep(0.02)
            ends["row"] = time.monotonic()
            watcher.join()
            late.append(max(0.0, ends["row"] - ends.get("job", ends["row"])))

        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(one, range(count)))
    parts.figures.p99("end of a Job to the row says completed", [one * 1e3 for one in late], "ms", 1000)


def warm(parts: Parts, rounds: int = 7) -> None:
    """Compare with kubectl on a copy of the same Job with the same Secret."""
    kubectl = os.environ.get("BLASTD_TEST_KUBECTL", "kubectl")
    ours: list[float] = []
    bare: list[float] = []
    service = BlobServiceClient.from_connection_string(parts.emulator.connection)
    with parts.daemon() as daemon:
        daemon.run(LAMBDA_QUERY, reuse=False)
        for number in range(rounds):
            begin = time.monotonic()
            row = daemon.submit(LAMBDA_QUERY, reuse=False)
            job, secret = until("its objects", lambda row=row: _objects(parts.cluster, row["job_id"]), 10, 0.02)  # type: ignore[misc]  # a lambda with a default
            ended = daemon.ended(row["job_id"])
            assert ended["status"] == "completed", ended
            daemon.results(row["job_id"], "tabular")
            ours.append(time.monotonic() - begin)
            query = service.get_blob_client("queries", f"{row['job_id']}/query.fa")
            until("blastd has cleaned up", lambda query=query: not query.exists())  # type: ignore[misc]  # as above
            query.upload_blob(LAMBDA_QUERY.encode(), overwrite=True)
            name = f"bare-{number}"
            parts.cluster.ask(
                "POST", parts.cluster.path("secrets"), {"metadata": {"name": name}, "data": secret["data"]}
            )
            path = parts.folder / "job.json"
            path.write_text(json.dumps(_copy(job, name)))
            words = [kubectl, "-n", parts.cluster.namespace]
            begin = time.monotonic()
            subprocess.run([*words, "create", "-f", str(path)], check=True, capture_output=True)
            subprocess.run([*words, "wait", "--for=condition=complete", f"job/{name}"], check=True, capture_output=True)
            bare.append(time.monotonic() - begin)
            subprocess.run([*words, "delete", f"job/{name}"], check=True, capture_output=True)
    parts.figures.median("`kubectl create` + `kubectl wait` of the same Job, warm", bare, "s")
    parts.figures.ratio("submit to results here, warm, over that", ours, bare, 1.1)


def _objects(cluster: Cluster, job_id: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    jobs, secrets = cluster.of_job("jobs", job_id), cluster.of_job("secrets", job_id)
    return (jobs[0], secrets[0]) if jobs and secrets else None


def _copy(job: dict[str, Any], name: str) -> dict[str, Any]:
    """Return the same Job under another name, without our labels, with its Secret's copy."""
    spec = json.loads(json.dumps(job["spec"]).replace(job["metadata"]["name"], name))
    for key in ("selector", "manualSelector", "suspend"):
        spec.pop(key, None)
    spec["template"]["metadata"] = {}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def bootstrap(parts: Parts, rounds: int = 10) -> None:
    """Compare the operations at once with the same in turn, from the step records."""
    alone: list[float] = []
    for at_once in ("true", "false"):
        whole: list[float] = []
        slowest: list[float] = []
        with parts.daemon(BLASTD_KUBERNETES__PARALLEL_BOOTSTRAP=at_once) as daemon:
            daemon.run(LAMBDA_QUERY, reuse=False)
            for _ in range(rounds):
                row = daemon.run(LAMBDA_QUERY, reuse=False)
                step = next(one for one in row["steps"] if one["name"] == "submitting")
                parts_of = dict(step["parts"])
                last = parts_of.pop("create job")
                whole.append(step["duration_ms"] - last * 1000)
                slowest.append(max(parts_of.values()) * 1000)
        if at_once == "true":
            alone = whole
            parts.figures.median("the operations before a Job, at once", whole, "ms")
            parts.figures.ratio("the same, over the slowest of them", whole, slowest, 1.1)
        else:
            parts.figures.ratio("the same in turn, over at once", whole, alone)


def many(parts: Parts) -> None:
    """Follow 1,000 suspended Jobs of others."""
    with parts.daemon() as daemon:
        before = memory(daemon)

        def one(number: int) -> None:
            labels = {"app": "blast", "elb-job-id": f"many-{number}"}
            pod = {"restartPolicy": "Never", "containers": [{"name": "blast", "image": "none", "command": ["true"]}]}
            body: dict[str, Any] = {"metadata": {"name": f"many-{number}", "labels": labels}}
            body["spec"] = {"suspend": True, "template": {"metadata": {"labels": labels}, "spec": pod}}
            parts.cluster.ask("POST", parts.cluster.path("jobs"), body)

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(one, range(MANY)))
        until("all are rows", lambda: active(daemon) >= MANY, 180, 1.0)
        time.sleep(15)
        calls, lag = counter(daemon, "blastd_engine_calls_total"), buckets(daemon)
        lists: list[float] = []
        end = time.monotonic() + WATCHED_SECONDS
        gc.disable()  # the client's own collections are not the daemon's time
        while time.monotonic() < end:
            begin = time.monotonic()
            assert daemon.get("/api/blast/jobs?limit=50").status == 200
            lists.append((time.monotonic() - begin) * 1000)
            time.sleep(0.2)
        gc.enable()
        name, figures = f"{MANY:,} active Jobs", parts.figures
        calls = counter(daemon, "blastd_engine_calls_total") - calls
        figures.single(f"{name}: calls for single Jobs in {WATCHED_SECONDS} s", calls, "calls", 0)
        figures.single(f"{name}: loop lag, p99 at most", quantile(lag, buckets(daemon)) * 1000, "ms", 20)
        figures.single(f"{name}: growth of memory", (memory(daemon) - before) / 1e6, "MB", 50)
        figures.p99(f"{name}: list page of 50", lists, "ms", 20)
        daemon.stop()
        begin = time.monotonic()
        daemon.start()
        until("both watches are healthy", lambda: len(healthy(daemon)) >= 4, 30, 0.02)
        figures.single(f"{name}: start of the daemon to healthy watches", time.monotonic() - begin, "s")
        figures.single(f"{name}: relist", max(one["list_seconds"] for one in healthy(daemon)[-2:]), "s", 2)


def healthy(daemon: Daemon) -> list[dict[str, Any]]:
    """Return what the log says of watches that became healthy."""
    lines = daemon.log.read_text().splitlines()
    return [json.loads(line) for line in lines if '"watch_healthy"' in line]


def active(daemon: Daemon) -> int:
    counts = daemon.get("/api/blast/jobs?limit=1").json["counts"]
    return int(counts["queued"]) + int(counts["running"])


def memory(daemon: Daemon) -> float:
    assert daemon.process is not None
    text = Path(f"/proc/{daemon.process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) * 1024.0 if found else 0.0


def counter(daemon: Daemon, name: str) -> float:
    lines = daemon.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(f"{name}{{"))


def buckets(daemon: Daemon) -> dict[float, float]:
    found = re.findall(r'blastd_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)', daemon.get("/metrics").text)
    return {float(le): float(count) for le, count in found}


def quantile(before: dict[float, float], after: dict[float, float], share: float = 0.99) -> float:
    """Return the upper edge of the bucket that holds the quantile."""
    total = after[float("inf")] - before[float("inf")]
    return next(le for le in sorted(after) if after[le] - before[le] >= total * share)


MEASURES: dict[str, Callable[[Parts], None]] = {"flip": flip, "warm": warm, "bootstrap": bootstrap, "many": many}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    figures = Figures("cluster")
    with tempfile.TemporaryDirectory() as folder:
        parts = Parts(Path(folder), figures)
        try:
            for name in given.only:
                MEASURES[name](parts)
        finally:
            parts.close()
    figures.keep(given.json)


if __name__ == "__main__":
    main()
