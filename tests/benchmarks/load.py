"""A daemon under load: event listeners, a crowd of submits and readers of a long list, all at once.

    python -m tests.benchmarks.load [--listeners 200] [--parallel 50] [--rounds 4] [--rows 100000]

Builds its own small databases, so it needs BLAST+ on PATH and nothing else. Prints one line a figure; times belong to a
machine, so none of them fails. What does fail: a submit that is not accepted, a search that does not complete, an event
that a listener did not get, or got twice.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from tests.benchmarks.local import fill, p99, say
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, build_all

STREAM = {"Accept": "text/event-stream"}
WAIT_SECONDS = 600.0
LAG = re.compile(r'^blastd_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)
Numbers = dict[str, list[float]]


def shown(values: Sequence[float]) -> str:
    """Return median, p99 and the longest of seconds, as milliseconds."""
    if not values:
        return "none"
    ms = [value * 1e3 for value in (statistics.median(values), p99(values), max(values))]
    return f"median {ms[0]:.0f}, p99 {ms[1]:.0f}, longest {ms[2]:.0f} ms ({len(values):,})"


def resident_bytes(daemon: Daemon) -> int:
    assert daemon.process is not None
    return int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]) * 4096


def processor_seconds(daemon: Daemon) -> float:
    """Return what the daemon itself has taken of the processor; unlike times, it hardly depends on the neighbours."""
    assert daemon.process is not None
    fields = Path(f"/proc/{daemon.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---------------------------------------------------------------- listeners, a process of their own
async def listen(url: str, listeners: int, jobs: int) -> None:
    """Hold event streams until each has told of the end of *jobs* searches; prints what they got as JSON."""
    lags: list[float] = []
    got: list[int] = []
    repeated = 0
    ready = 0

    async def one(session: aiohttp.ClientSession) -> None:
        nonlocal repeated, ready
        seen: set[str] = set()
        async with session.get(f"{url}/api/blast/events", headers=STREAM) as stream:
            assert stream.status == 200, await stream.text()
            ready += 1
            if ready == listeners:
                print("ready", flush=True)
            async for line in stream.content:
                if not line.startswith(b"data:") or b'"completed"' not in line:
                    continue
                event = json.loads(line[5:])
                if event["kind"] != "completed":  # an earlier event, shown with the row as it is now
                    continue
                lags.append(time.time() - datetime.fromisoformat(event["at"]).timestamp())
                repeated += event["job_id"] in seen
                seen.add(event["job_id"])
                if len(seen) == jobs:
                    break
        got.append(len(seen))

    timeout = aiohttp.ClientTimeout(total=WAIT_SECONDS)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:
        await asyncio.gather(*(one(session) for _ in range(listeners)), return_exceptions=True)
    print(json.dumps({"lags": lags, "complete": sum(number == jobs for number in got), "repeated": repeated}))


# ---------------------------------------------------------------- the crowd
class Crowd:
    """What submits, reads and measures."""

    def __init__(self, daemon: Daemon, session: aiohttp.ClientSession) -> None:
        self.daemon, self.session, self.stop = daemon, session, asyncio.Event()
        self.times: Numbers = {"submit": [], "list": [], "page": [], "detail": [], "livez": []}
        self.peak = 0

    async def timed(self, what: str, path: str) -> Any:
        begin = time.perf_counter()
        async with self.session.get(self.daemon.url + path) as answer:
            body = await answer.read()
            assert answer.status == 200, (path, answer.status, body[:300])
        self.times[what].append(time.perf_counter() - begin)
        return json.loads(body)

    async def submit(self, number: int) -> str:
        body = {
            "program": "blastn",
            "database": "tnt",
            "query": LAMBDA_QUERY,
            "title": f"load {number}",
            "reuse": False,
        }
        begin = time.perf_counter()
        async with self.session.post(f"{self.daemon.url}/api/blast/jobs", json=body) as answer:
            assert answer.status == 202, await answer.text()
            row = await answer.json()
        self.times["submit"].append(time.perf_counter() - begin)
        return str(row["job_id"])

    async def ended(self, job_id: str) -> None:
        while True:
            row = await self.timed("detail", f"/api/blast/jobs/{job_id}")
            if row["status"] not in ("queued", "running"):
                assert row["status"] == "completed", row
                return
            await asyncio.sleep(1.0)

    async def read_lists(self) -> None:
        """Read the newest page, and walk through the old ones."""
        cursor = ""
        while not self.stop.is_set():
            await self.timed("list", "/api/blast/jobs?limit=50")
            page = await self.timed("page", f"/api/blast/jobs?limit=50{cursor}")
            following = page["page"]["next_cursor"]
            cursor = f"&cursor={following}" if following else ""
            await asyncio.sleep(0.05)

    async def watch(self) -> None:
        """Ask for nothing much, and note the daemon's memory."""
        while not self.stop.is_set():
            await self.timed("livez", "/livez")
            self.peak = max(self.peak, resident_bytes(self.daemon))
            await asyncio.sleep(0.02)


