"""Reads the store of taxa: what a taxon is, what lies above it, and what is called so. All functions block.

Each question opens the file and closes it, which takes a third of a millisecond, so that no cache of SQLite stays in memory.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from blastd.core.model import Frozen
from blastd.core.taxa import Lineage, Taxon
from blastd.errors import ToolFailed
from blastd.taxonomy.build import LAYOUT, ROOT, SCIENTIFIC, folded

DEEPEST = 200
"""NCBI's longest way up has some forty taxa; this ends one in a circle."""
AT_ONCE = 500
MOST_CALLED = 20
"""Taxa of one name that are looked at."""
TAXON = """SELECT t.taxid, t.parent, t.name, t.common, r.name AS rank FROM taxon AS t JOIN rank AS r USING (rank)
           WHERE t.taxid = ?"""
MERGED = "SELECT becomes FROM merged WHERE taxid = ?"
DELETED = "SELECT 1 FROM deleted WHERE taxid = ?"
CALLED = "SELECT kind, taxid FROM name WHERE key = ? ORDER BY kind, taxid LIMIT ?"


class AboutTaxonomy(Frozen, frozen=True, kw_only=True):
    """What a store was made from (`dump`, or `blast`: files that BLAST+ reads), and how much is in it."""

    kind: str
    taxa: int
    names: int


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file of ours to read it. Raises ToolFailed for one that is damaged."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA cache_size = -1000")
            yield db
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise ToolFailed(f"{path.name} in the state folder can't be read: {error}.") from error


def about(path: Path) -> AboutTaxonomy | None:
    """Return what a store is; None for one of another layout."""
    with opened(path) as db:
        said = {row["key"]: row["value"] for row in db.execute("SELECT key, value FROM about")}
    if said.get("layout") != str(LAYOUT):
        return None
    return AboutTaxonomy(kind=said["kind"], taxa=int(said["taxa"]), names=int(said["names"]))


class TaxonomyStore:
    """An open store."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Take a connection from `opened`."""
        self._db = db
        self._known: dict[int, tuple[Taxon, int]] = {}

    def present(self, taxid: int) -> int | None:
        """Return the id by which a taxon goes today: NCBI merges some. None if there is none (any more)."""
        if self._taxon(taxid) is not None:
            return taxid
        row = self._db.execute(MERGED, (taxid,)).fetchone()
        return int(row["becomes"]) if row is not None and self._taxon(int(row["becomes"])) is not None else None

    def deleted(self, taxid: int) -> bool:
        """Tell whether NCBI gave the id up for good."""
        return self._db.execute(DELETED, (taxid,)).fetchone() is not None

    def taxon(self, taxid: int) -> Taxon | None:
        """Return a taxon, followed if it was merged."""
        now = self.present(taxid)
        known = self._taxon(now) if now is not None else None
        return known[0] if known is not None else None

    def lineage(self, taxid: int) -> Lineage | None:
        """Return a taxon, followed if it was merged, with what lies above it."""
        now = self.present(taxid)
        known = self._taxon(now) if now is not None else None
        if known is None:
            return None
        above: list[Taxon] = []
        taxon, parent = known
        while parent not in (ROOT, taxon.taxid) and len(above) < DEEPEST:
            higher = self._taxon(parent)
            if higher is None:
                break
            above.append(higher[0])
            parent = higher[1] if higher[1] != higher[0].taxid else ROOT
        return Lineage(taxon=known[0], above=tuple(reversed(above)))

    def lineages(self, ids: Iterable[int]) -> dict[int, Lineage]:
        """Return those of *ids* that are known, by the id that was asked for."""
        return {taxid: lineage for taxid in ids if (lineage := self.lineage(taxid)) is not None}

    def called(self, name: str) -> list[Taxon]:
        """Return the taxa of this name: those whose scientific name it is, else common, else any other."""
        rows = self._db.execute(CALLED, (folded(name), MOST_CALLED)).fetchall()
        best = min((row["kind"] for row in rows), default=SCIENTIFIC)
        found = [self._taxon(row["taxid"]) for row in rows if row["kind"] == best]
        return [known[0] for known in found if known is not None]

    def _taxon(self, taxid: int) -> tuple[Taxon, int] | None:
        """Return a taxon and its parent."""
        if taxid not in self._known:
            row = self._db.execute(TAXON, (taxid,)).fetchone()
            if row is None:
                return None
            taxon = Taxon(taxid=row["taxid"], name=row["name"], common_name=row["common"], rank=row["rank"])
            self._known[taxid] = taxon, row["parent"]
        return self._known[taxid]


@contextmanager
def store(path: Path) -> Iterator[TaxonomyStore]:
    """Open a store. Raises ToolFailed."""
    with opened(path) as db:
        yield TaxonomyStore(db)


def lineages(path: Path, ids: Sequence[int]) -> dict[int, Lineage]:
    """Return those of *ids* that a store knows. Raises ToolFailed."""
    with store(path) as taxa:
        return taxa.lineages(ids)
