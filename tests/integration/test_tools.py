"""The installed BLAST+: found, asked for its options, and taking every option that is offered."""

import asyncio
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from blastd.blastplus import command, exits, facts, remarks, tools
from blastd.blastplus.tools import Ran, Tools
from blastd.core.options import Option
from blastd.core.programs import Catalogue, Program, check, default_of
from blastd.core.search import Search
from blastd.errors import ToolFailed, Unavailable
from tests.databases import CASES, DB, make
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.blast

Run = Callable[..., Awaitable[Ran]]
SEARCH_PATH = os.environ["PATH"]
QUERIES = {"nucl": "plain.fa", "prot": "prot.fa"}
BASES = {"nucl": "tnt", "prot": "taa"}
VALUES: dict[str, Any] = {
    "best_hit_overhang": "0.1", "best_hit_score_edge": "0.1", "culling_limit": "2", "dbsize": "1000000",
    "max_hsps": "1", "max_intron_length": "10", "min_raw_gapped_score": "20", "perc_identity": "50.5",
    "qcov_hsp_perc": "1e1", "searchsp": "1000000000", "xdrop_gap": "20", "xdrop_gap_final": "50", "xdrop_ungap": "7",
    "db_gencode": "4", "query_gencode": "11", "sum_stats": "true", "taxids": ["10710"], "negative_taxids": ["562"],
    "window_size": "40",
    "seqidlist": ["lam0", "lam1"], "negative_seqidlist": ["lam0"],
}  # fmt: skip
"""Values to try where an option has no default."""
COMPANY: dict[str, dict[str, Any]] = {
    "template_type": {"template_length": 18},
    "template_length": {"template_type": "coding"},
    "ungapped": {"comp_based_stats": "0"},
    "no_greedy": {"gapopen": "5", "gapextend": "2"},
}
"""What an option needs beside it."""
MASKED = frozenset({"db_soft_mask", "db_hard_mask"})
"""Need a database with a masking, which these are not."""


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bases")
    nt, aa = DB / "nt.fa", DB / "aa.fa"
    make(folder, nt, "tnt", "nucl", "-parse_seqids", "-taxid_map", str(DB / "taxmap.txt"))
    make(folder, nt, "noparse", "nucl")
    make(folder, DB / "hash_title.fa", "hash", "nucl", "-parse_seqids")
    make(folder, aa, "taa", "prot", "-parse_seqids")
    (folder / "dir with space").mkdir()
    make(folder / "dir with space", nt, "mynt", "nucl", "-parse_seqids")
    return folder


@pytest_asyncio.fixture
async def installed() -> AsyncIterator[Tools]:
    yield await tools.find(None, SEARCH_PATH, "/nonexistent")


@pytest_asyncio.fixture
async def known(installed: Tools) -> Catalogue:
    return facts.understood(installed, await facts.ask(installed))


@pytest.fixture
def run(installed: Tools, known: Catalogue, tmp_path: Path, bases: Path) -> Run:
    """Return what checks a search, makes its words and runs it."""

    async def search(
        *, query: str | None = None, outfmt: str = "7", database: tuple[str, ...] | None = None, **fields: Any
    ) -> Ran:
        program = known.programs[fields["program"]]
        names = database or (BASES[program.database],)
        checked, faults = check(Search(databases=names, **fields), known)
        assert checked is not None, faults
        words = command.argv(
            installed.paths[checked.program],
            command.arguments(checked, tmp_path),
            query=str(CASES / (query or QUERIES[program.query])),
            database=command.database_argument(names),
            outfmt=outfmt,
        )
        return await tools.run(words, cwd=bases, env=installed.environment, seconds=60.0)

    return search


async def test_the_version_is_known(installed: Tools) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\+", installed.version)


async def test_missing_programs_are_named_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"blastn, .* are not installed\. Install NCBI BLAST\+"):
        await tools.find(tmp_path, SEARCH_PATH, "/")


