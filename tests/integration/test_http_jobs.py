"""Jobs over HTTP: submit in every shape, list, wait, cancel, retry, delete, with real BLAST+."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
import yarl

from blastd.core.ids import JobId
from tests.databases import LAMBDA_QUERY, NO_HITS_QUERY, PROTEIN_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS, rest
from tests.service import API, Answer, Service, serving


def pointers(answer: Any) -> set[str]:
    assert answer.status == 422, answer.text
    return {fault["pointer"] for fault in answer.json["errors"]}


async def running(service: Service) -> str:
    """Submit a long search and wait until it runs."""
    job_id: str = (await service.submit(SLOW_QUERY, **SLOW))["job_id"]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await service.get(f"{API}/{job_id}?wait=5")).json["status"] == "queued":
            pass
    return job_id


async def test_T01_accepted_says_where_and_when_to_look(service: Service) -> None:
    answer = await service.post(API, {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY})
    assert answer.status == 202
    assert answer.headers["Location"] == f"{API}/{answer.json['job_id']}"
    assert int(answer.headers["Retry-After"]) >= 1
    row = await service.ended(answer.json["job_id"])
    assert (row["status"], row["hits"], row["query"]["count"], row["query"]["letters"]) == ("completed", 2, 2, 1100)


async def test_all_shapes_of_a_submit_are_the_same_search(service: Service) -> None:
    rows = [await service.submit(LAMBDA_QUERY, options={"evalue": 1e-5})]
    query = LAMBDA_QUERY.encode()
    answers = [
        await service.post(f"{API}?program=blastn&database=tnt&evalue=1e-05", query),
        await service.post(f"{API}?program=blastn&database=tnt&evalue=1e-05", gzip.compress(query)),
        await service.post(
            f"{API}?program=blastn&database=tnt&evalue=1e-05",
            gzip.compress(query),
            headers={"Content-Encoding": "gzip"},
        ),
    ]
    for content in (query, gzip.compress(query)):
        form = aiohttp.FormData()
        form.add_field("search", json.dumps({"program": "blastn", "database": ["tnt"], "options": {"evalue": 1e-5}}))
        form.add_field("query", content, filename="q.fa")
        answers.append(await service.ask("POST", API, data=form))
    for answer in answers:
        assert answer.status == 202, answer.text
        rows.append(answer.json)
    assert len({row["query"]["sha256"] for row in rows}) == 1
    details = [(await service.ended(row["job_id"]))["search"] for row in rows]
    assert len({json.dumps(detail["options"]) for detail in details}) == 1


async def test_curl_data_binary_needs_no_content_type(service: Service) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await service.post(f"{API}?program=blastn&database=tnt", LAMBDA_QUERY.encode(), headers=headers)
    assert answer.status == 202


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", None])
async def test_P06_a_form_and_untyped_json_are_answered_with_what_is_read(service: Service, kind: str | None) -> None:
    headers = {"Content-Type": kind} if kind else {}
    search = json.dumps({"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY})
    for body, word in (
        (search, "JSON"),
        ("\ufeff " + search, "JSON"),
        ("program=blastn&database=tnt&query=ACGT", "form"),
    ):
        answer = await service.post(API, body.encode(), headers=headers)
        assert answer.status == 422
        (fault,) = answer.json["errors"]
        assert fault["pointer"] == "/Content-Type"
        assert f"looks like {'a form' if word == 'form' else 'JSON'}" in fault["detail"]
        assert "application/json" in fault["detail"]
    fasta = await service.post(API, LAMBDA_QUERY.encode(), headers=headers)
    assert pointers(fasta) == {"/program", "/database"}


async def test_I03_every_fault_is_named_at_once(service: Service) -> None:
    wrong = {
        "program": "blastn",
        "task": "blastp-fast",
        "database": ["tnt", "nosuch"],
        "query": ">a\n\n>b\n",
        "options": {"evalue": -1, "wordsize": 7},
        "engine": "steam",
    }
    found = pointers(await service.post(API, wrong))
    assert {"/task", "/database", "/query", "/options/evalue", "/options/wordsize", "/engine"} <= found
    shape = await service.post(API, {"program": "blastn", "databse": "tnt", "query": LAMBDA_QUERY})
    assert pointers(shape) == {"/databse", "/database"}
    subjects = await service.post(API, {"program": "blastn", "databse": "tnt", "subject": LAMBDA_QUERY})
    assert pointers(subjects) == {"/databse"}


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"query": PROTEIN_QUERY}, "/query"),
        ({"database": "taa"}, "/database"),
        ({"program": "blastz"}, "/program"),
        ({"database": []}, "/database"),
        ({"database": ["tnt", "tnt4"]}, "/database"),
        ({"database": ["tnt", "osame"]}, "/database"),
        ({"query_loc": "5000-6000"}, "/query_loc"),
        ({"database": "noparse", "options": {"taxids": "562"}}, "/options/taxids"),
        ({"options": {"out": "x"}}, "/options/out"),
        ({"options": {"evalue": "1;rm"}}, "/options/evalue"),
        ({"nosuch": 1}, "/nosuch"),
        ({"priority": "high"}, "/priority"),
    ],
)
async def test_I03_a_fault_has_its_place(service: Service, more: dict[str, Any], pointer: str) -> None:
    search = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY} | more
    assert pointer in pointers(await service.post(API, search))
    assert (await service.get(API)).json["page"]["returned"] == 0


async def test_a_protein_for_blastn_can_be_forced(service: Service) -> None:
    row = await service.run(PROTEIN_QUERY, molecule_check=False)
    assert (row["status"], row["hits"]) == ("completed", 0)
    assert row["warnings"]


async def test_databases_that_share_ids_are_refused_by_name(service: Service) -> None:
    answer = await service.post(API, {"program": "blastn", "database": ["tnt", "osame"], "query": LAMBDA_QUERY})
    assert "lam0" in answer.text


async def test_the_same_database_twice_is_once(service: Service) -> None:
    row = await service.submit(LAMBDA_QUERY, database=["tnt", "tnt"])
    assert row["database"] == ["tnt"]


async def test_C07_one_key_is_one_job(service: Service) -> None:
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "reuse": False}
    headers = {"Idempotency-Key": "k 1"}
    answers = []

    async def post() -> None:
        answers.append(await service.post(API, body, headers=headers))

    async with asyncio.TaskGroup() as group:
        for _ in range(10):
            group.create_task(post())
    assert len({answer.json["job_id"] for answer in answers}) == 1
    assert sorted(answer.status for answer in answers) == [200] * 9 + [202]
    other = await service.post(API, body | {"title": "x"}, headers=headers)
    assert (other.status, other.json["code"]) == (422, "idempotency_mismatch")
    assert (await service.get(API)).json["page"]["returned"] == 1


async def test_a_bad_idempotency_key_is_refused(service: Service) -> None:
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
    assert pointers(await service.post(API, body, headers={"Idempotency-Key": "x" * 256})) == {"/Idempotency-Key"}


async def test_a_repeat_is_answered_from_the_stored_result(service: Service) -> None:
    first = await service.run(LAMBDA_QUERY)
    again = await service.submit(LAMBDA_QUERY, title="again")
    assert (again["status"], again["reused_from"], again["hits"]) == ("completed", first["job_id"], first["hits"])
    assert {step["status"] for step in again["steps"]} == {"skipped"}
    text = (await service.get(f"{API}/{first['job_id']}/results")).body
    assert (await service.ask("DELETE", f"{API}/{first['job_id']}")).status == 200
    assert (await service.get(f"{API}/{again['job_id']}/results")).body == text
    assert (await service.get(f"{API}/{again['job_id']}/query")).text == LAMBDA_QUERY


@pytest.mark.parametrize(
    "change", [{"reuse": False}, {"options": {"evalue": 1}}, {"task": "blastn"}, {"query_loc": "1-300"}]
)
async def test_another_search_is_not_reused(service: Service, change: dict[str, Any]) -> None:
    await service.run(LAMBDA_QUERY)
    row = await service.submit(LAMBDA_QUERY, **change)
    assert row["reused_from"] is None


async def test_T07_list_detail_and_events_agree_for_every_form_of_the_id(service: Service) -> None:
    row = await service.run(LAMBDA_QUERY)
    job_id = row["job_id"]
    for form in (job_id, job_id.upper(), row["short_id"], job_id[:8], job_id.replace("-", "")):
        assert (await service.get(f"{API}/{form}")).json["job_id"] == job_id
    listed = (await service.get(API)).json["jobs"][0]
    event = (await service.get(f"{API}/{job_id}/events")).json["events"][-1]
    assert listed == {name: row[name] for name in listed}
    assert event["job"] == listed
    assert (event["status"], event["phase"]) == (row["status"], row["phase"])


@pytest.mark.parametrize(
    "text", ["nonsense", "0" * 8, "0" * 40, "..%2f..%2fetc%2fpasswd", "%2e%2e", "%00", "'%20or%201=1"]
)
async def test_I05_an_id_that_is_none_is_404(service: Service, text: str) -> None:
    for path in ("", "/query", "/logs", "/results", "/hits", "/events"):
        async with service.http.get(yarl.URL(f"{service.url}{API}/{text}{path}", encoded=True)) as response:
            assert response.status in (400, 404), path
            assert response.content_type == "application/problem+json"


async def test_the_list_filters_and_counts(service: Service) -> None:
    done = await service.run(LAMBDA_QUERY, title="needle in a list")
    await service.run(NO_HITS_QUERY)
    jobs = (await service.get(f"{API}?q=needle")).json["jobs"]
    assert [job["job_id"] for job in jobs] == [done["job_id"]]
    assert (await service.get(f"{API}?status=failed,queued")).json["jobs"] == []
    assert len((await service.get(f"{API}?database=tnt&program=blastn")).json["jobs"]) == 2
    assert (await service.get(f"{API}?database=tn")).json["jobs"] == []
    assert (await service.get(API)).json["counts"]["completed"] == 2
    assert pointers(await service.get(f"{API}?status=finished")) == {"/status"}
    assert pointers(await service.get(f"{API}?statsu=failed")) == {"/statsu"}
    assert pointers(await service.get(f"{API}?cursor=x")) == {"/cursor"}
    assert pointers(await service.get(f"{API}?cursor={'f' * 20}.x")) == {"/cursor"}


async def test_W15_the_list_is_of_a_stretch_of_time(service: Service) -> None:
    ids = [(await service.run(NO_HITS_QUERY, reuse=False))["job_id"] for _ in range(2)]
    rows = (await service.get(API)).json["jobs"]
    between = next(row["created_at"] for row in rows if row["job_id"] == ids[1])
    before = (await service.get(f"{API}?until={quote(between)}")).json["jobs"]
    after = (await service.get(f"{API}?since={quote(between)}")).json["jobs"]
    assert [row["job_id"] for row in before] == ids[:1] and [row["job_id"] for row in after] == ids[1:]


async def test_S10_pages_are_stable_when_newer_jobs_arrive(service: Service) -> None:
    for _ in range(5):
        await service.submit(LAMBDA_QUERY)
    whole = [job["job_id"] for job in (await service.get(API)).json["jobs"]]
    first = (await service.get(f"{API}?limit=2")).json
    assert (first["page"]["has_more"], first["page"]["returned"]) == (True, 2)
    await service.submit(LAMBDA_QUERY)
    seen, cursor = [job["job_id"] for job in first["jobs"]], first["page"]["next_cursor"]
    while cursor is not None:
        page = (await service.get(f"{API}?limit=2&cursor={cursor}")).json
        seen += [job["job_id"] for job in page["jobs"]]
        cursor = page["page"]["next_cursor"]
        assert page["page"]["has_more"] == (cursor is not None)
    assert seen == whole


async def test_wait_answers_when_the_job_changes(service: Service) -> None:
    job_id = await running(service)
    answer = await service.get(f"{API}/{job_id}")

    async def changed(answer: Answer) -> Answer:
        while answer.json["phase"] == "running":  # progress of a unit answers, too
            etag = answer.headers["ETag"]
            answer = await service.get(f"{API}/{job_id}?wait=60", headers={"If-None-Match": etag})
        return answer

    waiting = asyncio.create_task(changed(answer))
    await rest()
    assert not waiting.done()
    await service.post(f"{API}/{job_id}/cancel")
    async with asyncio.timeout(50):  # less than it would wait of itself
        assert (await waiting).json["phase"] in ("cancelling", "cancelled")
    assert (await service.ended(job_id))["status"] == "cancelled"


async def test_an_etag_spares_the_body_until_something_changes(service: Service) -> None:
    row = await service.run(LAMBDA_QUERY)
    answer = await service.get(f"{API}/{row['job_id']}")
    same = await service.get(f"{API}/{row['job_id']}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    other = await service.get(f"{API}/{row['job_id']}", headers={"If-None-Match": 'W/"other"'})
    assert other.status == 200


async def test_C05_cancel_twice_gives_the_same_answer(service: Service) -> None:
    job_id = await running(service)
    for _ in range(2):
        answer = await service.post(f"{API}/{job_id}/cancel")
        assert answer.status == 202
        assert answer.json["phase"] in ("cancelling", "cancelled")
    assert (await service.ended(job_id))["status"] == "cancelled"
    assert (await service.post(f"{API}/{job_id}/cancel")).status == 202


async def test_a_completed_job_is_neither_cancelled_nor_retried(service: Service) -> None:
    job_id = (await service.run(LAMBDA_QUERY))["job_id"]
    for what in ("cancel", "retry"):
        answer = await service.post(f"{API}/{job_id}/{what}")
        assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert (await service.get(f"{API}/{job_id}")).json["status"] == "completed"


async def test_C06_only_ended_jobs_are_deleted_and_for_good(service: Service) -> None:
    job_id = await running(service)
    assert (await service.ask("DELETE", f"{API}/{job_id}")).status == 409
    await service.post(f"{API}/{job_id}/cancel")
    await service.ended(job_id)
    folder = service.files.job_folder(JobId(job_id))
    assert folder.exists()
    answer = await service.ask("DELETE", f"{API}/{job_id}")
    assert answer.status == 200
    assert answer.json["bytes_freed"] >= len(SLOW_QUERY)
    assert not folder.exists()
    for path in ("", "/query", "/results", "/events"):
        assert (await service.get(f"{API}/{job_id}{path}")).status == 410, path
    assert (await service.get(API)).json["jobs"] == []


async def test_a_failed_search_says_why_and_can_be_retried(service: Service) -> None:
    row = await service.run(LAMBDA_QUERY, task="blastn", options={"reward": 1, "penalty": -7})
    assert (row["status"], row["error_code"]) == ("failed", "engine_error")
    assert "not supported" in row["error"]
    answer = await service.get(f"{API}/{row['job_id']}/results")
    assert (answer.status, answer.json["code"]) == (409, "not_finished")
    again = await service.post(f"{API}/{row['job_id']}/retry")
    assert (again.status, again.json["attempt"], again.json["status"]) == (202, 2, "queued")
    assert (await service.ended(row["job_id"]))["status"] == "failed"
    logs = (await service.get(f"{API}/{row['job_id']}/logs")).json["attempts"]
    assert [attempt["attempt"] for attempt in logs] == [1, 2]
    assert all("not supported" in attempt["stderr"] for attempt in logs)


async def test_too_many_waiting_jobs_are_429(database_folder: Path, tmp_path: Path) -> None:
    flags = {"limits__queued_jobs_per_owner": 2, "local__slots": 1}
    async with serving(tmp_path / "state", [database_folder], **flags) as service:
        await running(service)
        answers = [await service.post(API, SLOW | {"query": SLOW_QUERY}) for _ in range(4)]
        assert [answer.status for answer in answers] == [202, 202, 429, 429]
        assert int(answers[-1].headers["Retry-After"]) > 0


async def test_S06_under_the_disk_floor_reading_goes_on(database_folder: Path, tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [database_folder], **{"retention.disk_floor_bytes": 1 << 60}) as service:
        answer = await service.post(API, {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY})
        assert (answer.status, answer.json["code"]) == (507, "disk_full")
        assert (await service.get(API)).status == 200
        ready = await service.get("/readyz")
        assert (ready.status, ready.json["down"][0]["name"]) == (503, "disk")
        assert (await service.get("/livez")).status == 200


async def test_I10_a_search_that_needs_more_memory_than_there_is_is_refused(
    database_folder: Path, tmp_path: Path
) -> None:
    async with serving(tmp_path / "state", [database_folder], local__memory_limit_bytes=1 << 20) as service:
        answer = await service.post(API, {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY})
        assert pointers(answer) == {"/database"}
        assert "1,048,576" in answer.text


async def test_long_answers_are_packed_for_those_who_take_it(service: Service) -> None:
    plain = {"Accept-Encoding": "identity"}
    for path in ("/api/blast/programs", "/search", "/api/openapi.json"):
        whole = await service.get(path, headers=plain)
        async with aiohttp.ClientSession(auto_decompress=False) as raw:
            async with raw.get(service.url + path, headers={"Accept-Encoding": "gzip"}) as answer:
                packed = await answer.read()
                assert answer.headers["Content-Encoding"] == "gzip"
                assert answer.headers["Content-Length"] == str(len(packed))
            async with raw.get(service.url + path, headers={"Accept-Encoding": "gzip;q=0"}) as answer:
                assert "Content-Encoding" not in answer.headers
        assert "Content-Encoding" not in whole.headers
        assert "Accept-Encoding" in whole.headers["Vary"]
        assert gzip.decompress(packed) == whole.body
        assert len(packed) < len(whole.body) / 2


@pytest.mark.parametrize("text", ["%00", "needle%00", "%25", "_", "%0a", "%5c", "%27", "%7f", "-"])
async def test_text_that_no_search_holds_matches_none(service: Service, text: str) -> None:
    await service.submit(LAMBDA_QUERY, title="a needle")
    answer = await service.get(f"{API}?q={text}")
    if text[-3:] in ("%00", "%0a", "%7f"):
        assert answer.status == 422, "no title holds a control character"
    else:
        assert answer.json["jobs"] == []
    assert len((await service.get(f"{API}?q=NEEDLE")).json["jobs"]) == 1
