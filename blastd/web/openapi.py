"""The description of every route, and the OpenAPI 3.1 document that is made of it and of the wire types.

A route that is not described here does not exist: `web/app.py` adds what the handler modules list.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from blastd.core.webhook import ChangedMessage, Message
from blastd.web import wire

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REF = "#/components/schemas/{name}"
PROBLEM_TYPE = "application/problem+json"
JSON = "application/json"
ALWAYS = (401, 500, 503)
"""Answers that every route may give which needs to know who asks."""
TAGS = {
    "jobs": "Searches: submit, follow, cancel, retry, remove.",
    "results": "What searches found: files in every format, and hits, queries and numbers as JSON.",
    "watches": "Searches that run again when their databases change, and what is new, lost and changed then.",
    "events": "Changes of jobs, as pages or as a stream of server-sent events.",
    "databases": "The catalogue, and the making of databases.",
    "system": "The service itself: health, versions, metrics, and who asks.",
}
RETRY_AFTER = ("Retry-After", "Seconds until it makes sense to ask again.")
HEADERS = {
    200: (("ETag", "Validator, where the answer can be asked for again with If-None-Match."),),
    202: (("Location", "Where to follow it."), RETRY_AFTER),
    206: (("Content-Range", "Which bytes these are."), ("ETag", "Validator for If-Range.")),
    304: (("ETag", "The validator that still holds."),),
    401: (("WWW-Authenticate", "How to say who you are: Bearer or Basic."),),
    409: (RETRY_AFTER,),
    429: (RETRY_AFTER,),
    503: (RETRY_AFTER,),
}
"""Headers that answers of a status may have."""
SIZES = {"number": "double", "integer": "int64"}
BINARY = {"type": "string", "format": "binary"}


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
    tells: str = ""
    """Where the request names an address that is told (of a job's end, of a watch's changes), as a runtime expression of OpenAPI."""
    name: str = ""
    """A name for clients that are generated, where the handler serves another route, too."""

    @property
    def operation(self) -> str:
        """Return a name for clients that are generated."""
        return self.name or self.handler.__name__


def document(routes: Sequence[Route], version: str, base: str = "") -> dict[str, Any]:
    """Return the OpenAPI document of *routes*, which are served under *base*, a path or a whole address.

    Raises ValueError where two have one name: generated clients lose one.
    """
    names = [route.operation for route in routes]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"operations with one name: {', '.join(twice)}")
    _, components = msgspec.json.schema_components(_types(routes), ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        shown = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path)
        paths.setdefault(shown, {})[route.method.lower()] = _operation(route)
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "blastd",
            "version": version,
            "summary": "BLAST searches: submit, follow, fetch results.",
            "description": "JSON in and out, times in UTC, errors as application/problem+json (RFC 9457).",
            "license": {"name": "Apache 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": base or "/"}],
        "tags": [{"name": name, "description": TAGS[name]} for name in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "webhooks": {"jobEnded": {"post": _webhook()}, "watchChanged": {"post": _changed()}},
        "components": {
            "schemas": components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "blastd_<id>_<secret>"},
                "basic": {"type": "http", "scheme": "basic", "description": "Any user name; the token as password."},
            },
        },
    }
    _fit(described)
    return described


def _fit(part: Any) -> None:
    """Say what generators of clients else take wrong.

    A number has 64 bits: in Go or Java it else has 32, in which 1e-180 is 0. An empty list or object is no default: it
    would be sent as a text. A list of fixed places is a list of what stands in them.
    """
    if isinstance(part, dict):
        if (size := SIZES.get(part["type"]) if isinstance(part.get("type"), str) else None) is not None:
            part.setdefault("format", size)
        if part.get("default") in ([], {}):
            del part["default"]
        if places := part.pop("prefixItems", None):  # `items: false` behind them is read by few
            kinds = [kind for at, kind in enumerate(places) if kind not in places[:at]]
            part["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
        for inner in part.values():
            _fit(inner)
    elif isinstance(part, list):
        for inner in part:
            _fit(inner)


def _types(routes: Iterable[Route]) -> list[Any]:
    found: list[Any] = [wire.Problem, wire.EventView, Message, ChangedMessage]
    for route in routes:
        for kind in (*route.answers.values(), *route.body.values()):
            kinds = kind.values() if isinstance(kind, dict) else (kind,)
            found.extend(one for one in kinds if isinstance(one, type))
    return list(dict.fromkeys(found))


def _operation(route: Route) -> dict[str, Any]:
    statuses = sorted({*route.errors, *(() if route.open else ALWAYS), *((422,) if _takes_query(route) else ())})
    operation: dict[str, Any] = {
        "operationId": route.operation,
        "summary": route.summary,
        "description": (route.handler.__doc__ or route.summary).strip().splitlines()[0],
        "tags": [route.tag],
        "parameters": [*_path_parameters(route.path), *_query_parameters(route.query), *_headers(route)],
        "responses": {str(status): _answer(status, kind) for status, kind in route.answers.items()}
        | {str(status): _problem(status) for status in statuses if status not in route.answers},
        "security": [{}] if route.open else [{"bearer": []}, {"basic": []}, {}],
    }
    if route.tells:  # the same as the webhook; some generators keep only what a path refers to
        name, sent = ("watchChanged", _changed()) if route.tag == "watches" else ("jobEnded", _webhook())
        sent |= {"operationId": f"{sent['operationId']}_callback"}
        operation["callbacks"] = {name: {route.tells: {"post": sent}}}
    if route.body:
        content = {media: {"schema": _schema(kind)} for media, kind in route.body.items()}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _takes_query(route: Route) -> bool:
    return route.query is not wire.NoQuery


def _answer(status: int, kind: Any) -> dict[str, Any]:
    """Return an answer: *kind* is a wire type, media types by comma, schemas by media type, or None for no body."""
    answer: dict[str, Any] = {"description": HTTPStatus(status).phrase}
    if isinstance(kind, str):
        answer["content"] = {media.strip(): {"schema": _file(media.strip())} for media in kind.split(",")}
    elif isinstance(kind, dict):
        answer["content"] = {media: {"schema": _schema(one)} for media, one in kind.items()}
    elif kind is not None:
        answer["content"] = {JSON: {"schema": _schema(kind)}}
    return _with_headers(status, answer)


def _file(media: str) -> dict[str, Any]:
    """Return what a file is to a client: JSON as it is, text as a text, any other as bytes."""
    if media == JSON:
        return {}
    return {"type": "string"} if media.startswith("text/") or media.endswith("xml") else BINARY


def _problem(status: int) -> dict[str, Any]:
    answer = {
        "description": HTTPStatus(status).phrase,
        "content": {PROBLEM_TYPE: {"schema": _schema(wire.Problem)}},
    }
    return _with_headers(status, answer)


def _with_headers(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    told = {name: {"description": about, "schema": {"type": "string"}} for name, about in HEADERS.get(status, ())}
    return answer | ({"headers": told} if told else {})


def _webhook() -> dict[str, Any]:
    """Return what is sent to an address that is told of ends."""
    about = {
        "webhook-id": "The id of the message, the same however often it is sent.",
        "webhook-timestamp": "Seconds since 1970, part of what is signed.",
        "webhook-signature": "Signature after Standard Webhooks: v1, and base64 of HMAC-SHA256.",
    }
    return {
        "operationId": "job_ended",
        "summary": "The end of a job",
        "description": "Sent to the address that a search, or its owner, named; any 2xx takes it, else it is sent again.",
        "tags": ["jobs"],
        "parameters": [
            {"name": name, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for name, text in about.items()
        ],
        "requestBody": {"required": True, "content": {JSON: {"schema": _schema(Message)}}},
        "responses": {
            "200": {"description": "It was taken."},
            "410": {"description": "Nobody wants it any more: it is given up."},
        },
        "security": [{}],
    }


def _changed() -> dict[str, Any]:
    """Return what is sent to an address that is told of what a watch found."""
    return _webhook() | {
        "operationId": "watch_changed",
        "summary": "A run of a watch found changes",
        "description": "Sent to the address that a watch, or its owner, named; any 2xx takes it, else it is sent again.",
        "tags": ["watches"],
        "requestBody": {"required": True, "content": {JSON: {"schema": _schema(ChangedMessage)}}},
    }


def _schema(kind: Any) -> dict[str, Any]:
    if isinstance(kind, dict):
        return kind
    return {"$ref": REF.format(name=kind.__name__)}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    about = {
        "id": "The UUID of a job, its short id, or any unique prefix of 8 or more hexadecimal digits.",
        "name": "The name of a database.",
        "watch": "The id of a watch.",
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
