"""Limits of bodies, which neither a missing length nor a gzip bomb gets past."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS
from tests.service import API, Service, serving

LIMIT = 100_000
FORM = b'--b\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n--b--\r\n'
WHERE = f"{API}?program=blastn&database=tnt"


@pytest.fixture
async def small(database_folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", [database_folder], limits__body_bytes=LIMIT) as service:
        yield service


async def chunks(total: int) -> AsyncIterator[bytes]:
    yield b">q\n"
    for _ in range(total // 10_000):
        yield b"ACGTACGTAC" * 1000


async def refused(service: Service, **how: object) -> None:
    answer = await service.ask("POST", WHERE, **how)
    assert (answer.status, answer.json["code"]) == (413, "too_large"), answer.text
    assert not list(service.files.tmp.iterdir())
    assert (await service.get(API)).json["page"]["returned"] == 0


async def test_I06_a_long_body_is_413(small: Service) -> None:
    await refused(small, data=b">q\n" + b"A" * LIMIT)


async def test_I06_a_long_chunked_body_is_413(small: Service) -> None:
    await refused(small, data=chunks(5 * LIMIT))


@pytest.mark.parametrize("headers", [{}, {"Content-Encoding": "gzip"}])
async def test_I06_a_gzip_bomb_is_413(small: Service, headers: dict[str, str]) -> None:
    await refused(small, data=gzip.compress(b">q\n" + b"A" * 50_000_000), headers=headers)


async def test_I06_a_bomb_in_a_form_is_413(small: Service) -> None:
    form = aiohttp.FormData()
    form.add_field("query", gzip.compress(b"A" * 50_000_000), filename="q.fa.gz")
    await refused(small, data=form)


async def test_I06_parts_of_an_ncbi_form_are_413_together(small: Service) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b'--b\r\nContent-Disposition: form-data; name="N%d"\r\n\r\n' % number
            yield b"x" * (LIMIT // 2) + b"\r\n"
        yield b"--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert (await small.ask("POST", "/blast/Blast.cgi", data=parts(), headers=headers)).status == 413


async def test_I06_a_long_json_is_413(small: Service) -> None:
    answer = await small.post(API, {"program": "blastn", "database": "tnt", "query": "A" * LIMIT})
    assert answer.status == 413


async def test_damaged_gzip_is_400(small: Service) -> None:
    packed = gzip.compress(LAMBDA_QUERY.encode())
    for body in (packed[:-20], packed[:30] + b"\0\0\0" + packed[33:]):
        assert (await small.post(WHERE, body)).status == 400


async def test_several_gzip_streams_are_one_file(small: Service) -> None:
    first, second = LAMBDA_QUERY.encode()[:300], LAMBDA_QUERY.encode()[300:]
    answer = await small.post(WHERE, gzip.compress(first) + gzip.compress(second))
    assert answer.status == 202, answer.text
    assert answer.json["query"]["count"] == 2


@pytest.mark.parametrize("body", [b"", b"\n\n", b"{}"])
async def test_an_empty_body_is_422(small: Service, body: bytes) -> None:
    assert (await small.post(WHERE, body)).status == 422


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[]"),
        ("application/json", b"\xff\xfe"),
        ("application/json", b'{"a":' * 10_000),
        ("multipart/form-data; boundary=b", FORM % (b"search", b'{"a":' * 10_000)),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=b", b"x"),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data; name=x\r\n\r\n1"),
        ("multipart/form-data; boundary=b", FORM % (b"\x18", b"1")),
        ("multipart/mixed; boundary=b", b"--b--"),
    ],
)
async def test_a_body_that_can_not_be_read_is_4xx(small: Service, content_type: str, body: bytes) -> None:
    answer = await small.post(API, body, headers={"Content-Type": content_type})
    assert 400 <= answer.status < 500, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/blast/Blast.cgi", "/api/blast/databases"])
async def test_every_form_that_can_not_be_read_is_400(small: Service, path: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = await small.post(path, FORM % (b"\x18", b"1"), headers=headers)
    assert answer.status == 400, answer.text


async def test_an_unknown_content_encoding_is_415(small: Service) -> None:
    assert (await small.post(WHERE, b"x", headers={"Content-Encoding": "br"})).status == 415


UNREADABLE = {
    "no request": b"GARBAGE\r\n\r\n",
    "a method of other letters": b"G@T / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long address": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long header": b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n",
    "another version": b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    "no host": b"GET /api/blast/jobs HTTP/1.1\r\nConnection: close\r\n\r\n",
    "an unknown Expect": b"POST /api/blast/jobs HTTP/1.1\r\nHost: localhost\r\nExpect: x\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": b"POST /api/blast/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a broken chunk": b"POST /api/blast/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    "a header without a colon": b"GET /livez HTTP/1.1\r\nHost: x\r\nnothing\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
}


@pytest.mark.parametrize("sent", UNREADABLE.values(), ids=list(UNREADABLE))
async def test_what_is_refused_before_the_application_has_the_one_shape(service: Service, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(service.url.rpartition(":")[2]))
    writer.write(sent)
    async with asyncio.timeout(PATIENCE_SECONDS):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = next(int(line.split(":")[1]) for line in head.splitlines() if line.startswith("content-length"))
        body = json.loads(await reader.readexactly(length))
    writer.close()
    assert 400 <= body["status"] < 500
    assert head.split()[1] == str(body["status"])
    assert "application/problem+json" in head
    assert {"type", "title", "detail", "code", "request_id"} <= body.keys()
    assert body["request_id"]
    assert f"x-request-id: {body['request_id']}" in head
    assert len(body["detail"]) < 400
