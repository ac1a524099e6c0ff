"""The figures of docs/numbers.md are those of the kept run, and say truly whether an aim is met."""

from pathlib import Path

import pytest

from tests.acceptance_table import with_table
from tests.benchmarks.figures import KEPT, Figure, Figures, number, read, shown
from tests.benchmarks.table import BEGIN, END, NUMBERS, TITLES, aim, table


def test_the_figures_in_the_docs_are_those_of_the_kept_run() -> None:
    text, parts = NUMBERS.read_text(), read(KEPT)
    assert with_table(text, table(parts), BEGIN, END) == text, "run 'python -m tests.benchmarks.table'"
    assert parts.keys() <= TITLES.keys()


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.123, "0.12"), (1.27, "1.27"), (1.5, "1.5"), (2.0, "2"), (9.96, "10"), (18.04, "18"), (99.6, "100"), (12345.6, "12,346")],
)  # fmt: skip
def test_numbers_have_three_digits_at_most_but_whole_ones_are_whole(value: float, text: str) -> None:
    assert number(value) == text


def test_aims_are_met_or_missed_on_the_side_that_is_better() -> None:
    slow = Figure(name="a", unit="ms", value=25, limit=20)
    few = Figure(name="b", unit="×", value=0.65, limit=1, more_is_better=True)
    assert (slow.met, few.met) == (False, False)
    assert aim(slow) == "≤ 20 ms: **missed**"
    assert aim(few) == "≥ 1 ×: **missed**"
    assert aim(Figure(name="c", unit="ms", value=20, limit=20)) == "≤ 20 ms"
    assert aim(Figure(name="d", unit="ms", value=20)) == ""


def test_a_ratio_is_that_of_the_medians_and_spreads_as_its_turns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = Figures("local")
    figures.ratio("r", [2.0, 3.0, 8.0], [1.0, 2.0, 2.0], 1.3)
    figures.p99("p", [float(one) for one in range(1, 101)], "ms", 250)
    assert [shown(one) for one in figures.found] == ["1.5 × (1.5–4; n 3)", "100 ms (median 50.5, longest 100; n 100)"]
    assert "load average" in capsys.readouterr().out
    file = tmp_path / "figures.json"
    figures.keep(file)
    Figures("load").keep(file)
    assert read(file).keys() == {"local", "load"}
    assert [one.name for one in read(file)["local"].figures] == ["r", "p"]
    assert "| r | 1.5 × (1.5–4; n 3) | ≤ 1.3 ×: **missed** |" in table(read(file))
    assert "| p | p99 100 ms (median 50.5, longest 100; n 100) | ≤ 250 ms |" in table(read(file))
