"""One unit on this machine: a search, a shard's proposals, or the finish on what the shards proposed.

Output gets its name only after exit code 0. A proposing unit's output is the JSON list of half-open ranges of positions.
"""

import re
import shutil
from collections.abc import Awaitable, Callable, Iterator, Sequence
from math import inf
from pathlib import Path

import msgspec
from msgspec.structs import replace

from blastd.aio import by_size, duty, offload
from blastd.blastplus import command, exits, process
from blastd.blastplus.layout import records, write_alias
from blastd.blastplus.tools import Build
from blastd.clock import Clock
from blastd.core import alias, proposals
from blastd.core.engine import Trouble, UnitReport, Work
from blastd.core.model import Frozen, Unit, UnitKind, UnitState
from blastd.durable import is_full, of_machine, publish_unit
from blastd.errors import DiskFull, Exhausted, StoreGone

STDERR_BYTES = 64 * 1024  # what is kept of a unit's stderr: its beginning and its end
HEADER = re.compile(r"# [A-Z]*BLAST[A-Z]* (\d+\.\d+\.\d+\+?)")
HEADER_BYTES = 256
NO_TIME = (
    0.001  # for a process of a search whose time is over: it is stopped, and says so as one that was stopped by time
)
RANGES = msgspec.json.Decoder(tuple[tuple[int, int], ...])


class Machine(Frozen, frozen=True, kw_only=True):
    """What a unit needs of this machine: paths of BLAST+ programs, their environment, niceness, clock and processes.

    `numbers` tells tries at units apart: each names its files after one of its own, so that no try meets another's.
    """

    programs: dict[str, str]
    environment: dict[str, str]
    nice: int
    clock: Clock
    processes: process.Processes
    numbers: Iterator[int]
    build_of: Callable[[str], Awaitable[Build]]
    until: float = inf
    """When the search has run as long as it may, in monotonic seconds of the clock."""


Kept = tuple[int, str, str]
"""Size, SHA-256 and version of BLAST+ of an output."""


def version_said(line: str) -> str | None:
    """Return the version that the first line of an output names, None for one that names none (a shard's proposals)."""
    match = HEADER.match(line)
    return match[1] if match is not None else None


class UnitFailed(Exception):
    """A BLAST+ process of a unit failed; carries how it ended."""

    def __init__(self, ended: process.Ended, stderr: str, program: str) -> None:
        """Take how it ended, what it said, and which program it was."""
        super().__init__(program)
        self.ended, self.stderr, self.program = ended, stderr, program


class Running(Frozen, frozen=True, kw_only=True):
    """One try at a unit with its files: `stem` names its temporary ones, which are its own, `final` the unit's output."""

    machine: Machine
    work: Work
    unit: Unit
    query: Path
    stem: Path
    limits: process.Limits

    @property
    def final(self) -> Path:
        """Return where the output belongs."""
        return self.stem.parent / f"{self.unit.index}.out"

    def file(self, kind: str) -> Path:
        """Return the temporary file of a *kind*."""
        return self.stem.with_name(f"{self.stem.name}.{kind}")


async def run(machine: Machine, work: Work, unit: Unit, report: UnitReport) -> UnitReport:
    """Run a unit and return its report with the output's name, or with what went wrong. Raises OSError."""
    one = running(machine, work, unit, report.attempt, Path(work.query_path))
    try:
        if len(work.units) > 1:
            one = replace(
                one,
                query=await by_size(unit.offset + unit.size, command.batch_file, one.query, one.file("batch"), unit),
            )
        version = (await machine.build_of(work.job.program)).version
        ended, stderr = await (_propose(one) if unit.kind is UnitKind.PROPOSE else _search(one))
    except UnitFailed as error:
        await duty(clean, one)
        return _failed(one, report, error)
    except BaseException:
        await duty(clean, one)
        raise
    return done(one, report, ended, await by_size(output_bytes(one), keep, one, version), stderr)


def output_bytes(one: Running) -> int:
    """Return the size of what BLAST+ wrote. Raises OSError."""
    return one.file("part").stat().st_size


def running(machine: Machine, work: Work, unit: Unit, attempt: int, query: Path) -> Running:
    """Return a new try at the unit with the names of its files."""
    limits = process.Limits(seconds=work.time_limit_seconds, memory_bytes=work.memory_limit_bytes, nice=machine.nice)
    stem = Path(work.folder) / "units" / f"{unit.index}.{attempt}-{next(machine.numbers)}"
    return Running(machine=machine, work=work, unit=unit, query=query, stem=stem, limits=limits)


