"""Reads the census of a database: which taxa it holds, with how many sequences, and which begin as typed. All functions block."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from blastd.core.model import Frozen
from blastd.core.taxa import Lineage, Taxon
from blastd.taxonomy.build import folded
from blastd.taxonomy.census import CANDIDATES, LONGEST_PREFIX
from blastd.taxonomy.reading import opened

POPULAR = """SELECT p.taxid, p.inner, t.sequences, t.held, '' AS key FROM popular AS p JOIN taxon AS t USING (taxid)
             WHERE p.prefix = ? ORDER BY p.number"""
BEGIN_SO = """SELECT e.key, e.taxid, e.inner, t.sequences, t.held FROM entry AS e CROSS JOIN taxon AS t USING (taxid)
              WHERE e.key >= ? AND e.key < ? ORDER BY e.key, e.inner LIMIT ?"""
CALLED = """SELECT e.key, e.taxid, e.inner, t.sequences, t.held FROM entry AS e CROSS JOIN taxon AS t USING (taxid)
            WHERE e.key = ? ORDER BY e.inner LIMIT ?"""
COUNT = "SELECT taxid, sequences, held FROM taxon WHERE taxid = ?"
OWN = "SELECT sequences FROM held WHERE taxid = ?"
BELOW = """SELECT h.taxid FROM taxon AS t JOIN held AS h ON h.place BETWEEN t.place AND t.last WHERE t.taxid = ?
           ORDER BY h.taxid LIMIT ?"""
ABOVE_ALL = "\U0010ffff"
SIMILAR_LETTERS = 3
"""With which a name that is meant for another begins like it."""


class Counted(Frozen, frozen=True, kw_only=True):
    """A taxon that a database holds: `sequences` are those of it and of all below it, of which `held` taxa have some."""

    taxid: int
    sequences: int
    held: int
    exact: bool = False
    inner: bool = False
    """Whether it was found by a word that is not its first."""


class Census:
    """An open census."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Take a connection from `opened`."""
        self._db = db

    def begin_so(self, text: str, limit: int) -> list[Counted]:
        """Return up to *limit* taxa whose names begin like *text*, or have a word from which on they do.

        Those of exactly this name come first, then those of most sequences, of the first 2,000 names in their order; where
        more names begin so, those of most sequences of all. Nothing typed: those of most sequences.
        """
        key = folded(text)
        if not key:
            return self._counted(
                self._db.execute(
                    "SELECT '' AS key, taxid, 0 AS inner, sequences, held FROM taxon WHERE "
                    "taxid <> 1 ORDER BY sequences DESC, held, taxid LIMIT ?",
                    (limit,),
                ).fetchall(),
                "",
            )[:limit]
        rows = self._db.execute(CALLED, (key, limit)).fetchall()
        many = self._db.execute(POPULAR, (key,)).fetchall() if len(key) <= LONGEST_PREFIX else []
        rows += many or self._db.execute(BEGIN_SO, (key, key + ABOVE_ALL, CANDIDATES)).fetchall()
        return self._counted(rows, key)[:limit]

    def _counted(self, rows: list[sqlite3.Row], key: str) -> list[Counted]:
        best: dict[int, Counted] = {}
        for row in rows:
            inner = bool(row["inner"])
            found = Counted(
                taxid=row["taxid"],
                sequences=row["sequences"],
                held=row["held"],
                exact=row["key"] == key and not inner,
                inner=inner,
            )
            known = best.get(found.taxid)
            if known is None or order(found) < order(known):
                best[found.taxid] = found
        return sorted(best.values(), key=order)

    def count(self, taxid: int) -> Counted | None:
        """Return how much of a taxon the database holds, None if nothing."""
        row = self._db.execute(COUNT, (taxid,)).fetchone()
        if row is None and (own := self._db.execute(OWN, (taxid,)).fetchone()) is not None:
            return Counted(taxid=taxid, sequences=own["sequences"], held=1)  # which the taxonomy does not know
        return Counted(taxid=row["taxid"], sequences=row["sequences"], held=row["held"]) if row is not None else None

    def below(self, taxid: int, most: int) -> list[int]:
        """Return the ids that sequences have of a taxon and all below it, ascending, at most *most* of them."""
        found = [int(row["taxid"]) for row in self._db.execute(BELOW, (taxid, most))]
        if not found and self._db.execute(OWN, (taxid,)).fetchone() is not None:
            return [taxid]
        return found

    def similar(self, text: str, most: int = 3) -> list[str]:
        """Return names of taxa here that *text* may be meant for, folded."""
        key = folded(text)
        begin = key[:SIMILAR_LETTERS]
        rows = self._db.execute(
            "SELECT key FROM entry WHERE key >= ? AND key < ? AND inner = 0 LIMIT ?",
            (begin, begin + ABOVE_ALL, CANDIDATES),
        )
        return get_close_matches(key, [row["key"] for row in rows], n=most, cutoff=0.7)


def order(found: Counted) -> tuple[bool, bool, int, int, int]:
    """Return what puts taxa into the order in which they are suggested."""
    return not found.exact, found.inner, -found.sequences, found.held, found.taxid


def unnamed(taxid: int) -> Lineage:
    """Return a taxon of which nothing but the id is known."""
    return Lineage(taxon=Taxon(taxid=taxid))


@contextmanager
def census(path: Path) -> Iterator[Census]:
    """Open a census. Raises ToolFailed."""
    with opened(path) as db:
        yield Census(db)
