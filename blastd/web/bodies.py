"""Request bodies, streamed to a file or read whole, both within limits that chunked bodies and gzip bombs can't pass.

The server does not decode bodies (see `make_runner`): what a gzip stream unfolds to is counted here, as it unfolds.
Whether bytes are gzip is told by their start, never by a name: people send gzip as .fa and plain text as .gz.
"""

import zlib
from collections.abc import AsyncIterable, AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from blastd.aio import offload
from blastd.errors import BadRequest, TooLarge

GZIP = b"\x1f\x8b"
BLOCK = 256 * 1024
SMALL = 64 * 1024
"""Up to here a write costs less than a hop to a thread."""
ENCODINGS = {"": None, "identity": None, "gzip": 31, "x-gzip": 31, "deflate": 15}
"""Content-Encoding to the window bits of zlib that read it."""


class Gzip:
    """Unfolds one gzip stream after the other (RFC 1952 2.2 allows several), piece by piece."""

    def __init__(self, window_bits: int) -> None:
        """Begin."""
        self._bits = window_bits
        self._packer = zlib.decompressobj(window_bits)
        self._within = False

    def unfold(self, data: bytes) -> Iterator[bytes]:
        """Yield the plain bytes of *data*, at most BLOCK at once, so that the reader can stop in time."""
        while data:
            self._within = True
            try:
                yield self._packer.decompress(data, BLOCK)
            except zlib.error as error:
                raise BadRequest(f"The compressed body is damaged: {error}.") from error
            data = self._packer.unconsumed_tail
            if self._packer.eof:
                data = self._packer.unused_data.lstrip(b"\0")
                self._packer, self._within = zlib.decompressobj(self._bits), False

    def end(self) -> None:
        """Raise BadRequest when a stream is not whole."""
        if self._within:
            raise BadRequest("The compressed body ends early: it was cut short on its way.")


async def plain(blocks: AsyncIterable[bytes], encoding: str, limit: int) -> AsyncIterator[bytes]:
    """Yield the plain bytes of a body that is gzip or not. Raises TooLarge beyond *limit* bytes, packed or not."""
    encoding = encoding.strip().lower()
    if encoding not in ENCODINGS:
        raise BadRequest(f"Content-Encoding {encoding[:40]!r} is not known here: send plain bytes or gzip.")
    packed = unfolded = 0
    start: bytes | None = b""
    packer: Gzip | None = None
    async for received in blocks:
        packed += len(received)
        block = received
        if start is not None:
            start += received
            if len(start) < len(GZIP):
                continue
            block, start = start, None
            bits = 31 if block.startswith(GZIP) else ENCODINGS[encoding]
            packer = Gzip(bits) if bits is not None else None
        for piece in packer.unfold(block) if packer is not None else (block,):
            unfolded += len(piece)
            if max(packed, unfolded) > limit:
                raise too_large(limit)
            yield piece
    if start:
        yield start
    if packer is not None:
        packer.end()


def too_large(limit: int) -> TooLarge:
    """Return the error of a body beyond *limit* bytes."""
    return TooLarge(
        f"The body has more than {limit:,} bytes (after unpacking), the limit of this service.", limit_bytes=limit
    )


async def to_file(blocks: AsyncIterable[bytes], encoding: str, target: Path, limit: int) -> int:
    """Write the plain bytes of a body to *target*; returns how many. The caller removes the file, also after an error."""
    size = 0
    with target.open("wb") as file:
        async for piece in plain(blocks, encoding, limit):
            size += len(piece)
            if len(piece) <= SMALL:
                file.write(piece)
            else:
                await offload(file.write, piece)
    return size


async def whole(blocks: AsyncIterable[bytes], encoding: str, limit: int) -> bytes:
    """Return the plain bytes of a small body."""
    return b"".join([piece async for piece in plain(blocks, encoding, limit)])


def encoded(text: str) -> bytes:
    """Return the bytes that a client sent as *text*, also those that are no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def check_length(request: web.Request, limit: int) -> None:
    """Refuse a body that says itself that it is too large, before it is read."""
    if (request.content_length or 0) > limit:
        raise too_large(limit)


def encoding_of(request: web.Request) -> str:
    """Return the Content-Encoding of a request."""
    return request.headers.get("Content-Encoding", "")


async def part_blocks(part: BodyPartReader) -> AsyncIterator[bytes]:
    """Yield the bytes of a part of a multipart body."""
    while block := await part.read_chunk(SMALL):
        yield block


@contextmanager
def reading_form() -> Iterator[None]:
    """Turn what aiohttp raises while the parts of a form are read into BadRequest: it has no error of its own for it."""
    try:
        yield
    except (ValueError, AssertionError, HttpProcessingError) as error:
        reason = error.message if isinstance(error, HttpProcessingError) else str(error)
        raise BadRequest(f"The form can't be read: {' '.join(reason.split())[:200]}.") from error
