"""Clients that stop in the middle: of a request on every route, of an answer of every kind. All are cut within the limit."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from blastd.core.ids import JobId
from blastd.core.ncbi import rid
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, random_dna

LIMIT_SECONDS = 1.0
GENEROUS_SECONDS = 60.0
"""The limit, and the ten seconds for which aiohttp reads the rest of a body that nobody wanted, on a busy machine."""


@pytest.fixture(scope="module")
def hurried(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that cuts off what stands still for a second."""
    environ = {"BLASTD_SERVER__STALL_SECONDS": str(LIMIT_SECONDS), "BLASTD_LOGGING__LEVEL": "debug"}
    own = Daemon(tmp_path_factory.mktemp("hurried") / "state", [databases], environ).start()
    yield own
    own.kill()


def routes(daemon: Daemon) -> list[tuple[str, str]]:
    """Return every route that may take a body, with ids put in."""
    paths = daemon.get("/api/openapi.json").json["paths"]
    found = [
        (method.upper(), re.sub(r"\{[^}]+\}", "none", path))
        for path, methods in paths.items()
        for method in methods
        if method in ("post", "put", "patch", "delete")
    ]
    return [*found, ("POST", "/login"), ("POST", "/blast/Blast.cgi"), ("POST", "/nosuch")]


async def until_closed(
    daemon: Daemon, head: str, begin: bytes, drip: bytes = b"", pause: float = LIMIT_SECONDS / 10
) -> tuple[float, bytes]:
    """Send *head* and *begin*, then *drip* again and again; return the seconds until the server closed, and its answer."""
    where = urlsplit(daemon.url)
    assert where.hostname is not None
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    first = loop.time()
    writer.write(head.replace("\n", "\r\n").encode() + begin)

    async def go_on() -> None:
        try:
            while drip:
                writer.write(drip)
                await writer.drain()
                await asyncio.sleep(pause)
        except ConnectionError:
            return

    async with asyncio.timeout(GENEROUS_SECONDS), asyncio.TaskGroup() as group:
        dripping = group.create_task(go_on())
        try:
            answer = await reader.read()
        except ConnectionError:
            answer = b""
        dripping.cancel()
    writer.close()
    return loop.time() - first, answer


KINDS = {
    "json": "Content-Type: application/json",
    "form": "Content-Type: application/x-www-form-urlencoded",
    "parts": "Content-Type: multipart/form-data; boundary=X",
    "fasta": "Content-Type: text/plain",
    "gzip": "Content-Type: text/plain\nContent-Encoding: gzip",
}
BEGINS = {
    "json": b'{"program": "blastn", ',
    "form": b"token=a",
    "parts": b'--X\r\nContent-Disposition: form-data; name="query"; filename="q.fa"\r\n\r\n>a\nACGT',
    "fasta": b">a\nACGT",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03",
}


@pytest.mark.parametrize("drip", [b"", b"A"], ids=["silent", "byte-by-byte"])
@pytest.mark.parametrize("kind", KINDS)
def test_S04_a_body_that_does_not_end_is_cut_on_every_route(hurried: Daemon, kind: str, drip: bytes) -> None:
    async def all_routes() -> list[tuple[str, bytes]]:
        asked = routes(hurried)
        runs = []
        async with asyncio.TaskGroup() as group:
            for method, path in asked:
                begin = BEGINS[kind]
                head = f"{method} {path} HTTP/1.1\nHost: 127.0.0.1\n{KINDS[kind]}\nContent-Length: 1000000\n\n"
                runs.append(group.create_task(until_closed(hurried, head, begin, drip)))
        return [(f"{method} {path}", run.result()[1]) for (method, path), run in zip(asked, runs, strict=True)]

    found = asyncio.run(all_routes())
    assert len(found) > 10  # the time is bounded by GENEROUS_SECONDS
    waiting = [answer for name, answer in found if name in ("POST /api/blast/jobs", "POST /api/blast/databases")]
    assert not any(answer.startswith(b"HTTP/1.1 2") for answer in waiting)
    if kind in ("fasta", "parts"):
        assert any(answer.startswith(b"HTTP/1.1 408 ") and b"request_timeout" in answer for answer in waiting)
    assert hurried.get("/livez").status == 200


@pytest.mark.parametrize("begin", ["", "POST /api/blast/jobs HTTP/1.1\nHost: 127."])
def test_S04_a_connection_without_a_request_is_cut(hurried: Daemon, begin: str) -> None:
    seconds, answer = asyncio.run(until_closed(hurried, begin, b""))
    assert answer == b""
    assert seconds >= LIMIT_SECONDS * 0.9


def test_S04_an_upload_that_moves_is_not_cut(hurried: Daemon) -> None:
    """Three times the limit, at a rate that is slow but one."""
    pieces = [f">q{number}\n{random_dna(18_000, number)}\n".encode() for number in range(8)]
    size = sum(map(len, pieces))
    head = (
        "POST /api/blast/jobs?program=blastn&database=tnt HTTP/1.1\nHost: 127.0.0.1\nContent-Type: text/plain\n"
        f"Connection: close\nContent-Length: {size}\n\n"
    )

    async def upload() -> bytes:
        where = urlsplit(hurried.url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(head.replace("\n", "\r\n").encode())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(LIMIT_SECONDS * 0.4)
        async with asyncio.timeout(GENEROUS_SECONDS):
            answer = await reader.read()
        writer.close()
        return answer

    assert asyncio.run(upload()).startswith(b"HTTP/1.1 202 ")


def test_S04_a_reader_that_takes_nothing_is_cut_whatever_it_reads(hurried: Daemon) -> None:
    letters = LAMBDA_QUERY.splitlines()[1]
    row = hurried.run("".join(f">q{number}\n{letters}\n" for number in range(300)))
    results, text = f"/api/blast/jobs/{row['job_id']}/results?format=", f"CMD=Get&RID={rid(JobId(row['job_id']))}"
    paths = [
        "/api/openapi.json", "/", "/metrics", *(results + name for name in ("pairwise", "tabular", "xml")),
        f"/blast/Blast.cgi?{text}&FORMAT_TYPE=Text", f"/blast/Blast.cgi?{text}&FORMAT_TYPE=HTML",
        f"/api/blast/jobs/{row['job_id']}/query",
    ]  # fmt: skip

    async def stand_still(path: str) -> bytes:
        where = urlsplit(hurried.url)
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=1)
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a socket's transport can
        requests = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() * 100
        until = loop.time() + GENEROUS_SECONDS
        try:
            while True:  # more is asked until an answer no longer fits into the kernel's buffers, then it stands still
                assert loop.time() < until, path
                writer.write(requests)
                await asyncio.sleep(0.01)
                if writer.transport.is_closing():
                    return b"cut"
        finally:
            del reader
            writer.transport.abort()

    async def all_of_them() -> list[bytes]:
        async with asyncio.TaskGroup() as group:
            runs = [group.create_task(stand_still(path), name=path) for path in paths]
        return [run.result() for run in runs]

    assert asyncio.run(all_of_them()) == [b"cut"] * len(paths)
    assert hurried.get("/livez").status == 200
