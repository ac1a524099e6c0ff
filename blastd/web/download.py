"""Files and streams as answers: validators, one range, and gzip where it is accepted.

A file is read in blocks in a thread, so that memory stays flat whatever its size; nothing is read ahead of the reader.
"""

import os
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias, runtime_checkable

from aiohttp import web

from blastd.aio import duty
from blastd.errors import RangeUnsatisfiable
from blastd.web.packing import accepts_gzip
from blastd.web.replies import disposition, matches, not_modified

BLOCK = 256 * 1024
WORTH_PACKING_BYTES = 1400
"""Below this a gzipped answer saves no packet."""
PACK_LEVEL = 1
"""Text of BLAST+ shrinks to a fifth at level 1; higher ones cost three times the processor for little."""


Packer: TypeAlias = "zlib._Compress | None"  # noqa: SLF001  # it has no public name


@runtime_checkable
class Closing(Protocol):
    """Blocks that hold something, which is given back at the end whether they were read or not."""

    async def aclose(self) -> None:
        """Give it back."""


class SentFile(NamedTuple):
    """A whole file to send."""

    path: Path
    size: int
    sha256: str
    media_type: str
    name: str


class Span(NamedTuple):
    """The bytes [first, end) of a file."""

    first: int
    end: int


async def send_file(request: web.Request, stored: SentFile, *, inline: bool = False) -> web.StreamResponse:
    """Answer a stored file: whole, a range of it, or 304."""
    plain = f'"{stored.sha256}"'
    span = wanted_span(request, plain, stored.size)
    pack = span is None and packs(request, stored)
    tag = f'"{stored.sha256}-gzip"' if pack else plain
    if matches(request, plain) or matches(request, tag):
        return not_modified(tag)
    headers = {
        "ETag": tag,
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-cache",
        "Vary": "Accept-Encoding, Authorization",
        "Content-Type": stored.media_type,
    }
    if not inline:
        headers["Content-Disposition"] = disposition(stored.name)
    part = span or Span(0, stored.size)
    if span is not None:
        headers["Content-Range"] = f"bytes {part.first}-{part.end - 1}/{stored.size}"
    if pack:
        headers["Content-Encoding"] = "gzip"
    else:
        headers["Content-Length"] = str(part.end - part.first)
    response = web.StreamResponse(status=206 if span is not None else 200, headers=headers)
    packer = zlib.compressobj(PACK_LEVEL, wbits=31) if pack else None
    handle, first = await duty(opened, stored.path, part, packer)
    try:
        await response.prepare(request)
        if request.method != "HEAD":
            await send_blocks(request, response, file_blocks(handle, part, first, packer))
    finally:
        os.close(handle)
    return response


async def send_stream(
    request: web.Request, blocks: AsyncIterable[bytes], media_type: str, name: str, more: Mapping[str, str]
) -> web.StreamResponse:
    """Answer what is made while it is sent: no length, no range."""
    headers = dict(more) | {
        "Content-Type": media_type,
        "Content-Disposition": disposition(name),
        "Cache-Control": "no-store",
    }
    headers["Vary"] = "Accept-Encoding, Authorization"
    pack = accepts_gzip(request)
    if pack:
        headers["Content-Encoding"] = "gzip"
    response = web.StreamResponse(headers=headers)
    try:
        await response.prepare(request)
        if request.method != "HEAD":
            await send_blocks(request, response, packed(blocks) if pack else blocks)
    finally:
        if isinstance(blocks, Closing):
            await blocks.aclose()
    return response


async def packed(blocks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """Yield *blocks* gzipped, packed in a thread as they come."""
    packer = zlib.compressobj(PACK_LEVEL, wbits=31)
    async for block in blocks:
        if part := await duty(packer.compress, block):
            yield part
    yield packer.flush()


async def send_blocks(request: web.Request, response: web.StreamResponse, blocks: AsyncIterable[bytes]) -> None:
    """Write *blocks* as fast as the reader takes them; one that hangs is cut off (`web/stalls.py`)."""
    try:
        async for block in blocks:
            await response.write(block)
        await response.write_eof()
    except ConnectionResetError:
        if request.transport is not None:
            request.transport.abort()


def opened(path: Path, span: Span, packer: Packer) -> tuple[int, bytes]:
    """Open a file and read the first block of *span*; blocking. The caller closes the handle."""
    handle = os.open(path, os.O_RDONLY)
    try:
        return handle, read_block(handle, span, packer)
    except BaseException:
        os.close(handle)
        raise


def read_block(handle: int, span: Span, packer: Packer) -> bytes:
    """Read a block of *span*, the first of what is left, gzipped if there is a *packer*; blocking.

    Raises OSError for a file that is shorter than it was, which cuts the answer off.
    """
    wanted = min(BLOCK, span.end - span.first)
    block = os.pread(handle, wanted, span.first)
    if len(block) < wanted:
        raise OSError("the file became shorter while it was sent")
    if packer is None:
        return block
    last = span.first + wanted == span.end
    return packer.compress(block) + (packer.flush() if last else b"")


async def file_blocks(handle: int, span: Span, block: bytes, packer: Packer) -> AsyncIterator[bytes]:
    """Yield the bytes of *span* as `read_block` gives them, of which *block* is the first."""
    for first in range(span.first, max(span.end, 1), BLOCK):
        if first > span.first:
            block = await duty(read_block, handle, Span(first, span.end), packer)
        if block:
            yield block


def packs(request: web.Request, stored: SentFile) -> bool:
    """Tell whether the answer is gzipped: the client accepts it, and it is worth while."""
    return stored.size >= WORTH_PACKING_BYTES and accepts_gzip(request)


def wanted_span(request: web.Request, tag: str, size: int) -> Span | None:
    """Return the one range that is asked for and may be answered (RFC 9110 14.2), None for the whole.

    What is not understood, several ranges, and a range of another version of the file (If-Range) give the whole.
    Raises RangeUnsatisfiable.
    """
    header = request.headers.get("Range", "").strip().lower()
    unit, _, text = header.partition("=")
    if unit != "bytes" or "," in text or request.headers.get("If-Range", tag).strip() != tag:
        return None
    first, dash, last = (part.strip() for part in text.partition("-"))
    if (
        not dash
        or not (first or last)
        or not all(part.isdecimal() and len(part) < 19 for part in (first, last) if part)
    ):
        return None
    if not first:
        span = Span(max(size - int(last), 0), size)
    else:
        span = Span(int(first), min(int(last) + 1, size) if last else size)
        if last and int(last) < int(first):
            return None
    if span.first >= span.end:
        raise RangeUnsatisfiable(f"The range lies outside the result, which has {size} bytes.", size_bytes=size)
    return span
