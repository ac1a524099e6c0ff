"""The whole service in this process, behind a real socket: real store, real BLAST+, the daemon's own runner."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from msgspec.structs import replace

from blastd.clock import SystemClock
from blastd.config import load
from blastd.daemon import Parts, build, running
from tests import lent
from tests.patience import PATIENCE_SECONDS, watch_threads

API = "/api/blast/jobs"
QUIET: dict[str, object] = {
    "server.listen": "127.0.0.1:0",
    "databases.rescan_seconds": 0,
    "local.slots": 2,
    "local.express": 0,  # so that what holds the slots keeps others waiting
    "local.threads": 1,
    "local.nice": 0,
    "retention.disk_floor_bytes": 0,
}
"""Settings under which nothing happens that a test does not ask for."""


class Service:
    """A running service and a client of it."""

    def __init__(self, url: str, parts: Parts, http: aiohttp.ClientSession) -> None:
        self.url, self.parts, self.http = url, parts, http
        self.services, self.store, self.files = parts.services, parts.store, parts.files

    async def ask(self, method: str, path: str, **how: Any) -> "Answer":
        """Send a request and read its whole answer."""
        async with self.http.request(method, self.url + path, **how) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **how: Any) -> "Answer":
        """GET; a file of results that is being made is asked for until it is there."""
        while True:
            answer = await self.ask("GET", path, **how)
            if answer.status != 202 or "wait=" in path:
                return answer

    async def post(self, path: str, body: Any = None, **how: Any) -> "Answer":
        """POST JSON, or bytes as they are."""
        if isinstance(body, bytes):
            return await self.ask("POST", path, data=body, **how)
        return await self.ask("POST", path, **({"json": body} if body is not None else {}), **how)

    async def submit(self, query: str, **more: Any) -> dict[str, Any]:
        """Submit a search that must be accepted."""
        headers = more.pop("headers", {})
        answer = await self.post(API, {"program": "blastn", "database": "tnt", "query": query} | more, headers=headers)
        assert answer.status == 202, answer.text
        row: dict[str, Any] = answer.json
        return row

    async def ended(self, job_id: str, **how: Any) -> dict[str, Any]:
        """Return the row once the job has ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                answer = await self.get(f"{API}/{job_id}?wait=20", **how)
                assert answer.status == 200, answer.text
                row: dict[str, Any] = answer.json
                if row["status"] in ("completed", "failed", "cancelled"):
                    return row

    async def run(self, query: str, **more: Any) -> dict[str, Any]:
        """Submit and wait for the end."""
        return await self.ended((await self.submit(query, **more))["job_id"])


class Answer:
    """An answer that has been read."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        import json

        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


@asynccontextmanager
async def serving(  # Any, since mypy would give the named ones a place in **flags of any dict
    state: Path,
    folders: list[Path],
    *,
    clock: Any = None,
    engines: Any = None,
    outside: Any = None,
    without: Any = (),
    scanned: Any = True,
    **flags: Any,
) -> AsyncIterator[Service]:
    """Run a service on *state* with the databases of *folders*, but the roots *without*; *flags* like server__base_path."""
    given = {name.replace("__", "."): value for name, value in flags.items()}
    settings = load(None, {}, QUIET | {"store.state_dir": state, "databases.dirs": folders} | given)
    watch_threads()
    lent.lend(state)
    async with build(settings, clock or SystemClock(), engines, outside) as made:
        parts = replace(made, roots={name: work for name, work in made.roots.items() if name not in without})
        async with running(parts) as url, aiohttp.ClientSession() as http:
            if scanned:
                await parts.services.databases.scanned.wait()
            lent.keep(state)
            yield Service(url, parts, http)
