"""Every line that BLAST+ writes on stderr although it ends well: harmless, a warning, or the end of the job."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastd.blastplus.process import excerpt
from blastd.blastplus.remarks import CONTRADICTIONS, HARMLESS, WARNINGS, hear
from blastd.core.model import Warned


def blast(text: str, query: int | None = None) -> Warned:
    return Warned(text=text, query=query, source="blast")


@pytest.mark.parametrize(
    ("stderr", "found"),
    [
        (
            "Warning: [blastn] Query_2 empty_one: Sequence contains no data \n",
            [blast("empty_one: Sequence contains no data", 2)],
        ),
        (
            "Warning: [blastn] Examining 5 or more matches is recommended\n" * 2,
            [blast("Examining 5 or more matches is recommended")],
        ),
        (
            "FASTA-Reader: Ignoring invalid residues at position(s): On line 7: 1-2, 5, 7, 14-16\n",
            [blast("Ignoring invalid residues at position(s): On line 7: 1-2, 5, 7, 14-16")],
        ),
        (
            "CFastaReader: Hyphens are invalid and will be ignored around line 6\n",
            [blast("Hyphens are invalid and will be ignored around line 6")],
        ),
        (
            "Warning: [blastn] To obtain better run time performance, please run blastdb_aliastool -seqid_file_in <X>\n"
            "Warning: [blastn] Query_1 q1: Filtering resulted in an empty database. \n",
            [blast("q1: Filtering resulted in an empty database.", 1)],
        ),
        ("Warning: [blastn] Query is Empty!\n", [blast("Query is Empty!")]),
        ("Warning: [blastn] Query_3 : Sequence contains no data \n", [blast("Sequence contains no data", 3)]),
        ("Error: odd\n\n \nWarning: [blastn] Number of threads was reduced to 2\n", [blast("BLAST+ said: Error: odd")]),
        ("no form at all\x07 \x1b[31m\n", [blast("BLAST+ said: no form at all [31m")]),
        (": just a colon\nWarning: \n", [blast("BLAST+ said: : just a colon")]),
        ("", []),
    ],
)
def test_warnings_are_kept_once_with_their_query(stderr: str, found: list[Warned]) -> None:
    assert list(hear(stderr).warnings) == found


def test_queries_of_a_batch_are_numbered_as_in_the_whole_file() -> None:
    (warned,) = hear("Warning: [blastp] Query_2 e: Sequence contains no data \n", first_query=40).warnings
    assert warned.query == 42


def test_warnings_are_bounded_and_the_rest_is_counted() -> None:
    stderr = "".join(f"Warning: [blastn] Query_{number} e: Sequence contains no data \n" for number in range(1, 1_001))
    found = hear(stderr).warnings
    assert len(found) == WARNINGS + 1
    assert found[-1].text.startswith("800 more warnings")
    assert len(hear("Warning: [blastn] Query_1 x: " + "1, " * 10_000).warnings[0].text) == 500


UNFILTERED = (
    "The -taxids command line option requires additional data files. Please see the section 'Taxonomic filtering for "
    "BLAST databases' in https://www.ncbi.nlm.nih.gov/books/NBK569839/ for details.",
    "Taxonomy ID(s) not found in the merged database.",
    "Warning: [blastn] Taxonomy ID(s) not found in the merged database.",
)


@pytest.mark.parametrize("line", UNFILTERED)
def test_U12_what_makes_the_result_another_one_is_no_warning(line: str) -> None:
    noise = "".join(f"Warning: [blastn] Query_{number} e: Sequence contains no data \n" for number in range(1, 400))
    for stderr in (line, f"{noise}{line}\n", f"{line}\n{noise}"):
        trouble = hear(stderr).trouble
        assert trouble is not None and trouble.code in {known.code for known in CONTRADICTIONS}
        assert trouble.remedy and not trouble.retryable


def test_U12_the_title_of_a_query_decides_nothing() -> None:
    for line in UNFILTERED:
        said = hear(f"Warning: [blastn] Query_1 {line}: Sequence contains no data \n")
        assert said.trouble is None
        assert said.warnings[0].query == 1


@given(st.lists(st.text(max_size=40), max_size=20))
def test_U12_no_line_is_lost(lines: list[str]) -> None:
    stderr = "\n".join(lines)
    said = hear(stderr)
    told = " ".join(warned.text for warned in said.warnings)
    for line in stderr.splitlines():
        words = [word for word in re.split(r"\s+", line) if word.isprintable() and word.isascii()]
        if line.strip() and not line.strip().startswith(HARMLESS) and not line.startswith(("Warning:", "FASTA")):
            assert said.trouble is not None or all(word in told for word in words)


def test_U12_of_a_long_stderr_beginning_and_end_are_kept_in_whole_lines(tmp_path: Path) -> None:
    written = tmp_path / "err"
    written.write_text(f"{UNFILTERED[0]}\n" + "FASTA-Reader: noise\n" * 20_000 + "the last\n")
    text = excerpt(written, 64 << 10)
    assert len(text) < (64 << 10) + 100
    assert set(text.splitlines()[1:-1]) - {"FASTA-Reader: noise"} == {
        line for line in text.splitlines() if line.startswith("[... ")
    }
    assert text.endswith("the last\n")
    assert hear(text).trouble is not None
    assert excerpt(tmp_path / "none", 10) == ""
