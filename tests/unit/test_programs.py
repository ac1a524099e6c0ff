"""What is offered, and that a wrong search is refused before anything runs, every fault with its mend.

Numbers in brackets are lines of the collection of public bug reports that tests/data/cases was made from.
"""

import gzip
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastd.core.fit import DatabaseFacts, check_databases
from blastd.core.options import LIST_ITEMS, read_help
from blastd.core.program_table import INSTEAD, TASKS, UNUSABLE
from blastd.core.programs import (
    catalogue,
    check,
    check_location,
    default_of,
    hints,
    limit_of,
    location,
    molecules,
)
from blastd.core.search import Arguments, Search
from tests.catalogue import blast_2_12, captured, told
from tests.databases import DATA

pytestmark = pytest.mark.blast

OFFERED = blast_2_12()
XML = """<ncbi_application xmlns="ncbi:application"><arguments>{}</arguments></ncbi_application>"""


def asked(options: dict[str, Any] | None = None, **fields: Any) -> tuple[Arguments | None, list[tuple[str, str]]]:
    given_fields: dict[str, Any] = {"program": "blastn", "databases": ("tnt",), "options": options or {}} | fields
    return check(Search(**given_fields), OFFERED)


def good(options: dict[str, Any] | None = None, **fields: Any) -> Arguments:
    checked, faults = asked(options, **fields)
    assert checked is not None, faults
    return checked


def fault(options: dict[str, Any] | None = None, **fields: Any) -> tuple[str, str]:
    checked, faults = asked(options, **fields)
    assert checked is None
    assert len(faults) == 1, faults
    return faults[0]


# ---------------------------------------------------------------- what is offered


def test_all_programs_with_their_tasks_are_offered() -> None:
    names = {name: [task.name for task in program.tasks] for name, program in OFFERED.programs.items()}
    assert names == {
        "blastn": ["megablast", "dc-megablast", "blastn", "blastn-short"],
        "blastp": ["blastp", "blastp-short", "blastp-fast"],
        "blastx": ["blastx", "blastx-fast"],
        "tblastn": ["tblastn", "tblastn-fast"],
        "tblastx": ["tblastx"],
        "psiblast": ["psiblast"],
        "deltablast": ["deltablast"],
        "rpsblast": ["rpsblast"],
        "rpstblastn": ["rpstblastn"],
    }


@pytest.mark.parametrize(
    ("program", "task", "option", "value"),
    [
        ("blastn", "megablast", "word_size", "28"),
        ("blastn", "dc-megablast", "word_size", "11"),
        ("blastn", "blastn-short", "word_size", "7"),
        ("blastn", "blastn-short", "penalty", "-3"),
        ("blastn", "megablast", "dust", "20 64 1"),
        ("blastp", "blastp-short", "matrix", "PAM30"),
        ("blastp", "blastp", "seg", "no"),
        ("blastx", "blastx", "seg", "12 2.2 2.5"),
        ("tblastn", "tblastn-fast", "threshold", "21"),
        ("tblastx", "tblastx", "evalue", "10"),
        ("tblastx", "tblastx", "max_target_seqs", "500"),
        ("blastn", "megablast", "perc_identity", None),
    ],
)
def test_defaults_are_those_of_the_task_then_of_the_program(
    program: str, task: str, option: str, value: str | None
) -> None:
    assert default_of(OFFERED.programs[program], task, option) == value


@pytest.mark.parametrize(
    ("program", "option", "facts"),
    [
        ("blastn", "perc_identity", ("number", 0, 100, False, False)),
        ("blastn", "best_hit_overhang", ("number", 0, 0.5, True, True)),
        ("blastn", "word_size", ("integer", 4, 2**31 - 1, False, False)),
        ("blastp", "word_size", ("integer", 2, 7, False, False)),
        ("tblastx", "word_size", ("integer", 2, 5, False, False)),
        ("blastn", "searchsp", ("integer", 0, 2**63 - 1, False, False)),
        ("blastn", "evalue", ("number", 0, None, True, False)),
    ],
)
def test_ranges_are_read_from_the_help_and_narrowed(program: str, option: str, facts: tuple[object, ...]) -> None:
    found = OFFERED.programs[program].options[option]
    assert (found.kind, found.minimum, found.maximum, found.exclusive_minimum, found.exclusive_maximum) == facts


