"""X07: a watch lives through kill -9 at any moment: each generation is searched once, compared once, and nothing is lost."""

import random
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon
from tests.growing import Entries, build, changed, families, fasta_of
from tests.patience import until

QUICK = {"BLASTD_DATABASES__RESCAN_SECONDS": "0.1", "BLASTD_LOCAL__SLOTS": "2"}
PROTEINS = families(random.Random(5), "prot", 5, 8, 150)
SEARCH: dict[str, Any] = {
    "program": "blastp",
    "database": "grown",
    "query": fasta_of({f"q{at}": PROTEINS[f"f{at}m0"] for at in range(3)}),
}


def settled(daemon: Daemon, watch_id: str, fingerprint: str) -> dict[str, Any]:
    """Return the watch once its newest run is of the database as it is now, and settled."""

    def newest_is() -> bool:
        run = daemon.get(f"/api/blast/watches/{watch_id}").json["runs"][0]
        return run["settled_at"] is not None and run["database_fingerprint"] == [fingerprint]

    until(newest_is)
    found: dict[str, Any] = daemon.get(f"/api/blast/watches/{watch_id}").json
    return found


def current(daemon: Daemon) -> str:
    daemon.post("/api/blast/databases/rescan")
    return str(daemon.get("/api/blast/databases/grown").json["fingerprint"])


def lived(tmp_path: Path, kills: int, seed: int) -> None:
    """Change the database again and again, killing the daemon a moment later each time."""
    rng = random.Random(seed)
    folder, entries = tmp_path / "db", dict(PROTEINS)
    build(folder, "grown", entries, "prot")
    daemon = Daemon(tmp_path / "state", [folder], QUICK).start().ready()
    try:
        job = daemon.run(**SEARCH)
        made = daemon.post("/api/blast/watches", {"job": job["job_id"]}).json
        watch_id = made["watch"]["watch_id"]
        generations = {job["database_fingerprint"][0]}
        for _ in range(kills):
            entries = changed(rng, entries, "prot", 0.1)
            build(folder, "grown", entries, "prot")
            time.sleep(rng.random())  # the moment of the kill is what is drawn here
            daemon.kill()
            daemon.start().ready()
            generations.add(current(daemon))
            settled(daemon, watch_id, current(daemon))
        check(daemon, watch_id, generations, entries)
    finally:
        daemon.kill()


def check(daemon: Daemon, watch_id: str, generations: set[str], entries: Entries) -> None:
    """Each generation was searched once and compared with the one before it; the last result is that of a new search."""
    runs = daemon.get(f"/api/blast/watches/{watch_id}").json["runs"]
    searched = [run["database_fingerprint"][0] for run in runs]
    assert sorted(searched) == sorted(generations), entries
    assert [run["number"] for run in runs] == list(range(len(runs), 0, -1))
    for later, earlier in pairwise(runs):
        assert later["before_job_id"] == earlier["job_id"] and later["difference"] is not None, later
    listed = daemon.get("/api/blast/jobs?limit=500").json["jobs"]
    assert sorted(job["job_id"] for job in listed) == sorted(run["job_id"] for run in runs), "none twice, none beside"
    again = daemon.run(**SEARCH, reuse=False)["job_id"]
    for fmt in ("tabular", "json", "pairwise"):
        assert daemon.results(runs[0]["job_id"], fmt) == daemon.results(again, fmt), fmt


def test_X07_a_watch_lives_through_kills(tmp_path: Path) -> None:
    lived(tmp_path, kills=2, seed=1)


@pytest.mark.slow
def test_X07_a_watch_lives_through_many_kills(tmp_path: Path) -> None:
    lived(tmp_path, kills=12, seed=2)
