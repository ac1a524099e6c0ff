"""The catalogue of BLAST databases: what lies in the folders, what each is, and whether it can be trusted.

A database is known by (name, molecule). It is `ready` only if every file is readable and has the size that its index
promises; any other is `broken` with the reason and the file, and hides none
of the rest. What did not change (path, size, time, inode of every file that `anatomy` names) is not read again.
"""

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from msgspec.structs import replace

from blastd.aio import duty, offload
from blastd.blastplus import organisms
from blastd.blastplus.anatomy import COLUMNS, SUFFIXES, VOLUME, Anatomy, anatomy
from blastd.blastplus.fingerprint import fingerprint
from blastd.blastplus.folders import SeenDatabase, walk
from blastd.blastplus.indexfile import Index, read_index
from blastd.blastplus.organisms import Taxonomy
from blastd.blastplus.regular import BoundedReader, Part, part, printed
from blastd.blastplus.tools import Tools
from blastd.core.model import Frozen, Masking
from blastd.errors import DatabaseBroken, Exhausted, ToolFailed

log = structlog.get_logger()

AT_ONCE = 4
"""Databases that are looked into at the same time: most of it waits for the disk or for a child process."""
ASK_SECONDS = 30.0
"""blastdbcmd tells the numbers of an alias in 0.1 s; of one on a slow disk in some."""
TITLE_LETTERS = 1000
INFO = re.compile(r"([\d,]+) sequences?; ([\d,]+) total")
LONGEST = re.compile(r"Longest sequence: ([\d,]+)")
MASKS = "filtering algorithms applied to database sequences:"
MASKING = re.compile(r"^(\d+)\s+(\S+)(?:[ \t]+(\S.*?))?[ \t]*$", re.MULTILINE)
NEEDED_PROFILE = frozenset({"rps", "loo", "aux"})
"""Files that every database of profiles has."""


class Volume(Frozen, frozen=True, kw_only=True):
    """A volume: its path without suffix, and its sequences."""

    path: str
    sequences: int


class BlastDatabase(Frozen, frozen=True, kw_only=True):
    """A database of the catalogue. `name` is relative to its folder of the configuration, without suffix.

    `parts` are all files that decide what it is (`anatomy`), `digests` theirs, `fingerprint` names them all; `taxonomy` are the
    files that decide names and descendants of organisms in a search on it.
    """

    name: str
    path: str
    title: str = ""
    molecule: str = "nucl"
    sequences: int = 0
    letters: int = 0
    longest: int = 0
    date: str = ""
    version: int = 5
    has_ids: bool = False
    has_taxonomy: bool = False
    bytes: int = 0
    volumes: tuple[Volume, ...] = ()
    parts: tuple[Part, ...] = ()
    digests: tuple[str, ...] = ()
    fingerprint: str = ""
    taxonomy: Taxonomy = Taxonomy()
    state: str = "ready"
    reason: str = ""
    alias: bool = False
    maskings: tuple[Masking, ...] = ()
    kind: str = "sequences"
    """Or profiles, for rpsblast and rpstblastn."""
    has_counts: bool = False
    """Whether the profiles come with what deltablast needs of them."""

    @property
    def has_taxonomy_names(self) -> bool:
        """Tell whether BLAST+ can name its organisms."""
        return self.taxonomy.names


class Scan(Frozen, frozen=True, kw_only=True):
    """All databases, and what could not be looked at."""

    databases: tuple[BlastDatabase, ...] = ()
    problems: tuple[str, ...] = ()

    def named(self, name: str) -> list[BlastDatabase]:
        """Return the databases of this name: none, one, or one of each molecule."""
        return [database for database in self.databases if database.name == name]


async def scan(
    folders: Sequence[Path],
    tools: Tools,
    previous: Scan | None = None,
    told: Callable[[BlastDatabase], None] | None = None,
    taxonomy: Sequence[Path] = (),
) -> Scan:
    """Look through *folders* and return what is there; *previous* saves reading what did not change.

    *told* is called with each database as it was looked at. *taxonomy* are folders with files of taxonomy, for databases
    that have none beside them, in which *folders* are looked through after them.
    Never raises for a database or folder: it is listed with its reason.
    """
    found, problems = await offload(walk, folders)
    known = {(database.path, database.molecule): database for database in (previous or Scan()).databases}
    databases: dict[int, BlastDatabase] = {}
    waiting = list(enumerate(found))[::-1]
    beside = organisms.Finder([*taxonomy, *folders], [database.taxonomy for database in known.values()])

    async def look() -> None:
        while waiting:
            number, one = waiting.pop()
            databases[number] = await inspect(one, tools, known.get((one.path, one.molecule)), beside)
            if told is not None:
                told(databases[number])

    async with asyncio.TaskGroup() as group:
        for worker in range(min(AT_ONCE, len(found))):
            group.create_task(look(), name=f"scan-{worker}")
    return Scan(databases=tuple(databases[number] for number in sorted(databases)), problems=tuple(problems))


