"""The stored table: queries by position, and projections that look as if BLAST+ had printed them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastd.core import gff3, tabular
from blastd.core.tabular import RICH, STD, Damaged
from blastd.errors import Invalid


def row(query: str = "q1", subject: str = "s1", title: str = "a title", **values: str) -> str:
    known = {"qaccver": query, "qseqid": query, "saccver": subject, "sseqid": f"lcl|{subject}", "stitle": title}
    known |= {"qframe": "1", "sframe": "-1"} | values
    return "\t".join(known.get(name, "7") for name in RICH)


def part(*queries: tuple[str, list[str] | None]) -> list[str]:
    lines = []
    for title, rows in queries:
        lines += ["# BLASTN 2.12.0+\n", f"# Query: {title}\n", "# Database: a b\n"]
        if rows is None:
            continue
        if rows:
            lines.append("# Fields: " + ", ".join(tabular.LABELS[name] for name in RICH) + "\n")
        lines.append(f"# {len(rows)} hits found\n")
        lines += [line + "\n" for line in rows]
    return [*lines, f"# BLAST processed {len(queries)} queries\n"]


def test_queries_stay_apart_by_position_whatever_they_are_called() -> None:
    found = list(
        tabular.sections(part(("same one", [row("same")]), ("same two", []), ("same three", [row("same")] * 2)))
    )
    assert [(section.title, section.found, len(section.rows)) for section in found] == [
        ("same one", 1, 1),
        ("same two", 0, 0),
        ("same three", 2, 2),
    ]


def test_rows_that_begin_with_a_hash_are_rows() -> None:
    found = list(tabular.sections(part(("#q1 # 3 hits found", [row("# 9 hits found"), row("#q1")]), ("", []))))
    assert [len(section.rows) for section in found] == [2, 0]
    assert [section.title for section in found] == ["#q1 # 3 hits found", ""]


def test_a_query_of_a_round_that_was_not_searched_is_kept() -> None:
    lines = part(("all N", None), ("NN", None))
    assert [section.found for section in tabular.sections(lines)] == [None, None]
    assert "".join(tabular.commented([lines])) == "".join(lines)


def test_Q12_of_several_iterations_features_are_of_the_last() -> None:
    lines = part(("a", [row("a", "s1")]), ("a", [row("a", "s2")]), ("b", [row("b", "s3")]))
    for number, begin in ((1, 12), (2, 6), (1, 0)):  # from the end: what is put in moves what follows
        lines.insert(begin + 1, f"# Iteration: {number}\n")
    found = list(gff3.features([[line.replace("# BLASTN", "# PSIBLAST") for line in lines]]))
    assert [line.split("\t")[0] for line in found[1:]] == ["s2", "s3"]
    assert {line.split("\t")[2] for line in found[1:]} == {"protein_match"}


def test_the_stored_columns_print_as_they_were() -> None:
    lines = part(("q1 x", [row()]), ("q2", []))
    assert "".join(tabular.commented([lines], RICH)) == "".join(lines)


def test_joined_parts_have_one_trailer_with_the_sum() -> None:
    text = "".join(tabular.commented([part(("a", []), ("b", [])), part(("c", []))]))
    assert text.count("# BLAST processed") == 1
    assert text.endswith("# BLAST processed 3 queries\n")


def test_any_stored_columns_in_any_order() -> None:
    lines = part(("q1", [row(title="with\ttabs\there", score="99")]))
    assert list(tabular.table([lines], ("score", "frames", "stitle", "qaccver"))) == [
        "99\t1/-1\twith\ttabs\there\tq1\n"
    ]
    names = tabular.columns(["score", "std", "score", "evalue"])
    assert names == ("score", *STD)


def test_an_unknown_column_is_refused_since_blast_would_print_twelve_others() -> None:
    with pytest.raises(Invalid) as caught:
        tabular.columns(["std", "nosuch", "alsonot"])
    assert [pointer for pointer, _ in caught.value.faults] == ["/fields", "/fields"]
    assert "nosuch" in str(caught.value)


def test_columns_that_are_not_stored_are_told_apart() -> None:
    assert tabular.stored(tabular.columns(["std", "frames", "btop"]))
    assert not tabular.stored(["qseq"])
    assert not tabular.stored(["btop"], tabular.lacking("blastn", {"db_hard_mask": "11"}))
    with pytest.raises(Invalid):
        list(tabular.table([part(("q", [row()]))], ("qseq",)))


def test_csv_is_harmless_and_numbers_are_unchanged() -> None:
    risky = row('=HYPERLINK("x")', "a,b", "+1", qframe="-1", btop="-A12", evalue="1e-30")
    names = ("qseqid", "saccver", "stitle", "qframe", "sframe", "btop", "evalue")
    assert list(tabular.csv([part(("x", [risky]))], names)) == ['"\'=HYPERLINK(""x"")","a,b",\'+1,-1,-1,\'-A12,1e-30\n']


def test_csv_of_ordinary_cells_is_what_blast_prints() -> None:
    lines = part(("q1", [row("gnl|X|y", "sp|A|B")]))
    plain = next(tabular.table([lines])).replace("\t", ",")
    assert next(tabular.csv([lines])) == plain


def read_all(lines: list[str]) -> list[list[str]]:
    return [tabular.cells(line) for section in tabular.sections(lines) for line in section.rows]


def test_a_damaged_table_is_never_read_as_shorter() -> None:
    lines = part(("q1", [row(), row(), row()]))
    assert len(read_all(lines)) == 3
    for broken in (lines[:6], [*lines[:5], "not a row\n", *lines[6:]], [*lines[:5], "text\n", *lines[5:]]):
        with pytest.raises(Damaged):
            read_all(broken)


@given(st.text(st.characters(codec="utf-8"), max_size=30))
def test_no_cell_is_a_formula(text: str) -> None:
    cell = tabular.safe_cell(text).removeprefix('"')
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
