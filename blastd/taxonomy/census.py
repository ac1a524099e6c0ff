"""Counts the taxa of a database: a program of its own, which the daemon runs beside itself.

    census.py TARGET STORE taxids FILE...           FILE is the .not or .pot of the database
    census.py TARGET STORE listing BLASTDBCMD...    blastdbcmd lists "%o %T": for aliases, which may hide sequences

STORE is what `build.py` made, or - where there is none. It imports nothing of ours. TARGET is a SQLite file:

    held     each taxon that sequences are of, with how many, and its place in the tree
    taxon    the same with all taxa above: `sequences` are those of it and of all below, of which `held` taxa have some
    entry    names of these, by what is typed: a whole name, or a scientific one from a later word on (`inner`)
    popular  of letters with which more than CANDIDATES entries begin: the taxa of most sequences

A sequence of several taxa (equal sequences are merged in some databases) counts for each.
"""

import sqlite3
import subprocess
import sys
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from heapq import heappush, heappushpop
from pathlib import Path

LAYOUT = 2
CANDIDATES = 2000
"""Entries that are looked through for what is typed."""
SHOWN = 50
"""Taxa that are kept of more."""
LONGEST_PREFIX = 16
INNER_LETTERS = 30
INNER_WORDS = 4
BLOCK = 1 << 22
SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE held (taxid INTEGER PRIMARY KEY, sequences INTEGER, place INTEGER) STRICT;
CREATE TABLE taxon (taxid INTEGER PRIMARY KEY, sequences INTEGER, held INTEGER, place INTEGER, last INTEGER) STRICT;
CREATE TABLE entry (key TEXT, inner INTEGER, taxid INTEGER, kind INTEGER, PRIMARY KEY (key, inner, taxid)) STRICT, WITHOUT ROWID;
CREATE TABLE popular (prefix TEXT, number INTEGER, taxid INTEGER, inner INTEGER, PRIMARY KEY (prefix, number))
    STRICT, WITHOUT ROWID;
