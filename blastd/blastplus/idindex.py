"""Makes and compares indices of the ids of BLAST databases: a program of its own, which the daemon runs beside itself.

    idindex.py make TARGET BLASTDBCMD...             blastdbcmd lists "%o %l %i", a blank, and accession or title
    idindex.py shared FIRST SECOND BLASTDBCMD...     blastdbcmd lists "%o %a" of FIRST; prints a JSON object

Its memory and time follow the database (16 bytes on the disk a name), so they must not be the daemon's. An index is
MAGIC and records in ascending order, all numbers big-endian: 8 bytes of a hash, 4 of the length, 4 of the position in
the database. The last bit of a hash tells accessions (0), which BLAST+ compares without regard to case, from other names
(1): ids with bars, and where ids are not parsed the first word of the title. It imports nothing of ours.
"""

import hashlib
import json
import mmap
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

MAGIC = b"blastdids 1\n    "
RECORD, HASH = 16, 8
BUCKETS = 64
SHOWN = 5
PARSED = "parsed"


def key_of(name: bytes, *, accession: bool) -> bytes:
    """Return the hash of a name."""
    digest = bytearray(hashlib.blake2b(name.lower() if accession else name, digest_size=HASH).digest())
    digest[-1] = digest[-1] & 0xFE if accession else digest[-1] | 1
    return bytes(digest)


def first_at(index: mmap.mmap | bytes, key: bytes) -> int:
    """Return the number of the first record of *index* that is not before *key*."""
    low, high = 0, (len(index) - len(MAGIC)) // RECORD
    while low < high:
        middle = (low + high) // 2
        at = len(MAGIC) + middle * RECORD
        if index[at : at + len(key)] < key:
            low = middle + 1
        else:
            high = middle
    return low


def records(index: mmap.mmap | bytes, key: bytes) -> Iterator[tuple[int, int]]:
    """Yield (length, position) of the sequences that have a name of this *key*."""
    at = len(MAGIC) + first_at(index, key) * RECORD
    while index[at : at + HASH] == key:
        yield int.from_bytes(index[at + 8 : at + 12], "big"), int.from_bytes(index[at + 12 : at + 16], "big")
        at += RECORD


def listed(line: bytes, *, parsed: bool) -> Iterator[bytes]:
    """Yield the records of one line of a listing."""
    position, length, its_id, rest = line.rstrip(b"\n").split(b" ", 3)
    tail = int(length).to_bytes(4, "big") + int(position).to_bytes(4, "big")
    if parsed:
        yield key_of(rest, accession=True) + tail
        yield key_of(its_id, accession=False) + tail
    else:
        yield key_of(rest.split(b" ", 1)[0], accession=False) + tail


def make(target: Path, argv: list[str], *, parsed: bool) -> int:
    """Write the index of what *argv* lists; returns the exit code of blastdbcmd."""
    parts = [target.with_name(f"{target.name}.{number}") for number in range(BUCKETS)]
    files = [part.open("wb") for part in parts]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as child:  # an argv list of the daemon
        assert child.stdout is not None  # noqa: S101  # it is a pipe
        for line in child.stdout:
            for record in listed(line, parsed=parsed):
                files[record[0] * BUCKETS >> 8].write(record)
    with target.open("wb") as out:
        out.write(MAGIC)
        for part, file in zip(parts, files, strict=True):
            file.close()
            data = part.read_bytes()
            out.write(b"".join(sorted(data[at : at + RECORD] for at in range(0, len(data), RECORD))))
            part.unlink()
    return child.returncode


def accessions(index: mmap.mmap, byte: int) -> dict[bytes, int]:
    """Return the positions by hash of the accessions whose hash begins with *byte*."""
    first = first_at(index, bytes([byte]))
    last = first_at(index, bytes([byte + 1])) if byte < 255 else (len(index) - len(MAGIC)) // RECORD  # the last byte
    data = index[len(MAGIC) + first * RECORD : len(MAGIC) + last * RECORD]
    return {
        data[at : at + HASH]: int.from_bytes(data[at + 12 : at + RECORD], "big")
        for at in range(0, len(data), RECORD)
        if not data[at + HASH - 1] & 1
    }


def shared(first: Path, second: Path, argv: list[str]) -> dict[str, object]:
    """Return how many accessions two indices share, and some of them, which *argv* lists."""
    with (
        first.open("rb") as one,
        second.open("rb") as other,
        mmap.mmap(one.fileno(), 0, prot=mmap.PROT_READ) as mine,
        mmap.mmap(other.fileno(), 0, prot=mmap.PROT_READ) as theirs,
    ):
        count, positions = 0, set[int]()
        for byte in range(256):
            held = accessions(mine, byte)
            both = held.keys() & accessions(theirs, byte).keys()
            count += len(both)
            positions.update(held[key] for key in sorted(both)[: SHOWN - len(positions)])
    return {"count": count, "names": names_at(positions, argv) if positions else []}


def names_at(positions: set[int], argv: list[str]) -> list[str]:
    """Return the accessions of the sequences at *positions*."""
    names: dict[int, str] = {}
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as child:  # an argv list of the daemon
        assert child.stdout is not None  # noqa: S101  # it is a pipe
        for line in child.stdout:
            position, _, name = line.rstrip(b"\n").partition(b" ")
            if int(position) in positions:
                names.setdefault(int(position), name.decode("utf-8", "replace"))
                if len(names) == len(positions):
                    child.kill()
                    break
    return sorted(names.values())


def main(words: list[str]) -> int:
    """Do what the command line says."""
    if words[0] == "make":
        return make(Path(words[2]), words[3:], parsed=words[1] == PARSED)
    json.dump(shared(Path(words[1]), Path(words[2]), words[3:]), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
