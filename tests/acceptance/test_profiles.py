"""Every program in every format beside bare BLAST+, and searches with profiles: domains, iterations, matrices, alignments."""

import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from blastd.cli.elastic import read_ini
from blastd.results.formats import FORMATS
from tests.databases import DB, LAMBDA_QUERY, PROTEIN_QUERY, make
from tests.profiles import build_profiles, installed, records
from tests.service import API, Service, serving

pytestmark = [pytest.mark.blast, pytest.mark.formats]

PROTEINS = records()[3] + PROTEIN_QUERY
TAKES: dict[str, tuple[str, str, dict[str, str]]] = {
    "blastn": (LAMBDA_QUERY, "tnt", {}),
    "blastp": (PROTEINS, "taa", {}),
    "blastx": (LAMBDA_QUERY, "taa", {}),
    "tblastn": (PROTEIN_QUERY, "tnt", {"evalue": "1000"}),
    "tblastx": (LAMBDA_QUERY, "tnt", {}),
    "psiblast": (PROTEINS, "taa", {"num_iterations": "3"}),
    "deltablast": (PROTEINS, "taa", {"rpsdb": "delta", "num_iterations": "2"}),
    "rpsblast": (PROTEINS, "domains", {}),
    "rpstblastn": (LAMBDA_QUERY, "domains", {"evalue": "1000"}),
}
"""Query, database and options by program."""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profiles")
    make(folder, DB / "nt.fa", "tnt", "nucl", "-parse_seqids", "-title", "tnt")
    build_profiles(folder)
    return folder


