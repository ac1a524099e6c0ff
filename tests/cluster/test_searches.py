"""Searches on a real cluster: exact, true within a second, nothing left behind, nothing given away."""

import subprocess
import threading
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import BOTH, Make
from tests.cluster.parts import KEY, Cluster, Emulator, until
from tests.cluster.rows import Recovery
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, NO_HITS_QUERY, PROTEIN_QUERY, SLOW, SLOW_QUERY
from tests.databases import make as make_database

pytestmark = BOTH


def bare(databases: Path, program: str, database: str, query: str, outfmt: str, *options: str) -> bytes:
    argv = [program, "-query", "-", "-db", database, "-outfmt", outfmt, *options]
    return subprocess.run(argv, cwd=databases, input=query.encode(), check=True, capture_output=True).stdout


def parts_of(row: dict[str, Any], step: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in row["steps"] if one["name"] == step)
    return found


ORDER = ["queued", "warming_up", "submitting", "submitted", "staging_db", "running", "results_pending", "completed"]


def phases_of(daemon: Daemon, job_id: str) -> list[str]:
    """Return the phases that a search went through, each as often as it was entered."""
    phases = [event["phase"] for event in daemon.get(f"/api/blast/jobs/{job_id}/events").json["events"]]
    return [phase for phase, before in zip(phases, ["", *phases], strict=False) if phase != before]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_K05_first_search_equals_bare_blast_and_leaves_nothing(
    daemon: Daemon, databases: Path, cluster: Cluster
) -> None:
    row = daemon.run(
        LAMBDA_QUERY, engine="kubernetes", reuse=False
    )  # other tests of this daemon may have searched the same
    job_id = row["job_id"]
    for name, number in [("tabular", "6"), ("xml", "5"), ("pairwise", "0")]:
        wanted = bare(databases, "blastn", "tnt", LAMBDA_QUERY, number, "-task", row["task"])
        assert daemon.results(job_id, name) == wanted, name
    parts = parts_of(row, "submitting")["parts"]
    assert {"remove stale objects", "scripts", "upload queries"} <= parts.keys()
    assert parts_of(row, "staging_db")["status"] in ("done", "skipped")
    assert row["engine_ref"]["name"] == f"blastd-{row['short_id']}-1"
    until("Job and pods are removed", lambda: not cluster.of_job("jobs", job_id) and not cluster.of_job("pods", job_id))
    until("the Secret is removed", lambda: not cluster.of_job("secrets", job_id))


def test_T08_steps_are_in_order_and_do_not_overlap(daemon: Daemon) -> None:
    row = daemon.run(LAMBDA_QUERY, reuse=False)
    timed = [step for step in row["steps"] if step["started_at"] and step["ended_at"]]
    spent = sum(step["duration_ms"] for step in timed)
    wall = (at(row["finished_at"]) - at(row["created_at"])).total_seconds() * 1000
    assert spent <= wall + 1
    assert [step["name"] for step in timed if step["name"] in ("submitting", "running", "exporting")] == [
        "submitting",
        "running",
        "exporting",
    ]


def test_T12_zero_hits_complete_with_valid_formats(daemon: Daemon, databases: Path) -> None:
    row = daemon.run(NO_HITS_QUERY)
    assert row["hits"] == 0
    assert daemon.results(row["job_id"], "xml") == bare(
        databases, "blastn", "tnt", NO_HITS_QUERY, "5", "-task", row["task"]
    )


def test_T03_a_healthy_watch_costs_no_calls(daemon: Daemon) -> None:
    row = daemon.submit(SLOW_QUERY, **SLOW)
    until("it runs", lambda: daemon.job(row["job_id"])["status"] == "running", 30)
    time.sleep(1.0)
    before = calls(daemon)
    for _ in range(20):
        assert daemon.get("/api/blast/jobs").status == 200
        assert daemon.job(row["job_id"])["status"] == "running"
    spent = calls(daemon) - before
    daemon.post(f"/api/blast/jobs/{row['job_id']}/cancel")
    assert spent == 0
    daemon.ended(row["job_id"])


def calls(daemon: Daemon) -> float:
    """Return how often the engine asked for a single job."""
    lines = daemon.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("blastd_engine_calls_total{"))


def test_T06_end_of_the_job_is_seen_within_a_second(daemon: Daemon, cluster: Cluster) -> None:
    row = daemon.submit(LAMBDA_QUERY, reuse=False)
    ends: dict[str, float] = {}

    def watch_cluster() -> None:
        while "job" not in ends:
            for job in cluster.of_job("jobs", row["job_id"]):
                if any(one["type"] == "Complete" for one in job["status"].get("conditions", [])):
                    ends["job"] = time.monotonic()
            time.sleep(0.02)

    watcher = threading.Thread(target=watch_cluster, daemon=True)
    watcher.start()
    while daemon.job(row["job_id"])["status"] != "completed":
        time.sleep(0.02)
    seen = time.monotonic()
    if "job" in ends:  # else the row was true, and the Job removed, between two looks of ours
        assert seen - ends["job"] < 1.0


