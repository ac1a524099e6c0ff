"""R08: real bug reports as small inputs (tests/data/cases, numbered as in its README), over HTTP."""

import gzip
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.daemon import Answer, Daemon
from tests.databases import CASES, LAMBDA_QUERY, PROTEIN_QUERY

pytestmark = pytest.mark.blast

JOBS = "/api/blast/jobs"


def send(daemon: Daemon, name: str, program: str = "blastn", database: str = "tnt", **more: Any) -> Answer:
    """Submit a file as it is, as curl --data-binary does."""
    query = "&".join(f"{key}={value}" for key, value in more.items())
    body = (CASES / name).read_bytes()
    path = f"{JOBS}?program={program}&database={database}&{query}"
    return daemon.ask("POST", path, body, {"Content-Type": "application/octet-stream"})


def ran(daemon: Daemon, name: str, *args: str, **more: Any) -> dict[str, Any]:
    answer = send(daemon, name, *args, **more)
    assert answer.status == 202, answer.text
    row = daemon.ended(answer.json["job_id"])
    assert row["status"] == "completed", row
    return row


def refused(answer: Answer, *words: str) -> list[dict[str, str]]:
    assert answer.status == 422, (answer.status, answer.text)
    for word in words:
        assert word in answer.text, (word, answer.text)
    faults: list[dict[str, str]] = answer.json["errors"]
    return faults


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("title_and_sequence_on_one_line.fa", ["ecord 1", "sample123"]),  # 1
        ("only_empty_records.fa", ["ecord"]),  # 6
        ("utf16le.fa", ["UTF-16"]),  # 23
        ("zero_bytes.fa", ["empty"]),  # 24
        ("nul_in_sequence.fa", ["ine 2"]),  # 25
        ("fastq_as_fasta.fq", ["FASTQ"]),  # 26
        ("genbank_record.gb", ["GenBank"]),  # 27
        ("prot.fa", ["protein"]),  # 34
    ],
)
def test_R08_what_blast_would_swallow_is_refused(daemon: Daemon, name: str, words: list[str]) -> None:
    refused(send(daemon, name), *words)


@pytest.mark.parametrize(
    ("name", "queries", "letters", "hits"),
    [
        ("crlf.fa", 2, 1100, 2),  # 3
        ("no_final_newline.fa", 2, 1100, 2),  # 4
        ("all_N.fa", 1, None, 0),  # 7
        ("low_complexity.fa", 1, None, 0),  # 8
        ("duplicate_ids.fa", 3, None, 3),  # 9
        ("id_60_chars.fa", 1, None, 1),  # 11
        ("pipes_and_dots.fa", 4, None, 4),  # 12
        ("numeric_ids.fa", 2, None, 2),  # 13
        ("gt_inside_title.fa", 1, None, 1),  # 15
        ("ctrl_a_title.fa", 1, None, 1),  # 16
        ("lower_case_mask.fa", 1, None, 1),  # 19
        ("iupac_and_gaps.fa", 1, 595, 1),  # 20
        ("really_gzip.fa", 1, None, None),  # 21
        ("really_plain.fa.gz", 1, None, None),  # 21
        ("bom_utf8.fa", 1, None, 1),  # 22
        ("bare_sequence.txt", 1, None, 1),  # 28
        ("one_line_53kb.fa", 1, None, 11),  # 30
        ("title_status_waiting.fa", 1, None, 1),  # 31
        ("hash_id.fa", 1, None, 1),  # 33
    ],
)
def test_I01_R08_counts_are_those_of_blast(
    daemon: Daemon, name: str, queries: int, letters: int | None, hits: int | None
) -> None:
    row = ran(daemon, name)
    assert row["query"]["count"] == queries
    assert letters is None or row["query"]["letters"] == letters
    assert hits is None or row["hits"] == hits
    table = daemon.results(row["job_id"], "tabular").decode()
    assert hits is None or table.count("\n") == hits
    found = daemon.get(f"{JOBS}/{row['job_id']}/queries").json
    assert [one["query"] for one in found["queries"]] == list(range(1, queries + 1))
    assert b"\r" not in daemon.results(row["job_id"], "commented")


def test_R08_02_a_lost_mark_is_never_silent(daemon: Daemon) -> None:
    answer = send(daemon, "missing_second_gt.fa")
    if answer.status == 422:
        assert "ine 7" in answer.text
    else:
        assert any("ine 7" in warning["text"] for warning in answer.json["warnings"])


def test_R06_R08_05_an_empty_record_between_others_keeps_its_place(daemon: Daemon) -> None:
    row = ran(daemon, "empty_record_between.fa")
    assert row["query"]["count"] == 3
    assert any("empty_one" in warning["text"] for warning in row["warnings"])
    found = daemon.get(f"{JOBS}/{row['job_id']}/queries").json["queries"]
    assert [one["hits"] for one in found][1] == 0
    assert row["hits"] == 2


def test_R08_07_the_warning_of_blast_is_on_its_query(daemon: Daemon) -> None:
    row = ran(daemon, "all_N.fa")
    assert any("Karlin-Altschul" in warning["text"] and warning["query"] == 1 for warning in row["warnings"])
    assert b"Karlin-Altschul" in daemon.results(row["job_id"], "xml")


