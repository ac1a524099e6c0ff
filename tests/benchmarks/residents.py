"""What processes that stay save: tiny searches on half a megabase, alone, in crowds and one after the other."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.benchmarks.clients import CROWD, Crowd, search

if TYPE_CHECKING:
    from tests.benchmarks.local import Bench

LITTLE = "on half a megabase"


async def half(bench: "Bench") -> None:
    """One tiny search, then many at once: bare in two slots, and here, in turn."""
    argv = ["blastn", "-query", str(bench.half), "-db", "half", "-outfmt", "6"]
    bare: list[float] = []
    ours: list[float] = []
    async with aiohttp.ClientSession() as session:
        body = _body(bench)
        await search(session, bench.daemon.url, body)  # pins the database
        for _ in range(bench.repeats):
            bare.append(bench.bare(argv, "bare"))
            took, table = await search(session, bench.daemon.url, body)
            assert table == (bench.folder / "bare").read_bytes(), "not what bare BLAST+ writes"
            ours.append(took)
    name = f"one tiny search {LITTLE}"
    bench.figures.median(f"{name}: bare command", [one * 1e3 for one in bare], "ms")
    bench.figures.ratio(f"{name}: submit to table, over bare", ours, bare, 0.35)
    for count in (CROWD, bench.many):
        crowd = Crowd(bench.daemon.url, bench.half.read_text(), polling=False, database="half", count=count)
        rates: list[float] = []
        for _ in range(bench.rounds):
            begin = time.perf_counter()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda number: bench.bare(argv, f"b{number}"), range(count)))
            rates.append(count * 60 / (time.perf_counter() - begin))
            await crowd.come()
        name = f"{count} tiny searches at once {LITTLE}, over the rate of a bare queue with two slots"
        bench.figures.ratio(name, crowd.rates, rates, 4.0, more_is_better=True)


async def pipeline(bench: "Bench") -> None:
    """Searches that a pipeline sends one after the other, over a shell loop of the commands."""
    for database, query in (("half", bench.half), ("nt", bench.tiny)):
        argv = ["blastn", "-query", str(query), "-db", database, "-outfmt", "6"]
        count = bench.pipeline if database == "half" else max(bench.pipeline // 10, 10)
        bare = sum(bench.bare(argv, "bare") for _ in range(count))
        begin = time.perf_counter()
        async with aiohttp.ClientSession() as session:
            for _ in range(count):
                await search(session, bench.daemon.url, _body(bench, database, query.read_text()))
        took = time.perf_counter() - begin
        what = LITTLE if database == "half" else "on 12 megabases"
        bench.figures.ratio(
            f"{count:,} tiny searches {what}, one after the other, over the commands", [took], [bare], 0.9
        )


def _body(bench: "Bench", database: str = "half", query: str = "") -> dict[str, Any]:
    text = query or bench.half.read_text()
    return {"program": "blastn", "database": database, "query": text, "reuse": False}
