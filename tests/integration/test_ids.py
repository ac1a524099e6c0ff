"""Ids of databases are on the disk: what databases share, and sequences of a few subjects, cost the daemon no memory."""

import asyncio
import os
import random
import sqlite3
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from blastd.blastplus import idindex
from blastd.blastplus.ids import Ids, opened, source_of
from blastd.service.results import hit_indices
from blastd.service.search import checks
from tests.databases import make, random_dna
from tests.patience import PATIENCE_SECONDS, eventually
from tests.service import API, Service, serving

MANY = 40_000
CORE = random_dna(400, 5)
LONG_LETTERS = 12_000_000
PEAK_BYTES = 4 << 20


def fasta(records: dict[str, str]) -> str:
    return "".join(f">{name} title of {name}\n{letters}\n" for name, letters in records.items())


def core(number: int) -> str:
    """Return a sequence that the query finds, of a length of its own."""
    return random_dna(50 + number, 1000 + number) + CORE + random_dna(30, 2000 + number)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two parsed and two plain databases that share nothing, one of many ids, one that shares two with it, one of long contigs."""
    folder = tmp_path_factory.mktemp("ids")
    groups: dict[str, tuple[dict[str, str], tuple[str, ...]]] = {
        "one": ({f"one{n}": core(n) for n in range(9)}, ("-parse_seqids",)),
        "two": ({f"two{n}": core(20 + n) for n in range(9)}, ("-parse_seqids",)),
        "three": ({f"three{n}": core(40 + n) for n in range(9)} | {"twin": core(60)}, ()),
        "four": ({f"four{n}": core(70 + n) for n in range(9)}, ()),
        "many": ({f"id{n}": "ACGTTGCATTAGC" for n in range(MANY)}, ("-parse_seqids",)),
        "mine": ({f"other{n}": "ACGTTGCATTAGC" for n in range(50)} | {"ID7": "ACGTACGGCAT", "id39999": "ACGTAGGCAT"}, ("-parse_seqids",)),
        "long": ({f"long{n}": random_dna(1000, n) * (LONG_LETTERS // 1000) + CORE for n in range(2)}, ("-parse_seqids",)),
    }  # fmt: skip
    for name, (records, more) in groups.items():
        (folder / f"{name}.fa").write_text(fasta(records))
        make(folder, folder / f"{name}.fa", name, "nucl", *more)
        if len(records) > MANY - 1 or name == "long":
            (folder / f"{name}.fa").unlink()
    return folder


@pytest.fixture
async def service(folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", [folder]) as running:
        yield running


def parsed(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for record in text.split(">")[1:]:
        head, _, letters = record.partition("\n")
        found[head.split()[0]] = letters.replace("\n", "")
    return found


def expected(folder: Path, *names: str) -> dict[str, str]:
    return {key: value for name in names for key, value in parsed((folder / f"{name}.fa").read_text()).items()}


@pytest.mark.parametrize(
    "names", [["one"], ["three"], ["one", "two"], ["two", "one"], ["three", "four"], ["four", "three"]]
)
async def test_sequences_of_subjects_are_those_of_their_databases(
    service: Service, folder: Path, names: list[str]
) -> None:
    """Of one and of several databases, with and without ids, all of a search and a few."""
    job = await service.run(f">q\n{CORE}\n", database=names, reuse=False)
    assert job["status"] == "completed"
    all_of_them = expected(folder, *names)
    answer = await service.get(f"{API}/{job['job_id']}/results?format=fasta")
    assert answer.status == 200, answer.text
    assert parsed(answer.text) == all_of_them
    for few in random.Random(4).sample(sorted(all_of_them), 3), [*all_of_them][:1]:
        path = f"{API}/{job['job_id']}/results?format=fasta&query=1&" + "&".join(f"subject={name}" for name in few)
        answer = await service.get(path)
        assert parsed(answer.text) == {name: all_of_them[name] for name in few}
        assert (await service.ask("HEAD", path)).status == 200
    answer = await service.get(f"{API}/{job['job_id']}/results?format=fasta&subject=nobody")
    assert (answer.status, "nobody" in answer.text) == (422, True)
    assert not list(service.files.tmp.iterdir())


async def test_databases_that_share_ids_are_refused_whatever_their_size(service: Service) -> None:
    """Ids are compared without regard to case, as BLAST+ does; the number and some of them are told."""
    for names in (["many", "mine"], ["mine", "many"], ["one", "mine", "many"]):
        answer = await service.post(API, {"program": "blastn", "database": names, "query": f">q\n{CORE}\n"})
        assert answer.status == 422, answer.text
        assert "share 2 ids" in answer.text
        assert "id7" in answer.text.lower()
        assert "id39999" in answer.text
    assert (
        await service.post(API, {"program": "blastn", "database": ["one", "many"], "query": f">q\n{CORE}\n"})
    ).status == 202


async def test_ids_take_no_memory_of_the_daemon(service: Service) -> None:
    tracemalloc.start()
    try:
        answer = await service.post(API, {"program": "blastn", "database": ["one", "many"], "query": f">q\n{CORE}\n"})
        assert answer.status == 202
        assert (await service.ended(answer.json["job_id"]))["status"] == "completed"
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()


async def test_no_sequence_is_held_whole(service: Service) -> None:
    """A click on a subject of twelve million letters."""
    job = await service.run(f">q\n{CORE}\n", database="long")
    tracemalloc.start()
    try:
        async with service.http.get(f"{service.url}{API}/{job['job_id']}/results?format=fasta&subject=long1") as answer:
            size = 0
            async for block in answer.content.iter_chunked(1 << 16):
                size += len(block)
        assert size > LONG_LETTERS
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES
    finally:
        tracemalloc.stop()


async def test_a_submit_does_not_wait_for_ids_that_take_long(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "IDS_SECONDS", 0.0)
    body = {"program": "blastn", "database": ["two", "many"], "query": f">q\n{CORE}\n"}
    first = await service.post(API, body)
    assert (first.status, first.headers["Retry-After"]) == (503, "10")
    async with asyncio.timeout(PATIENCE_SECONDS):
        for name in ("two", "many"):
            database = service.services.databases.current(name)
            assert database is not None
            assert await service.services.databases.ids.made(source_of(database), 60)
    assert (await service.post(API, body)).status == 202


async def test_an_index_is_made_once_and_goes_with_its_database(service: Service) -> None:
    ids = service.services.databases.ids
    database = service.services.databases.current("many")
    assert database is not None
    source = source_of(database)
    assert await asyncio.gather(*(ids.made(source, 60) for _ in range(20))) == [True] * 20
    made = ids.path(source).stat()
    assert await ids.made(source, 0)
    assert ids.path(source).stat().st_mtime_ns == made.st_mtime_ns
    assert sorted(path.name for path in ids.path(source).parent.iterdir()) == [f"{source.fingerprint}.ids"]
    os.utime(ids.path(source), (1, 1))
    await service.parts.retention.sweep()
    assert ids.path(source).exists()  # the catalogue has it
    assert ids.sweep(set(), made.st_mtime) == 1
    assert not ids.path(source).exists()


def test_every_id_is_found_at_its_place(tmp_path: Path) -> None:
    """Many names, some of them equal but for case, some twice."""
    draw = random.Random(8)
    names = [f"n{draw.randrange(3000)}" for _ in range(5000)] + ["N1", "n1"]
    listing = tmp_path / "listing"
    listing.write_text(
        "".join(f"{place} {len(name)} gnl|BL_ORD_ID|{place} {name} more words\n" for place, name in enumerate(names))
    )
    assert idindex.make(tmp_path / "index", ["cat", str(listing)], parsed=False) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["index", "listing"] or len(list(tmp_path.iterdir())) == 2
    with opened(tmp_path / "index") as lookup:
        for name in {*names, "n99999", "N2"}:
            found = lookup.positions([(name, False), (name, False)], len(name))
            assert found == [place for place, other in enumerate(names) if other == name]


@pytest.mark.parametrize("seed", range(3))
def test_what_two_indices_share_is_what_two_sets_share(tmp_path: Path, seed: int) -> None:
    draw = random.Random(seed)
    held: list[set[str]] = []
    for side in ("a", "b"):
        names = {f"{draw.choice('xX')}{draw.randrange(40_000)}" for _ in range(draw.choice([1, 300, 9000]))}
        listing = tmp_path / f"{side}.txt"
        listing.write_text("".join(f"{place} 5 lcl|{name} {name}\n" for place, name in enumerate(sorted(names))))
        idindex.make(tmp_path / side, ["cat", str(listing)], parsed=True)
        held.append({name.lower() for name in names})
        (tmp_path / f"{side}.list").write_text("".join(f"{place} {name}\n" for place, name in enumerate(sorted(names))))
    told: Any = idindex.shared(tmp_path / "a", tmp_path / "b", ["cat", str(tmp_path / "a.list")])
    both = held[0] & held[1]
    assert told["count"] == len(both)
    assert len(told["names"]) == min(len(both), 5)
    assert {name.lower() for name in told["names"]} <= both


def test_it_needs_no_import_of_ours() -> None:
    assert "blastd" not in Path(idindex.__file__).read_text().replace("blastdids", "").replace("blastdbcmd", "")
    assert Ids.__doc__


async def indexed(service: Service, job: dict[str, Any]) -> Path:
    """Return the index of a job's hits once it is there."""
    index = service.files.job_folder(job["job_id"]) / "hits.sqlite"

    async def there() -> bool:
        return index.exists()

    await eventually(there)
    return index


