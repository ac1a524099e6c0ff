"""Which members of an archive of a database are taken: plain files of that database or of the taxonomy, within bounds."""

import re
from collections.abc import Collection

from blastd.core.model import Frozen

MOST_MEMBERS = 5000
"""Of one archive; a volume of nt has twelve."""
SLACK_BYTES = 512 << 20
"""Beyond what a source says that a database has, for taxdb and what has grown meanwhile."""
TAXONOMY = frozenset({"taxdb.btd", "taxdb.bti", "taxonomy4blast.sqlite3"})
TAXDUMP = frozenset({
    "nodes.dmp", "names.dmp", "merged.dmp", "delnodes.dmp", "division.dmp", "gencode.dmp", "citations.dmp", "images.dmp",
    "gc.prt", "readme.txt",
})  # fmt: skip
PACKED = re.compile(r"\.(tar\.gz|tgz|tar\.xz|tar)$")
VOLUME = re.compile(r"\.\d{2,3}$")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,199}")


def stems(database: str, archives: Collection[str]) -> frozenset[str]:
    """Return what the files of a database begin with: its name, or that of an archive without its suffix and volume."""
    return frozenset({database, *(VOLUME.sub("", PACKED.sub("", name)) for name in archives)})


class ArchiveRefused(ValueError):
    """An archive holds what no archive of a database holds."""


class ArchiveMember(Frozen, frozen=True, kw_only=True):
    """A member as its header tells it."""

    name: str
    size: int
    regular: bool


class Bounds:
    """What is left of the bounds of one archive while its members come."""

    def __init__(self, stems: Collection[str], most_bytes: int) -> None:
        """Take files that begin with one of *stems*, together at most *most_bytes*; without any, the taxonomy alone."""
        self._stems, self._left, self._names = tuple(stems), most_bytes, set[str]()

    def take(self, member: ArchiveMember) -> None:
        """Count a member in. Raises ArchiveRefused for one that is not taken."""
        name = member.name.removeprefix("./")
        if not member.regular:
            raise ArchiveRefused(f"{member.name[:100]!r} is no plain file")
        if not NAME.fullmatch(name) or not self._wanted(name):
            raise ArchiveRefused(
                f"{member.name[:100]!r} is no file of {' or '.join(sorted(self._stems)) or 'the taxonomy'}"
            )
        if name in self._names:
            raise ArchiveRefused(f"{name} is in it twice")
        if len(self._names) >= MOST_MEMBERS:
            raise ArchiveRefused(f"it has more than {MOST_MEMBERS:,} members")
        if member.size < 0 or member.size > self._left:
            raise ArchiveRefused("it unpacks to more than its source says that the database has")
        self._names.add(name)
        self._left -= member.size

    def _wanted(self, name: str) -> bool:
        if name in TAXONOMY or (not self._stems and name in TAXDUMP):
            return True
        return name.startswith(tuple(f"{stem}{mark}" for stem in self._stems for mark in ".-"))
