"""BLAST+ processes that stay for the next search: the bytes are those of a search alone, and what is not as usual ends them."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from blastd.blastplus import process
from blastd.core.ids import JobId, Owner
from blastd.engines.local.engine import LocalEngine
from blastd.store import tokens
from tests.daemon import Daemon
from tests.databases import CASES, DB, make, random_dna
from tests.integration.test_shared import PROGRAMS, bare, queries
from tests.patience import eventually, until
from tests.processes import CountedProcesses, alive
from tests.service import API, Service, serving
from tests.wrappers import linked, put, real


@asynccontextmanager
async def resident(
    state: Path, folders: Sequence[Path], **flags: Any
) -> AsyncIterator[tuple[Service, CountedProcesses]]:
    """Run a service with one slot and processes that are counted."""
    counted = CountedProcesses()
    given = {"local__slots": 1} | flags
    async with serving(state, list(folders), outside=counted.outside(), **given) as service:
        yield service, counted


async def run(service: Service, text: str, **more: Any) -> dict[str, Any]:
    row = await service.run(text, **({"reuse": False} | more))
    assert row["status"] == "completed", row
    return row


def stored(service: Service, row: dict[str, Any]) -> bytes:
    return (service.files.job_folder(JobId(row["job_id"])) / "units" / "0.out").read_bytes()


def idle(service: Service) -> int:
    """Return how many processes wait for a search."""
    engine = service.parts.engines["local"]
    assert isinstance(engine, LocalEngine)
    return len(engine.residents)


async def gone(counted: CountedProcesses, left: int = 0) -> None:
    async def few() -> bool:
        return len(counted.living) == left

    await eventually(few)


# ------------------------------------------------------------------ the same bytes
@pytest.mark.blast
@pytest.mark.parametrize(("program", "task", "database", "kind"), PROGRAMS)
async def test_X01_one_after_the_other_has_the_bytes_of_a_search_alone(
    program: str, task: str, database: str, kind: str, tmp_path: Path, database_folder: Path
) -> None:
    texts = queries(kind, 6, 11)
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        for text in texts:
            row = await run(service, text, program=program, task=task, database=database)
            assert stored(service, row) == bare(database_folder, text, program, task, database)
            left = [path.name for path in service.files.units_folder(JobId(row["job_id"])).iterdir()]
            assert left == ["0.out"]
        assert (len(counted.residents), len(counted.alone)) == (1, 0)


@pytest.mark.blast
@pytest.mark.parametrize(
    "title",
    [
        "# 3 hits found", "q # Query: m0", "q\t# BLASTN 2.12.0+", ">q >s", "q " + "long " * 2000, "lcl|q|1", "123",
        "gnl|BL_ORD_ID|3", "q # BLAST processed 1 queries",
    ],
)  # fmt: skip
async def test_X01_a_title_may_hold_any_text(title: str, tmp_path: Path, database_folder: Path) -> None:
    text = f">{title}\n" + queries("nt", 1, 5)[0].split("\n")[1] + "\n"
    async with resident(tmp_path / "state", [database_folder]) as (service, _):
        for each in (text, queries("nt", 1, 6)[0], text):
            row = await run(service, each)
            query = service.files.query_path(JobId(row["job_id"])).read_text()
            assert stored(service, row) == bare(database_folder, query, "blastn", "megablast", "tnt")


@pytest.mark.blast
async def test_X01_a_large_table_is_whole(tmp_path: Path, database_folder: Path) -> None:
    """BLAST+ writes 4 KiB at a time: the table comes in hundreds of pieces."""
    part = random_dna(300, 4)
    many = database_folder / "many.fa"
    chance = random.Random(3)
    many.write_text(
        "".join(f">m{number} {'t' * 400}\n{part[: chance.randrange(200, 300)]}\n" for number in range(4000))
    )
    folder = tmp_path / "db"
    folder.mkdir()
    make(folder, many, "many", "nucl")
    many.unlink()
    text, options = f">q\n{part}\n", {"max_target_seqs": 4000}
    async with resident(tmp_path / "state", [folder]) as (service, counted):
        for _ in range(2):
            row = await run(service, text, database="many", options=options)
            alone = bare(folder, text, "blastn", "megablast", "many", "-max_target_seqs", "4000")
            assert len(alone) > 1 << 20
            assert stored(service, row) == alone
        assert (len(counted.residents), len(counted.alone)) == (1, 0)


ODD: list[tuple[str, dict[str, Any]]] = [
    ("all_N.fa", {}), ("low_complexity.fa", {}), ("lower_case_mask.fa", {"options": {"lcase_masking": True}}),
    ("iupac_and_gaps.fa", {}), ("crlf.fa", {}), ("no_final_newline.fa", {}), ("id_60_chars.fa", {}),
    ("gt_inside_title.fa", {}), ("one_line_53kb.fa", {}), ("ctrl_a_title.fa", {}), ("hash_id.fa", {}),
    ("numeric_ids.fa", {}), ("protein_with_stop.fa", {"program": "blastp", "database": "taa"}),
    ("protein_UOJ_BZX.fa", {"program": "blastp", "database": "taa"}),
]  # fmt: skip


@pytest.mark.blast
async def test_X01_odd_queries_have_the_bytes_of_a_search_alone(tmp_path: Path, database_folder: Path) -> None:
    """What BLAST+ has to say about one (all N, odd letters) names a query by its number in the process: it is searched alone."""
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        for name, more in ODD:
            first = "aa" if "program" in more else "nt"
            await run(service, queries(first, 1, 2)[0], **more)
            row = await run(service, (CASES / name).read_text(), **more)
            query = service.files.query_path(JobId(row["job_id"])).read_text()
            words = ["-lcase_masking"] if "options" in more else []
            task, database = ("blastp", "taa") if "program" in more else ("megablast", "tnt")
            assert stored(service, row) == bare(
                database_folder, query, more.get("program", "blastn"), task, database, *words
            ), name
            assert not any("Query_" in it["text"] for it in row["warnings"]), name
        assert len(counted.residents) > 1
        assert counted.alone


@pytest.mark.blast
async def test_X01_every_format_is_that_of_a_search_alone(tmp_path: Path, database_folder: Path) -> None:
    found = []
    for residents in (0, 8):
        async with resident(tmp_path / str(residents), [database_folder], local__residents=residents) as (service, _):
            for text in queries("nt", 2, 4)[:2]:
                row = await run(service, text)
            formats = ("tabular", "commented", "csv", "pairwise", "xml", "xml2", "json", "asn1", "sam", "fasta")
            answers = [await service.get(f"{API}/{row['job_id']}/results?format={each}&wait=20") for each in formats]
            assert [answer.text for answer in answers if answer.status != 200] == []
            found.append({each: answer.body for each, answer in zip(formats, answers, strict=True)})
    for each, body in found[0].items():  # in SAM stands a path of the job's folder
        assert [line for line in body.splitlines() if line[:3] != b"@PG"] == [
            line for line in found[1][each].splitlines() if line[:3] != b"@PG"
        ], each


async def test_X01_a_hundred_queries_of_one_process(tmp_path: Path, database_folder: Path) -> None:
    texts = queries("nt", 100, 21)
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        rows = [await service.submit(text, reuse=False) for text in texts]
        for row, text in zip(rows, texts, strict=True):
            assert (await service.ended(row["job_id"]))["status"] == "completed"
            assert stored(service, row) == bare(database_folder, text, "blastn", "megablast", "tnt")
        assert (len(counted.residents), len(counted.alone)) == (1, 0)


# ------------------------------------------------------------------ whose a process is, and of what
async def test_X04_owners_options_and_databases_have_processes_of_their_own(
    tmp_path: Path, database_folder: Path
) -> None:
    text = queries("nt", 1, 1)[0]
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        now = service.parts.clock.now()
        for owner in ("ann", "bob"):
            secret = await service.store.write(
                partial(
                    tokens.create, token_id=f"{owner}00000", secret=owner[0] * 43, owner=Owner(owner), role="user",
                    now=now, expires_at=None,
                )
            )  # fmt: skip
            headers = {"Authorization": f"Bearer {secret}"}
            for _ in range(2):
                row = await service.submit(text, reuse=False, headers=headers)
                assert (await service.ended(row["job_id"], headers=headers))["status"] == "completed"
        assert len(counted.residents) == 2


async def test_X02_another_generation_has_another_process_and_the_old_one_goes(tmp_path: Path) -> None:
    folder, text = tmp_path / "db", queries("nt", 1, 1)[0]
    folder.mkdir()
    make(folder, DB / "nt.fa", "db", "nucl")
    async with resident(tmp_path / "state", [folder]) as (service, counted):
        before = await run(service, text, database="db")
        held = service.parts.engines["local"].residents.pins  # type: ignore[attr-defined]  # of the local engine
        assert held == {before["database_fingerprint"][0]}
        (tmp_path / "more.fa").write_text((DB / "nt.fa").read_text() + text.replace(">q0", ">itself"))
        make(folder, tmp_path / "more.fa", "db", "nucl")
        assert (await service.post("/api/blast/databases/rescan")).status in (200, 202)
        after = await run(service, text, database="db")
        assert after["hits"] == before["hits"] + 1
        assert stored(service, after) == bare(folder, text, "blastn", "megablast", "db")
        await gone(counted, left=1)
        assert len(counted.residents) == 2


async def test_X02_a_generation_whose_job_is_deleted_stays_as_long_as_the_process(tmp_path: Path) -> None:
    folder, text = tmp_path / "db", queries("nt", 1, 1)[0]
    folder.mkdir()
    make(folder, DB / "nt.fa", "db", "nucl")
    async with resident(tmp_path / "state", [folder], retention__generations_days=0) as (service, counted):
        row = await run(service, text, database="db")
        place = service.files.generations / row["database_fingerprint"][0]
        assert (await service.ask("DELETE", f"{API}/{row['job_id']}")).status == 200
        os.utime(place, (0, 0))
        service.parts.services._pins._held.clear()  # as an hour later
        await service.parts.retention.run_once()
        assert place.is_dir()
        os.kill(counted.residents[0]._pid, signal.SIGKILL)

        async def left() -> bool:
            return idle(service) == 0

        await eventually(left)
        await service.parts.retention.run_once()
        assert not place.exists()


@pytest.mark.parametrize("same_version", [True, False])
async def test_X02_another_blast_has_another_process(same_version: bool, tmp_path: Path, database_folder: Path) -> None:
    programs, text = linked(tmp_path / "bin"), queries("nt", 1, 1)[0]
    async with resident(tmp_path / "state", [database_folder], blast__bin=programs) as (service, counted):
        await run(service, text)
        words = f'exec {real("blastn")} "$@"'
        if not same_version:
            words = f'[ "$1" = -version ] && echo "blastn: 2.99.0+" && exit 0\n{words}'
        put(programs, "blastn", f"#!/bin/sh\n{words}\n")
        row = await run(service, text)
        assert row["hits"] > 0
        assert len(counted.residents) == 2
        await gone(counted, left=1)


# ------------------------------------------------------------------ bounds
@pytest.mark.parametrize(
    ("flags", "processes"),
    [
        ({"local__residents": 0}, 0),
        ({"local__resident_queries": 1}, 3),
        ({"local__resident_bytes": 1 << 20}, 3),
        ({"local__residents": 2}, 1),
    ],
)
async def test_a_process_has_its_bounds(
    flags: dict[str, Any], processes: int, tmp_path: Path, database_folder: Path
) -> None:
    async with resident(tmp_path / "state", [database_folder], **flags) as (service, counted):
        for text in queries("nt", 2, 1):
            await run(service, text)
        assert len(counted.residents) == processes
        if processes != 1:
            await gone(counted)


async def test_no_more_stay_than_may(tmp_path: Path, database_folder: Path) -> None:
    text = queries("nt", 1, 1)[0]
    async with resident(tmp_path / "state", [database_folder], local__residents=2) as (service, counted):
        for number in range(4):
            await run(service, text, options={"evalue": f"1e-{number + 2}"})
        await gone(counted, left=2)
        await run(service, text, options={"evalue": "1e-5"})
        assert len(counted.residents) == 4  # the one that was used last was there
        await run(service, text, options={"evalue": "1e-2"})
        assert len(counted.residents) == 5


async def test_one_that_nobody_asks_goes(tmp_path: Path, database_folder: Path) -> None:
    async with resident(tmp_path / "state", [database_folder], local__resident_seconds=0.1) as (service, counted):
        await run(service, queries("nt", 1, 1)[0])
        await gone(counted)
        assert idle(service) == 0


async def test_X03_one_goes_when_memory_is_short(tmp_path: Path, database_folder: Path) -> None:
    text = queries("nt", 1, 1)[0]
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        await run(service, text)
        counted.short = True
        await gone(counted)
        await run(service, text)


async def test_X02_none_outlives_the_service(tmp_path: Path, database_folder: Path) -> None:
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        await run(service, queries("nt", 1, 1)[0])
        assert len(counted.living) == 1
    assert not counted.living


def test_X02_none_outlives_a_daemon_that_is_killed(tmp_path: Path, database_folder: Path) -> None:
    daemon = Daemon(tmp_path / "state", [database_folder]).start().ready()
    mark = f"{process.MARK}={daemon.state}"
    try:
        row = daemon.submit(queries("nt", 1, 1)[0])
        assert daemon.ended(row["job_id"])["status"] == "completed"
        until(lambda: len(alive(mark)) == 1)  # what asks BLAST+ of the databases ends
    finally:
        daemon.kill()
    until(lambda: not alive(mark))


# ------------------------------------------------------------------ what is not as usual
async def test_one_that_dies_while_it_waits_is_not_asked(tmp_path: Path, database_folder: Path) -> None:
    text = queries("nt", 1, 1)[0]
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        await run(service, text)
        os.kill(counted.residents[0]._pid, signal.SIGKILL)
        await gone(counted)
        row = await run(service, text)
        assert stored(service, row) == bare(database_folder, text, "blastn", "megablast", "tnt")


async def test_X03_one_that_is_killed_at_work_leaves_its_search_to_a_process_of_its_own(
    tmp_path: Path, database_folder: Path
) -> None:
    text = queries("nt", 1, 1)[0]
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        await run(service, text)
        os.kill(counted.residents[0]._pid, signal.SIGSTOP)  # so that it is at work when it is killed
        submitted = await service.submit(text, reuse=False)

        async def fed() -> bool:
            return idle(service) == 0

        await eventually(fed)
        os.kill(counted.residents[0]._pid, signal.SIGKILL)
        row = await service.ended(submitted["job_id"])
        assert row["status"] == "completed"
        assert stored(service, row) == bare(database_folder, text, "blastn", "megablast", "tnt")
        assert len(counted.alone) == 1
        await run(service, text)
        assert len(counted.alone) == 2  # for a while nothing of the kind is fed


async def test_the_time_limit_runs_from_the_hand_over(tmp_path: Path, database_folder: Path) -> None:
    text = queries("nt", 1, 1)[0]
    async with resident(tmp_path / "state", [database_folder], local__time_limit_seconds=3) as (service, counted):
        await run(service, text)
        os.kill(counted.residents[0]._pid, signal.SIGSTOP)
        submitted = await service.submit(text, reuse=False)
        row = await service.ended(submitted["job_id"])
        assert (row["status"], row["error_code"]) == (
            "failed",
            "time_limit",
        )  # the limit is the search's, wherever it ran
        assert not counted.living
        row = await run(service, text)
        assert stored(service, row) == bare(database_folder, text, "blastn", "megablast", "tnt")


async def test_a_cancel_kills_what_computes(tmp_path: Path, database_folder: Path) -> None:
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        row = await run(service, queries("nt", 1, 1)[0])
        os.kill(counted.residents[0]._pid, signal.SIGSTOP)
        submitted = await service.submit(queries("nt", 1, 2)[0], reuse=False)

        async def fed() -> bool:
            return idle(service) == 0

        await eventually(fed)
        assert (await service.post(f"{API}/{submitted['job_id']}/cancel")).status in (200, 202)
        row = await service.ended(submitted["job_id"])
        assert row["status"] == "cancelled"
        assert not counted.living
        assert counted.number == 1


async def test_a_crowd_cancels_and_retries_and_each_that_ends_well_has_its_bytes(
    tmp_path: Path, database_folder: Path
) -> None:
    texts, chance = queries("nt", 40, 9), random.Random(5)
    async with resident(tmp_path / "state", [database_folder], local__slots=2) as (service, counted):
        rows = [await service.submit(text, reuse=False) for text in texts]

        async def meddle(job_id: str) -> None:
            await asyncio.sleep(chance.random() * 0.3)  # the moment of the cancel is what is drawn here
            await service.post(f"{API}/{job_id}/cancel")

        async with asyncio.TaskGroup() as group:
            for row in rows[::3]:
                group.create_task(meddle(row["job_id"]))
        for row, text in zip(rows, texts, strict=True):
            ended = await service.ended(row["job_id"])
            assert ended["status"] in ("completed", "cancelled"), ended
            if ended["status"] == "completed":
                assert stored(service, row) == bare(database_folder, text, "blastn", "megablast", "tnt")
        capacity = service.parts.engines["local"].health().capacity
        assert (capacity.slots_busy, capacity.units) == (0, 0)
        assert len(counted.living) <= 2


async def test_a_warning_ends_the_process_and_is_told_as_of_a_search_alone(
    tmp_path: Path, database_folder: Path
) -> None:
    text = queries("aa", 1, 5)[0]
    odd = ">odd\n" + text.split("\n")[1] + "OO\n"
    async with resident(tmp_path / "state", [database_folder]) as (service, counted):
        await run(service, text, program="blastp", database="taa")
        row = await run(service, odd, program="blastp", database="taa")
        assert any("O character" in it["text"] for it in row["warnings"])
        assert not any("Query_" in it["text"] for it in row["warnings"])
        assert len(counted.alone) == 1
        assert not counted.living