async def test_a_program_that_is_no_blast_is_refused(tmp_path: Path) -> None:
    for name in (*tools.PROGRAMS, *tools.HELPERS):
        (tmp_path / name).write_text("#!/bin/sh\necho hello\n")
        (tmp_path / name).chmod(0o755)
    with pytest.raises(Unavailable, match="does not say its version"):
        await tools.find(tmp_path, SEARCH_PATH, "/")
    fake = Tools(
        paths={name: str(tmp_path / name) for name in tools.PROGRAMS},
        version="9",
        environment=tools.environment(SEARCH_PATH, "/"),
    )
    with pytest.raises(Unavailable, match="does not tell its options"):
        facts.understood(fake, await facts.ask(fake))


# ---------------------------------------------------------------- options


def tried(program: Program, option: Option) -> dict[str, Any]:
    """Return a search with a value for *option*: its default, or a flag set, or one of the table."""
    task, beside = None, COMPANY.get(option.name, {})
    if option.name.startswith("template"):
        task = "dc-megablast"
    default = default_of(program, task or program.tasks[0].name, option.name)
    value = VALUES.get(option.name, default)
    if option.kind == "flag":
        value = True
    elif option.kind == "list" and program.database == "prot":
        value = ["A7TBS3"]
    together = {option.name: value, **{name: other for name, other in beside.items() if name in program.options}}
    # the Smith-Waterman traceback of blastx takes minutes for the whole queries
    part = "1-200" if option.name == "use_sw_tback" else None
    return {"program": program.name, "task": task, "options": together, "query_loc": part}


@pytest.mark.parametrize("name", ["blastn", "blastp", "blastx", "tblastn", "tblastx"])
@pytest.mark.slow
async def test_every_offered_option_is_taken(name: str, run: Run, known: Catalogue) -> None:
    program, failed = known.programs[name], {}
    for option in program.options.values():
        if option.name in MASKED or (option.name.endswith("taxids") and program.database == "prot"):
            continue
        ran = await run(**tried(program, option))
        if ran.exit_code != 0:
            failed[option.name] = ran.stderr[-300:]
    assert failed == {}


async def test_the_defaults_shown_are_those_that_blast_takes(run: Run, known: Catalogue) -> None:
    for program in (known.programs[name] for name in tools.PROGRAMS):  # the others need databases of profiles
        for task in program.tasks:
            query = "primers_20nt.fa" if task.name == "blastn-short" else None
            fields: dict[str, Any] = {"program": program.name, "task": task.name, "query": query}
            bare = await run(**fields)
            said = {name: option.default for name, option in program.options.items() if option.default is not None}
            full = await run(options={**said, **task.defaults}, **fields)
            assert bare.exit_code == full.exit_code == 0, full.stderr
            assert bare.stdout == full.stdout, task.name
            assert b" 0 hits found" not in bare.stdout or program.name == "blastx", task.name


# ---------------------------------------------------------------- what BLAST+ says


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        ({"reward": 1, "penalty": -7}, "engine_error", "Substitution scores 1 and -7 are not supported"),  # (50a)
        ({"db_soft_mask": "11"}, "bad_input", "Masking algorithm ID 11 is not supported"),
        ({"taxids": "9606", "no_taxid_expansion": True}, "database_error", "Taxonomy ID(s) not found"),  # (42)
    ],
)
async def test_what_only_blast_knows_is_explained(
    options: dict[str, Any], code: str, words: str, run: Run, known: Catalogue
) -> None:
    there = {name: value for name, value in options.items() if name in known.programs["blastn"].options}
    ran = await run(program="blastn", options=there)
    trouble = exits.explain(exit_code=ran.exit_code, signal=None, stderr=ran.stderr.decode(), program="blastn")
    assert trouble.code == code
    assert words in trouble.sentence