@pytest_asyncio.fixture
async def service(tmp_path: Path, bases: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", [bases], local__shards=2) as made:
        yield made


def bare(folder: Path, program: str, query: str, database: str, options: dict[str, str], *more: str) -> bytes:
    """Return what BLAST+ writes by itself; *more* say the format, and the query where it is no sequence."""
    words = [word for name, value in options.items() for word in (f"-{name}", value)]
    asked = [] if any(word.startswith("-in_") for word in more) else ["-query", "-"]
    argv = [installed(program), *asked, "-db", database, *words, *more]
    return subprocess.run(argv, cwd=folder, input=query.encode(), check=True, capture_output=True).stdout


async def result(service: Service, row: dict[str, Any], kind: str) -> bytes:
    answer = await service.get(f"{API}/{row['job_id']}/results?format={kind}")
    assert answer.status == 200, answer.text
    return answer.body


@pytest.mark.parametrize("program", TAKES)
async def test_V01_V05_V06_V07_every_format_is_that_of_bare_blast(program: str, service: Service, bases: Path) -> None:
    query, database, options = TAKES[program]
    row = await service.run(query, program=program, database=database, options=options)
    assert row["status"] == "completed", row["error"]
    assert row["hits"]
    for kind in FORMATS.values():
        if kind.outfmt is None or kind.writes or (kind.programs and program not in kind.programs):
            continue
        if kind.name == "organisms":  # refused where taxdb does not name all: test_organisms compares it
            continue
        theirs = bare(bases, program, query, database, options, "-outfmt", str(kind.outfmt))
        ours = await result(service, row, kind.name)
        if kind.name == "csv":  # ours quotes what a spreadsheet would take for a formula
            assert len(ours.splitlines()) == len(theirs.splitlines())
        elif kind.name == "sam":  # a line of its head has the paths of the run
            assert [line for line in ours.splitlines() if not line.startswith(b"@PG")] == [
                line for line in theirs.splitlines() if not line.startswith(b"@PG")
            ]
        else:
            assert ours == theirs, kind.name
    sequences = await result(service, row, "fasta")
    assert sequences.startswith(b">")


@pytest.mark.parametrize("program", ["psiblast", "deltablast", "rpsblast", "rpstblastn"])
async def test_V12_a_configuration_of_elastic_blast_is_the_search(
    program: str, service: Service, bases: Path, tmp_path: Path
) -> None:
    query, database, options = TAKES[program]
    (tmp_path / "query.fa").write_text(query)
    flags = " ".join(f"-{name} {value}" for name, value in options.items())
    ini = tmp_path / "elastic-blast.ini"
    ini.write_text(
        f"[cluster]\nname = ours\n[blast]\nprogram = {program}\ndb = {database}\nqueries = query.fa\n"
        f"results = {tmp_path}\noptions = {flags} -outfmt 7\n"
    )
    asked = read_ini(ini)
    text = "".join(Path(file).read_text() for file in asked.files)
    row = await service.run(text, program=asked.program, database=asked.database, options=asked.options)
    assert row["status"] == "completed", row["error"]
    assert asked.format is not None
    theirs = bare(bases, program, query, database, options, "-outfmt", "7")
    assert await result(service, row, asked.format) == theirs


async def test_V06_iterations_are_told_apart_and_the_last_one_is_shown(service: Service) -> None:
    row = await service.run(PROTEINS, program="psiblast", database="taa", options={"num_iterations": 3})
    address = f"{API}/{row['job_id']}"
    queries = (await service.get(f"{address}/queries")).json["queries"]
    assert [(it["query"], it["iterations"], it["converged"]) for it in queries] == [(1, 2, True), (2, 2, True)]
    last = (await service.get(f"{address}/hits?limit=1000")).json
    first = (await service.get(f"{address}/hits?limit=1000&iteration=1")).json
    assert {hit["iteration"] for hit in last["hits"]} == {2}
    assert {hit["iteration"] for hit in first["hits"]} == {1}
    assert last["total"] + first["total"] == row["hits"]
    table = (await result(service, row, "tabular")).decode()
    assert table.count("Search has CONVERGED!") == 2
    best = next(hit for hit in last["hits"] if hit["query"] == 2)
    aligned = (await service.get(f"{address}/alignments?query=2")).json["subjects"]
    assert best["subject"] in aligned[0]["title"]
    assert f"bits ({best['score']:.0f})" in aligned[0]["hsps"][0]


async def test_V06_a_matrix_is_saved_and_searched_with_again(service: Service, bases: Path, tmp_path: Path) -> None:
    row = await service.run(PROTEINS, program="psiblast", database="taa", options={"num_iterations": 2})
    one = (await service.get(f"{API}/{row['job_id']}/results?format=pssm&query=2")).body
    every = await result(service, row, "pssm")
    assert every.count(b"PssmWithParameters ::=") == 2
    assert every.endswith(one.replace(b"Query_1", b"Query_2"))  # its number among all
    words = [word for name in ("out_pssm", "out_ascii_pssm") for word in (f"-{name}", str(tmp_path / name))]
    bare(bases, "psiblast", PROTEINS, "taa", {"num_iterations": "2"}, *words, "-save_pssm_after_last_round")
    readable = await result(service, row, "pssm_ascii")
    assert b"Last position-specific scoring matrix computed" in readable
    matrix = tmp_path / "matrix"
    matrix.write_bytes(one)
    for program, database, options in (
        ("psiblast", "taa", {"num_iterations": "2"}),
        ("tblastn", "tnt", {"evalue": "1000"}),
    ):
        again = await service.run(one.decode(), program=program, database=database, options=options, query_type="pssm")
        assert again["status"] == "completed", again["error"]
        assert again["query"]["type"] == "pssm"
        for kind, number in (("tabular", "6"), ("xml", "5"), ("json", "15")):
            theirs = bare(bases, program, "", database, options, "-in_pssm", str(matrix), "-outfmt", number)
            assert await result(service, again, kind) == theirs, (program, kind)


async def test_V08_a_search_starts_from_an_alignment(service: Service, bases: Path, tmp_path: Path) -> None:
    letters = "".join(records()[0].splitlines()[1:])[:120]
    alignment = f">master\n{letters}\n>other\n{letters[:40]}----{letters[44:]}\n>third\nA{letters[1:]}\n"
    file = tmp_path / "alignment.fa"
    file.write_text(alignment)
    row = await service.run(alignment, program="psiblast", database="taa", query_type="msa")
    assert row["status"] == "completed", row["error"]
    theirs = bare(bases, "psiblast", "", "taa", {}, "-in_msa", str(file), "-outfmt", "6")
    assert await result(service, row, "tabular") == theirs


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        ({"program": "blastp", "database": "domains"}, "/database", "holds profiles"),
        ({"program": "rpsblast", "database": "taa"}, "/database", "holds sequences"),
        ({"program": "deltablast", "database": "taa"}, "/options/rpsdb", "there are delta"),
        (
            {"program": "deltablast", "database": "taa", "options": {"rpsdb": "domains"}},
            "/options/rpsdb",
            "there are delta",
        ),
        ({"program": "psiblast", "database": "taa", "query_type": "pssm"}, "/query", "no PSSM"),
        ({"program": "psiblast", "database": "taa", "query_type": "msa"}, "/query", "one length"),
        ({"program": "blastp", "database": "taa", "query_type": "pssm"}, "/query_type", "blastp takes sequences"),
        (
            {"program": "psiblast", "database": "taa", "options": {"in_pssm": "x"}},
            "/options/in_pssm",
            "query_type pssm",
        ),
    ],
)
async def test_V09_what_does_not_fit_is_refused_with_the_mend(
    body: dict[str, Any], pointer: str, words: str, service: Service
) -> None:
    answer = await service.post(API, body | {"query": PROTEINS})
    assert answer.status == 422, answer.text
    faults = {it["pointer"]: it["detail"] for it in answer.json["errors"]}
    assert words in faults[pointer]


async def test_V09_the_catalogue_says_what_databases_hold(service: Service, bases: Path) -> None:
    kinds = {it["name"]: it["kind"] for it in (await service.get("/api/blast/databases")).json["databases"]}
    assert kinds == {"taa": "sequences", "tnt": "sequences", "domains": "profiles", "delta": "domains"}
    programs = {it["name"]: it for it in (await service.get("/api/blast/programs")).json["programs"]}
    assert [name for name, it in programs.items() if it["database_kind"] == "profiles"] == ["rpsblast", "rpstblastn"]
    assert programs["psiblast"]["query_types"] == ["sequences", "pssm", "msa"]
    del bases


async def test_V05_profiles_that_are_cut_short_are_broken_with_the_file_named(tmp_path: Path, bases: Path) -> None:
    folder = tmp_path / "bases"
    folder.mkdir()
    for file in bases.glob("domains.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    for name, harm in (("domains.rps", "cut short"), ("domains.loo", "missing")):
        path = folder / name
        whole = path.read_bytes()
        path.write_bytes(whole[:-100]) if harm == "cut short" else path.unlink()
        async with serving(tmp_path / name, [folder]) as service:
            (found,) = (await service.get("/api/blast/databases")).json["databases"]
        assert found["state"] == "broken"
        assert name in found["reason"] and harm in found["reason"]
        path.write_bytes(whole)
