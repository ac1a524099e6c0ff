"""Cancels in crowds, and cancels before a task's first step: what a task was given always comes back."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from blastd.engines.local.engine import LocalEngine
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS
from tests.receiver import Receiver
from tests.service import API, Service, serving

NAMES = ("unit-", "shared-", "poll-", "look-", "webhook-")
SEARCHES = 40


def cancelling(name: str, times: int) -> Callable[..., asyncio.Task[Any]]:
    """Return what makes tasks, and cancels the first *times* of those called *name* before their first step."""
    left = times

    def make(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
        return Named(work, loop=loop, told=told, **more)

    def told(task: asyncio.Task[Any]) -> None:
        nonlocal left
        if left and task.get_name().startswith(name):
            left -= 1
            task.cancel()

    return make


class Named(asyncio.Task):  # type: ignore[type-arg]  # of any result
    """A task that tells when it gets its name, which is in the turn of the loop in which it is made."""

    def __init__(
        self, work: Coroutine[Any, Any, Any], *, told: Callable[[asyncio.Task[Any]], None], **more: Any
    ) -> None:
        super().__init__(work, **more)
        self._told = told

    def set_name(self, value: object) -> None:
        super().set_name(value)
        self._told(self)


def engine_of(service: Service) -> LocalEngine:
    engine = service.parts.engines["local"]
    assert isinstance(engine, LocalEngine)
    return engine


async def at_rest(service: Service) -> None:
    """Wait until nothing is held for any search."""
    engine = engine_of(service)
    async with asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(6000):
            if (engine._slots.used, engine._held, service.parts.tracker.pollers) == (0, {}, 0):
                return
            await asyncio.sleep(0.01)
    assert (engine._slots.used, engine._held) == (0, {})


@pytest.mark.parametrize("name", NAMES)
async def test_U02_a_task_that_is_cancelled_before_its_first_step_gives_all_back(
    tmp_path: Path, database_folder: Path, name: str
) -> None:
    hooks: dict[str, Any] = {"webhooks__secret": "0123456789abcdef0123456789", "webhooks__allowed_hosts": ["127.0.0.1"]}
    with closing(Receiver()) as receiver:
        flags: dict[str, Any] = {"local__slots": 1, "local__together": 8} | hooks
        async with serving(tmp_path / "state", [database_folder], **flags) as service:
            await _all_come_back(service, receiver, name)


async def _all_come_back(service: Service, receiver: Receiver, name: str) -> None:
    holder = (await service.submit(SLOW_QUERY, **SLOW))["job_id"]
    loop = asyncio.get_running_loop()
    loop.set_task_factory(cancelling(name, 2))
    try:
        more = {"webhook": receiver.url, "reuse": False}
        found = [(await service.submit(LAMBDA_QUERY, **more))["job_id"] for _ in range(5)]
        assert (await service.post(f"{API}/{holder}/cancel")).status == 202
        for job_id in found:  # a poller that was cancelled is given again by reconcile
            service.parts.tracker.follow(job_id)
            row = await service.ended(job_id)
            assert row["status"] in ("completed", "cancelled", "failed"), row
    finally:
        loop.set_task_factory(None)
    await at_rest(service)
    await receiver.count(len(found))
    assert (await service.run(LAMBDA_QUERY, reuse=False))["status"] == "completed"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("together", [1, 8])
async def test_U01_crowds_of_cancels_leave_every_slot_free(
    tmp_path: Path, database_folder: Path, seed: int, together: int
) -> None:
    chance = random.Random(seed)
    flags: dict[str, Any] = {"local__slots": 2, "local__together": together}
    async with serving(tmp_path / "state", [database_folder], **flags) as service:
        rows = await asyncio.gather(*(service.submit(LAMBDA_QUERY, reuse=False) for _ in range(SEARCHES)))

        async def cancel(job_id: str) -> None:
            for _ in range(chance.randrange(12)):
                await asyncio.sleep(0)
            await asyncio.sleep(chance.choice((0, 0, 0.01, 0.1)))
            assert (await service.post(f"{API}/{job_id}/cancel")).status in (200, 202, 409)

        await asyncio.gather(*(cancel(row["job_id"]) for row in rows))
        for row in rows:
            assert (await service.ended(row["job_id"]))["status"] in ("cancelled", "completed")
        await at_rest(service)
        assert (await service.run(LAMBDA_QUERY, reuse=False))["status"] == "completed"