async def test_a_full_disk_and_a_memory_limit_are_told_apart(installed: Tools, bases: Path) -> None:
    base = [installed.paths["blastn"], "-query", str(CASES / "plain.fa"), "-db", "tnt", "-outfmt", "6"]
    shell = ["/bin/sh", "-c", 'exec "$@" >/dev/full', "sh", *base]
    full = await tools.run(shell, cwd=bases, env=installed.environment, seconds=30.0)
    assert full.exit_code == -6
    text = full.stderr.decode()
    assert exits.explain(exit_code=None, signal=6, stderr=text, program="blastn").code == "disk_full"
    limit = 10_000_000
    small = await tools.run(["prlimit", f"--data={limit}", *base], cwd=bases, env=installed.environment, seconds=30.0)
    told = exits.explain(
        exit_code=small.exit_code, signal=None, stderr=small.stderr.decode(), program="blastn", memory_limit_bytes=limit
    )
    assert told.code == "out_of_memory"


async def test_warnings_of_blast_are_read(run: Run) -> None:
    ran = await run(
        program="blastn",
        query="empty_record_between.fa",
        options={"max_target_seqs": 1},
    )
    found = remarks.hear(ran.stderr.decode(), first_query=10).warnings
    assert {(warned.query, warned.text) for warned in found} == {
        (12, "empty_one: Sequence contains no data"),
        (None, "Examining 5 or more matches is recommended"),
    }


# ---------------------------------------------------------------- databases and subjects


@pytest.mark.parametrize(
    ("database", "rows"),
    [
        (("tnt",), 2),
        (("tnt", "hash"), 4),
        (("dir with space/mynt",), 2),
        (("hash", "dir with space/mynt"), 4),
    ],
)
async def test_databases_with_blanks_and_several_are_searched(
    database: tuple[str, ...], rows: int, run: Run
) -> None:  # (46)
    ran = await run(program="blastn", database=database, outfmt="6")
    assert (ran.exit_code, len(ran.stdout.splitlines())) == (0, rows)


async def test_databases_with_and_without_ids_are_why_we_refuse_them(run: Run) -> None:
    ran = await run(program="blastn", database=("hash", "noparse"), outfmt="6")
    assert ran.exit_code == 2
    assert b"Error pre-fetching sequence data" in ran.stderr or b"DB contains no accession info" in ran.stderr


@pytest.mark.parametrize("limit", [1, 3, 7])
async def test_max_target_seqs_keeps_the_same_subjects_in_every_format(limit: int, run: Run) -> None:  # (39)
    async def subjects(outfmt: str, pattern: str) -> set[str]:
        ran = await run(
            program="blastn", task="blastn-short", query="primers_20nt.fa",
            options={"max_target_seqs": limit, "evalue": 1000}, outfmt=outfmt,
        )  # fmt: skip
        assert ran.exit_code == 0
        return set(re.findall(pattern, ran.stdout.decode(), re.MULTILINE))

    rows = await subjects("6 saccver", r"^(\S+)$")
    assert len(rows) >= limit
    assert await subjects("0", r"^>(\S+)") == rows
    assert await subjects("5", r"<Hit_accession>(.*?)</") == rows
    assert await subjects("4", rf"^((?:{'|'.join(rows)}|G\d+|lam\d))\s.*\s[\d.e-]+$") == rows


async def test_taxonomy_ids_by_word_and_by_file_are_the_same(run: Run) -> None:
    few, many = ["10710"], ["10710", *(str(number) for number in range(20_000, 22_000))]
    by_word = await run(program="blastn", options={"taxids": few})
    by_file = await run(program="blastn", options={"taxids": many})
    assert by_word.exit_code == by_file.exit_code == 0
    assert by_word.stdout == by_file.stdout


# ---------------------------------------------------------------- running


async def test_a_run_has_only_the_environment_it_is_given() -> None:
    env = tools.environment("/usr/bin:/bin", "/home/x", [Path("/tax a"), Path("/tax b")])
    ran = await tools.run(["env"], cwd=Path("/"), env=env, seconds=10.0)
    told = dict(line.split("=", 1) for line in ran.text().splitlines())
    assert told == {
        "PATH": "/usr/bin:/bin",
        "HOME": "/home/x",
        "LANG": "C.UTF-8",
        "BLAST_USAGE_REPORT": "false",
        "BLASTDB": "/tax a:/tax b",
    }


