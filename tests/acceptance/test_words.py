"""What BLAST+ says and ends well all the same: shown on every surface, or the end of the job."""

import json
import sqlite3
import urllib.parse
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from blastd.core.ids import JobId
from blastd.core.ncbi import rid as rid_of
from tests import wrappers
from tests.daemon import Answer, Daemon, cli
from tests.databases import LAMBDA_QUERY

pytestmark = pytest.mark.blast

ODD_LINE = "Something <odd> happened & nobody knows what"
TAXA = {1: 1, 2: 1, 561: 2, 562: 561, 83333: 562, 10699: 1, 10710: 10699, 9606: 1}
"""Taxonomy ids and what lies above each."""


def table(daemon: Daemon, row: dict[str, Any]) -> bytes:
    return daemon.results(row["job_id"], "tabular")


def ncbi(daemon: Daemon, **words: str) -> Answer:
    return daemon.get(f"/blast/Blast.cgi?{urllib.parse.urlencode(words)}")


@pytest.fixture
def newer(databases: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon whose BLAST+ takes taxonomy ids as 2.16 does; its databases have no tree of taxa."""
    programs = wrappers.newer(tmp_path / "bin")
    own = Daemon(tmp_path / "newer", [databases], {"BLASTD_BLAST__BIN": str(programs)})
    yield own
    if own.process is not None and own.process.poll() is None:
        own.kill()


@pytest.mark.parametrize("shards", ["1", "3"])
def test_V02_taxids_without_a_tree_of_taxa_filter_in_every_format(newer: Daemon, fresh: Daemon, shards: str) -> None:
    environ = {"BLASTD_LOCAL__SHARDS": shards}
    newer.environ |= environ
    fresh.environ |= environ
    for options in ({"taxids": "10710"}, {"taxids": "562"}, {"negative_taxids": "10710"}, {"negative_taxids": "562"}):
        rows, texts = [], []
        for daemon in (fresh, newer):
            if daemon.process is None:
                daemon.start()
            rows.append(daemon.run(LAMBDA_QUERY, options=options))
            texts.append([daemon.results(rows[-1]["job_id"], name) for name in ("tabular", "xml", "json", "fasta")])
        assert texts[0] == texts[1]
        assert rows[0]["hits"] == rows[1]["hits"]
    assert newer.job(rows[1]["job_id"])["search"]["options"]["no_taxid_expansion"] is True


def test_V02_ids_of_branches_are_those_of_their_leaves_where_a_tree_is(
    databases: Path, tmp_path: Path, newer: Daemon
) -> None:
    taxa = tmp_path / "taxa"
    taxa.mkdir()
    with closing(sqlite3.connect(taxa / "taxonomy4blast.sqlite3")) as tree:
        tree.execute("CREATE TABLE TaxidInfo (taxid INTEGER PRIMARY KEY, parent INTEGER)")
        tree.executemany("INSERT INTO TaxidInfo VALUES (?, ?)", TAXA.items())
        tree.commit()
    newer.db_dirs = [databases, taxa]
    newer.start()
    leaf = newer.run(LAMBDA_QUERY, options={"taxids": "10710"})
    branch = newer.run(LAMBDA_QUERY, options={"taxids": "10699"})
    for name in ("tabular", "xml", "fasta"):
        assert newer.results(leaf["job_id"], name) == newer.results(branch["job_id"], name)
    assert any("10699" in warned["text"] for warned in branch["warnings"])
    without = newer.run(LAMBDA_QUERY, options={"negative_taxids": "10699"})
    assert without["hits"] == 0
    for absent in ("9606", "83333", "77"):
        refused = newer.post(
            "/api/blast/jobs",
            {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "options": {"taxids": absent}},
        )
        assert refused.status == 422
        assert absent in refused.text


def test_U12_a_search_without_its_filter_fails_and_says_why(databases: Path, tmp_path: Path) -> None:
    line = "The -taxids command line option requires additional data files. Please see the section"
    programs = wrappers.odd(tmp_path / "bin", line)
    daemon = Daemon(tmp_path / "state", [databases], {"BLASTD_BLAST__BIN": str(programs)}).start()
    try:
        row = daemon.ended(daemon.submit(LAMBDA_QUERY, options={"taxids": "10710"})["job_id"])
        assert (row["status"], row["error_code"]) == ("failed", "taxonomy_missing")
        assert "without the taxids filter" in row["error"]
        again = daemon.post(f"/api/blast/jobs/{row['job_id']}/retry")
        assert again.status == 202, again.text
        assert daemon.ended(row["job_id"])["error_code"] == "taxonomy_missing"  # nothing of it was kept
    finally:
        daemon.kill()


@pytest.mark.parametrize("shards", ["1", "3"])
def test_U12_an_unknown_line_is_a_warning_on_every_surface(databases: Path, tmp_path: Path, shards: str) -> None:
    programs = wrappers.odd(tmp_path / "bin", ODD_LINE)
    environ = {"BLASTD_BLAST__BIN": str(programs), "BLASTD_LOCAL__SHARDS": shards}
    daemon = Daemon(tmp_path / "state", [databases], environ).start()
    try:
        row = daemon.run(LAMBDA_QUERY)
        shown = {"text": f"BLAST+ said: {ODD_LINE}", "query": None, "source": "blast"}
        assert shown in row["warnings"]
        (listed,) = daemon.get("/api/blast/jobs").json["jobs"]
        assert shown in listed["warnings"]
        told = cli("show", row["job_id"], environ={"BLASTD_URL": daemon.url})
        assert " ".join(ODD_LINE.split()) in " ".join(told.stdout.split())
        rid = rid_of(JobId(row["job_id"]))
        answer = ncbi(daemon, CMD="Get", RID=rid, FORMAT_OBJECT="SearchInfo")
        assert "Status=READY" in answer.text
        assert "Something &lt;odd&gt; happened &amp; nobody" in answer.text
        crowd = [daemon.submit(f">q{number}\n{LAMBDA_QUERY.splitlines()[1]}\n", reuse=False) for number in range(8)]
        for one in crowd:  # those that share a process, too
            assert shown in daemon.ended(one["job_id"])["warnings"]
    finally:
        daemon.kill()


def test_U12_a_format_made_later_adds_what_is_said_then(databases: Path, tmp_path: Path) -> None:
    programs = wrappers.odd(tmp_path / "bin", ODD_LINE, 'case " $* " in *" -outfmt 5 "*) true ;; *) false ;; esac')
    daemon = Daemon(tmp_path / "state", [databases], {"BLASTD_BLAST__BIN": str(programs)}).start()
    try:
        row = daemon.run(LAMBDA_QUERY)
        assert row["warnings"] == []
        daemon.results(row["job_id"], "xml")
        (warned,) = daemon.job(row["job_id"])["warnings"]
        assert warned["text"] == f"BLAST+ said: {ODD_LINE}"
        events = json.loads(daemon.get(f"/api/blast/jobs/{row['job_id']}/events").body)["events"]
        assert events[-1]["kind"] == "warned"
        assert daemon.job(row["job_id"])["status"] == "completed"
    finally:
        daemon.kill()
