"""Small databases of profiles for tests, made of true proteins with the real psiblast and makeprofiledb."""

import re
import shutil
import subprocess
from pathlib import Path

from tests.databases import DB, make

QUERY = (DB / "aa.fa").read_text()
LETTERS = 28
"""Of NCBIstdaa, the alphabet of matrices."""


def records() -> list[str]:
    """Return the proteins of which the profiles are made, longest first, a FASTA text each."""
    found = [part for part in re.split(r"(?m)^(?=>)", QUERY) if part]
    return sorted(found, key=len, reverse=True)[:4]


def installed(program: str) -> str:
    """Return the name under which a program is installed: Debian calls rpsblast "rpsblast+"."""
    return program if shutil.which(program) else f"{program}+"


def build_profiles(folder: Path) -> None:
    """Build `taa` (proteins), `domains` (profiles) and `delta` (profiles that deltablast takes) in *folder*."""
    make(folder, DB / "aa.fa", "taa", "prot", "-parse_seqids", "-title", "taa")
    work = folder / "work"
    work.mkdir()
    names, deltas = [], []
    for number, record in enumerate(records(), 1):
        (work / "one.fa").write_text(record)
        matrix = work / f"dom{number}.smp"
        words = [
            "psiblast",
            "-query",
            str(work / "one.fa"),
            "-db",
            "taa",
            "-num_iterations",
            "2",
            "-out_pssm",
            str(matrix),
        ]
        subprocess.run([*words, "-save_pssm_after_last_round"], cwd=folder, check=True, capture_output=True)
        text = matrix.read_text().replace("Query_1", f"dom{number}").replace('title "', f'title "domain {number}, ')
        matrix.write_text(text)
        names.append(matrix.name)
        deltas.append(f"delta{number}.smp")
        (work / deltas[-1]).write_text(with_counts(text))
    for name, kind, files in (("domains", "rps", names), ("delta", "delta", deltas)):
        (work / f"{name}.list").write_text("\n".join(files))
        words = [
            "makeprofiledb",
            "-in",
            f"{name}.list",
            "-out",
            f"/proc/self/cwd/{name}",
            "-title",
            name,
            "-dbtype",
            kind,
        ]
        subprocess.run([*words, "-obsr_threshold", "1"], cwd=work, check=True, capture_output=True)
        for file in work.glob(f"{name}.*"):
            if file.suffix != ".list":
                file.rename(folder / file.name)
    shutil.copy(work / "dom1.smp", folder / "dom1.pssm")
    shutil.rmtree(work)


def with_counts(text: str) -> str:
    """Return a matrix with the frequencies and observations that a database for deltablast needs: the query's own letters."""
    residues = re.search(r"ncbistdaa '([0-9A-F\s]+)'H", text)
    assert residues is not None
    codes = bytes.fromhex("".join(residues[1].split()))
    reals = ("{ 1, 10, 0 }" if letter == code else "{ 0, 10, 0 }" for code in codes for letter in range(LETTERS))
    counts = f"weightedResFreqsPerPos {{ {', '.join(reals)} }}, freqRatios"
    observed = f", numIndeptObsr {{ {', '.join(['{ 8, 10, 0 }'] * len(codes))} }} }}, finalData"
    return re.sub(r"\}\s*,\s*finalData", observed, text.replace("freqRatios", counts, 1), count=1)
