"""The whole service in this process, behind a real socket: real store, real BLAST+, the daemon's own runner."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from blastd.blastplus import tools as blast
from blastd.blastplus.shelf import Shelf
from blastd.chance import SystemChance
from blastd.clock import Clock, SystemClock
from blastd.config import Settings, load
from blastd.engines.local.engine import LocalEngine, LocalSettings
from blastd.metrics import Metrics
from blastd.service import Services
from blastd.service.databases import Databases
from blastd.store.files import Files
from blastd.store.sqlite import Database, open_database
from blastd.tracking.finish import Finisher
from blastd.tracking.launch import Launcher, LaunchSettings
from blastd.tracking.look import Looks
from blastd.tracking.tracker import Tracker
from blastd.web.app import make_app, make_runner

API = "/api/blast/jobs"


class Service:
    """A running service and a client of it."""

    def __init__(
        self, url: str, services: Services, store: Database, files: Files, http: aiohttp.ClientSession
    ) -> None:
        self.url, self.services, self.store, self.files, self.http = url, services, store, files, http

    async def ask(self, method: str, path: str, **how: Any) -> "Answer":
        """Send a request and read its whole answer."""
        async with self.http.request(method, self.url + path, **how) as response:
            return Answer(response.status, response.headers, await response.read())

    async def get(self, path: str, **how: Any) -> "Answer":
        return await self.ask("GET", path, **how)

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
        async with asyncio.timeout(60):
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
async def serving(  # clock is Any, since mypy would give it a place in **flags of any dict
    state: Path, folders: list[Path], *, clock: Any = None, **flags: Any
) -> AsyncIterator[Service]:
    """Run a service on *state* with the databases of *folders*; *flags* are settings such as server__base_path."""
    given = {name.replace("__", "."): value for name, value in flags.items()}
    settings = load(
        None, {}, {"store.state_dir": state, "databases.dirs": folders, "retention.disk_floor_bytes": 0} | given
    )
    async with (
        open_database(settings.store.file) as store,
        _parts(settings, store, clock or SystemClock()) as (
            services,
            files,
        ),
    ):
        runner = make_runner(make_app(services, settings))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            async with aiohttp.ClientSession() as http:
                yield Service(f"http://127.0.0.1:{runner.addresses[0][1]}", services, store, files, http)
        finally:
            services.stopping.set()
            await runner.cleanup()


@asynccontextmanager
async def _parts(settings: Settings, store: Database, clock: Clock) -> AsyncIterator[tuple[Services, Files]]:
    metrics, files = Metrics(), Files(settings.store.folder, SystemChance())
    found = await blast.find(None, os.environ["PATH"], str(settings.store.folder))
    databases = Databases(
        folders=settings.databases.dirs,
        tools=found,
        store=store,
        files=files,
        clock=clock,
        chance=SystemChance(),
        rescan_seconds=0,
        floor_bytes=0,
    )
    await databases.rescan()
    shelf = Shelf(files.generations, databases.current, SystemChance())
    local = LocalSettings(
        slots=settings.local.slots or 2, together=settings.local.together, nice=0, programs=found.paths, environment=found.environment,
        blast_version=found.version,
    )  # fmt: skip
    engine = LocalEngine(local, settings.store.folder, clock)
    engines = {"local": engine}
    launcher = Launcher(store, files, shelf, clock, LaunchSettings(time_limit_seconds=600, memory_limit_bytes=None))
    finisher = Finisher(store, files, shelf, clock, metrics)
    policy = settings.tracking.intervals()
    tracker = Tracker(
        store,
        engines,
        Looks(store, engines, launcher, finisher, clock, SystemChance(), policy, metrics),
        clock,
        policy,
        metrics,
    )
    services = Services(
        settings=settings, clock=clock, chance=SystemChance(), metrics=metrics, store=store, files=files, tracker=tracker,
        shelf=shelf, databases=databases, tools=found, offered=await blast.offered(found), version="test",
    )  # fmt: skip
    async with asyncio.TaskGroup() as group:
        roots = [group.create_task(engine.run()), group.create_task(tracker.run())]
        roots += [group.create_task(_run(work)) for work in services.roots().values()]
        try:
            yield services, files
        finally:
            for root in roots:
                root.cancel()


async def _run(work: Any) -> None:
    await work()
