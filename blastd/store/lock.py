"""Who holds a state folder: the daemon for as long as it runs, a command that mends it meanwhile."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blastd.store import private

NAME = "lock"


@contextmanager
def try_hold(folder: Path) -> Iterator[bool]:
    """Hold *folder* for the block; yields False when another process holds it. Raises OSError for a folder that can't be written.

    The kernel lets go of it when its holder dies, so a crash leaves nothing to clean.
    """
    with (folder / NAME).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        private.give(folder, folder / NAME)
        yield True


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Do the block in *folder* after all other processes that are in such a block; blocks, until they end or die."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextmanager
def hold_file(path: Path) -> Iterator[None]:
    """Make *path* and hold it for the block, then remove it; the kernel lets go of it when this process dies."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
            break
        os.close(handle)  # it was swept before it was held
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def is_held(path: Path) -> bool:
    """Tell whether a process that lives holds *path* (`hold_file`)."""
    try:
        handle = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
