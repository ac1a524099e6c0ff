"""Who waits for a search is woken by what is written of it; who sends many gets all answers before most of them start."""

import asyncio

import pytest

from blastd.core.ids import JobId
from blastd.service.jobs import JobParts
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.service import API, Service


async def test_a_write_of_another_search_wakes_nobody(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    blockers = [await service.submit(SLOW_QUERY, **SLOW) for _ in range(2)]  # as many as there are slots
    row = await service.submit(LAMBDA_QUERY)
    jobs, reads = service.services.jobs, 0
    whole = jobs._whole

    async def counting(*given: object) -> JobParts:
        nonlocal reads
        reads += 1
        return await whole(*given)  # type: ignore[arg-type]  # whatever it takes

    await asyncio.sleep(1.0)  # until places are written
    before = (await service.get(f"{API}/{row['job_id']}")).json
    monkeypatch.setattr(jobs, "_whole", counting)
    waiting = asyncio.create_task(service.get(f"{API}/{row['job_id']}?wait=0.7"))
    await asyncio.sleep(0.2)
    for _ in range(5):
        await service.store.write(
            lambda db: db.execute("UPDATE job SET title = title"), of=[JobId(blockers[0]["job_id"])]
        )
    after = (await waiting).json
    assert after["queue_position"] == before["queue_position"]
    assert reads == 1
    for each in (*blockers, row):
        await service.post(f"{API}/{each['job_id']}/cancel")


@pytest.mark.parametrize("letters", [36, 12])
async def test_a_wait_ends_with_the_search_by_any_of_its_names(service: Service, letters: int) -> None:
    row = await service.submit(SLOW_QUERY, **SLOW)
    name = row["job_id"] if letters == 36 else row["short_id"]
    found = (await service.get(f"{API}/{name}?wait=5")).json
    assert found["phase"] == "running" or found["status"] == "running"
    waiting = asyncio.create_task(service.get(f"{API}/{name}?wait=30"))
    await asyncio.sleep(0.2)
    await service.post(f"{API}/{row['job_id']}/cancel")
    async with asyncio.timeout(5):
        assert (await waiting).json["phase"] in ("cancelling", "cancelled")


async def test_searches_sent_together_are_answered_before_they_are_followed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    rush = service.services.submit._rush
    start = rush._start

    def noted(job_id: JobId) -> None:
        seen.append(rush._in_hand)
        start(job_id)

    monkeypatch.setattr(rush, "_start", noted)
    monkeypatch.setattr("blastd.service.rush.WAIT_SECONDS", 30.0)  # nothing but the last answer lets them go
    rows = await asyncio.gather(*(service.submit(LAMBDA_QUERY, reuse=False, title=str(n)) for n in range(20)))
    for row in rows:
        assert (await service.ended(row["job_id"]))["status"] == "completed"
    assert seen == [0] * 20


async def test_a_search_among_endless_others_starts_soon(service: Service) -> None:
    with service.services.submit._rush.request():  # somebody's, which takes its time
        async with asyncio.timeout(20):
            assert (await service.run(LAMBDA_QUERY))["status"] == "completed"