def test_choices_ranges_groups_and_flags_are_read_from_the_help() -> None:
    blastn, tblastn = OFFERED.programs["blastn"].options, OFFERED.programs["tblastn"].options
    assert blastn["strand"].choices == ("both", "minus", "plus")
    assert blastn["template_length"].choices == ("16", "18", "21")
    assert blastn["template_length"].requires == ("template_type",)
    assert tblastn["db_gencode"].ranges == ((1, 6), (9, 16), (21, 31), (33, 33))
    assert blastn["evalue"].group == "General search options"
    assert blastn["ungapped"].kind == "flag"
    assert blastn["soft_masking"].kind == "boolean"
    assert blastn["taxids"].kind == "list"
    assert all(option.group and option.help for p in OFFERED.programs.values() for option in p.options.values())


def test_every_option_of_the_programs_is_offered_or_refused_for_a_reason() -> None:
    for name, program in OFFERED.programs.items():
        left = {option.name for option in told(name).values()} - set(program.options)
        assert left <= set(INSTEAD) | UNUSABLE.get(name, frozenset()), left - set(INSTEAD)
        assert not set(program.options) & set(INSTEAD)


def test_no_offered_option_takes_a_path() -> None:
    for program in OFFERED.programs.values():
        assert "file" not in {option.kind for option in program.options.values()}
        assert not [name for name in program.options if "file" in name or name.endswith("_db")]


def test_conflicts_name_offered_options_only() -> None:
    for program in OFFERED.programs.values():
        for option in program.options.values():
            assert set(option.excludes) | set(option.requires) <= set(program.options)


def test_the_catalogue_goes_through_json() -> None:
    text = msgspec.json.encode(OFFERED)
    assert msgspec.json.decode(text, type=type(OFFERED)) == OFFERED


def test_a_newer_blast_brings_its_own_options_but_no_files() -> None:
    newer = captured("blastn.xml").replace(
        "<dependencies>",
        '<key name="new_file" type="File_In"><description>x</description></key>'
        '<key name="new_list" type="String"><description>x</description><synopsis>filename</synopsis></key>'
        '<flag name="no_taxid_expansion"><description>Do not expand</description></flag>'
        '<key name="new_limit" type="Integer"><description>x</description>'
        "<constraint><description>1..20</description></constraint></key><dependencies>",
    )
    options = catalogue("2.17.0+", {"blastn": read_help(newer, "", "blastn")}).programs["blastn"].options
    assert options["no_taxid_expansion"].kind == "flag"
    assert (options["new_limit"].minimum, options["new_limit"].maximum) == (1, 20)
    assert not {"new_file", "new_list"} & set(options)


@pytest.mark.parametrize("text", ["", "USAGE\n  blastn", XML.format("")])
def test_what_is_no_help_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="-xmlhelp"):
        read_help(text)


def test_molecules_of_programs() -> None:
    assert {name: molecules(name) for name in TASKS} == {
        "blastn": ("nucl", "nucl"),
        "blastp": ("prot", "prot"),
        "blastx": ("nucl", "prot"),
        "tblastn": ("prot", "nucl"),
        "tblastx": ("nucl", "nucl"),
        "psiblast": ("prot", "prot"),
        "deltablast": ("prot", "prot"),
        "rpsblast": ("prot", "prot"),
        "rpstblastn": ("nucl", "prot"),
    }


# ---------------------------------------------------------------- programs, tasks, names


def test_a_search_gets_its_default_task() -> None:
    assert good().task == "megablast"
    assert good(program="tblastx").task == "tblastx"


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"program": "balstn"}, "/program", ["'balstn'", "blastn, blastp", "Did you mean 'blastn'?"]),
        ({"program": "phiblast"}, "/program", ["not offered"]),
        ({"task": "Megablast"}, "/task", ["Did you mean 'megablast'?"]),  # (40)
        ({"task": "blasts-fast", "program": "blastp"}, "/task", ["blastp, blastp-short, blastp-fast", "'blastp-fast'"]),
        ({"task": "blastp-fast"}, "/task", ["It is a task of blastp"]),
        ({"task": "rmblastn"}, "/task", ["no task of blastn"]),
        ({"databases": ()}, "/database", ["No database"]),
    ],
)
def test_wrong_names_are_refused_with_the_right_ones(fields: dict[str, Any], pointer: str, words: list[str]) -> None:
    where, sentence = fault(**fields)
    assert where == pointer
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize(
    "text", ["10", "10-", "-10", "0-10", "50-10", "a-b", "1-2-3", "1 - 5", "1-99999999999", "１-２", ""]
)
def test_query_loc_is_two_positions(text: str) -> None:
    assert fault(query_loc=text)[0] == "/query_loc"


