"""T01, T07, N01: the first search of a new service, as each kind of user does it, has the bytes of bare BLAST+."""

import re
import subprocess
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.daemon import Daemon, cli
from tests.databases import LAMBDA_QUERY

pytestmark = pytest.mark.blast


def test_T01_T07_N01_a_first_search_is_the_same_by_every_door(fresh: Daemon, databases: Path, tmp_path: Path) -> None:
    query = tmp_path / "query.fa"
    query.write_text(LAMBDA_QUERY)
    bare = subprocess.run(
        ["blastn", "-query", str(query), "-db", "tnt", "-outfmt", "6"], cwd=databases, check=True, capture_output=True
    ).stdout
    fresh.start().ready()
    job_id = fresh.run(LAMBDA_QUERY)["job_id"]
    assert fresh.results(job_id, "tabular") == bare
    submitted = cli(
        "submit", str(query), "--program", "blastn", "--db", "tnt", "--wait", "--format", "tabular", "--url", fresh.url
    )
    assert submitted.returncode == 0, submitted.stderr
    assert submitted.stdout.encode() == bare
    put = fresh.ask(
        "POST",
        "/blast/Blast.cgi",
        urlencode(
            {"CMD": "Put", "PROGRAM": "blastn", "MEGABLAST": "on", "DATABASE": "tnt", "QUERY": LAMBDA_QUERY}
        ).encode(),
        {"Content-Type": "application/x-www-form-urlencoded"},
    )
    rid = re.search(r"RID = (\w{11})\n", put.text)
    assert rid is not None, put.text
    rows = fresh.get("/api/blast/jobs").json["jobs"]
    assert [fresh.ended(row["job_id"])["source"] for row in rows] == ["ncbi", "cli", "api"]
    table = fresh.get(f"/blast/Blast.cgi?CMD=Get&RID={rid[1]}&FORMAT_TYPE=Tabular").text
    assert [line.split("\t")[:2] for line in table.splitlines() if line.startswith("q")] == [
        line.split("\t")[:2] for line in bare.decode().splitlines()
    ]
