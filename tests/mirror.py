"""A source of databases on this machine: NCBI's layouts, served by a real HTTP server that misbehaves as it is told."""

import hashlib
import io
import json
import shutil
import socket
import tarfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.databases import make, random_dna
from tests.patience import until

NAME = "mini"
QUERY = random_dna(300, 4711)
"""Found once in each volume of each version."""
STALL_SECONDS = 30.0


def sequences(version: int) -> dict[str, str]:
    """Return sequences whose ids name the version: two volumes of them, each with the query in it."""
    return {
        f"v{version}s{number}": random_dna(1700, version * 100 + number) + (QUERY if number in (2, 18) else "")
        for number in range(20)
    }


def build(folder: Path, version: int) -> Path:
    """Make version *version* of the database in *folder* and return the folder that a mirror of NCBI serves of it."""
    plain, served = folder / f"plain{version}", folder / f"ncbi{version}"
    plain.mkdir()
    served.mkdir()
    fasta = folder / f"{version}.fa"
    fasta.write_text(
        "".join(f">{name} of version {version}\n{letters}\n" for name, letters in sequences(version).items())
    )
    make(plain, fasta, NAME, "nucl", "-parse_seqids", "-title", f"mini {version}", "-max_file_sz", "5KB")
    volumes = sorted(path.name.split(".")[1] for path in plain.glob("*.nin"))
    assert volumes == ["00", "01"], volumes
    shared = [path for path in plain.iterdir() if path.name.split(".")[1] not in volumes]
    for volume in volumes:
        archive(served / f"{NAME}.{volume}.tar.gz", [*plain.glob(f"{NAME}.{volume}.*"), *shared])
    (served / "taxdb.btd").write_bytes(b"names of version %d" % version)
    (served / "taxdb.bti").write_bytes(b"index of version %d" % version)
    archive(served / "taxdb.tar.gz", [served / "taxdb.btd", served / "taxdb.bti"])
    describe(served, list_of(served, version, plain))
    return served


def list_of(served: Path, version: int, plain: Path) -> dict[str, Any]:
    """Return the record of the database as NCBI writes it."""
    letters = sequences(version).values()
    return {
        "version": "1.1", "dbname": NAME, "dbtype": "Nucleotide", "description": f"mini {version}",
        "number-of-letters": sum(map(len, letters)), "number-of-sequences": len(letters),
        "last-updated": f"2026-01-{version:02}T00:00:00", "number-of-volumes": 2,
        "bytes-total": sum(path.stat().st_size for path in plain.iterdir()), "bytes-to-cache": 1,
        "files": [f"ftp://ftp.example.org/blast/db/{path.name}" for path in sorted(served.glob(f"{NAME}.*.tar.gz"))],
    }  # fmt: skip


def describe(served: Path, *records: dict[str, Any]) -> None:
    """Write the list of a mirror, with some other records, and the checksums."""
    other = {"dbname": "elsewhere", "dbtype": "Protein", "files": ["ftp://ftp.example.org/blast/db/elsewhere.tar.gz"]}
    (served / "blastdb-metadata-1-1.json").write_text(
        json.dumps([other, *records, {"dbname": "../odd", "files": ["x"]}])
    )
    for path in served.glob("*.tar.gz"):
        digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        path.with_name(f"{path.name}.md5").write_text(f"{digest}  {path.name}\n")


def archive(target: Path, files: list[Path]) -> None:
    """Pack plain files."""
    with tarfile.open(target, "w:gz") as tar:
        for file in sorted(files):
            tar.add(file, file.name)


def member(tar: tarfile.TarFile, name: str, content: bytes = b"x", **how: Any) -> None:
    """Add a member of any kind."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in how.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(content) if info.size else None)


Fault = Callable[["Handler", str], bool]
"""Answers a request for a path in its own way and returns True; or returns False, and the mirror answers."""


class Mirror:
    """Serves a folder, which may be changed at any time; `fault` may answer instead. Counts what was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fault: Fault = lambda _handler, _path: False
        self.asked: Counter[str] = Counter()
        self.ranges: list[tuple[str, int]] = []
        self.stopped = threading.Event()
        mirror = self

        class Bound(Handler):
            served_by = mirror

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def mirroring(folder: Path) -> Iterator[Mirror]:
    """Run a mirror of *folder*."""
    mirror = Mirror(folder)
    try:
        yield mirror
    finally:
        mirror.close()


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD of files, with ranges and entity tags."""

    served_by: Mirror
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        path = self.path.lstrip("/")
        if self.command == "GET":
            self.served_by.asked[path] += 1
        try:
            if not self.served_by.fault(self, path):
                self.file(path)
        except (BrokenPipeError, ConnectionResetError, OSError):
            self.close_connection = True

    def status(self, number: int, **headers: str) -> bool:
        """Answer a status without a body."""
        self.send_response(number)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def file(
        self,
        path: str,
        *,
        cut: int | None = None,
        change: Callable[[bytes], bytes] = bytes,
        slow: bool = False,
        seen: Callable[[int], bool] | None = None,
    ) -> bool:
        """Answer a file, or only *cut* bytes of it before the connection breaks, changed, or with a stall in the middle; *seen* tells
        whether so many bytes of it have come before it breaks."""
        where = self.served_by.folder / path
        if not path or ".." in path or not where.is_file():
            return self.status(404)
        data = change(where.read_bytes())
        etag = f'"{hashlib.sha256(data).hexdigest()[:20]}"'
        start = 0
        given = self.headers.get("Range", "")
        if given and self.headers.get("If-Range", etag) == etag:
            start = int(given.removeprefix("bytes=").partition("-")[0])
            if start >= len(data):
                return self.status(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            self.served_by.ranges.append((path, start))
        else:
            self.send_response(200)
        self.send_header("ETag", etag)
        self.send_header("Last-Modified", formatdate(where.stat().st_mtime, usegmt=True))
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "HEAD":
            return True
        body = data[start:]
        if slow:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.served_by.stopped.wait(STALL_SECONDS)
            body = body[len(body) // 2 :]
        self.wfile.write(body[:cut] if cut is not None else body)
        if cut is not None and cut < len(body):
            self.wfile.flush()
            if cut and seen is not None:
                until(lambda: seen(start + cut))  # aiohttp drops what it has not handed on when a connection breaks
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        return True

    def log_message(self, *words: Any) -> None:
        pass


def cloud(folder: Path, ncbi: Path, plain: Path, version: int) -> None:
    """Put a version into a folder that is laid out as NCBI's clouds are, beside older ones."""
    day = f"2026-01-{version:02}-01-05-02"
    (folder / day).mkdir(parents=True)
    records = json.loads((ncbi / "blastdb-metadata-1-1.json").read_text())
    for record in records:
        if record["dbname"] == NAME:
            record["files"] = [f"gs://blast-db/{day}/{path.name}" for path in sorted(plain.iterdir())]
    (folder / day / "blastdb-metadata-1-1.json").write_text(json.dumps(records))
    for path in (*plain.iterdir(), ncbi / "taxdb.btd", ncbi / "taxdb.bti"):
        shutil.copy(path, folder / day / path.name)
    (folder / "latest-dir").write_text(day + "\n")


def flip(data: bytes) -> bytes:
    """Return *data* with one bit changed in its middle."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
