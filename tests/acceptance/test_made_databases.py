"""What a query refuses or warns about, making a database and own subjects do too; makeblastdb's own words stay."""

import gzip
import time
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Answer, Daemon, cli
from tests.databases import CASES, LAMBDA_QUERY, PROTEIN_QUERY
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.blast

SEARCH = "/api/blast/jobs"
DNA = "GCAGCGCAACACCCTTATCTGGTTGCCGACGGATGGTGATGCCGAGAACTTTATGAAAACCCACGTTGAG"
PROTEIN = "VCIHTENQNQVSFYPFVLHEISVLIELTLGHLRYRLTDVPPQPNSQPDSATNYVWML"
REFUSED = {
    "lost >": ("nucleotide", (CASES / "missing_second_gt.fa").read_bytes(), "line 7"),
    "lost > between proteins": ("protein", f">a\n{PROTEIN}\nb|x\n{PROTEIN}\n".encode(), "line 3"),
    "protein as nucleotides": ("nucleotide", (CASES / "prot.fa").read_bytes(), "protein"),
    "nucleotides as protein": ("protein", (CASES / "plain.fa").read_bytes(), "nucleotides"),
    "NULs": ("nucleotide", (CASES / "nul_in_sequence.fa").read_bytes(), "line 2"),
    "FASTQ": ("nucleotide", (CASES / "fastq_as_fasta.fq").read_bytes(), "FASTQ"),
    "GenBank": ("nucleotide", (CASES / "genbank_record.gb").read_bytes(), "GenBank"),
    "UTF-16": ("nucleotide", (CASES / "utf16le.fa").read_bytes(), "UTF-16"),
    "only empty records": ("nucleotide", (CASES / "only_empty_records.fa").read_bytes(), "No record"),
    "sequence on the title line": (
        "nucleotide",
        (CASES / "title_and_sequence_on_one_line.fa").read_bytes(),
        "title line",
    ),
    "PIR": ("protein", (CASES / "pir.fa").read_bytes(), "PIR"),
    "an accession": ("protein", b"P12345\n", "accession"),
    "gzip of gzip": ("nucleotide", gzip.compress(gzip.compress(DNA.encode())), "compressed"),
    "no-break space": ("nucleotide", f">a\n{DNA}\u00a0{DNA}\n".encode(), "line 2"),
}
WARNED = {
    "an empty record": ("nucleotide", (CASES / "empty_record_between.fa").read_bytes(), "line 11"),
    "hyphens": ("nucleotide", (CASES / "iupac_and_gaps.fa").read_bytes(), "line 6"),
    "X among nucleotides": ("nucleotide", f">a\n{DNA}XX{DNA}\n".encode(), "X"),
    "digits": ("nucleotide", f">a\n1 {DNA}\n".encode(), "line 2"),
    "words": ("protein", f">a\n{PROTEIN}\nso it is written\n{PROTEIN}\n".encode(), "line 3"),
    "blank line": ("protein", f">a\n{PROTEIN}\n\n{PROTEIN}\n".encode(), "line 4"),
    "comment": ("protein", f">a\n{PROTEIN}\n;x\n{PROTEIN}\n".encode(), "line 3"),
}  # fmt: skip


def order(daemon: Daemon, name: str, molecule: str, text: bytes, more: str = "") -> Answer:
    path = f"/api/blast/databases?name={name}&molecule={molecule}{more}"
    return daemon.ask("POST", path, text, {"Content-Type": "text/plain"})


def made(daemon: Daemon, answer: Answer) -> dict[str, Any]:
    """Wait for the end of a task."""
    assert answer.status == 202, answer.text
    until = time.monotonic() + PATIENCE_SECONDS
    task: dict[str, Any] = answer.json["task"]
    while task["status"] not in ("completed", "failed"):
        assert time.monotonic() < until
        time.sleep(0.05)
        task = daemon.get(task["links"]["self"]).json["task"]
    return task


def search(daemon: Daemon, molecule: str, query: str, **more: Any) -> Answer:
    return daemon.post(SEARCH, {"program": "blastn" if molecule == "nucleotide" else "blastp", "query": query} | more)


