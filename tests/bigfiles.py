"""Files of hundreds of MB for tests and benchmarks: a query that streams, a stored result that has grown, memory."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from tests.daemon import Daemon

ROWS_OF_A_QUERY = 500


def peak_bytes(daemon: Daemon) -> int:
    """Return the largest resident memory that the daemon has had."""
    assert daemon.process is not None
    status = Path(f"/proc/{daemon.process.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))


def fasta(size_bytes: int) -> Iterator[bytes]:
    """Yield sequences of 70,000 letters until there are *size_bytes*."""
    sent, number = 0, 0
    lines = (b"ACGTTGCAAC" * 7 + b"\n") * 1000
    while sent < size_bytes:
        block = b">s%d\n" % number + lines
        yield block
        sent, number = sent + len(block), number + 1


def grow(daemon: Daemon, job_id: str, size_bytes: int) -> tuple[int, int]:
    """Let the stored result of a stopped daemon's job be large; returns its queries and rows."""
    path = daemon.state / "jobs" / job_id / "units" / "0.out"
    lines = path.read_bytes().split(b"\n")
    head = [line for line in lines[:4] if not line.startswith(b"# Fields")]
    fields = next(line for line in lines if line.startswith(b"# Fields"))
    row = next(line for line in lines if line and not line.startswith(b"#"))
    rows = (row + b"\n") * ROWS_OF_A_QUERY
    section = b"\n".join([*head[:3], fields, b"# %d hits found\n" % ROWS_OF_A_QUERY]) + rows
    queries = size_bytes // len(section) + 1
    sha, size = hashlib.sha256(), 0
    with path.open("wb") as file:
        for block in (*(section for _ in range(queries)), b"# BLAST processed %d queries\n" % queries):
            file.write(block)
            sha.update(block)
            size += len(block)
    facts = {"size": size, "sha": sha.hexdigest(), "queries": queries, "hits": queries * ROWS_OF_A_QUERY, "job": job_id}
    with closing(sqlite3.connect(daemon.state / "blastd.sqlite")) as db, db:
        db.execute(
            "UPDATE job SET hits = :hits, query = json_set(query, '$.count', :queries) WHERE job_id = :job", facts
        )
        db.execute(
            "UPDATE unit SET queries = :queries, output_bytes = :size, output_sha256 = :sha WHERE job_id = :job", facts
        )
        db.execute("UPDATE artifact SET size_bytes = :size, sha256 = :sha WHERE job_id = :job", facts)
    return queries, queries * ROWS_OF_A_QUERY
