"""One job as one file: a gzip'd tar of a manifest, the rows as JSON, the query and the stored results.

`manifest.json` comes first and lists every other member, in order, with size and SHA-256. What is read from an archive
was made by somebody else: members are accepted only as the manifest foretells them, as plain files, and their names
choose nothing; where a file goes is decided by `upkeep.import_` from rows that it has checked. All functions block.
"""

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from uuid import UUID

import msgspec

from blastd.core.ids import JobId
from blastd.core.model import Artifact, Event, Frozen, Job, Unit
from blastd.durable import BLOCK
from blastd.errors import BadRequest, ResultGone, TooLarge
from blastd.store.units import Attempt

T = TypeVar("T")

KIND = "blastd job"
LAYOUT = 1
MANIFEST, ROWS = "manifest.json", "job.json"
MANIFEST_BYTES = 8 << 20
ROWS_BYTES = 256 << 20
"""The rows are read into memory: thousands of parts with their messages fit."""
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
"""Control letters, and those that turn the direction of what follows."""
SECTOR = tarfile.BLOCKSIZE
PADDING_BYTES = 64 << 10
"""Tar ends with zeros up to a record of 10 KiB; other programs may write more."""


class Member(Frozen, frozen=True, kw_only=True):
    """A file of the archive as the manifest foretells it."""

    name: str
    size_bytes: int
    sha256: str


class ArchiveManifest(Frozen, frozen=True, kw_only=True):
    """The first member: what this is, and what follows in this order."""

    kind: str
    layout: int
    blastd: str
    job_id: str
    members: tuple[Member, ...]


class Contents(Frozen, frozen=True, kw_only=True):
    """The rows of a job."""

    job: Job
    units: tuple[Unit, ...]
    attempts: tuple[Attempt, ...]
    artifacts: tuple[Artifact, ...]
    events: tuple[Event, ...]


def write(target: Path, contents: Contents, files: Sequence[tuple[Member, Path]], version: str) -> None:
    """Write the archive of *contents* and *files* to *target*. Raises ResultGone when a file changed meanwhile.

    The same job gives the same bytes.
    """
    rows = msgspec.json.encode(contents, order="deterministic")
    if len(rows) > ROWS_BYTES:
        raise TooLarge(f"The rows of the job take {len(rows):,} bytes, more than the {ROWS_BYTES:,} of an archive.")
    job = contents.job
    members = (member_of(ROWS, rows), *(member for member, _ in files))
    manifest = msgspec.json.format(
        msgspec.json.encode(
            ArchiveManifest(kind=KIND, layout=LAYOUT, blastd=version, job_id=job.job_id, members=members),
            order="deterministic",
        )
    )
    stamp = int((job.finished_at or job.created_at).timestamp())
    with (
        target.open("wb") as raw,
        gzip.GzipFile("", "wb", fileobj=raw, mtime=stamp) as packed,
        # plain headers, as our own reader takes them; numbers over 8 GiB in GNU's binary form
        tarfile.open(mode="w", fileobj=packed, format=tarfile.GNU_FORMAT) as tar,
    ):
        tar.addfile(_header(member_of(MANIFEST, manifest), stamp), BytesIO(manifest))
        tar.addfile(_header(members[0], stamp), BytesIO(rows))
        for member, path in files:
            with path.open("rb") as source:
                summed = _Summed(source)
                tar.addfile(_header(member, stamp), summed)
            if summed.sha256.hexdigest() != member.sha256:
                raise ResultGone(f"{member.name} changed while it was read: export the job again.")


def member_of(name: str, body: bytes) -> Member:
    """Return the member of a text."""
    return Member(name=name, size_bytes=len(body), sha256=hashlib.sha256(body).hexdigest())


