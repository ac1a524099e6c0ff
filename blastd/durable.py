"""Durable files: temporary name -> fsync -> rename, with size and SHA-256.

All functions block: call them through `aio.offload`.
"""

import errno
import hashlib
import os
import shutil
import sqlite3
from pathlib import Path
from threading import Lock

from blastd.errors import DiskFull, Exhausted, StoreBroken

BLOCK = 1 << 20
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
SHUT = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})
SCARCE = {
    errno.EMFILE: "no file descriptor",
    errno.ENFILE: "no file descriptor",
    errno.EAGAIN: "no process or thread",
    errno.ENOMEM: "no memory",
}
"""What comes back by itself: a reason to wait, and no verdict on anything."""


NO_ROOM_BYTES = 64 << 10


def is_full(folder: Path) -> bool:
    """Tell whether nothing of any size can be written in *folder*; one that is not there is not full."""
    try:
        return shutil.disk_usage(folder).free < NO_ROOM_BYTES
    except OSError:
        return False


OF_FILES = (OSError, sqlite3.Error)
"""What is raised where files can't be read or written, of the system and of SQLite."""
UNUSABLE = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})


def flush(path: Path) -> None:
    """Make the content of a file durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put(source: Path, target: Path) -> None:
    """Give a file its name, with durable content; nobody reads *target* before its folder counts."""
    flush(source)
    source.rename(target)


def flush_folder(folder: Path) -> None:
    """Make renames in a folder durable."""
    flush(folder)


def digest(path: Path) -> tuple[int, str]:
    """Return size and SHA-256 of a file, read in blocks."""
    total, sha = 0, hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            total += len(block)
            sha.update(block)
    return total, sha.hexdigest()


class SharedFlush:
    """Makes renames in one folder durable: one flush serves all threads that asked before it began."""

    def __init__(self, folder: Path) -> None:
        """Flush *folder* when asked."""
        self._folder, self._flushing, self._counting = folder, Lock(), Lock()
        self._asked = self._served = 0

    def flush(self) -> None:
        """Return once everything that this thread did in the folder is durable. Raises OSError."""
        with self._counting:
            self._asked += 1
            mine = self._asked
        with self._flushing:
            if self._served >= mine:
                return
            with self._counting:
                all_now = self._asked
            flush_folder(self._folder)
            self._served = all_now


def publish(temporary: Path, final: Path) -> tuple[int, str]:
    """Give a complete file its name, durably; returns size and SHA-256."""
    found = digest(temporary)
    flush(temporary)
    temporary.replace(final)
    flush_folder(final.parent)
    return found


def rename_unflushed(temporary: Path, final: Path) -> tuple[int, str]:
    """Give a complete file its name; returns size and SHA-256.

    For what can be made again: a power cut may leave it damaged, which its checksum tells before it is read.
    """
    found = digest(temporary)
    temporary.replace(final)
    return found


def publish_unit(temporary: Path, final: Path) -> tuple[int, str]:
    """Publish the output of a unit, in a folder that may be new itself."""
    found = publish(temporary, final)
    flush_folder(final.parent.parent)
    return found


def of_machine(error: OSError | sqlite3.Error) -> StoreBroken | Exhausted | None:
    """Return what a full, read-only or broken disk, or a machine with nothing left, means for the user, without our paths.

    None for any other cause.
    """
    if isinstance(error, sqlite3.Error):  # of an index that is made of results
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return DiskFull()
        return StoreBroken(f"The files of the service can't be read or written: {error}.") if code in UNUSABLE else None
    if error.errno in FULL:
        return DiskFull()
    if error.errno in SHUT:
        return StoreBroken(f"The files of the service can't be read or written: {os.strerror(error.errno)}.")
    if error.errno in SCARCE:
        return Exhausted(f"This machine has {SCARCE[error.errno]} left for the service.")
    return None
