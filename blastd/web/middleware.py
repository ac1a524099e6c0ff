"""What happens around every request: its id, its line in the log, who asks, and what another site's page may not do.

Who may see which job is decided by `service.access`; how an error looks by `web.problems`.
"""

import base64
import re
from time import perf_counter
from urllib.parse import unquote_to_bytes, urlsplit

import structlog
from aiohttp import web
from structlog.contextvars import bound_contextvars

from blastd.core import ncbi
from blastd.errors import BadRequest, Forbidden, Unauthorized
from blastd.service import Services
from blastd.service.access import Identity, JobLink, ProxyClaim
from blastd.web.problems import REQUEST_ID, STARTED, Handler, new_id
from blastd.web.session import SAFE_METHODS, link_of, loopback_host, session_token
from blastd.web.stalls import STALLS

SERVICES = web.AppKey("services", Services)
OPEN_PATHS = web.AppKey("open_paths", frozenset[str])
IDENTITY = web.RequestKey("identity", Identity)

GOOD_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
NCBI_PATHS = frozenset(
    {"/blast/Blast.cgi", "/Blast.cgi", "/cgi-bin/blast.cgi", "/ncbi/{key}/Blast.cgi", "/ncbi/{key}/blast/Blast.cgi"}
)
"""The last two hold a key, for clients that can be given an address and nothing else."""
JOB_PATH = "/api/blast/jobs/{id}"
LINK_HEADER = "X-Blastd-Share"
PROXY_SECRET_HEADER = "X-Blastd-Proxy-Secret"  # noqa: S105  # the name of a header
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
NCBI_CHANGES = frozenset({"put", "delete"})
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}
CROSS_SITE = "A page of another site sent this request. Use the pages or the API of this service directly."
NARROW = "This key is for clients of NCBI's interface only: use a token for everything else."
WRONG_HOST = (
    "This service has no tokens, so it answers only to names of this machine (localhost, 127.0.0.1). "
    "Use one of them, make a token, or list the name in server.public_hosts."
)

log = structlog.get_logger()


async def finish_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Give every answer its request id and the headers that keep browsers from misusing it."""
    request[STARTED] = response
    response.headers["X-Request-Id"] = request.get(REQUEST_ID, "")
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request an id, and write one line and the metrics about it when it has been answered."""
    given = request.headers.get("X-Request-Id", "")
    request[REQUEST_ID] = given if GOOD_ID.fullmatch(given) else new_id()
    await request.app[STALLS].note(request)
    begin, status = perf_counter(), 0
    with bound_contextvars(request_id=request[REQUEST_ID]):
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        except (ConnectionResetError, BrokenPipeError):
            status = 499  # the client went away; the number that proxies write for it
            raise
        finally:
            seconds = perf_counter() - begin
            template = route_template(request)
            metrics = request.app[SERVICES].metrics
            metrics.requests.labels(route=template, method=method_label(request), status=str(status)).inc()
            metrics.request_seconds.labels(route=template, method=method_label(request)).observe(seconds)
            level = log.debug if template in QUIET else log.info
            level(
                "request_served",
                method=request.method,
                route=template,
                path=request.path,
                status=status,
                ms=round(seconds * 1000, 1),
                owner=request[IDENTITY].owner if IDENTITY in request else None,
            )


QUIET = frozenset({"/livez", "/readyz", "/health", "/api/health", "/metrics", "/static/{version}/{name}"})


def method_label(request: web.Request) -> str:
    """Return the method, of a closed set: a client may send any word."""
    return request.method if request.method in METHODS else "other"


def route_template(request: web.Request) -> str:
    """Return the path of the route with its names in braces: a closed set, unlike paths."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find out who asks, where a route needs to know, and refuse what a page of another site makes a browser send."""
    path = route_template(request)
    _check_address(request)
    if (path.startswith("/api/") and path not in request.app[OPEN_PATHS]) or path in NCBI_PATHS:
        origins = request.app[SERVICES].settings.server.cors_origins
        text, ambient = credentials(request)
        if path in NCBI_PATHS:
            text, ambient = _ncbi_key(request, text, ambient=ambient)
            if text is None and request.method == "POST" and await request.app[SERVICES].access.tokens_on():
                return await handler(request)  # the key may stand in the body, where `web.ncbi` looks for it
        who = await request.app[SERVICES].access.identify(text, _claim(request, text), _link(request, path))
        if who.surface is not None and path not in NCBI_PATHS:
            raise Forbidden(NARROW)
        if who.token_id is None and not who.proxied:
            _check_host(request)
        trusted = not who.token_id and not who.proxied and request.headers.get("Origin") in origins
        if ambient and changes_state(request) and from_other_site(request) and not trusted:
            raise Forbidden(CROSS_SITE)
        request[IDENTITY] = who
        with bound_contextvars(owner=who.owner):
            return await handler(request)
    return await handler(request)


