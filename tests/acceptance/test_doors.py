"""A guard at every door: what is made later is of the databases, queries and results of the search, or says what is gone."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import wrappers
from tests.daemon import Daemon
from tests.databases import DB, LAMBDA_QUERY, make

LATER = ("xml", "xml2", "json", "pairwise", "flat", "asn1", "sam", "fasta", "tabular&fields=qseqid+sallseqid+qseq")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with a database that a test may overwrite, tnt, and another of the same sizes beside it."""
    folder, other = tmp_path / "db", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    words = ("nucl", "-parse_seqids", "-title", "tnt")
    make(folder, DB / "nt.fa", "tnt", *words)
    lines = (DB / "nt.fa").read_text().splitlines(keepends=True)
    changed = [line if line.startswith(">") else line.translate(str.maketrans("ACGT", "CATG")) for line in lines]
    (other / "nt.fa").write_text("".join(changed))
    make(other, other / "nt.fa", "tnt", *words)
    daemon = Daemon(tmp_path / "state", [folder], {"BLASTD_DATABASES__RESCAN_SECONDS": "0"}).start()
    yield daemon
    daemon.kill()


def overwrite(daemon: Daemon, tmp_path: Path, suffix: str) -> None:
    """Write another database's file over one of tnt, as cp and rsync --inplace do."""
    source, target = tmp_path / "other" / f"tnt.{suffix}", daemon.db_dirs[0] / f"tnt.{suffix}"
    with source.open("rb") as read, target.open("r+b") as write:
        shutil.copyfileobj(read, write)
        write.truncate()


@pytest.mark.parametrize("suffix", ["nsq", "nin", "nhr"])
def test_U08_a_database_overwritten_after_the_search_never_gives_other_content(
    own: Daemon, tmp_path: Path, suffix: str
) -> None:
    row = own.run(LAMBDA_QUERY)
    job = f"/api/blast/jobs/{row['job_id']}"
    table, kept = own.results(row["job_id"], "tabular"), own.results(row["job_id"], "xml")
    overwrite(own, tmp_path, suffix)
    assert own.results(row["job_id"], "tabular") == table
    assert own.results(row["job_id"], "xml") == kept  # made before: stored, and still that of the search
    for name in LATER[1:]:
        answer = own.get(f"{job}/results?format={name}")
        if answer.status == 200 and suffix != "nsq":
            continue  # the file holds what it held: it is the database of the search
        assert (answer.status, answer.json["code"]) == (410, "database_gone"), (name, answer.text[:300])
        assert "tnt" in answer.text and "search again" in answer.text
    subject = own.get(f"{job}/hits").json["hits"][0]["subject"]
    assert own.get(f"{job}/results?format=fasta&subject={subject}").status in (
        (410,) if suffix == "nsq" else (200, 410)
    )
    again = own.post("/api/blast/jobs", {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY})
    assert suffix != "nsq" or again.json.get("reused_from") is None  # the stored result is of what the database was
    if suffix != "nsq":  # the other files hold the same as before, at a later time
        return
    own.post("/api/blast/databases/rescan")
    fresh = own.run(LAMBDA_QUERY)
    assert own.get(f"/api/blast/jobs/{fresh['job_id']}/results?format=xml").status == 200


def query_of(daemon: Daemon, row: dict[str, Any]) -> Path:
    """Return the query file of a job."""
    return daemon.state / "jobs" / str(row["job_id"]) / "query.fa"


def one_byte(path: Path, at: Callable[[bytes], int]) -> None:
    """Change one letter of a file in place."""
    text = bytearray(path.read_bytes())
    place = at(bytes(text))
    text[place] = ord("G") if text[place] != ord("G") else ord("C")
    with path.open("r+b") as file:
        file.write(text)


def test_T11_formats_are_not_made_of_altered_queries(own: Daemon) -> None:
    row = own.run(LAMBDA_QUERY)
    one_byte(query_of(own, row), lambda text: text.index(b"\n") + 300)
    for name in LATER[:6]:
        answer = own.get(f"/api/blast/jobs/{row['job_id']}/results?format={name}")
        assert (answer.status, answer.json["code"]) == (410, "result_missing"), name
    assert own.get(f"/api/blast/jobs/{row['job_id']}/query").status == 410
    assert own.get(f"/api/blast/jobs/{row['job_id']}/hits?sequences=true").status == 410
    assert own.run(LAMBDA_QUERY)["reused_from"] is None


@pytest.mark.parametrize("options", [{}, {"culling_limit": 5}, {"seqidlist": "lam0,lam1,lam2"}])
def test_T11_a_format_of_another_result_than_the_stored_one_is_not_served(
    own: Daemon, tmp_path: Path, options: dict[str, Any]
) -> None:
    """Where subjects can be named, and where the whole database is searched again: what BLAST+ does has changed."""
    row = own.run(LAMBDA_QUERY, options=options)
    own.stop()
    programs = wrappers.linked(tmp_path / "bin")
    wrappers.put(
        programs, "blastn", f'#!/bin/sh\nexec {wrappers.real("blastn")} "$@" -perc_identity 100 -strand minus\n'
    )
    own.environ["BLASTD_BLAST__BIN"] = str(programs)
    script = (programs / "blastn").read_text()
    (programs / "blastn").write_text(
        script.replace(
            "exec", 'case "$*" in *-num_threads*) ;; *) exec ' + wrappers.real("blastn") + ' "$@" ;; esac\nexec'
        )
    )
    own.start()
    for name in ("xml", "pairwise", "sam"):
        answer = own.get(f"/api/blast/jobs/{row['job_id']}/results?format={name}")
        assert (answer.status, answer.json["code"]) == (409, "result_differs"), (name, answer.text[:300])


@pytest.mark.parametrize("kept", [True, False], ids=["times-kept", "plain"])
def test_T11_a_damaged_result_is_not_reused_and_says_what_helps(own: Daemon, kept: bool) -> None:
    for _ in range(3):
        row = own.run(LAMBDA_QUERY)
        stored = own.state / "jobs" / str(row["job_id"]) / "units" / "0.out"
        before = stored.stat()
        one_byte(stored, lambda text: text.rindex(b"100.000"))
        if kept:
            os.utime(stored, ns=(before.st_atime_ns, before.st_mtime_ns))
        answer = own.get(f"/api/blast/jobs/{row['job_id']}/results?format=tabular")
        assert (answer.status, answer.json["code"]) == (410, "result_missing")
        assert "Submit the search again" in answer.json["detail"]
        again = own.run(LAMBDA_QUERY)
        assert again["reused_from"] is None
        assert own.get(f"/api/blast/jobs/{again['job_id']}/results?format=tabular").status == 200
        assert own.run(LAMBDA_QUERY)["reused_from"] == again["job_id"]
        for one in own.get("/api/blast/jobs").json["jobs"]:
            own.ask("DELETE", f"/api/blast/jobs/{one['job_id']}")
