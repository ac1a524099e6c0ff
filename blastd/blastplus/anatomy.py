"""What a database is on the disk: every file that BLAST+ reads of it, and how they hang together. All functions block.

A database is known by its molecule and its path without suffix: a folder may hold a nucleotide and a protein one of one
name, which share nothing. It is a volume, or an alias that names others (DBLIST) and lists that select sequences; each
list is found beside the alias that names it (tried with BLAST+ 2.12, 2.16 and 2.17: neither BLASTDB nor the working folder
is looked into). An alias that names itself means the volume of its name. Everybody who asks which files a database has
(catalogue, fingerprint, pin, freshness, upload) asks here.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from blastd.blastplus import regular
from blastd.blastplus.regular import Part, printed
from blastd.core.model import Frozen
from blastd.errors import DatabaseBroken

ALIAS_BYTES = 1 << 20
"""The alias of nt with some hundred volumes has 5 kB."""
NODES = 5000
"""Aliases and volumes of one database."""
DEPTH = 16
VOLUME = re.compile(r"(.+)\.\d{2,3}")
SUFFIXES = {
    "nucl": ("nin", "nhr", "nsq", "nal"),
    "prot": ("pin", "phr", "psq", "pal"),
}
SHARED = ("db", "os", "ot", "tf", "to", "og", "sd", "si", "nd", "ni", "pd", "pi", "hd", "hi", "td", "ti")
"""Further files of a database after its first letter: ids and taxonomy, old and new."""
COLUMNS = tuple(f"{column}{kind}" for column in "abcdefgh" for kind in "abc")
"""Masks and other columns (makeblastdb -mask_data): index and two data files each."""
OF_THE_WHOLE = ("db", "os", "ot", "tf", "to")
"""Files of version 5 that all volumes of a database share, under the name without the volume's number."""
PROFILE = ("rps", "loo", "aux", "freq", "wcounts", "obsr")
"""Files of a database of profiles, which rpsblast and rpstblastn search."""
NAME = re.compile(r'"([^"]*)"|(\S+)')


class Node(Frozen, frozen=True, kw_only=True):
    """An alias or a volume: its path without suffix, its files, and what its alias file says.

    `children` are the numbers of the nodes that its DBLIST names, its own where it means the volume of its name; `lists`
    the files that its other keys name.
    """

    base: str
    files: tuple[Part, ...]
    lines: tuple[tuple[str, str], ...] = ()
    children: tuple[int, ...] = ()
    lists: tuple[tuple[str, Part], ...] = ()


