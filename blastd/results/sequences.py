"""Sequences of subjects as FASTA, from the pinned databases through blastdbcmd."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from blastd.aio import offload
from blastd.blastplus import process
from blastd.blastplus.blastdb import quoted
from blastd.blastplus.generation import Generation
from blastd.errors import ToolFailed
from blastd.results.finish import LIMITS, Finish, has_ids

Subject = tuple[str, str, int]
"""sseqid, saccver, length."""


async def write(given: Finish, subjects: Sequence[Subject], target: Path) -> None:
    """Write the sequences of *subjects* to *target* as FASTA. Raises ToolFailed."""
    left = list(subjects)
    parts: list[Path] = []
    for number, generation in enumerate(given.generations):
        if not left:
            break
        entries, left = await _entries(given, generation, left, last=number == len(given.generations) - 1)
        if entries:
            part = given.work / f"{number}.fa"
            await _fetch(given, generation, entries, part)
            parts.append(part)
    await offload(_join, parts, target)


async def _entries(
    given: Finish, generation: Generation, subjects: Sequence[Subject], *, last: bool
) -> tuple[list[str], list[Subject]]:
    """Return what blastdbcmd calls the subjects that this database has, and those that it has not."""
    if has_ids(generation) and last:
        return [subject[0] for subject in subjects], []
    words = ["-db", quoted(generation.name), "-dbtype", generation.molecule, "-entry", "all", "-outfmt", "%o %l %i %t"]
    ran = await given.tools.run("blastdbcmd", words, cwd=Path(generation.folder), seconds=300.0)
    known: Mapping[tuple[str, int], list[str]] = await offload(_known, ran.text())
    entries: list[str] = []
    left: list[Subject] = []
    for subject in subjects:
        found = known.get((subject[0], subject[2])) or known.get((subject[1], subject[2]))
        if found:
            entries += found
        else:
            left.append(subject)
    return entries, left


def _known(text: str) -> dict[tuple[str, int], list[str]]:
    """Return entries by (name, length); without parsed ids the name is the first word of the title."""
    found: dict[tuple[str, int], list[str]] = {}
    for line in text.splitlines():
        position, length, name, *title = line.split(" ", 3)
        parsed = not name.startswith("gnl|BL_ORD_ID|")
        key = name if parsed else (title[0].split(" ", 1)[0] if title else "")
        found.setdefault((key, int(length)), []).append(name if parsed else f"gnl|BL_ORD_ID|{position}")
    return found


async def _fetch(given: Finish, generation: Generation, entries: Sequence[str], part: Path) -> None:
    batch = part.with_suffix(".txt")
    await offload(batch.write_text, "".join(f"{entry}\n" for entry in dict.fromkeys(entries)), "utf-8")
    errors = part.with_suffix(".err")
    words = [given.tools.paths["blastdbcmd"], "-db", quoted(generation.name), "-dbtype", generation.molecule]
    ended = await process.run(
        [*words, "-entry_batch", str(batch)],
        cwd=Path(generation.folder),
        env=given.tools.environment,
        stdout=part,
        stderr=errors,
        limits=LIMITS,
        clock=given.clock,
    )
    if ended.exit_code != 0:
        raise ToolFailed(f"blastdbcmd could not read the sequences: {process.tail(errors, 500).strip()}")


def _join(parts: Sequence[Path], target: Path) -> None:
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(1 << 20):
                    out.write(block)
