"""The catalogue of BLAST databases: what lies in the folders, what each is, and whether it can be trusted.

A database is `ready` only if the files of every volume have the sizes that its index promises; any other is `broken`
with the reason and the file, and hides none of the rest. The fingerprint names the content: SHA-256 over the names,
sizes and digests of all files; of files over 64 MB only sampled blocks and the time of change are taken, so that a
database of 100 GB costs seconds. What did not change (path, size, time, inode) is not read again.
"""

import hashlib
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from blastd.aio import offload
from blastd.blastplus.indexfile import Index, read_index
from blastd.blastplus.tools import Tools
from blastd.core.model import Frozen
from blastd.errors import DatabaseBroken, ToolFailed

DEPTH = 4
MOST = 5000
WHOLE_BYTES = 64 << 20
SAMPLE_BYTES, SAMPLES = 1 << 20, 16
VOLUME = re.compile(r"(.+)\.\d{2,3}")
SUFFIXES = {
    "nucl": ("nin", "nhr", "nsq", "nal"),
    "prot": ("pin", "phr", "psq", "pal"),
}
SHARED = ("db", "os", "ot", "tf", "to", "og", "sd", "si", "nd", "ni", "pd", "pi", "hd", "hi", "aa", "ab", "ac")
"""Further files of a database after its first letter: ids and taxonomy, old and new."""
INFO = re.compile(r"([\d,]+) sequences?; ([\d,]+) total")
LONGEST = re.compile(r"Longest sequence: ([\d,]+)")


class Part(Frozen, frozen=True, kw_only=True):
    """A file of a database, with what tells whether it has been replaced."""

    path: str
    size: int
    mtime_ns: int
    inode: int


class Volume(Frozen, frozen=True, kw_only=True):
    """A volume: its path without suffix, and its sequences."""

    path: str
    sequences: int


class Database(Frozen, frozen=True, kw_only=True):
    """A database of the catalogue. `name` is relative to its folder of the configuration, without suffix."""

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
    has_taxonomy_names: bool = False
    bytes: int = 0
    volumes: tuple[Volume, ...] = ()
    parts: tuple[Part, ...] = ()
    fingerprint: str = ""
    state: str = "ready"
    reason: str = ""
    alias: bool = False


class Scan(Frozen, frozen=True, kw_only=True):
    """All databases by name, and what could not be looked at."""

    databases: Mapping[str, Database]
    problems: tuple[str, ...] = ()


class Found(Frozen, frozen=True, kw_only=True):
    """A database that a folder seems to hold, not looked into yet."""

    name: str
    path: str
    molecule: str
    alias: bool


async def scan(folders: Sequence[Path], tools: Tools, previous: Scan | None = None) -> Scan:
    """Look through *folders* and return what is there; *previous* saves reading what did not change.

    Never raises for a database or folder: it is listed with its reason.
    """
    found, problems = await offload(walk, folders)
    before = previous.databases if previous is not None else {}
    databases = {}
    for one in found:
        known = before.get(one.name)
        parts = await offload(parts_of, one)
        if known is not None and known.path == one.path and known.parts == parts:
            databases[one.name] = known
            continue
        databases[one.name] = await _inspect(one, parts, tools)
    return Scan(databases=databases, problems=tuple(problems))


def walk(folders: Sequence[Path]) -> tuple[list[Found], list[str]]:
    """Return what the folders seem to hold, by name; the first folder wins where two have the same name. Blocking."""
    found: dict[str, Found] = {}
    problems: list[str] = []
    for root in folders:
        if not root.is_dir():
            problems.append(f"{root}: there is no such folder")
            continue

        def unreadable(error: OSError) -> None:
            problems.append(f"{error.filename}: {error.strerror}")

        for parent, subfolders, names in os.walk(root, onerror=unreadable, followlinks=True):
            here = Path(parent)
            if len(here.relative_to(root).parts) >= DEPTH:
                subfolders.clear()
            subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
            for one in _of_folder(here, root, set(names)):
                if one.name in found and found[one.name].path != one.path:
                    problems.append(f"{one.path}: a database of the same name is at {found[one.name].path}")
                    continue
                found[one.name] = one
            if len(found) >= MOST:
                problems.append(f"{root}: more than {MOST} databases; the rest is not listed")
                return list(found.values()), problems
    return sorted(found.values(), key=lambda one: one.name), problems


