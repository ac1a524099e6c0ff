"""The index file of a BLAST database volume (.nin, .pin), versions 4 and 5.

Layout (NCBI C++ toolkit, `src/objtools/blast/seqdb_reader`): big-endian 32-bit numbers; version, molecule, in version 5
the volume's number; title; in version 5 the name of the id database; date; sequences; letters as a LITTLE-endian 64-bit
number; longest sequence; then the offsets of headers and of sequences, one more each than there are sequences. The last
offsets equal the sizes of the header and sequence file: a cheap check that finds truncated and mixed-up files, which
BLAST+ itself reads with exit code 0. Only what is needed is read, whatever the file says of its own sizes.
"""

import struct
from typing import Protocol

from blastd.blastplus.regular import printed
from blastd.core.model import Frozen
from blastd.errors import DatabaseBroken

HEAD_BYTES = 256 << 10
"""Where the offsets begin: behind a title, which is rarely longer than a line."""
TITLE_LETTERS = 1000


class Bytes(Protocol):
    """What is read of an index: its size, and bytes at a place."""

    size: int

    def at(self, offset: int, size: int) -> bytes:
        """Return up to *size* bytes from *offset*."""


class Index(Frozen, frozen=True, kw_only=True):
    """What an index says of its volume; the last two are the sizes that the files beside it must have."""

    version: int
    protein: bool
    title: str
    date: str
    sequences: int
    letters: int
    longest: int
    header_bytes: int
    sequence_bytes: int
    offsets_at: int
    """Where the offsets of sequences in the sequence file begin, one more than there are sequences."""


def read_index(file: Bytes) -> Index:
    """Return what an index file says. Raises DatabaseBroken when it is cut short or not an index."""
    try:
        return _read(file)
    except (struct.error, IndexError) as error:
        raise _damaged() from error


def _damaged() -> DatabaseBroken:
    return DatabaseBroken("the index file is cut short or damaged")


def _read(file: Bytes) -> Index:
    data = file.at(0, HEAD_BYTES)
    version, kind = struct.unpack_from(">ii", data, 0)
    if version not in (4, 5) or kind not in (0, 1):
        raise DatabaseBroken("the index file is not of a BLAST database of version 4 or 5")
    at = 12 if version == 5 else 8
    title, at = _text(data, at)
    if version == 5:
        _, at = _text(data, at)
    date, at = _text(data, at)
    (sequences,) = struct.unpack_from(">i", data, at)
    (letters,) = struct.unpack_from("<q", data, at + 4)
    (longest,) = struct.unpack_from(">i", data, at + 12)
    table, count = at + 16, sequences + 1
    if sequences < 0 or letters < 0 or longest < 0 or file.size < table + 8 * count:
        raise _damaged()
    (headers,) = struct.unpack(">I", file.at(table + 4 * sequences, 4))
    (ends,) = struct.unpack(">I", file.at(table + 4 * count + 4 * sequences, 4))
    return Index(
        version=version,
        protein=kind == 1,
        title=printed(title, TITLE_LETTERS),
        date=printed(date),
        sequences=sequences,
        letters=letters,
        longest=longest,
        header_bytes=headers,
        sequence_bytes=ends,
        offsets_at=table + 4 * count,
    )


def sequence_offset(file: Bytes, index: Index, number: int) -> int:
    """Return where sequence *number* begins in the sequence file, for one more than there are where the last ends."""
    return int.from_bytes(file.at(index.offsets_at + 4 * number, 4), "big")


def _text(data: bytes, at: int) -> tuple[str, int]:
    (size,) = struct.unpack_from(">i", data, at)
    if size < 0 or len(data) < at + 4 + size:
        raise _damaged()
    return data[at + 4 : at + 4 + size].rstrip(b"\0").decode("utf-8", "replace"), at + 4 + size
