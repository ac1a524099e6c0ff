"""Shorter reports and reports of several files are byte for byte what BLAST+ itself writes."""

import json
import subprocess
from pathlib import Path

import pytest

from blastd.core import multifile
from blastd.core.fewer_subjects import Most, shorten
from tests.databases import CASES, DB, make

HOSTILE = (
    ">gb|AAA1.1| Query= x >y Lambda \x01gb|AAB2.1| Sequences producing significant alignments: of a title that is long "
    "enough to be broken into lines of which one may begin with Length=5 or with >AAC3.1 [Y y]\n{0}\n"
    ">gb|AAC3.1| third\n{1}\n"
)
LETTERS = "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQAPILSRVGDGTQDNLSGAEKAVQVKVKALPDAQFEVV"
PROTEINS = (
    f">q Sequences producing significant alignments: {'long title ' * 12}Length=5\n{LETTERS}\n"
    f">none\nWWWWWWWWWWWWWWW\n>nothing\nXXXXXXXXXXXXXXXX\n>again\n{LETTERS}\n"
)
SEARCHES = [("blastn", "nt"), ("tblastx", "nt"), ("blastp", "aa"), ("blastx", "aa"), ("tblastn", "nt")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("reports")
    make(made, DB / "nt.fa", "nt", "nucl", "-parse_seqids")
    (made / "aa.fa").write_text(HOSTILE.format(LETTERS, LETTERS.replace("SG", "AG")))
    make(made, made / "aa.fa", "aa", "prot", "-parse_seqids")
    (made / "prot.fa").write_text(PROTEINS)
    (made / "nucl.fa").write_bytes(
        (CASES / "plain.fa").read_bytes() + b">all\nNNNNNNNNNNNNNNNNNNNNNNNNNNNNNN\n>b\nACG\n"
    )
    return made


def blast(folder: Path, program: str, database: str, fmt: str, *more: str) -> bytes:
    query = "prot.fa" if program in ("blastp", "tblastn") else "nucl.fa"
    words = ["-query", query, "-db", database, "-evalue", "1000", "-outfmt", fmt, *more]
    words += ["-word_size", "7"] if program == "blastn" else []  # so that there are more than two hits
    return subprocess.run([program, *words], cwd=folder, check=True, capture_output=True).stdout


@pytest.mark.parametrize(("program", "database"), SEARCHES)
def test_fewer_descriptions_and_alignments_are_as_blast_writes_them(folder: Path, program: str, database: str) -> None:
    whole = blast(folder, program, database, "0").splitlines(keepends=True)
    assert sum(line.startswith(b">") for line in whole) > 1
    # One of the two is large: BLAST+ itself finds others when both are small, which is why reports are cut.
    for descriptions, alignments in ((0, 1000), (1, 1000), (3, 1000), (1000, 0), (1000, 1), (1000, 2), (1000, 1000)):
        words = ("-num_descriptions", str(descriptions), "-num_alignments", str(alignments))
        most = Most(descriptions=descriptions, alignments=alignments)
        assert b"".join(shorten(whole, "pairwise", most)) == blast(folder, program, database, "0", *words)
    assert list(shorten(whole, "pairwise", Most())) == whole


@pytest.mark.parametrize(("program", "database"), SEARCHES)
def test_a_file_for_each_query_is_as_blast_writes_it(folder: Path, program: str, database: str) -> None:
    for name, whole, several, suffix in (("xml2", "16", "14", "xml"), ("json", "15", "13", "json")):
        lines = blast(folder, program, database, whole).splitlines(keepends=True)
        blast(folder, program, database, several, "-out", f"RID-{program}")
        files = [b"".join(one) for one in multifile.split(lines, name)]
        assert len(files) == 4
        for number, text in enumerate(files, 1):
            assert text == (folder / f"RID-{program}_{number}.{suffix}").read_bytes()
        assert multifile.index(f"RID-{program}", name, 4) == (folder / f"RID-{program}").read_text()


@pytest.mark.parametrize("most", [1, 2, 7, 1000])
def test_fewer_hits_leave_the_first_and_a_whole_document(folder: Path, most: int) -> None:
    whole = json.loads(blast(folder, "blastn", "nt", "15"))
    lines = blast(folder, "blastn", "nt", "15").splitlines(keepends=True)
    cut = json.loads(b"".join(shorten(lines, "json", Most(hits=most))))
    for all_of, some_of in zip(whole["BlastOutput2"], cut["BlastOutput2"], strict=True):
        search = all_of["report"]["results"]["search"]
        search["hits"] = search["hits"][:most]
        assert some_of == all_of
    for name, fmt in (("xml", "5"), ("xml2", "16")):
        lines = blast(folder, "blastn", "nt", fmt).splitlines(keepends=True)
        text = b"".join(shorten(lines, name, Most(hits=most)))
        counts = [len(one["report"]["results"]["search"]["hits"]) for one in cut["BlastOutput2"]]
        assert text.count(b"<Hit>") == text.count(b"</Hit>") == sum(counts)
