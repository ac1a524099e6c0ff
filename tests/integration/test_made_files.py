"""Files of results that have to be made are work: one making for all, turns, progress, an end when somebody says so."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS, eventually
from tests.service import API, Answer, Service, serving
from tests.wrappers import linked, put, real

HELD = """#!/bin/sh
case "$*" in *"-outfmt 5"*) echo "$$" >> {folder}/asked; while [ -e {folder}/hold ]; do sleep 0.02; done;; esac
exec {real} "$@"
"""
"""blastn that writes XML once nobody holds it."""


@pytest.fixture
def held(tmp_path: Path) -> Path:
    """A folder of BLAST+ in which XML is not written while its file `hold` exists; `asked` has a line for each try."""
    folder = linked(tmp_path / "bin")
    (folder / "hold").touch()
    put(folder, "blastn", HELD.format(folder=folder, real=real("blastn")))
    return folder


def asked(folder: Path) -> int:
    return len((folder / "asked").read_text().splitlines()) if (folder / "asked").exists() else 0


async def until(true: Callable[[], bool | Awaitable[bool]]) -> None:
    async def look() -> bool:
        found = true()
        return found if isinstance(found, bool) else await found

    await eventually(look)


async def xml(service: Service, job_id: str, wait: float = 0) -> Answer:
    return await service.get(f"{API}/{job_id}/results?format=xml&wait={wait}")


async def test_Y04_a_format_that_lasts_is_202_with_progress_and_one_making_for_all(
    tmp_path: Path, database_folder: Path, held: Path
) -> None:
    async with serving(tmp_path / "state", [database_folder], blast__bin=held) as service:
        row = await service.run(LAMBDA_QUERY)
        answers = await asyncio.gather(*(xml(service, row["job_id"]) for _ in range(5)))
        assert [answer.status for answer in answers] == [202] * 5
        await until(lambda: asked(held) == 1)

        async def writes() -> bool:
            return bool((await xml(service, row["job_id"])).json["step"] == "writing")

        await until(writes)
        answer = await xml(service, row["job_id"])
        assert 0.5 <= answer.json["fraction"] < 1
        assert answer.headers["Retry-After"] == "2"
        assert answer.headers["Location"] == answer.json["links"]["result"]
        assert answer.json["links"]["result"].endswith("/results?format=xml&wait=0")
        page = await service.get(f"{API}/{row['job_id']}/results?format=xml&wait=0", headers={"Accept": "text/html"})
        assert (page.status, page.headers["Refresh"]) == (202, "2")
        waiting = [asyncio.create_task(xml(service, row["job_id"], 60)) for _ in range(3)]
        (held / "hold").unlink()
        assert {(await one).status for one in waiting} == {200}
        assert (await xml(service, row["job_id"])).body.startswith(b"<?xml")
        assert asked(held) == 1


async def test_Y04_a_format_is_cancelled_and_leaves_nothing(tmp_path: Path, database_folder: Path, held: Path) -> None:
    async with serving(tmp_path / "state", [database_folder], blast__bin=held) as service:
        row = await service.run(LAMBDA_QUERY)
        assert (await xml(service, row["job_id"])).status == 202
        await until(lambda: asked(held) == 1)
        waiting = asyncio.create_task(xml(service, row["job_id"], 60))
        address = f"{API}/{row['job_id']}/results?format=xml"
        assert (await service.ask("DELETE", address)).status == 204
        answer = await waiting
        assert (answer.status, answer.json["code"]) == (409, "conflict"), answer.text
        schedule = service.parts.turns.schedule
        await until(lambda: schedule.used == 0)
        assert list(service.files.tmp.iterdir()) == []
        assert (await service.ask("DELETE", address)).status == 204  # harmless
        (held / "hold").unlink()
        assert (await xml(service, row["job_id"], 60)).status == 200


async def test_Y02_a_small_format_is_not_behind_big_ones_that_hold_every_slot(
    tmp_path: Path, database_folder: Path, held: Path
) -> None:
    """What holds the slots are formats that last as long as they like; the other owner's is of a tiny search."""
    flags: dict[str, Any] = {"blast__bin": held, "local__express": 1, "local__slots": 1}
    async with serving(tmp_path / "state", [database_folder], **flags) as service:
        rows = [await service.run(LAMBDA_QUERY, reuse=False) for _ in range(2)]
        assert (await xml(service, rows[0]["job_id"])).status == 202
        await until(lambda: asked(held) == 1)
        async with asyncio.timeout(PATIENCE_SECONDS):
            pairwise = await service.get(f"{API}/{rows[1]['job_id']}/results?format=pairwise&wait=60")
        assert pairwise.status == 200
        assert service.parts.turns.schedule.used == 1  # the big one goes on
        (held / "hold").unlink()
        assert (await xml(service, rows[0]["job_id"], 60)).status == 200


async def test_Y01_a_tiny_search_is_not_behind_a_long_one_that_holds_every_slot(
    tmp_path: Path, database_folder: Path
) -> None:
    async with serving(tmp_path / "state", [database_folder], local__slots=1, local__express=1) as service:
        long = await service.submit(SLOW_QUERY, **SLOW)

        async def runs() -> bool:
            return bool((await service.get(f"{API}/{long['job_id']}")).json["status"] == "running")

        await until(runs)
        tiny = await service.run(LAMBDA_QUERY, reuse=False)
        assert tiny["status"] == "completed"
        assert (await service.get(f"{API}/{long['job_id']}")).json["status"] == "running"
        await service.post(f"{API}/{long['job_id']}/cancel")


async def test_a_format_that_fails_says_so_to_all_and_is_not_tried_for_each(
    tmp_path: Path, database_folder: Path, held: Path
) -> None:
    put(
        held,
        "blastn",
        HELD.format(folder=held, real=real("blastn")).replace(
            "exec", 'case "$*" in *"-outfmt 5"*) exit 3;; esac\nexec'
        ),
    )
    async with serving(tmp_path / "state", [database_folder], blast__bin=held) as service:
        row = await service.run(LAMBDA_QUERY)
        (held / "hold").unlink()
        for _ in range(3):
            answer = await xml(service, row["job_id"], 60)
            assert (answer.status, answer.json["code"]) == (500, "tool_failed"), answer.text
        assert asked(held) == 1