def test_R08_09_queries_with_one_name_stay_apart(daemon: Daemon) -> None:
    row = ran(daemon, "duplicate_ids.fa")
    hits = daemon.get(f"{JOBS}/{row['job_id']}/hits").json["hits"]
    assert [(hit["query"], hit["query_id"], hit["subject"]) for hit in hits] == [
        (1, "same", "lam0"),
        (2, "same", "lam1"),
        (3, "same", "lam1"),
    ]


@pytest.mark.parametrize("fmt", ["xml", "xml2", "json", "tabular", "commented", "csv", "pairwise", "asn1"])
def test_I01_R08_14_titles_that_are_not_ascii_survive_every_format(daemon: Daemon, fmt: str) -> None:
    row = ran(daemon, "unicode_titles.fa")
    body = daemon.results(row["job_id"], fmt)
    text = body.decode("utf-8")
    first = (CASES / "unicode_titles.fa").read_bytes().decode("utf-8", "replace").split("\n")[0][1:].split()[0]
    assert first in text.replace("\n", "")
    if fmt.startswith("xml"):
        ET.fromstring(body)
    if fmt == "json":
        json.loads(body)


def test_R08_17_18_proteins_with_unusual_letters_are_searched(daemon: Daemon) -> None:
    assert ran(daemon, "protein_with_stop.fa", "blastp", "taa")["hits"] == 6
    row = ran(daemon, "protein_UOJ_BZX.fa", "blastp", "taa")
    assert row["hits"] == 7
    assert any("57" in warning["text"] for warning in row["warnings"])


def test_R08_19_lower_case_masks_only_when_asked(daemon: Daemon) -> None:
    query = (CASES / "lower_case_mask.fa").read_text()
    assert daemon.run(query, options={"lcase_masking": True})["hits"] == 1
    assert daemon.run(query, options={"lcase_masking": True, "soft_masking": "false"})["hits"] == 2


def test_R08_29_primers_get_a_hint_and_their_task_finds_them(daemon: Daemon) -> None:
    row = ran(daemon, "primers_20nt.fa")
    assert row["hits"] == 0
    assert any("blastn-short" in warning["text"] for warning in row["warnings"])
    assert ran(daemon, "primers_20nt.fa", task="blastn-short")["hits"] == 45


def test_R05_R08_32_spreadsheet_formulas_are_harmless(daemon: Daemon) -> None:
    row = ran(daemon, "title_formula.fa")
    for line in daemon.results(row["job_id"], "csv").decode().splitlines():
        assert not line.startswith(("=", "+", "-", "@", '"='))
    bare = daemon.results(row["job_id"], "tabular").decode()
    numbers = [line.split("\t")[2:] for line in bare.splitlines()]
    shown = [line.rsplit(",", 10)[1:] for line in daemon.results(row["job_id"], "csv").decode().splitlines()]
    assert numbers == shown


def test_R08_35_molecules_that_do_not_fit_are_named(daemon: Daemon) -> None:
    refused(send(daemon, "plain.fa", "blastp", "taa"), "/query")
    refused(send(daemon, "prot.fa", "blastp", "tnt"), "/database", "nucleotide")


@pytest.mark.parametrize("value", ["0", "-1", "1e-", "1,5", "inf", "nan", "0x1p-3", "5e-400", ""])
def test_R08_36_evalues_that_are_none_are_refused(daemon: Daemon, value: str) -> None:
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "options": {"evalue": value}}
    refused(daemon.post(JOBS, body), "/options/evalue")


def test_R08_36_37_limits_and_warnings_of_blast_are_kept(daemon: Daemon) -> None:
    assert daemon.run(LAMBDA_QUERY, options={"evalue": "3e+07"})["status"] == "completed"
    row = daemon.run(LAMBDA_QUERY, options={"max_target_seqs": 1})
    assert any("5 or more matches" in warning["text"] for warning in row["warnings"])
    for value in (0, -3, "1e3"):
        body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "options": {"max_target_seqs": value}}
        refused(daemon.post(JOBS, body), "/options/max_target_seqs")


def test_R08_38_a_reached_limit_is_said(daemon: Daemon) -> None:
    row = daemon.run((CASES / "low_complexity.fa").read_text() + LAMBDA_QUERY, options={"max_target_seqs": 1})
    assert row["limit_reached"] >= 1
    queries = daemon.get(f"{JOBS}/{row['job_id']}/queries").json["queries"]
    assert any(one["limit_reached"] for one in queries)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"options": {"word_size": "7-task"}}, ["/options/word_size"]),  # 40
        ({"task": "Megablast"}, ["/task", "megablast"]),
        ({"program": "blastp", "task": "blasts-fast", "database": "taa"}, ["/task", "blastp-fast"]),
        ({"options": {"num_descriptions": 5, "max_target_seqs": 5}}, ["/options"]),  # 39
        ({"database": ["tnt", "tnt4"]}, ["/database"]),  # 47
        ({"database": ["tnt", "taa"]}, ["/database"]),
        ({"database": ["tnt", "nosuch"]}, ["nosuch"]),
        ({"database": ["tnt", "osame"]}, ["/database", "lam0"]),  # 48
        ({"options": {"taxids": "10710000"}}, ["/options/taxids"]),  # 42
        ({"options": {"taxids": "abc"}}, ["/options/taxids"]),
        ({"database": "tnt4", "options": {"taxids": "562"}}, ["/options/taxids"]),
        ({"database": "noparse", "options": {"taxids": "562"}}, ["/options/taxids"]),
    ],
)
def test_I03_R08_faults_name_the_field(daemon: Daemon, more: dict[str, Any], words: list[str]) -> None:
    refused(daemon.post(JOBS, {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY} | more), *words)


