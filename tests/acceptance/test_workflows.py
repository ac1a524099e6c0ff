"""A job that is written as a workflow gives the same bytes when that runs (tests/clients runs it with Snakemake)."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_neighbours import DNA
from tests.daemon import Daemon, cli
from tests.databases import PROTEIN_QUERY

pytestmark = pytest.mark.blast

SEARCHES: list[dict[str, Any]] = [
    {"program": "blastn", "database": "dir with space/mynt", "query": DNA, "task": "blastn-short",
     "options": {"evalue": "1e-3", "dust": "20 64 1", "ungapped": True}, "query_loc": "1-200"},
    {"program": "tblastn", "database": "tnt", "query": PROTEIN_QUERY, "options": {"taxids": "562,10710", "evalue": 100}},
]  # fmt: skip


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: str(search["program"]))
def test_a_workflow_of_a_job_gives_its_bytes(daemon: Daemon, tmp_path: Path, search: dict[str, Any]) -> None:
    row = daemon.run(**search)
    folder = tmp_path / "it's new"
    done = cli("workflow", row["job_id"], "--dir", str(folder), "--format", "commented", "--url", daemon.url)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} == {"query.fa", "search.sh", "Snakefile"}
    environ = os.environ | {"BLASTD_URL": daemon.url, "PATH": f"{Path.cwd() / '.venv/bin'}:{os.environ['PATH']}"}
    ran = subprocess.run(
        ["sh", "search.sh", "query.fa", "result.txt"],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert (folder / "result.txt").read_bytes() == daemon.results(row["job_id"], "commented")
    again = cli("workflow", row["job_id"], "--dir", str(folder), "--url", daemon.url)
    assert again.returncode == 2
    assert "exists" in again.stderr
