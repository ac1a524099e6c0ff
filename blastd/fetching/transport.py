"""Where files of a source come from: by HTTP from the hosts of the configuration only, or out of a folder of this machine."""

import base64
import binascii
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol

import aiohttp

from blastd.aio import duty
from blastd.config import SourceSettings
from blastd.core import sources
from blastd.core.model import Frozen
from blastd.core.sources import SourceUnreadable
from blastd.fetching.faults import FetchFailed, Interrupted, SourceChanged

BLOCK = 1 << 20
REDIRECTS = 5
RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
HEX_ETAG = re.compile(r'"([0-9a-f]{32})"')
PATH_SAFE = re.compile(r"[A-Za-z0-9._+/-]*")


class About(Frozen, frozen=True, kw_only=True):
    """What a source says of a file: its size (None: not told), what names this state of it, a checksum where it tells one."""

    size: int | None
    validator: str
    checksum: str = ""


class Stream(Frozen, frozen=True, kw_only=True):
    """The bytes of a file from `start` on."""

    about: About
    start: int
    blocks: AsyncIterator[bytes]


class Transport(Protocol):
    """What files of one source come by; paths are relative to its address."""

    async def about(self, path: str) -> About | None:
        """Return what the source says of a file, None where there is none. Raises Interrupted, FetchFailed."""

    async def read(self, path: str, most_bytes: int) -> bytes | None:
        """Return a small file, None where there is none. Raises Interrupted, FetchFailed when it is larger."""

    def stream(self, path: str, start: int, validator: str) -> AbstractAsyncContextManager[Stream]:
        """Open a file at *start* if it is still the one that *validator* names, else at 0.

        Raises Interrupted; SourceChanged where there is no such file; FetchFailed.
        """

    async def names(self) -> list[str]:
        """Return the names of the files in the source's folder; empty where it can't be listed."""


class HttpTransport:
    """Files by HTTP: ranges, no cookies, no proxies of the environment, redirects only to hosts of the configuration."""

    def __init__(self, session: aiohttp.ClientSession, source: SourceSettings) -> None:
        """Ask *source* through *session*."""
        self._session, self._source = session, source
        self._base = source.url if source.is_file else source.url.rstrip("/") + "/"

    def _address(self, path: str) -> str:
        if not PATH_SAFE.fullmatch(path) or path.startswith("/") or ".." in path:
            raise FetchFailed(f"{path[:100]!r} is no file of the source {self._source.name}.")
        return self._base + path

    @asynccontextmanager
    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask for a file and follow what may be followed. Raises Interrupted, FetchFailed."""
        address, name = self._address(path), self._source.name
        try:
            for _ in range(REDIRECTS):
                async with self._session.request(method, address, headers=headers, allow_redirects=False) as answer:
                    if answer.status in {301, 302, 303, 307, 308} and "Location" in answer.headers:
                        address = sources.redirected(address, answer.headers["Location"], self._source.hosts)
                        continue
                    _check(answer, name, path)
                    yield answer
                    return
            raise FetchFailed(f"The source {name} redirects {path} more than {REDIRECTS} times.")
        except SourceUnreadable as error:
            raise FetchFailed(f"The source {name} can't be used: {error}.") from error
        except TimeoutError as error:
            raise Interrupted(f"The source {name} sent nothing of {path} for too long.") from error
        except (aiohttp.ClientError, ConnectionError, OSError) as error:
            if isinstance(error, OSError) and not isinstance(error, (aiohttp.ClientError, ConnectionError)):
                raise  # of our own disk
            raise Interrupted(f"The source {name} broke off at {path}: {_reason(error)}.") from error

    async def about(self, path: str) -> About | None:
        """Return what the source says of a file, None where there is none. Raises Interrupted, FetchFailed."""
        async with self._ask("HEAD", path) as answer:
            return None if answer.status in {404, 410} else _about(answer)

    async def read(self, path: str, most_bytes: int) -> bytes | None:
        """Return a small file, None where there is none. Raises Interrupted, FetchFailed when it is larger."""
        async with self._ask("GET", path) as answer:
            if answer.status in {404, 410}:
                return None
            held = bytearray()
            async for block in answer.content.iter_chunked(BLOCK):
                held += block
                if len(held) > most_bytes:
                    raise FetchFailed(f"{path} of the source {self._source.name} has more than {most_bytes:,} bytes.")
            return bytes(held)

    @asynccontextmanager
    async def stream(self, path: str, start: int, validator: str) -> AsyncIterator[Stream]:
        """Open a file at *start* if it is still the one that *validator* names, else at 0."""
        headers = {"Range": f"bytes={start}-", "If-Range": validator} if start and validator else {}
        async with self._ask("GET", path, headers) as answer:
            if answer.status in {404, 410}:
                raise SourceChanged(f"The source {self._source.name} has no {path} any more.", "source_missing")
            about, begins = _about(answer), 0
            if answer.status == 206:
                match = RANGE.fullmatch(answer.headers.get("Content-Range", ""))
                if match is None or int(match[1]) != start:
                    raise Interrupted(f"The source {self._source.name} sent another part of {path} than was asked for.")
                begins = start
                about = About(
                    size=int(match[2]) if match[2] != "*" else None, validator=about.validator, checksum=about.checksum
                )
            yield Stream(about=about, start=begins, blocks=answer.content.iter_chunked(BLOCK))

    async def names(self) -> list[str]:
        """Return nothing: HTTP has no folders."""
        return []


def _check(answer: aiohttp.ClientResponse, name: str, path: str) -> None:
    """Raise Interrupted or FetchFailed for what is no answer."""
    status = answer.status
    if status in {200, 206, 404, 410}:
        return
    if status == 416:
        raise SourceChanged(f"{path} of the source {name} is shorter than it was.")
    if status in {408, 425, 429} or status >= 500:
        raise Interrupted(f"The source {name} answered {status} for {path}.", after_seconds=_after(answer))
    raise FetchFailed(f"The source {name} answered {status} for {path}: the operator has to look at its settings.")


def _after(answer: aiohttp.ClientResponse) -> float | None:
    """Return the seconds of Retry-After; a date there is not believed, since the clocks may differ."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def _about(answer: aiohttp.ClientResponse) -> About:
    length = answer.headers.get("Content-Length", "")
    etag, modified = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
    return About(
        size=int(length) if length.isdigit() else None,
        validator=etag if etag and not etag.startswith("W/") else _date(modified),
        checksum=_told_checksum(answer.headers),
    )


