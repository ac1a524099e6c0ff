"""A common table of several searches is taken apart into what each alone writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastd.core.sharing import split
from blastd.core.tabular import Damaged

HEAD = "# BLASTN 2.12.0+\n# Query: {title}\n# Database: db\n"
ROWS = st.lists(
    st.sampled_from(["q\ts\t1\n", "# Query: row that looks like a comment\n", "# 0 hits found\n"]), max_size=4
)


def section(title: str, rows: list[str]) -> str:
    fields = "# Fields: query acc.ver\n" if rows else ""
    return HEAD.format(title=title) + fields + f"# {len(rows)} hits found\n" + "".join(rows)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "# c"]), ROWS), min_size=1, max_size=6))
def test_each_part_is_the_table_of_one_query(searches: list[tuple[str, list[str]]]) -> None:
    bodies = [section(title, rows) for title, rows in searches]
    text = "".join(bodies) + f"# BLAST processed {len(bodies)} queries\n"
    assert split(text.splitlines(keepends=True), len(bodies)) == [
        body + "# BLAST processed 1 queries\n" for body in bodies
    ]


@pytest.mark.parametrize(
    "text",
    [
        section("a", []),
        section("a", []) + "# BLAST processed 2 queries\n",
        section("a", []) + section("b", []),
        section("a", []) + HEAD.format(title="b") + "# BLAST processed 2 queries\n",
        section("a", []) + section("b", ["q\ts\n"])[:-4],
        section("a", []) + section("b", []) + "# BLAST processed 2 queries\nmore\n",
    ],
)
def test_a_table_that_is_not_whole_is_refused(text: str) -> None:
    with pytest.raises(Damaged):
        split(text.splitlines(keepends=True), 2)