def _of_folder(here: Path, root: Path, names: set[str]) -> list[Found]:
    """Return the databases of one folder: every alias, and every base that has an index or, without one, sequences."""
    found = []
    for molecule, (index, header, sequence, alias) in SUFFIXES.items():
        aliases = {name[: -len(alias) - 1] for name in names if name.endswith("." + alias)}
        bases = {
            name[: -len(suffix) - 1]
            for suffix in (index, header, sequence)
            for name in names
            if name.endswith("." + suffix)
        }
        for base in sorted(aliases | bases):
            volume = VOLUME.fullmatch(base)
            if base not in aliases and volume is not None and volume[1] in aliases:
                continue
            path = here / base
            found.append(
                Found(name=str(path.relative_to(root)), path=str(path), molecule=molecule, alias=base in aliases)
            )
    return found


def parts_of(one: Found) -> tuple[Part, ...]:
    """Return all files that belong to a database: its own, its volumes', and those that its alias names. Blocking."""
    paths = {
        path
        for base in (Path(one.path), *alias_bases(Path(one.path), one.molecule))
        for path in files_of(base, one.molecule)
    }
    found = []
    for path in sorted(paths):
        try:
            stat = path.stat()
        except OSError:
            continue
        found.append(Part(path=str(path), size=stat.st_size, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino))
    return tuple(found)


def files_of(base: Path, molecule: str) -> list[Path]:
    """Return the files of one volume or alias that exist."""
    letter = molecule[0]
    suffixes = [*SUFFIXES[molecule], *(letter + tail for tail in SHARED)]
    return [path for suffix in suffixes if (path := base.with_name(f"{base.name}.{suffix}")).is_file()]


def alias_lines(base: Path, molecule: str) -> list[tuple[str, str]]:
    """Return the (key, value) lines of an alias file; a base without alias has none."""
    path = base.with_name(f"{base.name}.{molecule[0]}al")
    try:
        text = path.read_text("utf-8", "surrogateescape")
    except OSError:
        return []
    lines = [line.strip().partition(" ") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(key.upper(), value.strip()) for key, _, value in lines]


def alias_bases(base: Path, molecule: str, depth: int = 8) -> list[Path]:
    """Return every database and volume that an alias names, and those they name, and its lists of ids."""
    found: list[Path] = []
    for key, value in alias_lines(base, molecule) if depth else ():
        if key == "DBLIST":
            try:
                names = shlex.split(value)
            except ValueError:
                names = value.split()
            for name in names:
                child = base.parent / name
                found += [child, *alias_bases(child, molecule, depth - 1)]
    return found


async def _inspect(one: Found, parts: tuple[Part, ...], tools: Tools) -> Database:
    try:
        database = await offload(_read, one, parts)
        if one.alias:
            database = await _totals(database, tools)
        if database.version >= 5:
            database = await _taxonomy(database, tools)
    except (DatabaseBroken, ToolFailed) as error:
        total = sum(part.size for part in parts)
        return Database(
            name=one.name,
            path=one.path,
            molecule=one.molecule,
            parts=parts,
            bytes=total,
            state="broken",
            reason=str(error),
        )
    return database


def _read(one: Found, parts: tuple[Part, ...]) -> Database:
    """Return a database from its files; blocking. Raises DatabaseBroken naming the file."""
    base = Path(one.path)
    bases = (
        [child for child in alias_bases(base, one.molecule) if not alias_lines(child, one.molecule)]
        if one.alias
        else [base]
    )
    if not bases:
        raise DatabaseBroken(f"{base.name}: the alias names no database")
    volumes = [(volume, check_volume(volume, one.molecule)) for volume in bases]
    indexes = [index for _, index in volumes]
    title = next((value for key, value in alias_lines(base, one.molecule) if key == "TITLE"), "") or indexes[0].title
    letter = one.molecule[0]
    suffixes = {Path(part.path).suffix[2:] for part in parts}
    return Database(
        name=one.name,
        path=one.path,
        title=title,
        molecule=one.molecule,
        sequences=sum(index.sequences for index in indexes),
        letters=sum(index.letters for index in indexes),
        longest=max(index.longest for index in indexes),
        date=indexes[0].date,
        version=max(index.version for index in indexes),
        has_ids=bool({"og", "sd", "si"} & suffixes),
        has_taxonomy_names=(base.parent / "taxdb.btd").is_file(),
        bytes=sum(part.size for part in parts),
        volumes=tuple(Volume(path=str(volume), sequences=index.sequences) for volume, index in volumes),
        parts=parts,
        fingerprint=fingerprint(parts, letter),
        alias=one.alias,
    )