def _date(text: str) -> str:
    try:
        parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return ""
    return text


def _told_checksum(headers: Mapping[str, str]) -> str:
    """Return the MD5 that storage services tell (x-goog-hash, Content-MD5, an ETag that is one), else nothing."""
    for text in (*headers.get("x-goog-hash", "").split(","), f"md5={headers.get('Content-MD5', '')}"):
        kind, _, value = text.strip().partition("=")
        if kind == "md5" and value:
            try:
                digest = base64.b64decode(value, validate=True)
            except (ValueError, binascii.Error):
                continue
            if len(digest) == 16:
                return f"md5:{digest.hex()}"
    match = HEX_ETAG.fullmatch(headers.get("ETag", ""))
    return f"md5:{match[1]}" if match and "x-amz-request-id" in headers else ""


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return " ".join(text.split())[:200]


class FolderTransport:
    """Files out of a folder of this machine, for one that has no network."""

    def __init__(self, source: SourceSettings) -> None:
        """Read the folder of *source*."""
        self._source, self._root = source, Path(source.url)

    def _path(self, path: str) -> Path:
        if not PATH_SAFE.fullmatch(path) or path.startswith("/") or ".." in path:
            raise FetchFailed(f"{path[:100]!r} is no file of the source {self._source.name}.")
        return self._root / path if path else self._root

    async def about(self, path: str) -> About | None:
        """Return size and time of a file, None where there is none. Raises Interrupted."""
        return await duty(self._about, path)

    def _about(self, path: str) -> About | None:
        try:
            stat = self._path(path).stat()
        except FileNotFoundError as error:
            if not self._root.exists():
                raise Interrupted(f"The folder of the source {self._source.name} is not there.") from error
            return None
        except OSError as error:
            raise Interrupted(f"{path} of the source {self._source.name} can't be read: {error.strerror}.") from error
        return About(size=stat.st_size, validator=f"{stat.st_ino}-{stat.st_size}-{stat.st_mtime_ns}")

    async def read(self, path: str, most_bytes: int) -> bytes | None:
        """Return a small file, None where there is none."""
        about = await self.about(path)
        if about is None:
            return None
        if (about.size or 0) > most_bytes:
            raise FetchFailed(f"{path} of the source {self._source.name} has more than {most_bytes:,} bytes.")
        try:
            return await duty(self._path(path).read_bytes)
        except OSError as error:
            raise Interrupted(f"{path} of the source {self._source.name} can't be read: {error.strerror}.") from error

    @asynccontextmanager
    async def stream(self, path: str, start: int, validator: str) -> AsyncIterator[Stream]:
        """Open a file at *start* if it is still the one that *validator* names, else at 0."""
        about = await self.about(path)
        if about is None:
            raise SourceChanged(f"The source {self._source.name} has no {path} any more.", "source_missing")
        begins = start if validator == about.validator else 0
        yield Stream(about=about, start=begins, blocks=self._blocks(path, begins))

    async def _blocks(self, path: str, start: int) -> AsyncIterator[bytes]:
        try:
            with self._path(path).open("rb") as file:
                file.seek(start)
                while block := await duty(file.read, BLOCK):
                    yield block
        except OSError as error:
            raise Interrupted(f"{path} of the source {self._source.name} can't be read: {error.strerror}.") from error

    async def names(self) -> list[str]:
        """Return the names of the files in the folder. Raises Interrupted."""
        try:
            return await duty(lambda: sorted(entry.name for entry in self._root.iterdir() if entry.is_file()))
        except OSError as error:
            raise Interrupted(
                f"The folder of the source {self._source.name} can't be read: {error.strerror}."
            ) from error


@asynccontextmanager
async def opened(source: SourceSettings, stall_seconds: float, files_at_once: int) -> AsyncIterator[Transport]:
    """Give what files of *source* come by."""
    if not source.is_http:
        yield FolderTransport(source)
        return
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=files_at_once + 4),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=stall_seconds, sock_read=stall_seconds),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        headers={"Accept-Encoding": "identity", "User-Agent": "blastd"},
    ) as session:
        yield HttpTransport(session, source)
