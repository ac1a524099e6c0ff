"""R02, R03: formats asked after the fact are what BLAST+ writes directly, and their usual readers read them."""

import io
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from Bio import SearchIO
from Bio.Blast import NCBIXML

from tests.daemon import Daemon
from tests.databases import CASES, LAMBDA_QUERY, PROTEIN_QUERY, make, random_dna

pytestmark = pytest.mark.blast

NUMBERS = {
    "tabular": 6,
    "commented": 7,
    "xml": 5,
    "xml2": 16,
    "json": 15,
    "pairwise": 0,
    "anchored": 1,
    "anchored_letters": 2,
    "flat": 3,
    "flat_letters": 4,
    "asn1": 11,
}
SEARCHES: list[dict[str, Any]] = [
    {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY},
    {"program": "blastn", "database": "noparse", "query": LAMBDA_QUERY, "task": "blastn"},
    {"program": "blastp", "database": "taa", "query": PROTEIN_QUERY},
    {"program": "tblastn", "database": "tnt", "query": PROTEIN_QUERY, "options": {"evalue": "100"}},
    {"program": "blastx", "database": "taa", "query": LAMBDA_QUERY, "options": {"max_target_seqs": "5"}},
    {"program": "tblastx", "database": "tnt", "query": LAMBDA_QUERY, "options": {"evalue": "1e-3"}},
]


def bare(search: dict[str, Any], outfmt: int, databases: Path, folder: Path) -> bytes:
    """Return what BLAST+ writes directly."""
    query = folder / "q.fa"
    query.write_text(search["query"])
    words = [search["program"], "-query", str(query), "-db", search["database"], "-outfmt", str(outfmt)]
    words += ["-task", search["task"]] if "task" in search else []
    for name, value in search.get("options", {}).items():
        words += [f"-{name}", value]
    return subprocess.run(words, cwd=databases, check=True, capture_output=True).stdout


@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search["program"] + "-" + search["database"])
def test_R01_R03_every_format_equals_the_direct_run(
    daemon: Daemon, databases: Path, tmp_path: Path, search: dict[str, Any]
) -> None:
    given = dict(search)
    row = daemon.run(given.pop("query"), given.pop("program"), given.pop("database"), **given)
    assert row["hits"] > 0
    for fmt, number in NUMBERS.items():
        assert daemon.results(row["job_id"], fmt) == bare(search, number, databases, tmp_path), fmt


@pytest.mark.slow
def test_R03_formats_whose_parts_can_not_be_joined_are_of_one_run(
    daemon: Daemon, databases: Path, tmp_path: Path
) -> None:
    many = "".join(f">r{number}\n{random_dna(20_000, number)}\n" for number in range(16))
    search = {"program": "tblastx", "database": "tnt", "query": many + LAMBDA_QUERY, "options": {"evalue": "1e-3"}}
    row = daemon.run(many + LAMBDA_QUERY, "tblastx", "tnt", options=search["options"])
    assert row["progress"]["units_total"] > 1
    assert row["hits"] > 0
    for fmt in ("anchored", "flat_letters", "pairwise"):
        assert daemon.results(row["job_id"], fmt) == bare(search, NUMBERS[fmt], databases, tmp_path), fmt


def test_R02_usual_readers_read_the_formats(daemon: Daemon) -> None:
    row = daemon.run(LAMBDA_QUERY)
    job_id = row["job_id"]
    records = list(NCBIXML.parse(io.BytesIO(daemon.results(job_id, "xml"))))
    assert [len(record.alignments) for record in records] == [1, 1]
    for fmt, reader in (("tabular", "blast-tab"), ("xml", "blast-xml")):
        found = list(SearchIO.parse(io.StringIO(daemon.results(job_id, fmt).decode()), reader))
        assert sum(len(result) for result in found) == 2
    found = list(SearchIO.parse(io.StringIO(daemon.results(job_id, "commented").decode()), "blast-tab", comments=True))
    assert len(found) == 2
    ET.fromstring(daemon.results(job_id, "xml2"))
    sam = daemon.results(job_id, "sam").decode().splitlines()
    assert sam[0].startswith("@HD")
    assert sum(not line.startswith("@") for line in sam) == 2


def test_R04_ranges_and_validators(daemon: Daemon) -> None:
    job_id = daemon.run(LAMBDA_QUERY)["job_id"]
    path = f"/api/blast/jobs/{job_id}/results?format=xml"
    whole = daemon.get(path)
    tag = whole.headers["ETag"]
    part = daemon.get(path, {"Range": "bytes=10-99", "If-Range": tag})
    assert (part.status, part.body) == (206, whole.body[10:100])
    assert daemon.get(path, {"If-None-Match": tag}).status == 304
    assert daemon.get(path, {"Range": f"bytes={len(whole.body) + 5}-"}).status == 416