async def test_hits_of_a_large_result_are_indexed_before_somebody_looks(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hit_indices, "INDEXED_BYTES", 1)
    job = await service.run(f">q\n{CORE}\n", database="two")
    index = await indexed(service, job)
    made = index.stat()
    assert (await service.get(f"{API}/{job['job_id']}/hits")).json["total"] == 9
    assert (index.stat().st_ino, index.stat().st_mtime_ns) == (made.st_ino, made.st_mtime_ns)


async def test_T11_a_reused_result_has_an_index_of_its_own_whatever_became_of_the_other(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hit_indices, "INDEXED_BYTES", 1)
    query = f">again\n{CORE}\n"
    first = await service.run(query, database="two")
    index = await indexed(service, first)
    with closing(sqlite3.connect(index)) as db, db:
        db.execute("DELETE FROM every_hsp WHERE hsp_id > 2")
    for _ in range(2):
        again = await service.run(query, database="two")
        assert again["reused_from"] == first["job_id"]
        assert (await indexed(service, again)).stat().st_nlink == 1
        assert (await service.get(f"{API}/{again['job_id']}/hits")).json["total"] == 9


@pytest.mark.parametrize("accepted", ["gzip", "identity"])
async def test_what_is_sent_as_it_is_made_is_gzipped_where_asked(service: Service, accepted: str) -> None:
    job = await service.run(f">q\n{CORE}\n", database="two")
    path = f"{API}/{job['job_id']}/results?format=fasta&subject=two3&subject=two4"
    answer = await service.get(path, headers={"Accept-Encoding": accepted})
    assert answer.headers.get("Content-Encoding", "identity") == accepted
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert parsed(answer.text) == {"two3": core(23), "two4": core(24)}