async def inspect(
    found: SeenDatabase, tools: Tools, known: BlastDatabase | None, beside: organisms.Finder
) -> BlastDatabase:
    """Return what a database is now; *known* is given back if none of its files changed. Never raises."""
    blank = BlastDatabase(name=found.name, path=found.path, molecule=found.molecule)
    try:
        shape = await offload(anatomy, Path(found.path), found.molecule)
        blank = replace(blank, parts=shape.parts, bytes=sum(each.size for each in shape.parts), alias=shape.alias)
        itself = known if known is not None and known.parts == shape.parts and known.state == "ready" else None
        database = await offload(_checked if itself is not None else _read, itself or blank, shape)
        if itself is None and shape.selects:
            database = await _totals(database, tools)
        if itself is None and any(Path(each.path).suffix[2:] in COLUMNS for each in shape.parts):
            database = replace(database, maskings=await _maskings(shape, tools))
        files = await duty(beside.of, Path(found.path).parent)
        return replace(database, name=found.name, taxonomy=files)
    except (DatabaseBroken, ToolFailed) as error:
        return replace(blank, state="broken", reason=printed(str(error)))
    except (
        Exhausted,
        OSError,
    ) as error:  # the machine lacks something for a moment: what was known is the best there is
        return known or replace(blank, state="broken", reason=printed(f"it can't be looked at now: {error}"))
    except Exception as error:  # whatever lies there: one database never keeps the others from being listed
        log.exception("database_not_inspected", database=found.name, molecule=found.molecule)
        return replace(blank, state="broken", reason=printed(f"it can't be read: {type(error).__name__}: {error}"))


def _checked(database: BlastDatabase, shape: Anatomy) -> BlastDatabase:
    """Return a database whose files are as they were, if they can still be read; blocking. Raises DatabaseBroken."""
    for each in shape.parts:
        if not os.access(each.path, os.R_OK):
            raise DatabaseBroken(f"{Path(each.path).name} can't be read: Permission denied")
    return database


def _read(blank: BlastDatabase, shape: Anatomy) -> BlastDatabase:
    """Return a database from its files; blocking. Raises DatabaseBroken naming the file, Unsupported."""
    suffixes = {Path(each.path).suffix[1:] for each in shape.parts}
    volumes = [(volume, check_volume(Path(volume), shape.molecule)) for volume in shape.volumes]
    indexes = [index for _, index in volumes]
    profiles = bool(suffixes & NEEDED_PROFILE)
    for volume, index in volumes if profiles else ():
        check_profiles(Path(volume), index)
    version = max(index.version for index in indexes)
    name, digests = fingerprint(shape.parts, shape.molecule[0])
    return replace(
        blank,
        title=printed(shape.line("TITLE") or "", TITLE_LETTERS) or indexes[0].title,
        sequences=sum(index.sequences for index in indexes),
        letters=sum(index.letters for index in indexes),
        longest=max(index.longest for index in indexes),
        date=indexes[0].date,
        version=version,
        has_ids=bool({"og", "os", "sd", "si"} & {suffix[1:] for suffix in suffixes}),
        has_taxonomy=version >= 5 and any(map(organisms.named, shape.parts)),
        volumes=tuple(Volume(path=volume, sequences=index.sequences) for volume, index in volumes),
        digests=digests,
        fingerprint=name,
        kind="profiles" if profiles else "sequences",
        has_counts=suffixes >= {"wcounts", "obsr"},
    )


def check_profiles(base: Path, index: Index) -> None:
    """Look whether the profiles of a volume are whole; blocking. Raises DatabaseBroken naming the file.

    Layout of .rps: a mark, the number of profiles, where each begins and the last ends, all of 4 bytes in the order of the
    machine that wrote it; then rows of 28 scores of 4 bytes.
    """
    for suffix in sorted(NEEDED_PROFILE):
        if part(base.with_name(f"{base.name}.{suffix}")) is None:
            raise DatabaseBroken(f"{printed(base.name)}.{suffix} is missing: its profiles are not whole")
    path = base.with_name(f"{base.name}.rps")
    with BoundedReader(path) as file:
        count = int.from_bytes(file.at(4, 4), "little")
        rows = int.from_bytes(file.at(8 + 4 * count, 4), "little")
        if count != index.sequences or file.size != 8 + 4 * (count + 1) + 28 * 4 * rows:
            raise DatabaseBroken(f"{printed(path.name)} is cut short, or of another database")


