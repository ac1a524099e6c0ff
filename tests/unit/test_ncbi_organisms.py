"""Limits by organism as clients of the NCBI URL API give them."""

import pytest

from blastd.core.ncbi_organisms import Organisms, entrez, organisms


@pytest.mark.parametrize(
    ("text", "include", "exclude"),
    [
        ("txid562[ORGN]", "562", ""),
        (" TXID562 [Organism:exp] or txid9606[orgn]", "562 9606", ""),
        ("(txid1[orgn] OR txid2[orgn]) NOT txid3[orgn] NOT (txid4[orgn] OR txid5[orgn])", "1 2", "3 4 5"),
        ("all[filter] NOT txid9606[orgn]", "", "9606"),
        ("NOT txid9606[ORGN]", "", "9606"),
        ("txid1[orgn] AND NOT txid2[orgn]", "1", "2"),
    ],
)
def test_D06_terms_of_organisms_are_read(text: str, include: str, exclude: str) -> None:
    assert entrez(text) == Organisms(include=tuple(include.split()), exclude=tuple(exclude.split()))


@pytest.mark.parametrize(
    "text",
    ["human[orgn]", "txid562", "txid562[ORGN:noexp]", "txid1[orgn] AND txid2[orgn]", "txid1[orgn] txid2[orgn]", "txid1[orgn] OR",
     "txid1[orgn] NOT txid2[orgn] OR txid3[orgn]", "(txid1[orgn]", "txid1[orgn])", "()", "NOT", "OR txid1[orgn]", "biomol_mrna[prop]",
     "txid1[orgn] OR all[filter]", "all[filter]", "1:500[slen]", "txid0[orgn]", "((txid1[orgn]))", "\u0130 NOT"],
)  # fmt: skip
def test_D06_what_only_entrez_knows_is_refused(text: str) -> None:
    assert entrez(text) is None


def test_D06_fields_of_the_form_are_read_with_what_is_left_out() -> None:
    faults: list[str] = []
    given = {
        "EQ_MENU": "Escherichia (taxid:561)", "EQ_MENU1": "human", "ORG_EXCLUDE1": "on", "EQ_MENU2": "Enter organism name or id",
        "ENTREZ_QUERY": "(none)", "EQ_TEXT": "",
    }  # fmt: skip
    assert organisms(given, faults) == Organisms(include=("Escherichia (taxid:561)",), exclude=("human",))
    assert organisms({"EQ_MENU": "562", "EQ_OP": "NOT", "EQ_TEXT": "txid2[orgn]"}, faults) == Organisms(
        include=("2",), exclude=("562",)
    )
    assert organisms({"EQ_MENU": "562", "EQ_OP": "or", "EQ_TEXT": "txid2[orgn]"}, faults) == Organisms(
        include=("2", "562")
    )
    assert faults == []


@pytest.mark.parametrize(
    "given",
    [
        {"EQ_MENU": "562", "EQ_OP": "AND", "EQ_TEXT": "txid2[orgn]"},
        {"EQ_MENU": "562", "EQ_OP": "XOR"},
        {"EQ_TEXT": "human"},
    ],
)
def test_what_can_not_be_said_in_ids_is_refused(given: dict[str, str]) -> None:
    faults: list[str] = []
    organisms(given, faults)
    assert len(faults) == 1
