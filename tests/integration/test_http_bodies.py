"""Limits of bodies, which neither a missing length nor a gzip bomb gets past."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.databases import LAMBDA_QUERY
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


async def test_an_unknown_content_encoding_is_400(small: Service) -> None:
    assert (await small.post(WHERE, b"x", headers={"Content-Encoding": "br"})).status == 400
