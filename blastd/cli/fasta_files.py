"""Query files on their way to the service: several joined into one stream, gzip undone, a final newline made sure."""

import asyncio
import gzip
import os
import tempfile
import threading
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, cast

from blastd.errors import BadRequest

BLOCK = 1 << 20
GZIP = b"\x1f\x8b"


async def joined(files: Sequence[Path | None]) -> AsyncIterator[bytes]:
    """Give the content of *files* (None: standard input), one after the other."""
    for file in files:
        last = b"\n"
        try:
            async for block in _blocks(file):
                last = block[-1:]
                yield block
        except (OSError, EOFError, zlib.error) as error:
            raise BadRequest(f"{file or 'standard input'} can't be read: {error}") from error
        if last != b"\n":
            yield b"\n"


def check_files(names: Sequence[str]) -> list[Path | None]:
    """Return the files of *names*, "-" as None. Raises BadRequest that names every one that can't be read."""
    if names.count("-") > 1:
        raise BadRequest("Standard input (-) can be read only once.")
    faults, files = [], []
    for name in names:
        file = None if name == "-" else Path(name)
        files.append(file)
        if file is None:
            continue
        try:
            with file.open("rb"):
                pass
        except OSError as error:
            faults.append(f"{name} can't be read: {error.strerror}.")
    if faults:
        raise BadRequest(" ".join(faults))
    return files


@asynccontextmanager
async def spooled(files: Sequence[Path | None]) -> AsyncIterator[Sequence[Path | None]]:
    """Give *files* with standard input as a temporary file, so that they can be sent more than once."""
    if None not in files:
        yield files
        return
    with tempfile.NamedTemporaryFile(prefix="blastd-", suffix=".fa") as kept:
        try:
            while block := await _read_input():
                kept.write(block)
            kept.flush()
        except OSError as error:
            raise BadRequest(f"standard input can't be read, or kept in {tempfile.gettempdir()}: {error}") from error
        yield [Path(kept.name) if file is None else file for file in files]


def text_of(body: bytes) -> str:
    """Return the first words of an answer that is not JSON."""
    return " ".join(body[:500].decode("utf-8", "replace").split())[:200]


async def _blocks(file: Path | None) -> AsyncIterator[bytes]:
    """Give the content of a file, through gzip if it is packed, or of standard input as it is."""
    if file is None:
        while block := await _read_input():
            yield block
        return
    with _open(file) as stream:
        while block := await asyncio.to_thread(stream.read, BLOCK):
            yield block


async def _read_input() -> bytes:
    """Read from standard input, in a thread for which nobody waits at the end: a pipe may stay silent for ever."""
    loop = asyncio.get_running_loop()
    end: asyncio.Future[bytes] = loop.create_future()

    def tell(block: bytes, error: OSError | None) -> None:
        if not end.done():
            end.set_result(block) if error is None else end.set_exception(error)

    def read() -> None:
        block, failure = b"", None
        try:
            block = os.read(0, BLOCK)  # not through Python's buffer, whose lock would be held at the end
        except OSError as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, block, failure)

    threading.Thread(target=read, name="standard input", daemon=True).start()
    return await end


def _open(file: Path) -> IO[bytes]:
    """Open for reading, through gzip if the content says so."""
    with file.open("rb") as stream:
        packed = stream.read(2) == GZIP
    return cast("IO[bytes]", gzip.open(file)) if packed else file.open("rb")