def test_R06_order_and_queries_without_hits_are_kept(daemon: Daemon) -> None:
    query = LAMBDA_QUERY + (CASES / "low_complexity.fa").read_text()
    row = daemon.run(query)
    found = daemon.get(f"/api/blast/jobs/{row['job_id']}/queries").json["queries"]
    assert [one["hits"] for one in found] == [1, 1, 0]
    assert daemon.results(row["job_id"], "commented").count(b"# Query: ") == 3


def test_R08_50i_the_exact_command_is_on_the_job(daemon: Daemon) -> None:
    row = daemon.job(daemon.run(LAMBDA_QUERY, options={"evalue": "1e-5"})["job_id"])
    assert "-evalue 1e-5" in row["search"]["command"]
    assert row["search"]["argv"][0][0] == "blastn"
    assert row["blast_version"]
    assert len(row["database_fingerprint"][0]) == 64


def test_the_same_search_is_answered_from_the_stored_result(daemon: Daemon) -> None:
    query = LAMBDA_QUERY.replace("q1", "again")
    first = daemon.run(query)
    answer = daemon.post("/api/blast/jobs", {"program": "blastn", "database": "tnt", "query": query})
    assert answer.json["status"] == "completed"
    assert answer.json["reused_from"] == first["job_id"]
    assert daemon.results(answer.json["job_id"], "tabular") == daemon.results(first["job_id"], "tabular")
    other = daemon.run(query, reuse=False)
    assert other["reused_from"] is None


def test_hits_are_filtered_sorted_and_paged(daemon: Daemon) -> None:
    job_id = daemon.run(PROTEIN_QUERY, "blastp", "taa", options={"evalue": "100"})["job_id"]
    path = f"/api/blast/jobs/{job_id}/hits"
    whole = daemon.get(f"{path}?limit=1000&sort=evalue&sequences=true").json
    values = [hit["evalue"] for hit in whole["hits"]]
    assert values == sorted(values)
    for hit in whole["hits"]:
        assert len(hit["query_sequence"]) == len(hit["subject_sequence"]) == hit["length"]
    seen, cursor = [], ""
    while True:
        page = daemon.get(f"{path}?limit=2&sort=evalue{cursor}").json
        seen += page["hits"]
        if not page["page"]["has_more"]:
            break
        cursor = f"&cursor={page['page']['next_cursor']}"
    assert [hit["subject"] for hit in seen] == [hit["subject"] for hit in whole["hits"]]
    best = daemon.get(f"{path}?max_evalue=1e-5&statistics=true").json
    assert best["total"] == sum(value <= 1e-5 for value in values)
    assert best["statistics"]["hsps"] == len(values)
    subjects = daemon.get(f"{path}?group=subject").json["hits"]
    assert sum(hit["hsps"] for hit in subjects) == len(values)


@pytest.mark.parametrize("shards", ["2", "5"])
@pytest.mark.slow
def test_R01_shards_on_this_machine_give_what_the_whole_gives(
    fresh: Daemon, databases: Path, tmp_path: Path, shards: str
) -> None:
    own = fresh
    own.environ["BLASTD_LOCAL__SHARDS"] = shards
    own.start()
    limited = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "options": {"max_target_seqs": "1"}}
    for search in [*SEARCHES, limited]:
        given = dict(search)
        row = own.run(given.pop("query"), given.pop("program"), given.pop("database"), **given)
        assert row["progress"]["units_total"] == int(shards) + 1
        for fmt in ("tabular", "xml"):
            assert own.results(row["job_id"], fmt) == bare(search, NUMBERS[fmt], databases, tmp_path), (search, fmt)
    whole = own.run(LAMBDA_QUERY, options={"culling_limit": "1"})
    assert whole["progress"]["units_total"] == 1
    assert any("culling_limit" in why for why in whole["plan_why"])


@pytest.mark.slow
def test_R01_volumes_are_searched_in_shards_and_formatted_exactly(fresh: Daemon, tmp_path: Path) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    parts = []
    records = [">" + text for text in (CASES / "db" / "nt.fa").read_text().split(">")[1:]]
    for number, record in enumerate(records):
        fasta = tmp_path / f"part{number}.fa"
        fasta.write_text(record)
        make(folder, fasta, f"many.{number:02d}", "nucl", "-parse_seqids", "-title", f"part {number}")
        parts.append(f"many.{number:02d}")
    alias = ["blastdb_aliastool", "-dblist", " ".join(parts), "-dbtype", "nucl", "-out", "many", "-title", "many"]
    subprocess.run(alias, cwd=folder, check=True, capture_output=True)
    own = fresh
    own.db_dirs, own.environ["BLASTD_LOCAL__SHARDS"] = [folder], "3"
    own.start()
    search: dict[str, Any] = {"program": "blastn", "database": "many", "query": LAMBDA_QUERY, "task": "blastn"}
    row = own.run(LAMBDA_QUERY, database="many", task="blastn")
    assert row["progress"]["units_total"] > 1, row["plan_why"]
    for fmt in ("tabular", "xml", "pairwise"):
        assert own.results(row["job_id"], fmt) == bare(search, NUMBERS[fmt], folder, tmp_path), fmt
