"""Short duties never wait behind long favours."""

import asyncio
import os
import threading

from blastd.aio import FAVOURS, offload
from tests.databases import LAMBDA_QUERY, PROTEIN_QUERY
from tests.patience import PATIENCE_SECONDS
from tests.service import API, Service

EIGHT = 8
HEALTH = ("/readyz", "/livez", "/api/health", "/metrics", "/api/blast/databases", API)


async def test_U14_a_tiny_search_and_the_health_wait_for_no_favour(service: Service) -> None:
    """Eight reads that never end hold every thread for favours; the searches ask for databases that nobody asked for before."""
    let_go = threading.Event()
    async with asyncio.TaskGroup() as group:
        favours = [group.create_task(offload(let_go.wait)) for _ in range(EIGHT + 4)]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                for path in HEALTH:
                    assert (await service.get(path)).status == 200, path
                for asked in (
                    {},
                    {"database": ["tnt", "osame"], "reuse": False},
                    {"program": "blastp", "database": "taa"},
                ):
                    query = PROTEIN_QUERY if asked.get("program") else LAMBDA_QUERY
                    answer = await service.post(API, {"program": "blastn", "database": "tnt", "query": query} | asked)
                    if answer.status == 422:  # they share ids
                        continue
                    job = await service.ended(answer.json["job_id"])
                    assert job["status"] == "completed"
                    for path in (
                        "",
                        "/results",
                        "/results?format=csv",
                        "/hits",
                        "/queries",
                        "/query",
                        "/logs",
                        "/events",
                    ):
                        assert (await service.get(f"{API}/{job['job_id']}{path}")).status == 200, path
                for path in HEALTH:
                    assert (await service.get(path)).status == 200, path
            assert not any(favour.done() for favour in favours)
            assert len(FAVOURS.at_work()) >= EIGHT
        finally:
            let_go.set()


async def test_U14_a_result_that_became_a_pipe_holds_no_thread(service: Service) -> None:
    job = await service.run(LAMBDA_QUERY)
    [output] = (service.files.units_folder(job["job_id"])).glob("*.out")
    output.unlink()
    os.mkfifo(output)
    async with asyncio.timeout(PATIENCE_SECONDS):
        answers = [await service.get(f"{API}/{job['job_id']}/results") for _ in range(EIGHT + 1)]
    assert {(answer.status, answer.json["code"]) for answer in answers} == {(410, "result_missing")}
