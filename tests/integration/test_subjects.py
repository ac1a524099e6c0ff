"""50k: a search in sequences that come with it."""

import asyncio
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.databases import CASES, DB, LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS
from tests.service import API, Service

SUBJECT = (DB / "other_same_ids.fa").read_text()
RESULTS = "results?format=tabular"


async def test_50k_ones_own_sequences_are_searched_like_a_database(service: Service, tmp_path: Path) -> None:
    row = await service.submit(LAMBDA_QUERY, database=[], subject=SUBJECT)
    assert (await service.ended(row["job_id"]))["status"] == "completed"
    table = (await service.get(f"{API}/{row['job_id']}/{RESULTS}")).text
    assert [line.split("\t")[:4] for line in table.splitlines()] == [["q1", "lam9", "100.000", "600"]]
    (tmp_path / "s.fa").write_text(SUBJECT)
    argv = ["blastn", "-subject", str(tmp_path / "s.fa"), "-query", str(CASES / "plain.fa"), "-outfmt", "6 std"]
    run = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, check=True)
    pair = run.stdout
    assert [line.split("\t")[:10] for line in table.splitlines()] == [
        line.split("\t")[:10] for line in pair.splitlines()
    ]
    for kind, word in (("pairwise", "lam9"), ("xml", "<Hit_def>"), ("fasta", ">lam9"), ("sam", "@SQ")):
        answer = await service.get(f"{API}/{row['job_id']}/results?format={kind}")
        assert answer.status == 200, answer.text
        assert word in answer.text


async def test_50k_as_a_file_of_a_form_with_repeated_and_long_ids(service: Service) -> None:
    text = SUBJECT + SUBJECT.split(">")[1].join([">", ""]) + ">" + "x" * 80 + "\nACGTACGTACGTACGTTTGACA\n"
    form = aiohttp.FormData()
    form.add_field("search", '{"program": "blastn"}')
    form.add_field("subject", text.encode(), filename="mine.fa")
    form.add_field("query", LAMBDA_QUERY.encode(), filename="q.fa")
    answer = await service.ask("POST", API, data=form)
    assert answer.status == 202, answer.text
    assert (await service.ended(answer.json["job_id"]))["status"] == "completed"
    assert "subjects-" in answer.text


async def test_50k_the_database_of_a_search_goes_with_it_and_is_in_no_catalogue(service: Service) -> None:
    await service.run(LAMBDA_QUERY, database=[], subject=SUBJECT)
    listed = (await service.get("/api/blast/databases")).json["databases"]
    assert not [one for one in listed if one["name"].startswith("subjects")]
    assert not list(service.files.tmp.iterdir())


@pytest.mark.parametrize(
    ("more", "pointer", "words"),
    [
        ({"subject": ">s\n\n"}, "/subject", ""),
        ({"subject": "@r1\nACGT\n+\nIIII\n"}, "/subject", ""),
        ({"subject": ">p\nMKVLAAGIVGLLLAQWERTYIPASDFGHKLCVNM\n"}, "/subject", ""),
        ({"subject": SUBJECT, "database": "tnt"}, "/database", "not both"),
        ({"subject": SUBJECT, "engine": "kubernetes"}, "/engine", "local"),
        ({"subject": SUBJECT, "program": "nosuch"}, "/program", ""),
        ({"database": []}, "/database", "No database"),
    ],
)
async def test_50k_what_can_not_be_searched_is_refused(
    service: Service, more: dict[str, str], pointer: str, words: str
) -> None:
    answer = await service.post(API, {"program": "blastn", "query": LAMBDA_QUERY} | more)
    assert answer.status == 422, answer.text
    assert pointer in [one["pointer"] for one in answer.json["errors"]], answer.text
    assert words in answer.text
    assert len(answer.json["errors"]) == 1 or "engine" in more, answer.text


async def test_50k_the_same_key_with_other_subjects_is_a_mismatch(service: Service) -> None:
    body = {"program": "blastn", "query": LAMBDA_QUERY, "subject": SUBJECT}
    first = await service.post(API, body, headers={"Idempotency-Key": "k"})
    again = await service.post(API, body, headers={"Idempotency-Key": "k"})
    other = await service.post(
        API, body | {"subject": SUBJECT + ">more\nACGTACGTTTGACA\n"}, headers={"Idempotency-Key": "k"}
    )
    assert (first.status, again.status, other.status) == (202, 200, 422), other.text
    assert first.json["job_id"] == again.json["job_id"]


async def test_50k_from_the_command_line(service: Service) -> None:
    argv = [sys.executable, "-m", "blastd.cli.main", "submit", "--url", service.url, "--program", "blastn"]
    argv += ["--subject", str(DB / "other_same_ids.fa"), str(CASES / "plain.fa"), "--format", "tabular"]
    child = await asyncio.create_subprocess_exec(*argv, stdout=subprocess.PIPE)
    out, _ = await asyncio.wait_for(child.communicate(), PATIENCE_SECONDS)
    assert child.returncode == 0
    assert out.decode().split("\t")[:4] == ["q1", "lam9", "100.000", "600"]
