"""W23: the rule of a good hit and the sentence that is made of it."""

from hypothesis import given
from hypothesis import strategies as st

from blastd.core.verdict import BestHit, Counts, GoodHit, Verdict, covered, more_subjects, sentence, standard, verdict

RULE = GoodHit(identity=97.0, coverage=90.0)


def text(counts: Counts, limit: int = 500, best: BestHit | None = None, hits: int = 0) -> str:
    return "".join(part.text for part in sentence(counts, RULE, limit, best, hits))


def test_W23_the_sentence_counts_queries_and_each_number_names_its_filter() -> None:
    counts = Counts(queries=60, good=30, weaker=19, none=11, limit_reached=42)
    parts = sentence(counts, RULE, 500, None, 0)
    assert [(part.text, part.filter) for part in parts if part.filter] == [
        ("30", "good"), ("19", "weaker"), ("11", "none"), ("42", "limit"),
    ]  # fmt: skip
    assert text(counts) == (
        "30 of 60 queries have a good hit (≥ 97 % identity over ≥ 90 % of the query), 19 a weaker one, 11 none. "
        "42 reached the limit of 500 subjects."
    )
    assert text(Counts(queries=1200, good=1, weaker=0, none=1199, limit_reached=0)).startswith("1 of 1,200 queries has")
    assert text(Counts(queries=5, good=0, weaker=0, none=5, limit_reached=0)) == "None of the 5 queries has a hit."


def test_W23_one_query_is_told_by_its_best_hit() -> None:
    one = Counts(queries=1, good=1, weaker=0, none=0, limit_reached=0)
    best = BestHit(
        subject="X1.1", accession="X1", title="X1.1 Kocuria rosea", length=1400, taxids=(), identity=99.52, coverage=100.0,
        evalue=0.0, evalue_text="0.0", bit_score=900.0,
    )  # fmt: skip
    assert text(one, best=best, hits=500) == (
        "Best hit: Kocuria rosea (X1), 99.5 % identity, 100 % of the query covered, E-value 0.0. 500 subjects found."
    )
    assert text(one) == "No hit."


def test_W23_the_usual_limits_go_by_program() -> None:
    assert standard("blastn") == RULE
    assert {standard(name) for name in ("blastp", "blastx", "tblastn", "tblastx")} == {
        GoodHit(identity=40.0, coverage=70.0)
    }
    assert [verdict(True, 3), verdict(False, 3), verdict(False, 0)] == [Verdict.GOOD, Verdict.WEAKER, Verdict.NONE]
    assert [more_subjects(10), more_subjects(500), more_subjects(5000)] == [5000, 5000, 50_000]


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), max_size=8))
def test_W23_positions_that_several_hsps_cover_count_once(spans: list[tuple[int, int]]) -> None:
    assert covered(spans) == len({at for a, b in spans for at in range(min(a, b), max(a, b) + 1)})
