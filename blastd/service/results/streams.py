"""Results that are sent while they are made, and the copy that is kept of them if there is room."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

import structlog

from blastd.aio import duty

BLOCK_BYTES = 256 << 10

log = structlog.get_logger()


async def in_threads(blocks: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield *blocks*, each made in a thread."""
    while (block := await duty(next, blocks, None)) is not None:
        yield block


class Copy:
    """A file beside what is sent: a disk without room costs the copy, not the download. All methods block."""

    def __init__(self, path: Path) -> None:
        """Take the file's name; the first write makes it."""
        self.path = path
        self._file: BinaryIO | None = None
        self._lost = False

    def write(self, block: bytes) -> None:
        """Add *block*, unless an earlier one found no room."""
        if self._lost:
            return
        try:
            if self._file is None:
                self._file = self.path.open("wb")
            self._file.write(block)
        except OSError as error:
            self._lost = True
            log.warning("result_not_kept", reason=error.strerror)

    def end(self) -> bool:
        """Tell whether the copy is whole."""
        try:
            if self._file is not None:
                self._file.flush()
        except OSError:
            self._lost = True
        return self._file is not None and not self._lost

    def drop(self) -> None:
        """Remove what has not been moved away."""
        try:
            if self._file is not None:
                self._file.close()
        except OSError:  # bytes that found no room
            self._lost = True
        if self._file is not None:
            self.path.unlink(missing_ok=True)


class FileBlocks:
    """The blocks of a file that is gone already: its room is given back when they have been read, or when nobody reads on."""

    def __init__(self, file: BinaryIO) -> None:
        """Take an open file."""
        self._file = file

    @classmethod
    def of(cls, path: Path) -> "FileBlocks":
        """Open *path* and take its name away; blocking."""
        file = path.open("rb")
        path.unlink()
        return cls(file)

    def __aiter__(self) -> "FileBlocks":
        """Read from where it stands."""
        return self

    async def __anext__(self) -> bytes:
        """Return the next block."""
        block = await duty(self._file.read, BLOCK_BYTES)
        if not block:
            await self.aclose()
            raise StopAsyncIteration
        return block

    async def aclose(self) -> None:
        """Give the file up."""
        self._file.close()
