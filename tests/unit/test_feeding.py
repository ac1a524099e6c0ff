"""From what a fed process writes each query gets the table that a search of it alone writes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastd.core.feeding import SECTION_BYTES, Feeding
from blastd.core.tabular import Damaged

BANNER = "# BLASTN 2.12.0+\n"
ROWS = st.lists(
    st.sampled_from(["q\ts\t1\n", "# Query: row that looks like a comment\n", "# 0 hits found\n"]), max_size=4
)
TITLES = st.sampled_from(["a", "# BLASTN 2.12.0+", "b # Query: m.0", "# 0 hits found", ""])
GROUPS = st.lists(st.lists(st.tuples(TITLES, ROWS, st.booleans()), min_size=1, max_size=5), min_size=1, max_size=4)


def section(title: str, rows: list[str], counted: bool = True) -> str:
    fields = "# Fields: query acc.ver\n" if rows else ""
    found = f"# {len(rows)} hits found\n" if counted or rows else ""  # a query without meaning has no such line
    return f"{BANNER}# Query: {title}\n# Database: db\n{fields}{found}{''.join(rows)}"


def written(queries: list[tuple[str, list[str], bool]], mark: str) -> str:
    """Return what a process writes of a group: the mark that pushes the last out is written with the next group."""
    return "".join(section(*query) + section(f"{mark}.{number}", []) for number, query in enumerate(queries))


@given(GROUPS, st.integers(1, 400))
def test_each_table_is_that_of_one_query_however_it_comes(
    groups: list[list[tuple[str, list[str], bool]]], size: int
) -> None:
    fed = Feeding("blastn")
    assert fed.start("m0") == b">m0\n"
    before = "m0"
    for number, queries in enumerate(groups):
        mark = f"m{number + 1}x"
        fed.feed([b">q\nACGT" for _ in queries], mark)
        text = (section(before, []) + written(queries, mark)).encode()
        before = f"{mark}.end"
        tables = []
        for at in range(0, len(text), size):
            fed.wrote(text[at : at + size])
            while (table := fed.take()) is not None:
                tables.append(table.decode())
        assert tables == [section(*query) + "# BLAST processed 1 queries\n" for query in queries]
        assert fed.owes == 0


def test_a_query_is_followed_by_a_mark_and_the_last_one_by_what_pushes_it_out() -> None:
    fed = Feeding("blastp")
    assert fed.feed([b">a\nMK", b">b\nMR\n"], "m1") == b"A\n>a\nMK\n>m1.0\nA\n>b\nMR\n>m1.1\nA\n>m1.end\n"
    assert fed.owes == 2


@pytest.mark.parametrize(
    "text",
    [
        section("a", []) + section("b", []),  # two queries where one was asked
        "",  # none
        "anything\n",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    fed = Feeding("blastn")
    fed.feed([b">a\nACGT\n"], "m1")
    fed.wrote((section("m0", []) + text + section("m1.0", [])).encode())
    with pytest.raises(Damaged):
        fed.take()


def test_half_a_table_is_none() -> None:
    fed = Feeding("blastn")
    fed.feed([b">a\nACGT\n"], "m1")
    fed.wrote((section("m0", []) + section("a", ["q\ts\n"]) + BANNER + "# Query: m1.0").encode())
    assert fed.take() is None


def test_what_is_held_in_memory_has_a_limit() -> None:
    fed = Feeding("blastn")
    fed.feed([b">a\nACGT\n"], "m1")
    fed.wrote((section("m0", []) + section("a", [])).encode())
    with pytest.raises(Damaged):
        fed.wrote(bytes(SECTION_BYTES))
