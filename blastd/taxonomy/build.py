"""Makes the store of taxa from NCBI's files: a program of its own, which the daemon runs beside itself.

    build.py TARGET dump FOLDER              from nodes.dmp, names.dmp, and merged.dmp, delnodes.dmp where they are
    build.py TARGET blast TREE [BTI BTD]     from taxonomy4blast.sqlite3, and taxdb for the names; these know no ranks

Two and a half million taxa take a minute and some hundred megabytes of memory, which must not be the daemon's. It imports
nothing of ours, and prints how far it is (0 to 1), a line each time. TARGET is a SQLite file:

    about    what it was made from, how many taxa and names
    rank     the words for ranks
    taxon    each taxon with its parent. `place` counts all taxa depth first: what lies below one, itself included, are
             those from its place to its `last`
    name     what a taxon is called, by folded name; `kind` is 0 for scientific (whose text stands in taxon), 1 for common,
             2 for other names
    merged   ids that NCBI gave up for others, deleted: those that it gave up for good
"""

import sqlite3
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

LAYOUT = 1
SCIENTIFIC, COMMON, OTHER = 0, 1, 2
KINDS = {"scientific name": SCIENTIFIC, "genbank common name": COMMON, "common name": COMMON}
LEFT_OUT = frozenset({"authority", "type material", "in-part"})
"""Names with their authors, cultures, and names that mean a part of a taxon: nobody searches by them."""
ROOT = 1
BATCH = 20_000
SHARE = 0.3
"""Of the work, that is done when the tree is."""
SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE rank (rank INTEGER PRIMARY KEY, name TEXT) STRICT;
CREATE TABLE taxon (taxid INTEGER PRIMARY KEY, parent INTEGER, rank INTEGER, place INTEGER, last INTEGER,
    name TEXT, common TEXT) STRICT;
CREATE TABLE name (key TEXT, kind INTEGER, taxid INTEGER, text TEXT, PRIMARY KEY (key, kind, taxid)) STRICT, WITHOUT ROWID;
CREATE TABLE merged (taxid INTEGER PRIMARY KEY, becomes INTEGER) STRICT;
CREATE TABLE deleted (taxid INTEGER PRIMARY KEY) STRICT;
CREATE TABLE raw.called (key TEXT, kind INTEGER, taxid INTEGER, text TEXT) STRICT;
"""
Name = tuple[int, int, str]
"""Taxon, kind, text."""


def folded(name: str) -> str:
    """Return a name as names are compared: without regard to case and to how many blanks stand between words."""
    return " ".join(name.casefold().split())


class Tree:
    """Taxa as they are read: ids, parents and ranks at the same positions, in any order."""

    def __init__(self) -> None:
        """Begin with none."""
        self.ids, self.parents, self.ranks = array("q"), array("q"), array("H")
        self.rank_names: dict[str, int] = {}

    def add(self, taxid: int, parent: int, rank: str = "") -> None:
        """Add a taxon."""
        self.ids.append(taxid)
        self.parents.append(parent)
        self.ranks.append(self.rank_names.setdefault(rank, len(self.rank_names)))

    def sort(self) -> None:
        """Put the taxa into the order of their ids, as NCBI has them."""
        if all(first < second for first, second in zip(self.ids, islice(self.ids, 1, None), strict=False)):
            return
        order = sorted(range(len(self.ids)), key=self.ids.__getitem__)
        self.ids = array("q", [self.ids[at] for at in order])
        self.parents = array("q", [self.parents[at] for at in order])
        self.ranks = array("H", [self.ranks[at] for at in order])

    def places(self) -> "tuple[array[int], array[int]]":
        """Return the place of each taxon when all are counted depth first, and the last place below it.

        A taxon whose parent is not there begins a tree of its own, and so does one of a circle.
        """
        count = len(self.ids)
        first_child, next_sibling = array("q", [-1]) * count, array("q", [-1]) * count
        tops = list[int]()
        for at in range(count - 1, -1, -1):
            above = bisect_left(self.ids, self.parents[at])
            if above == at or above >= count or self.ids[above] != self.parents[at]:
                tops.append(at)
            else:
                next_sibling[at], first_child[above] = first_child[above], at
        places, lasts = array("q", [-1]) * count, array("q", [-1]) * count
        place = 0
        for top in [*reversed(tops), *range(count)]:
            if places[top] < 0:
                place = _number(top, place, first_child, next_sibling, places, lasts)
        return places, lasts


def _number(
    top: int,
    place: int,
    first_child: "array[int]",
    next_sibling: "array[int]",
    places: "array[int]",
    lasts: "array[int]",
) -> int:
    """Count the tree of *top* from *place* on, and return the place after it."""
    path = [top]
    places[top] = place
    pending = [first_child[top]]
    while path:
        child = pending[-1]
        if child >= 0 and places[child] < 0:
            place += 1
            places[child] = place
            pending[-1] = next_sibling[child]
            path.append(child)
            pending.append(first_child[child])
        elif child >= 0:  # in a circle
            pending[-1] = next_sibling[child]
        else:
            lasts[path.pop()] = place
            pending.pop()
    return place + 1


# ---------------------------------------------------------------- NCBI's taxdump


def fields(path: Path) -> Iterator[list[str]]:
    """Yield the fields of each line of a file of taxdump: they end with a tab and a bar."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                found = [field.strip() for field in line.rstrip("\n").removesuffix("\t|").split("\t|\t")]
                if not found[0].isdigit():
                    raise ValueError(f"{path.name}, line {number}: {line[:60]!r} does not begin with a taxonomy id")
                yield found


