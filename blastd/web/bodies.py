"""Request bodies, streamed to a file or read whole, both within limits that chunked bodies and gzip bombs can't pass.

The server does not decode bodies (see `make_runner`): what a gzip stream unfolds to is counted here, as it unfolds.
Whether bytes are gzip is told by their start, never by a name: people send gzip as .fa and plain text as .gz.
"""

import asyncio
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast
from urllib.parse import unquote_to_bytes

from aiohttp import BodyPartReader, MultipartReader, StreamReader, web
from aiohttp.http import HttpProcessingError

from blastd.aio import duty, offload
from blastd.errors import BadRequest, TooLarge, UnsupportedEncoding
from blastd.web import wire

T = TypeVar("T")
P = ParamSpec("P")
GZIP = b"\x1f\x8b"
BLOCK = 256 * 1024
SMALL = 64 * 1024
"""Up to here a write costs less than a hop to a thread."""
ROOM_BYTES = 8 << 20
"""Between two looks at the free disk space while a large file arrives."""
JSON_BYTES = 16 << 20
"""JSON and forms are held in memory, and decoding one takes 20 ms in which nobody else is served; larger queries are
sent as a file."""
PARTS = 200
"""Of one form: a search has some fifteen fields and a hundred databases."""
LINES = 20 * PARTS
"""Between the parts of one form, their headers included."""
FIELDS = 1000
"""Of one form in the old style; NCBI's own has about two hundred."""
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
        raise UnsupportedEncoding(f"Content-Encoding {encoding[:40]!r} is not known here: send plain bytes or gzip.")
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
            if packer is not None:
                await asyncio.sleep(0)  # a block unfolds to a thousand times its size: others have their turns between
    if start:
        yield start
    if packer is not None:
        packer.end()


def too_large(limit: int) -> TooLarge:
    """Return the error of a body beyond *limit* bytes."""
    return TooLarge(
        f"The body has more than {limit:,} bytes (after unpacking), the limit of this service.", limit_bytes=limit
    )


async def to_file(
    blocks: AsyncIterable[bytes], encoding: str, target: Path, limit: int, room: Callable[[], None] | None = None
) -> int:
    """Write the plain bytes of a body to *target*; returns how many. The caller removes the file, also after an error.

    *room* is asked while bytes arrive, and refuses more of them by what it raises.
    """
    size, held, asked = 0, bytearray(), 0
    with target.open("wb") as file:
        async for piece in plain(blocks, encoding, limit):
            size += len(piece)
            held += piece
            if len(held) >= BLOCK:
                await duty(file.write, held)
                held = bytearray()
            if room is not None and size - asked >= ROOM_BYTES:
                await duty(room)
                asked = size
        if len(held) <= SMALL:
            file.write(held)
        else:
            await duty(file.write, held)
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


async def here_or_there(size: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do *work* on *size* bytes: at once when they are few, else in a thread."""
    return work(*args, **kwargs) if size <= SMALL else await offload(work, *args, **kwargs)


async def json_object(body: bytes) -> dict[str, object]:
    """Return the JSON object of a body, a long one decoded in a thread. Raises BadRequest when it is not one."""
    return await here_or_there(len(body), wire.decode_json, body)


class FewLines:
    """The stream of a form, whose lines are counted.

    aiohttp reads what lies between parts line by line and without a turn for others, for as long as there is some.
    """

    def __init__(self, stream: StreamReader) -> None:
        """Take the stream."""
        self._stream, self._left = stream, LINES

    async def readline(self, **limits: Any) -> bytes:
        """Return the next line. Raises ValueError when there were too many."""
        self._left -= 1
        if self._left < 0:
            raise ValueError("it has too many lines between its parts")
        return await self._stream.readline(**limits)

    def __getattr__(self, name: str) -> Any:
        """Return what the stream itself has."""
        return getattr(self._stream, name)


async def parts(request: web.Request) -> AsyncIterator[tuple[str, BodyPartReader]]:
    """Yield the parts of a form with their names. Raises BadRequest for very many, and for a part that is a form itself."""
    reader = MultipartReader(request.headers, cast("StreamReader", FewLines(request.content)))
    number = 0
    async for part in reader:
        if not isinstance(part, BodyPartReader):
            raise BadRequest("A part of the form is itself multipart; send the file as one part.")
        number += 1
        if number > PARTS:
            raise BadRequest(f"The form has more than {PARTS} parts.")
        yield printable(part.name or ""), part
        await asyncio.sleep(0)  # the next may have come already: others have their turns between


def printable(text: str) -> str:
    """Return *text* with a mark for what is no UTF-8, which can't be answered."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def urlencoded(body: bytes) -> list[tuple[str, str]]:
    """Return the fields of a form in the old style; blocking. Raises BadRequest for very many."""
    if body.count(b"&") >= FIELDS:
        raise BadRequest(f"The form has more than {FIELDS} fields.")
    pairs = [pair.partition(b"=") for pair in body.split(b"&") if pair]
    return [(_unquoted(name), _unquoted(value)) for name, _, value in pairs]


def _unquoted(text: bytes) -> str:
    """Return what %-signs stand for, in blocks, since one call for millions of them would let nobody else run."""
    plain_blocks, at = [], 0
    while at < len(text):
        end = at + SMALL
        while end < len(text) and b"%" in text[end - 2 : end]:
            end += 1
        plain_blocks.append(unquote_to_bytes(text[at:end].replace(b"+", b" ")))
        at = end
    return b"".join(plain_blocks).decode("utf-8", "surrogateescape")


async def form(request: web.Request, limit: int) -> list[tuple[str, str]]:
    """Return the fields of a form of either style, all of them texts; bytes that are no UTF-8 are kept as such. Raises BadRequest, TooLarge."""
    limit = min(limit, JSON_BYTES)
    check_length(request, limit)
    if request.content_type != "multipart/form-data":
        body = await whole(request.content.iter_any(), encoding_of(request), limit)
        return await here_or_there(len(body), urlencoded, body)
    pairs: list[tuple[str, str]] = []
    with reading_form():
        async for name, part in parts(request):
            text = await whole(part_blocks(part), "", limit)
            limit -= len(text)
            pairs.append((name, text.decode("utf-8", "surrogateescape")))
    return pairs


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
