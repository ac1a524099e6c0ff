"""The index of hits: work in turns, extended part by part, and not waited for by who looks at the first hits."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from blastd.core import steps
from blastd.core.hits import HitsRequest
from blastd.core.ids import JobId, Owner
from blastd.core.model import Job, Phase, QueryInfo, Status, Unit, UnitKind, UnitState
from blastd.core.schedule import Claim
from blastd.core.tabular import COLUMN, RICH, TRAILER
from blastd.results import hit_index, hits
from blastd.results.assemble import stored_lines
from blastd.service.results import hit_indices
from tests.databases import LAMBDA_QUERY
from tests.fakes import START
from tests.patience import eventually
from tests.service import API, Service, serving

ID = JobId("00000000-0000-4000-8000-000000000013")
MANY = 1_000_000


def rows(query: int, subjects: int, first: int) -> list[str]:
    """Return rows of one query: *subjects*, each with two HSPs."""
    found = []
    for number in range(first, first + subjects):
        for hsp in range(2):
            cells = ["1"] * len(RICH)
            for name, value in (
                ("qaccver", f"q{query}"), ("saccver", f"s{number}"), ("sseqid", f"s{number}"), ("sacc", f"s{number}"),
                ("stitle", f"subject {number}"), ("evalue", "1e-9"), ("sstrand", "plus"), ("staxids", "N/A"),
                ("bitscore", str(1000 - hsp)),
            ):  # fmt: skip
                cells[COLUMN[name]] = value
            found.append("\t".join(cells))
    return found


def stored(folder: Path, found: list[list[str]]) -> tuple[Job, tuple[Unit, ...]]:
    """Write the stored form of a search whose queries found these rows, each in a part of its own."""
    (folder / "units").mkdir(parents=True)
    (folder / "query.fa").write_text("".join(f">q{number}\nACGT\n" for number in range(1, len(found) + 1)))
    units = []
    for index, its in enumerate(found):
        head = ["# BLASTN 2.12.0+", f"# Query: q{index + 1}", "# Database: db", "# Fields: " + ", ".join(RICH)]
        lines = [*head, f"# {len(its)} hits found", *its, f"{TRAILER}1 queries"]
        (folder / "units" / f"{index}.out").write_text("\n".join(lines) + "\n")
        units.append(
            Unit(
                job_id=ID, index=index, kind=UnitKind.SEARCH, batch=index, shard=None, first_query=index, queries=1,
                letters=4, offset=0, size=4, state=UnitState.DONE, output_sha256=f"{index}",
            )
        )  # fmt: skip
    job = Job(
        job_id=ID, version=1, title="", program="blastn", task="megablast", databases=(), options={}, query_loc=None,
        engine="local", priority=0, owner=Owner("anna"), source="api", status=Status.COMPLETED, phase=Phase.COMPLETED,
        query=QueryInfo(count=len(found), letters=4, molecule="nucl", first_id="q1", sha256=""),
        created_at=START, updated_at=START, steps=steps.begin(), hits=sum(map(len, found)),
    )  # fmt: skip
    return job, tuple(units)


def made(folder: Path, job: Job, units: tuple[Unit, ...], *, complete: bool) -> Path:
    path = hit_index.path_of(folder, units, complete=complete)
    return hit_index.make(path, folder, job, units, folder / "made")


def test_Y13_an_index_is_extended_by_the_parts_that_came_and_says_the_same_as_one_made_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [rows(1, 30, 0), rows(2, 30, 20), rows(3, 30, 45)]  # they share subjects
    job, units = stored(tmp_path / "parts", found)
    read: list[int] = []

    def counted(path: Path) -> Iterator[str]:
        read.append(int(path.stem))
        return stored_lines(path)

    monkeypatch.setattr(hit_index, "stored_lines", counted)
    for these in ((units[2],), (units[0], units[2])):
        path = made(tmp_path / "parts", job, these, complete=False)
        assert hits.page(path, HitsRequest(), 0)[0] == 60 * len(these)
    parts = made(tmp_path / "parts", job, units, complete=True)
    assert read == [2, 0, 1], "each part is read once"
    assert not (tmp_path / "parts" / hit_index.PARTIAL).exists()
    other, its_units = stored(tmp_path / "once", found)
    once = made(tmp_path / "once", other, its_units, complete=True)
    for request in (HitsRequest(limit=1000), HitsRequest(group="subject", limit=1000), HitsRequest(sort="evalue")):
        assert hits.page(parts, request, 0) == hits.page(once, request, 0)
    for query in (None, 2):
        assert list(hits.subjects(parts, query, 7)) == list(hits.subjects(once, query, 7))
    assert [name for page in hits.subjects(parts, None, 7) for name, _, _ in page] == [f"s{at}" for at in range(75)]


@pytest.mark.parametrize(
    "request_",
    [
        HitsRequest(),
        HitsRequest(limit=7, cursor="20"),
        HitsRequest(query=2, limit=1000),
        HitsRequest(query=3, group="subject", limit=10),
        HitsRequest(query=4),
        HitsRequest(limit=1000),
    ],
)
def test_Y13_the_first_hits_are_those_that_the_index_gives(tmp_path: Path, request_: HitsRequest) -> None:
    job, units = stored(tmp_path, [rows(1, 30, 0), rows(2, 30, 20), rows(3, 30, 45), []])
    offset = int(request_.cursor or 0)
    first = hits.first(tmp_path, job, units, request_, offset)
    path = made(tmp_path, job, units, complete=True)
    if first is None:  # all that there is has fewer rows than were asked for: the index tells
        assert request_.limit == 1000
        assert request_.query is None
    else:
        assert first == hits.page(path, request_, offset)


@pytest.mark.parametrize(
    "request_",
    [HitsRequest(sort="evalue"), HitsRequest(text="s1"), HitsRequest(min_identity=90), HitsRequest(group="subject")],
)
def test_Y13_what_needs_all_hits_is_not_told_from_the_first(tmp_path: Path, request_: HitsRequest) -> None:
    job, units = stored(tmp_path, [rows(1, 30, 0)])
    assert hits.first(tmp_path, job, units, request_, 0) is None


def test_Y13_of_a_million_rows_the_first_are_told_by_reading_some(tmp_path: Path) -> None:
    job, units = stored(tmp_path, [rows(1, 5_000, 0), rows(2, 5, 0)])
    with (tmp_path / "units" / "0.out").open("r+") as file:
        text = file.read().replace("# 10000 hits found", f"# {MANY} hits found")
        file.seek(0)
        file.write(text)  # whoever reads to the end finds that they are not there
    job = replace(job, hits=MANY + 10)
    found = hits.first(tmp_path, job, units, HitsRequest(limit=100), 0)
    assert found is not None
    assert (found[0], len(found[1]), found[1][99]["subject"]) == (MANY + 10, 100, "s49")
    assert hits.first(tmp_path, job, units, HitsRequest(query=2), 0) is None, "it lies behind what is read"


@asynccontextmanager
async def occupied(service: Service) -> AsyncIterator[None]:
    """Hold every slot during the block."""
    turns = service.parts.turns
    async with turns.turn(Claim(work_id="x", owner=Owner("x"))), turns.turn(Claim(work_id="y", owner=Owner("x"))):
        yield


async def test_Y13_an_index_waits_for_its_turn_and_the_first_hits_do_not(
    tmp_path: Path, database_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, [database_folder], local__slots=2) as service:
        job = await service.run(LAMBDA_QUERY, options={"word_size": 7, "evalue": 1000})
        assert job["hits"] > 2
        monkeypatch.setattr(hit_indices, "INDEXED_BYTES", 0)
        address = f"{API}/{job['job_id']}/hits"
        async with occupied(service):
            first = (await service.get(f"{address}?limit=2")).json
            assert (first["total"], len(first["hits"])) == (job["hits"], 2)
            sorted_ = asyncio.create_task(service.get(f"{address}?sort=evalue"))
            again = asyncio.create_task(service.get(f"{address}?sort=bit_score"))
            schedule = service.parts.turns.schedule

            async def queued() -> bool:
                return bool(schedule.waiting())

            await eventually(queued)
            assert len(schedule.waiting()) == 1, "one making for all who ask"
            assert not sorted_.done()
            assert not again.done()
        assert (await sorted_).json["total"] == (await again).json["total"] == job["hits"]
        assert (await service.get(f"{address}?limit=2")).json == first
