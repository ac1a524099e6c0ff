"""blastd on this machine beside bare BLAST+ and another BLAST service, as ratios of one run.

    python -m tests.benchmarks.local (--data FOLDER | --small) [--blastweb PROGRAM] [--only tiny burst ...] [--json FILE]

FOLDER holds nt_16s_ecoli.fa.gz, aa_20k.fa.gz, nt_q1.fa, aa_q500.fa.gz (16S rRNA, E. coli and UniProt sequences; any
nucleotide and protein FASTA of these names serves). --small makes small ones up, to see in a minute that everything here
still works: its figures say nothing. Needs BLAST+ on PATH. Nothing fails for its time, since times belong to a machine;
a search that does not complete, and a result that is not bare BLAST+'s, do.
"""

import argparse
import asyncio
import gc
import gzip
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from uuid import UUID

import aiohttp

from blastd.clock import SystemClock
from blastd.core import ids, steps
from blastd.core.ids import Owner
from blastd.core.model import DatabaseRef, Job, Phase, QueryInfo, Status
from blastd.store import jobs
from blastd.store.sqlite import open_sync
from tests.benchmarks.clients import CROWD, POLL_SECONDS, Crowd, search, submit, until_ended
from tests.benchmarks.figures import Figures
from tests.benchmarks.others import Blastweb, Floor
from tests.benchmarks.residents import half, pipeline
from tests.daemon import Daemon

ENV = os.environ | {"BLAST_USAGE_REPORT": "false"}
HALF_LETTERS = 500_000
AMINO = "ACDEFGHIKLMNPQRSTVWY"


def small(folder: Path) -> Path:
    """Write a small set of the benchmark's files, always the same."""
    rng = random.Random(8)
    folder.mkdir()

    def write(name: str, kind: str, count: int, letters: int) -> list[str]:
        made = ["".join(rng.choices(kind, k=letters)) for _ in range(count)]
        text = "".join(f">s{number}\n{one}\n" for number, one in enumerate(made)).encode()
        (folder / name).write_bytes(gzip.compress(text))
        return made

    nt = write("nt_16s_ecoli.fa.gz", "ACGT", 300, 1500)
    aa = write("aa_20k.fa.gz", AMINO, 300, 300)
    (folder / "nt_q1.fa").write_text(f">q\n{nt[7][100:500]}\n")
    queries = "".join(f">q{number}\n{one[10:200]}\n" for number, one in enumerate(aa[:20]))
    (folder / "aa_q500.fa.gz").write_bytes(gzip.compress(queries.encode()))
    return folder


