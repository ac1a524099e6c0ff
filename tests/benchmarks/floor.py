"""The least that a durable queue over HTTP does here: what blastd's burst figures are compared with.

    python -m tests.benchmarks.floor --folder FOLDER --database NAME --port PORT

It takes the same POST, keeps query file and row durably (fsync, a SQLite commit for each), runs blastn in two slots and
answers the same GET. It checks nothing, tracks nothing, has no events, tokens, plans, results or restarts. With the same
client on the same cores, its times are the floor of aiohttp, SQLite and BLAST+ on a machine.
"""

import argparse
import asyncio
import json
import os
import sqlite3
from pathlib import Path
from uuid import uuid4

import aiosqlite
from aiohttp import web

SLOTS = 2
QUEUED = 1_000


class Floor:
    """The queue, its store and its two workers."""

    def __init__(self, folder: Path, database: str, store: aiosqlite.Connection) -> None:
        self.folder, self.database, self.store = folder, database, store
        self.queue = asyncio.Queue[str](QUEUED)

    async def post(self, request: web.Request) -> web.Response:
        """Take a search: 202 once its query and its row are on the disk."""
        body = await request.json()
        job_id = uuid4().hex
        await asyncio.to_thread(self._keep, job_id, body["query"])
        await self._set(job_id, "queued")
        await self.queue.put(job_id)
        return web.json_response({"job_id": job_id, "status": "queued"}, status=202)

    async def get(self, request: web.Request) -> web.Response:
        """Answer the row."""
        found = await self.store.execute_fetchall("SELECT * FROM job WHERE job_id = ?", (request.match_info["id"],))
        job_id, status = next(iter(found))
        return web.json_response({"job_id": job_id, "status": status})

    async def work(self) -> None:
        """Run one search after another."""
        while True:
            job_id = await self.queue.get()
            await self._set(job_id, "running")
            argv = ["blastn", "-query", f"{job_id}.fa", "-db", self.database, "-outfmt", "6", "-out", f"{job_id}.out"]
            child = await asyncio.create_subprocess_exec(*argv, cwd=self.folder, stderr=asyncio.subprocess.DEVNULL)
            await self._set(job_id, "completed" if await child.wait() == 0 else "failed")

    async def _set(self, job_id: str, status: str) -> None:
        await self.store.execute("INSERT OR REPLACE INTO job VALUES (?, ?)", (job_id, status))

    def _keep(self, job_id: str, query: str) -> None:
        with (self.folder / f"{job_id}.fa").open("w") as file:
            file.write(query)
            file.flush()
            os.fsync(file.fileno())


async def serve(folder: Path, database: str, port: int) -> None:
    """Serve until cancelled."""
    store = await aiosqlite.connect(folder / "floor.sqlite", isolation_level=None)
    try:
        for text in ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "CREATE TABLE job (job_id, status)"):
            await store.execute(text)
        await store.execute("CREATE UNIQUE INDEX job_by_id ON job (job_id)")
        floor = Floor(folder, database, store)
        app = web.Application()
        app.add_routes([web.post("/api/blast/jobs", floor.post), web.get("/api/blast/jobs/{id}", floor.get)])
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        print(json.dumps({"sqlite": sqlite3.sqlite_version}), flush=True)
        async with asyncio.TaskGroup() as group:
            for _ in range(SLOTS):
                group.create_task(floor.work())
    finally:
        await store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.folder, given.database, given.port))
