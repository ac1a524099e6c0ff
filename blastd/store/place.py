"""Whether an open store still lies where its name says: files that were moved or replaced are written to unseen.

SQLite and the kernel go on with open files whatever becomes of their names, so what is committed then is in a file that
nobody finds again. Device and inode of the files and folders tell (stat(2)); asking costs some microseconds.
"""

from collections.abc import Iterable
from pathlib import Path

from blastd.errors import StoreGone

Identity = tuple[int, int]


class StorePlace:
    """The files and folders of an open store, as they were when it was opened."""

    def __init__(self, file: Path) -> None:
        """Take the open store *file*: it, its journal and its folder are compared from now on."""
        self._known: dict[Path, Identity] = {}
        self.watch((file.parent, file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))))

    def watch(self, paths: Iterable[Path]) -> None:
        """Compare *paths* as well, those that are there."""
        self._known |= {path: identity for path in paths if (identity := _identity(path)) is not None}

    def gone(self) -> StoreGone | None:
        """Return the error of a store that is no longer where it was; None while all is in its place."""
        for path, known in self._known.items():
            found = _identity(path)
            if found != known:
                became = "is not where it was" if found is None else "was replaced by another"
                return StoreGone(
                    f"{path.name} of the service's state {became}: nothing is accepted, since it would be lost. "
                    "Put it back under its name, or restart the service on the state that is there."
                )
        return None


def _identity(path: Path) -> Identity | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
