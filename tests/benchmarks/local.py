"""blastd on this machine beside bare BLAST+, as ratios of one run.

    python -m tests.benchmarks.local --data FOLDER [--only tiny burst ...]

FOLDER holds nt_16s_ecoli.fa.gz, aa_20k.fa.gz, nt_q1.fa, aa_q500.fa.gz (16S rRNA, E. coli and UniProt sequences; any
nucleotide and protein FASTA of these names serves). Needs BLAST+ on PATH. Prints one line a figure; nothing here
passes or fails, since times belong to a machine.
"""

import argparse
import asyncio
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp

from blastd.clock import SystemClock
from blastd.core import ids, steps
from blastd.core.ids import Owner
from blastd.core.model import DatabaseRef, Job, Phase, QueryInfo, Status
from blastd.store import jobs
from blastd.store.sqlite import open_sync
from tests.daemon import Daemon

REPEATS = 30
ENV = os.environ | {"BLAST_USAGE_REPORT": "false"}


def say(name: str, value: str) -> None:
    print(f"{name:<58} {value}", flush=True)


def p99(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


class Bench:
    """The inputs, the databases and a running daemon."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.folder, self.dbs = folder, folder / "db"
        self.dbs.mkdir()
        for source, name, kind in (("nt_16s_ecoli.fa.gz", "nt", "nucl"), ("aa_20k.fa.gz", "aa", "prot")):
            fasta = folder / f"{name}.fa"
            fasta.write_bytes(gzip.decompress((data / source).read_bytes()))
            argv = ["makeblastdb", "-in", str(fasta), "-dbtype", kind, "-parse_seqids", "-title", name, "-out", name]
            subprocess.run(argv, cwd=self.dbs, check=True, capture_output=True)
        self.tiny = folder / "tiny.fa"
        self.tiny.write_bytes((data / "nt_q1.fa").read_bytes())
        self.proteins = folder / "aa_q500.fa"
        self.proteins.write_bytes(gzip.decompress((data / "aa_q500.fa.gz").read_bytes()))
        self.daemon = Daemon(folder / "state", [self.dbs]).start()

    def bare(self, argv: Sequence[str], out: str) -> float:
        begin = time.perf_counter()
        subprocess.run(
            [*argv, "-out", str(self.folder / out)], cwd=self.dbs, check=True, env=ENV, stderr=subprocess.DEVNULL
        )
        return time.perf_counter() - begin


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


async def search(session: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> float:
    """Submit, wait, and read the table; returns seconds."""
    begin = time.perf_counter()
    job_id = await submit(session, url, body)
    await until_ended(session, url, job_id)
    async with session.get(f"{url}/api/blast/jobs/{job_id}/results?format=tabular") as answer:
        assert answer.status == 200
        await answer.read()
    return time.perf_counter() - begin


async def tiny(bench: Bench) -> None:
    """One tiny search over the bare command."""
    query = bench.tiny.read_text()
    for task in ("megablast", "blastn"):
        body = {"program": "blastn", "task": task, "database": "nt", "query": query, "reuse": False}
        argv = ["blastn", "-task", task, "-query", str(bench.tiny), "-db", "nt", "-outfmt", "6"]
        bare, ours = [], []
        async with aiohttp.ClientSession() as session:
            for _ in range(REPEATS):
                bare.append(bench.bare(argv, "bare"))
                ours.append(await search(session, bench.daemon.url, body))
        ratio = statistics.median(ours) / statistics.median(bare)
        say(
            f"tiny {task}: submit -> table, over bare",
            f"{ratio:.2f} x  ({statistics.median(ours) * 1e3:.0f} / {statistics.median(bare) * 1e3:.0f} ms, median of {REPEATS})",
        )


async def truth(bench: Bench) -> None:
    """End of the process (by its step's own clock) to list, detail and SSE."""
    lags: dict[str, list[float]] = {"list": [], "detail": [], "sse": []}
    query, url = bench.tiny.read_text(), bench.daemon.url
    async with aiohttp.ClientSession() as session:
        for _ in range(REPEATS):
            body = {"program": "blastn", "database": "nt", "query": query, "reuse": False}
            job_id = await submit(session, url, body)

            async def by(what: str, job_id: str = job_id) -> tuple[str, float]:
                if what == "sse":
                    headers = {"Accept": "text/event-stream"}
                    async with session.get(f"{url}/api/blast/jobs/{job_id}/events", headers=headers) as stream:
                        async for line in stream.content:
                            if b'"completed"' in line:
                                break
                    return what, time.time()
                while True:
                    path = "/api/blast/jobs?limit=1" if what == "list" else f"/api/blast/jobs/{job_id}"
                    async with session.get(url + path) as answer:
                        row = await answer.json()
                    row = row["jobs"][0] if what == "list" else row
                    if row["status"] == "completed":
                        return what, time.time()
                    await asyncio.sleep(0.005)

            seen = await asyncio.gather(*map(by, lags))
            row = await until_ended(session, url, job_id)
            ended = next(step["ended_at"] for step in row["steps"] if step["name"] == "running")
            moment = (
                time.mktime(time.strptime(ended[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone + float("0" + ended[19:-1])
            )
            for what, at in seen:
                lags[what].append(at - moment)
    for what, values in lags.items():
        say(
            f"end of process -> {what} says completed, p99",
            f"{p99(values) * 1e3:.0f} ms (median {statistics.median(values) * 1e3:.0f})",
        )


async def proteins(bench: Bench) -> None:
    """500 proteins against 20,000, over the better of the two bare ways."""
    common = ["blastp", "-db", "aa", "-outfmt", "6", "-evalue", "1e-5"]
    threads = bench.bare([*common, "-query", str(bench.proteins), "-num_threads", "2"], "t2")
    records = [">" + part for part in bench.proteins.read_text().split(">")[1:]]
    halves = [bench.folder / "half0.fa", bench.folder / "half1.fa"]
    for number, path in enumerate(halves):
        path.write_text("".join(records[number * 250 : number * 250 + 250]))
    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda pair: bench.bare([*common, "-query", str(pair[1])], f"h{pair[0]}"), enumerate(halves)))
    processes = time.perf_counter() - begin
    async with aiohttp.ClientSession() as session:
        body = {
            "program": "blastp",
            "database": "aa",
            "query": bench.proteins.read_text(),
            "options": {"evalue": "1e-5"},
            "reuse": False,
        }
        ours = await search(session, bench.daemon.url, body)
    best = min(threads, processes)
    say(
        "500 proteins x 20,000, over the better bare way",
        f"{ours / best:.2f} x  ({ours:.1f} s; -num_threads 2 {threads:.1f} s, two processes {processes:.1f} s)",
    )


async def burst(bench: Bench) -> None:
    """50 tiny searches posted at once, over a bare queue with two slots."""
    argv = ["blastn", "-query", str(bench.tiny), "-db", "nt", "-outfmt", "6"]
    begin = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda number: bench.bare(argv, f"b{number}"), range(50)))
    bare = time.perf_counter() - begin
    query, url = bench.tiny.read_text(), bench.daemon.url
    posts: list[float] = []
    polls: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def one(number: int) -> None:
            start = time.perf_counter()
            body = {"program": "blastn", "database": "nt", "query": query, "title": f"burst {number}", "reuse": False}
            job_id = await submit(session, url, body)
            posts.append(time.perf_counter() - start)
            while True:
                start = time.perf_counter()
                async with session.get(f"{url}/api/blast/jobs/{job_id}") as answer:
                    row = await answer.json()
                polls.append(time.perf_counter() - start)
                if row["status"] not in ("queued", "running"):
                    assert row["status"] == "completed", row
                    return
                await asyncio.sleep(0.2)

        begin = time.perf_counter()
        await asyncio.gather(*map(one, range(50)))
        ours = time.perf_counter() - begin
    say(
        "50 at once: searches a minute, over a bare two-slot queue",
        f"{bare / ours:.2f} x  ({3000 / ours:.0f} / {3000 / bare:.0f})",
    )
    say("50 at once: 202 p99, poll p99", f"{p99(posts) * 1e3:.0f} ms, {p99(polls) * 1e3:.0f} ms")


async def many(bench: Bench) -> None:
    """A list page among 100,000 rows."""
    state = bench.folder / "many"
    fill(state, 100_000)
    daemon = Daemon(state, [bench.dbs]).start()
    times: list[float] = []
    async with aiohttp.ClientSession() as session:
        cursor = ""
        for _ in range(200):
            start = time.perf_counter()
            async with session.get(f"{daemon.url}/api/blast/jobs?limit=50{cursor}") as answer:
                page = await answer.json()
            times.append(time.perf_counter() - start)
            cursor = f"&cursor={page['page']['next_cursor']}"
    daemon.stop()
    say(
        "list page of 50 among 100,000 jobs, p99",
        f"{p99(times) * 1e3:.1f} ms (median {statistics.median(times) * 1e3:.1f})",
    )


def fill(state: Path, rows: int) -> None:
    """Write ended jobs straight into a store."""
    clock, rng = SystemClock(), random.Random(1)
    db = open_sync(state / "blastd.sqlite")
    db.execute("BEGIN")
    for number in range(rows):
        now = clock.now()
        job = Job(
            job_id=ids.job_id(UUID(int=rng.getrandbits(128), version=4)),
            version=1,
            title=f"search {number}",
            program="blastn",
            task="megablast",
            databases=(DatabaseRef(name="nt", fingerprint="0" * 64),),
            options={},
            query_loc=None,
            engine="local",
            priority=0,
            owner=Owner("local"),
            source="api",
            query=QueryInfo(count=1, letters=400, molecule="nucl", first_id="q", sha256="0" * 64),
            status=Status.COMPLETED,
            phase=Phase.COMPLETED,
            created_at=now,
            updated_at=now,
            finished_at=now,
            steps=steps.begin(),
        )
        jobs.insert(db, job, [], now)
    db.execute("COMMIT")
    db.close()


async def big(bench: Bench) -> None:
    """Loop lag and memory while a 200 MB FASTA uploads and a large result downloads."""
    url, pid = bench.daemon.url, bench.daemon.process.pid if bench.daemon.process else 0
    stop = asyncio.Event()
    lags: list[float] = []
    sizes: list[int] = []

    async def ping() -> None:
        async with aiohttp.ClientSession() as session:
            while not stop.is_set():
                start = time.perf_counter()
                async with session.get(url + "/livez") as answer:
                    await answer.read()
                lags.append(time.perf_counter() - start)
                sizes.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096)
                await asyncio.sleep(0.01)

    async def body() -> Any:
        line = ("ACGTTGCAAC" * 7 + "\n").encode() * 1000
        for number in range(2860):
            yield f">s{number}\n".encode() + line

    before = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(600)) as session:
        task = asyncio.create_task(ping())
        start = time.perf_counter()
        path = "/api/blast/jobs?program=blastn&database=nt&evalue=1e-50"
        async with session.post(url + path, data=body(), headers={"Content-Type": "text/x-fasta"}) as answer:
            text = await answer.text()
            status = answer.status
        took = time.perf_counter() - start
        stop.set()
        await task
        if status == 202:
            job_id = json.loads(text)["job_id"]
            await (await session.post(f"{url}/api/blast/jobs/{job_id}/cancel", json={})).read()
    say("200 MB upload: answer, seconds", f"{status}, {took:.1f} s")
    say(
        "meanwhile: /livez p99, growth of memory",
        f"{p99(lags) * 1e3:.0f} ms, {(max(sizes) - before) / 1e6:.0f} MB (idle {before / 1e6:.0f} MB)",
    )


PARTS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "tiny": tiny,
    "truth": truth,
    "burst": burst,
    "proteins": proteins,
    "many": many,
    "big": big,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(given.data, Path(folder))
        try:
            for name in given.only:
                asyncio.run(PARTS[name](bench))  # type: ignore[arg-type]  # each is a coroutine function
        finally:
            bench.daemon.stop()
    sys.stdout.flush()


if __name__ == "__main__":
    main()