@pytest.mark.parametrize("kind", REFUSED)
def test_U07_what_a_query_refuses_databases_and_subjects_refuse(daemon: Daemon, kind: str) -> None:
    molecule, text, word = REFUSED[kind]
    good = LAMBDA_QUERY if molecule == "nucleotide" else PROTEIN_QUERY
    database = "tnt" if molecule == "nucleotide" else "taa"
    named = "blastn" if molecule == "nucleotide" else "blastp"
    as_query = daemon.ask("POST", f"{SEARCH}?program={named}&database={database}", text, {"Content-Type": "text/plain"})
    answer = order(daemon, "never", molecule, text)
    as_subject = search(daemon, molecule, good, subject=text.decode("utf-8", "surrogateescape")) if kind not in (
        "gzip of gzip", "UTF-16", "NULs",
    ) else answer  # fmt: skip
    for refused in (as_query, answer, as_subject):
        assert refused.status == 422, refused.text
        assert word in refused.text
    assert answer.json["errors"][0]["pointer"] == "/file"
    assert "query" not in answer.text
    assert daemon.get("/api/blast/databases/never").status == 404


@pytest.mark.parametrize("kind", WARNED)
def test_U07_what_a_query_warns_about_stays_on_databases_and_searches_in_subjects(daemon: Daemon, kind: str) -> None:
    molecule, text, word = WARNED[kind]
    name = "warned" + "".join(letter for letter in kind if letter.isalpha())
    task = made(daemon, order(daemon, name, molecule, text))
    assert task["status"] == "completed", task
    assert any(word in warned["text"] for warned in task["warnings"]), task["warnings"]
    assert not any("query" in warned["text"] for warned in task["warnings"])
    good = LAMBDA_QUERY if molecule == "nucleotide" else PROTEIN_QUERY
    row = daemon.ended(search(daemon, molecule, good, subject=text.decode()).json["job_id"])
    assert row["status"] == "completed", row
    assert any(word in warned["text"] and "ubject" in warned["text"] for warned in row["warnings"]), row["warnings"]


def test_U07_words_of_makeblastdb_stay_and_the_check_can_be_switched_off(daemon: Daemon, tmp_path: Path) -> None:
    text = (CASES / "prot.fa").read_bytes()
    task = made(daemon, order(daemon, "insisted", "nucleotide", text, "&molecule_check=false"))
    assert task["status"] == "completed"
    assert any(
        "Ignoring invalid residues" in warned["text"] and warned["source"] == "blast" for warned in task["warnings"]
    )
    file = tmp_path / "p.fa"
    file.write_bytes(text)
    words = ["db", "make", "--name", "insisted2", str(file), "--type", "nucl", "--url", daemon.url]
    assert cli(*words).returncode != 0
    said = cli(*words, "--no-molecule-check")
    assert said.returncode == 0, said.stderr
    assert "warning: Ignoring invalid residues" in said.stderr + said.stdout


def test_U07_a_large_file_is_looked_at_by_the_task(daemon: Daemon) -> None:
    sequences = "".join(f">s{number}\n{DNA * 200}\n" for number in range(2600)).encode()
    assert len(sequences) > 32 << 20
    task = made(daemon, order(daemon, "toolarge", "nucleotide", sequences + b">bad\n" + b"EFILPQEFILPQ\n"))
    assert (task["status"], task["error_code"]) == ("failed", "build_failed")
    assert 'Record 2601 "bad"' in task["error"]
    task = made(daemon, order(daemon, "large", "nucleotide", sequences + b">empty\n>x\n" + DNA.encode() + b"\n"))
    assert task["status"] == "completed"
    assert any('"empty"' in warned["text"] for warned in task["warnings"])


def test_V10_databases_are_made_in_folders_with_blanks(databases: Path, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "a state with blanks", [databases]).start()
    try:
        task = made(daemon, order(daemon, "blanks", "nucleotide", (CASES / "db" / "nt.fa").read_bytes()))
        assert task["status"] == "completed", task
        row = daemon.run(LAMBDA_QUERY, database="blanks")
        assert row["hits"] > 0
        assert daemon.results(row["job_id"], "fasta").startswith(b">")
        own = daemon.ended(
            search(daemon, "nucleotide", LAMBDA_QUERY, subject=f">s\n{LAMBDA_QUERY.splitlines()[1]}\n").json["job_id"]
        )
        assert own["status"] == "completed", own
    finally:
        daemon.kill()
