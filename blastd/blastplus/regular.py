"""Files of a folder that anybody may have put there: looked at without waiting, read with a bound. All functions block.

A name may be a FIFO (opening it waits for a writer), a device (reading it never ends), a folder, or a link to one of them;
a file may be huge, unreadable, or vanish meanwhile. Each of these is a DatabaseBroken that names the file.
"""

import os
import stat
from pathlib import Path
from typing import Self

from blastd.core.model import Frozen
from blastd.durable import SCARCE
from blastd.errors import DatabaseBroken

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
UNPRINTED = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
SHOWN_LETTERS = 300


class Part(Frozen, frozen=True, kw_only=True):
    """A file of a database, with what tells whether it has been replaced."""

    path: str
    size: int
    mtime_ns: int
    inode: int


def printed(text: str, most: int = SHOWN_LETTERS) -> str:
    """Return a text of somebody else for an answer, a row or a log: valid UTF-8 without control characters, not endless."""
    plain = text.encode("utf-8", "backslashreplace").decode().translate(UNPRINTED)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def part(path: Path | str) -> Part | None:
    """Return a regular file as it is now, None if nothing is there. Raises DatabaseBroken for anything else."""
    try:
        found = os.stat(path)  # noqa: PTH116  # asked fifty times for each database: a Path costs more than the answer
    except (FileNotFoundError, NotADirectoryError):
        if Path(path).is_symlink():
            raise DatabaseBroken(f"{printed(Path(path).name)} is a link that leads nowhere") from None
        return None
    except (OSError, ValueError) as error:
        raise unreadable(Path(path), error) from error
    if not stat.S_ISREG(found.st_mode):
        raise DatabaseBroken(
            f"{printed(Path(path).name)} is {KINDS.get(stat.S_IFMT(found.st_mode), 'no file')}, not a file"
        )
    return Part(path=str(path), size=found.st_size, mtime_ns=found.st_mtime_ns, inode=found.st_ino)


def unreadable(path: Path, error: OSError | ValueError) -> DatabaseBroken:
    """Return what to say of a file that can't be looked at or read. Raises OSError when only the machine lacks something."""
    if isinstance(error, OSError) and error.errno in SCARCE:
        raise error
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return DatabaseBroken(f"{printed(path.name)} can't be read: {printed(reason)}")


class BoundedReader:
    """A regular file that is open for reading at any place; closes itself at the end of its block."""

    def __init__(self, path: Path) -> None:
        """Open *path*. Raises DatabaseBroken when it is missing, no regular file, or can't be read."""
        if part(path) is None:  # a device may act when it is opened, so it is looked at first
            raise DatabaseBroken(f"{printed(path.name)} is missing")
        self._path = path
        try:
            self._handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except (OSError, ValueError) as error:
            raise unreadable(path, error) from error
        found = os.fstat(self._handle)
        self.size = found.st_size
        if not stat.S_ISREG(found.st_mode):
            os.close(self._handle)
            raise DatabaseBroken(f"{printed(path.name)} is no regular file any more")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        os.close(self._handle)

    def at(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes from *offset*; fewer at the end of the file. Raises DatabaseBroken."""
        blocks = []
        try:
            while size > 0 and (block := os.pread(self._handle, size, offset)):
                blocks.append(block)
                offset, size = offset + len(block), size - len(block)
        except (OSError, OverflowError, ValueError) as error:
            raise unreadable(self._path, error if isinstance(error, OSError) else ValueError(error)) from error
        return b"".join(blocks)


def read(path: Path, most: int) -> bytes:
    """Return the whole of a small file. Raises DatabaseBroken, also for one of more than *most* bytes."""
    with BoundedReader(path) as file:
        data = file.at(0, most + 1)
    if len(data) > most:
        raise DatabaseBroken(f"{printed(path.name)} has more than {most:,} bytes, which no file of its kind has")
    return data
