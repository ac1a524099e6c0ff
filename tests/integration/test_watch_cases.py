"""X06: the result of a watch's run is that of bare BLAST+ on the database as it is then, in every format; generated cases."""

import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.growing import build, changed, families, fasta_of, mutated
from tests.integration.test_watches import rescanned, settled, watched
from tests.service import API, serving

FORMATS = {"tabular": "6", "commented": "7", "xml": "5", "json": "15", "pairwise": "0"}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("blastp", {}),
    ("blastn", {}),
    ("blastx", {}),
    ("tblastn", {}),
    ("tblastx", {"evalue": "1e-3"}),
    ("blastp", {"max_target_seqs": "5"}),
    ("blastp", {"evalue": "1e-5", "seg": "yes"}),
    ("blastp", {"comp_based_stats": "0", "max_target_seqs": "20"}),
    ("blastp", {"matrix": "PAM70", "gapopen": "10", "gapextend": "1"}),
    ("blastn", {"max_target_seqs": "10"}),
    ("blastn", {"task": "blastn", "evalue": "1e-3"}),
    ("blastn", {"task": "dc-megablast", "perc_identity": "85"}),
    ("blastn", {"task": "blastn", "max_hsps": "1", "max_target_seqs": "7"}),
    ("blastx", {"max_target_seqs": "8"}),
    ("tblastn", {"max_hsps": "1", "evalue": "1e-4"}),
]
MANY = 60


def queries_of(rng: random.Random, program: str, entries: dict[str, str], kind: str) -> str:
    """Return queries that resemble entries, or for translated programs chance ones and pieces of entries."""
    texts = [mutated(rng, rng.choice(list(entries.values())), 0.1, kind) for _ in range(4)]
    if program == "tblastn":
        texts = [translated(text) for text in texts]
    elif program == "blastx":
        texts = ["".join(rng.choice(CODONS[letter]) for letter in text) for text in texts]
    return fasta_of({f"q{number}": text for number, text in enumerate(texts)})


BASES = "TCAG"
AMINO = "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"
"""The standard genetic code, in NCBI's order of codons."""
CODON = {a + b + c: AMINO[16 * i + 4 * j + k] for i, a in enumerate(BASES) for j, b in enumerate(BASES) for k, c in enumerate(BASES)}  # fmt: skip
CODONS = {letter: [codon for codon, other in CODON.items() if other == letter] for letter in set(AMINO)}


def translated(text: str) -> str:
    """Return the first frame of *text*, stops left out."""
    return "".join(CODON[text[at : at + 3]] for at in range(0, len(text) - 2, 3)).replace("*", "")


async def as_bare(tmp_path: Path, number: int) -> None:
    """Live one case: a search, entries that are added, replaced and removed, and the watch's run beside bare BLAST+."""
    rng = random.Random(number)
    program, options = CASES[number % len(CASES)]
    kind = "nucl" if program in ("blastn", "tblastn", "tblastx") else "prot"
    entries = families(rng, kind, 12, 10, 360 if kind == "nucl" else 140)
    folder = tmp_path / "db"
    build(folder, "grown", entries, kind)
    query = queries_of(rng, program, entries, kind)
    search: dict[str, Any] = {"program": program, "database": "grown", "query": query}
    search["options"] = {name: value for name, value in options.items() if name != "task"}
    search["task"] = options.get("task")
    async with serving(tmp_path / "state", [folder]) as service:
        row = await service.run(**search)
        assert row["status"] == "completed" and row["hits"], row
        watch_id = (await watched(service, row["job_id"]))["watch"]["watch_id"]
        for run in (2, 3):
            entries = changed(rng, entries, kind, rng.choice((0.01, 0.03, 0.08)))
            build(folder, "grown", entries, kind)
            await rescanned(service)
            job_id = (await settled(service, watch_id, run))["runs"][0]["job_id"]
        for name, outfmt in FORMATS.items():
            answer = await service.get(f"{API}/{job_id}/results?format={name}")
            assert answer.status == 200, answer.text
            assert answer.text == bare(folder, program, query, options, outfmt), (program, options, name)


def bare(folder: Path, program: str, query: str, options: dict[str, str], outfmt: str) -> str:
    """Return what BLAST+ writes that runs once on the whole database."""
    words = [word for name, value in options.items() for word in (f"-{name}", value)]
    argv = [program, "-db", "grown", "-outfmt", outfmt, *words]
    return subprocess.run(argv, cwd=folder, input=query, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("number", range(5))
async def test_X06_a_run_of_a_watch_has_the_bytes_of_bare_blast(tmp_path: Path, number: int) -> None:
    await as_bare(tmp_path, number)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(5, MANY))
async def test_X06_a_run_of_a_watch_has_the_bytes_of_bare_blast_in_many_cases(tmp_path: Path, number: int) -> None:
    await as_bare(tmp_path, number)
