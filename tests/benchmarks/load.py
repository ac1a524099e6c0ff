"""A daemon under load: a crowd, 1,000 active searches, a 1 GB result, a 200 MB query.

    python -m tests.benchmarks.load [--only crowd active result query] [--listeners 200] [--parallel 50] [--rounds 4]
        [--rows 100000] [--active 1000] [--result-mb 1024] [--query-mb 200] [--json FILE]

Builds its own small databases, so it needs BLAST+ on PATH and nothing else. Prints one line a figure; times belong to a
machine, so none of them fails. What does fail: a submit that is not accepted, a search that does not complete, an event
that a listener did not get, or got twice, a download that is not whole.

crowd   event listeners, a crowd of submits, and readers of a long list, all at once
active  searches that wait, while lists and rows are read; then all are cancelled
result  a large result: written while it is sent, then sent from its file
query   a large query: taken while others are answered
"""

import argparse
import asyncio
import json
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from tests.benchmarks.figures import Figures
from tests.benchmarks.local import end_cleanly, fill
from tests.bigfiles import fasta, grow, peak_bytes
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY, build_all

STREAM = {"Accept": "text/event-stream"}
WAIT_SECONDS = 1200.0
AT_ONCE = 20
SETTLED_SECONDS = 11.0  # by then each job's poller has looked once
MB = 1 << 20
FIELDS = "std,qseqid,sseqid,qlen,slen,score,nident,positive,gaps,qcovs,btop,stitle"
JOBS = "/api/blast/jobs"
LAG = re.compile(r'^blastd_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)
Numbers = dict[str, list[float]]


def resident_bytes(daemon: Daemon) -> int:
    assert daemon.process is not None
    return int(Path(f"/proc/{daemon.process.pid}/statm").read_text().split()[1]) * 4096


def forget_peak(daemon: Daemon) -> int:
    """Let the peak of memory begin anew (proc(5), clear_refs), and return what is resident now."""
    assert daemon.process is not None
    Path(f"/proc/{daemon.process.pid}/clear_refs").write_text("5")
    return resident_bytes(daemon)


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
                lags.append((time.time() - datetime.fromisoformat(event["at"]).timestamp()) * 1e3)
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
    """What submits, reads and measures, in milliseconds."""

    def __init__(self, daemon: Daemon, session: aiohttp.ClientSession) -> None:
        self.daemon, self.session, self.stop = daemon, session, asyncio.Event()
        self.times: Numbers = {"submit": [], "list": [], "page": [], "detail": [], "livez": []}

    async def timed(self, what: str, path: str) -> Any:
        begin = time.perf_counter()
        async with self.session.get(self.daemon.url + path) as answer:
            body = await answer.read()
            assert answer.status == 200, (path, answer.status, body[:300])
        self.times[what].append((time.perf_counter() - begin) * 1e3)
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
        self.times["submit"].append((time.perf_counter() - begin) * 1e3)
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
        """Ask for nothing much."""
        while not self.stop.is_set():
            await self.timed("livez", "/livez")
            await asyncio.sleep(0.02)


@asynccontextmanager
async def crowd_of(daemon: Daemon) -> AsyncIterator[Crowd]:
    timeout = aiohttp.ClientTimeout(total=WAIT_SECONDS)
    async with (
        asyncio.timeout(WAIT_SECONDS),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session,
    ):
        yield Crowd(daemon, session)


@asynccontextmanager
async def meanwhile(crowd: Crowd, *more: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Ask /livez, and do *more*, for as long as the block takes."""
    crowd.stop.clear()
    async with asyncio.TaskGroup() as group:
        for work in (crowd.watch, *more):
            group.create_task(work())  # type: ignore[arg-type]  # each is a coroutine function
        try:
            yield
        finally:
            crowd.stop.set()


async def loop_lags(crowd: Crowd) -> list[tuple[float, float]]:
    async with crowd.session.get(f"{crowd.daemon.url}/metrics") as answer:
        text = await answer.text()
    return [(float(border), float(count)) for border, count in LAG.findall(text)]


def lag_p99_ms(before: Sequence[tuple[float, float]], after: Sequence[tuple[float, float]]) -> float:
    """Return the upper border of the bucket of the daemon's own measure in which the p99 of the time between lies."""
    grown = [(border, count - old) for (border, count), (_, old) in zip(after, before, strict=True)]
    return next(border for border, count in grown if count >= 0.99 * grown[-1][1]) * 1e3


# ---------------------------------------------------------------- the parts
class Stand:
    """Databases, flags, figures; makes daemons."""

    def __init__(self, folder: Path, given: argparse.Namespace, figures: Figures) -> None:
        self.folder, self.given, self.figures = folder, given, figures
        self.databases = folder / "db"
        self.databases.mkdir()
        build_all(self.databases)
        self.made: list[Daemon] = []

    def daemon(self, name: str, **environ: str) -> Daemon:
        self.made.append(Daemon(self.folder / name, [self.databases], environ))
        return self.made[-1]

    def close(self) -> None:
        """Stop what a failed part has left running."""
        for daemon in self.made:
            if daemon.process is not None:
                daemon.stop()


async def crowd(stand: Stand) -> None:
    """Fail when a listener did not get every end once."""
    given, figures = stand.given, stand.figures
    daemon = stand.daemon("crowd")
    fill(daemon.state, given.rows)
    daemon.start()
    jobs = given.parallel * given.rounds
    words = [sys.executable, "-m", "tests.benchmarks.load", "--listen-at", daemon.url]
    words += ["--listeners", str(given.listeners), "--jobs", str(jobs)]
    figures.single("memory at rest", resident_bytes(daemon) / 1e6, "MB", 120)
    listening = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE, limit=1 << 28)
    assert listening.stdout is not None
    async with crowd_of(daemon) as people:
        assert (await listening.stdout.readline()).strip() == b"ready"
        held, before, used = forget_peak(daemon), await loop_lags(people), processor_seconds(daemon)
        async with meanwhile(people, people.read_lists):
            begin = time.perf_counter()
            for number in range(given.rounds):
                ones = range(number * given.parallel, (number + 1) * given.parallel)
                submitted = await asyncio.gather(*map(people.submit, ones))
                await asyncio.gather(*map(people.ended, submitted))
            took = time.perf_counter() - begin
        told = json.loads(await listening.stdout.readline())
        after, used = await loop_lags(people), processor_seconds(daemon) - used
    await listening.wait()
    name = f"{given.listeners} listeners, {given.parallel} submits at once, {given.rows:,} rows"
    figures.p99(f"{name}: submit to 202", people.times["submit"], "ms", 500)
    figures.p99(f"{name}: newest 50", people.times["list"], "ms")
    figures.p99(f"{name}: a later page of 50", people.times["page"], "ms")
    figures.p99(f"{name}: `/livez`", people.times["livez"], "ms")
    figures.p99(f"{name}: completed to told to all", told["lags"], "ms")
    figures.single(f"{name}: searches", jobs / took * 60, "a minute")
    figures.single(f"{name}: the daemon's own processor time, a search", used / jobs * 1e3, "ms")
    figures.single(f"{name}: loop lag, p99 at most", lag_p99_ms(before, after), "ms", 20)
    figures.single(f"{name}: growth of memory", (peak_bytes(daemon) - held) / 1e6, "MB")
    daemon.stop()
    assert told["complete"] == given.listeners, f"{told['complete']} of {given.listeners} were told of every end"
    assert told["repeated"] == 0, "an end was told twice"


async def active(stand: Stand) -> None:
    """Let searches wait behind a long one, read about them, cancel them."""
    count, figures = stand.given.active, stand.figures
    limits = {"BLASTD_LIMITS__QUEUED_JOBS_PER_OWNER": "100000", "BLASTD_LIMITS__ACTIVE_JOBS_PER_OWNER": "100000"}
    daemon = stand.daemon("active", BLASTD_LOCAL__SLOTS="1", BLASTD_LOCAL__EXPRESS="0", **limits).start()
    async with crowd_of(daemon) as people:
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> str:
            async with gate:
                return await people.submit(number)

        async def cancel(job_id: str) -> None:
            async with gate, people.session.post(f"{daemon.url}{JOBS}/{job_id}/cancel", json={}) as answer:
                assert answer.status == 202, await answer.text()

        body = {"query": SLOW_QUERY * 4, **SLOW}
        async with people.session.post(daemon.url + JOBS, json=body) as answer:
            assert answer.status == 202, await answer.text()
            first = str((await answer.json())["job_id"])

        async def read() -> None:
            page = await people.timed("list", f"{JOBS}?limit=50")
            row = await people.timed("detail", f"{JOBS}/{rng.choice(page['jobs'])['job_id']}")
            assert row["status"] in ("queued", "running"), row

        async def read_on() -> None:
            while not people.stop.is_set():
                await read()
                await asyncio.sleep(0.1)

        name, rng = f"{count:,} active searches", random.Random(3)
        rest, before = forget_peak(daemon), await loop_lags(people)
        async with meanwhile(people, read_on):
            begin = time.perf_counter()
            waiting = await asyncio.gather(*map(one, range(count)))
            figures.single(f"{name}: accepted", count / (time.perf_counter() - begin), "a second")
            await asyncio.sleep(SETTLED_SECONDS)
        figures.p99(f"{name}, as they come: submit to 202", people.times["submit"], "ms", 500)
        figures.p99(f"{name}, as they come: newest 50", people.times["list"], "ms")
        figures.single(
            f"{name}, as they come: loop lag, p99 at most", lag_p99_ms(before, await loop_lags(people)), "ms"
        )
        for times in people.times.values():
            times.clear()
        before = await loop_lags(people)
        async with meanwhile(people):
            for _ in range(stand.given.reads):
                await read()
        figures.p99(f"{name}, waiting: newest 50", people.times["list"], "ms", 20)
        figures.p99(f"{name}, waiting: a row", people.times["detail"], "ms")
        figures.p99(f"{name}, waiting: `/livez`", people.times["livez"], "ms")
        figures.single(f"{name}, waiting: loop lag, p99 at most", lag_p99_ms(before, await loop_lags(people)), "ms", 20)
        figures.single(f"{name}: growth of memory", (peak_bytes(daemon) - rest) / 1e6, "MB", 50)
        begin = time.perf_counter()
        await asyncio.gather(*map(cancel, [*waiting, first]))
        while (counts := (await people.timed("list", f"{JOBS}?limit=1"))["counts"])["cancelled"] < count + 1:
            assert counts["failed"] == counts["completed"] == 0, counts
            await asyncio.sleep(0.2)
        figures.single(f"{name}: all cancelled after", time.perf_counter() - begin, "s")
    daemon.stop()


async def result(stand: Stand) -> None:
    """Download a large table twice: while it is made, and from the file that is kept."""
    figures, wanted = stand.figures, stand.given.result_mb * MB
    daemon = stand.daemon("result").start()
    one_query = ">q\n" + LAMBDA_QUERY.split(">")[1].split("\n", 1)[1]
    job_id, other = (daemon.run(one_query, reuse=False)["job_id"] for _ in range(2))
    stored = (daemon.state / "jobs" / job_id / "units" / "0.out").stat().st_size
    share = len(daemon.results(other, "commented", f"&fields={FIELDS}")) / stored
    assert daemon.stop() == 0
    queries, _ = grow(daemon, job_id, int(wanted / share))
    daemon.start()
    last = b"\n# BLAST processed %d queries\n" % queries
    sizes = []
    async with crowd_of(daemon) as people:
        for how in ("while it is made", "from its file"):
            rest, before = forget_peak(daemon), await loop_lags(people)
            people.times["livez"].clear()
            begin, size, tail = time.perf_counter(), 0, b""
            async with meanwhile(people):
                path = f"{daemon.url}{JOBS}/{job_id}/results?format=commented&fields={FIELDS}"
                async with people.session.get(path) as answer:
                    assert answer.status == 200
                    async for block in answer.content.iter_chunked(MB):
                        size, tail = size + len(block), (tail + block)[-200:]
            took = time.perf_counter() - begin
            assert tail.endswith(last), tail
            sizes.append(size)
            name = f"result of {stand.given.result_mb:,} MB, sent {how}"
            figures.single(name, size / 1e6 / took, "MB/s")
            figures.p99(f"{name}: `/livez`", people.times["livez"], "ms")
            figures.single(f"{name}: loop lag, p99 at most", lag_p99_ms(before, await loop_lags(people)), "ms", 20)
            figures.single(f"{name}: growth of memory", (peak_bytes(daemon) - rest) / 1e6, "MB", 48)
    daemon.stop()
    assert sizes[0] == sizes[1] > wanted * 0.8, (sizes, wanted)


async def query(stand: Stand) -> None:
    """Send a large query, cancel its search."""
    figures = stand.figures
    daemon = stand.daemon("query", BLASTD_LOCAL__SLOTS="1").start()
    async with crowd_of(daemon) as people:
        rest, before = forget_peak(daemon), await loop_lags(people)
        begin = time.perf_counter()

        async def body() -> AsyncIterator[bytes]:
            for block in fasta(stand.given.query_mb * MB):
                yield block

        async with meanwhile(people):
            path = f"{daemon.url}{JOBS}?program=blastn&database=tnt&evalue=1e-50"
            async with people.session.post(path, data=body(), headers={"Content-Type": "text/x-fasta"}) as answer:
                assert answer.status == 202, await answer.text()
                job_id = (await answer.json())["job_id"]
            took = time.perf_counter() - begin
        name = f"query of {stand.given.query_mb:,} MB"
        figures.single(f"{name}: first byte to 202", took, "s")
        figures.p99(f"{name}: `/livez`", people.times["livez"], "ms")
        figures.single(f"{name}: loop lag, p99 at most", lag_p99_ms(before, await loop_lags(people)), "ms", 20)
        figures.single(f"{name}: growth of memory", (peak_bytes(daemon) - rest) / 1e6, "MB", 48)
    daemon.post(f"{JOBS}/{job_id}/cancel")
    assert daemon.ended(job_id)["status"] == "cancelled"
    daemon.stop()


PARTS: dict[str, Callable[[Stand], Awaitable[None]]] = {
    "crowd": crowd,
    "active": active,
    "result": result,
    "query": query,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--listeners", type=int, default=200)
    parser.add_argument("--parallel", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--active", type=int, default=1000)
    parser.add_argument("--reads", type=int, default=200, help=argparse.SUPPRESS)
    parser.add_argument("--result-mb", type=int, default=1024)
    parser.add_argument("--query-mb", type=int, default=200)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--listen-at", help=argparse.SUPPRESS)
    parser.add_argument("--jobs", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.listen_at:
        asyncio.run(listen(given.listen_at, given.listeners, given.jobs))
        return
    figures = Figures("load")
    end_cleanly()
    with tempfile.TemporaryDirectory() as name:
        stand = Stand(Path(name), given, figures)
        try:
            for part in given.only:
                asyncio.run(PARTS[part](stand))  # type: ignore[arg-type]  # each is a coroutine function
        finally:
            stand.close()
    figures.keep(given.json)


if __name__ == "__main__":
    main()
