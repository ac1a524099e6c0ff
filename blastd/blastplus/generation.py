"""Pinned generations: a database kept as it was when a job was accepted, by hard links that cost no space.

A generation is a flat folder in which BLAST+ runs with the database's bare name, so its output names it as a user would.
Volumes are linked; lists and aliases, which people rewrite in place, are copied. Where links can't be made, symbolic ones
stand in their place (`pinned` False): then, as for a linked file that was overwritten, only a comparison of sizes, times and
digests tells whether the generation is still what it was. All functions block.
"""

import errno
import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from blastd.blastplus.anatomy import SUFFIXES, Anatomy, Node, anatomy
from blastd.blastplus.blastdb import BlastDatabase, quoted
from blastd.blastplus.fingerprint import content
from blastd.blastplus.organisms import Taxonomy
from blastd.blastplus.regular import Part, part
from blastd.chance import Chance
from blastd.core.model import Frozen
from blastd.durable import SCARCE, flush, flush_folder, of_machine
from blastd.errors import DatabaseBroken

RECORD = "generation.json"
NO_LINKS = frozenset({errno.EXDEV, errno.EPERM, errno.EACCES, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOTSUP})
OF_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, *SCARCE})
YOUNG_SECONDS = 3600.0
"""A generation of this age is kept, whoever names it: between its pin and the row that names it lie seconds."""


class Generation(Frozen, frozen=True, kw_only=True):
    """A database as it was: BLAST+ runs in `folder` with `-db name`. `parts` are the files with sizes and times.

    `digests` are those of the parts, as a fingerprint takes them; records of earlier versions have none.
    """

    fingerprint: str
    folder: str
    name: str
    molecule: str
    pinned: bool
    parts: tuple[Part, ...]
    volumes: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()
    again_ms: int = 0
    """When it took the place of one that was overwritten: what ran before then may have read something else."""

    @property
    def size_bytes(self) -> int:
        """Return the bytes of all files."""
        return sum(part.size for part in self.parts)

    @property
    def path(self) -> Path:
        """Return the database's path without suffix."""
        return Path(self.folder, self.name)


class Changing(DatabaseBroken):
    """The database changes at this moment: rescan, then submit again."""


def pin(database: BlastDatabase, generations: Path, chance: Chance, now_ms: int = 0) -> Generation:
    """Keep all files of *database* in a folder named by its fingerprint; harmless when repeated.

    Raises DatabaseBroken (Changing when the files are no longer those of the catalogue), DiskFull or StoreBroken when the
    disk takes nothing.
    """
    if database.state != "ready":
        raise DatabaseBroken(f"Database {database.name} is {database.state}: {database.reason}.")
    known = find(generations, database.fingerprint)
    if known is not None and unchanged(known):
        return known
    changing = Changing(f"Database {database.name} changes at this moment: rescan, then submit again.")
    try:
        shape = anatomy(Path(database.path), database.molecule)
    except DatabaseBroken as error:  # it was whole a moment ago
        raise changing from error
    if shape.parts != database.parts:
        raise changing
    blank = Generation(
        fingerprint=database.fingerprint, folder="", name=Path(database.path).name, molecule=database.molecule,
        pinned=True, parts=(), volumes=tuple(volume.sequences for volume in database.volumes),
        again_ms=now_ms if known is not None else 0,
    )  # fmt: skip
    digests = dict(zip((each.path for each in database.parts), database.digests, strict=True))
    return _make(blank, generations, database.name, digests, shape, chance)


def pin_taxonomy(taxonomy: Taxonomy, generations: Path, chance: Chance, now_ms: int = 0) -> Generation:
    """Keep the files of *taxonomy* like those of a database. Raises as `pin` does."""
    known = find(generations, taxonomy.fingerprint)
    if known is not None and unchanged(known):
        return known
    blank = Generation(
        fingerprint=taxonomy.fingerprint, folder="", name="taxonomy", molecule="", pinned=True, parts=(),
        again_ms=now_ms if known is not None else 0,
    )  # fmt: skip
    digests = dict(zip((each.path for each in taxonomy.parts), taxonomy.digests, strict=True))
    node = Node(base=str(Path(taxonomy.parts[0].path).with_name("taxonomy")), files=taxonomy.parts)
    return _make(blank, generations, "taxonomy", digests, Anatomy(molecule="nucl", nodes=(node,)), chance)