def test_query_loc_is_kept() -> None:
    assert good(query_loc="10-250").query_loc == "10-250"


def test_query_loc_behind_a_query_is_refused_with_its_number() -> None:
    assert check_location("450-600", [600, 500]) == []
    ((pointer, sentence),) = check_location("501-600", [600, 500, 40])
    assert pointer == "/query_loc"
    assert "query 2 (500 letters) and 1 more" in sentence
    assert check_location(None, [5]) == []


# ---------------------------------------------------------------- options by name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("evalu", "Did you mean 'evalue'?"),
        ("wordsize", "Did you mean 'word_size'?"),
        ("-word_size", "say 'word_size'"),
        ("out", "read from the job"),
        ("-out", "read from the job"),
        ("outfmt", "format"),
        ("html", "format"),
        ("query", "'query'"),
        ("db", "'database'"),
        ("task", "'task'"),
        ("query_loc", "'query_loc'"),
        ("subject", "make a database"),
        ("num_threads", "the service sets it"),
        ("num_descriptions", "max_target_seqs"),  # (39)
        ("num_alignments", "max_target_seqs"),
        ("taxidlist", "taxids"),
        ("gilist", "seqidlist"),
        ("remote", "never at NCBI"),
        ("import_search_strategy", "reads a file"),
        ("export_search_strategy", "writes a file"),
        ("entrez_query", "taxids"),
        ("filtering_db", "path"),
        ("window_masker_db", "file"),
        ("use_index", "not offered"),
        ("-o'u't F", "no option"),
        ("@F", "no option"),
        ("$(id)", "no option"),
        ("word_size\n-out", "no option"),
        ("", "no option"),
    ],
)
def test_options_that_are_none_are_refused_with_the_way_out(name: str, words: str) -> None:  # (40, 45)
    pointer, sentence = fault({name: "F"})
    assert pointer.startswith("/options/")
    assert words in sentence


def test_an_option_of_another_program_is_refused() -> None:
    assert "no option of blastp" in fault({"reward": 1}, program="blastp")[1]
    assert "no option of blastn" in fault({"matrix": "BLOSUM62"})[1]


def test_pointers_are_escaped_and_short() -> None:
    assert fault({"a/b~c": 1})[0] == "/options/a~1b~0c"
    assert len(fault({"x" * 10_000: "y" * 10_000})[1]) < 300


def test_every_fault_is_found() -> None:  # I03
    _, faults = asked(
        {"evalue": 0, "word_size": 2, "out": "x", "nosuch": 1, "strand": "up", "taxids": "a b"},
        task="blastp",
        query_loc="9-3",
        databases=(),
    )
    assert [pointer for pointer, _ in faults] == [
        "/task", "/options/evalue", "/options/word_size", "/options/out", "/options/nosuch", "/options/strand",
        "/options/taxids", "/database", "/query_loc",
    ]  # fmt: skip
    _, faults = asked(program="x", databases=(), query_loc="1")
    assert [pointer for pointer, _ in faults] == ["/program", "/database", "/query_loc"]


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("text", ["3e+07", "1E+300", "1e-300", "5e-324", ".5", "1.", "+1", "0.001", "1e308"])
def test_finite_decimals_reach_blast_as_they_were_written(text: str) -> None:  # (36)
    assert good({"evalue": text}).options["evalue"] == text


@pytest.mark.parametrize(("value", "text"), [(1e-5, "1e-05"), (10, "10"), (0.001, "0.001"), (1e300, "1e+300")])
def test_json_numbers_are_taken(value: float, text: str) -> None:
    assert good({"evalue": value}).options["evalue"] == text


@pytest.mark.parametrize(
    "value",
    [
        0, -1, "0", "0.0", "-1", "1e-", "1,5", "inf", "-inf", "nan", "Infinity", "0x1p-3", "0x10", "5e-400", "1e400", "",
        "1 2", "1\n2", "1_0", "١", "$(id)", "1;ls", "7-task", float("inf"), float("nan"), True, None, [1], {"a": 1}, "9" * 99,
    ],
)  # fmt: skip
def test_evalue_is_a_finite_decimal_above_zero(value: object) -> None:  # (36)
    pointer, sentence = fault({"evalue": value})
    assert pointer == "/options/evalue"
    assert "a finite decimal number greater than 0" in sentence


