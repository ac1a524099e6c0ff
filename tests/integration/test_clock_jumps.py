"""Somebody sets the clock of the machine while searches wait and run: rows stay sane, and what lasted is what passed."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.fakes import JumpyClock
from tests.patience import PATIENCE_SECONDS
from tests.service import API, Service, serving

MOST_MS = 120_000  # what these searches take on any machine


def sane(row: dict[str, Any]) -> None:
    created, started, finished = (
        datetime.fromisoformat(row[name]) for name in ("created_at", "started_at", "finished_at")
    )
    assert created <= started <= finished
    assert (finished - created).total_seconds() * 1000 < MOST_MS
    begun = [step for step in row["steps"] if step["started_at"] is not None]
    for step in begun:
        assert datetime.fromisoformat(step["started_at"]) >= created, step
        assert 0 <= step["duration_ms"] < MOST_MS, step


async def waits(service: Service, job_id: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(6000):
            if (await service.get(f"{API}/{job_id}")).json["waiting_for"] == "slot":
                return
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("jumps", [(-3600.0,), (62 * 86400.0,), (-3600.0, 7200.0), (86400.0, -2 * 86400.0, 1.0)])
async def test_a_clock_that_is_set_leaves_rows_sane(
    tmp_path: Path, database_folder: Path, jumps: tuple[float, ...]
) -> None:
    clock = JumpyClock()
    async with serving(tmp_path / "state", [database_folder], clock=clock, local__slots=1) as service:
        holder = (await service.submit(SLOW_QUERY, **SLOW))["job_id"]
        queued = [(await service.submit(LAMBDA_QUERY, reuse=False))["job_id"] for _ in range(3)]
        for job_id in queued:
            await waits(service, job_id)
        for jump in jumps:
            clock.ahead += jump
            await asyncio.sleep(0.02)
        assert (await service.post(f"{API}/{holder}/cancel")).status == 202
        sane(await service.ended(holder))
        for job_id in queued:
            row = await service.ended(job_id)
            assert row["status"] == "completed"
            sane(row)
            steps = {step["name"]: step for step in row["steps"]}
            assert steps["waiting"]["duration_ms"] > steps["submitting"]["duration_ms"]
        sane(await service.run(LAMBDA_QUERY, reuse=False))
