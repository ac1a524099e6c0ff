"""R08: lines of the list of reported cases that are about the service as a whole; numbers are the list's own."""

import shutil
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.daemon import Daemon
from tests.databases import CASES, LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import until


def test_R08_43_missing_species_names_are_told_by_the_catalogue(daemon: Daemon) -> None:
    assert daemon.get("/api/blast/databases/tnt").json["taxonomy_names"] is False
    row = daemon.run(LAMBDA_QUERY)
    text = daemon.results(row["job_id"], "tabular", "&fields=qseqid,staxids,sscinames").decode()
    assert {tuple(line.split("\t")[1:]) for line in text.splitlines()} == {("10710", "N/A")}


@pytest.mark.parametrize(
    ("name", "suffix", "size"),
    [
        ("tnt", "nsq", 0),
        ("tnt", "nsq", 1000),
        ("osame", "nsq", 100),
        ("tnt", "nin", 0),
        ("tnt", "nin", 50),
        ("tnt", "nhr", 10),
        ("tnt", "nhr", None),
    ],
)
def test_R08_49_damaged_files_are_named_and_never_searched(
    fresh: Daemon, databases: Path, tmp_path: Path, name: str, suffix: str, size: int | None
) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    for path in [*databases.glob(f"{name}.n*"), *databases.glob("noparse.n*")]:
        shutil.copy(path, folder / path.name)
    damaged = folder / f"{name}.{suffix}"
    if size is None:
        damaged.unlink()
    else:
        damaged.write_bytes(damaged.read_bytes()[:size])
    fresh.db_dirs = [folder]
    fresh.start().ready()
    listed = {one["name"]: one for one in fresh.get("/api/blast/databases").json["databases"]}
    assert listed[name]["state"] == "broken"
    assert suffix in listed[name]["reason"]
    answer = fresh.post("/api/blast/jobs", {"program": "blastn", "database": name, "query": LAMBDA_QUERY})
    assert answer.status == 422
    assert fresh.run(LAMBDA_QUERY, database="noparse")["hits"] == 2


@pytest.mark.slow
def test_R08_50b_a_job_that_was_accepted_is_there_at_every_moment_and_ends(fresh: Daemon) -> None:
    fresh.start()
    ids: list[str] = []
    seen: list[Any] = []
    over = threading.Event()

    def poll() -> None:
        while not over.wait(0.001):
            answers = [(job_id, fresh.get(f"/api/blast/jobs/{job_id}")) for job_id in tuple(ids)]
            seen.extend((job_id, answer.text) for job_id, answer in answers if answer.status != 200)

    pollers = [threading.Thread(target=poll) for _ in range(3)]
    for poller in pollers:
        poller.start()
    try:
        for _ in range(40):
            ids += [fresh.submit(LAMBDA_QUERY, reuse=False)["job_id"]]  # pollers read it meanwhile
        rows = [fresh.ended(job_id) for job_id in ids]
    finally:
        over.set()
        for poller in pollers:
            poller.join()
    assert seen == []
    assert {row["status"] for row in rows} == {"completed"}
    fresh.kill()
    fresh.start()
    assert {fresh.job(job_id)["status"] for job_id in ids} == {"completed"}


def test_R08_50f_a_removed_job_is_gone_and_not_unknown(fresh: Daemon) -> None:
    fresh.start()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    assert fresh.ask("DELETE", f"/api/blast/jobs/{job_id}").status == 200
    answer = fresh.get(f"/api/blast/jobs/{job_id}")
    assert answer.status == 410
    assert time.strftime("%Y-%m-%d", time.gmtime()) in answer.json["detail"]
    assert fresh.get("/api/blast/jobs/00000000-0000-4000-8000-000000000000").status == 404


def test_R08_50g_no_process_of_a_cancelled_search_runs_on(fresh: Daemon) -> None:
    fresh.start()
    job_id = fresh.submit(SLOW_QUERY, **SLOW)["job_id"]
    assert fresh.process is not None
    daemon = psutil.Process(fresh.process.pid)

    def searches() -> list[str]:
        return [child.name() for child in daemon.children(recursive=True) if child.name() == "tblastx"]

    until(searches)
    fresh.post(f"/api/blast/jobs/{job_id}/cancel")
    assert fresh.ended(job_id)["status"] == "cancelled"
    assert searches() == []


def test_R08_50j_equal_evalues_come_by_bit_score_and_then_as_blast_wrote_them(daemon: Daemon) -> None:
    row = daemon.run((CASES / "plain.fa").read_text(), task="blastn", options={"evalue": "1000"})
    path = f"/api/blast/jobs/{row['job_id']}/hits?limit=500"
    plain, by_value = daemon.get(path).json["hits"], daemon.get(f"{path}&sort=evalue").json["hits"]
    assert len(plain) == len(by_value) == row["hits"] > 2
    wanted = sorted(plain, key=lambda hit: (float(hit["evalue"]), -float(hit["bit_score"])))  # sorted is stable
    assert by_value == wanted
    assert daemon.get(f"{path}&sort=evalue").json["hits"] == by_value