@pytest.mark.parametrize("value", [1, 4, 500, "5", "+5", "05", 2**31 - 1])
def test_max_target_seqs_is_a_whole_number(value: object) -> None:  # (37)
    assert limit_of(good({"max_target_seqs": value}).options) == int(str(value))


@pytest.mark.parametrize("value", [0, -3, "1e3", "5.0", 5.0, 2**31, "", "ten", True])
def test_max_target_seqs_is_at_least_one(value: object) -> None:  # (37)
    assert "a whole number at least 1" in fault({"max_target_seqs": value})[1]


def test_500_subjects_are_kept_by_default() -> None:
    assert limit_of({}) == 500


@pytest.mark.parametrize(
    ("program", "options", "taken"),
    [
        ("tblastn", {"db_gencode": 4}, "4"),  # (41)
        ("blastp", {"matrix": "pam30"}, "PAM30"),
        ("blastn", {"dust": "no"}, "no"),
        ("blastn", {"dust": "20 64 1"}, "20 64 1"),
        ("blastp", {"seg": "12 2.2 2.5"}, "12 2.2 2.5"),
        ("blastn", {"soft_masking": False}, "false"),
        ("blastn", {"soft_masking": "T"}, "true"),
        ("blastn", {"ungapped": True}, True),
        ("blastn", {"lcase_masking": "yes"}, True),
        ("blastn", {"taxids": 562}, ("562",)),
        ("blastn", {"taxids": "562,10710"}, ("562", "10710")),
        ("blastn", {"taxids": [562, "10710", 562]}, ("562", "10710")),
        ("blastn", {"seqidlist": "lam0, lam9"}, ("lam0", "lam9")),
        ("blastn", {"seqidlist": ["sp|P1|A_B", "-x", "$(id)"]}, ("sp|P1|A_B", "-x", "$(id)")),
        ("blastn", {"searchsp": 2**63 - 1}, str(2**63 - 1)),
        ("blastn", {"db_soft_mask": 11}, "11"),
        ("blastp", {"comp_based_stats": 0}, "0"),
    ],
)
def test_good_values_are_normalised(program: str, options: dict[str, Any], taken: object) -> None:
    assert list(good(options, program=program).options.values()) == [taken]


def test_a_flag_that_is_false_is_left_out() -> None:
    assert good({"ungapped": False, "lcase_masking": "no"}).options == {}


@pytest.mark.parametrize(
    ("program", "options", "words"),
    [
        ("tblastn", {"db_gencode": 7}, "1-6, 9-16, 21-31, 33"),  # (41)
        ("blastn", {"strand": "Both"}, "both, minus, plus. Did you mean 'both'?"),
        ("blastn", {"word_size": 3}, "at least 4"),
        ("blastp", {"word_size": 8}, "at most 7"),
        ("tblastx", {"word_size": 6}, "at most 5"),
        ("blastn", {"perc_identity": 101}, "at most 100"),
        ("blastn", {"perc_identity": "0x10"}, "decimal"),
        ("blastn", {"best_hit_overhang": 0.5}, "less than 0.5"),
        ("blastn", {"penalty": 0}, "less than 0"),
        ("blastn", {"gapopen": -1}, "at least 0"),
        ("blastn", {"dbsize": -5}, "at least 0"),
        ("blastn", {"searchsp": 2**63}, "at most 9223372036854775807"),
        ("blastn", {"template_length": 17, "template_type": "coding"}, "16, 18, 21"),
        ("blastp", {"matrix": "BLOSSUM62"}, "Did you mean 'BLOSUM62'?"),
        ("blastp", {"matrix": "../x"}, "BLOSUM45"),
        ("blastp", {"comp_based_stats": "4"}, "D, d, 0"),
        ("blastn", {"dust": "20,64,1"}, "20 64 1"),
        ("blastn", {"dust": "@F"}, "20 64 1"),
        ("blastn", {"dust": "-out F"}, "20 64 1"),
        ("blastn", {"dust": "20 64 1\n"}, "20 64 1"),
        ("blastp", {"seg": ["no"]}, "12 2.2 2.5"),
        ("blastn", {"db_soft_mask": "../x"}, "masking"),
        ("blastn", {"soft_masking": "maybe"}, "true or false"),
        ("blastn", {"ungapped": "x"}, "true or false"),
        ("blastn", {"ungapped": 2}, "true or false"),
    ],
)
def test_bad_values_are_refused_with_the_allowed_ones(program: str, options: dict[str, Any], words: str) -> None:
    task = "dc-megablast" if "template_type" in options else None
    assert words in fault(options, program=program, task=task)[1]