def test_C02_cancel_removes_everything_and_leaves_others_alone(daemon: Daemon, cluster: Cluster) -> None:
    row = daemon.submit(SLOW_QUERY, **SLOW)
    other = daemon.submit(SLOW_QUERY, **SLOW | {"title": "other"})
    until("both run", lambda: {daemon.job(one["job_id"])["status"] for one in (row, other)} == {"running"}, 40)
    recovery = Recovery()
    assert daemon.post(f"/api/blast/jobs/{row['job_id']}/cancel").status == 202
    assert daemon.ended(row["job_id"])["status"] == "cancelled"
    recovery.of("a search of several pods cancelled: nothing of it left (10 s on an idle machine)", 60)
    assert not cluster.of_job("pods", row["job_id"])
    assert daemon.job(other["job_id"])["status"] == "running"
    assert cluster.of_job("pods", other["job_id"])
    daemon.post(f"/api/blast/jobs/{other['job_id']}/cancel")
    daemon.ended(other["job_id"])


@pytest.mark.parametrize("shards", ["2", "5"])
def test_R01_shards_give_what_the_whole_gives(make: Make, databases: Path, shards: str) -> None:
    own = make(BLASTD_KUBERNETES__SHARDS=shards).start()
    searches = [("blastn", "tnt", LAMBDA_QUERY), ("blastp", "taa", PROTEIN_QUERY), ("tblastn", "tnt", PROTEIN_QUERY)]
    searches.append(("blastn", "noparse", LAMBDA_QUERY))
    rows = [own.submit(query, program, database) for program, database, query in searches]
    for row, (program, database, query) in zip(rows, searches, strict=True):
        ended = own.ended(row["job_id"])
        assert ended["status"] == "completed", ended["error"]
        assert ended["progress"]["units_total"] == int(shards) + 1
        task = ["-task", ended["task"]] if ended["task"] else []
        for name, number in [("tabular", "6"), ("xml", "5")]:
            assert own.results(row["job_id"], name) == bare(databases, program, database, query, number, *task)


def test_S05_ten_jobs_on_a_cold_database_download_it_once(
    make: Make, cluster: Cluster, emulator: Emulator, storage_kind: str, tmp_path: Path
) -> None:
    folder = tmp_path / "cold"
    folder.mkdir()
    fasta = folder / "cold.fa"
    fasta.write_text(LAMBDA_QUERY.replace(">", f">{cluster.namespace}-{storage_kind}-"))
    make_database(folder, fasta, "cold", "nucl", "-parse_seqids", "-title", "cold")
    own = make()
    own.db_dirs = [folder]
    own.start()
    rows = [own.submit(LAMBDA_QUERY, database="cold", reuse=False, title=f"cold {number}") for number in range(10)]
    fingerprints = set()
    for row in rows:
        ended = own.ended(row["job_id"])
        assert ended["status"] == "completed", ended["error"]
        fingerprints.update(ended["database_fingerprint"])
        assert phases_of(own, row["job_id"]) == sorted(set(phases_of(own, row["job_id"])), key=ORDER.index)
    uploaded = [parts_of(own.job(row["job_id"]), "warming_up") for row in rows]
    assert any(step["status"] == "done" and step["duration_ms"] is not None for step in uploaded), uploaded
    (fingerprint,) = fingerprints
    if storage_kind == "blob":
        by_pods = emulator.requests(rf'"GET /\w+/blast-db/{fingerprint}/cold\.nsq\?.*sig=')
        assert len(by_pods) == 1, by_pods
    warm = own.run(LAMBDA_QUERY, database="cold", reuse=False)
    assert parts_of(warm, "staging_db")["status"] == "skipped"
    assert own.get("/api/blast/databases/cold").json["warm_on"]


def test_S03_no_secret_is_shown_anywhere(daemon: Daemon, cluster: Cluster) -> None:
    row = daemon.submit(SLOW_QUERY, **SLOW)
    until("it runs", lambda: daemon.job(row["job_id"])["status"] == "running", 30)
    shown = [str(cluster.of_job(kind, row["job_id"])) for kind in ("jobs", "pods")]
    shown += [str(cluster.items(kind)) for kind in ("configmaps", "events")]
    shown += [daemon.get(f"/api/blast/jobs/{row['job_id']}{more}").text for more in ("", "/logs", "/events")]
    shown += [daemon.get(path).text for path in ("/api/health", "/metrics")]
    daemon.post(f"/api/blast/jobs/{row['job_id']}/cancel")
    daemon.ended(row["job_id"])
    shown.append(daemon.log.read_text())
    for text in shown:
        assert KEY not in text
        assert "sig=" not in text
    assert KEY not in subprocess.run(["ps", "axww"], capture_output=True, text=True, check=True).stdout
