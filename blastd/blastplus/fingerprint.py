"""The name of a content: SHA-256 over the names, sizes and digests of files. All functions block.

Of files over 64 MB only sampled blocks and the time of change are taken, so that 100 GB cost seconds.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from blastd.blastplus.regular import BoundedReader, Part
from blastd.errors import DatabaseBroken

WHOLE_BYTES = 64 << 20
SAMPLE_BYTES, SAMPLES = 1 << 20, 16


def fingerprint(parts: Sequence[Part], letter: str) -> tuple[str, tuple[str, ...]]:
    """Return the SHA-256 that names the content of *parts* of a molecule's *letter*, and each part's own digest.

    Raises DatabaseBroken.
    """
    total, digests = hashlib.sha256(letter.encode()), dict[str, bytes]()
    for part in sorted(parts, key=lambda part: (Path(part.path).name, part.path)):
        digests[part.path] = content(Path(part.path), part)
        total.update(f"{Path(part.path).name}\0{part.size}\0".encode("utf-8", "surrogateescape"))
        total.update(digests[part.path])
    return total.hexdigest(), tuple(digests[part.path].hex() for part in parts)


def content(path: Path, part: Part) -> bytes:
    """Return the digest of the file at *path* as it is named in a fingerprint; *part* says its size and time.

    Raises DatabaseBroken when the file can't be read or has another size.
    """
    sha = hashlib.sha256()
    with BoundedReader(path) as file:
        if file.size != part.size:
            raise DatabaseBroken(f"{path.name} changes while it is read")
        if part.size <= WHOLE_BYTES:
            for offset in range(0, part.size, SAMPLE_BYTES):
                sha.update(file.at(offset, SAMPLE_BYTES))
            return sha.digest()
        sha.update(str(part.mtime_ns).encode())
        for number in range(SAMPLES):
            sha.update(file.at((part.size - SAMPLE_BYTES) * number // (SAMPLES - 1), SAMPLE_BYTES))
    return sha.digest()
