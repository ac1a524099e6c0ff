"""Where the taxonomy of this machine is read from: NCBI's taxdump in a folder, else what BLAST+ has beside databases.

All functions block.
"""

from collections.abc import Sequence
from pathlib import Path

from blastd.blastplus.fingerprint import fingerprint
from blastd.blastplus.organisms import NAMES, TREE, Taxonomy
from blastd.blastplus.regular import Part, part
from blastd.core.model import Frozen
from blastd.errors import DatabaseBroken

NEEDED = ("nodes.dmp", "names.dmp")
OPTIONAL = ("merged.dmp", "delnodes.dmp")
SUBFOLDERS = ("", "taxdump", "new_taxdump")
"""Where it is looked for in each folder: as it is unpacked."""


class TaxonomySource(Frozen, frozen=True, kw_only=True):
    """Files that a store of taxa is made from: `dump` (NCBI's taxdump) or `blast` (tree and names for BLAST+)."""

    kind: str
    parts: tuple[Part, ...]
    fingerprint: str

    @property
    def words(self) -> list[str]:
        """Return what `build.py` takes."""
        if self.kind == "dump":
            return ["dump", str(Path(self.parts[0].path).parent)]
        by_name = {Path(each.path).name: each.path for each in self.parts}
        names = [by_name[name] for name in sorted(NAMES, reverse=True)] if set(NAMES) <= by_name.keys() else []
        return ["blast", by_name[TREE], *names]

    def unchanged(self) -> bool:
        """Tell whether the files are as they were."""
        try:
            return all(part(Path(each.path)) == each for each in self.parts)
        except (DatabaseBroken, OSError):
            return False


def find_dump(folders: Sequence[Path], known: TaxonomySource | None = None) -> TaxonomySource | None:
    """Return the taxdump of the first of *folders* that has one; *known*, if it is still the same, is not read again."""
    for folder in folders:
        for subfolder in SUBFOLDERS:
            try:
                needed = [part(folder / subfolder / name) for name in NEEDED]
                optional = [part(folder / subfolder / name) for name in OPTIONAL]
            except DatabaseBroken:
                continue
            parts = tuple(each for each in (*needed, *optional) if each is not None)
            if not all(needed):
                continue
            if known is not None and known.parts == parts:
                return known
            try:
                return TaxonomySource(kind="dump", parts=parts, fingerprint=fingerprint(parts, "d")[0])
            except DatabaseBroken:  # it changes at this moment: the next look finds it
                return known
    return None


def of_blast(taxonomy: Taxonomy) -> TaxonomySource | None:
    """Return what BLAST+ has for a database as a source; None where there is no tree."""
    if not taxonomy.tree:
        return None
    return TaxonomySource(kind="blast", parts=taxonomy.parts, fingerprint=taxonomy.fingerprint)