@pytest.mark.parametrize(
    "value", ["562 10710", "abc", "", [], "-5", "0", "1.5", ["562", "x"], [True], [None], {"a": 1}, 10**11]
)
def test_taxids_are_whole_numbers(value: object) -> None:  # (42)
    assert fault({"taxids": value})[0] == "/options/taxids"


@pytest.mark.parametrize("value", ["#comment", "a b", "a\tb", "a\n-out", ["é"], "x" * 201, ["a", None]])
def test_sequence_ids_can_not_be_read_as_anything_else(value: object) -> None:
    assert fault({"seqidlist": value})[0] == "/options/seqidlist"


def test_lists_are_bounded() -> None:
    assert "100,000" in fault({"taxids": list(range(1, LIST_ITEMS + 2))})[1]


@given(
    st.dictionaries(
        st.sampled_from(sorted(OFFERED.programs["blastn"].options)), st.text() | st.integers() | st.floats()
    )
)
def test_no_value_becomes_two_words_or_a_switch(options: dict[str, Any]) -> None:  # I04
    checked, faults = asked(options)
    assert (checked is None) == bool(faults)
    for name, value in (checked.options if checked is not None else {}).items():
        texts = value if isinstance(value, tuple) else (value,) if isinstance(value, str) else ()
        for text in texts:
            assert text.isascii()
            assert text.isprintable()
            assert not text.startswith("@") or name.endswith("seqidlist")
            assert not text.startswith("-") or OFFERED.programs["blastn"].options[name].kind in (
                "integer",
                "number",
                "list",
            )


# ---------------------------------------------------------------- options together


@pytest.mark.parametrize(
    ("program", "task", "options", "words"),
    [
        ("blastn", None, {"culling_limit": 1, "best_hit_overhang": 0.1}, "can't be used together"),
        ("blastn", None, {"seqidlist": "a", "taxids": 562}, "can't be used together"),
        ("blastn", None, {"taxids": 562, "negative_taxids": 562}, "can't be used together"),
        ("blastn", None, {"db_soft_mask": "1", "db_hard_mask": "1"}, "can't be used together"),
        ("blastn", "dc-megablast", {"template_type": "coding"}, "needs template_length, too"),
        ("blastn", "dc-megablast", {"word_size": 10}, "not 11 or 12"),
        ("blastn", None, {"template_type": "coding", "template_length": 18}, "for task dc-megablast only"),
        ("blastn", None, {"no_greedy": True}, "give gapopen and gapextend"),
        ("blastp", None, {"ungapped": True}, "needs comp_based_stats 0"),
        ("tblastn", None, {"ungapped": True, "comp_based_stats": "2"}, "needs comp_based_stats 0"),
    ],
)
def test_options_that_do_not_go_together(program: str, task: str | None, options: dict[str, Any], words: str) -> None:
    assert words in fault(options, program=program, task=task)[1]


@pytest.mark.parametrize(
    ("program", "task", "options"),
    [
        ("blastn", "dc-megablast", {"template_type": "optimal", "template_length": 21, "word_size": 12}),
        ("blastp", None, {"ungapped": True, "comp_based_stats": "F"}),
        ("blastn", None, {"ungapped": True}),
        ("blastn", "blastn", {"no_greedy": True}),
        ("blastn", None, {"no_greedy": True, "gapopen": 5, "gapextend": 2}),
        ("blastn", None, {"best_hit_overhang": 0.1, "best_hit_score_edge": 0.1}),
    ],
)
def test_options_that_go_together(program: str, task: str | None, options: dict[str, Any]) -> None:
    assert set(good(options, program=program, task=task).options) == set(options)


# ---------------------------------------------------------------- databases


def base(name: str = "tnt", molecule: str = "nucl", version: int = 5, **more: Any) -> DatabaseFacts:
    facts: dict[str, Any] = {"sequences": 30, "letters": 9000, "has_taxonomy": True, "has_ids": True} | more
    return DatabaseFacts(name=name, molecule=molecule, version=version, **facts)


TAA = base("taa", "prot", has_taxonomy=False)
TNT4 = base("tnt4", version=4, has_taxonomy=False)
NOPARSE = base("noparse", has_taxonomy=False, has_ids=False)


