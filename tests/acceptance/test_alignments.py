"""W03: alignments, midlines included, are those that BLAST+ writes."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, PROTEIN_QUERY
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.blast

SEARCHES: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
    ("blastn", "megablast", "tnt", {}),
    ("blastn", "blastn", "tnt", {"evalue": 1000, "word_size": 7}),
    ("blastn", "blastn-short", "tnt", {"lcase_masking": True}),
    ("blastp", "blastp", "taa", {"evalue": 1000}),
    ("blastp", "blastp-short", "taa", {"evalue": 1000}),
    ("blastp", "blastp", "taa", {"matrix": "BLOSUM45", "evalue": 1000}),
    ("blastp", "blastp", "taa", {"matrix": "PAM250", "evalue": 1000, "seg": "yes"}),
    ("blastx", "blastx", "taa", {"evalue": 1000}),
    ("tblastn", "tblastn", "tnt", {"evalue": 1000}),
    ("tblastx", "tblastx", "tnt", {"evalue": 1000, "matrix": "BLOSUM80"}),
)


def words(options: dict[str, Any]) -> list[str]:
    return [
        word
        for name, value in options.items()
        for word in ([f"-{name}"] if value is True else [f"-{name}", str(value)])
    ]


@pytest.mark.parametrize(("program", "task", "database", "options"), SEARCHES)
def test_W03_alignments_are_those_of_the_command(
    daemon: Daemon, databases: Path, tmp_path: Path, program: str, task: str, database: str, options: dict[str, Any]
) -> None:
    query = PROTEIN_QUERY if program in ("blastp", "tblastn") else LAMBDA_QUERY
    (tmp_path / "q.fa").write_text(query)
    named = [] if program == "tblastx" else ["-task", task]
    ran = subprocess.run(
        [program, "-query", str(tmp_path / "q.fa"), "-db", database, *named, *words(options)],
        cwd=databases, capture_output=True, text=True, check=True, timeout=PATIENCE_SECONDS,
    )  # fmt: skip
    bare = ran.stdout
    more: dict[str, Any] = {} if program == "tblastx" else {"task": task}
    job = daemon.run(query, program=program, database=database, options=options, **more)
    job_id, seen = job["job_id"], 0
    for number in range(1, job["query"]["count"] + 1):
        rank: int | None = 1
        while rank is not None:
            page = daemon.get(f"/api/blast/jobs/{job_id}/alignments?query={number}&rank={rank}&limit=7").json
            assert [subject["rank"] for subject in page["subjects"]] == list(range(rank, rank + len(page["subjects"])))
            for subject in page["subjects"]:
                assert subject["hsps"]
                assert not page["cut"]
                for text in subject["hsps"]:
                    assert text in bare
                    seen += 1
            rank = page["next_rank"]
    assert seen == bare.count("\n Score = ")
    rows = daemon.get(f"/api/blast/jobs/{job_id}/hits?group=subject&query=1&limit=3").json["hits"]
    shown = daemon.get(f"/api/blast/jobs/{job_id}/alignments?limit=3").json["subjects"]
    assert [subject["title"].split()[0] for subject in shown] == [row["subject"] for row in rows]


def test_W03_more_than_250_subjects_have_their_alignments(daemon: Daemon, databases: Path) -> None:
    del databases
    job = daemon.run(LAMBDA_QUERY, task="blastn", options={"evalue": 1000, "word_size": 4})
    rows = daemon.get(f"/api/blast/jobs/{job['job_id']}/queries").json["queries"]
    page = daemon.get(f"/api/blast/jobs/{job['job_id']}/alignments?rank={rows[0]['hits']}").json
    assert len(page["subjects"]) == 1
    assert page["next_rank"] is None
    beyond = daemon.get(f"/api/blast/jobs/{job['job_id']}/alignments?rank={rows[0]['hits'] + 1}").json
    assert beyond["subjects"] == []
    assert daemon.get(f"/api/blast/jobs/{job['job_id']}/alignments?query=99").status == 422
