"""W02, W23, W24: what each query found, counted, filtered, sorted and downloaded, on a real search."""

import csv
import io
import random
from collections.abc import AsyncIterator
from pathlib import Path

import openpyxl
import pytest
import pytest_asyncio

from tests.databases import make, random_dna
from tests.service import API, Service, serving

WHOLE = random_dna(900, 1)
OTHER = random_dna(900, 2)


def worse(letters: str, every: int) -> str:
    """Change each *every*th letter."""
    return "".join("ACGT"["ACGT".index(one) - 1] if at % every == 5 else one for at, one in enumerate(letters))


QUERIES = {
    "MARCH1": WHOLE,  # as Excel would take for a date
    "changed": worse(WHOLE, 30),
    "half": WHOLE[:400] + random_dna(500, 3),
    "interrupted": OTHER[:420] + random_dna(60, 4) + OTHER[420:],
    "alien": random_dna(500, 5),
    "=1+1": OTHER[100:800],
}
VERDICTS = {
    "MARCH1": "good", "changed": "weaker", "half": "weaker", "interrupted": "good", "alien": "none", "=1+1": "good",
}  # fmt: skip


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    fasta = folder / "own.fa"
    near = "".join(f">near{n} of\tother\n{worse(OTHER, 40 + n)}\n" for n in range(3))
    fasta.write_text(f">whole 1-2 Kocuria rosea\n{WHOLE}\n>other <b>&amp;\n{OTHER}\n{near}")
    make(folder, fasta, "own", "nucl", "-parse_seqids", "-title", "own")
    return folder


@pytest_asyncio.fixture
async def service(own: Path, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", [own]) as found:
        yield found


async def searched(service: Service, **more: object) -> str:
    query = "".join(f">{name} title of {name}\n{letters}\n" for name, letters in QUERIES.items())
    row = await service.run(query, database="own", **more)
    assert row["status"] == "completed", row["error"]
    return f"{API}/{row['job_id']}"


async def test_W02_W23_the_sentence_and_the_table_of_queries_agree(service: Service) -> None:
    job = await searched(service, options={"max_target_seqs": 2})
    told = (await service.get(f"{job}/summary")).json
    assert (told["queries"], told["good"], told["weaker"], told["none"]) == (6, 3, 2, 1)
    assert told["sentence"].startswith("3 of 6 queries have a good hit (≥ 97 % identity over ≥ 90 % of the query)")
    assert told["limit"] == 2 and told["more"] == 5000 and told["limit_reached"] == 2  # of OTHER there are four

    page = (await service.get(f"{job}/queries")).json
    assert {row["id"]: row["verdict"] for row in page["queries"]} == VERDICTS
    assert [row["length"] for row in page["queries"]] == [len(letters) for letters in QUERIES.values()]
    both = next(row for row in page["queries"] if row["id"] == "interrupted")["best"]
    assert len(both["spans"]) == 2 and both["subject"] == "other"
    for verdict, number in (("good", 3), ("weaker", 2), ("none", 1)):
        found = (await service.get(f"{job}/queries?verdict={verdict}")).json
        assert found["total"] == number
        assert {row["id"] for row in found["queries"]} == {name for name in VERDICTS if VERDICTS[name] == verdict}
    assert (await service.get(f"{job}/queries?limit_reached=true")).json["total"] == 2

    looser = (await service.get(f"{job}/summary?identity=90&coverage=40")).json
    assert (looser["good"], looser["weaker"]) == (5, 0)
    assert (await service.get(f"{job}/queries?identity=90&coverage=40&verdict=good")).json["total"] == 5


async def test_W02_queries_are_sorted_by_the_service_and_found_by_words_of_their_best_hit(service: Service) -> None:
    job = await searched(service)

    async def ids(values: str) -> list[str]:
        return [row["id"] for row in (await service.get(f"{job}/queries?{values}")).json["queries"]]

    assert (await ids("sort=id"))[0] == "=1+1"
    assert (await ids("sort=length"))[:2] == ["interrupted", "MARCH1"]
    assert (await ids("sort=identity&order=asc"))[0] == "changed"
    assert (await ids("sort=evalue&order=desc"))[-1] == "alien"  # what has none comes last, whichever way
    assert (await ids("sort=evalue&order=asc"))[-1] == "alien"
    assert set(await ids("q=kocuria")) == {"MARCH1", "changed", "half"}
    assert await ids("query=2,5") == ["changed", "alien"]
    assert await ids("limit=2&cursor=2") == ["half", "interrupted"]
    assert (await service.get(f"{job}/queries?sort=nonsense")).status == 422


async def test_W23_the_queries_of_a_verdict_are_searched_again(service: Service) -> None:
    job = await searched(service)
    alien = await service.get(f"{job}/query?verdict=none")
    assert alien.text == f">alien title of alien\n{QUERIES['alien']}\n"
    assert alien.headers["Content-Disposition"].endswith("-none-queries.fa")
    assert (await service.get(f"{job}/query?query=1,5")).text.count(">") == 2
    assert (await service.get(f"{job}/query")).text.count(">") == 6
    assert (await service.get(f"{job}/query?limit_reached=true")).status == 404


async def test_W24_tables_are_files_whose_ids_stay_ids(service: Service) -> None:
    job = await searched(service)
    lines = (await service.get(f"{job}/queries/table?format=tsv&sort=id&order=desc")).text.splitlines()
    head, *rows = [line.split("\t") for line in lines]
    assert head[:5] == ["number", "query", "title", "letters", "verdict"]
    assert [row[1] for row in rows] == sorted(QUERIES, reverse=True)

    table = csv.reader(io.StringIO((await service.get(f"{job}/hits/table?format=csv&group=subject")).text))
    names, *hits = table
    assert len(hits) == (await service.get(f"{job}/hits?group=subject")).json["total"]
    assert {len(row) for row in hits} == {len(names)}

    cells = list(csv.reader(io.StringIO((await service.get(f"{job}/queries/table?format=csv")).text)))
    assert "'=1+1" in [row[1] for row in cells]  # what a spreadsheet would compute

    book = await service.get(f"{job}/queries/table?format=xlsx")
    assert book.headers["Content-Disposition"].endswith(".xlsx")
    sheet = openpyxl.load_workbook(io.BytesIO(book.body)).active
    assert sheet is not None
    by_id = {row[1].value: row for row in sheet.iter_rows(min_row=2)}
    assert set(by_id) == set(QUERIES)
    assert all(by_id[name][1].data_type in ("s", "inlineStr") for name in ("MARCH1", "=1+1"))
    assert by_id["MARCH1"][3].value == 900
    assert by_id["=1+1"][6].value == "<b>&amp;"


async def test_W20_a_table_of_many_hits_is_sent_in_pieces(service: Service) -> None:
    rng = random.Random(7)
    query = "".join(f">q{n}\n{OTHER[(at := rng.randrange(500)) : at + 300]}\n" for n in range(400))
    row = await service.run(query, database="own")
    text = (await service.get(f"{API}/{row['job_id']}/hits/table?group=subject&sort=bit_score")).text
    scores = [float(line.split("\t")[10]) for line in text.splitlines()[1:]]
    assert len(scores) == 1600 and scores == sorted(scores, reverse=True)
