"""Durable files: temporary name -> fsync -> rename, with size and SHA-256.

All functions block: call them through `aio.offload`.
"""

import errno
import hashlib
import os
from pathlib import Path

from blastd.errors import DiskFull, StoreBroken

BLOCK = 1 << 20
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
SHUT = frozenset({errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


def flush(path: Path) -> None:
    """Make the content of a file durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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


def publish(temporary: Path, final: Path) -> tuple[int, str]:
    """Give a complete file its name, durably; returns size and SHA-256."""
    found = digest(temporary)
    flush(temporary)
    temporary.replace(final)
    flush_folder(final.parent)
    return found


def of_disk(error: OSError) -> StoreBroken | None:
    """Return what a full, read-only or broken disk means for the user, without our paths; None for any other cause."""
    if error.errno in FULL:
        return DiskFull()
    if error.errno in SHUT:
        return StoreBroken(f"The files of the service can't be read or written: {os.strerror(error.errno)}.")
    return None