def read_nodes(folder: Path) -> Tree:
    """Return the tree of nodes.dmp."""
    tree = Tree()
    for found in fields(folder / "nodes.dmp"):
        tree.add(int(found[0]), int(found[1]), "" if found[2] == "no rank" else found[2])
    return tree


def read_names(folder: Path) -> Iterator[Name]:
    """Yield the names of names.dmp, and the longer ones that tell taxa of the same name apart."""
    for found in fields(folder / "names.dmp"):
        taxid, text, unique, kind = int(found[0]), found[1], found[2], found[3]
        if kind not in LEFT_OUT:
            yield taxid, KINDS.get(kind, OTHER), text
            if unique and unique != text:
                yield taxid, OTHER, unique


def read_pairs(path: Path) -> Iterator[list[int]]:
    """Yield the numbers of each line of a file that may be missing."""
    if path.exists():
        for found in fields(path):
            yield [int(field) for field in found if field]


# ---------------------------------------------------------------- what BLAST+ has beside databases


def read_tree(path: Path) -> Tree:
    """Return the tree of taxonomy4blast.sqlite3."""
    tree = Tree()
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        for taxid, parent in db.execute("SELECT taxid, parent FROM TaxidInfo"):
            tree.add(int(taxid), int(parent))
    return tree


def read_taxdb(index: Path, texts: Path) -> Iterator[Name]:
    """Yield the names of taxdb: big-endian records of id and offset after six numbers; texts are parted by tabs."""
    data = index.read_bytes()
    entries = [struct.unpack_from(">II", data, at) for at in range(24, len(data) - 7, 8)]
    with texts.open("rb") as file:
        for number, (taxid, offset) in enumerate(entries):
            end = entries[number + 1][1] if number + 1 < len(entries) else offset
            file.seek(offset)
            parts = file.read(max(0, end - offset)).decode("utf-8", "replace").split("\t")
            if parts[0]:
                yield taxid, SCIENTIFIC, parts[0]
            if len(parts) > 1 and parts[1] and parts[1] != parts[0]:
                yield taxid, COMMON, parts[1]


# ---------------------------------------------------------------- the store


def tell(fraction: float) -> None:
    """Say how far it is."""
    print(f"{fraction:.3f}", flush=True)  # noqa: T201  # the daemon reads it


def batches(rows: Iterable[Name]) -> Iterator[list[Name]]:
    """Yield *rows* some thousand at a time."""
    source = iter(rows)
    while batch := list(islice(source, BATCH)):
        yield batch


