"""Who waits for a search is woken by what is written of it; who sends many gets all answers before most of them start."""

import asyncio
from pathlib import Path

import pytest

from blastd.core.ids import JobId
from blastd.service.jobs import JobParts
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.fakes import FaultyEngine
from tests.patience import PATIENCE_SECONDS, eventually, rest
from tests.service import API, Answer, Service, serving


async def test_a_write_of_another_search_wakes_nobody(
    database_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine takes searches and says nothing more of them, so that nothing is written but by the test."""
    async with serving(tmp_path / "state", [database_folder], engines={"faulty": FaultyEngine()}) as service:
        row, other = [await service.submit(LAMBDA_QUERY, reuse=False) for _ in range(2)]
        await rest()
        jobs, reads = service.services.jobs, 0
        whole = jobs._intact

        async def counting(*given: object) -> JobParts:
            nonlocal reads
            reads += 1
            return await whole(*given)  # type: ignore[arg-type]  # whatever it takes

        async def write(job_id: str) -> None:
            await service.store.write(lambda db: db.execute("UPDATE job SET title = title"), of=[JobId(job_id)])
            await rest()

        monkeypatch.setattr(jobs, "_intact", counting)
        waiting = asyncio.create_task(service.get(f"{API}/{row['job_id']}?wait=60"))
        await eventually(lambda: asyncio.sleep(0, reads))
        await rest()
        begun = reads
        for _ in range(5):
            await write(other["job_id"])
        assert reads == begun
        await write(row["job_id"])
        assert reads == begun + 1
        await service.post(f"{API}/{row['job_id']}/cancel")
        assert (await waiting).json["phase"] in ("cancelling", "cancelled")


@pytest.mark.parametrize("letters", [36, 12])
async def test_a_wait_ends_with_the_search_by_any_of_its_names(service: Service, letters: int) -> None:
    row = await service.submit(SLOW_QUERY, **SLOW)
    name = row["job_id"] if letters == 36 else row["short_id"]

    async def runs() -> bool:
        return bool((await service.get(f"{API}/{name}?wait=5")).json["phase"] == "running")

    async def ended() -> Answer:
        while (answer := await service.get(f"{API}/{name}?wait=60")).json["phase"] == "running":
            pass  # a unit that ended answers, too
        return answer

    await eventually(runs)
    waiting = asyncio.create_task(ended())
    await rest()
    await service.post(f"{API}/{row['job_id']}/cancel")
    async with asyncio.timeout(50):  # less than it would wait of itself
        assert (await waiting).json["phase"] in ("cancelling", "cancelled")


async def test_searches_sent_together_are_answered_before_they_are_followed(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    starts = service.services.submit._starts
    start = starts._start

    def noted(job_id: JobId) -> None:
        seen.append(starts._in_hand)
        start(job_id)

    monkeypatch.setattr(starts, "_start", noted)
    monkeypatch.setattr(
        "blastd.service.search.starts.WAIT_SECONDS", PATIENCE_SECONDS
    )  # nothing but the last answer lets them go
    rows = await asyncio.gather(*(service.submit(LAMBDA_QUERY, reuse=False, title=str(n)) for n in range(20)))
    for row in rows:
        assert (await service.ended(row["job_id"]))["status"] == "completed"
    assert seen == [0] * 20


async def test_a_search_among_endless_others_starts_soon(service: Service) -> None:
    with service.services.submit._starts.request():  # somebody's, which takes its time
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await service.run(LAMBDA_QUERY))["status"] == "completed"
