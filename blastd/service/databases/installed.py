"""What stands beside a database that was fetched: where it came from, and which version it is. All functions block."""

from pathlib import Path

import msgspec

from blastd.core.model import Frozen

RECORD = ".source.json"


class Installed(Frozen, frozen=True, kw_only=True):
    """Where a database came from: the source's name, what it is called there, and its version."""

    source: str
    offer: str
    molecule: str
    version: str
    fetched_at_ms: int


def write(folder: Path, record: Installed) -> None:
    """Put the record into the folder of a database."""
    (folder / RECORD).write_bytes(msgspec.json.encode(record))


def read(folder: Path) -> Installed | None:
    """Return the record of the database in *folder*, None for one that was not fetched."""
    try:
        return msgspec.json.decode((folder / RECORD).read_bytes(), type=Installed)
    except (OSError, msgspec.MsgspecError):
        return None