def check_volume(base: Path, molecule: str) -> Index:
    """Return the index of a volume whose files are whole; blocking. Raises DatabaseBroken naming the file."""
    index_suffix, header, sequence, _ = SUFFIXES[molecule]
    path = base.with_name(f"{base.name}.{index_suffix}")
    with BoundedReader(path) as file:
        try:
            index = read_index(file)
        except DatabaseBroken as error:
            raise DatabaseBroken(f"{printed(path.name)}: {error}") from error
    if index.protein != (molecule == "prot"):
        raise DatabaseBroken(f"{printed(path.name)}: the index file says that it is of the other molecule")
    for suffix, wanted in ((header, index.header_bytes), (sequence, index.sequence_bytes)):
        file_path = base.with_name(f"{base.name}.{suffix}")
        its = part(file_path)
        if its is None:
            raise DatabaseBroken(f"{printed(file_path.name)} is missing")
        if its.size != wanted:
            raise DatabaseBroken(
                f"{printed(file_path.name)} has {its.size:,} bytes where the index says {wanted:,}: it is cut short or of "
                "another database"
            )
    owner = VOLUME.fullmatch(base.name)
    ids = [base.with_name(f"{name}.{molecule[0]}db") for name in (base.name, owner[1] if owner else base.name)]
    if index.version >= 5 and not any(part(path) for path in ids):
        raise DatabaseBroken(f"{printed(ids[-1].name)} is missing")
    return index


def unchanged(database: BlastDatabase) -> bool:
    """Tell whether all files of *database* are as the catalogue knows them; blocking, never raises."""
    try:
        return all(part(Path(each.path)) == each for each in (*database.parts, *database.taxonomy.parts))
    except (DatabaseBroken, OSError):
        return False


async def _maskings(shape: Anatomy, tools: Tools) -> tuple[Masking, ...]:
    """Return the maskings of a database, asked of its first volume: aliases may name it a million times.

    A database whose maskings can't be told is searched all the same.
    """
    try:
        return maskings(await _told(Path(shape.volumes[0]), shape.molecule, tools))
    except ToolFailed as error:
        log.warning("maskings_not_told", database=shape.volumes[0], reason=str(error))
        return ()


async def _told(base: Path, molecule: str, tools: Tools) -> str:
    """Return what blastdbcmd tells of a database. Raises ToolFailed."""
    words = ["-db", quoted(base.name), "-dbtype", molecule, "-info"]
    return (await tools.run("blastdbcmd", words, cwd=base.parent, seconds=ASK_SECONDS)).text()


def maskings(text: str) -> tuple[Masking, ...]:
    """Return the maskings that `blastdbcmd -info` lists."""
    table = text.partition(MASKS)[2].partition("Volumes:")[0]
    return tuple(
        Masking(id=int(match[1]), algorithm=match[2], options=match[3] or "") for match in MASKING.finditer(table)
    )


async def _totals(database: BlastDatabase, tools: Tools) -> BlastDatabase:
    """Take an alias's numbers from BLAST+, since its lists of ids may hide sequences. Raises DatabaseBroken, ToolFailed."""
    base = Path(database.path)
    text = await _told(base, database.molecule, tools)
    totals, longest = INFO.search(text), LONGEST.search(text)
    if totals is None:
        raise DatabaseBroken(f"{printed(base.name)}: blastdbcmd does not say its size")
    return replace(
        database,
        sequences=_number(totals[1]),
        letters=_number(totals[2]),
        longest=_number(longest[1]) if longest is not None else database.longest,
    )


def _number(text: str) -> int:
    return int(text.replace(",", ""))


async def taxids(base: Path, molecule: str, tools: Tools) -> set[str]:
    """Return the taxonomy ids that a database has sequences of; only of version 5. Raises ToolFailed."""
    arguments = ["-db", quoted(base.name), "-dbtype", molecule, "-tax_info", "-outfmt", "%T"]
    ran = await tools.run("blastdbcmd", arguments, cwd=base.parent)
    return {line.strip() for line in ran.text().splitlines() if line.strip().isdigit()}


def quoted(name: str) -> str:
    """Return a database name for -db, which splits its value at blanks unless quoted within."""
    return f'"{name}"' if " " in name else name