def test_R08_42_taxonomy_filters_work_where_they_can(daemon: Daemon) -> None:
    assert daemon.run(LAMBDA_QUERY, options={"taxids": "10710"})["hits"] == 2


def test_R08_41_genetic_codes_are_offered_and_checked(daemon: Daemon) -> None:
    assert daemon.run(PROTEIN_QUERY, "tblastn", "tnt", options={"db_gencode": 4})["hits"] == 7
    body = {"program": "tblastn", "database": "tnt", "query": PROTEIN_QUERY, "options": {"db_gencode": 7}}
    refused(daemon.post(JOBS, body), "/options/db_gencode")


def test_R08_44_formats_and_columns(daemon: Daemon) -> None:
    job_id = daemon.run(LAMBDA_QUERY)["job_id"]
    table = daemon.results(job_id, "commented", "&fields=std+qcovs+stitle").decode()
    assert "% query coverage per subject, subject title" in table
    names = daemon.results(job_id, "tabular", "&fields=qseqid+staxids+sscinames").decode()
    assert names.startswith("q1\t10710\t")
    for more in ("format=13", "format=19", "format=tabular&fields=nonsense", "format="):
        refused(daemon.get(f"{JOBS}/{job_id}/results?{more}"))
    protein = daemon.run(PROTEIN_QUERY, "blastp", "taa")["job_id"]
    assert daemon.get(f"{JOBS}/{protein}/results?format=sam").status in (406, 409, 415, 422)


@pytest.mark.parametrize(
    "name",
    ["out", "export_search_strategy", "import_search_strategy", "subject", "query", "remote", "html", "db", "outfmt"],
)
def test_I04_R08_45_options_that_touch_files_are_refused(daemon: Daemon, name: str) -> None:
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "options": {name: "blastd-must-not-be"}}
    refused(daemon.post(JOBS, body), f"/options/{name}")


@pytest.mark.parametrize("value", ["@/etc/passwd", "$(id)", "1; id", "1\n-out x", "'1'", "-1e", "--help"])
def test_I04_values_reach_no_shell(daemon: Daemon, value: str) -> None:
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "options": {"evalue": value}}
    refused(daemon.post(JOBS, body), "/options/evalue")


def test_R08_46_names_with_blanks_work(daemon: Daemon) -> None:
    row = daemon.run(LAMBDA_QUERY, database="dir with space/mynt")
    assert row["hits"] == 2
    assert daemon.results(row["job_id"], "fasta").startswith(b">")
    assert b"<BlastOutput_db>mynt" in daemon.results(row["job_id"], "xml")


def test_R08_12_hit_sequences_of_every_id(daemon: Daemon) -> None:
    row = daemon.run(LAMBDA_QUERY, database="noparse")
    assert daemon.results(row["job_id"], "fasta").count(b">") == row["hits"]
    row = daemon.run(LAMBDA_QUERY)
    assert daemon.results(row["job_id"], "fasta").count(b">") == row["hits"]


def test_I02_gzip_is_known_by_its_content(daemon: Daemon) -> None:
    body = gzip.compress((CASES / "plain.fa").read_bytes())
    answer = daemon.ask("POST", f"{JOBS}?program=blastn&database=tnt", body, {"Content-Type": "text/x-fasta"})
    assert answer.status == 202, answer.text
    assert daemon.ended(answer.json["job_id"])["hits"] == 2


def test_I03_several_faults_are_all_named(daemon: Daemon) -> None:
    body = {
        "program": "blastn", "database": "nosuch", "query": "", "task": "blastp", "options": {"evalue": "x", "bogus": 1},
    }  # fmt: skip
    pointers = {fault["pointer"] for fault in refused(daemon.post(JOBS, body))}
    assert {"/database", "/query", "/task", "/options/evalue", "/options/bogus"} <= pointers


def test_I03_a_location_outside_the_query_is_refused(daemon: Daemon) -> None:
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "query_loc": "90000-90100"}
    refused(daemon.post(JOBS, body), "/query_loc")


def test_R08_50a_what_blast_itself_refuses_is_said_with_its_words(daemon: Daemon) -> None:
    row = daemon.ended(daemon.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7})["job_id"])
    assert row["status"] == "failed"
    assert "Substitution scores 1 and -7 are not supported" in row["error"]
    assert row["error_code"] == "engine_error"
