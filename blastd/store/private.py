"""Keeps the state to the service's own account, whatever made its files: an older version, a copy, another umask.

All functions block. Links are not followed. Pinned databases keep their modes: they are the operator's own files under
another name (hard links), and others may have to read them.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import structlog

from blastd.core.model import Frozen

log = structlog.get_logger()

OTHERS = 0o077
"""Bits of a mode that let group and others in, and the umask of whatever writes here."""
PINNED = "generations"
SHOWN = 5


class Tightened(Frozen, frozen=True, kw_only=True):
    """What a pass did: how many entries it closed, and which it could not."""

    closed: int
    refused: tuple[str, ...]


def loose(root: Path) -> Iterator[tuple[Path, int]]:
    """Yield the state folder and what is below it, with its mode, where group or others may get in; folders come first."""
    yield from _entry(root, root.stat())
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            found = list(os.scandir(folder))
        except OSError:
            continue  # it has gone, or is another user's
        for entry in found:
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            if stat.S_ISDIR(state.st_mode):
                folders.append(Path(entry.path))
            elif PINNED in Path(entry.path).relative_to(root).parts[:1] or not stat.S_ISREG(state.st_mode):
                continue
            yield from _entry(Path(entry.path), state)


def _entry(path: Path, state: os.stat_result) -> Iterator[tuple[Path, int]]:
    if state.st_mode & OTHERS:
        yield path, stat.S_IMODE(state.st_mode)


def tighten(root: Path) -> Tightened:
    """Close everything under *root* to group and others."""
    closed, refused = 0, list[str]()
    for path, mode in loose(root):
        try:
            path.chmod(mode & ~OTHERS)
            closed += 1
        except FileNotFoundError:
            continue
        except OSError as error:
            refused.append(f"{path}: {error.strerror}")
    return Tightened(closed=closed, refused=tuple(refused))


def close(folder: Path) -> None:
    """Close the state folder itself, and with it all that is below; one of another owner is told of by `tighten`."""
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & OTHERS:
        with suppress(PermissionError):
            folder.chmod(mode & ~OTHERS)


def give(root: Path, *made: Path) -> None:
    """Give files and folders, with all in them, to the account that *root* belongs to, where root made them.

    The service could not write what belongs to root. Nobody else can give anything away, nor makes what isn't his own.
    """
    of = root.stat()
    if os.geteuid() != 0 or (of.st_uid, of.st_gid) == (os.geteuid(), os.getegid()):
        return
    for one in made:
        for path in (one, *(one.rglob("*") if one.is_dir() else ())):
            with suppress(FileNotFoundError):
                os.chown(path, of.st_uid, of.st_gid, follow_symlinks=False)


def keep(folder: Path) -> None:
    """Close the state to other accounts, and say in the log what was open and what still is."""
    found = tighten(folder)
    if found.closed:
        log.warning("state_closed_to_others", files=found.closed)
    if found.refused:
        log.error("state_open_to_others", files=len(found.refused), first=found.refused[:SHOWN])
