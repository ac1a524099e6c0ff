"""What BLAST+ offers, as its programs tell it, and remembered in the state folder: a later start asks twenty processes less.

Whatever is kept was told by the same files; a program that was replaced is asked again. What it means is read anew each
time, so that another blastd on the same folder draws its own conclusions.
"""

import asyncio
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from blastd.aio import duty
from blastd.blastplus.tools import FURTHER, HELP_SECONDS, INSTALL, PROGRAMS, Identity, Tools, identity
from blastd.core.model import Frozen
from blastd.core.options import read_help
from blastd.core.program_table import TASKS, TITLES
from blastd.core.programs import Catalogue, catalogue
from blastd.errors import ToolFailed, Unavailable

log = structlog.get_logger()

NAME = "blast-facts.json"
EXPECT = re.compile(r'"expect": ([0-9.e+-]+)')
TINY = {"nucl": "ACGTTGCAACGGTATCCAGTACGATCGGATTACCGT", "prot": "MKTAYIAKQRQISFVKSHFSRQLEERLGLIEVQ"}
"""Sequences that every program takes, by molecule."""
AT_ONCE = 4
"""Questions at once: more only wait for each other, and each has its limit of time."""


class ProgramFacts(Frozen, frozen=True, kw_only=True):
    """What programs said of themselves: their help by program and flag, and the e-value of each task that was tried."""

    helps: Mapping[str, Mapping[str, str]]
    tried: Mapping[str, str]


class Remembered(Frozen, frozen=True, kw_only=True):
    """What programs told, and which they were then."""

    version: str
    paths: tuple[str, ...]
    identity: Identity
    told: ProgramFacts


async def offered(tools: Tools, folder: Path) -> Catalogue:
    """Return what BLAST+ offers, from what is remembered in *folder* if it is of the same files. Raises Unavailable."""
    paths = tuple(tools.paths[name] for name in _there(tools))
    before = await duty(identity, paths)
    known = await duty(_read, folder / NAME)
    if known is not None and (known.version, known.paths, known.identity) == (tools.version, paths, before):
        with suppress(KeyError, Unavailable):  # of an earlier blastd, which asked for less
            return understood(tools, known.told)
    told = await ask(tools)
    found = understood(tools, told)
    if await duty(identity, paths) == before:
        remembered = Remembered(version=tools.version, paths=paths, identity=before, told=told)
        await duty(_write, folder / NAME, remembered)
    return found


def _there(tools: Tools) -> list[str]:
    """Return the programs that are installed, of those that are offered."""
    return [name for name in (*PROGRAMS, *FURTHER) if name in tools.paths]


def _read(file: Path) -> Remembered | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Remembered)
    except (OSError, ValueError):  # not there, or damaged: msgspec's errors are ValueErrors
        return None


def _write(file: Path, remembered: Remembered) -> None:
    part = file.with_name(f".{file.name}.part")
    try:
        part.write_bytes(msgspec.json.encode(remembered))
        part.chmod(0o600)
        part.replace(file)
    except OSError as error:  # the next start asks again
        log.info("blast_facts_not_kept", reason=str(error))


def understood(tools: Tools, told: ProgramFacts) -> Catalogue:
    """Return what is offered from what was *told*. Raises Unavailable, and KeyError when it is not of all programs and tasks."""
    try:
        helps = {
            name: read_help(told.helps[name]["-xmlhelp"], told.helps[name]["-help"], name) for name in _there(tools)
        }
    except ValueError as error:
        raise Unavailable(f"BLAST+ {tools.version} does not tell its options: {error}. {INSTALL}") from error
    tried = {task: told.tried[task] for _, task in _uncertain()}
    return catalogue(tools.version, helps, {task: {"evalue": it} for task, it in tried.items() if it})


async def ask(tools: Tools) -> ProgramFacts:
    """Ask each program for its help and try the tasks whose defaults no help tells, a few at a time.

    2.16's blastp-short has an e-value of 20000, which neither its help nor its search strategy names. A task that can't be
    tried keeps the default that the help tells.
    """
    few = asyncio.Semaphore(AT_ONCE)
    with tempfile.TemporaryDirectory(prefix="blastd-") as folder:
        for molecule, letters in TINY.items():
            Path(folder, molecule).write_text(f">x\n{letters}\n", "ascii")
        async with asyncio.TaskGroup() as group:
            helps = {
                name: {
                    kind: group.create_task(_help(tools, few, name, kind), name=f"{name} {kind}")
                    for kind in ("-xmlhelp", "-help")
                }
                for name in _there(tools)
            }
            tried = {
                task: group.create_task(_expect(tools, few, name, task, Path(folder)), name=f"{task} is tried")
                for name, task in _uncertain()
            }
    return ProgramFacts(
        helps={name: {kind: it.result() for kind, it in its.items()} for name, its in helps.items()},
        tried={task: it.result() for task, it in tried.items()},
    )


def _uncertain() -> list[tuple[str, str]]:
    """Return program and task of those whose defaults differ from what the program's help says."""
    return [(name, task) for name, its_tasks in TASKS.items() for task in its_tasks if len(its_tasks) > 1]


async def _expect(tools: Tools, few: asyncio.Semaphore, name: str, task: str, folder: Path) -> str:
    """Return the e-value of a task as its JSON report tells it, empty if it does not."""
    _, query, subject = TITLES[name]
    words = ["-task", task, "-query", query, "-subject", subject, "-outfmt", "15"]
    async with few:
        try:
            ran = await tools.run(name, words, cwd=folder, seconds=HELP_SECONDS)
        except ToolFailed as error:  # the help's default is told instead
            log.warning("task_not_tried", task=task, reason=str(error))
            return ""
    told = EXPECT.search(ran.stdout.decode("utf-8", "replace"))
    return told[1] if told is not None else ""


async def _help(tools: Tools, few: asyncio.Semaphore, name: str, kind: str) -> str:
    async with few:
        ran = await tools.run(name, [kind], cwd=Path("/"), seconds=HELP_SECONDS)
    return ran.stdout.decode("utf-8", "replace")
