"""Another name for a database whose files keep theirs: an alias beside a hidden folder. All functions block.

Volumes can't be renamed: the name stands in their files (the alias of volumes, the LMDB file of version 5). So a database that is
called otherwise than its files lies as NAME.nal (or .pal) with `DBLIST .files/BASE`; nobody lists what is in the hidden folder.
"""

import os
import shutil
from pathlib import Path

from blastd.blastplus.anatomy import SUFFIXES, alias_lines
from blastd.blastplus.organisms import FILES as TAXONOMY
from blastd.durable import flush

HIDDEN = ".files"


def under_alias(folder: Path, base: str, name: str, molecule: str, title: str) -> None:
    """Let the database *base*, all of whose files lie in *folder*, be called *name* there."""
    hidden = folder / HIDDEN
    hidden.mkdir(mode=0o700)
    for path in list(folder.iterdir()):
        if not path.name.startswith(".") and path.name not in TAXONOMY:
            path.rename(hidden / path.name)
    _write(folder, base, name, molecule, title)


def _write(folder: Path, base: str, name: str, molecule: str, title: str) -> None:
    alias = folder / f"{name}.{SUFFIXES[molecule][3]}"
    alias.write_text(f"TITLE {title}\nDBLIST {HIDDEN}/{base}\n")
    flush(alias)


def renamed(home: Path, work: Path, name: str, new: str, molecule: str, title: str) -> None:
    """Make *work* hold, by links, what *home* holds of the database *name*, there called *new*."""
    shutil.copytree(home, work, copy_function=_link, dirs_exist_ok=True)
    if (work / HIDDEN).is_dir():
        lines = dict(alias_lines(work / name, molecule))
        base = lines.get("DBLIST", "").rpartition("/")[2]
        (work / f"{name}.{SUFFIXES[molecule][3]}").unlink()
        _write(work, base, new, molecule, title)
    else:
        under_alias(work, name, new, molecule, title)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
