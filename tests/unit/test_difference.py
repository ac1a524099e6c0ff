"""X07: what counts as new, lost and changed between two runs of a search; when a watch is due."""

import pytest
from msgspec.structs import replace

from blastd.core.difference import FoundSubject, differences
from blastd.core.model import DatabaseRef
from blastd.core.search import Search
from blastd.core.watching import CurrentDatabase, is_due


def subject(name: str, alignments: str = "1", **more: str | int) -> FoundSubject:
    found = FoundSubject(
        subject=name, accession=name.partition(".")[0], title=f"the title of {name[:2]}", length=100, rank=1, evalue="1e-9",
        bit_score=50.0, identity=99.0, coverage=100.0, alignments=alignments,
    )  # fmt: skip
    return replace(found, **more)


A, B, C = subject("AA.1"), subject("BB.1"), subject("CC.1")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], [], []),
        ([A, B], [B, A], []),  # ranks follow E-values
        ([A], [replace(A, evalue="2e-9")], []),
        ([A], [A, B], [("new", "BB.1", ())]),
        ([A, B], [A], [("lost", "BB.1", ())]),
        ([A], [replace(A, alignments="2")], [("changed", "AA.1", ("alignments",))]),
        ([A], [replace(A, title="x", length=9)], [("changed", "AA.1", ("title", "length"))]),
        ([A], [replace(A, subject="AA.2")], [("changed", "AA.2", ("id",))]),
        ([A, C], [B, C], [("new", "BB.1", ()), ("lost", "AA.1", ())]),
        # several subjects of one id: those of the same title belong together, and what is left over is new or lost
        ([A, replace(A, title="other")], [replace(A, title="other"), A], []),
        ([A, A], [A], [("lost", "AA.1", ())]),
        ([A], [A, A, A], [("new", "AA.1", ()), ("new", "AA.1", ())]),
    ],
)
def test_X07_subjects_are_new_lost_or_changed(
    before: list[FoundSubject], after: list[FoundSubject], expected: list[tuple[str, str, tuple[str, ...]]]
) -> None:
    found = [
        (one.kind, (one.after or one.before or A).subject, one.what) for one in differences(before, after)
    ]  # fmt: skip
    assert found == expected


def test_X07_a_watch_is_due_when_a_database_is_another_and_by_taxa_also_when_the_taxonomy_is() -> None:
    plain = Search(program="blastn", databases=("d",))
    last = [DatabaseRef(name="d", fingerprint="1", taxonomy="t")]
    same, other, taxonomy = (
        [CurrentDatabase(fingerprint=fingerprint, taxonomy=taxonomy)]
        for fingerprint, taxonomy in (("1", "t"), ("2", "t"), ("1", "u"))
    )
    assert [is_due(plain, last, now) for now in (same, other, taxonomy)] == [False, True, False]
    for search in (replace(plain, organisms=("Homo",)), replace(plain, options={"taxids": ("9606",)})):
        assert [is_due(search, last, now) for now in (same, other, taxonomy)] == [False, True, True]