def done(one: Running, report: UnitReport, ended: process.Ended, kept: Kept, stderr: str) -> UnitReport:
    """Return the report of a unit whose output was *kept*."""
    return replace(
        report,
        state=UnitState.DONE,
        started_at=ended.started_at,
        ended_at=ended.ended_at,
        exit_code=0,
        stderr=stderr,
        path=f"units/{one.final.name}",
        size_bytes=kept[0],
        sha256=kept[1],
        blast_version=kept[2],
    )


MOVED = Trouble(
    code=StoreGone.code,
    sentence="The files of the search were moved or removed while it ran.",
    remedy="Retry when they are back.",
    retryable=True,
)


def _failed(one: Running, report: UnitReport, error: UnitFailed) -> UnitReport:
    ended = error.ended
    trouble = exits.explain(
        exit_code=ended.exit_code,
        signal=ended.signal,
        stderr=error.stderr,
        program=error.program,
        timed_out=ended.timed_out,
        time_limit_seconds=one.limits.seconds,
        memory_limit_bytes=one.limits.memory_bytes,
    )
    if not one.stem.parent.is_dir():
        trouble = MOVED
    # on a full disk BLAST+ aborts, and even its last words find no room
    elif trouble.code == "crashed" and is_full(one.stem.parent):
        trouble = exits.no_room(error.program, "the disk is full")
    return replace(
        report,
        state=UnitState.FAILED,
        started_at=ended.started_at,
        ended_at=ended.ended_at,
        exit_code=ended.exit_code if ended.exit_code is not None else 128 + (ended.signal or 0),
        stderr=error.stderr,
        trouble=trouble,
    )


async def _search(one: Running) -> tuple[process.Ended, str]:
    """Run the user's own search, a finish on the proposals only; its output is the stored form."""
    work, folder = one.work, Path(one.work.run_folder)
    if one.unit.kind is UnitKind.FINISH:
        parts = await offload(_proposed, one)
        folder = one.file("db")
        await _restrict(work, proposals.union(parts), folder)
    return await _run(one, search_words(one, str(one.query)), folder, one.file("part"))


def search_words(one: Running, query: str) -> list[str]:
    """Return the command of the user's own search with the stored form of its output; *query* is the file, "-" for stdin."""
    return command.argv(
        one.machine.programs[one.work.job.program],
        one.work.arguments,
        query=query,
        database=one.work.database_argument,
        outfmt=one.work.rich_format,
        query_option=command.query_option(one.work.job.program, one.work.job.query.type),
        threads=one.unit.threads,
    )


def environment(one: Running) -> dict[str, str]:
    """Return the environment of BLAST+ in a try."""
    return one.machine.environment | ({"BLASTDB": one.work.taxonomy} if one.work.taxonomy else {})


def _proposed(one: Running) -> list[alias.Ranges]:
    folder = one.stem.parent
    return [RANGES.decode((folder / f"{index}.out").read_bytes()) for index in one.unit.after]


async def _restrict(work: Work, kept: alias.Ranges, folder: Path) -> None:
    if work.layout is None:
        raise OSError(f"database {work.database_argument} can no longer be restricted to a shard")
    await duty(write_alias, alias.restrict(work.layout, kept), work.layout, folder)


async def _propose(one: Running) -> tuple[process.Ended, str]:
    """Search one shard widely and write the positions of all subjects found."""
    work, unit, layout = one.work, one.unit, one.work.layout
    kept = alias.shard(work.cuts, unit.shard or 0)
    folder = one.file("db")
    await _restrict(work, kept, folder)
    assert layout is not None  # noqa: S101  # _restrict has refused
    job = work.job
    search = proposals.proposing(job.program, job.task, job.options, job.query_loc)
    ended, stderr = await _ask(one, search, one.query, folder)
    found = await offload(_answers, one, layout)
    limit = proposals.limit_of(search.options)
    again = proposals.cut(found, limit, alias.size(kept)) if alias.asks_again(job.program, job.options) else []
    if again:
        more = proposals.proposing(job.program, job.task, job.options, job.query_loc, alias.size(kept))
        few = one.file("fa")
        text = await offload(records, one.query, again)
        await duty(few.write_text, text, "utf-8", "surrogateescape")
        await _ask(one, more, few, folder)
        found += await offload(_answers, one, layout)
    names = sorted(set().union(*found))
    positions = await _positions(one, layout, names)
    chosen = alias.ranges(positions) if positions is not None else kept
    await offload(one.file("part").write_bytes, msgspec.json.encode(chosen))
    return replace(ended, ended_at=one.machine.clock.now()), stderr


