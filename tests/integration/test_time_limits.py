"""A time limit is the search's: over all its parts, as its owner asked within the operator's, and true after a restart."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from blastd.core.ids import JobId
from blastd.engines.local.held import RunTime
from blastd.store import jobs
from blastd.tracking import tracker
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import eventually
from tests.service import API, Service, serving

SOME_SLOW = "".join(f">s{part}" for part in SLOW_QUERY.split(">s")[1:17])
"""Four parts of about three seconds each, of one core."""


def seconds(units: list[dict[str, Any]]) -> float:
    """Return how long processes of units ran, one after the other."""
    ran = [(unit["started_at"], unit["ended_at"]) for unit in units if unit["started_at"] and unit["ended_at"]]
    return sum((datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds() for start, end in ran)


async def attempts(service: Service, job_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await service.get(f"{API}/{job_id}/logs")).json["attempts"]
    return found


def test_Y10_only_time_in_which_something_ran_counts() -> None:
    time = RunTime(3.0)
    assert time.seconds(100.0) == 3.0
    time.begin(100.0)
    time.begin(101.0)
    time.end(102.0)
    assert time.seconds(104.0) == 7.0
    time.end(105.0)
    assert time.seconds(200.0) == 8.0
    time.begin(200.0)
    assert time.seconds(201.0) == 9.0


async def test_Y10_a_time_limit_holds_over_all_parts_of_a_search(tmp_path: Path, database_folder: Path) -> None:
    async with serving(tmp_path, [database_folder], local__slots=1) as service:
        row = await service.run(SOME_SLOW, **SLOW, time_limit_seconds=5)
        assert row["time_limit_seconds"] == 5
        assert row["progress"]["units_total"] > 1
        assert (row["status"], row["error_code"]) == ("failed", "time_limit")
        assert "5 s" in row["error"]
        assert seconds(await attempts(service, row["job_id"])) < 2 * 5


async def test_Y10_a_restart_gives_no_time_back_and_a_retry_does(
    tmp_path: Path, database_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracker, "RUN_TIMES_SECONDS", 0.1)
    async with serving(tmp_path, [database_folder], local__slots=1) as service:
        job_id = JobId((await service.submit(SLOW_QUERY, **SLOW, time_limit_seconds=6))["job_id"])

        async def noted() -> bool:
            job = await service.store.read(lambda db: jobs.get(db, job_id))
            return job is not None and job.ran_ms > 4000

        await eventually(noted)
    async with serving(tmp_path, [database_folder], local__slots=1) as service:
        row = await service.ended(job_id)
        assert (row["status"], row["error_code"]) == ("failed", "time_limit")
        begun = [unit["started_at"] for unit in await attempts(service, job_id) if unit["error_code"] == "time_limit"]
        assert (datetime.fromisoformat(row["finished_at"]) - datetime.fromisoformat(begun[0])).total_seconds() < 4
        await service.post(f"{API}/{job_id}/retry")
        job = await service.store.read(lambda db: jobs.get(db, job_id))
        assert job is not None
        assert job.ran_ms < 4000


async def test_Y10_what_is_longer_than_the_operator_allows_is_refused_with_his_limit(
    tmp_path: Path, database_folder: Path
) -> None:
    async with serving(tmp_path, [database_folder], local__time_limit_seconds=3600) as service:
        search = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
        answer = await service.post(API, search | {"time_limit_seconds": 3601})
        assert answer.status == 422
        assert answer.json["errors"] == [
            {"pointer": "/time_limit_seconds", "detail": "The local engine lets a search run for 3,600 s at most."}
        ]
        assert (await service.post(API, search | {"time_limit_seconds": 0})).status == 422
        assert (await service.run(LAMBDA_QUERY, time_limit_seconds=3600))["status"] == "completed"
        fasta = await service.ask(
            "POST", f"{API}?program=blastn&database=tnt&time_limit_seconds=60", data=LAMBDA_QUERY.encode()
        )
        assert fasta.json["time_limit_seconds"] == 60
