"""What tests of fetches share: a service with sources, orders and their ends, and faults of a mirror."""

import re
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests import mirror
from tests.mirror import NAME, QUERY, Handler, Mirror
from tests.patience import eventually
from tests.service import Service, serving

DATABASES = "/api/blast/databases"
TASKS = "/api/blast/database-tasks"
FIRST = f"{NAME}.00.tar.gz"
QUICK: dict[str, Any] = {"databases__fetch_retry_seconds": 0.02, "databases__stall_seconds": 0.5}


def switch(source: Mirror, version: Path) -> None:
    """Publish another version, file by file, as mirrors are filled."""
    for path in version.iterdir():
        shutil.copy(path, source.folder / path.name)


@asynccontextmanager
async def fetching(tmp_path: Path, *sources: dict[str, Any], **more: Any) -> AsyncIterator[Service]:
    empty = tmp_path / "empty"
    empty.mkdir(exist_ok=True)
    async with serving(tmp_path / "state", [empty], databases__sources=list(sources), **QUICK | more) as service:
        yield service


def ncbi(source: Mirror, **more: Any) -> dict[str, Any]:
    return {"name": "ncbi", "layout": "ncbi", "url": source.url} | more


async def fetch(service: Service, name: str = NAME, **more: Any) -> dict[str, Any]:
    answer = await service.post(f"{DATABASES}/fetch", {"name": name} | more)
    assert answer.status == 202, answer.text
    task: dict[str, Any] = answer.json["task"]
    return task


async def ended(service: Service, task: dict[str, Any], status: str = "completed") -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def over() -> bool:
        nonlocal found
        found = (await service.get(f"{TASKS}/{task['id']}")).json["task"]
        return found["status"] in ("completed", "failed", "cancelled")

    await eventually(over)
    assert found["status"] == status, found
    return found


async def nothing_left(service: Service) -> bool:
    """Tell whether no fetch owns anything any more."""
    return not [path for path in service.files.tmp.iterdir() if path.name.startswith("fetch-")]


async def versions_found(service: Service, name: str = NAME, query: str = QUERY) -> list[str]:
    """Search, and return which versions the subjects are of."""
    row = await service.run(f">q\n{query}\n", database=name, reuse=False)
    assert row["status"] == "completed", row
    table = (await service.get(f"/api/blast/jobs/{row['job_id']}/results?format=tabular")).text
    return [line.split("\t")[1].partition("s")[0] for line in table.splitlines()]


def once(path: str, answer: Callable[[Handler, str], bool], times: int = 1) -> mirror.Fault:
    """Answer so many GETs of a path in another way."""
    left = times

    def fault(handler: Handler, asked: str) -> bool:
        nonlocal left
        if asked != path or handler.command != "GET" or left <= 0:
            return False
        left -= 1
        return answer(handler, asked)

    return fault


LIST = "blastdb-metadata-1-1.json"
Kind = Callable[[Path], mirror.Fault]
"""Makes a fault, given the state folder of the service."""


def publish(source: Mirror, versions: list[Path], turn: int) -> str:
    """Publish the next of the versions as a newer one, and return its name in results."""
    switch(source, versions[turn % 3])
    text = (source.folder / LIST).read_text()
    (source.folder / LIST).write_text(re.sub(r"2026-01-\d\dT", f"{3000 + turn}-01-01T", text))
    return f"v{turn % 3 + 1}"
