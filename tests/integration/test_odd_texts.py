"""A NUL, a line end, a megabyte or bytes that are no UTF-8 in any text of any route: refused at the door, and the service lives."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_from_bytes

import pytest

from blastd.web.app import ROUTES
from blastd.web.middleware import NCBI_PATHS
from blastd.web.openapi import document
from tests.databases import LAMBDA_QUERY
from tests.service import Service, serving

NOTHING = "00000000-0000-4000-8000-000000000000"
TEXTS = {
    "nul": "a\0b",
    "line": "a\nb",
    "return": "a\rb",
    "escape": "\x1b[31m",
    "c1": "a\x85b",
    "megabyte": "x" * (1 << 20),
}
NO_UTF8 = b"a\xff\xfeb"
BLOCKS = frozenset({"query", "subject", "file"})
"""Sequences: of many lines, and as long as they are; their reader refuses what is wrong by record and line."""
SEARCH = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
ORDER = {"name": "new", "molecule": "nucleotide"}
KNOWN: dict[str, dict[str, Any]] = {
    "/api/blast/jobs": SEARCH,
    "/api/blast/me/webhook": {"url": "http://hooks.example/x"},
}
FASTA = b">a\nACGTACGTTGCA\n"


def is_text(schema: dict[str, Any], components: dict[str, Any]) -> bool:
    """Tell whether a schema takes a text, or a list of them."""
    if "$ref" in schema:
        return is_text(components[schema["$ref"].rpartition("/")[2]], components)
    kinds = [schema, *schema.get("anyOf", ())]
    return any(
        kind.get("type") == "string" or (kind.get("type") == "array" and is_text(kind.get("items", {}), components))
        for kind in kinds
    )


def fields(schema: dict[str, Any], components: dict[str, Any]) -> list[str]:
    """Return the names of the texts of an object."""
    if "$ref" in schema:
        return fields(components[schema["$ref"].rpartition("/")[2]], components)
    return [name for name, kind in schema.get("properties", {}).items() if is_text(kind, components)]


class Case:
    """A request with one odd text."""

    def __init__(self, what: str, method: str, path: str, body: bytes | None = None, kind: str = "") -> None:
        self.what, self.method, self.path, self.body, self.kind = what, method, path, body, kind


def cases() -> Iterator[Case]:
    """Yield requests for each text of each route of the description."""
    described = document(ROUTES, "test")
    components = described["components"]["schemas"]
    for template, methods in described["paths"].items():
        path = template.replace("{name}", "tnt").replace("{id}", NOTHING).replace("{task}", NOTHING)
        if "{" in path:
            path = path.partition("{")[0] + "x"
        for method, operation in methods.items():
            if method not in ("get", "post", "put", "delete"):
                continue
            yield from of_address(template, path, method.upper(), operation, components)
            for kind, media in operation.get("requestBody", {}).get("content", {}).items():
                yield from of_body(path, method.upper(), kind, media["schema"], components)


def of_address(
    template: str, path: str, method: str, operation: dict[str, Any], components: dict[str, Any]
) -> Iterator[Case]:
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and is_text(parameter["schema"], components):
            for what, text in TEXTS.items():
                if what != "megabyte":
                    yield Case(
                        f"{parameter['name']} {what}", method, f"{path}?{parameter['name']}={quote(text)}", FASTA
                    )
            raw = quote_from_bytes(NO_UTF8)
            yield Case(f"{parameter['name']} no UTF-8", method, f"{path}?{parameter['name']}={raw}", FASTA)
    for part in [part for part in template.split("/") if part.startswith("{")]:
        for what in ("nul", "line", "c1"):
            yield Case(
                f"path {part} {what}",
                method,
                path.replace(NOTHING, quote(TEXTS[what])).replace("/tnt", "/" + quote(TEXTS[what])),
                b"{}",
            )


def of_body(path: str, method: str, kind: str, schema: dict[str, Any], components: dict[str, Any]) -> Iterator[Case]:
    good = KNOWN.get(path, {})
    if kind == "application/json":
        for name in fields(schema, components):
            for what, text in TEXTS.items():
                if name not in BLOCKS:
                    yield Case(f"{name} {what}", method, path, json.dumps(good | {name: text}).encode(), kind)
                    yield Case(f"{name} list {what}", method, path, json.dumps(good | {name: [text]}).encode(), kind)
            half = json.dumps(good | {name: "MARK"}).encode().replace(b"MARK", NO_UTF8)
            yield Case(f"{name} no UTF-8", method, path, half, kind)
            lone = json.dumps(good | {name: "MARK"}).encode().replace(b"MARK", b"\\ud800")
            yield Case(f"{name} half a letter", method, path, lone, kind)
        for what, text in TEXTS.items():
            for odd in ({"evalue": text}, {text: 1}, {"taxids": [text]}, {"seqidlist": [text, "ok"]}, {"strand": text}):
                yield Case(f"options {what}", method, path, json.dumps(SEARCH | {"options": odd}).encode(), kind)
    elif kind == "multipart/form-data":
        names = [name for name in fields(schema, components) if name not in BLOCKS] or ["title", "task", "engine"]
        for name in names:
            for what, data in {**{what: text.encode() for what, text in TEXTS.items()}, "no UTF-8": NO_UTF8}.items():
                yield Case(
                    f"form {name} {what}",
                    method,
                    path,
                    form({**ORDER, name: data}, path),
                    "multipart/form-data; boundary=X",
                )


def form(texts: dict[str, Any], path: str) -> bytes:
    """Return a form that is right but for the odd text."""
    file = "file" if path.endswith("databases") else "query"
    given = (
        texts
        if file == "file"
        else {"program": "blastn", "database": "tnt"}
        | {name: text for name, text in texts.items() if name not in ORDER}
    )
    parts = [
        b'--X\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        % (name.encode(), text if isinstance(text, bytes) else text.encode())
        for name, text in given.items()
    ]
    parts.append(
        b'--X\r\nContent-Disposition: form-data; name="%s"; filename="a.fa"\r\n\r\n%s\r\n' % (file.encode(), FASTA)
    )
    return b"".join(parts) + b"--X--\r\n"


def ncbi() -> Iterator[Case]:
    kind = "application/x-www-form-urlencoded"
    path = min(NCBI_PATHS)
    for name in ("PROGRAM", "DATABASE", "JOB_TITLE", "EXPECT", "CMD", "TAXIDS", "RID", "FILTER"):
        for what, data in {**{what: text.encode() for what, text in TEXTS.items()}, "no UTF-8": NO_UTF8}.items():
            good = {"CMD": b"Put", "PROGRAM": b"blastn", "DATABASE": b"tnt", "QUERY": LAMBDA_QUERY.encode()}
            body = "&".join(f"{key}={quote_from_bytes(value)}" for key, value in {**good, name: data}.items())
            yield Case(f"NCBI {name} {what}", "POST", path, body.encode(), kind)


@pytest.mark.timeout(300)
async def test_U03_odd_texts_in_any_field_of_any_route_are_refused_at_the_door(
    database_folder: Path, tmp_path: Path
) -> None:
    sent = [*cases(), *ncbi()]
    assert len(sent) > 400
    wrong: list[tuple[str, str, str, int, str]] = []
    for _ in range(2):  # the next start is as good as the first
        async with serving(tmp_path / "state", [database_folder]) as service:
            for case in sent if not wrong else ():
                headers = {"Content-Type": case.kind} if case.kind else {}
                answer = await service.ask(case.method, case.path, data=io.BytesIO(case.body or b""), headers=headers)
                if not 400 <= answer.status < 500:
                    wrong.append((case.what, case.method, case.path[:80], answer.status, answer.text[:200]))
            await lives(service)
        sent = []
    assert not wrong, wrong[:20]


async def lives(service: Service) -> None:
    """See that all parts of the service work, and nothing odd was kept."""
    assert (await service.get("/readyz")).status == 200
    assert (await service.get("/api/blast/databases")).status == 200
    assert (await service.get("/api/blast/database-tasks")).json["tasks"] == []
    assert (await service.run(LAMBDA_QUERY, reuse=False))["status"] == "completed"
