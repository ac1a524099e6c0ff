"""Formats that the stored form does not hold: BLAST+ runs the user's own search again, and writes them itself.

The run is restricted to the subjects that the stored form names, by a mask over the database that keeps the whole
database's statistics (`core/alias.py`), so it costs little. That the restricted run is the same search is not taken on
trust: its stored form is compared with the stored one first, byte for byte. Where they differ, or where a mask can't
name the subjects (several databases, a selection by ids), the whole database is searched again, and compared as well.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import structlog

from blastd.aio import duty, offload
from blastd.blastplus import command, exits, process, remarks
from blastd.blastplus.generation import Generation
from blastd.blastplus.layout import write_alias
from blastd.blastplus.pins import Placed
from blastd.blastplus.tools import Tools
from blastd.clock import Clock
from blastd.core import alias
from blastd.core.ascii_titles import Decoder, Encoder
from blastd.core.merge import join_files, joinable
from blastd.core.model import Frozen, Job, Unit, Warned
from blastd.core.plan import WHOLE_DATABASE
from blastd.core.program_table import PROFILED
from blastd.core.programs import iterates
from blastd.core.tabular import COLUMN, rich_spec, sections
from blastd.durable import digest, is_full
from blastd.errors import DiskFull, ResultDiffers, ResultGone, ToolFailed, Unsupported
from blastd.results.assemble import result_units, stored_lines, stored_path
from blastd.results.course import FormatCourse
from blastd.results.formats import only

log = structlog.get_logger()

BLOCK = 1 << 20
STDERR_BYTES = 64 << 10
BESIDE = "beside"
"""Folder of a work folder for files that BLAST+ writes beside its report."""
EACH = ("-save_pssm_after_last_round", "-save_each_pssm")
"""A matrix for each iteration of each query, the last one included."""
WORTH_A_MASK = 0.5
"""A mask that keeps more than this share of the database saves nothing."""


class Reformat(Frozen, frozen=True, kw_only=True):
    """What a finish needs: the job with its files, the pinned databases, BLAST+ and a work folder of its own."""

    job: Job
    folder: Path
    units: Sequence[Unit]
    placed: Placed
    generations: Sequence[Generation]
    tools: Tools
    clock: Clock
    work: Path
    limits: process.Limits
    course: FormatCourse | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """Return the environment of BLAST+, with the taxonomy of the search."""
        named = {"BLASTDB": self.placed.taxonomy} if self.placed.taxonomy else {}
        return {**self.tools.environment, **named}


class FormatPart(NamedTuple):
    """A part of a format: its file, of how many queries it is, and what BLAST+ said as it wrote it."""

    path: Path
    queries: int
    said: tuple[Warned, ...]


async def make_format(
    work: Reformat, outfmt: str, target: Path, query: int | None = None, more: Sequence[str] = (), writes: str = ""
) -> tuple[Warned, ...]:
    """Write the result in BLAST+'s *outfmt* to *target*, of all queries or of one (its number from 1).

    *writes* is an option of BLAST+ that names a file: what is written there is taken in place of the report.

    *more* are words for BLAST+ that shape the text. A format whose parts can't be joined is made by one run over all.
    Returns what BLAST+ said meanwhile.

    Raises ToolFailed when BLAST+ fails, ResultGone when the submitted sequences are no longer whole, ResultDiffers when
    the same search gives another result than the stored one, Unsupported when one query alone is another search than it
    was among all, or when this machine has another version of BLAST+ than the search ran with.
    """
    await _same_version(work)
    fasta = await offload(_verified, work)
    if writes:
        more = (*more, f"-{writes}", str(work.work / BESIDE / "file"), *EACH)
        await duty((work.work / BESIDE).mkdir)
    units = result_units(work.units)
    if work.course is not None:
        work.course.total_bytes = sum(unit.output_bytes or 0 for unit in units if _concerns(unit, query))
    whole = not joinable(outfmt) or (iterates(work.job.program, work.job.options) and not is_table(outfmt))
    if query is None and len(units) > 1 and (whole or writes):
        parts = [await _whole(work, fasta, units, outfmt, more)]
    else:
        parts = [await _part(work, fasta, unit, outfmt, query, more) for unit in units if _concerns(unit, query)]
    if writes:
        stored = [stored_path(work.folder, unit) for unit in units]
        await offload(_beside, work.work / BESIDE, stored, query, target)
    else:
        paths, sizes = [part.path for part in parts], [part.queries for part in parts]
        await offload(_join, paths, sizes, outfmt, target, work.job.standins)
    return tuple(dict.fromkeys(warned for part in parts for warned in part.said))


async def _same_version(work: Reformat) -> None:
    """Raise Unsupported when this machine has another version of BLAST+ than the search ran with."""
    ran = work.job.blast_version
    now = await work.tools.version_of(work.job.program)
    if ran and ran != now:
        raise Unsupported(
            f"The search ran with BLAST+ {ran} and this machine has {now}, so this format would not be of the "
            "same search. Tables, CSV and hits are stored; for others search again, or bring both to one version."
        )


async def _whole(work: Reformat, fasta: Path, units: Sequence[Unit], outfmt: str, more: Sequence[str]) -> FormatPart:
    """Write a format whose parts can't be joined by one run over all queries. Raises ResultDiffers."""
    part, stored = work.work / "whole.part", work.work / "whole.stored"
    of_units = [stored_path(work.folder, unit) for unit in units]
    await offload(_join, of_units, [unit.queries for unit in units], _rich(work), stored, {})
    _begin(work, sum(unit.output_bytes or 0 for unit in units))
    said = await _on_all(work, fasta, stored, outfmt, part, more)
    return FormatPart(part, work.job.query.count, said)


