"""Pinned generations: a database kept as it was when a job was accepted, by hard links that cost no space.

BLAST+ then runs in the generation's folder with the database's bare name, so its output names it as a user would. All
functions block.
"""

import errno
import os
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from blastd.blastplus.blastdb import Database, Part, alias_lines, files_of, quoted
from blastd.chance import Chance
from blastd.core.model import Frozen
from blastd.durable import SCARCE, flush, flush_folder, of_machine
from blastd.errors import DatabaseBroken

RECORD = "generation.json"
LISTS = frozenset({"GILIST", "TILIST", "SEQIDLIST", "TAXIDLIST", "OIDLIST"})
NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOTSUP})
OF_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, *SCARCE})


class Generation(Frozen, frozen=True, kw_only=True):
    """A database as it was: BLAST+ runs in `folder` with `-db name`. `parts` are the files with sizes and times."""

    fingerprint: str
    folder: str
    name: str
    molecule: str
    pinned: bool
    parts: tuple[Part, ...]
    volumes: tuple[int, ...] = ()

    @property
    def size_bytes(self) -> int:
        """Return the bytes of all files."""
        return sum(part.size for part in self.parts)

    @property
    def path(self) -> Path:
        """Return the database's path without suffix."""
        return Path(self.folder, self.name)


def pin(database: Database, generations: Path, chance: Chance) -> Generation:
    """Link all files of *database* into a folder named by its fingerprint; harmless when repeated.

    Where links can't be made the original is used where it lies (`pinned` False). Raises DatabaseBroken when files
    changed while they were linked, DiskFull or StoreBroken when the disk takes no links.
    """
    if database.state != "ready":
        raise DatabaseBroken(f"Database {database.name} is broken: {database.reason}.")
    known = find(generations, database.fingerprint)
    if known is not None:
        return known
    base = Path(database.path)
    made = generations / f".{chance.uuid().hex}"
    try:
        made.mkdir(parents=True)
        _link(base, database.molecule, made, {})
    except OSError as error:
        shutil.rmtree(made, ignore_errors=True)
        if error.errno in OF_MACHINE and (ours := of_machine(error)) is not None:
            raise ours from error
        if error.errno not in NO_LINKS:
            raise DatabaseBroken(f"Database {database.name} can't be pinned: {error.strerror}.") from error
        return _generation(database, base.parent, pinned=False, parts=database.parts)
    linked = {part.inode: part for part in database.parts}
    parts = tuple(_part(path) for path in sorted(made.iterdir()))
    if any(
        part.inode in linked and (part.size, part.mtime_ns) != (linked[part.inode].size, linked[part.inode].mtime_ns)
        for part in parts
    ):
        shutil.rmtree(made, ignore_errors=True)
        raise DatabaseBroken(f"Database {database.name} changes at this moment: rescan, then submit again.")
    final = generations / database.fingerprint
    record = _generation(database, final, pinned=True, parts=tuple(_at(part, final) for part in parts))
    (made / RECORD).write_bytes(msgspec.json.encode(record))
    flush(made / RECORD)
    try:
        made.rename(final)
    except OSError:  # another one was faster
        shutil.rmtree(made, ignore_errors=True)
    flush_folder(generations)
    return find(generations, database.fingerprint) or record


def _generation(database: Database, folder: Path, *, pinned: bool, parts: tuple[Part, ...]) -> Generation:
    return Generation(
        fingerprint=database.fingerprint,
        folder=str(folder),
        name=Path(database.path).name,
        molecule=database.molecule,
        pinned=pinned,
        parts=parts,
        volumes=tuple(volume.sequences for volume in database.volumes),
    )


def _link(base: Path, molecule: str, target: Path, placed: dict[str, Path]) -> str:
    """Link one database and what its alias names into *target*; returns its name there."""
    name = base.name
    if placed.get(name, base) != base:  # two parts of an alias with the same name in different folders
        name = f"{len(placed)}-{name}"
    if name in placed:
        return name
    placed[name] = base
    lines = alias_lines(base, molecule)
    for path in files_of(base, molecule):
        suffix = path.name[len(base.name) :]
        if lines and suffix == f".{molecule[0]}al":
            continue
        os.link(path, target / f"{name}{suffix}")
    if lines:
        texts = [_alias_line(key, value, base, molecule, target, placed) for key, value in lines]
        (target / f"{name}.{molecule[0]}al").write_text("\n".join(texts) + "\n", "utf-8", "surrogateescape")
    return name


def _alias_line(key: str, value: str, base: Path, molecule: str, target: Path, placed: dict[str, Path]) -> str:
    if key == "DBLIST":
        names = [_link(base.parent / name, molecule, target, placed) for name in shlex.split(value)]
        return f"DBLIST {' '.join(quoted(name) for name in names)}"
    if key in LISTS:
        source = base.parent / value.strip('"')
        if not (target / source.name).exists():
            os.link(source, target / source.name)
        return f"{key} {source.name}"
    return f"{key} {value}"


def find(generations: Path, fingerprint: str) -> Generation | None:
    """Return the pinned generation of a fingerprint, None if there is none."""
    if not fingerprint or "/" in fingerprint or fingerprint.startswith("."):
        return None
    try:
        return msgspec.json.decode((generations / fingerprint / RECORD).read_bytes(), type=Generation)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def unchanged(generation: Generation) -> bool:
    """Tell whether all files are as they were: a file overwritten in place changes behind its hard link, too."""
    for part in generation.parts:
        try:
            now = _part(Path(part.path))
        except OSError as error:
            if error.errno in SCARCE:
                raise
            return False
        if (now.size, now.mtime_ns, now.inode) != (part.size, part.mtime_ns, part.inode):
            return False
    return True


def together(generations: Sequence[Generation], folder: Path) -> tuple[Path, str]:
    """Return where BLAST+ runs and the value of -db for a search on all of *generations*.

    One is searched where it lies; several are linked into *folder* so that their bare names are found side by side.
    Raises DatabaseBroken for two of the same name.
    """
    if len(generations) == 1:
        return Path(generations[0].folder), quoted(generations[0].name)
    names = [generation.name for generation in generations]
    if len(set(names)) != len(names):
        raise DatabaseBroken(f"Two databases of the same name ({', '.join(names)}) can't be searched together.")
    folder.mkdir(exist_ok=True)
    for generation in generations:
        for part in generation.parts:
            link = folder / Path(part.path).name
            if not link.is_symlink():
                link.symlink_to(part.path)
    return folder, " ".join(quoted(name) for name in names)


def sweep(generations: Path, used: set[str]) -> int:
    """Remove pinned generations that are not in *used*; returns how many."""
    removed = 0
    for entry in generations.iterdir():
        if entry.is_dir() and entry.name not in used:
            shutil.rmtree(entry, ignore_errors=True)
            removed += 1
    return removed


def _part(path: Path) -> Part:
    stat = path.stat()
    return Part(path=str(path), size=stat.st_size, mtime_ns=stat.st_mtime_ns, inode=stat.st_ino)


def _at(part: Part, folder: Path) -> Part:
    return Part(path=str(folder / Path(part.path).name), size=part.size, mtime_ns=part.mtime_ns, inode=part.inode)