class Anatomy(Frozen, frozen=True, kw_only=True):
    """A database's nodes, the first being the database itself."""

    molecule: str
    nodes: tuple[Node, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return every file that decides what BLAST+ finds here, each once, by path."""
        found = {part.path: part for node in self.nodes for part in (*node.files, *(one for _, one in node.lists))}
        return tuple(found[path] for path in sorted(found))

    @property
    def volumes(self) -> tuple[str, ...]:
        """Return the paths of the volumes in the order in which the aliases name them, each once."""
        return tuple(dict.fromkeys(self._volumes(0, set())))

    def _volumes(self, number: int, seen: set[int]) -> Iterator[str]:
        node = self.nodes[number]
        seen.add(number)
        if not node.lines:
            yield node.base
        for child in node.children:
            if child == number:
                yield node.base
            elif child not in seen:  # aliases that name each other crosswise are followed once
                yield from self._volumes(child, seen)

    @property
    def alias(self) -> bool:
        """Tell whether the database is an alias."""
        return bool(self.nodes[0].lines)

    @property
    def selects(self) -> bool:
        """Tell whether an alias hides sequences or states numbers of its own, so that BLAST+ must be asked for totals."""
        return any(key not in ("TITLE", "DBLIST") for node in self.nodes for key, _ in node.lines)

    def line(self, key: str) -> str | None:
        """Return the value of *key* in the database's own alias."""
        return next((value for name, value in self.nodes[0].lines if name == key), None)


def anatomy(base: Path, molecule: str) -> Anatomy:
    """Return what lies at *base*. Raises DatabaseBroken that names the file which is missing, odd or leads in a circle."""
    return Anatomy(molecule=molecule, nodes=tuple(_Walk(molecule).walk(base)))


class _Walk:
    """Follows the aliases of one database."""

    def __init__(self, molecule: str) -> None:
        self._molecule = molecule
        self._nodes: list[Node | None] = []
        self._numbers: dict[str, int] = {}
        self._names = 0

    def walk(self, base: Path) -> Iterator[Node]:
        self._visit(base, ())
        for node in self._nodes:
            assert node is not None  # noqa: S101  # each visit ends with its node
            yield node

    def _visit(self, base: Path, above: tuple[Path, ...]) -> int:
        known = self._numbers.get(str(base))
        if known is not None:
            return known
        if len(self._nodes) >= NODES or len(above) >= DEPTH:
            raise DatabaseBroken(f"{printed(base.name)}: its aliases name more than {NODES} others, or too deep")
        number = self._numbers[str(base)] = len(self._nodes)
        self._nodes.append(None)
        lines = alias_lines(base, self._molecule)
        files = files_of(base, self._molecule)
        children: list[int] = []
        above = (*above, base)
        for name in self._named(base, lines):
            child = base.parent / name
            if _same(child, base):
                children.append(number)
            elif any(_same(child, one) for one in above):
                raise DatabaseBroken(f"{printed(base.name)}: the alias names {printed(name)}, which names it again")
            else:
                self._present(child, base, name)
                children.append(self._visit(child, above))
        if lines and not children:
            raise DatabaseBroken(f"{printed(base.name)}: the alias names no database")
        if not lines:
            files += _of_the_whole(base, self._molecule)
        self._nodes[number] = Node(
            base=str(base), files=tuple(files), lines=lines, children=tuple(children), lists=tuple(_lists(base, lines))
        )  # fmt: skip
        return number

    def _named(self, base: Path, lines: Sequence[tuple[str, str]]) -> list[str]:
        names = [quoted or bare for key, value in lines if key == "DBLIST" for quoted, bare in NAME.findall(value)]
        names = list(dict.fromkeys(names))  # BLAST+ takes a volume once, too
        self._names += len(names)
        if self._names > 4 * NODES:
            raise DatabaseBroken(f"{printed(base.name)}: its aliases hold more than {4 * NODES} names of databases")
        return names

    def _present(self, child: Path, base: Path, name: str) -> None:
        index, *_, alias = SUFFIXES[self._molecule]
        if str(child) not in self._numbers and not any(regular.part(f"{child}.{suffix}") for suffix in (index, alias)):
            raise DatabaseBroken(f"{printed(base.name)}: the alias names {printed(name)}, which is not there")


def _same(one: Path, other: Path) -> bool:
    return one.name == other.name and (one == other or one.parent.resolve() == other.parent.resolve())


def _file(base: Path, suffix: str) -> Path:
    return base.with_name(f"{base.name}.{suffix}")


def files_of(base: Path, molecule: str) -> list[Part]:
    """Return the files of one volume or alias that exist. Raises DatabaseBroken for what is there and is no file."""
    letter = molecule[0]
    suffixes = [*SUFFIXES[molecule], *(letter + tail for tail in (*SHARED, *COLUMNS))]
    suffixes += PROFILE if molecule == "prot" else ()
    return [part for suffix in suffixes if (part := regular.part(f"{base}.{suffix}")) is not None]


def _of_the_whole(base: Path, molecule: str) -> list[Part]:
    """Return the files that a volume shares with its sisters, for one that is named alone."""
    match = VOLUME.fullmatch(base.name)
    if match is None:
        return []
    whole = base.with_name(match[1])
    return [part for tail in OF_THE_WHOLE if (part := regular.part(_file(whole, molecule[0] + tail))) is not None]


def alias_lines(base: Path, molecule: str) -> tuple[tuple[str, str], ...]:
    """Return the (key, value) lines of an alias file; a base without alias has none. Raises DatabaseBroken."""
    path = _file(base, SUFFIXES[molecule][3])
    if regular.part(path) is None:
        return ()
    data = regular.read(path, ALIAS_BYTES)
    if b"\0" in data:
        raise DatabaseBroken(f"{printed(path.name)} holds a NUL: it is no alias of a BLAST database")
    text = data.decode("utf-8", "surrogateescape")
    words = [line.strip().split(None, 1) for line in text.split("\n") if line.strip() and not line.startswith("#")]
    return tuple((word[0].upper(), word[1] if len(word) > 1 else "") for word in words) or (("DBLIST", ""),)


def _lists(base: Path, lines: Sequence[tuple[str, str]]) -> Iterator[tuple[str, Part]]:
    """Yield the files that an alias names beside databases, whatever the key: GILIST, SEQIDLIST, OIDLIST and others."""
    for key, value in lines:
        if not key.endswith("LIST") or key == "DBLIST" or not value:
            continue
        path = base.parent / value.strip('"')
        found = regular.part(path)
        if found is None:
            raise DatabaseBroken(f"{printed(base.name)}: its {printed(key)} {printed(value)} is missing")
        yield key, found