async def test_input_is_given_and_early_ends_are_fine() -> None:
    assert (
        await tools.run(["cat"], cwd=Path("/"), env={}, seconds=10.0, stdin=b"x" * 200_000)
    ).stdout == b"x" * 200_000
    assert (await tools.run(["true"], cwd=Path("/"), env={}, seconds=10.0, stdin=b"x" * 2_000_000)).exit_code == 0


async def test_a_failed_run_says_its_last_line() -> None:
    ran = await tools.run(["sh", "-c", "echo one >&2; echo two >&2; exit 3"], cwd=Path("/"), env={}, seconds=10.0)
    assert ran.exit_code == 3
    with pytest.raises(ToolFailed, match=r"^two$"):
        ran.text()


async def test_what_can_not_be_started_is_a_tool_failure() -> None:
    with pytest.raises(ToolFailed, match="could not be started"):
        await tools.run(["/nonexistent/blastn"], cwd=Path("/"), env={}, seconds=10.0)


async def test_too_much_output_stops_the_run() -> None:
    with pytest.raises(ToolFailed, match="said more than"):
        await tools.run(["cat", "/dev/zero"], cwd=Path("/"), env={}, seconds=60.0)


def _gone(pid: int) -> bool:
    """Tell whether a process that was killed is gone: SIGKILL is sent to all of a group, and only its leader is waited for."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().split()[2]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


async def test_a_time_limit_ends_the_whole_process_group(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! >{tmp_path}/pid; wait"
    seconds, begun = 0.5, False
    while not begun:  # a busy machine may not have started the second process in that time
        seconds *= 2
        with pytest.raises(ToolFailed, match=f"did not end within {seconds:g} s"):
            await tools.run(["sh", "-c", script], cwd=tmp_path, env={"PATH": SEARCH_PATH}, seconds=seconds)
        begun = (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n")
    assert _gone(int((tmp_path / "pid").read_text()))


async def test_a_cancelled_run_leaves_nothing_behind(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! >{tmp_path}/part; mv {tmp_path}/part {tmp_path}/pid; wait"
    async with asyncio.TaskGroup() as group:
        task = group.create_task(tools.run(["sh", "-c", script], cwd=tmp_path, env={"PATH": SEARCH_PATH}, seconds=60.0))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (tmp_path / "pid").exists():  # noqa: ASYNC110  # another process makes it
                await asyncio.sleep(0.01)
        task.cancel()
    assert task.cancelled()
    assert _gone(int((tmp_path / "pid").read_text()))


async def test_what_blast_told_is_remembered_until_its_programs_change(
    installed: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    told = await facts.ask(installed)

    async def counted(asking: Tools) -> facts.ProgramFacts:
        asked.append(asking.version)
        return told

    monkeypatch.setattr(facts, "ask", counted)
    first = await facts.offered(installed, tmp_path)
    assert await facts.offered(installed, tmp_path) == first
    assert len(asked) == 1
    assert (tmp_path / facts.NAME).stat().st_mode & 0o777 == 0o600
    whole = (tmp_path / facts.NAME).read_bytes()
    for damaged in (b"", whole[:-7], whole.replace(b"-xmlhelp", b"-xmlhell"), b"[]", whole.replace(b"megablast", b"x")):
        (tmp_path / facts.NAME).write_bytes(damaged)
        assert await facts.offered(installed, tmp_path) == first
    assert len(asked) == 6
    (tmp_path / "blastp").symlink_to(installed.paths["blastp"])
    others = replace(installed, paths={**installed.paths, "blastp": str(tmp_path / "blastp")})
    await facts.offered(others, tmp_path)
    (tmp_path / "blastp").unlink()
    shutil.copy(installed.paths["blastp"], tmp_path / "blastp")
    assert (await facts.offered(others, tmp_path)).programs == first.programs
    assert len(asked) == 8
    assert await facts.offered(others, tmp_path / "none") == first, "a folder that can't be written costs time only"