def _link(request: web.Request, path: str) -> JobLink | None:
    """Return a link to a search, on the routes that read one: links open nothing else."""
    reads = request.method in SAFE_METHODS or (request.method == "POST" and path == JOB_PATH + "/results")
    if not reads or not (path == JOB_PATH or path.startswith(JOB_PATH + "/")):
        return None
    text = request.headers.get(LINK_HEADER) or link_of(request)
    return JobLink(text=text, asked=request.match_info["id"].replace("-", "").lower()) if text else None


def _claim(request: web.Request, text: str | None) -> ProxyClaim | None:
    """Return what a proxy says of who was signed in; a token of ours that was sent as Bearer counts more."""
    settings = request.app[SERVICES].settings.access
    bearer = request.headers.get("Authorization", "").lower().startswith("bearer")
    if not settings.proxy_addresses or (bearer and text is not None):
        return None
    groups = ",".join(request.headers.getall(settings.proxy_groups_header, ()))
    return ProxyClaim(
        address=request.remote or "",
        secret=request.headers.get(PROXY_SECRET_HEADER, ""),
        users=tuple(request.headers.getall(settings.proxy_user_header, ())),
        groups=tuple(group.strip() for group in groups.split(",")),
    )


def _ncbi_key(request: web.Request, text: str | None, *, ambient: bool) -> tuple[str | None, bool]:
    """Return the token of a request of the NCBI surface: that of a header wins, then the address, then a cookie."""
    if "Authorization" in request.headers:
        return text, ambient
    for name, value in (("key", request.match_info.get("key")), *request.query.items()):
        if value and name.lower() in ("key", "api_key"):
            return value, False
    return text, ambient


def _check_address(request: web.Request) -> None:
    """Refuse an address whose escapes are no UTF-8: the parser would put other letters in their place. Raises BadRequest."""
    raw = request.rel_url.raw_path_qs
    if "%" in raw:
        try:
            unquote_to_bytes(raw).decode()
        except UnicodeDecodeError as error:
            raise BadRequest("The address holds bytes that are no UTF-8 text.") from error


def credentials(request: web.Request) -> tuple[str | None, bool]:
    """Return the token that was sent, and whether a browser may have sent it unasked (cookie, Basic, or none needed)."""
    header = request.headers.get("Authorization")
    if header is None:
        return session_token(request), True
    scheme, _, value = header.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip(), False
    if scheme.lower() == "basic":
        return _password(value), True
    raise Unauthorized(
        "This kind of authorization is not known here: use 'Bearer', or 'Basic' with the token as password."
    )


def _password(value: str) -> str:
    try:
        _, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError as error:  # no base64, no UTF-8, or letters that are not ASCII
        raise Unauthorized("The Basic authorization can't be read.") from error
    return password


def changes_state(request: web.Request) -> bool:
    """Tell whether the request may change something; the NCBI interface does so by GET, too."""
    if request.method not in SAFE_METHODS:
        return True
    if route_template(request) not in NCBI_PATHS:
        return False
    command = ncbi.keys(request.query.items()).get("CMD", "")  # read as the handler reads it, repeated or padded
    return command.strip().lower() in NCBI_CHANGES


def from_other_site(request: web.Request) -> bool:
    """Tell whether a page of another origin made a browser send this. Programs send neither header."""
    if (site := request.headers.get("Sec-Fetch-Site")) is not None:
        return site not in {"same-origin", "none"}
    if (origin := request.headers.get("Origin")) is None:
        return False
    hosts = {request.headers.get("Host", "").lower(), request.headers.get("X-Forwarded-Host", "").lower()} - {""}
    return urlsplit(origin).netloc.lower() not in hosts


def _check_host(request: web.Request) -> None:
    """Refuse names that somebody else's DNS points at this machine (DNS rebinding)."""
    host = request.headers.get("Host", "")
    try:
        name = urlsplit("//" + host).hostname
        ours = not host or loopback_host(request)
    except ValueError:  # not a host at all, like "["
        name, ours = None, False
    if not ours and name not in request.app[SERVICES].settings.server.public_hosts:
        raise Forbidden(WRONG_HOST)
