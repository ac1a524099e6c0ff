"""Q14: BLAST XML that was made elsewhere is a job to read: tables as BLAST+ prints them, and hostile files are refused."""

import gzip
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.test_neighbours import DNA as ODD_DNA
from tests.daemon import Daemon, cli, is_problem
from tests.databases import LAMBDA_QUERY, NO_HITS_QUERY, PROTEIN_QUERY

pytestmark = pytest.mark.blast

DNA = ODD_DNA.replace(" é", "")
"""BLAST+ itself writes no whole XML of a title that is not ASCII."""
SEARCHES = [
    ("blastn", "tnt", DNA + NO_HITS_QUERY, ("-evalue", "10", "-word_size", "7")),
    ("blastn", "noparse", LAMBDA_QUERY, ()),
    ("blastp", "taa", PROTEIN_QUERY, ("-evalue", "100")),
    ("blastx", "taa", DNA, ("-evalue", "10")),
    ("tblastn", "tnt", PROTEIN_QUERY, ("-evalue", "100")),
    ("tblastx", "tnt", DNA, ("-evalue", "10")),
]


def run(databases: Path, words: tuple[str, ...], query: str, outfmt: str) -> bytes:
    argv = [words[0], "-db", words[1], *words[2:], "-outfmt", outfmt]
    return subprocess.run(argv, cwd=databases, input=query.encode(), check=True, capture_output=True).stdout


def imported(daemon: Daemon, xml: bytes, **headers: str) -> dict[str, Any]:
    answer = daemon.ask(
        "POST", "/api/blast/imports?title=from+elsewhere", xml, {"Content-Type": "application/xml", **headers}
    )
    assert answer.status == 201, answer.text
    assert answer.headers["Location"].endswith(answer.json["job_id"])
    row: dict[str, Any] = answer.json
    return row


@pytest.mark.parametrize(
    ("program", "database", "query", "more"), SEARCHES, ids=[f"{one[0]}-{one[1]}" for one in SEARCHES]
)
def test_Q14_tables_of_an_import_are_those_of_blast(
    daemon: Daemon, databases: Path, program: str, database: str, query: str, more: tuple[str, ...]
) -> None:
    words = (program, database, *more)
    xml = run(databases, words, query, "5")
    row = imported(daemon, xml)
    assert row["status"] == "completed"
    assert (row["title"], row["program"], row["engine"]) == ("from elsewhere", program, "import")
    assert row["query"]["count"] == query.count(">")
    job_id = row["job_id"]
    fields = "std qseqid sacc qlen slen score nident positive gaps ppos qframe sframe sstrand qcovs stitle"
    fields += "" if program == "tblastx" else " qcovhsp btop"  # in XML masked letters of the query are X
    mine = daemon.results(job_id, "tabular", "&fields=" + fields.replace(" ", "+")).decode()
    assert mine == run(databases, words, query, f"6 {fields}").decode()
    assert mine.count("\n") == row["hits"] > 0
    assert daemon.results(job_id, "xml") == xml
    hits = daemon.get(f"/api/blast/jobs/{job_id}/hits?limit=1000").json
    assert hits["total"] == row["hits"]
    assert daemon.results(job_id, "gff3").count(b"\n") == row["hits"] + 1
    assert len(daemon.get(f"/api/blast/jobs/{job_id}/queries").json["queries"]) == query.count(">")


def test_Q14_an_import_is_only_read(daemon: Daemon, databases: Path) -> None:
    row = imported(
        daemon, gzip.compress(run(databases, ("blastn", "tnt"), LAMBDA_QUERY, "5")), **{"Content-Encoding": "gzip"}
    )
    home = f"/api/blast/jobs/{row['job_id']}"
    for path in (
        "/results?format=pairwise",
        "/results?format=fasta",
        "/query",
        "/alignments",
        "/results?format=tabular&fields=qseq",
    ):
        answer = daemon.get(home + path)
        assert is_problem(answer, "GET", 410), (path, answer.text)
        assert "imported" in answer.json["detail"]
    assert daemon.post(f"{home}/retry").status == 409
    assert daemon.get(f"{home}/hits?sequences=true").status == 200
    assert daemon.ask("DELETE", home).status == 200
    assert daemon.get(home).status == 410