def check_volume(base: Path, molecule: str) -> Index:
    """Return the index of a volume whose files are whole; blocking. Raises DatabaseBroken naming the file."""
    index_suffix, header, sequence, _ = SUFFIXES[molecule]
    path = base.with_name(f"{base.name}.{index_suffix}")
    try:
        index = read_index(path.read_bytes())
    except FileNotFoundError as error:
        raise DatabaseBroken(f"{path.name} is missing") from error
    except OSError as error:
        raise DatabaseBroken(f"{path.name} can't be read: {error.strerror}") from error
    except DatabaseBroken as error:
        raise DatabaseBroken(f"{path.name}: {error}") from error
    for suffix, wanted in ((header, index.header_bytes), (sequence, index.sequence_bytes)):
        part = base.with_name(f"{base.name}.{suffix}")
        try:
            size = part.stat().st_size
        except OSError as error:
            raise DatabaseBroken(f"{part.name} is missing") from error
        if size != wanted:
            raise DatabaseBroken(
                f"{part.name} has {size:,} bytes where the index says {wanted:,}: it is cut short or of another database"
            )
    owner = VOLUME.fullmatch(base.name)
    ids = [base.with_name(f"{name}.{molecule[0]}db") for name in (base.name, owner[1] if owner else base.name)]
    if index.version >= 5 and not any(path.is_file() for path in ids):
        raise DatabaseBroken(f"{ids[-1].name} is missing")
    return index


def fingerprint(parts: Sequence[Part], letter: str) -> str:
    """Return the SHA-256 that names the content of *parts*; blocking."""
    total = hashlib.sha256(letter.encode())
    for part in sorted(parts, key=lambda part: Path(part.path).name):
        total.update(f"{Path(part.path).name}\0{part.size}\0".encode("utf-8", "surrogateescape"))
        total.update(_content(part))
    return total.hexdigest()


def _content(part: Part) -> bytes:
    sha = hashlib.sha256()
    with Path(part.path).open("rb") as file:
        if part.size <= WHOLE_BYTES:
            while block := file.read(SAMPLE_BYTES):
                sha.update(block)
            return sha.digest()
        sha.update(str(part.mtime_ns).encode())
        for number in range(SAMPLES):
            file.seek((part.size - SAMPLE_BYTES) * number // (SAMPLES - 1))
            sha.update(file.read(SAMPLE_BYTES))
    return sha.digest()


async def _totals(database: Database, tools: Tools) -> Database:
    """Take an alias's numbers from BLAST+, since its lists of ids may hide sequences."""
    base = Path(database.path)
    kind = ["-dbtype", database.molecule]
    ran = await tools.run("blastdbcmd", ["-db", quoted(base.name), *kind, "-info"], cwd=base.parent)
    text = ran.text()
    totals, longest = INFO.search(text), LONGEST.search(text)
    if totals is None:
        raise DatabaseBroken(f"{base.name}: blastdbcmd does not say its size")
    values = {name: getattr(database, name) for name in database.__struct_fields__}
    values |= {"sequences": int(totals[1].replace(",", "")), "letters": int(totals[2].replace(",", ""))}
    if longest is not None:
        values["longest"] = int(longest[1].replace(",", ""))
    return Database(**values)


async def _taxonomy(database: Database, tools: Tools) -> Database:
    ids = await taxids(Path(database.path), database.molecule, tools)
    values = {name: getattr(database, name) for name in database.__struct_fields__}
    return Database(**values | {"has_taxonomy": bool(ids - {"0"})})


async def taxids(base: Path, molecule: str, tools: Tools) -> set[str]:
    """Return the taxonomy ids that a database has sequences of; only of version 5. Raises ToolFailed."""
    arguments = ["-db", quoted(base.name), "-dbtype", molecule, "-tax_info", "-outfmt", "%T"]
    ran = await tools.run("blastdbcmd", arguments, cwd=base.parent)
    return {line.strip() for line in ran.text().splitlines() if line.strip().isdigit()}


async def sequence_ids(base: Path, molecule: str, tools: Tools) -> set[str]:
    """Return the ids of all sequences of a database that has ids, in lower case as BLAST+ compares them. Raises ToolFailed."""
    arguments = ["-db", quoted(base.name), "-dbtype", molecule, "-entry", "all", "-outfmt", "%a"]
    ran = await tools.run("blastdbcmd", arguments, cwd=base.parent, seconds=300.0)
    return set(ran.text().lower().split())


def quoted(name: str) -> str:
    """Return a database name for -db, which splits its value at blanks unless quoted within."""
    return f'"{name}"' if " " in name else name
