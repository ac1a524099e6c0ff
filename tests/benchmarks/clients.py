"""Clients of a service that is measured: one search from submit to table, and crowds."""

import asyncio
import time
from typing import Any

import aiohttp

CROWD = 50
POLL_SECONDS = 0.2


async def submit(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> str:
    async with session.post(url + "/api/blast/jobs", json=body) as answer:
        assert answer.status == 202, await answer.text()
        return str((await answer.json())["job_id"])


async def until_ended(session: aiohttp.ClientSession, url: str, job_id: str) -> dict[str, Any]:
    while True:
        async with session.get(f"{url}/api/blast/jobs/{job_id}?wait=30") as answer:
            row: dict[str, Any] = await answer.json()
        if row["status"] not in ("queued", "running"):
            assert row["status"] == "completed", row
            return row


async def search(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> tuple[float, bytes]:
    """Submit, wait, and read the table; returns seconds and the table."""
    begin = time.perf_counter()
    job_id = await submit(session, url, body)
    await until_ended(session, url, job_id)
    async with session.get(f"{url}/api/blast/jobs/{job_id}/results?format=tabular") as answer:
        assert answer.status == 200
        table = await answer.read()
    return time.perf_counter() - begin, table


class Crowd:
    """Clients that submit, follow and read one tiny search each, at *url*; what they noted is in milliseconds."""

    def __init__(
        self, url: str, query: str, *, polling: bool, reading: bool = True, database: str = "nt", count: int = CROWD
    ) -> None:
        self.url, self.query, self.polling, self.reading = url, query, polling, reading
        self.database, self.count = database, count
        self.posts: list[float] = []
        self.polls: list[float] = []
        self.rates: list[float] = []

    async def come(self) -> None:
        """Let all come at once, and note searches a minute."""
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            begin = time.perf_counter()
            await asyncio.gather(*(self._one(session, number) for number in range(self.count)))
            self.rates.append(self.count * 60 / (time.perf_counter() - begin))

    async def _one(self, session: aiohttp.ClientSession, number: int) -> None:
        body: dict[str, Any] = {"program": "blastn", "database": self.database, "query": self.query, "reuse": False}
        body |= {"title": f"burst {number}"}
        start = time.perf_counter()
        job_id = await submit(session, self.url, body)
        self.posts.append((time.perf_counter() - start) * 1e3)
        if self.polling:
            await self._poll(session, job_id)
        else:
            await until_ended(session, self.url, job_id)
        if self.reading:
            async with session.get(f"{self.url}/api/blast/jobs/{job_id}/results?format=tabular") as answer:
                assert answer.status == 200
                assert await answer.read()

    async def _poll(self, session: aiohttp.ClientSession, job_id: str) -> None:
        while True:
            start = time.perf_counter()
            async with session.get(f"{self.url}/api/blast/jobs/{job_id}") as answer:
                row = await answer.json()
            self.polls.append((time.perf_counter() - start) * 1e3)
            if row["status"] not in ("queued", "running"):
                assert row["status"] == "completed", row
                return
            await asyncio.sleep(POLL_SECONDS)  # the pace of the client that is measured
