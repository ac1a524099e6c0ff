"""Sequences of subjects as FASTA, from the pinned databases through blastdbcmd.

A database with ids is asked for them. One without is asked through an alias that holds the wanted positions only, since
blastdbcmd takes no position ("DB contains no accession info"). Which of several databases holds a subject, and at which
position, is read from their indices of ids (`blastplus/ids.py`). Subjects come in pages: their number is that of a result.
"""

from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from blastd.aio import offload
from blastd.blastplus import process
from blastd.blastplus.blastdb import quoted
from blastd.blastplus.generation import Generation
from blastd.blastplus.ids import Ids, Lookup, opened, source_at
from blastd.blastplus.layout import has_ids, layout_of, write_alias
from blastd.blastplus.tools import failure
from blastd.core import alias
from blastd.core.model import DatabaseRef
from blastd.errors import ToolFailed
from blastd.results.reformat import Reformat

Subject = tuple[str, str, int]
"""sseqid, saccver, length."""
PAGE = 5000
"""Subjects that are looked up in one turn of a thread."""


class WantedSequences:
    """What is asked of one database: ids in a file, or positions."""

    def __init__(self, work: Path, number: int, generation: Generation, ref: DatabaseRef) -> None:
        """Begin with nothing; files are made in *work*."""
        self.generation, self.ref, self.parsed = generation, ref, has_ids(generation)
        self.batch, self.part = work / f"{number}.txt", work / f"{number}.fa"
        self.folder = work / f"only-{number}"
        self.positions = array("Q")
        self.any = False

    def add(self, subjects: Sequence[Subject], lookup: Lookup | None) -> list[Subject]:
        """Take those of *subjects* that this database holds (all without a *lookup*), and return the rest; blocking."""
        mine, rest = list(subjects), list[Subject]()
        if lookup is not None:
            mine = []
            for subject in subjects:
                found = lookup.positions(names_of(subject, parsed=self.parsed), subject[2])
                (mine if found else rest).append(subject)
                if not self.parsed:
                    self.positions.extend(found)
        if self.parsed and mine:
            with self.batch.open("a", encoding="utf-8", errors="surrogateescape", newline="\n") as file:
                file.writelines(f"{subject[0]}\n" for subject in mine)
        self.any = self.any or bool(mine)
        return rest


def names_of(subject: Subject, *, parsed: bool) -> list[tuple[str, bool]]:
    """Return the names under which an index may hold a subject."""
    names = [(subject[0], False), (subject[1], False)]
    return [*names, (subject[1], True), (subject[0], True)] if parsed else names


async def write(given: Reformat, ids: Ids, subjects: Iterator[list[Subject]], target: Path) -> None:
    """Write the sequences of *subjects*, pages of them, to *target* as FASTA. Raises ToolFailed."""
    every = zip(given.generations, given.job.databases, strict=True)
    pairs = [(made, ref) for made, ref in every if ref.role == "searched"]
    wanted = [WantedSequences(given.work, number, generation, ref) for number, (generation, ref) in enumerate(pairs)]
    indexed = wanted if len(wanted) > 1 else [one for one in wanted if not one.parsed]
    indices: dict[int, Path] = {}
    for one in indexed:
        source = source_at(one.generation, parsed=one.parsed)
        if not await ids.made(source, given.limits.seconds):
            raise ToolFailed(f"The ids of {one.ref.name} are still being read; ask again in a while.")
        indices[id(one)] = ids.path(source)
    await offload(_sort_out, wanted, indices, subjects)
    for one in wanted:
        await _write_part(given, one)
    await offload(_join, [one.part for one in wanted if one.any], target)


def _sort_out(wanted: Sequence[WantedSequences], indices: dict[int, Path], subjects: Iterator[list[Subject]]) -> None:
    """Give each subject to the first database that holds it; blocking."""
    with ExitStack() as stack:
        lookups = {key: stack.enter_context(opened(path)) for key, path in indices.items()}
        for page in subjects:
            left = page
            for one in wanted:
                left = one.add(left, lookups.get(id(one))) if left else left
            if left and not wanted[-1].parsed:
                raise ToolFailed(f"The databases no longer hold {left[0][1]}.")
            wanted[-1].add(left, None)  # which blastdbcmd finds by other names, or says that it does not


async def _write_part(given: Reformat, one: WantedSequences) -> None:
    if not one.any:
        return
    generation = one.generation
    if one.parsed:
        await _blastdbcmd(given, generation, Path(generation.folder), ["-entry_batch", str(one.batch)], one.part)
        return
    layout = layout_of([generation], [one.ref], quoted(generation.name))
    if layout is None:  # volumes in an order of their own: all is read, and these are kept
        whole = one.part.with_suffix(".all")
        await _blastdbcmd(given, generation, Path(generation.folder), ["-entry", "all", "-outfmt", "%f"], whole)
        await offload(_pick, whole, set(one.positions), one.part)
        return
    restriction = alias.restrict(layout, alias.ranges(one.positions))
    await offload(write_alias, restriction, layout, one.folder)
    await _blastdbcmd(given, generation, one.folder, ["-entry", "all", "-outfmt", "%f"], one.part)


async def _blastdbcmd(given: Reformat, generation: Generation, folder: Path, words: Sequence[str], out: Path) -> None:
    errors = out.with_suffix(".err")
    database = ["-db", quoted(generation.name), "-dbtype", generation.molecule]
    ended = await process.run(
        [given.tools.paths["blastdbcmd"], *database, *words],
        cwd=folder,
        env=given.environment,
        stdout=out,
        stderr=errors,
        limits=given.limits,
        clock=given.clock,
    )
    if ended.exit_code != 0:
        said = process.excerpt(errors, 500).strip()
        raise failure(said, f"blastdbcmd could not read the sequences: {said}", given.work)


def _pick(whole: Path, places: set[int], part: Path) -> None:
    """Keep the records at *places* of all; blocking."""
    place = -1
    with whole.open("rb") as source, part.open("wb") as out:
        for line in source:
            place += line.startswith(b">")
            if place in places:
                out.write(line)
    whole.unlink()


def _join(parts: Sequence[Path], target: Path) -> None:
    if len(parts) == 1:
        parts[0].replace(target)
        return
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(1 << 20):
                    out.write(block)
            part.unlink()