async def _part(
    work: Reformat, fasta: Path, unit: Unit, outfmt: str, query: int | None, more: Sequence[str]
) -> FormatPart:
    """Write the part of one unit, or of one query in it. Raises ResultDiffers, for one query Unsupported."""
    _begin(work, unit.output_bytes or 0)
    part = work.work / f"{unit.index}.part"
    try:
        said = await _batch(work, fasta, unit, outfmt, part, query, more)
    except ResultDiffers as error:
        if query is None:
            raise
        raise Unsupported(
            "This query has other hits alone than among all queries: ask for the whole result."
        ) from error
    return FormatPart(part, unit.queries if query is None else 1, said)


def _begin(work: Reformat, stored_bytes: int) -> None:
    if work.course is not None:
        work.course.begin(stored_bytes)


def _concerns(unit: Unit, query: int | None) -> bool:
    return query is None or unit.first_query < query <= unit.first_query + unit.queries


def is_table(outfmt: str) -> bool:
    """Tell whether *outfmt* is a table, of which iterations are parts like queries."""
    return outfmt.split(maxsplit=1)[0] in ("6", "7", "10")


def _beside(folder: Path, stored: Sequence[Path], query: int | None, target: Path) -> None:
    """Join what was written for the last iteration of each query; blocking.

    BLAST+ numbers its files from 1 through all iterations of all queries.
    """
    last: list[int] = []
    number = 0
    for path in stored:
        for section in sections(stored_lines(path)):
            number += 1
            if section.begins_query:
                last.append(number)
            else:
                last[-1] = number
    if query is not None:  # it was searched alone
        last = [last[query - 1] - (last[query - 2] if query > 1 else 0)]
    with target.open("wb") as out:
        for at in last:
            with folder.joinpath(f"file.{at}").open("rb") as part:
                shutil.copyfileobj(part, out)