def half_megabase(fasta: Path, folder: Path) -> Path:
    """Make the database `half` of the first short sequences of *fasta*, and return a query of it."""
    found: list[str] = []
    for record in fasta.read_text().split(">")[1:]:
        if len(record) < HALF_LETTERS // 10:
            found.append(record)
        if sum(map(len, found)) >= HALF_LETTERS:
            break
    text = fasta.with_name("half.fa")
    text.write_text("".join(f">{record}" for record in found))
    argv = ["makeblastdb", "-in", str(text), "-dbtype", "nucl", "-parse_seqids", "-title", "half", "-out", "half"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    query = fasta.with_name("half_q1.fa")
    query.write_text(f">q\n{''.join(found[-1].splitlines()[1:])[100:500]}\n")
    return query


class Bench:
    """The inputs, the databases, a running daemon, and another service where there is one."""

    def __init__(self, data: Path, folder: Path, figures: Figures, blastweb: Path | None, *, quick: bool) -> None:
        self.folder, self.dbs, self.figures = folder, folder / "db", figures
        self.repeats, self.rounds, self.rows = (3, 1, 2000) if quick else (30, 5, 100_000)
        self.pipeline, self.many = (20, 60) if quick else (5000, 500)
        self.dbs.mkdir()
        for source, name, kind in (("nt_16s_ecoli.fa.gz", "nt", "nucl"), ("aa_20k.fa.gz", "aa", "prot")):
            fasta = folder / f"{name}.fa"
            fasta.write_bytes(gzip.decompress((data / source).read_bytes()))
            argv = ["makeblastdb", "-in", str(fasta), "-dbtype", kind, "-parse_seqids", "-title", name, "-out", name]
            subprocess.run(argv, cwd=self.dbs, check=True, capture_output=True)
        self.half = half_megabase(folder / "nt.fa", self.dbs)
        self.tiny = folder / "tiny.fa"
        self.tiny.write_bytes((data / "nt_q1.fa").read_bytes())
        self.letters = "".join(self.tiny.read_text().splitlines()[1:])
        self.proteins = folder / "aa_q500.fa"
        self.proteins.write_bytes(gzip.decompress((data / "aa_q500.fa.gz").read_bytes()))
        self.other = Blastweb(blastweb, self.dbs, folder) if blastweb is not None else None
        (folder / "floor").mkdir()
        self.floor = Floor(self.dbs / "nt", folder / "floor")
        self.daemon = Daemon(folder / "state", [self.dbs]).start()

    def bare(self, argv: Sequence[str], out: str) -> float:
        begin = time.perf_counter()
        subprocess.run(
            [*argv, "-out", str(self.folder / out)], cwd=self.dbs, check=True, env=ENV, stderr=subprocess.DEVNULL
        )
        return time.perf_counter() - begin

    def stop(self) -> None:
        self.daemon.stop()
        self.floor.stop()
        if self.other is not None:
            self.other.stop()


async def tiny(bench: Bench) -> None:
    """One tiny search: bare, here and there in turn."""
    for task, aim in (("megablast", 0.85), ("blastn", 1.12)):
        body = {"program": "blastn", "task": task, "database": "nt", "query": bench.tiny.read_text(), "reuse": False}
        argv = ["blastn", "-task", task, "-query", str(bench.tiny), "-db", "nt", "-outfmt", "6"]
        bare: list[float] = []
        ours: list[float] = []
        theirs: list[float] = []
        async with aiohttp.ClientSession() as session:
            await search(session, bench.daemon.url, body)  # pins the database
            for _ in range(bench.repeats):
                bare.append(bench.bare(argv, "bare"))
                wanted = (bench.folder / "bare").read_bytes()
                took, table = await search(session, bench.daemon.url, body)
                assert table == wanted, "not what bare BLAST+ writes"
                ours.append(took)
                if bench.other is not None:
                    took, rows = await bench.other.search(session, bench.letters, "nt", task)
                    assert rows == wanted.count(b"\n")
                    theirs.append(took)
        name = f"one tiny search ({task})"
        bench.figures.median(f"{name}: bare command", [one * 1e3 for one in bare], "ms")
        bench.figures.ratio(f"{name}: submit to table, over bare", ours, bare, aim)
        if theirs:
            bench.figures.ratio(f"{name}: blastweb, request to rows, over bare", theirs, bare)


async def truth(bench: Bench) -> None:
    """End of the process (by its step's own clock) to list, detail and SSE."""
    lags: dict[str, list[float]] = {"list": [], "detail": [], "events": []}
    query, url = bench.tiny.read_text(), bench.daemon.url
    async with aiohttp.ClientSession() as session:
        for _ in range(bench.repeats):
            body = {"program": "blastn", "database": "nt", "query": query, "reuse": False}
            job_id = await submit(session, url, body)

            async def by(what: str, job_id: str = job_id) -> tuple[str, float]:
                if what == "events":
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
            for what, at in seen:
                lags[what].append((at - datetime.fromisoformat(ended).timestamp()) * 1e3)
    for what, values in lags.items():
        bench.figures.p99(f"end of the process to completed in {what}", values, "ms", 250)


async def proteins(bench: Bench) -> None:
    """500 proteins against 20,000, over the better of the two bare ways."""
    common = ["blastp", "-db", "aa", "-outfmt", "6", "-evalue", "1e-5"]
    text = bench.proteins.read_text()
    records = [">" + part for part in text.split(">")[1:]]
    halves = [bench.folder / "half0.fa", bench.folder / "half1.fa"]
    middle = len(records) // 2
    halves[0].write_text("".join(records[:middle]))
    halves[1].write_text("".join(records[middle:]))
    ours: list[float] = []
    best: list[float] = []
    body = {"program": "blastp", "database": "aa", "query": text, "options": {"evalue": "1e-5"}, "reuse": False}
    for _ in range(min(bench.rounds, 3)):
        threads = bench.bare([*common, "-query", str(bench.proteins), "-num_threads", "2"], "t2")
        begin = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda pair: bench.bare([*common, "-query", str(pair[1])], f"h{pair[0]}"), enumerate(halves)))
        best.append(min(threads, time.perf_counter() - begin))
        async with aiohttp.ClientSession() as session:
            took, table = await search(session, bench.daemon.url, body)
        rows = (bench.folder / "t2").read_bytes().count(b"\n")  # which of equal subjects is kept depends on threads
        assert table.count(b"\n") == rows, "not as many rows as bare BLAST+ writes"
        ours.append(took)
    name = f"{len(records):,} proteins"
    bench.figures.median(f"{name}: the better of -num_threads 2 and two processes", best, "s")
    bench.figures.ratio(f"{name}: submit to table, over that", ours, best, 1.0)


