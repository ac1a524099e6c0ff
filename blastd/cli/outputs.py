"""Files that commands write: new ones, whole ones, and a sentence where one can't be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blastd.errors import BadRequest


def new_file(name: str) -> Path:
    """Return *name* as a file that is not there yet, in a folder that is. Raises BadRequest."""
    target = Path(name).absolute()
    try:
        if target.exists() or target.is_symlink():
            raise BadRequest(f"{target} exists: name a new file.")
        if not target.parent.is_dir():
            raise BadRequest(f"{target.parent} is not a folder.")
    except OSError as error:
        raise unwritable(target, error) from error
    return target


@contextmanager
def writing(target: Path) -> Iterator[None]:
    """Turn what the operating system says of *target* into BadRequest."""
    try:
        yield
    except OSError as error:
        raise unwritable(target, error) from error


def unwritable(target: Path, error: OSError) -> BadRequest:
    """Return the error of a file that can't be written."""
    return BadRequest(f"{target} can't be written: {error.strerror or error}.")
