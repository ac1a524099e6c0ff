"""The browser's side of authentication: the session cookie, and what protects it from other origins.

A token that was entered on the login page is kept in a cookie that no script can read and that no other site's page
can cause to be sent. Who the token belongs to, and what it may do, is decided by the access service; the middleware
calls `session_token` where a request has no Authorization header, and `same_site` before any change of state.
"""

import re
from urllib.parse import urlsplit

from aiohttp import web

COOKIE = "blastd_session"
LINK_COOKIE = "blastd_share"
CSRF_HEADER = "X-Requested-With"
CSRF_VALUE = "blastd"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

TOKEN = re.compile(r"blastd_[A-Za-z0-9]{1,64}_[A-Za-z0-9_-]{1,256}")
PREFIX = re.compile(r"(?:/[A-Za-z0-9][A-Za-z0-9._~-]*)+")
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def session_token(request: web.Request) -> str | None:
    """Return the token in the session cookie, None when there is none of the right form."""
    value = request.cookies.get(COOKIE, "")
    return value if TOKEN.fullmatch(value) else None


def link_of(request: web.Request) -> str | None:
    """Return the text of the link through which this browser came to the search of the address, None without one."""
    value = request.cookies.get(LINK_COOKIE, "")
    return value if TOKEN.fullmatch(value) else None


def set_link(response: web.StreamResponse, request: web.Request, text: str, path: str) -> None:
    """Remember a link for addresses under *path*, those of its search, until the browser is closed."""
    secure = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    response.set_cookie(LINK_COOKIE, text, path=path, httponly=True, samesite="Strict", secure=secure)


def same_site(request: web.Request) -> bool:
    """Tell whether the request may change state: not one that a page of another origin made a browser send.

    Programs send neither Sec-Fetch-Site nor Origin; every current browser sends one of them with each POST and DELETE.
    """
    if request.method in SAFE_METHODS:
        return True
    if (fetch_site := request.headers.get("Sec-Fetch-Site")) is not None:
        return fetch_site in {"same-origin", "none"}
    if (origin := request.headers.get("Origin")) is None:
        return True
    hosts = {request.headers.get("Host", ""), request.headers.get("X-Forwarded-Host", "")} - {""}
    return urlsplit(origin).netloc.lower() in {host.lower() for host in hosts}


def loopback_host(request: web.Request) -> bool:
    """Tell whether the Host header names this machine's loopback.

    Without tokens only such requests are answered, so that a name which an attacker points at 127.0.0.1 (DNS
    rebinding) is no way in.
    """
    name = urlsplit("//" + request.headers.get("Host", "")).hostname
    return name is not None and (name in LOOPBACK_NAMES or name.endswith(".localhost"))


def base_path(request: web.Request, configured: str | None) -> str:
    """Return the path under which the browser sees us, without a slash at its end ("" at the root).

    The configured one wins; else X-Forwarded-Prefix of the reverse proxy, if it is a plain path.
    """
    given = (configured if configured is not None else request.headers.get("X-Forwarded-Prefix", "")).rstrip("/")
    return given if PREFIX.fullmatch(given) else ""


def local_target(wanted: str, base: str) -> str:
    """Return *wanted* if it is a path of ours to go to after login, else the start page."""
    parts = urlsplit(wanted)
    plain = not parts.scheme and not parts.netloc and "\\" not in wanted and not re.search(r"[\x00-\x20\x7f]", wanted)
    if plain and parts.path.startswith(f"{base}/") and not wanted.startswith("//"):  # "///x" is a host to browsers
        return wanted
    return f"{base}/"


def set_session(response: web.StreamResponse, request: web.Request, token: str, base: str, seconds: float) -> None:
    """Put *token* into the session cookie: not for scripts, not for other sites, and only over TLS where there is TLS.

    The browser keeps it for *seconds*; a token that is revoked or expires earlier ends the session at once.
    """
    secure = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    response.set_cookie(
        COOKIE, token, path=base or "/", max_age=round(seconds), httponly=True, samesite="Strict", secure=secure
    )


def end_session(response: web.StreamResponse, base: str) -> None:
    """Take the session cookie away."""
    response.del_cookie(COOKIE, path=base or "/", httponly=True, samesite="Strict")
