"""Words among residues are told, true sequences are not; blank lines and PIR records are told by record and line."""

import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastd.core.fasta import QueryScan, Reader
from blastd.core.molecule import NUCLEOTIDE, PROTEIN, Judgement, judge
from tests.databases import CASES, DATA

RESIDUES = "ACDEFGHIKLMNPQRSTVWY" * 20 + "UOBZXJ*"
FIRST = "VCIHTENQNQVSFYPFVLHEISVLIELTLGHLRYRLTDVPPQPNSQPDSATNYVWML"
SECOND = "MDITIHNPLIRRPLFSWLAPSRIFDQIFGEHLQESELLPASPSLSPFLMR"


def scan(text: bytes, piece: int = 1 << 20) -> QueryScan:
    reader = Reader()
    for at in range(0, len(text), piece):
        reader.feed(text[at : at + piece])
    return reader.end()[1]


def told(text: str | bytes, piece: int = 1 << 20) -> tuple[dict[str, tuple[int, int]], Judgement]:
    """Return record and line of each alarm by its code."""
    judged = judge(scan(text.encode() if isinstance(text, str) else text, piece), PROTEIN)
    return {fault.code: (fault.record, fault.line) for fault in (*judged.warnings, *judged.faults)}, judged


PROSE = [
    "ALPHA CRYSTALLIN B CHAIN", "Hemoglobin subunit alpha", "this is my protein", "protein alpha", "Homo sapiens",
    "HUMAN\tkinase\tmembrane", "Seq of the mutant", "note that the tag is at the end", "my protein  12 kd",
]  # fmt: skip


@pytest.mark.parametrize("words", PROSE)
@pytest.mark.parametrize("before", ["", ">a\n" + FIRST + "\n>b\n", ">a\n" + (FIRST + "\n") * 300 + ">b\n"])
@pytest.mark.parametrize("at", [0, 1])
def test_U20_words_in_a_protein_are_told(words: str, before: str, at: int) -> None:
    record, line = (2, before.count("\n") + 1 + at) if before else (1, 2 + at)
    text = (before or ">b\n") + (SECOND + "\n") * at + words + "\n" + SECOND + "\n"
    alarms, _ = told(text)
    assert alarms["words"] == (record, line)
    assert told(text, 7)[0] == alarms


def test_U20_every_line_of_words_is_told_not_the_first_only() -> None:
    _, judged = told(">a\n" + FIRST + "\nso it is written\n" + SECOND + "\nand again it is\n")
    assert [fault.line for fault in judged.warnings if fault.code == "words"] == [3, 5]


def test_U20_a_title_without_its_mark_above_capitals_is_told() -> None:
    for title in ("Hemoglobin", "crystallin"):
        assert told(f"{title}\n{FIRST}\n")[0]["words"] == (1, 1)
        crowd = ">x\n" + FIRST + "\n"
        assert told(f"{crowd * 400}>b\n{title}\n{FIRST}\n")[0]["words"] == (401, 802)


def test_U20_pir_records_are_refused() -> None:
    for text in ((CASES / "pir.fa").read_text(), f">q\n{FIRST}\n>F1;X\nA title\n{SECOND}*\n", f">P1;Y\n\n{FIRST}\n"):
        alarms, judged = told(text)
        assert "pir" in {fault.code for fault in judged.faults}
        assert alarms["pir"] == (text.count(">"), text[: text.rindex(";")].count("\n") + 2)
    assert not told(f">P1;CRAB\n{FIRST}\n")[1].faults
    assert not told(f">P1;CRAB\n{FIRST}\n{SECOND}\n")[1].faults


@pytest.mark.parametrize("piece", [1, 5, 1 << 20])
@pytest.mark.parametrize("gap", ["\n\n", "\n \t\n", "\n\n\n\n"])
def test_U20_blank_lines_between_blocks_are_told(gap: str, piece: int) -> None:
    for begin in ("", ">a x\n", ">a x\n" + FIRST + "\n>b y\n"):
        text = begin + FIRST + gap + SECOND + "\n"
        alarms, judged = told(text, piece)
        assert alarms["blank_line"] == (max(1, begin.count(">")), text[: text.rindex(SECOND)].count("\n") + 1)
        nucleotides = (">a\n" + "ACGT" * 20 + gap + "GGCA" * 20 + "\n").encode()
        assert "blank_line" in {fault.code for fault in judge(scan(nucleotides, piece), NUCLEOTIDE).warnings}
        assert not judged.faults


def test_U20_blank_lines_between_records_and_at_the_ends_are_no_alarm() -> None:
    for text in (f"\n\n>a\n{FIRST}\n\n\n>b\n{SECOND}\n \n\n", f">a\n\n{FIRST}\n", f">a\n{FIRST}\n\n"):
        for piece in (1, 3, 1 << 20):
            assert not told(text, piece)[0], (text, piece)


def test_U20_true_proteins_give_no_alarm() -> None:
    text = gzip.decompress((DATA / "proteins" / "true.fa.gz").read_bytes())
    assert text.count(b">") == 214
    alarms, judged = told(text)
    assert (alarms, sum(judged.letters)) == ({}, sum(len(line) for line in text.split(b"\n") if line[:1] != b">"))
    assert told(text, 1000)[0] == {}


def written(letters: str, width: int, block: int, numbers: bool, lower: bool) -> str:
    """Return a sequence as programs write it: lines of one width, in blocks, with numbers."""
    letters = letters.lower() if lower else letters
    lines = [letters[at : at + width] for at in range(0, len(letters), width)]
    if block:
        lines = [" ".join(line[at : at + block] for at in range(0, len(line), block)) for line in lines]
    if numbers:
        lines = [f"{number * width + 1:>9} {line}" for number, line in enumerate(lines)]
    return "".join(f"{line}\n" for line in lines)


@given(
    st.integers(0, 2**32), st.integers(1, 700), st.sampled_from([20, 50, 60, 70, 80, 10_000]),
    st.sampled_from([0, 10]), st.booleans(), st.booleans(), st.sampled_from([1, 3, 64, 1 << 20]),
)  # fmt: skip
def test_U20_sequences_in_lines_and_blocks_give_no_alarm(
    seed: int, length: int, width: int, block: int, numbers: bool, lower: bool, piece: int
) -> None:
    chance = random.Random(seed)
    letters = "".join(chance.choices(RESIDUES, k=length))
    title = chance.choice([
        ">sp|P69905|HBA_HUMAN Hemoglobin subunit alpha OS=Homo sapiens OX=9606 GN=HBA1 PE=1 SV=2",
        ">tr|A0A024R161|A0A024R161_HUMAN Guanine nucleotide-binding protein", ">P1", ">q;1 P1;x", ">x",
    ])  # fmt: skip
    alarms, judged = told(f"{title}\n{written(letters, width, block, numbers, lower)}", piece)
    assert alarms.keys() <= {"pyrrolysine", "no_letters"} | ({"digits"} if numbers else set())
    assert sum(judged.letters) == length