async def _ask(one: Running, search: proposals.Proposing, query: Path, folder: Path) -> tuple[process.Ended, str]:
    layout = one.work.layout
    assert layout is not None  # noqa: S101  # as above
    words = command.argv(
        one.machine.programs[search.program],
        command.arguments(search),
        query=str(query),
        database=one.work.database_argument,
        outfmt=proposals.outfmt(layout),
        threads=one.unit.threads,
    )
    return await _run(one, words, folder, one.file("found"))


def _answers(one: Running, layout: alias.Layout) -> list[set[str]]:
    return proposals.answers(one.file("found").read_text("utf-8", "surrogateescape"), layout)


async def _positions(one: Running, layout: alias.Layout, names: Sequence[str]) -> list[int] | None:
    """Return the positions of subjects; None when blastdbcmd does not find them all."""
    if not names or not layout.has_ids:
        return [int(name) for name in names]
    wanted, out = one.file("ids"), one.file("oids")
    await duty(wanted.write_text, "".join(f"{name}\n" for name in names), "utf-8", "surrogateescape")
    words = [
        one.machine.programs["blastdbcmd"], "-db", one.work.database_argument, "-dbtype", layout.molecule,
        "-entry_batch", str(wanted), "-outfmt", "%o",
    ]  # fmt: skip
    try:
        await _run(one, words, Path(one.work.run_folder), out)
        found = [int(line) for line in (await offload(out.read_text, "ascii")).split()]
    except (UnitFailed, ValueError):
        return None
    return found if len(set(found)) >= len(names) else None


async def _run(one: Running, words: Sequence[str], folder: Path, out: Path) -> tuple[process.Ended, str]:
    errors, left = one.file("err"), max(one.machine.until - one.machine.clock.monotonic(), NO_TIME)
    ended = await process.run(
        words,
        cwd=folder,
        env=environment(one),
        stdout=out,
        stderr=errors,
        limits=replace(one.limits, seconds=min(one.limits.seconds, left)),
        clock=one.machine.clock,
        processes=one.machine.processes,
    )
    stderr = process.excerpt(errors, STDERR_BYTES)
    if ended.exit_code != 0:
        raise UnitFailed(ended, stderr, Path(words[0]).name)
    return ended, stderr


def keep(one: Running, version: str) -> Kept:
    """Give the output its name and remove what else the try made; blocking. *version* is for one that does not say it."""
    try:
        with one.file("part").open("rb") as part:
            said = version_said(part.readline(HEADER_BYTES).decode("utf-8", "replace"))
        return *publish_unit(one.file("part"), one.final), said or version
    finally:
        clean(one)


def clean(one: Running) -> None:
    """Remove the temporary files of this try, and no other's; blocking."""
    for path in one.stem.parent.glob(f"{one.stem.name}.*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def failed(report: UnitReport, trouble: Trouble) -> UnitReport:
    """Return the report of a unit that could not be run."""
    return UnitReport(index=report.index, state=UnitState.FAILED, attempt=report.attempt, trouble=trouble)


def trouble_of(program: str, folder: str, error: OSError) -> Trouble:
    """Return what to say when files in a job's *folder* or processes of a unit can't be made."""
    if (ours := of_machine(error)) is not None:
        if isinstance(ours, DiskFull):
            return exits.no_room(program, error.strerror or "")
        if isinstance(ours, Exhausted):
            return waiting(ours)
        remedy = "Retry when the operator has mended it."
        return Trouble(code=ours.code, sentence=str(ours), remedy=remedy, retryable=True)
    if isinstance(error, FileNotFoundError) and Path(str(error.filename)).is_relative_to(folder):
        return MOVED
    return Trouble(
        code="engine_error",
        sentence=f"{program} could not be started or its files not written: {error}.",
        remedy="Check free disk space and 'blastd doctor', then retry.",
    )


def waiting(error: Exhausted) -> Trouble:
    """Return what a search waits for that the machine has no room for."""
    remedy = "The search waits and goes on by itself; end other work on this machine, or raise its limits."
    return Trouble(code=error.code, sentence=str(error), remedy=remedy, retryable=True)


def broken(error: BaseException) -> Trouble:
    """Return what to say of a unit at which the service itself failed."""
    return Trouble(
        code="engine_error",
        sentence=f"The service failed at this search ({type(error).__name__}: {error}).",
        remedy="Retry it; the log of the service has the cause.",
    )
