"""Columns are what BLAST+ prints when it is asked for each alone: none changes another, none is what memory holds."""

import random
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.daemon import Daemon
from tests.databases import make

pytestmark = pytest.mark.blast

CODONS = dict(zip("ACDEFGHIKLMNPQRSTVWY", ["GCT", "TGT", "GAT", "GAA", "TTT", "GGT", "CAT", "ATT", "AAA", "CTG", "ATG", "AAT", "CCT", "CAA", "CGT", "TCT", "ACT", "GTT", "TGG", "TAT"], strict=True))  # fmt: skip
CHANCE = random.Random(5)


def letters(alphabet: str, count: int) -> str:
    return "".join(CHANCE.choices(alphabet, k=count))


def mutated(text: str, share: float, alphabet: str) -> str:
    return "".join(CHANCE.choice(alphabet) if CHANCE.random() < share else letter for letter in text)


NUCLEOTIDES = [
    letters("ACGT", 300) + "CAA" * 14 + letters("ACGT", 200) + "AT" * 20 + letters("ACGT", 250) for _ in range(3)
]
PROTEINS = [letters("".join(CODONS), 120) + "QQQQQQQQQQPQQQQ" + letters("".join(CODONS), 90) for _ in range(3)]
CODING = ["".join(CODONS[residue] for residue in protein) for protein in PROTEINS]
QUERIES = {
    "nucl": "".join(f">q{n}\n{mutated(s, 0.04, 'ACGT')}\n" for n, s in enumerate(NUCLEOTIDES + CODING)),
    "prot": "".join(f">q{n}\n{mutated(s, 0.08, ''.join(CODONS))}\n" for n, s in enumerate(PROTEINS)),
}
SEARCHES: list[tuple[str, dict[str, Any]]] = [
    ("blastn", {}), ("blastn", {"db_hard_mask": "11"}), ("blastn", {"db_soft_mask": "11"}),
    ("blastn", {"db_hard_mask": "11", "ungapped": True}), ("blastp", {"db_hard_mask": "21"}), ("blastx", {}),
    ("tblastn", {"db_hard_mask": "11"}), ("tblastx", {}),
]  # fmt: skip
COUNTED = ("pident", "nident", "mismatch", "positive", "ppos", "gaps", "gapopen", "btop", "length")
COMPANY = ("qseq", "sseq", "qacc", "sallseqid", "salltitles", "staxid")


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon with databases that have a masking."""
    folder = tmp_path_factory.mktemp("masked")
    (folder / "n.fa").write_text("".join(f">n{n} t\n{s}\n" for n, s in enumerate(NUCLEOTIDES + CODING)))
    (folder / "p.fa").write_text("".join(f">p{n} t\n{s}\n" for n, s in enumerate(PROTEINS)))
    for name, kind, masker in (("n", "nucl", "dustmasker"), ("p", "prot", "segmasker")):
        make(folder, folder / f"{name}.fa", f"{name}0", kind, "-parse_seqids")
        words = [masker, "-in", f"{name}0", "-infmt", "blastdb", "-parse_seqids", "-outfmt", "maskinfo_asn1_bin"]
        subprocess.run([*words, "-out", f"{name}.asnb"], cwd=folder, check=True, capture_output=True)
        base = ["makeblastdb", "-in", f"{name}0", "-input_type", "blastdb", "-dbtype", kind, "-parse_seqids"]
        words = [*base, "-mask_data", f"{name}.asnb", "-out", name, "-title", name]
        subprocess.run(words, cwd=folder, check=True, capture_output=True)
    daemon = Daemon(tmp_path_factory.mktemp("columns") / "state", [folder]).start()
    yield daemon
    daemon.kill()


def bare(daemon: Daemon, program: str, options: dict[str, Any], column: str) -> list[str]:
    """Return what BLAST+ prints when it is asked for a column alone."""
    folder = daemon.db_dirs[0]
    words = [
        word for name, value in options.items() for word in ([f"-{name}"] if value is True else [f"-{name}", value])
    ]
    argv = [program, "-query", "-", "-db", base(program), "-outfmt", f"6 {column}", *words, "-num_threads", "1"]
    ran = subprocess.run(argv, cwd=folder, input=query(program), capture_output=True, text=True, check=True)
    return ran.stdout.splitlines()


def base(program: str) -> str:
    return "p" if program in ("blastp", "blastx") else "n"


def query(program: str) -> str:
    return QUERIES["prot" if program in ("blastp", "tblastn") else "nucl"]


@pytest.mark.parametrize(("program", "options"), SEARCHES)
def test_R03_each_column_is_as_blast_prints_it_alone(masked: Daemon, program: str, options: dict[str, Any]) -> None:
    row = masked.run(query(program), program, base(program), options=options)
    alone = {column: bare(masked, program, options, column) for column in (*COUNTED, *COMPANY)}
    assert len(alone["pident"]) > 3
    frames = bare(masked, program, options, "qframe sframe")
    alone["frames"] = [line.replace("\t", "/") for line in frames]
    alone["sframe"] = [line.partition("\t")[2] for line in frames]
    for wanted in (
        [*COUNTED, *COMPANY, "frames"], ["frames"], ["sframe"], ["qseq", "frames"], ["pident"], ["salltitles", "pident", "qseq"],
        ["btop", "pident"],
    ):  # fmt: skip
        for name, mark in (("tabular", "\t"), ("csv", ",")):
            text = masked.results(row["job_id"], name, f"&fields={'+'.join(wanted)}").decode()
            cells = [line.split(mark) for line in text.splitlines()]
            for at, column in enumerate(wanted):
                assert [one[at].strip("'\"") for one in cells] == alone[column], (name, wanted, column)
    commented = masked.results(row["job_id"], "commented", "&fields=pident+qseq+frames").decode().splitlines()
    assert sum(not line.startswith("#") for line in commented) == len(alone["pident"])
    if not options:
        argv = [program, "-query", "-", "-db", base(program), "-outfmt", "7 pident qseq sseq salltitles"]
        ran = subprocess.run(
            argv, cwd=masked.db_dirs[0], input=query(program), capture_output=True, text=True, check=True
        )
        assert masked.results(row["job_id"], "commented", "&fields=pident+qseq+sseq+salltitles").decode() == ran.stdout


def test_R03_hits_of_a_masked_search_count_as_its_table(masked: Daemon) -> None:
    row = masked.run(QUERIES["nucl"], "blastn", "n", options={"db_hard_mask": "11"})
    hits = masked.get(f"/api/blast/jobs/{row['job_id']}/hits?limit=500&sequences=true").json["hits"]
    identities = sorted(f"{hit['identity']:.3f}" for hit in hits)
    assert identities == sorted(bare(masked, "blastn", {"db_hard_mask": "11"}, "pident"))
    for name in ("xml", "pairwise", "fasta"):
        assert masked.results(row["job_id"], name)


def test_Q12_blocks_of_a_masked_search_are_asked_of_blast(masked: Daemon) -> None:
    row = masked.run(QUERIES["nucl"], "blastn", "n", options={"db_hard_mask": "11"})
    found = masked.get(f"/api/blast/jobs/{row['job_id']}/results?format=blat").json
    rows = [dict(zip(found["fields"], values, strict=True)) for values in found["blat"]]
    assert len(rows) == len(bare(masked, "blastn", {"db_hard_mask": "11"}, "btop"))
    for psl in rows:
        assert sum(map(int, psl["blockSizes"].split(","))) == psl["matches"] + psl["misMatches"]
