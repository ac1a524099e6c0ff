"""One file of a source, received whole: resumed by ranges after any break, compared with its checksum, then named."""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import IO

import msgspec

from blastd.aio import duty, labour
from blastd.clock import Clock
from blastd.core.model import Frozen
from blastd.durable import flush, flush_folder
from blastd.errors import DiskFull
from blastd.fetching.faults import FetchFailed, Interrupted
from blastd.fetching.transport import Stream, Transport

LOOK_BYTES = 8 << 20
"""Between two looks at the free disk space."""
LEAST_RATE = 1024
"""Bytes a second; a source that drips is as good as one that is silent."""
BLOCK = 1 << 20


class PlannedFile(Frozen, frozen=True, kw_only=True):
    """A file that is to come: its path in the source, its name here, its size (0: not told) and checksum (empty: none)."""

    path: str
    name: str
    size: int = 0
    checksum: str = ""


class ReceivedBefore(Frozen, frozen=True, kw_only=True):
    """What stands beside a part of a file: what the source called the state of which it is a part."""

    validator: str = ""


class Room:
    """The free disk space above the floor, looked at while bytes arrive."""

    def __init__(self, free: Callable[[], int], floor: int) -> None:
        """Ask *free*, and keep *floor*."""
        self._free, self._floor, self._since = free, floor, 0

    async def take(self, size: int) -> None:
        """Count *size* bytes that are to be written. Raises DiskFull under the floor."""
        self._since += size
        if self._since >= LOOK_BYTES:
            self._since = 0
            self.check(0, await duty(self._free))

    def check(self, needed: int, free: int) -> None:
        """Raise DiskFull where *needed* bytes don't fit into *free* above the floor."""
        if free - needed < self._floor:
            what = f"It needs {needed:,} bytes, and" if needed else "Meanwhile"
            raise DiskFull(
                f"{what} {self._floor:,} bytes must stay free (retention.disk_floor_bytes), but only {free:,} are free: make room."
            )

    def look(self) -> None:
        """Raise DiskFull under the floor; blocking."""
        self.check(0, self._free())

    async def ask(self, needed: int) -> None:
        """Raise DiskFull where *needed* bytes don't fit above the floor."""
        self.check(needed, await duty(self._free))


class Receiver:
    """Receives files of one source into a folder."""

    def __init__(self, transport: Transport, folder: Path, room: Room, clock: Clock, stall_seconds: float) -> None:
        """Receive through *transport* into *folder*."""
        self._transport, self._folder, self._room, self._clock = transport, folder, room, clock
        self._stall = stall_seconds

    def held(self, file: PlannedFile) -> int:
        """Return how many bytes of a file are here; blocking."""
        for path in (self._folder / file.name, self._part(file)):
            with suppress(OSError):
                return path.stat().st_size
        return 0

    def _part(self, file: PlannedFile) -> Path:
        return self._folder / f"{file.name}.part"

    async def receive(self, file: PlannedFile, came: Callable[[int], None]) -> Path:
        """Return the whole file, whose checksum is right; *came* is told of bytes (below 0: of some that were dropped).

        Raises Interrupted, SourceChanged, FetchFailed, DiskFull; what came stays for the next time.
        """
        final, part = self._folder / file.name, self._part(file)
        if await duty(final.exists):
            return final
        if not (file.size and await duty(_size, part) == file.size):
            await self._stream(file, part, came)
        size = await duty(_size, part)
        wrong = f"has {size:,} bytes and not {file.size:,}" if file.size and size != file.size else ""
        if not wrong and file.checksum and await labour(digest, part, file.checksum.partition(":")[0]) != file.checksum:
            wrong = "has another checksum than its source says"
        if wrong:
            came(-size)
            await duty(part.unlink, missing_ok=True)
            raise Interrupted(f"{file.name} {wrong}: it was dropped.", "checksum_mismatch")
        await duty(_name, part, final)
        return final

    async def _stream(self, file: PlannedFile, part: Path, came: Callable[[int], None]) -> None:
        """Append to what is here. Raises what `receive` does."""
        beside = part.with_name(f"{part.name}.json")
        start, validator = await duty(_size, part), (await duty(_known, beside)).validator
        async with self._transport.stream(file.path, start, validator) as stream:
            if file.size and stream.about.size not in {None, file.size}:
                raise Interrupted(f"{file.name} has another size than it had when it was looked at.", "source_changed")
            if stream.start != start:
                came(-start)
                await duty(part.unlink, missing_ok=True)
            if stream.about.validator != validator or stream.start != start:
                await duty(beside.write_bytes, msgspec.json.encode(ReceivedBefore(validator=stream.about.validator)))
            await self._write(file, stream, part, came)

    async def _write(self, file: PlannedFile, stream: Stream, part: Path, came: Callable[[int], None]) -> None:
        begin, slowly, size = self._clock.monotonic(), 0, stream.start
        with part.open("ab") as target:  # in this turn: a thread that opens it for a cancelled task leaves it open
            async for block in stream.blocks:
                size += len(block)
                if size > (file.size or stream.about.size or size):
                    raise FetchFailed(f"{file.name} is longer than its source says.")
                await self._room.take(len(block))
                await duty(_append, target, block)
                came(len(block))
                slowly += len(block)
                now = self._clock.monotonic()
                if now - begin >= self._stall:
                    if slowly < LEAST_RATE * (now - begin):
                        raise Interrupted(f"{file.name} comes too slowly ({slowly:,} bytes in {now - begin:.0f} s).")
                    begin, slowly = now, 0
        if stream.about.size is not None and size != stream.about.size:
            raise Interrupted(f"{file.name} broke off after {size:,} of {stream.about.size:,} bytes.")


def _append(target: IO[bytes], block: bytes) -> None:
    """Write so that a crash of this process loses nothing; blocking."""
    target.write(block)
    target.flush()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _known(beside: Path) -> ReceivedBefore:
    try:
        return msgspec.json.decode(beside.read_bytes(), type=ReceivedBefore)
    except (OSError, msgspec.MsgspecError):
        return ReceivedBefore()


def _name(part: Path, final: Path) -> None:
    """Give a file that is whole its name, durably; blocking."""
    flush(part)
    part.rename(final)
    flush_folder(final.parent)


def digest(path: Path, kind: str, stop: Event) -> str:
    """Return the checksum of a file, empty when *stop* was set meanwhile; blocking."""
    sha = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if stop.is_set():
                return ""
            sha.update(block)
    return f"{kind}:{sha.hexdigest()}"