def _make(
    blank: Generation, generations: Path, shown: str, digests: Mapping[str, str], shape: Anatomy, chance: Chance
) -> Generation:
    folder = generations / f".{chance.uuid().hex}"
    place = _Place(folder, digests)
    try:
        folder.mkdir(parents=True)
        place.fill(shape)
        if any(part(Path(each.path)) != each for each in shape.parts):
            raise Changing(f"Database {shown} changes at this moment: rescan, then submit again.")
        parts = tuple(_part(path) for path in place.digests)
        final = generations / blank.fingerprint
        record = replace(
            blank, folder=str(final), pinned=place.linked, digests=tuple(place.digests.values()),
            parts=tuple(replace(each, path=str(final / Path(each.path).relative_to(folder))) for each in parts),
        )  # fmt: skip
        (folder / RECORD).write_bytes(msgspec.json.encode(record))
        flush(folder / RECORD)
        known = _give_place(folder, final, chance)
        flush_folder(generations)
        return known or record
    except OSError as error:
        if error.errno in OF_MACHINE and (ours := of_machine(error)) is not None:
            raise ours from error
        if error.errno == errno.ENOENT:  # it takes the place of another at this moment
            raise Changing(f"Database {shown} changes at this moment: rescan, then submit again.") from error
        raise DatabaseBroken(f"Database {shown} can't be pinned: {error.strerror}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _give_place(folder: Path, final: Path, chance: Chance) -> Generation | None:
    """Rename *folder* to *final*; returns what is there if another one was faster. What has been overwritten goes."""
    for _ in range(3):
        try:
            folder.rename(final)
            return None
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        known = find(final.parent, final.name)
        if known is not None and unchanged(known):
            return known
        shutil.rmtree(set_aside(final, chance), ignore_errors=True)
    raise OSError(errno.EEXIST, "its folder is made again and again")


class _Place:
    """Puts the files of a database into the folder of a generation.

    Files of one folder stay together: in the generation's own folder, or below it where another file has the name already.
    """

    def __init__(self, folder: Path, digests: Mapping[str, str]) -> None:
        self.linked = True
        self.digests: dict[Path, str] = {}
        self._folder, self._known = folder, digests
        self._taken: dict[str, str] = {}

    def fill(self, shape: Anatomy) -> None:
        """Link and copy all of it. Raises OSError."""
        alias = f".{SUFFIXES[shape.molecule][3]}"
        targets = self._targets(shape)
        for node in shape.nodes:
            target = targets[str(Path(node.base).parent)]
            target.mkdir(exist_ok=True)
            for each in node.files:
                path = target / Path(each.path).name
                if path not in self.digests and not (node.lines and path.suffix == alias):
                    self._link(Path(each.path), path)
                    self.digests[path] = self._known[each.path]
            if node.lines:
                name = target / f"{Path(node.base).name}{alias}"
                self._write(name, self._text(node, shape, targets, target))

    def _targets(self, shape: Anatomy) -> dict[str, Path]:
        """Return where each source folder's files go."""
        names: dict[str, set[str]] = {}
        for node in shape.nodes:
            names.setdefault(str(Path(node.base).parent), set()).update(Path(each.path).name for each in node.files)
        taken, targets = set[str](), dict[str, Path]()
        for number, (source, files) in enumerate(names.items()):
            targets[source] = self._folder / f"part{number}" if taken & files else self._folder
            taken |= files
        return targets

    def _text(self, node: Node, shape: Anatomy, targets: Mapping[str, Path], target: Path) -> str:
        lists = iter(node.lists)
        texts = []
        for key, value in node.lines:
            if key == "DBLIST":
                continue
            if key.endswith("LIST") and value:
                _, each = next(lists)
                texts.append(f"{key} {os.path.relpath(self._copy(each), target)}")
            else:
                texts.append(f"{key} {value}")
        bases = [Path(shape.nodes[number].base) for number in node.children]
        names = [os.path.relpath(targets[str(base.parent)] / base.name, target) for base in bases]
        return "\n".join([*texts, f"DBLIST {' '.join(quoted(name) for name in names)}"]) + "\n"

    def _copy(self, source: Part) -> Path:
        """Copy a list, which people write again in place; it is called by its content, so that two never meet."""
        path = self._folder / f"list-{self._known[source.path][:24]}"
        if path not in self.digests:
            shutil.copyfile(source.path, path)
            flush(path)
            self.digests[path] = self._known[source.path]
        return path

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8", "surrogateescape")
        flush(path)
        self.digests[path] = content(path, _part(path)).hex()

    def _link(self, source: Path, target: Path) -> None:
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            target.symlink_to(source.absolute())
            self.linked = False


def find(generations: Path, fingerprint: str) -> Generation | None:
    """Return the generation of a fingerprint, None if there is none."""
    if not fingerprint or "/" in fingerprint or fingerprint.startswith("."):
        return None
    try:
        return msgspec.json.decode((generations / fingerprint / RECORD).read_bytes(), type=Generation)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def unchanged(generation: Generation) -> bool:
    """Tell whether all files are as they were: a file overwritten in place changes behind its link, too.

    One that was only touched, or written again with the same content, is as it was.
    """
    digests = generation.digests or ("",) * len(generation.parts)
    return all(_as_it_was(each, digest) for each, digest in zip(generation.parts, digests, strict=True))


def _as_it_was(known: Part, digest: str) -> bool:
    path = Path(known.path)
    try:
        now = part(path)
        if now is None or now == known:
            return now is not None
        return bool(digest) and now.size == known.size and content(path, now).hex() == digest
    except DatabaseBroken:
        return False


def together(generations: Sequence[Generation], folder: Path) -> tuple[Path, str]:
    """Return where BLAST+ runs and the value of -db for a search on all of *generations*.

    One is searched where it lies; several are linked into *folder* so that their bare names are found side by side.
    Raises DatabaseBroken where two have the same name or files of the same name.
    """
    if len(generations) == 1:
        return Path(generations[0].folder), quoted(generations[0].name)
    names = [generation.name for generation in generations]
    if len(set(names)) != len(names):
        raise DatabaseBroken(f"Two databases of the same name ({', '.join(names)}) can't be searched together.")
    for generation in generations:
        for each in generation.parts:
            link = folder / Path(each.path).relative_to(generation.folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            if not link.is_symlink():
                link.symlink_to(each.path)
            elif not link.exists() or not link.samefile(each.path):
                raise DatabaseBroken(
                    f"Databases {' and '.join(names)} hold different files called {link.name}: search them apart."
                )
    return folder, " ".join(quoted(name) for name in names)


def strangers(generations: Path, used: Collection[str], now_seconds: float) -> list[Path]:
    """Return the folders that nobody in *used* names and that are not young: perhaps somebody is about to name them."""
    found = []
    for entry in generations.iterdir():
        try:
            age = now_seconds - entry.stat().st_mtime
        except OSError:
            continue
        if entry.name not in used and age > YOUNG_SECONDS and entry.is_dir():
            found.append(entry)
    return found


def set_aside(folder: Path, chance: Chance) -> Path:
    """Take a generation away under another name, which is then removed: nobody finds half of it. Raises OSError."""
    return folder.rename(folder.with_name(f".{chance.uuid().hex}"))


def _part(path: Path) -> Part:
    found = part(path)
    if found is None:
        raise DatabaseBroken(f"{path.name} vanished while it was pinned")
    return found
