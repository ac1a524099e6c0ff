"""Small databases and queries for tests, built with the real makeblastdb."""

import random
import subprocess
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
CASES = DATA / "cases"
DB = CASES / "db"

LAMBDA_QUERY = (CASES / "plain.fa").read_text()
PROTEIN_QUERY = (CASES / "prot.fa").read_text()


def random_dna(letters: int, seed: int) -> str:
    """Return letters that nothing in the small databases resembles."""
    return "".join(random.Random(seed).choices("ACGT", k=letters))


NO_HITS_QUERY = ">nothing\n" + random_dna(300, 99) + "\n"
SLOW_QUERY = "".join(f">s{number}\n{random_dna(20_000, number)}\n" for number in range(40))
SLOW: dict[str, Any] = {"program": "tblastx", "database": "slow", "options": {"evalue": "1e-30"}, "reuse": False}
"""What to say beside SLOW_QUERY: it takes half a minute of one core, so tests look at it, and cancel it."""


def make(folder: Path, fasta: Path, name: str, kind: str, *more: str) -> None:
    """Build one database in *folder*."""
    out = f"/proc/self/cwd/{name}"  # 2.16 fails in folders with blanks, so the folder is called otherwise
    argv = ["makeblastdb", "-in", str(fasta), "-dbtype", kind, "-out", out, *more]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)


def build_all(folder: Path) -> None:
    """Build the databases that tests search: tnt, tnt4, noparse, osame, hash, taa, slow, 'dir with space/mynt'."""
    nt, aa = DB / "nt.fa", DB / "aa.fa"
    make(folder, nt, "tnt", "nucl", "-parse_seqids", "-taxid_map", str(DB / "taxmap.txt"), "-title", "tnt")
    make(folder, nt, "tnt4", "nucl", "-parse_seqids", "-title", "tnt4", "-blastdb_version", "4")
    make(folder, nt, "noparse", "nucl", "-title", "noparse")
    make(folder, DB / "other_same_ids.fa", "osame", "nucl", "-parse_seqids", "-title", "osame")
    make(folder, DB / "hash_title.fa", "hash", "nucl", "-parse_seqids", "-title", "hash")
    make(folder, aa, "taa", "prot", "-parse_seqids", "-title", "taa")
    spaced = folder / "dir with space"
    spaced.mkdir()
    make(spaced, nt, "mynt", "nucl", "-parse_seqids", "-title", "mynt")
    slow = folder / "slow.fa"
    slow.write_text("".join(f">r{number}\n{random_dna(50_000, 1000 + number)}\n" for number in range(60)))
    make(folder, slow, "slow", "nucl", "-parse_seqids", "-title", "slow")
    slow.unlink()
