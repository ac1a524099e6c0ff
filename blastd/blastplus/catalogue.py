"""What the last look through the folders found, kept in a file, so that a start reads only what has changed since.

It is a hint: a file that is missing, damaged or of another version costs time, nothing else. All functions block.
"""

import os
from pathlib import Path

import msgspec
import structlog

from blastd.blastplus.blastdb import Scan
from blastd.blastplus.regular import read
from blastd.core.model import Frozen
from blastd.errors import DatabaseBroken

log = structlog.get_logger()

FORM = 2
"""Counts up whenever what is found of the same files changes."""
MOST_BYTES = 512 << 20


class Kept(Frozen, frozen=True, kw_only=True):
    """The file's content."""

    form: int
    scan: Scan


def load(path: Path) -> Scan:
    """Return what was kept; nothing if it can't be used."""
    try:
        kept = msgspec.json.decode(read(path, MOST_BYTES), type=Kept)
    except (DatabaseBroken, ValueError):
        return Scan()
    return kept.scan if kept.form == FORM else Scan()


def save(path: Path, scan: Scan) -> None:
    """Keep *scan*; a disk that takes nothing is logged."""
    part = path.with_name(f".{path.name}.part")
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(msgspec.json.encode(Kept(form=FORM, scan=scan)))
        part.rename(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        log.warning("catalogue_not_kept", reason=str(error))
