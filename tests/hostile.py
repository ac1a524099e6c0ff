"""Requests that try to hold the service up, all within its limits, made for every route of its own description."""

import gzip
import json
import random
import socket
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

FASTA = ">a\nACGTACGTACGTACGTAGCTAGCTAGCATCGAC"
SEARCH = {"program": "blastn", "database": "tnt", "query": FASTA}
PART = b'--X\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
FORM = "multipart/form-data; boundary=X"
URLENCODED = "application/x-www-form-urlencoded"
DEEP = 20_000
LINE = 7000
"""Letters of an address; aiohttp takes 8,190."""


class Hostile(NamedTuple):
    """A request, its body ready to be sent."""

    name: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Told(NamedTuple):
    """An answer."""

    status: int
    body: bytes


def search(**more: Any) -> bytes:
    return json.dumps({**SEARCH, **more}).encode()


def bodies(many: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield (name, content type, body) of *many* things each."""
    numbers = range(many)
    big = 6 * many
    yield "unknown options", "application/json", search(options={f"max_target_{n}": 1 for n in numbers})
    yield (
        "wrong options",
        "application/json",
        search(options={"evalue": "x" * big, "word_size": [[n] for n in range(5000)], "dust": {"a": 1}}),
    )
    yield "unknown fields", "application/json", search(**{f"x{n}": 1 for n in numbers})
    yield "fields that are nearly known", "application/json", search(**{f"databas{n}": 1 for n in numbers})
    yield "long names", "application/json", search(**{"d" * big: 1}, options={"e" * big: 1})
    yield "many databases", "application/json", search(database=[f"tn{n}" for n in numbers])
    yield "a hundred unknown databases", "application/json", search(database=[f"tn{n}" for n in range(100)])
    yield (
        "long texts",
        "application/json",
        search(program="b" * big, task="t" * big, engine="e" * big, title="t" * big, webhook="http://" + "h" * big),
    )
    yield "many ids", "application/json", search(options={"seqidlist": [f"AB{n:08}" for n in numbers]})
    yield "many taxa", "application/json", search(options={"taxids": list(range(1, min(many, 100_000)))})
    yield "many subjects", "application/json", json.dumps({"subjects": [f"AB{n:08}" for n in numbers]}).encode()
    yield (
        "huge numbers",
        "application/json",
        b'{"program": "blastn", "priority": %s, "options": {"evalue": %s}}' % (b"9" * 4000, b"1" * 4400),
    )
    yield "huge exponent", "application/json", b'{"program": "blastn", "options": {"evalue": 1e99999}}'
    yield "deep lists", "application/json", b'{"options": ' + b"[" * DEEP + b"]" * DEEP + b"}"
    yield "deep enough to be shown", "application/json", search(options={"evalue": json.loads("[" * 400 + "]" * 400)})
    yield "many lists", "application/json", b'{"options": {"evalue": [' + b"[]," * many + b"1]}}"
    yield "many numbers", "application/json", b'{"options": {"evalue": [' + b"1," * many + b"1]}}"
    yield "many quotes", "application/json", b'{"title": "' + b'\\"' * (4 * many) + b'"}'
    yield "many escapes", "application/json", b'{"query": "' + b"\\u0041" * many + b'"}'
    yield "lone surrogates", "application/json", b'{"program": "\\ud800", "\\ud800": 1}'
    yield "no UTF-8", "application/json", b'{"program": "\xff\xfe"}'
    yield "a long line", "application/json", search(query=">q\n" + "ACGT" * big)
    yield "many records", "application/json", search(query=">q\nACGTACGTACGTA\n" * many)
    yield "blank lines", "application/json", search(query=">q\nACGT" + "\n" * big)
    yield "records, plain", "text/x-fasta", b">q\nACGTACGTACGTA\n" * many
    yield "titles only", "text/x-fasta", b">\n" * big
    yield "one line", "text/x-fasta", b">q\n" + b"ACGT" * big
    yield "a long title", "text/x-fasta", b">" + b"q " * big
    yield "blank", "text/x-fasta", b">q\nACGT" + b"\n\r" * big
    yield "letters that are none", "text/x-fasta", b">q\n" + b"1!\n" * big
    yield (
        "long titles, not ASCII",
        "text/x-fasta",
        ("".join(f">q{n} {'é' * 50}\nACGT\n" for n in range(many // 10))).encode(),
    )
    yield "a bomb", "text/x-fasta", gzip.compress(b">q\n" + b"A" * (40 * many))
    yield "many streams", "text/x-fasta", gzip.compress(b"") * (many // 2)
    yield "database parts", FORM, PART % (b"database", b"") * many + b"--X--\r\n"
    yield "unknown parts", FORM, PART % (b"zz", b"") * many + b"--X--\r\n"
    yield "names that are no UTF-8", FORM, PART % (b"\xff\xfe", b"") * 100 + b"--X--\r\n"
    yield "a preamble", FORM, b"\n" * big + PART % (b"query", FASTA.encode()) + b"--X--\r\n"
    yield "an epilogue", FORM, PART % (b"query", FASTA.encode()) + b"--X--\r\n" + b"\n" * big
    yield "headers of a part", FORM, b"--X\r\n" + b"A: b\r\n" * many + b"\r\n1\r\n--X--\r\n"
    yield "half borders", FORM, PART % (b"query", b"\r\n--" * many) + b"--X--\r\n"
    yield "search of options", FORM, PART % (b"search", search(options={f"x{n}": 1 for n in numbers})) + b"--X--\r\n"
    yield "search of lists", FORM, PART % (b"search", b'{"a": [' + b"[]," * many + b"1]}") + b"--X--\r\n"
    yield (
        "file of blank lines",
        FORM,
        b'--X\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n' + b"\n" * big + b"\r\n--X--\r\n",
    )
    yield "NCBI's fields", URLENCODED, b"CMD=Put&" + b"&".join(b"X%d=1" % n for n in numbers)
    yield "one field of NCBI often", URLENCODED, b"CMD=Put&PROGRAM=blastn&" + b"DATABASE=tnt&" * many
    yield "NCBI's filters", URLENCODED, b"CMD=Put&PROGRAM=blastn&DATABASE=tnt&QUERY=ACGT&FILTER=" + b"x;" * big
    yield "NCBI's query", URLENCODED, b"CMD=Put&PROGRAM=blastn&DATABASE=tnt&QUERY=" + b"%3E%0AACGT" * many
    yield "NCBI's accessions", URLENCODED, b"CMD=Put&PROGRAM=blastn&DATABASE=tnt&QUERY=" + b"AB123456%0A" * many
    yield "blank NCBI query", URLENCODED, b"CMD=Put&PROGRAM=blastn&DATABASE=tnt&QUERY=" + b"%0A" * big
    yield "parts of NCBI's form", FORM, PART % (b"DATABASE", b"tnt") * many + b"--X--\r\n"
    yield "a login of many fields", URLENCODED, b"token=x&" * 8000
    yield "signs", URLENCODED, b"token=" + b"%" * 60_000


def addresses(parameters: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (name, what follows the question mark) for a route with these *parameters*."""
    yield "unknown names", "&".join(f"x{n}=" for n in range(LINE // 7))
    yield "the same name", "&".join(["a"] * (LINE // 2))
    yield "signs", "%" * LINE
    yield "no UTF-8", "q=%ff%fe&%ff=1&limit=%ff"
    for name in parameters:
        yield f"long {name}", f"{name}=" + "x" * LINE
        yield f"digits of {name}", f"{name}=" + "9" * LINE
        yield f"repeated {name}", "&".join([f"{name}=1"] * (LINE // (len(name) + 3)))
        yield f"commas of {name}", f"{name}=" + "a," * (LINE // 2)
        for value in ("%00", "%0a", "-1", "1e999", "nan", "9223372036854775808", "", "%25", "[]", quote("'\";--")):
            yield f"{name}={value}", f"{name}={value}"


def headers() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield (name, headers)."""
    long = 15_000
    yield "cookies", {"Cookie": ";".join(f"a{n}=b" for n in range(long // 8))}
    yield "quoted cookie", {"Cookie": 'a="' + "\\" * long + '"'}
    yield "session", {"Cookie": "blastd_session=" + "blastd_" * (long // 8)}
    yield "bearer", {"Authorization": "Bearer " + "x" * long}
    yield "basic", {"Authorization": "Basic " + "QUFB" * (long // 4)}
    yield "encodings", {"Accept-Encoding": "gzip;q=0," * (long // 9)}
    yield "tags", {"If-None-Match": '"a",' * (long // 4)}
    yield "ranges", {"Range": "bytes=" + "1-2," * (long // 4)}
    yield "one range", {"Range": "bytes=" + "9" * long}
    yield "last event", {"Last-Event-ID": "9" * long}
    yield "prefix", {"X-Forwarded-Prefix": "/a" * (long // 2)}
    yield "hosts", {"X-Forwarded-Host": "a," * (long // 2), "X-Forwarded-Proto": "x" * long}
    yield "id", {"X-Request-Id": "x" * long}
    yield "key", {"Idempotency-Key": "x" * long}
    yield "length", {"Content-Encoding": "x" * long}
    yield "many", {f"X-{n}": "1" for n in range(100)}


def send(host: str, port: int, hostile: Hostile) -> Told:
    """Send a request as it is, and read its whole answer; a service that cuts it off in the middle has answered, too."""
    lines = [f"{hostile.method} {hostile.path} HTTP/1.1", f"Host: {host}:{port}", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in hostile.headers.items()]
    if hostile.body or hostile.method in ("POST", "PUT"):
        lines.append(f"Content-Length: {len(hostile.body)}")
    with socket.create_connection((host, port), timeout=300) as connection:
        try:
            connection.sendall("\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n")
            connection.sendall(hostile.body)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = bytearray()
        try:
            while block := connection.recv(1 << 16):
                received += block
        except ConnectionResetError:
            pass
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    return Told(int(head.split(b" ", 2)[1]) if head else 0, body)


def shuffled(requests: list[Hostile], seed: int, most: int) -> list[Hostile]:
    """Return *most* of *requests*, others for each seed."""
    return random.Random(seed).sample(requests, min(most, len(requests)))