"""


# ---------------------------------------------------------------- counting


def of_files(paths: Iterable[Path]) -> Counter[int]:
    """Count the taxonomy ids of files .not or .pot: the number of sequences, as many ends of lists, then the ids.

    The first two are little-endian numbers of 8 bytes, ids of 4.
    """
    counts = Counter[int]()
    for path in paths:
        with path.open("rb") as file:
            file.seek(8 + 8 * int.from_bytes(file.read(8), "little"))
            while block := file.read(BLOCK):
                ids = array("i", block[: len(block) // 4 * 4])
                if sys.byteorder == "big":
                    ids.byteswap()
                counts.update(ids)
    return counts


def of_listing(argv: list[str]) -> Counter[int]:
    """Count the taxonomy ids of what *argv* lists. Raises OSError when it fails."""
    counts = Counter[int]()
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as child:  # an argv list of the daemon
        assert child.stdout is not None  # noqa: S101  # it is a pipe
        for line in child.stdout:
            taxid = line.rsplit(None, 1)[-1]
            if taxid.isdigit():
                counts[int(taxid)] += 1
    if child.returncode:
        raise OSError(f"blastdbcmd ended with {child.returncode}")
    return counts


# ---------------------------------------------------------------- what lies above


class Walk:
    """Goes through taxa in the order of their places, and adds up what lies below each taxon above them."""

    def __init__(self, db: sqlite3.Connection) -> None:
        """Take a connection with the store attached as `taxa`."""
        self._db = db
        self._open: list[list[int]] = []
        """From the root down: taxid, place, last, sequences, held taxa."""

    def rows(self, held: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, int, int, int, int]]:
        """Yield (taxid, sequences, held, place, last) of *held* (taxid, sequences, place, by place) and of all above."""
        for taxid, sequences, place in held:
            while self._open and not self._open[-1][1] <= place <= self._open[-1][2]:
                yield self._close()
            self._open += self._path(taxid)
            self._open[-1][3] += sequences
            self._open[-1][4] += 1
        while self._open:
            yield self._close()

    def _close(self) -> tuple[int, int, int, int, int]:
        taxid, place, last, sequences, held = self._open.pop()
        if self._open:
            self._open[-1][3] += sequences
            self._open[-1][4] += held
        return taxid, sequences, held, place, last

    def _path(self, taxid: int) -> list[list[int]]:
        """Return the taxa from what is open (without it) down to *taxid*."""
        path: list[list[int]] = []
        above = self._open[-1][0] if self._open else None
        while taxid != above:
            parent, place, last = self._db.execute(
                "SELECT parent, place, last FROM taxa.taxon WHERE taxid = ?", (taxid,)
            ).fetchone()
            path.append([taxid, place, last, 0, 0])
            if parent == taxid or self._db.execute(f"SELECT 1 FROM taxa.taxon WHERE taxid = {parent:d} AND place < {place:d} AND last >= {last:d}").fetchone() is None:  # fmt: skip
                break  # a root, or a taxon whose parent is not above it
            taxid = parent
        return path[::-1]


# ---------------------------------------------------------------- what is typed


def typed(rows: Iterable[tuple[str, int, int]]) -> Iterator[tuple[str, int, int, int]]:
    """Yield (key, inner, taxid, kind) of names (key, kind, taxid): whole, and scientific ones from later words on."""
    for key, kind, taxid in rows:
        yield key, 0, taxid, kind
        if kind == 0:
            words = key.split(" ")
            for first in range(1, min(len(words), INNER_WORDS + 1)):
                yield " ".join(words[first:])[:INNER_LETTERS], 1, taxid, kind


class Popular:
    """Finds the taxa of most sequences for each beginning that many entries have."""

    def __init__(self) -> None:
        """Begin before the first entry."""
        self._key = ""
        self._runs: list[tuple[str, list[tuple[int, int, int]], list[int]]] = []
        """For each length from 1: the beginning, a heap of (sequences, taxid, inner), and the number of entries."""

    def rows(self, entries: Iterable[tuple[str, int, int, int]]) -> Iterator[tuple[str, int, int, int]]:
        """Yield (prefix, number, taxid, inner) from *entries* (key, inner, taxid, sequences), ordered by key."""
        for key, inner, taxid, sequences in entries:
            shared = 0
            for first, second in zip(key[:LONGEST_PREFIX], self._key, strict=False):
                if first != second:
                    break
                shared += 1
            while len(self._runs) > shared:
                yield from self._close()
            self._key = key
            for length in range(len(self._runs) + 1, min(len(key), LONGEST_PREFIX) + 1):
                self._runs.append((key[:length], [], [0]))
            item = (sequences, -taxid, inner)
            for _, heap, count in self._runs:
                count[0] += 1
                if len(heap) < SHOWN:
                    heappush(heap, item)
                elif item > heap[0]:
                    heappushpop(heap, item)
        while self._runs:
            yield from self._close()

    def _close(self) -> Iterator[tuple[str, int, int, int]]:
        prefix, heap, (count,) = self._runs.pop()
        if count > CANDIDATES:
            seen = set[int]()
            for _, taxid, inner in sorted(heap, reverse=True):
                if taxid not in seen:
                    seen.add(taxid)
                    yield prefix, len(seen), -taxid, inner


# ---------------------------------------------------------------- the file


def make(target: Path, store: str, counts: Counter[int]) -> None:
    """Write the census of *counts* at *target*."""
    target.unlink(missing_ok=True)
    counts.pop(0, None)
    with closing(sqlite3.connect(target, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        if store != "-":
            db.execute("ATTACH ? AS taxa", (f"{Path(store).absolute().as_uri()}?mode=ro",))
        db.executescript(SCHEMA)
        db.execute("BEGIN")
        db.executemany("INSERT INTO held VALUES (?, ?, NULL)", sorted(counts.items()))
        total = sum(counts.values())
        counts.clear()
        if store != "-":
            _place(db)
        db.executemany("INSERT INTO about VALUES (?, ?)", [("layout", str(LAYOUT)), ("counted", str(total))])
        db.execute("COMMIT")


def _place(db: sqlite3.Connection) -> None:
    """Add what the store knows of the taxa that are held."""
    db.execute(
        "INSERT OR REPLACE INTO held SELECT h.taxid, h.sequences, coalesce(t.place, u.place) FROM held AS h LEFT JOIN taxa.taxon AS t "
        "USING (taxid) LEFT JOIN taxa.merged AS m ON m.taxid = h.taxid LEFT JOIN taxa.taxon AS u ON u.taxid = m.becomes"
    )
    db.execute("CREATE INDEX held_place ON held (place)")
    by_place = db.cursor().execute(
        "SELECT t.taxid, sum(h.sequences), h.place FROM held AS h CROSS JOIN taxa.taxon AS t ON t.taxid = "
        "coalesce((SELECT becomes FROM taxa.merged AS m WHERE m.taxid = h.taxid AND NOT EXISTS "
        "(SELECT 1 FROM taxa.taxon AS s WHERE s.taxid = h.taxid)), h.taxid) WHERE h.place IS NOT NULL "
        "GROUP BY h.place ORDER BY h.place"
    )
    db.executemany("INSERT INTO taxon VALUES (?, ?, ?, ?, ?)", Walk(db).rows(by_place))
    db.execute("CREATE INDEX taxon_sequences ON taxon (sequences DESC, held, taxid)")
    names = db.cursor().execute(
        "SELECT n.key, n.kind, n.taxid FROM taxa.name AS n WHERE n.taxid IN (SELECT taxid FROM taxon)"
    )
    db.execute("CREATE TEMP TABLE typed (key TEXT, inner INTEGER, taxid INTEGER, kind INTEGER)")
    db.executemany("INSERT INTO typed VALUES (?, ?, ?, ?)", typed(names))
    db.execute("INSERT OR IGNORE INTO entry SELECT key, inner, taxid, kind FROM typed ORDER BY key, inner, taxid")
    db.execute("DROP TABLE typed")
    if db.execute("SELECT count(*) FROM entry").fetchone()[0] > CANDIDATES:
        entries = db.cursor().execute(
            "SELECT e.key, e.inner, e.taxid, t.sequences FROM entry AS e CROSS JOIN taxon AS t USING (taxid) ORDER BY e.key, e.inner, e.taxid"
        )
        db.executemany("INSERT INTO popular VALUES (?, ?, ?, ?)", Popular().rows(entries))


def main(words: list[str]) -> int:
    """Run as a program; the last line on stderr says what is wrong."""
    target, store, how, *rest = words
    try:
        make(Path(target), store, of_listing(rest) if how == "listing" else of_files(map(Path, rest)))
    except (OSError, sqlite3.Error, TypeError, ValueError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201  # the daemon reads it
        Path(target).unlink(missing_ok=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
