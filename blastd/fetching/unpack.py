"""Unpacking an archive that somebody else made: plain files with plain names into one folder, and nothing else. All functions block.

The tar format lets a member be anything anywhere. Each header passes Python's own data filter and then `core/archive`;
bytes are counted as they unfold, so that neither a bomb nor a header that claims gigabytes costs memory or disk.
"""

import gzip
import io
import lzma
import os
import shutil
import tarfile
import zlib
from collections.abc import Callable, Collection
from pathlib import Path
from threading import Event
from typing import IO

from blastd.core.archive import ArchiveMember, ArchiveRefused, Bounds
from blastd.durable import flush_folder
from blastd.errors import BlastdError
from blastd.fetching.faults import FetchFailed

BLOCK = 1 << 20
LOOK_BYTES = 64 << 20
HEADERS_BYTES = 4 << 20
"""Of all headers before one member, which may be many."""
HEADER_BYTES = 1 << 20
"""What tarfile may ask for at once: names and pax records of a member are read whole into memory."""


REFUSED = (ValueError, RecursionError, EOFError, tarfile.TarError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
"""What reading of an archive raises that is damaged or meant to do harm; `ArchiveRefused` is a ValueError."""


class Stopped(BlastdError):
    """The unpacking was given up."""

    code = "cancelled"


class _Unfolding(io.RawIOBase):
    """The plain bytes of an archive: forward only, in small pieces, and no more than *most*."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile | lzma.LZMAFile, most: int, stop: Event) -> None:
        self._file, self._most, self._stop, self._at = file, most, stop, 0
        self.headers_left: int | None = HEADERS_BYTES
        """How much may be read until the next member begins; None within the bytes of a member."""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        if self._stop.is_set():
            raise Stopped
        if size < 0 or size > HEADER_BYTES:
            raise ArchiveRefused("a header claims more than any name or attribute of a file has")
        data = self._file.read(size)
        self._at += len(data)
        if self.headers_left is not None:
            self.headers_left -= len(data)
        if self.headers_left is not None and self.headers_left < 0:
            raise ArchiveRefused("a member has more headers than any file needs")
        if self._at > self._most:
            raise ArchiveRefused("it unpacks to more than its source says that the database has")
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence != os.SEEK_SET or offset < self._at:
            raise ArchiveRefused("its headers lead back")
        while self._at < offset and self.read(min(BLOCK, offset - self._at)):
            pass
        return self._at


def unpack(
    archive: Path, folder: Path, stems: Collection[str], most_bytes: int, room: Callable[[], None], stop: Event
) -> list[str]:
    """Unpack the files that begin with *stems* into *folder*, durably, and return their names; *room* raises where the disk gets full.

    Raises FetchFailed for an archive that is not taken, with nothing left of it; DiskFull; Stopped when *stop* was set.
    """
    work = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        with archive.open("rb") as packed, _plain(packed) as plain:
            # headers and padding are a part of what unfolds, beside the files themselves
            unfolding = _Unfolding(plain, most_bytes + most_bytes // 8 + (16 << 20), stop)
            with tarfile.open(fileobj=unfolding, mode="r:", errorlevel=2) as tar:
                names = _members(tar, unfolding, work, Bounds(stems, most_bytes), stop, room)
            unfolding.headers_left = None
            while unfolding.read(BLOCK):
                pass  # to its end, where gzip keeps a checksum
        if not names:
            raise ArchiveRefused("it is empty")
        flush_folder(work)
        shutil.rmtree(folder, ignore_errors=True)
        work.rename(folder)
        flush_folder(folder.parent)
    except REFUSED as error:
        shutil.rmtree(work, ignore_errors=True)
        raise FetchFailed(f"{archive.name} can't be taken: {error}.") from error
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise
    return names


def _plain(packed: IO[bytes]) -> IO[bytes] | gzip.GzipFile | lzma.LZMAFile:
    start = packed.read(6)
    packed.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(packed)
    if start.startswith(b"\xfd7zXZ\0"):
        return lzma.open(packed)
    return packed


def _members(
    tar: tarfile.TarFile, unfolding: _Unfolding, work: Path, bounds: Bounds, stop: Event, room: Callable[[], None]
) -> list[str]:
    names, since = list[str](), LOOK_BYTES
    while (member := tar.next()) is not None:
        try:
            tarfile.data_filter(member, str(work))
        except tarfile.FilterError as error:
            raise ArchiveRefused(str(error)) from error
        if member.isdir() and member.name.strip("./") == "":
            continue  # of an archive that was made of '.'
        plain = member.type in {tarfile.REGTYPE, tarfile.AREGTYPE} and member.sparse is None
        bounds.take(ArchiveMember(name=member.name, size=member.size, regular=plain))
        name = member.name.removeprefix("./")
        since += member.size
        if since >= LOOK_BYTES:
            room()
            since = 0
        unfolding.headers_left = None
        _copy(tar, member, work / name, stop, room)
        unfolding.headers_left = HEADERS_BYTES
        names.append(name)
    return names


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, stop: Event, room: Callable[[], None]) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise ArchiveRefused(f"{member.name[:100]!r} is no plain file")
    left, since = member.size, 0
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with source, os.fdopen(os.open(target, flags, 0o600), "wb") as file:
        while left:
            if stop.is_set():
                raise Stopped
            block = source.read(min(BLOCK, left))
            if not block:
                raise ArchiveRefused("it ends early")
            file.write(block)
            left -= len(block)
            since += len(block)
            if since >= LOOK_BYTES:
                room()
                since = 0
        file.flush()
        os.fsync(file.fileno())


def unfold(packed: Path, target: Path, most_bytes: int, room: Callable[[], None], stop: Event) -> None:
    """Write the plain bytes of a FASTA file that may be gzip or xz. Raises FetchFailed, Stopped."""
    size = since = 0
    try:
        with packed.open("rb") as file, _plain(file) as plain, target.open("wb") as out:
            while block := plain.read(BLOCK):
                if stop.is_set():
                    raise Stopped
                size += len(block)
                since += len(block)
                if size > most_bytes:
                    raise ArchiveRefused(f"it unpacks to more than {most_bytes:,} bytes")
                if since >= LOOK_BYTES:
                    room()
                    since = 0
                out.write(block)
    except (ArchiveRefused, EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        target.unlink(missing_ok=True)
        raise FetchFailed(f"{packed.name} can't be read: {error}.") from error
