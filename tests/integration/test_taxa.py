"""The taxonomy as it is asked for: taxa while somebody types, only those that databases hold, from whatever files lie there."""

import random
import sqlite3
import struct
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import taxopy

from blastd.core.taxa import common, taxid_of
from blastd.taxonomy import build, census, counts, reading
from tests.databases import DB, make
from tests.patience import eventually
from tests.service import Service, serving
from tests.taxonomy import TAXA, made_up, write_blast, write_dump


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Databases of one molecule, of several taxa in one sequence, and an alias that hides sequences."""
    here = tmp_path_factory.mktemp("taxa")
    make(here, DB / "nt.fa", "tnt", "nucl", "-parse_seqids", "-taxid_map", str(DB / "taxmap.txt"), "-title", "tnt")
    plain = here / "plain.fa"
    letters = "".join(random.Random(4).choices("ACGT", k=200))
    plain.write_text(f">m1 one\x01m2 two\x01m3 three\n{letters}\n>m4 four\n{letters[::-1]}\n")
    (here / "map.txt").write_text("m1 511145\nm2 9606\nm3 1281\nm4 562\n")
    make(here, plain, "merged", "nucl", "-parse_seqids", "-taxid_map", str(here / "map.txt"), "-title", "merged")
    (here / "ids.txt").write_text("lam0\nlam1\n")
    (here / "few.nal").write_text("TITLE few\nDBLIST tnt\nSEQIDLIST ids.txt\n")
    make(here, plain, "untaxed", "nucl", "-title", "untaxed")
    return here


@pytest_asyncio.fixture
async def service(folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    """A service whose taxonomy is read."""
    dump = write_dump(tmp_path / "dump")
    async with serving(tmp_path / "state", [folder], databases__taxonomy_dir=dump) as running:
        await eventually(lambda: is_ready(running))
        yield running


async def is_ready(service: Service) -> bool:
    state = (await service.get("/api/blast/taxonomy")).json
    assert state["state"] in ("building", "ready"), state
    return bool(state["state"] == "ready")


async def taxa(service: Service, q: str, database: str = "tnt", **more: Any) -> list[dict[str, Any]]:
    answer = await service.get("/api/blast/taxa", params={"q": q, "database": database, **more})
    assert answer.status == 200, answer.text
    assert answer.json["names"]
    found: list[dict[str, Any]] = answer.json["taxa"]
    return found


async def test_D01_taxa_are_found_by_any_name_and_only_those_that_the_databases_hold(service: Service) -> None:
    (found,) = await taxa(service, "escherichia c")
    assert found == {
        "taxid": 562, "name": "Escherichia coli", "common_name": "E. coli", "rank": "species",
        "lineage": ["Bacteria", "Escherichia"], "sequences": 24, "taxa": 1,
    }  # fmt: skip
    for typed in ("E. COLI", "coli", "bacterium  coli", "562", "txid562", "662101", "Escherichia coli (taxid:562)"):
        assert [each["taxid"] for each in await taxa(service, typed)][:1] == [562], typed
    assert await taxa(service, "homo") == await taxa(service, "9606") == await taxa(service, "linn") == []
    assert [each["taxid"] for each in await taxa(service, "homo", "merged")] == [9605, 9606]
    assert [each["taxid"] for each in await taxa(service, "escherichia", "few")] == [10710]  # by its own name only


async def test_counts_are_those_of_all_below_and_of_all_databases(service: Service) -> None:
    by_id = {each["taxid"]: each["sequences"] for each in await taxa(service, "", "tnt,merged", limit=50)}
    assert by_id == {2: 27, 561: 26, 562: 26, 10239: 6, 10710: 6, 83333: 1, 511145: 1, 1280: 1, 2759: 1, 40674: 1, 9605: 1, 9606: 1}  # fmt: skip
    (few,) = await taxa(service, "10710", "few")
    assert few["sequences"] == 2


async def test_what_is_asked_wrongly_is_told(service: Service) -> None:
    for query, pointer in (
        ("q=x", "/database"),
        ("q=x&database=nowhere", "/database"),
        ("database=tnt&molecule=x", "/molecule"),
    ):
        answer = await service.get(f"/api/blast/taxa?{query}")
        assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, pointer)
    assert (await service.get("/api/blast/taxa?q=x&database=untaxed")).json == {"taxa": [], "names": False}
    for odd in ("\U0010ffff", "%", "_", "'", '"', "a" * 200, " ", "é", "0", "99999999999"):
        assert (await service.get("/api/blast/taxa", params={"q": odd, "database": "tnt"})).status == 200, odd
    assert (await service.get("/api/blast/taxa", params={"q": "a" * 201, "database": "tnt"})).status == 422


async def test_D04_a_taxonomy_that_comes_or_is_replaced_is_noticed_without_a_restart(
    folder: Path, tmp_path: Path
) -> None:
    dump = tmp_path / "dump"
    async with serving(tmp_path / "state", [folder], databases__taxonomy_dir=dump) as service:
        assert (await service.get("/api/blast/taxonomy")).json["state"] == "none"
        answer = (await service.get("/api/blast/taxa?q=562&database=tnt")).json
        assert (answer["names"], [each["taxid"] for each in answer["taxa"]]) == (False, [562])
        write_dump(dump)
        await service.post("/api/blast/databases/rescan")
        await eventually(lambda: is_ready(service))
        before = (await service.get("/api/blast/taxonomy")).json
        assert (before["source"], before["taxa"]) == ("taxdump", len(TAXA))
        assert (await taxa(service, "coli"))[0]["name"] == "Escherichia coli"
        changed = {**TAXA, 562: (561, "species", "Escherichia nova", "", "", "")}
        write_dump(dump, changed)
        await service.post("/api/blast/databases/rescan")

        async def renamed() -> bool:
            return bool(await taxa(service, "escherichia n"))

        await eventually(renamed)
        assert (await service.get("/api/blast/taxonomy")).json["fingerprint"] != before["fingerprint"]


async def test_files_for_blast_beside_databases_serve_where_there_is_no_taxdump(folder: Path, tmp_path: Path) -> None:
    beside = tmp_path / "taxdb"
    beside.mkdir()
    write_blast(beside)
    async with serving(tmp_path / "state", [folder], databases__taxonomy_dir=beside) as service:
        await eventually(lambda: is_ready(service))
        assert (await service.get("/api/blast/taxonomy")).json["source"] == "blast"
        (found,) = await taxa(service, "e. c")
        assert (found["name"], found["rank"], found["lineage"]) == ("Escherichia coli", "", ["Bacteria", "Escherichia"])


async def test_a_damaged_taxdump_is_told_and_read_again_when_it_is_mended(folder: Path, tmp_path: Path) -> None:
    dump = write_dump(tmp_path / "dump")
    (dump / "nodes.dmp").write_text("<html>not found</html>\n")
    async with serving(tmp_path / "state", [folder], databases__taxonomy_dir=dump) as service:

        async def failed() -> bool:
            await service.post("/api/blast/databases/rescan")
            return bool((await service.get("/api/blast/taxonomy")).json["state"] == "failed")

        await eventually(failed)
        assert "nodes.dmp, line 1" in (await service.get("/api/blast/taxonomy")).json["reason"]
        assert (await service.get("/api/blast/taxa?q=562&database=tnt")).json["names"] is False
        write_dump(dump)
        await service.post("/api/blast/databases/rescan")
        await eventually(lambda: is_ready(service))


async def test_stores_and_counts_go_when_nothing_needs_them(service: Service) -> None:
    here = service.files.root / "taxa"

    async def all_made() -> bool:
        return sorted(path.suffix for path in here.iterdir()) == [".census2"] * 3 + [".taxa1"]

    await eventually(all_made)
    assert service.services.taxa.sweep(set()) == 0
    services = service.services
    assert services.taxa._shelf.sweep(set(), time.time() + 1e6) == 4


def test_D05_lineages_and_common_ancestors_equal_those_of_an_independent_reader(tmp_path: Path) -> None:
    made = {**TAXA, **made_up(2000)}
    dump = write_dump(tmp_path / "dump", made)
    assert build.main([str(tmp_path / "store"), "dump", str(dump)]) == 0
    other = taxopy.TaxDb(
        nodes_dmp=str(dump / "nodes.dmp"), names_dmp=str(dump / "names.dmp"), merged_dmp=str(dump / "merged.dmp")
    )
    draw = random.Random(7)
    with reading.store(tmp_path / "store") as store:
        for taxid in made:
            ours, theirs = store.lineage(taxid), taxopy.Taxon(taxid, other)
            assert ours is not None
            assert [each.taxid for each in ours.path] == [
                each for each in reversed(theirs.taxid_lineage) if each != 1 or taxid == 1
            ]
            assert (ours.taxon.name, ours.taxon.rank or "no rank") == (theirs.name, theirs.rank)
        for _ in range(300):
            ids = draw.sample(sorted(made), draw.choice((2, 3, 10)))
            lowest = common(lineage.path for lineage in store.lineages(ids).values())
            theirs = taxopy.find_lca([taxopy.Taxon(taxid, other) for taxid in ids], other)
            assert (lowest.taxid if lowest is not None else 1) == theirs.taxid


@pytest.mark.parametrize("circle", [False, True])
def test_a_tree_in_any_order_with_orphans_and_circles_is_numbered_whole(*, circle: bool) -> None:
    draw = random.Random(3)
    nodes = [(taxid, draw.randrange(1, max(2, taxid))) for taxid in range(1, 400)] + [(900, 800)]
    nodes += [(901, 902), (902, 903), (903, 901)] if circle else []
    draw.shuffle(nodes)
    tree = build.Tree()
    for taxid, parent in nodes:
        tree.add(taxid, parent)
    tree.sort()
    places, lasts = tree.places()
    assert sorted(places) == list(range(len(nodes)))
    place = dict(zip(tree.ids, zip(places, lasts, strict=True), strict=True))
    below: dict[int, set[int]] = {taxid: {taxid} for taxid, _ in nodes}
    parents = dict(nodes)
    for taxid in range(1, 400):
        above = taxid
        while above != 1:
            above = parents[above]
            below[above].add(taxid)
    for taxid in range(1, 400):
        first, last = place[taxid]
        assert {one for one, (at, _) in place.items() if first <= at <= last} == below[taxid]


def test_what_many_names_begin_with_is_answered_by_sequences_and_in_time(tmp_path: Path) -> None:
    made = {**TAXA, **made_up(30_000)}
    assert build.main([str(tmp_path / "store"), "dump", str(write_dump(tmp_path / "dump", made))]) == 0
    ids = [12_000_000 + number for number in range(30_000)] + [12_012_345] * 7 + [9606] * 3
    head = struct.pack("<Q", len(ids)) + struct.pack(f"<{len(ids)}Q", *range(1, len(ids) + 1))
    (tmp_path / "db.not").write_bytes(head + struct.pack(f"<{len(ids)}i", *ids))
    assert census.main([str(tmp_path / "census"), str(tmp_path / "store"), "taxids", str(tmp_path / "db.not")]) == 0
    with counts.census(tmp_path / "census") as held:
        for typed in ("f", "fict"):
            assert held.begin_so(typed, 5)[0].sequences >= 400  # a family, or a genus, of most sequences
        assert held.begin_so("exemplum", 5)[0].taxid == 12_012_345
        genus = held.begin_so("fictus617", 3)[0]
        assert (genus.taxid, genus.exact) == (11_000_617, True)
        assert [each.taxid for each in held.begin_so("human", 3)] == [9606, 9605]
        assert held.below(2, 100_001) == [12_000_000 + number for number in range(30_000)]
        everything = held.count(1)
        assert everything is not None and everything.sequences == len(ids)
    with closing(sqlite3.connect(tmp_path / "census")) as db:
        sizes = [row[0] for row in db.execute("SELECT count(*) FROM popular GROUP BY prefix")]
    assert max(sizes) <= census.SHOWN


@pytest.mark.parametrize(
    ("text", "taxid"),
    [
        ("562", 562),
        (" txid562 ", 562),
        ("taxid: 562", 562),
        ("E. coli (taxid:562)", 562),
        ("562x", None),
        ("0", None),
        ("99999999999", None),
        ("Escherichia coli", None),
    ],
)
def test_ids_are_read_in_every_way_that_ncbi_writes_them(text: str, taxid: int | None) -> None:
    assert taxid_of(text) == taxid