def write_tree(db: sqlite3.Connection, tree: Tree) -> None:
    """Write the taxa, which have no names yet."""
    if not tree.ids:
        raise ValueError("there is no taxon in it")
    tree.sort()
    places, lasts = tree.places()
    db.executemany("INSERT INTO rank VALUES (?, ?)", [(number, name) for name, number in tree.rank_names.items()])
    rows = zip(tree.ids, tree.parents, tree.ranks, places, lasts, strict=True)
    db.executemany("INSERT OR IGNORE INTO taxon VALUES (?, ?, ?, ?, ?, '', '')", rows)


def write_names(db: sqlite3.Connection, names: Iterable[Name], expected: int) -> int:
    """Write the names of the taxa that there are, and return how many; *expected* is a guess of that."""
    written = 0
    for batch in batches(names):
        rows = [(folded(text), kind, taxid, text if kind != SCIENTIFIC else "") for taxid, kind, text in batch]
        db.executemany("INSERT INTO raw.called VALUES (?, ?, ?, ?)", rows)
        called = [(text, taxid) for taxid, kind, text in batch if kind == SCIENTIFIC]
        db.executemany("UPDATE taxon SET name = ? WHERE taxid = ?", called)
        called = [(text, taxid) for taxid, kind, text in batch if kind == COMMON]
        db.executemany("UPDATE taxon SET common = ? WHERE taxid = ? AND common = ''", called)
        written += len(batch)
        tell(min(0.7, SHARE + 0.4 * written / max(expected, written, 1)))
    db.execute("DELETE FROM raw.called WHERE taxid NOT IN (SELECT taxid FROM taxon)")
    db.execute("INSERT OR IGNORE INTO name SELECT key, kind, taxid, text FROM raw.called ORDER BY key, kind, taxid")
    return int(db.execute("SELECT count(*) FROM name").fetchone()[0])


def make(target: Path, kind: str, sources: list[Path]) -> None:
    """Write the store at *target*. Raises ValueError, OSError and sqlite3.Error for sources that can't be read."""
    raw = target.with_name(f"{target.name}.raw")
    for path in (target, raw):
        path.unlink(missing_ok=True)
    with closing(sqlite3.connect(target, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute("ATTACH ? AS raw", (str(raw),))
        db.execute("PRAGMA raw.journal_mode = OFF")
        db.executescript(SCHEMA)
        db.execute("BEGIN")
        if kind == "dump":
            (folder,) = sources
            tree = read_nodes(folder)
            tell(SHARE / 2)
            write_tree(db, tree)
            tell(SHARE)
            names = write_names(db, read_names(folder), 2 * len(tree.ids))
            db.executemany(
                "INSERT OR IGNORE INTO merged VALUES (?, ?)", (pair[:2] for pair in read_pairs(folder / "merged.dmp"))
            )
            db.executemany(
                "INSERT OR IGNORE INTO deleted VALUES (?)", (one[:1] for one in read_pairs(folder / "delnodes.dmp"))
            )
        else:
            tree = read_tree(sources[0])
            write_tree(db, tree)
            tell(SHARE)
            names = write_names(db, read_taxdb(*sources[1:]) if len(sources) > 1 else (), 2 * len(tree.ids))
        about = {"layout": LAYOUT, "kind": kind, "taxa": len(tree.ids), "names": names}
        db.executemany("INSERT INTO about VALUES (?, ?)", [(key, str(value)) for key, value in about.items()])
        db.execute("COMMIT")
        db.execute("DETACH raw")
    raw.unlink()
    tell(1.0)


def main(words: list[str]) -> int:
    """Run as a program; the last line on stderr says what is wrong."""
    target = Path(words[0])
    try:
        make(target, words[1], [Path(word) for word in words[2:]])
    except (ValueError, IndexError, OSError, sqlite3.Error, struct.error, TypeError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201  # the daemon reads it
        for path in (target, target.with_name(f"{target.name}.raw")):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
