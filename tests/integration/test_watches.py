"""X07: searches that run again when their databases change, say what is new, lost and changed, and to whom."""

import asyncio
import random
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from blastd.core.ids import Owner
from blastd.store import jobs, tokens
from tests.databases import LAMBDA_QUERY
from tests.growing import Entries, build, families, fasta_of, mutated
from tests.patience import eventually
from tests.receiver import Receiver
from tests.service import API, Answer, Service, serving

WATCHES = "/api/blast/watches"
HOOKS: dict[str, Any] = {
    "webhooks__secret": "a secret of the tests, long enough",
    "webhooks__allowed_hosts": ["127.0.0.1"],
}
RNG = random.Random(1)  # a family of its own for each query
PROTEINS = families(RNG, "prot", 4, 6, 160)
QUERIES = {"q1": PROTEINS["f0m0"], "q2": PROTEINS["f1m0"], "q3": PROTEINS["f3m0"]}
SEARCH: dict[str, Any] = {
    "program": "blastp",
    "database": "grown",
    "query": fasta_of(QUERIES),
    "options": {"evalue": 1e-10},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "db"
    build(path, "grown", PROTEINS, "prot")
    return path


@pytest_asyncio.fixture
async def service(folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", [folder]) as running:
        yield running


def later() -> Entries:
    """Return the same with one entry more for q1, one less for q2, and one of q2 that is another."""
    entries = dict(PROTEINS)
    entries["new1"] = mutated(random.Random(2), PROTEINS["f0m0"], 0.05, "prot")
    del entries["f1m3"]
    entries["f1m2"] = mutated(random.Random(3), PROTEINS["f1m2"], 0.2, "prot")
    return entries


async def searched(service: Service, **more: Any) -> dict[str, Any]:
    row = await service.run(**(SEARCH | more))
    assert row["status"] == "completed", row
    return row


async def watched(service: Service, job_id: str, headers: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    answer = await service.post(WATCHES, {"job": job_id} | more, headers=headers or {})
    assert answer.status == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


async def shown(service: Service, watch_id: str) -> dict[str, Any]:
    answer = await service.get(f"{WATCHES}/{watch_id}")
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json
    return found


async def rescanned(service: Service) -> None:
    assert (await service.post("/api/blast/databases/rescan", {})).status == 200


async def settled(service: Service, watch_id: str, runs: int) -> dict[str, Any]:
    """Return the watch once so many runs of it are settled."""

    async def done() -> bool:
        found = await shown(service, watch_id)
        return sum(run["settled_at"] is not None for run in found["runs"]) >= runs

    await eventually(done)
    return await shown(service, watch_id)


async def troubled(service: Service, watch_id: str, code: str | None) -> dict[str, Any]:
    """Return the watch once it says that it can't run for a reason, or for none any more."""

    async def told() -> bool:
        trouble = (await shown(service, watch_id))["watch"]["trouble"]
        return bool((trouble["code"] if trouble else None) == code)

    await eventually(told)
    found: dict[str, Any] = (await shown(service, watch_id))["watch"]
    return found


async def changes(service: Service, watch_id: str, more: str = "") -> Any:
    answer = await service.get(f"{WATCHES}/{watch_id}/changes{more}")
    assert answer.status == 200, answer.text
    return answer.json


def told(found: Any) -> list[tuple[str, str, str]]:
    """Return the query, kind and subject of each change."""
    return [
        (one["query_id"], one["kind"], (one["after"] or one["before"])["subject"]) for one in found["changes"]
    ]  # fmt: skip


async def test_X07_a_run_after_a_change_says_what_is_new_lost_and_changed_by_query(
    service: Service, folder: Path
) -> None:
    job = await searched(service, title="my three")
    made = await watched(service, job["job_id"])
    watch_id = made["watch"]["watch_id"]
    assert made["watch"]["label"] == "my three" and made["watch"]["state"] == "active"
    await settled(service, watch_id, 1)
    assert (await service.get(f"{WATCHES}/{watch_id}/changes")).status == 409, "nothing has changed"
    build(folder, "grown", later(), "prot")
    await rescanned(service)
    found = await settled(service, watch_id, 2)
    run = found["runs"][0]
    assert run["difference"] == {"new": 1, "lost": 1, "changed": 1, "queries": 2}
    assert run["before_job_id"] == found["watch"]["before_job_id"] == job["job_id"]
    assert found["watch"]["after_job_id"] == run["job_id"]
    page = await changes(service, watch_id)
    assert told(page) == [("q1", "new", "new1"), ("q2", "changed", "f1m2"), ("q2", "lost", "f1m3")]
    assert page["changes"][1]["what"] == ["alignments"]
    assert page["changes"][1]["before"]["bit_score"] > page["changes"][1]["after"]["bit_score"]
    assert told(await changes(service, watch_id, "?kind=lost")) == [("q2", "lost", "f1m3")]
    assert told(await changes(service, watch_id, "?query=1")) == [("q1", "new", "new1")]
    assert told(await changes(service, watch_id, "?query=3")) == []
    first = await changes(service, watch_id, "?limit=2")
    assert first["total"] == 3 and first["page"]["has_more"]
    rest = await changes(service, watch_id, f"?limit=2&cursor={first['page']['next_cursor']}")
    assert told(first) + told(rest) == told(page)
    events = (await service.get(f"{API}/{run['job_id']}/events")).json["events"]
    assert [event["data"]["new"] for event in events if event["kind"] == "watch_changed"] == [1]
    again = await searched(service, reuse=False)
    for fmt in ("tabular", "xml", "pairwise"):
        one, other = [
            await service.get(f"{API}/{job_id}/results?format={fmt}") for job_id in (run["job_id"], again["job_id"])
        ]
        assert one.status == 200 and one.text == other.text, fmt
    assert (await service.get(f"{API}/{run['job_id']}")).json["watch"] == watch_id


async def test_X07_a_new_search_is_submitted_and_watched_at_once_and_a_wrong_one_is_refused(service: Service) -> None:
    answer = await service.post(WATCHES, {"search": SEARCH, "label": "mine"})
    assert answer.status == 201, answer.text
    watch = answer.json["watch"]
    assert answer.headers["Location"] == f"{WATCHES}/{watch['watch_id']}"
    assert (watch["search"]["program"], watch["query"]["count"]) == ("blastp", 3)
    found = await settled(service, watch["watch_id"], 1)
    first = found["runs"][0]["job_id"]
    assert (await service.ended(first))["status"] == "completed"
    assert (await service.get(f"{WATCHES}?job={first}")).json["watches"][0]["watch_id"] == watch["watch_id"]
    for wrong in (
        {},
        {"job": first, "search": SEARCH},
        {"search": SEARCH | {"database": "none"}},
        {"job": first, "x": 1},
    ):
        assert (await service.post(WATCHES, wrong)).status == 422, wrong
    own = await service.submit(SEARCH["query"], program="blastp", database=[], subject=fasta_of(QUERIES))
    assert (await service.post(WATCHES, {"job": own["job_id"]})).status == 409, "its subjects never change"
    assert (await service.post(WATCHES, {"job": "0" * 12})).status == 404
    assert len((await service.get(WATCHES)).json["watches"]) == 1


async def test_X07_each_generation_is_searched_once_however_often_and_by_how_many_it_is_looked_at(
    service: Service, folder: Path
) -> None:
    job = await searched(service)
    ids = [(await watched(service, job["job_id"]))["watch"]["watch_id"] for _ in range(5)]
    build(folder, "grown", later(), "prot")
    await asyncio.gather(
        *(rescanned(service) for _ in range(5)), *(service.services.watch_runs.look() for _ in range(5))
    )
    for watch_id in ids:
        found = await settled(service, watch_id, 2)
        assert [run["number"] for run in found["runs"]] == [2, 1]
    for _ in range(3):
        await service.services.watch_runs.look()
    assert [(await shown(service, watch_id))["watch"]["runs"] for watch_id in ids] == [2] * 5
    assert len((await service.get(f"{API}?limit=100")).json["jobs"]) == 6, "one each, and the first"
    build(folder, "grown", PROTEINS, "prot")
    await rescanned(service)
    found = await settled(service, ids[0], 3)
    assert found["runs"][0]["difference"] == {"new": 1, "lost": 1, "changed": 1, "queries": 2}, "the way back"


async def test_X07_a_paused_watch_rests_and_goes_on_where_it_is_and_a_removed_one_leaves_its_searches(
    service: Service, folder: Path
) -> None:
    job = await searched(service)
    watch_id = (await watched(service, job["job_id"]))["watch"]["watch_id"]
    assert (await service.post(f"{WATCHES}/{watch_id}/pause")).json["watch"]["state"] == "paused"
    build(folder, "grown", later(), "prot")
    await rescanned(service)
    await service.services.watch_runs.look()
    assert (await shown(service, watch_id))["watch"]["runs"] == 1
    assert (await service.post(f"{WATCHES}/{watch_id}/resume")).json["watch"]["state"] == "active"
    found = await settled(service, watch_id, 2)
    assert (await service.ask("DELETE", f"{WATCHES}/{watch_id}")).json == {"watch_id": watch_id}
    for path in ("", "/changes"):
        assert (await service.get(f"{WATCHES}/{watch_id}{path}")).status == 404
    assert (await service.ask("DELETE", f"{WATCHES}/{watch_id}")).status == 404
    assert (await service.get(f"{API}/{found['runs'][0]['job_id']}")).json["status"] == "completed"


async def test_X07_a_database_that_goes_or_breaks_is_told_and_the_watch_goes_on_when_it_is_back(
    service: Service, folder: Path, tmp_path: Path
) -> None:
    job = await searched(service)
    watch_id = (await watched(service, job["job_id"]))["watch"]["watch_id"]
    away = tmp_path / "away"
    shutil.copytree(folder, away)
    for path in folder.iterdir():
        path.unlink()
    await rescanned(service)
    trouble = (await troubled(service, watch_id, "database_gone"))["trouble"]
    assert "grown is not here any more" in trouble["text"]
    for path in away.iterdir():
        shutil.copy2(path, folder)
    (folder / "grown.psq").write_bytes(b"")
    await rescanned(service)
    assert "grown is broken" in (await troubled(service, watch_id, "database_broken"))["trouble"]["text"]
    build(folder, "grown", later(), "prot")
    await rescanned(service)
    await settled(service, watch_id, 2)
    assert (await troubled(service, watch_id, None))["runs"] == 2


async def test_X07_a_database_that_was_renamed_is_told_with_its_new_name(service: Service) -> None:
    path = "/api/blast/databases?name=ours&molecule=protein"
    made = await service.ask("POST", path, data=fasta_of(PROTEINS))
    assert made.status == 202, made.text
    task = made.json["task"]["id"]

    async def ready() -> bool:
        row = (await service.get(f"/api/blast/database-tasks/{task}")).json["task"]
        return bool(row["status"] == "completed")

    await eventually(ready)
    job = await searched(service, database="ours")
    watch_id = (await watched(service, job["job_id"]))["watch"]["watch_id"]
    renamed = await service.post("/api/blast/databases/ours/rename", {"name": "theirs"})
    assert renamed.status == 200, renamed.text
    assert "renamed to theirs" in (await troubled(service, watch_id, "database_gone"))["trouble"]["text"]


async def test_X07_what_is_told_of_a_change_is_signed_and_told_once(folder: Path, tmp_path: Path) -> None:
    receiver = Receiver(204)
    try:
        async with serving(tmp_path / "state", [folder], **HOOKS) as service:
            job = await searched(service)
            made = await watched(service, job["job_id"], label="told", webhook=receiver.url)
            watch_id = made["watch"]["watch_id"]
            build(folder, "grown", later(), "prot")
            await rescanned(service)
            run = (await settled(service, watch_id, 2))["runs"][0]
            await receiver.count(1)
            message = receiver.told[0]
            assert message["type"] == "watch.changed"
            assert message["data"] == {
                "watch_id": watch_id, "label": "told", "run": 2, "job_id": run["job_id"], "before_job_id": job["job_id"],
                "program": "blastp", "database": ["grown"], "new": 1, "lost": 1, "changed": 1, "queries": 2,
            }  # fmt: skip
            assert receiver.got[0][0]["webhook-signature"].startswith("v1,")
            assert len(receiver.got) == 1, "the end of the run's search is not told beside it"
            wrong = await service.post(WATCHES, {"job": job["job_id"], "webhook": "http://elsewhere.example"})
            assert wrong.status == 422
    finally:
        receiver.close()


async def token(service: Service, owner: str) -> dict[str, str]:
    now = datetime.now(UTC)
    text: str = await service.store.write(
        lambda db: tokens.create(db, f"{owner[:1] * 8}", owner[:1] * 43, Owner(owner), "user", now, None), of=()
    )
    return {"Authorization": f"Bearer {text}"}


async def every_way(service: Service, watch_id: str, who: dict[str, str]) -> list[Answer]:
    """Ask for everything that a watch offers."""
    reads = [await service.get(f"{WATCHES}/{watch_id}{path}", headers=who) for path in ("", "/changes")]
    ways = (("POST", "/pause"), ("POST", "/resume"), ("DELETE", ""))
    return reads + [await service.ask(method, f"{WATCHES}/{watch_id}{path}", headers=who) for method, path in ways]


@pytest.mark.parametrize("visibility", ["own", "team"])
async def test_X07_watches_are_their_owners_and_a_team_may_read_them(
    folder: Path, tmp_path: Path, visibility: str
) -> None:
    async with serving(tmp_path / "state", [folder], access__visibility=visibility, watches__per_owner=2) as service:
        ann, bob = await token(service, "ann"), await token(service, "bob")
        row = await service.ended((await service.submit(headers=ann, **SEARCH))["job_id"], headers=ann)
        job_id = row["job_id"]
        watch_id = (await watched(service, job_id, ann))["watch"]["watch_id"]
        reading = {"own": 404, "team": 200}[visibility]
        statuses = [answer.status for answer in await every_way(service, watch_id, bob)]
        assert statuses == [reading, {"own": 404, "team": 409}[visibility], 404, 404, 404]
        listed = (await service.get(WATCHES, headers=bob)).json["watches"]
        assert [one["owner"] for one in listed] == {"own": [], "team": ["ann"]}[visibility]
        assert (await service.post(WATCHES, {"job": job_id}, headers=bob)).status == 404, "she watches it, not he"
        link = (await service.post(f"{API}/{job_id}/shares", {}, headers=ann)).json["key"]
        assert {answer.status for answer in await every_way(service, watch_id, {"X-Blastd-Share": link})} == {401}
        both = bob | {"X-Blastd-Share": link}
        assert (await service.get(f"{WATCHES}/{watch_id}", headers=both)).status == reading
        await watched(service, job_id, ann)
        third = await service.post(WATCHES, {"job": job_id}, headers=ann)
        assert third.status == 429 and "2 watches" in third.json["detail"]


async def test_X07_retention_keeps_the_runs_that_the_next_is_compared_with(folder: Path, tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [folder], retention__days=1e-9) as service:
        job = await searched(service)
        watch_id = (await watched(service, job["job_id"]))["watch"]["watch_id"]
        other = await searched(service, reuse=False)
        await settled(service, watch_id, 1)
        await service.parts.retention.run_once()
        assert (await service.get(f"{API}/{other['job_id']}")).status == 410
        assert (await service.get(f"{API}/{job['job_id']}")).json["status"] == "completed"
        for number, entries in ((2, later()), (3, PROTEINS)):
            build(folder, "grown", entries, "prot")
            await rescanned(service)
            await settled(service, watch_id, number)
            await service.parts.retention.run_once()
            found = await changes(service, watch_id)
            assert found["run"]["number"] == number and found["total"] == 3
        assert (await service.get(f"{API}/{job['job_id']}")).status == 410, "the first run is of no comparison now"
        await service.ask("DELETE", f"{WATCHES}/{watch_id}")
        await service.parts.retention.run_once()
        assert (await service.get(API)).json["jobs"] == []


async def test_X07_a_run_whose_forerunner_was_deleted_says_so_and_is_compared_with_next_time(
    service: Service, folder: Path
) -> None:
    job = await searched(service)
    watch_id = (await watched(service, job["job_id"]))["watch"]["watch_id"]
    await settled(service, watch_id, 1)
    assert (await service.ask("DELETE", f"{API}/{job['job_id']}")).status == 200
    build(folder, "grown", later(), "prot")
    await rescanned(service)
    found = await settled(service, watch_id, 2)
    assert found["runs"][0]["difference"] is None and "was deleted" in found["runs"][0]["note"]
    build(folder, "grown", PROTEINS, "prot")
    await rescanned(service)
    assert (await settled(service, watch_id, 3))["runs"][0]["difference"]["new"] == 1


async def test_X07_runs_wait_behind_searches_that_people_wait_for(service: Service, folder: Path) -> None:
    job = await searched(service)
    await watched(service, job["job_id"])
    build(folder, "grown", later(), "prot")
    await rescanned(service)

    async def begun() -> bool:
        return len((await service.get(API)).json["jobs"]) == 2

    await eventually(begun)
    found = await service.store.read(lambda db: [jobs.get(db, one) for one in jobs.ids_after(db, "", 10)])
    assert sorted(one.watch is None for one in found if one is not None) == [False, True]


async def test_X07_a_nucleotide_database_without_ids_is_compared_by_its_titles(tmp_path: Path) -> None:
    folder = tmp_path / "db"
    folder.mkdir()
    first = {"a": LAMBDA_QUERY.split("\n", 1)[1].replace("\n", ""), "b": "ACGT" * 50}
    (folder / "plain.fa").write_text(fasta_of(first))
    from tests.databases import make

    make(folder, folder / "plain.fa", "plain", "nucl", "-title", "plain")
    async with serving(tmp_path / "state", [folder]) as service:
        job = await service.run(LAMBDA_QUERY, database="plain")
        watch_id = (await watched(service, job["job_id"]))["watch"]["watch_id"]
        (folder / "plain.fa").write_text(fasta_of({"first": "ACGT" * 50} | first | {"c": first["a"][:300]}))
        make(folder, folder / "plain.fa", "plain", "nucl", "-title", "plain")
        await rescanned(service)
        await settled(service, watch_id, 2)
        assert [kind for _, kind, _ in told(await changes(service, watch_id))] == ["new"], "its place is another"