def _header(member: Member, stamp: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(member.name)
    info.size, info.mtime, info.mode = member.size_bytes, stamp, 0o600
    return info


class _Summed:
    """A file whose bytes are summed up as tarfile reads them."""

    def __init__(self, source: BinaryIO) -> None:
        self._source, self.sha256 = source, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._source.read(size)
        self.sha256.update(block)
        return block


# ---------------------------------------------------------------- reading
class Archive:
    """An archive that is being read, front to back."""

    def __init__(self, file: BinaryIO, limit_bytes: int) -> None:
        """Read from *file*, already unpacked; members may have *limit_bytes* together."""
        self._file, self._limit = file, limit_bytes
        self.manifest = self._manifest()
        first, *rest = self.manifest.members
        self.contents: Contents = _decoded(self._text(first, ROWS_BYTES), Contents, ROWS)
        for place, moment in times(self.contents):
            if moment.tzinfo is None:
                raise BadRequest(f"{place} of the archive has no time zone.")
        self.members: Sequence[Member] = rest

    def files(self, place: Callable[[Member], Path]) -> Iterator[Path]:
        """Write every file to where *place* says, yielding it when its checksum was right; reads to the end."""
        for member in self.members:
            path = place(member)
            self._begin(member)
            sha256, left = hashlib.sha256(), member.size_bytes
            with path.open("xb") as out:
                while left:
                    block = self._take(min(left, BLOCK))
                    left -= len(block)
                    sha256.update(block)
                    out.write(block)
            self._end(member, sha256.hexdigest())
            yield path
        rest = self._file.read(PADDING_BYTES + 1)  # to the end, where gzip has its own checksum
        if len(rest) > PADDING_BYTES or rest.strip(b"\0"):
            raise BadRequest("The archive holds more than its manifest says.")

    def _manifest(self) -> ArchiveManifest:
        info = self._info()
        if info.name != MANIFEST or not 0 < info.size <= MANIFEST_BYTES:
            raise BadRequest(f"This is no archive of a job: its first member is not {MANIFEST}.")
        body = self._take(info.size)
        self._take(-info.size % SECTOR)
        manifest: ArchiveManifest = _decoded(body, ArchiveManifest, MANIFEST)
        if (manifest.kind, manifest.layout) != (KIND, LAYOUT):
            raise BadRequest(
                f"This archive is a {manifest.kind[:40]!r} of layout {manifest.layout}, written by blastd "
                f"{manifest.blastd[:40]}; this blastd reads {KIND!r} of layout {LAYOUT}."
            )
        names = [member.name for member in manifest.members]
        if names[:1] != [ROWS] or len(set(names)) != len(names) or any(one.size_bytes < 0 for one in manifest.members):
            raise BadRequest("The manifest of the archive contradicts itself.")
        total = sum(member.size_bytes for member in manifest.members)
        if total > self._limit:
            raise TooLarge(f"The archive unpacks to {total:,} bytes, more than the {self._limit:,} of --max-bytes.")
        return manifest

    def _text(self, member: Member, most: int) -> bytes:
        if member.size_bytes > most:
            raise TooLarge(f"{member.name} has {member.size_bytes:,} bytes, more than the {most:,} of an archive.")
        self._begin(member)
        body = self._take(member.size_bytes)
        self._end(member, hashlib.sha256(body).hexdigest())
        return body

    def _begin(self, member: Member) -> None:
        info = self._info()
        if (info.name, info.size) != (member.name, member.size_bytes):
            raise BadRequest(f"The archive has {info.name[:100]!r} where its manifest says {member.name[:100]!r}.")

    def _end(self, member: Member, sha256: str) -> None:
        self._take(-member.size_bytes % SECTOR)
        if sha256 != member.sha256:
            raise BadRequest(f"{member.name[:100]!r} in the archive has another checksum than its manifest says.")

    def _info(self) -> tarfile.TarInfo:
        """Read one header. Only plain files are taken: no links, no devices, no long names that lie elsewhere."""
        try:
            info = tarfile.TarInfo.frombuf(self._take(SECTOR), "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeError) as error:
            raise BadRequest(f"The archive ends too early, or is no tar: {error}.") from error
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.size < 0:
            raise BadRequest(f"The archive holds {info.name[:100]!r}, which is no plain file.")
        return info

    def _take(self, size: int) -> bytes:
        body = self._file.read(size)
        if len(body) != size:
            raise BadRequest("The archive is cut off.")
        return body


@contextmanager
def reading(path: Path, limit_bytes: int) -> Iterator[Archive]:
    """Open the archive *path* and check its manifest and rows. Raises BadRequest, TooLarge; also while it is read."""
    try:
        with gzip.open(path) as file:
            yield Archive(file, limit_bytes)  # type: ignore[arg-type]  # GzipFile is a binary file but no BinaryIO
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise BadRequest(f"{path} is no whole gzip file: {error}.") from error
    except FileNotFoundError as error:
        if error.filename != str(path):
            raise
        raise BadRequest(f"There is no file {path}.") from error


def times(value: Any, place: str = "") -> Iterator[tuple[str, datetime]]:
    """Yield every time within *value* with its place, like "events.3.created_at"."""
    if isinstance(value, datetime):
        yield place.lstrip("."), value
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from times(getattr(value, name), f"{place}.{name}")
    elif isinstance(value, tuple | list):
        for index, part in enumerate(value):
            yield from times(part, f"{place}.{index}")


def _clean(value: Any) -> Any:
    """Return plain data with control letters in its texts replaced, but for tabs and line ends: they steer terminals."""
    if isinstance(value, str):
        return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_clean(part) for part in value]
    return {_clean(name): _clean(part) for name, part in value.items()} if isinstance(value, dict) else value


def _decoded(body: bytes, kind: type[T], name: str) -> T:
    try:
        return msgspec.convert(_clean(msgspec.json.decode(body)), kind)
    except RecursionError as error:
        raise BadRequest(f"{name} of the archive is nested too deeply.") from error
    except msgspec.MsgspecError as error:
        raise BadRequest(f"{name} of the archive can't be read: {error}.") from error


def same(one: Any, other: Any) -> bool:
    """Tell whether two values are the same as JSON."""
    return msgspec.json.encode(one, order="deterministic") == msgspec.json.encode(other, order="deterministic")


def job_id_of(text: str) -> JobId:
    """Return *text* as the id of a job. Raises BadRequest."""
    try:
        if str(UUID(text)) == text:
            return JobId(text)
    except ValueError:
        pass
    raise BadRequest("The archive is of a job without a proper id.")
