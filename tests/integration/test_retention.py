"""Retention removes whatever is due in one pass, in pages, with everything that belongs to it."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from msgspec.structs import replace

from blastd.clock import SystemClock
from blastd.core.ids import JobId, Owner
from blastd.core.model import Job
from blastd.store import dbtasks, jobs, usage
from blastd.store.jobs import Idempotency
from tests.databases import LAMBDA_QUERY
from tests.service import API, Service, serving

MANY = 5000
OLD = timedelta(days=40)
TABLES = ("job", "unit", "event", "idempotency", "gone", "usage", "leftover", "query_text", "database_task", "artifact")


class LaterClock(SystemClock):
    """The time of now, or of a later day."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead.total_seconds()


def count(db: sqlite3.Connection) -> dict[str, int]:
    return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}  # noqa: S608  # names of this file


def add(sample: Job, ended: datetime, many: int) -> Callable[[sqlite3.Connection], list[JobId]]:
    """Return what adds *many* ended jobs with events and keys, as submits and moves do."""

    def work(db: sqlite3.Connection) -> list[JobId]:
        made = []
        for number in range(many):
            job = replace(
                sample,
                job_id=JobId(str(uuid4())),
                created_at=ended,
                updated_at=ended,
                finished_at=ended,
                owner=Owner(f"o{number % 7}"),
            )
            key = Idempotency(owner=job.owner, key=f"{job.job_id}", body_sha256="x")
            jobs.insert(db, job, (), ended, key)
            for _ in range(4):
                jobs.add_event(db, job, "moved", ended, {"text": "x" * 200})
            usage.add(db, job.owner, 100, ended)
            made.append(job.job_id)
        return made

    return work


async def sample_of(service: Service) -> Job:
    row = await service.run(LAMBDA_QUERY)
    job = await service.store.read(lambda db: jobs.get(db, JobId(row["job_id"])))
    assert job is not None
    return job


async def test_U16_thousands_of_expired_jobs_go_in_one_pass(database_folder: Path, tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [database_folder], without=["retention"]) as service:
        sample = await sample_of(service)
        ended = service.services.clock.now() - OLD
        gone: list[JobId] = []
        for _ in range(MANY // 500):
            gone += await service.store.write(add(sample, ended, 500))
        for job_id in gone[:50]:
            service.files.units_folder(job_id).mkdir(parents=True)
            (service.files.units_folder(job_id) / "0.out").write_text("x")
        before = await service.store.read(count)
        assert before["job"] == MANY + 1
        assert before["event"] > 5 * MANY
        holds: list[float] = []
        probing = asyncio.get_running_loop().create_task(probe(holds))
        await service.parts.retention.run_once()
        probing.cancel()
        after = await service.store.read(count)
        assert after["job"] == 1
        assert after["idempotency"] == 0
        assert after["event"] <= MANY + before["event"] - 5 * MANY  # that it expired, which a page that is open hears
        assert after["usage"] <= 1
        assert not [job_id for job_id in gone[:50] if service.files.job_folder(job_id).exists()]
        assert max(holds) < 0.05
        answer = await service.get(f"{API}/{gone[0]}", headers={})
        assert answer.status in (404, 410)


async def probe(holds: list[float]) -> None:
    """Note for how long the loop's thread worked between two turns of this task."""
    last = time.thread_time()
    while True:
        await asyncio.sleep(0.001)
        now = time.thread_time()
        holds.append(now - last)
        last = now


async def test_U16_tombstones_go_too_and_the_store_gets_no_bigger(database_folder: Path, tmp_path: Path) -> None:
    clock = LaterClock()
    async with serving(tmp_path / "state", [database_folder], clock=clock, without=["retention"]) as service:
        sample = await sample_of(service)
        sizes = []
        for _ in range(3):
            await service.store.write(add(sample, clock.now() - OLD, 1000))
            await service.parts.retention.run_once()
            assert (await service.store.read(count))["gone"] >= 1000
            clock.ahead += timedelta(days=91)
            await service.store.write(add(sample, clock.now(), 1))
            await service.parts.retention.run_once()
            await service.parts.retention.run_once()
            rows = await service.store.read(count)
            assert rows["event"] + rows["idempotency"] + rows["gone"] <= 30
            sizes.append(await service.store.read(pages))
        assert sizes[-1] <= sizes[0] + 50


def pages(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA page_count").fetchone()[0])


async def test_a_store_that_became_empty_becomes_small(database_folder: Path, tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [database_folder], without=["retention"]) as service:
        sample = await sample_of(service)
        await service.store.write(add(sample, service.services.clock.now() - OLD, 3000))
        large = await service.store.read(pages)
        await service.parts.retention.run_once()
        assert await service.store.read(pages) < large * 0.6


@pytest.mark.parametrize(("days", "stays"), [(0.0, True), (10.0, False)])
async def test_a_replaced_database_stays_pinned_as_long_as_the_setting_says(
    database_folder: Path, tmp_path: Path, days: float, stays: bool
) -> None:
    clock = LaterClock()
    flags: dict[str, Any] = {"retention__days": 365, "retention__generations_days": days}
    async with serving(tmp_path / "state", [database_folder], clock=clock, without=["retention"], **flags) as service:
        job = await sample_of(service)
        pinned = service.files.generations / job.databases[0].fingerprint
        assert pinned.is_dir()
        clock.ahead = timedelta(days=11)
        await service.parts.retention.run_once()
        assert pinned.is_dir() is stays


async def test_old_tasks_go_but_not_the_one_that_says_whose_a_database_is(service: Service) -> None:
    now = service.services.clock.now()

    def work(db: sqlite3.Connection) -> list[str]:
        for number, (name, status) in enumerate(
            [("a", "completed"), ("a", "completed"), ("b", "failed"), ("c", "completed")]
        ):
            dbtasks.insert(db, f"t{number}", Owner("o"), name, {}, now - OLD * 4 + timedelta(seconds=number))
            how: Any = {"fingerprint": "x"} if status == "completed" else {"error_code": "x", "error": "x"}
            dbtasks.end(db, f"t{number}", now - OLD * 4, **how)
        dbtasks.forget(db, now - OLD, 10)
        return [task.task_id for task in dbtasks.page(db)]

    assert sorted(await service.store.write(work)) == ["t1", "t3"]
