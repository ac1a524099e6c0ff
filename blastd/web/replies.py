"""How handlers answer: JSON of wire types, validators, and files with Range, ETag and gzip."""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from aiohttp import web

from blastd.web import wire


def reply(payload: wire.Wire, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return *payload* as JSON that no cache keeps."""
    return web.Response(
        body=msgspec.json.encode(payload),
        status=status,
        headers={"Cache-Control": "no-store"} | dict(headers or {}),
        content_type="application/json",
        charset="utf-8",
    )


def matches(request: web.Request, tag: str) -> bool:
    """Tell whether If-None-Match names *tag* (weak comparison, RFC 9110 13.1.2)."""
    given = request.headers.get("If-None-Match", "")
    opaque = tag.removeprefix("W/")
    return given.strip() == "*" or opaque in {part.strip().removeprefix("W/") for part in given.split(",")}


def not_modified(tag: str) -> web.Response:
    """Return the answer to a client that has the present version."""
    return web.Response(status=304, headers={"ETag": tag, "Cache-Control": "no-cache"})


def disposition(name: str) -> str:
    """Return the Content-Disposition of a download of this name (RFC 6266)."""
    plain = "".join(letter if (letter.isalnum() and letter.isascii()) or letter in "._-" else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
