"""The files that tell BLAST+ about organisms: their names (taxdb), and which lie below which (taxonomy4blast.sqlite3).

BLAST+ looks for each in its working folder and in BLASTDB, takes the first, and says on stderr only that there is none. Here
a search takes those beside its database, else those in a folder of the configuration, and keeps them as it keeps the
database: what they say decides the result. All functions block.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from pathlib import Path

from blastd.blastplus.fingerprint import fingerprint
from blastd.blastplus.regular import BoundedReader, Part, part
from blastd.core.model import Frozen
from blastd.errors import DatabaseBroken

NAMES = ("taxdb.btd", "taxdb.bti")
TREE = "taxonomy4blast.sqlite3"
FILES = (*NAMES, TREE)
OF_SEQUENCES = frozenset({".not", ".pot"})
"""The file of version 5 that holds the taxonomy id of each sequence (blastdb.h, LMDB database of volumes)."""
BLOCK = 1 << 20
MOST_BYTES = 64 << 20
"""Of ids that are looked through for one that is not 0."""


class Taxonomy(Frozen, frozen=True, kw_only=True):
    """The files, and the name of their content; none: empty."""

    parts: tuple[Part, ...] = ()
    digests: tuple[str, ...] = ()
    fingerprint: str = ""

    @property
    def names(self) -> bool:
        """Tell whether names of organisms are there."""
        return set(NAMES) <= self._files

    @property
    def tree(self) -> bool:
        """Tell whether it is there that says which organisms lie below which."""
        return TREE in self._files

    @property
    def _files(self) -> set[str]:
        return {Path(each.path).name for each in self.parts}


class Finder:
    """Finds the taxonomy of databases by their folder; what did not change is not read again."""

    def __init__(self, folders: Sequence[Path], known: Iterable[Taxonomy] = ()) -> None:
        """Look beside each database first, then in *folders*, in their order."""
        self._folders = folders
        self._known = {each.parts: each for each in known}
        self._of: dict[Path, Taxonomy] = {}

    def of(self, folder: Path) -> Taxonomy:
        """Return the taxonomy of databases in *folder*."""
        if folder not in self._of:
            self._of[folder] = self._find([folder, *self._folders])
        return self._of[folder]

    def _find(self, folders: Sequence[Path]) -> Taxonomy:
        names = _first(folders, NAMES)
        parts = (*names, *_first(folders, (TREE,)))
        if not parts:
            return Taxonomy()
        if parts not in self._known:
            try:
                name, digests = fingerprint(parts, "t")
            except DatabaseBroken:  # it changes, or can't be read: as if it were not there, until the next look
                return Taxonomy()
            self._known[parts] = Taxonomy(parts=parts, digests=digests, fingerprint=name)
        return self._known[parts]


def _first(folders: Sequence[Path], names: Sequence[str]) -> tuple[Part, ...]:
    """Return the files *names* of the first folder that has all of them."""
    for folder in folders:
        try:
            found = [part(folder / name) for name in names]
        except DatabaseBroken:
            continue
        if all(found):
            return tuple(each for each in found if each is not None)
    return ()


def without_name(folder: Path, ids: Iterable[int]) -> list[int]:
    """Return those of *ids* that taxdb in *folder* has no name for; all where there is no taxdb. Raises DatabaseBroken.

    Layout of taxdb.bti: six numbers, then an id and an offset for each taxon, by id; big-endian, of 4 bytes.
    """
    path = folder / NAMES[1]
    try:
        if part(path) is None:
            return sorted(ids)
        index = path.read_bytes()
    except OSError as error:
        raise DatabaseBroken(f"{path.name} can't be read: {error.strerror}") from error
    known = range((len(index) - 24) // 8)
    lost = []
    for taxid in sorted(ids):
        at = bisect_left(known, taxid, key=lambda entry: int.from_bytes(index[24 + 8 * entry : 28 + 8 * entry], "big"))
        if at == len(known) or int.from_bytes(index[24 + 8 * at : 28 + 8 * at], "big") != taxid:
            lost.append(taxid)
    return lost


def named(file: Part) -> bool:
    """Tell whether *file* gives a sequence a taxonomy id other than 0. Raises DatabaseBroken when it can't be read.

    Layout: the number of sequences, as many ends of lists, all of 8 bytes, then ids of 4 bytes; little-endian.
    """
    path = Path(file.path)
    if path.suffix not in OF_SEQUENCES:
        return False
    with BoundedReader(path) as reader:
        begin = 8 + 8 * int.from_bytes(reader.at(0, 8), "little")
        for offset in range(begin, min(reader.size, begin + MOST_BYTES), BLOCK):
            if reader.at(offset, BLOCK).strip(b"\0"):
                return True
        return reader.size > begin + MOST_BYTES
