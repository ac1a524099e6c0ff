"""What is honoured, ignored and refused of NCBI's parameters: nothing that limits is ignored."""

import pytest

from blastd.core import ncbi, ncbi_parameters, ncbi_view
from blastd.core.ncbi_parameters import HARMLESS, HONOURED, REFUSED, limits, refusals, table
from tests.acceptance_table import with_table
from tests.ncbi_table import BEGIN, END, PAGE


def test_the_table_of_the_docs_is_this_one() -> None:
    text = PAGE.read_text()
    assert with_table(text, table(), BEGIN, END) == text, "run 'python -m tests.ncbi_table'"


def test_a_parameter_is_in_one_table_and_what_is_read_is_honoured() -> None:
    assert not HONOURED.keys() & REFUSED.keys()
    assert not HARMLESS.keys() & (HONOURED.keys() | REFUSED.keys())
    assert ncbi.NUMBERS.keys() <= HONOURED.keys()
    assert set(ncbi_view.REMEMBERED) <= HONOURED.keys()


@pytest.mark.parametrize("name", ["TOOL", "FOO", "COMMENT", "VIEWREPORT", "X_Y", "UNIQ_ID", "TIMEOUT", "THEME"])
def test_N03_what_says_nothing_of_limits_is_ignored(name: str) -> None:
    assert refusals({name: "anything"}) == []


@pytest.mark.parametrize("value", ["", " ", "(none)", "none", "0", "off", "Enter organism name or id", "all [filter]"])
def test_N03_an_empty_field_of_a_form_asks_nothing(value: str) -> None:
    assert refusals(dict.fromkeys([*REFUSED, "LIMIT_SOMETHING"], value)) == []


@pytest.mark.parametrize(
    "name",
    [
        "MAXHITS",
        "MIN_LENGTH",
        "TAXA",
        "ORGANISMS",
        "EXCLUDED",
        "FILTER_BY",
        "SPECIES",
        "SEQID_LIST",
        "GILIST",
        "HSP_MAX",
    ],
)
def test_N03_every_way_to_say_a_limit_is_refused_by_name(name: str) -> None:
    assert limits(name)
    assert refusals({name: "x"})[0].startswith(f"{name} is not known here")


def test_N03_each_refused_parameter_has_its_reason() -> None:
    for name, reason in REFUSED.items():
        assert refusals({name: "on"}) == [f"{name}: {reason}."]
    assert ncbi_parameters.asks_nothing("All organisms")
