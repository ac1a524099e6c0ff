"""Tiny searches that wait are done by one BLAST+ process in one turn, and each has the bytes that it has alone."""

import random
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from blastd.core.ids import JobId
from blastd.core.model import Unit
from blastd.core.tabular import rich_spec
from blastd.store import jobs, units
from tests.databases import DB, NO_HITS_QUERY, SLOW, SLOW_QUERY
from tests.patience import eventually
from tests.processes import CountedProcesses
from tests.service import API, Service, serving

PROGRAMS = [
    ("blastn", "megablast", "tnt", "nt"),
    ("blastn", "dc-megablast", "tnt", "nt"),
    ("blastn", "blastn", "noparse", "nt"),
    ("blastn", "blastn-short", "tnt", "nt"),
    ("blastp", "blastp", "taa", "aa"),
    ("blastp", "blastp-short", "taa", "aa"),
    ("blastp", "blastp-fast", "taa", "aa"),
    ("blastx", "blastx", "taa", "nt"),
    ("tblastn", "tblastn", "tnt", "aa"),
    ("tblastx", "tblastx", "tnt", "nt"),
]


def queries(kind: str, count: int, seed: int) -> list[str]:
    """Return single queries cut from the databases' own sequences, with letters changed, some repeated, names repeated."""
    chance = random.Random(seed)
    letters = "ACGT" if kind == "nt" else "ACDEFGHIKLMNPQRSTVWY"
    texts = ["".join(record.split("\n")[1:]) for record in (DB / f"{kind}.fa").read_text().split(">")[1:]]
    found = []
    for number in range(count):
        text = chance.choice(texts)
        begin = chance.randrange(max(1, len(text) - 60))
        piece = list(text[begin : begin + chance.randrange(40, 400)])
        for _ in range(len(piece) // chance.choice((5, 10, 40))):
            piece[chance.randrange(len(piece))] = chance.choice(letters)
        found.append(f">q{number % 5} number {number}\n{''.join(piece)}\n")
    return [*found, found[0]]


def bare(folder: Path, query: str, program: str, task: str, database: str, *more: str) -> bytes:
    """Return what BLAST+ writes for one query alone in the stored form."""
    (folder / "alone.fa").write_text(query)
    words = [] if program == "tblastx" else ["-task", task]
    argv = [
        program,
        "-query",
        str(folder / "alone.fa"),
        "-db",
        database,
        "-outfmt",
        rich_spec("blastn", {}),
        *words,
        *more,
    ]
    return subprocess.run(argv, cwd=folder, check=True, capture_output=True).stdout


@asynccontextmanager
async def one_slot(
    state: Path, database_folder: Path, counted: CountedProcesses | None = None, **flags: Any
) -> AsyncIterator[tuple[Service, str]]:
    """Run a service whose only slot is taken until the search of this id is cancelled; none of its processes stays."""
    outside = (counted or CountedProcesses()).outside()
    given = {"local__slots": 1, "local__residents": 0} | flags
    async with serving(state, [database_folder], outside=outside, **given) as service:
        row = await service.submit(SLOW_QUERY, **SLOW)
        yield service, row["job_id"]


async def submit(service: Service, texts: Sequence[str], **more: Any) -> list[str]:
    rows = [await service.submit(text, reuse=False, **more) for text in texts]
    return [row["job_id"] for row in rows]


async def let_go(service: Service, holder: str) -> None:
    assert (await service.post(f"{API}/{holder}/cancel")).status in (200, 202)


async def its_unit(service: Service, job_id: str) -> Unit:
    found = await service.store.read(lambda db: units.of_job(db, JobId(job_id)))
    assert len(found) == 1
    return found[0]


@pytest.mark.slow
@pytest.mark.parametrize(("program", "task", "database", "kind"), PROGRAMS)
async def test_searches_of_one_process_have_the_bytes_of_a_search_alone(
    program: str, task: str, database: str, kind: str, tmp_path: Path, database_folder: Path
) -> None:
    texts = [*queries(kind, 8, 7), *([NO_HITS_QUERY] if kind == "nt" else [])]
    counted = CountedProcesses()
    async with one_slot(tmp_path / "state", database_folder, counted) as (service, holder):
        found = await submit(service, texts, program=program, task=task, database=database)
        await let_go(service, holder)
        for job_id, text in zip(found, texts, strict=True):
            row = await service.ended(job_id)
            assert row["status"] == "completed", row
            stored = service.files.job_folder(JobId(job_id)) / "units" / "0.out"
            assert stored.read_bytes() == bare(database_folder, text, program, task, database)
            left = sorted(path.name for path in stored.parent.iterdir())
            assert left == ["0.out"]
        assert 0 < len(counted.residents) <= len(found) // 2
        assert len(counted.alone) == 1


async def test_T09_a_search_that_waits_says_so_though_nobody_asks(tmp_path: Path, database_folder: Path) -> None:
    async with one_slot(tmp_path / "state", database_folder) as (service, _):
        found = await submit(service, queries("nt", 1, 3))

        async def all_wait() -> bool:
            rows = [await service.store.read(partial(jobs.get, identifier=JobId(it))) for it in found]
            return all(row is not None and row.waiting_for == "slot" and row.phase == "queued" for row in rows)

        await eventually(all_wait)


async def test_a_cancelled_one_stops_the_process_and_the_others_run_alone(
    tmp_path: Path, database_folder: Path
) -> None:
    texts, counted = queries("nt", 6, 3), CountedProcesses()
    async with one_slot(tmp_path / "state", database_folder, counted) as (service, holder):
        found = await submit(service, texts, program="tblastx", database="slow", options={"evalue": "1e-30"})
        await let_go(service, holder)

        async def begun() -> bool:
            return (await its_unit(service, found[1])).state != "waiting"

        await eventually(begun)
        await let_go(service, found[1])
        rows = [await service.ended(job_id) for job_id in found]
        assert rows[1]["status"] in ("cancelled", "completed")
        assert {row["status"] for at, row in enumerate(rows) if at != 1} == {"completed"}
        if rows[1]["status"] == "cancelled":  # those of its process that had no table yet
            assert len(counted.alone) > 1
        assert not counted.living


async def test_a_warning_of_blast_stays_with_its_search(tmp_path: Path, database_folder: Path) -> None:
    """BLAST+ replaces the letter O and says so; in a common process it would name another query's number."""
    texts = queries("aa", 4, 5)
    texts[2] = ">odd\n" + texts[2].split("\n")[1] + "OO\n"
    counted = CountedProcesses()
    async with one_slot(tmp_path / "state", database_folder, counted) as (service, holder):
        found = await submit(service, texts, program="blastp", database="taa")
        await let_go(service, holder)
        rows = [await service.ended(job_id) for job_id in found]
        assert [row["status"] for row in rows] == ["completed"] * len(texts)
        assert [any("O character" in it["text"] for it in row["warnings"]) for row in rows] == [
            at == 2 for at in range(len(rows))
        ]
        assert len(counted.alone) > 1
        assert not counted.living


async def test_other_kinds_owners_and_nameless_queries_have_processes_of_their_own(
    tmp_path: Path, database_folder: Path
) -> None:
    text = queries("nt", 1, 1)[0]
    nameless, counted = text.split("\n")[1] + "\n", CountedProcesses()
    async with one_slot(tmp_path / "state", database_folder, counted) as (service, holder):
        found = [
            *await submit(service, [text, nameless]),
            *await submit(service, [text], options={"evalue": "1e-5"}),
            *await submit(service, [text], database="noparse"),
            *await submit(service, [text], priority=3),
            *await submit(service, [text], query_loc="1-40"),
            *await submit(service, [text + text.replace(">q0", ">q1")]),
        ]
        await let_go(service, holder)
        for job_id in found:
            assert (await service.ended(job_id))["status"] == "completed"
        assert counted.number == 1 + len(found)


async def test_together_1_gives_each_its_own(tmp_path: Path, database_folder: Path) -> None:
    counted = CountedProcesses()
    async with one_slot(tmp_path / "state", database_folder, counted, local__together=1) as (service, holder):
        found = await submit(service, queries("nt", 3, 1))
        await let_go(service, holder)
        for job_id in found:
            assert (await service.ended(job_id))["status"] == "completed"
        assert len(counted.alone) == 1 + len(found)
        assert not counted.residents
