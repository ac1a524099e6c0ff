"""Letters a day, as a client sees them."""

import asyncio
from pathlib import Path

from blastd.core.ids import Owner
from blastd.core.quota import WINDOW
from blastd.store import usage
from tests.databases import NO_HITS_QUERY
from tests.service import API, serving

BODY = {"program": "blastn", "database": "tnt", "query": NO_HITS_QUERY}
LOCAL = Owner("local")


async def test_a_quota_refuses_says_when_and_counts_deleted_searches(database_folder: Path, tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [database_folder], limits__letters_per_day=600) as service:
        first = await service.run(NO_HITS_QUERY)
        await service.submit(NO_HITS_QUERY, reuse=True)  # answered from the stored result: costs nothing
        assert (await service.ask("DELETE", f"{API}/{first['job_id']}")).status == 200
        second = await service.run(NO_HITS_QUERY, reuse=False)
        refused = await service.post(API, BODY | {"reuse": False})
        assert (refused.status, refused.json["code"]) == (429, "quota_used")
        assert "600 of 600 letters" in refused.json["detail"]
        assert 86_000 < int(refused.headers["Retry-After"]) <= 86_460
        assert (await service.post(API, BODY)).json["reused_from"] == second["job_id"]
        ncbi = await service.get("/blast/Blast.cgi?CMD=Put&PROGRAM=blastn&DATABASE=tnt&QUERY=" + "ACGTTGCA" * 20)
        assert "600 of 600 letters" in ncbi.text
        huge = await service.post(API, BODY | {"query": ">a\n" + "ACGTTGCA" * 100})
        assert huge.status == 422
        later = service.services.clock.now() + WINDOW * 1.01
        assert await service.store.read(lambda db: usage.spent(db, LOCAL, later)) == []


async def test_a_quota_holds_for_searches_that_come_at_once(database_folder: Path, tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [database_folder], limits__letters_per_day=1000) as service:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(service.post(API, BODY | {"reuse": False})) for _ in range(12)]
        statuses = sorted(task.result().status for task in tasks)
        assert statuses == [202] * 3 + [429] * 9
        assert (await service.get(API)).json["page"]["returned"] == 3
