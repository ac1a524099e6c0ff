"""What the folders of databases hold, by name, not looked into yet. Blocking; never raises for what lies there.

A name that no command line, address or row could carry is left out with a line that says so.
"""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from blastd.blastplus.anatomy import SUFFIXES, VOLUME
from blastd.blastplus.regular import printed
from blastd.core.model import Frozen

DEPTH = 4
MOST = 5000
MOST_ENTRIES = 200_000
"""Of all folders together: a folder of something else by mistake must not hold the service up for minutes."""
MOST_PROBLEMS = 200
UNFIT = re.compile(r'[\x00-\x1f\x7f-\x9f"\ud800-\udfff]')
NAME_LETTERS = 250


class SeenDatabase(Frozen, frozen=True, kw_only=True):
    """A database that a folder seems to hold, not looked into yet."""

    name: str
    path: str
    molecule: str


def walk(folders: Sequence[Path]) -> tuple[list[SeenDatabase], list[str]]:
    """Return what the folders seem to hold, by name; the first folder wins where two have the same name and molecule."""
    look = _Look()
    for root in folders:
        look.root(root)
        if look.full:
            look.problem(f"{root}: more than {MOST} databases or {MOST_ENTRIES:,} files; the rest is not listed")
            break
    return sorted(look.found.values(), key=lambda each: (each.name, each.molecule)), look.problems


class _Look:
    """One look through all folders."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, str], SeenDatabase] = {}
        self.problems: list[str] = []
        self._entries = 0

    @property
    def full(self) -> bool:
        return len(self.found) >= MOST or self._entries >= MOST_ENTRIES

    def problem(self, text: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(printed(text))

    def root(self, root: Path) -> None:
        if not os.path.isdir(root):  # noqa: PTH112  # Path.is_dir raises where the way there is closed
            self.problem(f"{root}: there is no such folder, or it can't be looked into")
            return
        self._folder(root, root, ())

    def _folder(self, root: Path, here: Path, above: tuple[tuple[int, int], ...]) -> None:
        files, subfolders = set[str](), list[str]()
        try:
            stat = here.stat()
            if (stat.st_dev, stat.st_ino) in above:
                self.problem(f"{here}: this link leads back to a folder above it")
                return
            with os.scandir(here) as entries:
                for entry in entries:
                    self._entries += 1
                    if self.full:
                        break
                    if not entry.name.startswith("."):
                        subfolders += [entry.name] if _is_folder(entry) else []
                        files.add(entry.name)
        except (OSError, ValueError) as error:
            self.problem(f"{here}: {error.strerror if isinstance(error, OSError) else error}")
            return
        for found in _of_folder(here, root, files):
            self._add(found)
        if len(above) < DEPTH:
            for name in sorted(subfolders):
                if not self.full:
                    self._folder(root, here / name, (*above, (stat.st_dev, stat.st_ino)))

    def _add(self, found: SeenDatabase) -> None:
        known = self.found.get((found.name, found.molecule))
        if UNFIT.search(found.name) or found.name.startswith("-") or len(Path(found.name).name) > NAME_LETTERS:
            self.problem(
                f"{found.path}: no database can be called so (control characters, quotes, bytes that are no UTF-8, a leading '-')"
            )
        elif known is not None and known.path != found.path:
            self.problem(f"{found.path}: a database of the same name and molecule is at {known.path}")
        else:
            self.found[found.name, found.molecule] = found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _of_folder(here: Path, root: Path, names: set[str]) -> Iterator[SeenDatabase]:
    """Yield the databases of one folder: every alias, and every base that has an index or, without one, sequences."""
    for molecule, (index, header, sequence, alias) in SUFFIXES.items():
        aliases = {name[: -len(alias) - 1] for name in names if name.endswith("." + alias)}
        bases = {
            name[: -len(suffix) - 1]
            for suffix in (index, header, sequence)
            for name in names
            if name.endswith("." + suffix)
        }
        for base in sorted(aliases | bases):
            volume = VOLUME.fullmatch(base)
            if base not in aliases and volume is not None and volume[1] in aliases:
                continue
            path = here / base
            yield SeenDatabase(name=str(path.relative_to(root)), path=str(path), molecule=molecule)
