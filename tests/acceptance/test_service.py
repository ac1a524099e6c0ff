"""S, I05-I10: limits, damage and configuration, against a daemon as a process."""

import gzip
import http.client
import json
import shutil
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon, cli
from tests.databases import DB, LAMBDA_QUERY, NO_HITS_QUERY, SLOW, SLOW_QUERY, make
from tests.patience import PATIENCE_SECONDS, until

JOBS = "/api/blast/jobs"


def test_S01_off_loopback_without_a_token_is_refused(fresh: Daemon) -> None:
    ended = cli("serve", "--listen", "0.0.0.0:0", "--state-dir", str(fresh.state))  # refused
    assert ended.returncode == 2
    assert "token" in ended.stderr


def test_S04_fifty_parallel_submits_are_fifty_rows(fresh: Daemon) -> None:
    fresh.start()
    took: list[float] = []
    found: list[str] = []

    def one(number: int) -> None:
        begin = time.monotonic()
        row = fresh.submit(NO_HITS_QUERY, title=f"number {number}", reuse=False)
        took.append(time.monotonic() - begin)
        found.append(row["job_id"])

    threads = [threading.Thread(target=one, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert len(set(found)) == 50
    for job_id in found:
        assert fresh.ended(job_id)["status"] == "completed"
    assert fresh.get(f"{JOBS}?limit=1").json["counts"]["completed"] == 50


def test_S06_a_disk_under_the_floor_refuses_work_and_serves_results(fresh: Daemon) -> None:
    fresh.start()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    fresh.stop()
    fresh.environ["BLASTD_RETENTION__DISK_FLOOR_BYTES"] = str(1 << 60)
    fresh.start()
    answer = fresh.post(JOBS, {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY})
    assert answer.status == 507
    assert fresh.results(job_id, "tabular")
    until(lambda: "disk" in fresh.get("/readyz").text)  # while it scans it says only that
    assert fresh.get("/readyz").status == 503


def test_S06_a_locked_store_is_waited_for(fresh: Daemon) -> None:
    fresh.start()
    other = sqlite3.connect(fresh.state / "blastd.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    results: list[Any] = []
    thread = threading.Thread(
        target=lambda: results.append(fresh.post(JOBS, {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}))
    )
    thread.start()
    time.sleep(
        1.0
    )  # of a lock that the submit meets on most machines; without it this shows less, and holds all the same
    other.execute("ROLLBACK")
    other.close()
    thread.join(PATIENCE_SECONDS)
    assert results[0].status == 202
    assert fresh.ended(results[0].json["job_id"])["status"] == "completed"


def test_S07_live_and_ready(daemon: Daemon) -> None:
    assert daemon.get("/livez").status == 200
    assert daemon.get("/readyz").status == 200
    health = daemon.get("/api/health").json
    assert {"store", "disk", "databases", "engine local"} <= {part["name"] for part in health["components"]}


def test_S08_an_empty_environment_value_wins_over_the_file(fresh: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "blastd.toml"
    file.write_text('[server]\nbase_path = "/blast"\n')
    fresh.environ["BLASTD_SERVER__BASE_PATH"] = ""
    fresh.start("--config", str(file))
    row = fresh.run(LAMBDA_QUERY)
    assert row["links"]["self"].startswith("/api/") or "/blast/api/" not in row["links"]["self"]


def test_S08_unknown_keys_stop_the_start(fresh: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "blastd.toml"
    file.write_text("[server]\nlisten_on = 1\n")
    ended = cli("serve", "--config", str(file), "--state-dir", str(fresh.state))
    assert ended.returncode == 2
    assert "listen_on" in ended.stderr
    assert str(file) in ended.stderr


@pytest.mark.slow
def test_S09_retention_removes_by_age_with_a_dry_run_first(fresh: Daemon) -> None:
    fresh.start()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    fresh.stop()
    fresh.environ |= {"BLASTD_RETENTION__DAYS": "0.00001", "BLASTD_RETENTION__SWEEP_SECONDS": "0.5"}
    fresh.environ["BLASTD_RETENTION__DRY_RUN"] = "true"
    fresh.start()
    until(lambda: any("jobs_would_expire" in line and job_id in line for line in fresh.log.read_text().splitlines()))
    assert fresh.get(f"{JOBS}/{job_id}").status == 200
    fresh.stop()
    fresh.environ["BLASTD_RETENTION__DRY_RUN"] = "false"
    fresh.start()
    until(lambda: fresh.get(f"{JOBS}/{job_id}").status != 200)
    assert fresh.get(f"{JOBS}/{job_id}").status == 410
    assert not (fresh.state / "jobs" / job_id).exists()


def test_S10_pages_are_stable_under_inserts(fresh: Daemon) -> None:
    fresh.start()
    made = [fresh.submit(NO_HITS_QUERY, reuse=False)["job_id"] for _ in range(7)]
    first = fresh.get(f"{JOBS}?limit=3").json
    fresh.submit(NO_HITS_QUERY, reuse=False)
    seen = [job["job_id"] for job in first["jobs"]]
    cursor = first["page"]["next_cursor"]
    while cursor:
        page = fresh.get(f"{JOBS}?limit=3&cursor={cursor}").json
        seen += [job["job_id"] for job in page["jobs"]]
        cursor = page["page"]["next_cursor"]
        assert page["page"]["has_more"] == (cursor is not None)
    assert seen == made[::-1]


@pytest.mark.parametrize("path", ["..%2f..%2fblastd.sqlite", "%2e%2e", "%00", "x" * 300])
def test_I05_paths_lead_nowhere(daemon: Daemon, path: str) -> None:
    for tail in ("", "/query", "/results", "/logs", "/hits"):
        answer = daemon.get(f"{JOBS}/{path}{tail}")
        assert 400 <= answer.status < 500
    assert daemon.get(f"/static/{path}").status in (400, 404)


def test_I06_bodies_over_the_limit_are_413(fresh: Daemon) -> None:
    fresh.environ["BLASTD_LIMITS__BODY_BYTES"] = "100000"
    fresh.start()
    big = b">a\n" + b"ACGT" * 100_000
    path = f"{JOBS}?program=blastn&database=tnt"
    assert fresh.ask("POST", path, big, {"Content-Type": "text/x-fasta"}).status == 413
    bomb = gzip.compress(b">a\n" + b"A" * 50_000_000)
    headers = {"Content-Type": "text/x-fasta", "Content-Encoding": "gzip"}
    assert fresh.ask("POST", path, bomb[:90_000], headers).status in (400, 413)
    host, port = fresh.url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_SECONDS)
    blocks = (b">a\n" if number == 0 else b"ACGT" * 10_000 for number in range(100))
    connection.request("POST", path, blocks, {"Content-Type": "text/x-fasta"}, encode_chunked=True)
    with connection.getresponse() as response:
        assert response.status == 413
        response.read()
    connection.close()
    assert fresh.get(JOBS).json["jobs"] == []


def test_I08_a_broken_database_is_named_and_the_others_work(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    make(folder, DB / "nt.fa", "good", "nucl", "-parse_seqids")
    make(folder, DB / "nt.fa", "cut", "nucl", "-parse_seqids")
    make(folder, DB / "nt.fa", "gone", "nucl", "-parse_seqids")
    (folder / "cut.nsq").write_bytes((folder / "cut.nsq").read_bytes()[:1000])
    (folder / "gone.nhr").unlink()
    daemon = Daemon(tmp_path / "state", [folder]).start().ready()
    try:
        found = {one["name"]: one for one in daemon.get("/api/blast/databases").json["databases"]}
        assert found["good"]["state"] == "ready"
        assert "cut.nsq" in found["cut"]["reason"]
        assert "gone.nhr" in found["gone"]["reason"]
        assert daemon.run(LAMBDA_QUERY, database="good")["hits"] == 2
        answer = daemon.post(JOBS, {"program": "blastn", "database": "cut", "query": LAMBDA_QUERY})
        assert answer.status == 422
    finally:
        daemon.kill()


def test_I09_a_database_that_is_rebuilt_keeps_what_was_searched(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    make(folder, DB / "nt.fa", "tnt", "nucl", "-parse_seqids")
    daemon = Daemon(tmp_path / "state", [folder]).start()
    try:
        first = daemon.run(LAMBDA_QUERY)
        make(folder, DB / "other_same_ids.fa", "tnt", "nucl", "-parse_seqids")
        assert daemon.post("/api/blast/databases/rescan").status == 200
        second = daemon.run(LAMBDA_QUERY)
        assert first["database_fingerprint"] != second["database_fingerprint"]
        old = daemon.results(first["job_id"], "pairwise").decode()
        assert "lambda part 0" in old
        assert "lambda part 0" not in daemon.results(second["job_id"], "pairwise").decode()
        assert daemon.results(first["job_id"], "fasta").count(b">") == 2
    finally:
        daemon.kill()


@pytest.mark.slow
def test_I09_a_database_overwritten_in_place_fails_the_search(tmp_path: Path, databases: Path) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    for path in databases.glob("slow.n*"):
        shutil.copy(path, folder / path.name)
    daemon = Daemon(tmp_path / "state", [folder]).start()
    try:
        some = ">".join(SLOW_QUERY.split(">")[:9])  # long enough to be met while it runs
        job_id = daemon.submit(some, **SLOW)["job_id"]
        while daemon.job(job_id)["status"] == "queued":
            time.sleep(0.05)
        with (folder / "slow.nhr").open("r+b") as file:
            file.write(file.read(1))
            file.truncate((folder / "slow.nhr").stat().st_size)
        row = daemon.ended(job_id, 90)
        assert row["status"] == "failed"
        assert row["error_code"] == "database_changed"
    finally:
        daemon.kill()


def test_I10_a_search_over_the_memory_limit_is_refused_with_both_sizes(fresh: Daemon) -> None:
    fresh.environ["BLASTD_LOCAL__MEMORY_LIMIT_BYTES"] = "1000000"
    fresh.start()
    answer = fresh.post(JOBS, {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY})
    assert answer.status == 422
    assert "1,000,000" in answer.text


def test_R08_10_11_databases_are_made_and_failures_say_why(fresh: Daemon) -> None:
    fresh.start()

    def made(name: str, file: str, more: str = "") -> dict[str, Any]:
        path = f"/api/blast/databases?name={name}&molecule=nucleotide{more}"
        answer = fresh.ask("POST", path, (DB / file).read_bytes(), {"Content-Type": "text/x-fasta"})
        assert answer.status == 202, answer.text
        task: dict[str, Any] = answer.json["task"]
        end = time.monotonic() + PATIENCE_SECONDS
        while task["status"] not in ("completed", "failed") and time.monotonic() < end:
            time.sleep(0.1)
            task = fresh.get(f"/api/blast/database-tasks/{task['id']}").json["task"]
        return task

    assert made("mine", "nt.fa")["status"] == "completed"
    assert fresh.run(LAMBDA_QUERY, database="mine")["hits"] == 2
    twice = made("twice", "dup_ids.fa")
    assert twice["status"] == "failed"
    assert "'a'" in twice["error"] or "'A'" in twice["error"]
    assert "lines" in twice["error"]
    assert "50 characters" in made("long", "id_52.fa")["error"]
    assert made("long", "id_52.fa", "&parse_seqids=false")["status"] == "completed"


def test_the_command_line_tells_the_same(daemon: Daemon) -> None:
    row = daemon.run(LAMBDA_QUERY, reuse=False)
    shown = cli("show", row["short_id"], "--json", "--url", daemon.url)
    assert shown.returncode == 0, shown.stderr
    told = json.loads(shown.stdout)
    assert {name: told[name] for name in ("job_id", "status", "phase", "hits")} == {
        name: row[name] for name in ("job_id", "status", "phase", "hits")
    }
    table = cli("results", row["short_id"], "--url", daemon.url)
    assert table.stdout.encode() == daemon.results(row["job_id"], "tabular")
    assert cli("show", "00000000", "--url", daemon.url).returncode == 2
    assert cli("jobs", "--url", "http://127.0.0.1:1").returncode == 3


def test_backup_of_a_running_store_is_whole(fresh: Daemon, tmp_path: Path) -> None:
    fresh.start()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    target = tmp_path / "copy.sqlite"
    ended = cli("backup", str(target), "--state-dir", str(fresh.state))
    assert ended.returncode == 0, ended.stderr
    with sqlite3.connect(target) as db:
        assert db.execute("SELECT status FROM job WHERE job_id = ?", (job_id,)).fetchone() == ("completed",)


@pytest.mark.slow
def test_show_ends_with_the_codes_of_elastic_blast(slow: Daemon, tmp_path: Path) -> None:
    def code(job_id: str, *flags: str) -> int:
        return cli("show", "--exit-code", job_id, "--url", slow.url, *flags).returncode

    done = slow.run(LAMBDA_QUERY)["job_id"]
    failed = slow.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7})["job_id"]
    slow.ended(failed)
    running, waiting = (slow.submit(SLOW_QUERY, **SLOW)["job_id"] for _ in range(2))
    until(lambda: slow.job(running)["phase"] == "running")
    assert [code(job_id) for job_id in (done, failed, waiting, running, "ffffffff")] == [0, 1, 2, 4, 6]
    for job_id in (running, waiting):
        slow.post(f"{JOBS}/{job_id}/cancel")
        slow.ended(job_id)
    assert code(running) == 1
    assert cli("show", "--exit-code", done, "--url", "http://127.0.0.1:9").returncode == 6
    assert cli("show", done, "--url", slow.url).returncode == 0
    ini = tmp_path / "search.ini"
    (tmp_path / "q.fa").write_text(LAMBDA_QUERY)
    ini.write_text(
        "[cluster]\nnum-nodes = 3\n[blast]\nprogram = blastn\ndb = tnt\nqueries = q.fa\noptions = -evalue 1e-5\n"
    )
    sent = cli("submit", "--cfg", str(ini), "--wait", "--format", "tabular", "--url", slow.url)
    assert sent.returncode == 0, sent.stderr
    assert "num-nodes" in sent.stderr
    assert [row.split("\t")[0] for row in sent.stdout.splitlines()] == ["q1", "q2"]