@pytest.mark.parametrize(
    ("fields", "options", "facts", "words"),
    [
        ({"program": "blastp"}, {}, [base()], ["tnt is nucleotide", "try tblastn"]),  # (35)
        ({"program": "blastn"}, {}, [TAA], ["taa is protein", "try blastx"]),
        ({"program": "blastx"}, {}, [base()], ["tnt is nucleotide", "try blastn or tblastx"]),
        ({}, {}, [base(), TNT4], ["versions 4 and 5", "tnt (version 5)", "tnt4 (version 4)"]),  # (47)
        ({}, {}, [base(), TAA], ["taa is protein"]),
        ({}, {}, [base(), NOPARSE], ["parsed ids (tnt)", "without (noparse)"]),
        ({}, {"taxids": 562}, [TNT4], ["version 4"]),  # (42)
        ({}, {"negative_taxids": 562}, [NOPARSE], ["no taxonomy ids", "-taxid_map"]),
        ({}, {"seqidlist": "a"}, [NOPARSE], ["-parse_seqids"]),
        ({}, {"taxids": "562,9606"}, [base(taxids=frozenset({562, 10710}))], ["9606", "holds 562, 10710"]),
    ],
)
def test_databases_that_do_not_fit(
    fields: dict[str, Any], options: dict[str, Any], facts: list[DatabaseFacts], words: list[str]
) -> None:
    names = tuple(fact.name for fact in facts)
    ((_, sentence),) = check_databases(good(options, databases=names, **fields), facts)
    assert all(word in sentence for word in words), sentence


@pytest.mark.parametrize(
    ("options", "facts"),
    [
        ({}, [base(), base("osame")]),
        ({"taxids": 562}, [base()]),
        ({"taxids": 562}, [base(taxids=frozenset({562})), base("b", taxids=frozenset({1}))]),
        ({"seqidlist": "a"}, [TNT4]),
        ({}, [NOPARSE, base("x", has_ids=False)]),
        ({}, [TNT4, base("x4", version=4, has_ids=False)]),
    ],
)
def test_databases_that_fit(options: dict[str, Any], facts: list[DatabaseFacts]) -> None:
    assert check_databases(good(options, databases=tuple(fact.name for fact in facts)), facts) == []


# ---------------------------------------------------------------- advice


def test_short_queries_get_a_hint_of_the_short_task() -> None:  # (29)
    assert "blastn-short" in hints(good(), all_short=True)[0]
    assert "blastp-short" in hints(good(program="blastp"), all_short=True)[0]
    assert hints(good(), all_short=False) == []
    assert hints(good(task="blastn-short"), all_short=True) == []
    assert hints(good(program="tblastx"), all_short=True) == []


def test_smith_waterman_in_blastx_gets_a_hint() -> None:
    assert "slower" in hints(good({"use_sw_tback": True}, program="blastx"), all_short=False)[0]
    assert hints(good({"use_sw_tback": True}, program="blastp"), all_short=False) == []


def test_few_subjects_get_a_hint() -> None:  # (37)
    assert "not mean the best hits" in hints(good({"max_target_seqs": 1}), all_short=False)[0]
    assert hints(good({"max_target_seqs": 5}), all_short=False) == []


@pytest.mark.parametrize(("folder", "evalue", "dust"), [("help", "10", "20 64 1"), ("help216", "1000", "no")])
def test_V03_defaults_are_those_of_the_installed_help(folder: str, evalue: str, dust: str) -> None:
    helps = {}
    for name in ("blastn", "blastp", "blastx", "tblastn", "tblastx"):
        texts = [
            gzip.decompress((DATA / folder / f"{name}.{kind}.gz").read_bytes()).decode() for kind in ("xml", "txt")
        ]
        helps[name] = read_help(texts[0], texts[1], name)
        assert not [option.name for option in helps[name].values() if "Default =" in option.help]
    known = catalogue("2", helps)
    for program in known.programs.values():
        for task in program.tasks:
            short = task.name == "blastn-short"
            assert default_of(program, task.name, "evalue") == (evalue if short else "10"), task.name
            assert default_of(program, task.name, "max_target_seqs") == "500"
    blastn = known.programs["blastn"]
    assert (default_of(blastn, "blastn-short", "dust"), default_of(blastn, "blastn", "dust")) == (dust, "20 64 1")


@pytest.mark.parametrize("text", ["1-1", "5-5", "600-600", "2-1"])
def test_V03_a_location_of_no_letter_is_refused(text: str) -> None:
    assert location(text) is None
    assert location("5-6") == (5, 6)
