"""A search becomes words for BLAST+: one word a value, no word a path of the user's."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from blastd.blastplus import command
from blastd.core.search import Arguments


def checked(
    program: str = "blastn", task: str = "megablast", query_loc: str | None = None, **options: Any
) -> Arguments:
    return Arguments(program=program, task=task, options=options, query_loc=query_loc)


@pytest.mark.parametrize(
    ("search", "words"),
    [
        (checked(), ["-task", "megablast"]),
        (checked("tblastx", "tblastx"), []),
        (checked(query_loc="1-9"), ["-task", "megablast", "-query_loc", "1-9"]),
        (checked(evalue="3e+07"), ["-task", "megablast", "-evalue", "3e+07"]),
        (checked(ungapped=True), ["-task", "megablast", "-ungapped"]),
        (checked(soft_masking="false"), ["-task", "megablast", "-soft_masking", "false"]),
        (checked(dust="20 64 1"), ["-task", "megablast", "-dust", "20 64 1"]),
        (checked(penalty="-3"), ["-task", "megablast", "-penalty", "-3"]),
        (checked(taxids=("562", "10710")), ["-task", "megablast", "-taxids", "562,10710"]),
        (checked(seqidlist=("a", "-out")), ["-task", "megablast", "-seqidlist", "seqids.txt"]),
    ],
)
def test_options_become_words_in_their_order(search: Arguments, words: list[str]) -> None:
    assert command.arguments(search) == words


def test_lists_of_ids_are_files_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "job one"
    folder.mkdir()
    words = command.arguments(checked(negative_seqidlist=("a", "-out", "$(id)")), folder)
    assert words[-2:] == ["-negative_seqidlist", str(folder / "negative_seqids.txt")]
    assert (folder / "negative_seqids.txt").read_text() == "a\n-out\n$(id)\n"
    assert [path.name for path in folder.iterdir()] == ["negative_seqids.txt"]


def test_many_taxonomy_ids_go_through_a_file(tmp_path: Path) -> None:
    ids = tuple(str(number) for number in range(1, 20_001))
    words = command.arguments(checked(taxids=ids), tmp_path)
    assert words[-2:] == ["-taxidlist", str(tmp_path / "taxids.txt")]
    assert (tmp_path / "taxids.txt").read_text().split() == list(ids)


def test_lists_that_come_back_from_the_row_give_the_same_words() -> None:
    assert command.arguments(checked(taxids=["562", "10710"])) == command.arguments(checked(taxids=("562", "10710")))


@pytest.mark.parametrize(
    ("names", "value"),
    [
        (["tnt"], "tnt"),
        (["tnt", "osame"], "tnt osame"),
        (["dir with space/mynt"], '"dir with space/mynt"'),
        (["tnt", "dir with space/mynt"], 'tnt "dir with space/mynt"'),
    ],
)
def test_database_names_with_blanks_are_quoted_inside_the_word(names: list[str], value: str) -> None:
    assert command.database_argument(names) == value


def test_the_whole_command() -> None:
    words = command.argv(
        "/opt/blastn",
        ["-evalue", "1"],
        query="/j/q.fa",
        database="tnt",
        outfmt="7 std",
        threads=2,
        more=["-dbsize", "5"],
    )
    assert words == [
        "/opt/blastn", "-query", "/j/q.fa", "-db", "tnt", "-outfmt", "7 std", "-evalue", "1", "-dbsize", "5",
        "-num_threads", "2",
    ]  # fmt: skip


def test_the_shown_command_can_be_copied_to_a_shell() -> None:
    search = checked(dust="20 64 1", seqidlist=("a",))
    text = command.shown("blastn", command.arguments(search), ["tnt", "dir with space/mynt"], "7 std qcovs")
    assert shlex.split(text) == [
        "blastn", "-query", "query.fa", "-db", 'tnt "dir with space/mynt"', "-outfmt", "7 std qcovs",
        "-task", "megablast", "-dust", "20 64 1", "-seqidlist", "seqids.txt",
    ]  # fmt: skip