async def loop_lags(crowd: Crowd) -> list[tuple[float, float]]:
    async with crowd.session.get(f"{crowd.daemon.url}/metrics") as answer:
        text = await answer.text()
    return [(float(border), float(count)) for border, count in LAG.findall(text)]


def lag_p99(before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]]) -> str:
    """Return the bucket of the daemon's own measure in which the p99 of the time between lies."""
    grown = [(border, count - old) for (border, count), (_, old) in zip(after, before, strict=True)]
    border = next(border for border, count in grown if count >= 0.99 * grown[-1][1])
    return f"at most {border * 1e3:.0f} ms ({grown[-1][1]:,.0f})"


async def load(daemon: Daemon, given: argparse.Namespace) -> bool:
    """Run the load and print the figures; returns whether every listener got every event once."""
    jobs = given.parallel * given.rounds
    words = [sys.executable, "-m", "tests.benchmarks.load", "--listen-at", daemon.url]
    words += ["--listeners", str(given.listeners), "--jobs", str(jobs)]
    idle = resident_bytes(daemon)
    listening = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, limit=1 << 28)
    assert listening.stdout is not None
    timeout = aiohttp.ClientTimeout(total=WAIT_SECONDS)
    async with (
        asyncio.timeout(WAIT_SECONDS),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session,
    ):
        assert (await listening.stdout.readline()).strip() == b"ready"
        crowd = Crowd(daemon, session)
        held, before, used = resident_bytes(daemon), await loop_lags(crowd), processor_seconds(daemon)
        async with asyncio.TaskGroup() as group:
            readers = [group.create_task(crowd.read_lists()), group.create_task(crowd.watch())]
            begin = time.perf_counter()
            for number in range(given.rounds):
                crowd_of = range(number * given.parallel, (number + 1) * given.parallel)
                submitted = await asyncio.gather(*map(crowd.submit, crowd_of))
                await asyncio.gather(*map(crowd.ended, submitted))
            took = time.perf_counter() - begin
            crowd.stop.set()
            await asyncio.gather(*readers)
        told = json.loads(await listening.stdout.readline())
        after, used = await loop_lags(crowd), processor_seconds(daemon) - used
    await listening.wait()
    say(f"{given.parallel} submits at once, to 202", shown(crowd.times["submit"]))
    say("row of a search", shown(crowd.times["detail"]))
    say(f"newest 50 of {given.rows:,} jobs", shown(crowd.times["list"]))
    say("a later page of them", shown(crowd.times["page"]))
    say("/livez", shown(crowd.times["livez"]))
    say(f"completed -> told to {given.listeners} listeners", shown(told["lags"]))
    say("listeners that got every end", f"{told['complete']} of {given.listeners}; repeated events: {told['repeated']}")
    say("searches a minute", f"{jobs / took * 60:.0f}")
    say("processor time of the daemon itself, a search", f"{used / jobs * 1e3:.0f} ms")
    say("event loop lag, p99 of the daemon's own measure", lag_p99(before, after))
    say(
        "memory: idle, with the listeners, most",
        f"{idle / 1e6:.0f}, {held / 1e6:.0f}, {crowd.peak / 1e6:.0f} MB",
    )
    whole: bool = told["complete"] == given.listeners and told["repeated"] == 0
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--parallel", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--listen-at", help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.listen_at:
        asyncio.run(listen(given.listen_at, given.listeners, given.jobs))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "db").mkdir()
        build_all(folder / "db")
        fill(folder / "state", given.rows)
        daemon = Daemon(folder / "state", [folder / "db"]).start()
        try:
            return 0 if asyncio.run(load(daemon, given)) else 1
        finally:
            daemon.stop()


if __name__ == "__main__":
    sys.exit(main())
