"""Q09: docs/api.md says what the OpenAPI document says, and that says what generators of clients need."""

from collections.abc import Iterator
from typing import Any

from blastd.web.api_reference import reference
from blastd.web.app import ROUTES
from blastd.web.openapi import document
from tests.api_reference import PAGE, page

DOCUMENT = document(ROUTES, "1")


def parts(part: Any) -> Iterator[dict[str, Any]]:
    """Every object of the document."""
    if isinstance(part, dict):
        yield part
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from parts(inner)


def test_Q09_the_page_is_what_the_document_says() -> None:
    assert page() == PAGE.read_text(), "run 'python -m tests.api_reference'"


def test_Q09_every_operation_is_told_once() -> None:
    told = [(it.method, it.path) for group in reference(DOCUMENT).groups for it in group.operations]
    assert len(told) == len(set(told)) == len(ROUTES)


def test_Q09_every_answer_and_body_has_a_type() -> None:
    untyped = [
        f"{route.method} {route.path}"
        for route in ROUTES
        for kind in (*route.answers.values(), *route.body.values())
        if kind == {"type": "object"}
    ]
    assert untyped == []


def test_Q09_numbers_have_64_bits_and_no_empty_container_is_a_default() -> None:
    for part in parts(DOCUMENT):
        if part.get("type") in ("number", "integer") and "format" not in part:
            raise AssertionError(part)
        assert part.get("default") not in ([], {})


def test_Q09_every_reference_leads_somewhere() -> None:
    known = {f"#/components/schemas/{name}" for name in DOCUMENT["components"]["schemas"]}
    assert {part["$ref"] for part in parts(DOCUMENT) if "$ref" in part} <= known
    assert DOCUMENT["webhooks"]["jobEnded"]["post"]["requestBody"]
