"""Query files on their way to the service: several joined into one stream, gzip undone, a final newline made sure."""

import asyncio
import gzip
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import IO, cast

from blastd.errors import BadRequest

BLOCK = 1 << 20
GZIP = b"\x1f\x8b"


async def joined(files: Sequence[Path | None]) -> AsyncIterator[bytes]:
    """Give the content of *files* (None: standard input), one after the other."""
    for file in files:
        stream = _open(file)
        last = b"\n"
        try:
            while block := await asyncio.to_thread(stream.read, BLOCK):
                last = block[-1:]
                yield block
        except (OSError, EOFError) as error:
            raise BadRequest(f"{file or 'standard input'} can't be read: {error}") from error
        finally:
            if file is not None:
                stream.close()
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


def text_of(body: bytes) -> str:
    """Return the first words of an answer that is not JSON."""
    return " ".join(body[:500].decode("utf-8", "replace").split())[:200]


def _open(file: Path | None) -> IO[bytes]:
    """Open for reading, through gzip if the content says so."""
    if file is None:
        return sys.stdin.buffer
    with file.open("rb") as stream:
        packed = stream.read(2) == GZIP
    return cast("IO[bytes]", gzip.open(file)) if packed else file.open("rb")