def bomb(entity: str) -> bytes:
    return f'<?xml version="1.0"?><!DOCTYPE BlastOutput [{entity}]><BlastOutput><BlastOutput_program>&a;</BlastOutput_program></BlastOutput>'.encode()


LAUGHS = "".join(f'<!ENTITY a{number} "{f"&a{number - 1};" * 10}">' for number in range(1, 12))
HIT = (
    "<BlastOutput><BlastOutput_program>blastn</BlastOutput_program><BlastOutput_iterations><Iteration>"
    "<Iteration_query-def>q</Iteration_query-def><Iteration_query-len>{length}</Iteration_query-len><Iteration_hits><Hit>"
    "<Hit_id>s</Hit_id><Hit_len>9</Hit_len><Hit_hsps>{hsps}</Hit_hsps></Hit></Iteration_hits></Iteration>"
    "</BlastOutput_iterations></BlastOutput>"
)
HOSTILE = {
    "billion laughs": bomb(f'<!ENTITY a0 "ha">{LAUGHS}<!ENTITY a "&a11;">'),
    "external entity": bomb('<!ENTITY a SYSTEM "file:///etc/passwd">'),
    "entity over the network": bomb('<!ENTITY a SYSTEM "http://169.254.169.254/">'),
    "parameter entity": bomb('<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;'),
    "deep": b"<BlastOutput>" + b"<a>" * 100_000,
    "other XML": b"<html><body/></html>",
    "XML2": b'<BlastXML2 xmlns="http://www.ncbi.nlm.nih.gov"></BlastXML2>',
    "no XML": b">q\nACGT\n",
    "empty": b"",
    "cut": b"<BlastOutput><BlastOutput_program>blastn",
    "unknown encoding": b'<?xml version="1.0" encoding="x-none"?><BlastOutput/>',
    "no query": b"<BlastOutput></BlastOutput>",
    "a program that is none": b"<BlastOutput><BlastOutput_program>rm -rf</BlastOutput_program></BlastOutput>",
    "many letters": HIT.format(length=10**14, hsps="").encode(),
    "a negative length": HIT.format(length=-5, hsps="").encode(),
    "a length in words": HIT.format(length="nine", hsps="").encode(),
    "an HSP without letters": HIT.format(length=9, hsps="<Hsp></Hsp>").encode(),
    "many elements": HIT.format(length=9, hsps="<Hsp_gaps/>" * 1_000_001).encode(),
    "NUL": b"<BlastOutput>\0</BlastOutput>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_Q14_U13_what_is_no_blast_xml_is_refused_and_leaves_nothing(daemon: Daemon, name: str) -> None:
    before = daemon.get("/api/blast/jobs").json["jobs"]
    answer = daemon.ask("POST", "/api/blast/imports", HOSTILE[name], {"Content-Type": "application/xml"})
    assert is_problem(answer, "POST", 422), answer.text
    assert "root:" not in answer.text
    assert daemon.get("/api/blast/jobs").json["jobs"] == before


def test_Q14_other_media_types_and_large_bodies_are_refused(fresh: Daemon) -> None:
    fresh.environ["BLASTD_LIMITS__BODY_BYTES"] = "2048"
    fresh.start().ready()
    assert fresh.ask("POST", "/api/blast/imports", b"{}", {"Content-Type": "application/json"}).status == 415
    large = fresh.ask("POST", "/api/blast/imports", b"<BlastOutput>" + b" " * 4096, {"Content-Type": "application/xml"})
    assert large.status == 413
    assert [path for path in (fresh.state / "jobs").glob("*") if path.is_dir()] == []


def test_Q14_the_command_line_imports(daemon: Daemon, databases: Path, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.xml"
    file.write_bytes(run(databases, ("blastn", "tnt"), LAMBDA_QUERY, "5"))
    done = cli("import-xml", str(file), "--title", "old result", "--url", daemon.url, "-o", "id")
    assert done.returncode == 0, done.stderr
    row = daemon.job(done.stdout.strip())
    assert (row["title"], row["source"], row["status"]) == ("old result", "cli", "completed")
    file.write_text("no XML")
    refused = cli("import-xml", str(file), "--url", daemon.url)
    assert refused.returncode == 2
    assert "not XML" in refused.stderr
