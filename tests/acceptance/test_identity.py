"""What decides a result is part of its identity: lists of aliases, names of organisms, the molecule of a name."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon
from tests.databases import DB, LAMBDA_QUERY, PROTEIN_QUERY, make

JOBS, DATABASES = "/api/blast/jobs", "/api/blast/databases"
IDS = [f"lam{number}" for number in range(12)]
NAMES = "sseqid,ssciname"


def mask(kept: list[int], count: int) -> bytes:
    """Return an OIDLIST: the last position, then a bit a position."""
    bits = bytearray((count + 31) // 32 * 4)
    for position in kept:
        bits[position >> 3] |= 0x80 >> (position & 7)
    return (count - 1).to_bytes(4, "big") + bytes(bits)


def gi_database(folder: Path) -> None:
    """Make a database whose ids have GI numbers, as GILIST needs."""
    lines: list[str] = []
    for line in (DB / "nt.fa").read_text().splitlines():
        number = len([each for each in lines if each.startswith(">")])
        lines.append(f">gi|{1000 + number}|gnl|own|s{number} x" if line.startswith(">") else line)
    (folder / "gi.fa").write_text("\n".join(lines) + "\n")
    make(folder, folder / "gi.fa", "tgi", "nucl", "-parse_seqids", "-blastdb_version", "4", "-title", "tgi")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "db"
    folder.mkdir()
    more = ("-parse_seqids", "-taxid_map", str(DB / "taxmap.txt"), "-title", "base")
    make(folder, DB / "nt.fa", "base", "nucl", *more)
    return folder


@pytest.fixture
def daemon(folder: Path, tmp_path: Path) -> Iterator[Daemon]:
    own = Daemon(tmp_path / "state", [folder])
    yield own
    if own.process is not None and own.process.poll() is None:
        own.kill()


def text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def subjects(daemon: Daemon, job_id: str) -> set[str]:
    table = daemon.results(job_id, "tabular", "&fields=sseqid").decode()
    return set(table.split())


def in_place(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def by_rename(path: Path, data: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_bytes(data)
    fresh.rename(path)


KINDS: dict[str, tuple[bytes, bytes]] = {
    "SEQIDLIST": (text(IDS[:3]), text(IDS[4:9])),
    "OIDLIST": (mask([0, 1, 2], 30), mask([4, 5, 6, 7, 8], 30)),
    "TAXIDLIST": (text(["10710"]), text(["562"])),
    "GILIST": (text(["1000", "1001"]), text(["1003", "1004", "1005"])),
}


@pytest.mark.parametrize("write", [in_place, by_rename])
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_U09_the_list_of_an_alias_is_followed_and_old_jobs_keep_theirs(
    kind: str, nested: bool, write: Callable[[Path, bytes], None], folder: Path, daemon: Daemon
) -> None:
    first, second = KINDS[kind]
    base = "base"
    if kind == "GILIST":
        gi_database(folder)
        base = "tgi"
    inner = folder / "inner" if nested else folder
    inner.mkdir(exist_ok=True)
    up = "../" if nested else ""
    (inner / "some.lst").write_bytes(first)
    name = "list" if not nested else "inner_list"
    (inner / f"{name}.nal").write_text(f"TITLE\tlisted\nDBLIST\t{up}{base}\n{kind}\tsome.lst\n")
    if nested:
        (folder / "list.nal").write_text("TITLE outer\nDBLIST inner/inner_list\n")
    daemon.start().ready()
    old = daemon.run(LAMBDA_QUERY, database="list")
    before, xml = subjects(daemon, old["job_id"]), daemon.results(old["job_id"], "xml")
    write(inner / "some.lst", second)
    new = daemon.run(LAMBDA_QUERY, database="list")  # without a rescan: a search looks anew
    after = subjects(daemon, new["job_id"])
    assert (new.get("reused_from"), before != after) == (None, True)
    assert new["database_fingerprint"] != old["database_fingerprint"]
    bare = daemon.run(LAMBDA_QUERY, database="list", reuse=False)
    assert subjects(daemon, bare["job_id"]) == after
    assert daemon.run(LAMBDA_QUERY, database="list")["status"] == "completed"  # never database_changed for ever
    assert subjects(daemon, old["job_id"]) == before
    pairwise = daemon.results(old["job_id"], "pairwise").decode()
    assert all(each.rpartition("|")[2] in pairwise for each in before)
    assert daemon.results(old["job_id"], "xml") == xml
    write(inner / "some.lst", first)
    again = daemon.run(LAMBDA_QUERY, database="list")
    assert again["database_fingerprint"] == old["database_fingerprint"]
    assert subjects(daemon, again["job_id"]) == before


def test_U09_a_list_that_goes_is_named_and_one_that_comes_back_is_searched(folder: Path, daemon: Daemon) -> None:
    listed = folder / "ids.txt"
    listed.write_bytes(text(IDS[:2]))
    (folder / "list.nal").write_text("TITLE x\nDBLIST base\nSEQIDLIST ids.txt\n")
    daemon.start().ready()
    daemon.run(LAMBDA_QUERY, database="list")
    listed.unlink()
    refused = daemon.post(JOBS, {"program": "blastn", "database": "list", "query": LAMBDA_QUERY})
    assert (refused.status, "SEQIDLIST ids.txt is missing" in refused.text) == (422, True)
    listed.write_bytes(text(IDS[1:2]))
    assert subjects(daemon, daemon.run(LAMBDA_QUERY, database="list")["job_id"]) == {IDS[1]}


def test_U09_names_of_organisms_are_part_of_the_search(folder: Path, daemon: Daemon, taxdbs: list[Path]) -> None:
    daemon.start().ready()
    without = daemon.run(LAMBDA_QUERY, database="base")
    for file in taxdbs[0].iterdir():
        shutil.copy(file, folder)
    assert daemon.post(f"{DATABASES}/rescan").status == 200  # no restart
    assert daemon.get(f"{DATABASES}/base").json["taxonomy_names"] is True
    named = daemon.run(LAMBDA_QUERY, database="base")
    assert named.get("reused_from") is None
    shown = daemon.job(named["job_id"])["databases"][0]
    assert (
        shown["taxonomy_fingerprint"] and daemon.job(without["job_id"])["databases"][0]["taxonomy_fingerprint"] is None
    )
    assert organism(daemon, named) == "first name"
    for file in taxdbs[1].iterdir():
        by_rename(folder / file.name, file.read_bytes())
    assert daemon.results(named["job_id"], "tabular", "&fields=ssciname,qseq").decode().split("\t")[0] == "first name"
    renamed = daemon.run(LAMBDA_QUERY, database="base")
    assert (renamed.get("reused_from"), organism(daemon, renamed)) == (None, "other name")
    for file in taxdbs[0].iterdir():
        in_place(folder / file.name, file.read_bytes())
    late = daemon.get(f"{JOBS}/{renamed['job_id']}/results?format=pairwise")
    assert (late.status, "taxdb" in late.json["detail"]) == (410, True)
    assert organism(daemon, daemon.run(LAMBDA_QUERY, database="base")) == "first name"


def organism(daemon: Daemon, job: dict[str, Any]) -> str:
    return daemon.results(job["job_id"], "tabular", "&fields=ssciname").decode().splitlines()[0]


@pytest.fixture
def taxdbs(tmp_path: Path) -> list[Path]:
    """Two small taxdbs with other names (layout: `objtools/blast/seqdb_reader/seqdbtax.hpp`)."""
    found = []
    for number, name in enumerate(("first name", "other name")):
        folder = tmp_path / f"taxdb{number}"
        folder.mkdir()
        record = f"{name}\t{name}\tN/A\tN/A".encode()
        taxa = [10710, 10711]
        index = (0x8739).to_bytes(4, "big") + len(taxa).to_bytes(4, "big") + bytes(16)
        data = b""
        for taxid in taxa:
            index += taxid.to_bytes(4, "big") + len(data).to_bytes(4, "big")
            data += record
        (folder / "taxdb.bti").write_bytes(index)
        (folder / "taxdb.btd").write_bytes(data)
        found.append(folder)
    return found


def test_U10_both_molecules_of_one_name_are_listed_searched_made_and_removed_apart(
    folder: Path, daemon: Daemon
) -> None:
    make(folder, DB / "nt.fa", "both", "nucl", "-parse_seqids", "-title", "both letters")
    make(folder, DB / "aa.fa", "both", "prot", "-parse_seqids", "-title", "both residues")
    (folder / "union.nal").write_text("TITLE union of letters\nDBLIST both\n")
    (folder / "union.pal").write_text("TITLE union of residues\nDBLIST both\n")
    daemon.start().ready()
    for name in ("both", "union"):
        rows = [row for row in daemon.get(DATABASES).json["databases"] if row["name"] == name]
        assert [(row["molecule"], row["state"]) for row in rows] == [("nucleotide", "ready"), ("protein", "ready")]
        nucleotide = daemon.run(LAMBDA_QUERY, database=name)
        protein = daemon.run(PROTEIN_QUERY, program="blastp", database=name)
        assert nucleotide["hits"] and protein["hits"]
        assert daemon.run(PROTEIN_QUERY, program="tblastn", database=name)["status"] == "completed"
        assert nucleotide["database_fingerprint"] != protein["database_fingerprint"]
        for job in (nucleotide, protein):
            assert daemon.results(job["job_id"], "pairwise")
            assert daemon.results(job["job_id"], "fasta").startswith(b">")
        unclear = daemon.get(f"{DATABASES}/{name}")
        assert (unclear.status, "?molecule=" in unclear.json["detail"]) == (409, True)
        for row in rows:
            shown = daemon.get(f"{DATABASES}/{name}?molecule={row['molecule']}")
            assert (shown.status, shown.json["title"]) == (200, row["title"])


def test_U10_databases_of_one_name_are_made_replaced_and_removed_apart(folder: Path, daemon: Daemon) -> None:
    daemon.start().ready()
    assert folder.is_dir()
    letters, residues = b">a1 first\nACGTACGTTTGACCAGGAT\n", b">p1 first\nMKVLAAGIVGLLLAQWERTY\n"
    for molecule, fasta in (("nucleotide", letters), ("protein", residues)):
        assert ordered(daemon, "mine", molecule, fasta)["status"] == "completed"
    assert titles(daemon, "mine") == {"nucleotide": 1, "protein": 1}
    taken = daemon.ask("POST", f"{DATABASES}?name=mine&molecule=protein", residues)
    assert taken.status == 409
    more = residues + b">p2\nMKVLAAGIVGLLLAQWERTA\n"
    assert ordered(daemon, "mine", "protein", more, "&replace=true")["status"] == "completed"
    assert titles(daemon, "mine") == {"nucleotide": 1, "protein": 2}
    assert daemon.ask("DELETE", f"{DATABASES}/mine").status == 409
    assert daemon.ask("DELETE", f"{DATABASES}/mine?molecule=nucleotide").status == 200
    assert titles(daemon, "mine") == {"protein": 2}
    assert daemon.run(">q\nMKVLAAGIVGLLLAQWERTY\n", program="blastp", database="mine")["hits"] == 2
    assert daemon.ask("DELETE", f"{DATABASES}/mine").status == 200
    assert daemon.get(f"{DATABASES}/mine").status == 404
    assert daemon.ask("DELETE", f"{DATABASES}/base").status == 409  # not made here


def titles(daemon: Daemon, name: str) -> dict[str, int]:
    rows = daemon.get(DATABASES).json["databases"]
    return {row["molecule"]: row["sequences"] for row in rows if row["name"] == name}


def ordered(daemon: Daemon, name: str, molecule: str, fasta: bytes, more: str = "") -> dict[str, Any]:
    answer = daemon.ask("POST", f"{DATABASES}?name={name}&molecule={molecule}{more}", fasta)
    assert answer.status == 202, answer.text
    task: dict[str, Any] = answer.json["task"]
    for _ in range(3000):
        task = daemon.get(f"/api/blast/database-tasks/{task['id']}").json["task"]
        if task["status"] in ("completed", "failed"):
            return task
    raise AssertionError(task)