async def _batch(
    work: Reformat, queries: Path, unit: Unit, outfmt: str, part: Path, query: int | None, more: Sequence[str]
) -> tuple[Warned, ...]:
    """Write one batch, from the stored subjects alone where that is the same search, else from the whole database."""
    fasta, stored = await offload(_inputs, work, queries, unit, query)
    folder = await _restricted(work, unit, stored)
    if folder is not None:
        if await _as_stored(work, fasta, folder, stored):
            _writes(work)
            return await _blast(work, fasta, folder, outfmt, part, more)
        log.info("finish_on_whole_database", job_id=work.job.job_id, unit=unit.index)
    return await _on_all(work, fasta, stored, outfmt, part, more)


async def _on_all(
    work: Reformat, fasta: Path, stored: Path, outfmt: str, part: Path, more: Sequence[str]
) -> tuple[Warned, ...]:
    """Write a format from the whole database. Raises ResultDiffers."""
    folder = Path(work.placed.run_folder)
    if not await _as_stored(work, fasta, folder, stored):
        raise ResultDiffers
    _writes(work)
    return await _blast(work, fasta, folder, outfmt, part, more)


def _writes(work: Reformat) -> None:
    if work.course is not None:
        work.course.writes(work.clock.monotonic())


async def _as_stored(work: Reformat, fasta: Path, folder: Path, stored: Path) -> bool:
    """Tell whether the search in *folder* gives the stored form, byte for byte."""
    check = work.work / "check"
    if work.course is not None:
        work.course.checks(check, work.clock.monotonic())
    await _blast(work, fasta, folder, _rich(work), check)
    return await offload(_same, check, stored)


def _rich(work: Reformat) -> str:
    """Return the -outfmt of the stored form."""
    return rich_spec(work.job.program, work.job.options)


def _verified(work: Reformat) -> Path:
    """Return the FASTA that BLAST+ read for the search; blocking. Raises ResultGone when it is not what was submitted."""
    submitted = work.folder / "query.fa"
    try:
        whole = digest(submitted)[1] == work.job.query.sha256
    except OSError as error:
        raise ResultGone(f"The submitted sequences can't be read: {error.strerror}. Search again.") from error
    if not whole:
        raise ResultGone("The submitted sequences are no longer whole, so no format can be made of them. Search again.")
    if not work.job.standins:
        return submitted
    made, encoder = work.work / "query.ascii.fa", Encoder(work.job.standins)
    with submitted.open("rb") as source, made.open("wb") as out:
        while block := source.read(BLOCK):
            out.write(encoder.feed(block))
        out.write(encoder.end())
    return made


def _inputs(work: Reformat, fasta: Path, unit: Unit, query: int | None) -> tuple[Path, Path]:
    """Return the FASTA file of the batch (or of one query) and its stored form; blocking."""
    stored = stored_path(work.folder, unit)
    if len(work.units) > 1:
        fasta = command.batch_file(fasta, work.work / f"{unit.index}.fa", unit)
    if query is None:
        return fasta, stored
    one, its = work.work / "one.fa", work.work / "one.stored"
    at, number = query - 1 - unit.first_query, -1
    with fasta.open("rb") as source, one.open("wb") as out:
        for line in source:
            number += line.startswith(b">")
            if number == at:
                out.write(line)
            elif number > at:
                break
    with its.open("w", encoding="utf-8", errors="surrogateescape", newline="\n") as out:
        out.writelines(only(work.folder, work.units, query))
    return one, its


async def _restricted(work: Reformat, unit: Unit, stored: Path) -> Path | None:
    """Make a folder with an alias that holds only the stored subjects; None when the whole database is searched."""
    options, layout = work.job.options, work.placed.layout
    if (
        layout is None
        or not layout.has_ids
        or alias.selecting(options)
        or any(name in options for name in WHOLE_DATABASE)
        or work.job.program in PROFILED
    ):
        return None
    names = await offload(_subjects, stored)
    if not names or len(names) > layout.sequences * WORTH_A_MASK:
        return None
    positions = await _positions(work, layout, names)
    if positions is None:
        return None
    folder = work.work / f"db-{unit.index}"
    await duty(write_alias, alias.restrict(layout, alias.ranges(positions)), layout, folder)
    return folder


