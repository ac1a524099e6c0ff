"""Sequences of subjects as FASTA, from the pinned databases through blastdbcmd.

A database with ids is asked for them. One without is read whole, and the sequences are picked by their order: blastdbcmd
takes no position (2.12: "DB contains no accession info").
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from blastd.aio import duty, offload
from blastd.blastplus import process
from blastd.blastplus.blastdb import quoted
from blastd.blastplus.generation import Generation
from blastd.blastplus.layout import has_ids
from blastd.errors import ToolFailed
from blastd.results.finish import LIMITS, Finish

Subject = tuple[str, str, int]
"""sseqid, saccver, length."""


async def write(given: Finish, subjects: Sequence[Subject], target: Path) -> None:
    """Write the sequences of *subjects* to *target* as FASTA. Raises ToolFailed."""
    left = list(subjects)
    parts: list[Path] = []
    for number, generation in enumerate(given.generations):
        if not left:
            break
        part = given.work / f"{number}.fa"
        if has_ids(generation) and number == len(given.generations) - 1:
            await _by_id(given, generation, [subject[0] for subject in left], part)
            left = []
        else:
            known = await _known(given, generation)
            mine = [one for one in left if _names(one) & known.keys()]
            left = [one for one in left if not _names(one) & known.keys()]
            await _by_order(
                given, generation, {at for one in mine for name in _names(one) for at in known.get(name, ())}, part
            )
        parts.append(part)
    await offload(_join, parts, target)


def _names(subject: Subject) -> set[tuple[str, int]]:
    return {(subject[0], subject[2]), (subject[1], subject[2])}


async def _known(given: Finish, generation: Generation) -> Mapping[tuple[str, int], list[int]]:
    """Return the places of all sequences by (name, length); without ids the name is the first word of the title."""
    listing = given.work / "listing.txt"
    await _blastdbcmd(given, generation, ["-entry", "all", "-outfmt", "%l %i %t"], listing)
    return await offload(_read_listing, listing)


def _read_listing(listing: Path) -> dict[tuple[str, int], list[int]]:
    found: dict[tuple[str, int], list[int]] = {}
    with listing.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for place, line in enumerate(file):
            length, name, *title = line.rstrip("\n").split(" ", 2)
            if name.startswith("gnl|BL_ORD_ID|"):
                name = title[0].split(" ", 1)[0] if title else ""
            found.setdefault((name, int(length)), []).append(place)
    return found


async def _by_id(given: Finish, generation: Generation, ids: Sequence[str], part: Path) -> None:
    batch = part.with_suffix(".txt")
    text = "".join(f"{one}\n" for one in dict.fromkeys(ids))
    await duty(batch.write_text, text, "utf-8", "surrogateescape")
    await _blastdbcmd(given, generation, ["-entry_batch", str(batch)], part)


async def _by_order(given: Finish, generation: Generation, places: set[int], part: Path) -> None:
    whole = part.with_suffix(".all")
    await _blastdbcmd(given, generation, ["-entry", "all", "-outfmt", "%f"], whole)
    await offload(_pick, whole, places, part)


def _pick(whole: Path, places: set[int], part: Path) -> None:
    place = -1
    with whole.open("rb") as source, part.open("wb") as out:
        for line in source:
            place += line.startswith(b">")
            if place in places:
                out.write(line)
    whole.unlink()


async def _blastdbcmd(given: Finish, generation: Generation, words: Sequence[str], out: Path) -> None:
    errors = out.with_suffix(".err")
    database = ["-db", quoted(generation.name), "-dbtype", generation.molecule]
    ended = await process.run(
        [given.tools.paths["blastdbcmd"], *database, *words],
        cwd=Path(generation.folder),
        env=given.environment,
        stdout=out,
        stderr=errors,
        limits=LIMITS,
        clock=given.clock,
    )
    if ended.exit_code != 0:
        raise ToolFailed(f"blastdbcmd could not read the sequences: {process.excerpt(errors, 500).strip()}")


def _join(parts: Sequence[Path], target: Path) -> None:
    with target.open("wb") as out:
        for part in parts:
            with part.open("rb") as source:
                while block := source.read(1 << 20):
                    out.write(block)