async def burst(bench: Bench) -> None:
    """50 tiny searches posted at once; bare: a queue with two slots. All in turn, some rounds."""
    argv = ["blastn", "-query", str(bench.tiny), "-db", "nt", "-outfmt", "6"]
    query = bench.tiny.read_text()
    waiting = Crowd(bench.daemon.url, query, polling=False)
    polling = Crowd(bench.daemon.url, query, polling=True)
    floor = Crowd(bench.floor.url, query, polling=True, reading=False)
    bare: list[float] = []
    theirs: list[float] = []
    for _ in range(bench.rounds):
        begin = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda number: bench.bare(argv, f"b{number}"), range(CROWD)))
        bare.append(CROWD * 60 / (time.perf_counter() - begin))
        for crowd in (waiting, polling, floor):
            await crowd.come()
        if bench.other is not None:
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                begin = time.perf_counter()
                each = (bench.other.search(session, bench.letters, "nt", "megablast") for _ in range(CROWD))
                await asyncio.gather(*each)
                theirs.append(CROWD * 60 / (time.perf_counter() - begin))
    name, figures = f"{CROWD} tiny searches at once", bench.figures
    polled = f"clients that poll every {POLL_SECONDS} s"
    figures.median(f"{name}: bare queue with two slots", bare, "a minute")
    figures.ratio(
        f"{name}: clients with `?wait=`, over the rate of bare", waiting.rates, bare, 1.35, more_is_better=True
    )
    figures.ratio(f"{name}: {polled}, over the rate of bare", polling.rates, bare, 1.0, more_is_better=True)
    figures.ratio(f"{name}: the floor (`tests/benchmarks/floor.py`), over the rate of bare", floor.rates, bare)
    if theirs:
        figures.ratio(f"{name}: blastweb, over the rate of bare", theirs, bare)
    figures.p99(f"{name}: submit to 202", waiting.posts + polling.posts, "ms", 100)
    figures.p99(f"{name}: a poll", polling.polls, "ms", 100)
    figures.p99(f"{name}: submit to 202 of the floor", floor.posts, "ms")
    figures.p99(f"{name}: a poll of the floor", floor.polls, "ms")


async def many(bench: Bench) -> None:
    """A list page among 100,000 rows.

    The client's own garbage collector is off meanwhile: it held answers up for 30 to 50 ms that the daemon had sent.
    """
    state = bench.folder / "many"
    fill(state, bench.rows)
    daemon = Daemon(state, [bench.dbs]).start()
    times: list[float] = []
    try:
        gc.disable()
        async with aiohttp.ClientSession() as session:
            cursor = ""
            for _ in range(200):
                start = time.perf_counter()
                async with session.get(f"{daemon.url}/api/blast/jobs?limit=50{cursor}") as answer:
                    page = await answer.json()
                times.append((time.perf_counter() - start) * 1e3)
                following = page["page"]["next_cursor"]
                cursor = f"&cursor={following}" if following else ""
    finally:
        gc.enable()
        daemon.stop()
    bench.figures.p99(f"list page of 50 among {bench.rows:,} jobs", times, "ms", 20)


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


PARTS: dict[str, Callable[[Bench], Awaitable[None]]] = {
    "tiny": tiny,
    "truth": truth,
    "half": half,
    "burst": burst,
    "pipeline": pipeline,
    "proteins": proteins,
    "many": many,
}


def end_cleanly() -> None:
    """Let SIGTERM end this process as an error does: what it has started is stopped."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path)
    source.add_argument("--small", action="store_true")
    parser.add_argument("--blastweb", type=Path)
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    figures = Figures("local")
    end_cleanly()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = given.data or small(folder / "data")
        bench = Bench(data, folder, figures, given.blastweb, quick=given.small)
        try:
            for part in given.only:
                asyncio.run(PARTS[part](bench))  # type: ignore[arg-type]  # each is a coroutine function
        finally:
            bench.stop()
    figures.keep(given.json)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
