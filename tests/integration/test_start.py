"""The service listens before it has looked through its databases, and says so."""

import asyncio
from pathlib import Path

import pytest

from blastd.service.databases import scanning
from tests.databases import LAMBDA_QUERY
from tests.service import API, serving

CATALOGUE = "/api/blast/databases"


async def test_it_answers_before_its_databases_are_known(
    database_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scanning, "SCAN_SECONDS", 0.0)
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
    async with serving(tmp_path / "state", [database_folder], scanned=False, without=["rescan"]) as service:
        assert (await service.get("/livez")).status == 200
        ready = await service.get("/readyz")
        assert (ready.status, "scanning" in ready.text) == (503, True)
        catalogue = (await service.get(CATALOGUE)).json
        assert (catalogue["databases"], catalogue["scanning"]) == ([], True)
        answer = await service.post(API, body)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
        assert "scanning" in answer.json["detail"]
        await service.services.databases.rescan()
        assert (await service.get("/readyz")).status == 200
        catalogue = (await service.get(CATALOGUE)).json
        assert "tnt" in [database["name"] for database in catalogue["databases"]]
        assert catalogue["scanning"] is False
        assert (await service.post(API, body)).status == 202


async def test_a_submit_of_the_first_moments_waits_for_its_database(database_folder: Path, tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [database_folder], scanned=False, without=["rescan"]) as service:
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(service.submit(LAMBDA_QUERY))
            await service.get("/livez")
            assert not waiting.done()
            await service.services.databases.rescan()
        assert (await service.ended(waiting.result()["job_id"]))["status"] == "completed"


async def test_a_search_that_a_restart_resumes_waits_for_its_database(database_folder: Path, tmp_path: Path) -> None:
    """Nothing is gone before it was looked for, not even a database that is pinned nowhere."""
    async with serving(tmp_path / "state", [database_folder], without=["tracker"]) as service:
        row = await service.submit(LAMBDA_QUERY)
        for pinned in list(service.files.generations.iterdir()):
            pinned.rename(tmp_path / pinned.name)
    async with serving(tmp_path / "state", [database_folder], scanned=False, without=["rescan"]) as service:
        assert (await service.get(f"{API}/{row['job_id']}?wait=1")).json["status"] in ("queued", "running")
        await service.services.databases.rescan()
        assert (await service.ended(row["job_id"]))["status"] == "completed"