async def _positions(work: Reformat, layout: alias.Layout, names: Sequence[str]) -> list[int] | None:
    """Return the positions of the sequences called *names*; None if they are not found one by one."""
    wanted = work.work / "subjects.txt"
    await duty(wanted.write_text, "".join(f"{name}\n" for name in names), "utf-8", "surrogateescape")
    words = ["-db", work.placed.argument, "-dbtype", layout.molecule, "-entry_batch", str(wanted)]
    try:
        folder = Path(work.placed.run_folder)
        ran = await work.tools.run("blastdbcmd", [*words, "-outfmt", "%o"], cwd=folder, seconds=300.0)
        found = [int(line) for line in ran.text().split()]
    except (ToolFailed, ValueError):
        return None
    return found if len(set(found)) >= len(names) else None


def _subjects(stored: Path) -> list[str]:
    at = COLUMN["sseqid"]
    names = {row.split("\t", at + 1)[at]: None for section in sections(stored_lines(stored)) for row in section.rows}
    return list(names)


async def _blast(
    work: Reformat, fasta: Path, folder: Path, outfmt: str, out: Path, more: Sequence[str] = ()
) -> tuple[Warned, ...]:
    """Run the user's own search in *outfmt*; returns what BLAST+ said. Raises ToolFailed."""
    job = work.job
    words = await duty(command.arguments, job, work.work)
    argv = command.argv(
        work.tools.paths[job.program],
        words,
        query=str(fasta),
        database=work.placed.argument,
        outfmt=outfmt,
        query_option=command.query_option(job.program, job.query.type),
        more=more,
        threads=1,  # threads could decide ties at the limit of subjects in another way
    )
    errors = out.with_name(out.name + ".err")
    ended = await process.run(
        argv, cwd=folder, env=work.environment, stdout=out, stderr=errors, limits=work.limits, clock=work.clock
    )
    if ended.exit_code != 0:
        trouble = exits.explain(
            exit_code=ended.exit_code,
            signal=ended.signal,
            stderr=await offload(process.excerpt, errors, 4096),
            program=job.program,
            timed_out=ended.timed_out,
            time_limit_seconds=work.limits.seconds,
            memory_limit_bytes=work.limits.memory_bytes,
        )
        if trouble.code == DiskFull.code or is_full(work.work):
            raise DiskFull
        raise ToolFailed(f"The format could not be made: {trouble.text}")
    said = remarks.hear(await offload(process.excerpt, errors, STDERR_BYTES))
    if said.trouble is not None:
        raise ToolFailed(f"The format could not be made: {said.trouble.text}")
    return tuple(warned for warned in said.warnings if warned.query is None)


def _same(first: Path, second: Path) -> bool:
    with first.open("rb") as one, second.open("rb") as other:
        while True:
            block, twin = one.read(BLOCK), other.read(BLOCK)
            if block != twin:
                return False
            if not block:
                return True


def _join(parts: Sequence[Path], sizes: Sequence[int], outfmt: str, target: Path, standins: Mapping[str, str]) -> None:
    """Join the parts and put the texts of stand-ins back; blocking."""
    joined = target.with_name(target.name + ".joined")
    files = [part.open("rb") for part in parts]
    try:
        with joined.open("wb") as out:
            join_files(files, sizes, outfmt, out)
        if not standins:
            joined.replace(target)
            return
        decoder = Decoder(standins)
        with joined.open("rb") as source, target.open("wb") as out:
            while block := source.read(BLOCK):
                out.write(decoder.feed(block))
            out.write(decoder.end())
    finally:
        for file in files:
            file.close()
        joined.unlink(missing_ok=True)


def remove_work(work: Path) -> None:
    """Remove a work folder; blocking."""
    shutil.rmtree(work, ignore_errors=True)
