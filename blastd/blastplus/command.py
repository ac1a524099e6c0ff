"""A checked search as words for BLAST+: argv lists, never a shell.

Lists of ids reach BLAST+ through files of the job's folder; no word of a user is a path.

The number of subjects is -max_target_seqs for every output format: 2.12 shows as many descriptions and alignments in
formats 0 to 4 as rows in the others when it is given (300, 500, 700 of 4,740 tried). When it is not given, formats 0 to
4 describe 500 subjects and align the first 250, as bare BLAST+ does.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, Protocol

from blastd.core.model import Unit
from blastd.core.program_table import DOMAINS, STARTS, TASKS

LIST_FILES = {
    "seqidlist": "seqids.txt",
    "negative_seqidlist": "negative_seqids.txt",
    "taxids": "taxids.txt",
    "negative_taxids": "negative_taxids.txt",
}
BY_FILE = {"taxids": "taxidlist", "negative_taxids": "negative_taxidlist"}
WORD_IDS = 1_000  # taxonomy ids in one word of the command line; Linux takes 128 KiB a word
QUERY_SHOWN = "query.fa"


class CommandSearch(Protocol):
    """A checked search (core.programs.Checked) or the row of one (core.model.Job)."""

    @property
    def program(self) -> str:
        """One of the offered programs."""

    @property
    def task(self) -> str:
        """One of its tasks."""

    @property
    def options(self) -> dict[str, Any]:
        """The normalised options."""

    @property
    def query_loc(self) -> str | None:
        """START-STOP, or None."""


def arguments(asked: CommandSearch, folder: Path | None = None) -> list[str]:
    """Return the words for task, location and options, without query, database, format and threads.

    Lists of ids are written into *folder* (blocking); without a folder only their file names are given, for showing.
    """
    if folder is not None:
        for name, text in list_files(asked.options).items():
            (folder / name).write_text(text, "ascii")
    words: list[str] = []
    if asked.task and len(TASKS.get(asked.program, ())) > 1:  # with one task there is no -task
        words += ["-task", asked.task]
    if asked.query_loc:
        words += ["-query_loc", asked.query_loc]
    for name, value in asked.options.items():
        words += _option(name, value, folder)
    return words


def list_files(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the files that the options need, by name: one id a line."""
    return {
        LIST_FILES[name]: "".join(f"{item}\n" for item in value)
        for name, value in options.items()
        if name in LIST_FILES and not _fits_a_word(name, value)
    }


def _fits_a_word(name: str, ids: Sequence[str]) -> bool:
    return name in BY_FILE and len(ids) <= WORD_IDS


def _option(name: str, value: Any, folder: Path | None) -> list[str]:
    if value is True:
        return [f"-{name}"]
    if name == DOMAINS:  # it lies beside what is searched, without the folder of the catalogue
        return [f"-{name}", PurePath(value).name]
    if name not in LIST_FILES:
        return [f"-{name}", str(value)]
    if _fits_a_word(name, value):
        return [f"-{name}", ",".join(value)]
    file = LIST_FILES[name]
    return [f"-{BY_FILE.get(name, name)}", str(folder / file) if folder is not None else file]


def database_argument(names: Sequence[str]) -> str:
    """Return the value of -db: names with blanks need quotes inside the one word, several are separated by blanks."""
    return " ".join(f'"{name}"' if " " in name else name for name in names)


def argv(
    program: str,
    words: Sequence[str],
    *,
    query: str,
    database: str,
    outfmt: str,
    query_option: str = "query",
    threads: int = 1,
    more: Sequence[str] = (),
) -> list[str]:
    """Return the whole command: *words* from `arguments`, *database* from `database_argument`."""
    return [
        program, f"-{query_option}", query, "-db", database, "-outfmt", outfmt, *words, *more, "-num_threads", str(threads),
    ]  # fmt: skip


def query_option(program: str, query_type: str) -> str:
    """Return the option that takes a query of this type: query, in_pssm or in_msa."""
    return STARTS.get(program, {}).get(query_type, "query")


def shown(
    program: str, words: Sequence[str], databases: Sequence[str], outfmt: str = "6", query_option: str = "query"
) -> str:
    """Return the equivalent command for a person to copy: query.fa and the databases' own names."""
    return shlex.join(
        [program, f"-{query_option}", QUERY_SHOWN, "-db", database_argument(databases), "-outfmt", outfmt, *words]
    )


def batch_file(query: Path, path: Path, unit: Unit) -> Path:
    """Write the queries of a unit's batch into the new file *path* and return it; blocking."""
    with query.open("rb") as source, path.open("wb") as target:
        source.seek(unit.offset)
        left = unit.size
        while left > 0 and (block := source.read(min(left, 1 << 20))):
            target.write(block)
            left -= len(block)
    return path
