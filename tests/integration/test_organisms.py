"""Searches that are limited to organisms: by any name, of any rank, with the bytes of listing their ids by hand."""

import asyncio
import os
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import taxopy

from tests.databases import DB, LAMBDA_QUERY, make
from tests.patience import eventually
from tests.service import API, Service, serving
from tests.taxonomy import TAXA, write_blast, write_dump

LITERAL = b"no_taxid_expansion" in subprocess.run(["blastn", "-help"], capture_output=True, check=True).stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty subjects of three strains of one genus, of man, of a phage, and of a taxon that no taxonomy knows."""
    here = tmp_path_factory.mktemp("organisms")
    ids = [line.split()[0][1:] for line in (DB / "nt.fa").read_text().splitlines() if line.startswith(">")]
    taxids = [10710, 562, 511145, 9606, 1281, 777777]
    (here / "map.txt").write_text("".join(f"{one} {taxids[at % len(taxids)]}\n" for at, one in enumerate(ids)))
    make(here, DB / "nt.fa", "mixed", "nucl", "-parse_seqids", "-taxid_map", str(here / "map.txt"), "-title", "mixed")
    make(here, DB / "nt.fa", "old", "nucl", "-parse_seqids", "-title", "old", "-blastdb_version", "4")
    make(here, DB / "nt.fa", "none", "nucl", "-parse_seqids", "-title", "none")
    return here


@pytest_asyncio.fixture
async def service(folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    """A service whose taxonomy is read."""
    async with serving(tmp_path / "state", [folder], databases__taxonomy_dir=write_dump(tmp_path / "dump")) as running:

        async def ready() -> bool:
            return bool((await running.get("/api/blast/taxonomy")).json["state"] == "ready")

        await eventually(ready)
        yield running


def all_subjects() -> str:
    """A query that finds every subject: the beginning of each."""
    records = (DB / "nt.fa").read_text().split(">")[1:]
    return "".join(f">q{number}\n{''.join(record.splitlines()[1:])[:200]}\n" for number, record in enumerate(records))


def bare(folder: Path, query: str, *more: str) -> bytes:
    """What BLAST+ itself writes."""
    literal = ["-no_taxid_expansion"] if LITERAL else []
    argv = ["blastn", "-db", "mixed", "-outfmt", "6 std staxids", *more, *literal]
    return subprocess.run(argv, input=query.encode(), cwd=folder, capture_output=True, check=True).stdout


async def table(service: Service, query: str, **search: Any) -> tuple[bytes, dict[str, Any]]:
    job = await service.run(query, database="mixed", **search)
    assert job["status"] == "completed", job
    answer = await service.get(f"{API}/{job['job_id']}/results?format=tabular&fields=std,staxids")
    assert answer.status == 200, answer.text
    return answer.body, job


async def refused(service: Service, **search: Any) -> list[tuple[str, str]]:
    answer = await service.post(API, {"program": "blastn", "database": "mixed", "query": LAMBDA_QUERY} | search)
    assert answer.status == 422, answer.text
    return [(fault["pointer"], fault["detail"]) for fault in answer.json["errors"]]


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"organisms": ["Escherichia"]}, ["-taxids", "562,511145"]),
        ({"organisms": "E. coli"}, ["-taxids", "562,511145"]),
        ({"organisms": [40674]}, ["-taxids", "9606"]),
        ({"organisms": ["Bacteria", "human"]}, ["-taxids", "562,511145,1281,9606"]),
        ({"organisms": ["bacteria"], "exclude_organisms": ["562"]}, ["-taxids", "1281"]),
        ({"exclude_organisms": ["txid561", "Homo sapiens (taxid:9606)"]}, ["-negative_taxids", "562,511145,9606"]),
        ({"organisms": ["777777"]}, ["-taxids", "777777"]),
    ],
)  # fmt: skip
async def test_D02_a_group_of_any_rank_has_the_bytes_of_listing_its_leaves(
    service: Service, folder: Path, search: dict[str, Any], words: list[str]
) -> None:
    query = all_subjects()
    rows, _ = await table(service, query, **search)
    assert rows == bare(folder, query, *words)
    assert 0 < rows.count(b"\n") < bare(folder, query).count(b"\n")
    options = {words[0][1:]: words[1]} | ({"no_taxid_expansion": True} if LITERAL else {})
    by_hand, job = await table(service, query, options=options)
    assert by_hand == rows
    assert job["organisms"] == job["exclude_organisms"] == []


async def test_where_the_ids_come_from_stays_with_the_job_on_every_surface(service: Service) -> None:
    rows, job = await table(
        service, all_subjects(), organisms=["Staphylococcus aureus", 1281, "escherichia"], exclude_organisms=["human"]
    )
    assert rows
    genus = {"asked": "escherichia", "taxid": 561, "name": "Escherichia", "rank": "genus", "taxa": 2, "sequences": 10}
    assert genus in job["organisms"]
    assert job["exclude_organisms"][0]["name"] == "Homo sapiens"
    assert [each["text"] for each in job["warnings"]] == [
        "Taxonomy id 1281 was merged by NCBI: it is Staphylococcus aureus (species, 1280) now."
    ]
    detail = (await service.get(f"{API}/{job['job_id']}")).json
    assert "taxids" not in detail["search"]["options"]
    assert "-taxids 562,1281,511145" in detail["search"]["command"]
    (listed,) = (await service.get(API)).json["jobs"]
    assert listed["organisms"] == detail["organisms"] == job["organisms"]


async def test_organisms_come_by_every_kind_of_body(service: Service) -> None:
    fasta = await service.post(
        f"{API}?program=blastn&database=mixed&organisms=Escherichia&organisms=human&exclude_organisms=83333",
        LAMBDA_QUERY.encode(),
    )
    assert fasta.status == 202, fasta.text
    assert [each["taxid"] for each in fasta.json["organisms"]] == [561, 9606]
    assert [each["taxid"] for each in fasta.json["exclude_organisms"]] == [83333]
    form = aiohttp.FormData()
    form.add_field("query", LAMBDA_QUERY, filename="query.fa")
    for name, value in (
        ("program", "blastn"),
        ("database", "mixed"),
        ("organisms", "human"),
        ("organisms", "562"),
    ):
        form.add_field(name, value)
    sent = await service.ask("POST", API, data=form)
    assert sent.status == 202, sent.text
    assert [each["taxid"] for each in sent.json["organisms"]] == [9606, 562]


async def test_D03_unknown_ambiguous_deleted_and_absent_taxa_are_told_apart(service: Service) -> None:
    names = ("Eschericia coli", "Bacillus", "3", "4711", "Mus musculus", "10090")
    found = {asked: (await refused(service, organisms=[asked]))[0] for asked in names}
    assert {pointer for pointer, _ in found.values()} == {"/organisms"}
    told = {asked: sentence for asked, (_, sentence) in found.items()}
    assert "Did you mean Escherichia coli (species, 562) or " in told["Eschericia coli"]
    assert (
        "Bacillus (genus, 1386) of Bacteria, of which mixed holds nothing or Bacillus (genus, 55087) of Eukaryota"
        in told["Bacillus"]
    )
    assert told["3"] == "Taxonomy id 3 was deleted by NCBI."
    assert told["4711"] == "Taxonomy id 4711 is unknown."
    assert (
        told["Mus musculus"]
        == told["10090"]
        == "Mus musculus (species, 10090) is known, but mixed holds no sequence of it."
    )
    several = await refused(
        service, organisms=["nobody at all", "3"], exclude_organisms=["Mus"], options={"evalue": "x"}
    )
    assert [pointer for pointer, _ in several] == ["/options/evalue"]  # what the program is told comes first
    several = await refused(service, organisms=["nobody at all", "3"], exclude_organisms=["Mus"])
    assert [pointer for pointer, _ in several] == ["/organisms", "/organisms", "/exclude_organisms"]
    assert await refused(service, organisms=["562"], exclude_organisms=["Bacteria"]) == [
        ("/exclude_organisms", "Nothing is left: what is left out holds all that was chosen.")
    ]


async def test_what_can_not_be_limited_is_told(service: Service) -> None:
    assert "version 4" in (await refused(service, database="old", organisms=["562"]))[0][1]
    assert "-taxid_map" in (await refused(service, database="none", organisms=["562"]))[0][1]
    assert (
        "together with the option taxids"
        in (await refused(service, organisms=["562"], options={"taxids": "562"}))[0][1]
    )
    assert "have no organisms" in (await refused(service, database=[], subject=LAMBDA_QUERY, organisms=["562"]))[0][1]
    assert (await refused(service, organisms=["x" * 301]))[0][0].startswith("/organisms")
    assert (await refused(service, organisms=["562"] * 201))[0][0].startswith("/organisms")


async def test_without_a_taxonomy_ids_mean_themselves_and_names_are_refused(folder: Path, tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [folder]) as service:
        rows, _ = await table(service, all_subjects(), organisms=["562"])
        assert rows == bare(folder, all_subjects(), "-taxids", "562")
        assert "no taxonomy here" in (await refused(service, organisms=["human"]))[0][1]
        assert "no taxonomy here" in (await refused(service, organisms=["561"]))[0][1]


async def test_many_at_once_while_the_taxonomy_is_replaced_keep_one_meaning_each(
    service: Service, tmp_path: Path
) -> None:
    async def one(number: int) -> dict[str, Any]:
        if number == 5:
            write_dump(tmp_path / "dump")
            await service.post("/api/blast/databases/rescan")
        return await service.submit(LAMBDA_QUERY, database="mixed", organisms=["Bacteria"], reuse=False)

    jobs = await asyncio.gather(*(one(number) for number in range(12)))
    assert {tuple(sorted(each.items())) for job in jobs for each in job["organisms"]} == {
        tuple(
            sorted(
                {
                    "asked": "Bacteria",
                    "taxid": 2,
                    "name": "Bacteria",
                    "rank": "domain",
                    "taxa": 3,
                    "sequences": 15,
                }.items()
            )
        )
    }


async def report(service: Service, job: dict[str, Any], **query: Any) -> list[dict[str, Any]]:
    answer = await service.get(job["links"]["taxonomy"], params=query)
    assert answer.status == 200, answer.text
    assert (answer.json["complete"], answer.json["names"]) == (True, True)
    rows: list[dict[str, Any]] = answer.json[
        {"lineage": "taxa", "query": "queries"}.get(answer.json["by"], "organisms")
    ]
    return rows


async def test_D05_what_a_result_says_of_organisms_equals_an_independent_reckoning(
    service: Service, tmp_path: Path
) -> None:
    rows, job = await table(service, all_subjects())
    dump = tmp_path / "dump"
    theirs = taxopy.TaxDb(
        nodes_dmp=str(dump / "nodes.dmp"), names_dmp=str(dump / "names.dmp"), merged_dmp=str(dump / "merged.dmp")
    )
    hits: dict[str, dict[str, tuple[int, float]]] = {}
    for line in rows.decode().splitlines():
        cells = line.split("\t")
        taxid, score = theirs.oldtaxid2newtaxid.get(int(cells[12]), int(cells[12])), float(cells[11])
        known = hits.setdefault(cells[0], {}).get(cells[1])
        hits[cells[0]][cells[1]] = taxid, max(score, known[1] if known is not None else 0.0)
    organisms = {row["taxid"]: row for row in await report(service, job)}
    counted = Counter(taxid for found in hits.values() for taxid, _ in found.values())
    assert {1280 if taxid == 1281 else taxid: row["hits"] for taxid, row in organisms.items()} == counted
    assert organisms[562]["lineage"] == ["Bacteria", "Escherichia"]
    assert (organisms[777777]["name"], organisms[777777]["lineage"]) == ("", [])
    lineage = {row["taxid"]: row for row in await report(service, job, by="lineage")}
    above = Counter[int]()
    for taxid, count in counted.items():
        if taxid in theirs.taxid2name:
            above.update(dict.fromkeys([one for one in taxopy.Taxon(taxid, theirs).taxid_lineage if one != 1], count))
    assert {taxid: row["hits"] for taxid, row in lineage.items() if taxid != 777777} == above
    assert lineage[2]["queries"] == sum(
        any(taxid > 1 for taxid, _ in found.values() if taxid in (562, 511145, 1280)) for found in hits.values()
    )
    for top in (0, 10, 100):
        lowest = await report(service, job, by="query", top=top)
        assert [row["id"] for row in lowest] == list(hits)
        for row in lowest:
            found = hits[row["id"]].values()
            best = {taxid for taxid, score in found if score >= (1 - top / 100) * max(score for _, score in found)}
            if best <= theirs.taxid2name.keys():
                paths = [taxopy.Taxon(taxid, theirs) for taxid in best]
                ancestor = paths[0] if len(paths) == 1 else taxopy.find_lca(paths, theirs)
                assert (row["taxid"] or 1) == ancestor.taxid, (row, best)
            else:
                assert row["taxid"] is None
    table_of = await service.get(job["links"]["taxonomy"] + "?format=tsv&limit=2")
    assert table_of.text.splitlines()[0].split("\t")[:3] == ["taxid", "name", "common_name"]
    assert len(table_of.text.splitlines()) == 3


async def test_rows_of_hits_name_their_organisms(service: Service) -> None:
    _, job = await table(service, all_subjects())
    (found,) = {
        tuple((each["name"], each["common_name"], each["rank"], tuple(each["lineage"])) for each in row["organisms"])
        for row in (await service.get(job["links"]["hits"])).json["hits"]
        if row["taxids"] == [9606]
    }
    assert found == (("Homo sapiens", "human", "species", ("Eukaryota", "Mammalia", "Homo")),)


async def test_D04_an_old_search_keeps_the_taxonomy_that_it_was_accepted_with(service: Service, tmp_path: Path) -> None:
    _, job = await table(service, all_subjects())
    write_dump(tmp_path / "dump", {**TAXA, 9606: (9605, "species", "Homo novus", "", "", "")})
    await service.post("/api/blast/databases/rescan")

    async def renamed() -> bool:
        answer = (await service.get("/api/blast/taxa?q=9606&database=mixed")).json
        return [each["name"] for each in answer["taxa"]] == ["Homo novus"]

    await eventually(renamed)
    _, newer = await table(service, all_subjects(), reuse=False)
    for row, name in ((job, "Homo sapiens"), (newer, "Homo novus")):
        assert name in [each["name"] for each in await report(service, row)]


def report_of_blast(folder: Path, taxonomy: Path) -> bytes:
    argv, environ = ["blastn", "-db", "mixed", "-outfmt", "18"], os.environ | {"BLASTDB": str(taxonomy)}
    query = all_subjects().encode()
    return subprocess.run(argv, input=query, cwd=folder, capture_output=True, check=True, env=environ).stdout


async def test_the_report_of_blast_by_organism_is_its_own_and_never_leaves_hits_out(
    folder: Path, tmp_path: Path
) -> None:
    """BLAST+ drops hits whose organism taxdb does not name, with exit code 0."""
    named = tmp_path / "named"
    named.mkdir()
    write_blast(named, {**TAXA, 777777: (1, "", "Newcomer", "", "N/A", "N/A"), 1281: (2, "", "Old", "", "N/A", "N/A")})
    async with serving(tmp_path / "state", [folder], databases__taxonomy_dir=named) as service:
        _, job = await table(service, all_subjects())
        answer = await service.get(f"{API}/{job['job_id']}/results?format=organisms")
        assert answer.status == 200, answer.text
        assert answer.body == report_of_blast(folder, named)
        assert b"Newcomer" in answer.body
        write_blast(named)
        await service.post("/api/blast/databases/rescan")
        _, job = await table(service, all_subjects(), reuse=False)
        refused_format = await service.get(f"{API}/{job['job_id']}/results?format=organisms")
        assert refused_format.status in (409, 422)
        assert "1281, 777777" in refused_format.json["detail"]
