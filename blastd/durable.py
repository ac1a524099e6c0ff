"""Durable files: temporary name -> fsync -> rename, with size and SHA-256.

All functions block: call them through `aio.offload`.
"""

import hashlib
import os
from pathlib import Path

BLOCK = 1 << 20


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
