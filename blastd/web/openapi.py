"""The description of every route, and the OpenAPI 3.1 document that is made of it and of the wire types.

A route that is not described here does not exist: `web/app.py` adds what the handler modules list.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from blastd.web import wire

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REF = "#/components/schemas/{name}"
PROBLEM_TYPE = "application/problem+json"
JSON = "application/json"
ALWAYS = (401, 500, 503)
"""Answers that every route may give which needs to know who asks."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route: what it takes and gives. `answers` maps a status to a wire type or a media type."""

    method: str
    path: str
    handler: Handler
    summary: str
    tag: str
    query: type[wire.Request] = wire.NoQuery
    body: dict[str, Any] = {}
    answers: dict[int, Any] = {}
    errors: tuple[int, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    open: bool = False
    name: str = ""
    """A name for clients that are generated, where the handler serves another route, too."""

    @property
    def operation(self) -> str:
        """Return a name for clients that are generated."""
        return self.name or self.handler.__name__


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """Return the OpenAPI document of *routes*. Raises ValueError where two have one name: generated clients lose one."""
    names = [route.operation for route in routes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"operations with one name: {', '.join(twice)}")
    _, components = msgspec.json.schema_components(_types(routes), ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        shown = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path)
        paths.setdefault(shown, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "blastd",
            "version": version,
            "summary": "BLAST searches: submit, follow, fetch results.",
            "description": "JSON in and out, times in UTC, errors as application/problem+json (RFC 9457).",
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "blastd_<id>_<secret>"},
                "basic": {"type": "http", "scheme": "basic", "description": "Any user name; the token as password."},
            },
        },
    }


def _types(routes: Iterable[Route]) -> list[Any]:
    found: list[Any] = [wire.Problem]
    for route in routes:
        found.extend(kind for kind in (*route.answers.values(), *route.body.values()) if isinstance(kind, type))
    return list(dict.fromkeys(found))


def _operation(route: Route) -> dict[str, Any]:
    statuses = sorted({*route.errors, *(() if route.open else ALWAYS), *((422,) if _takes_query(route) else ())})
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query), *_headers(route)],
        "responses": {str(status): _answer(status, kind) for status, kind in route.answers.items()}
        | {str(status): _problem(status) for status in statuses if status not in route.answers},
        "security": [{}] if route.open else [{"bearer": []}, {"basic": []}, {}],
    }
    if route.body:
        content = {media: {"schema": _schema(kind)} for media, kind in route.body.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _takes_query(route: Route) -> bool:
    return route.query is not wire.NoQuery


def _answer(status: int, kind: Any) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(kind, str):
        answer["content"] = {media.strip(): {"schema": {}} for media in kind.split(",")}
    elif kind is not None:
        answer["content"] = {JSON: {"schema": _schema(kind)}}
    return answer


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM_TYPE: {"schema": _schema(wire.Problem)}},
    }


def _schema(kind: Any) -> dict[str, Any]:
    if isinstance(kind, dict):
        return kind
    return {"$ref": REF.format(name=kind.__name__)}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    about = {
        "id": "The UUID of a job, its short id, or any unique prefix of 8 or more hexadecimal digits.",
        "name": "The name of a database.",
    }
    names = [part.strip("{}").partition(":")[0] for part in path.split("/") if part.startswith("{")]
    return [
        {"name": name, "in": "path", "required": True, "description": about.get(name, ""), "schema": {"type": "string"}}
        for name in names
    ]


def _query_parameters(kind: type[wire.Request]) -> list[dict[str, Any]]:
    _, components = msgspec.json.schema_components([kind], ref_template=REF)
    schema = components[kind.__name__]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": about.pop("description", ""),
            "schema": about,
        }
        for name, given in schema.get("properties", {}).items()
        for about in [dict(given)]
    ]


def _headers(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "header", "required": False, "description": about, "schema": {"type": "string"}}
        for name, about in route.headers
    ]
