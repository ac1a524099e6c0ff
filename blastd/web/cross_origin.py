"""Pages of listed origins may use the API (CORS, the Fetch standard): what a browser asks beforehand, and what it lets them read.

No origin is believed with what a browser sends unasked: a page brings its user's token itself (`Authorization: Bearer`).
"""

from aiohttp import hdrs, web

from blastd.web.middleware import NCBI_PATHS, SERVICES, route_template
from blastd.web.problems import Handler

METHODS = "GET, HEAD, POST, DELETE"
SENT = "Authorization, Content-Type, Content-Encoding, Idempotency-Key, If-None-Match, If-Range, Last-Event-ID, Prefer, Range"
READ = "Content-Disposition, Content-Range, ETag, Location, Preference-Applied, Retry-After, X-Blastd-Partial, X-Request-Id"
HELD_SECONDS = 600
"""For which a browser remembers what it asked."""


@web.middleware
async def answer_preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what a browser asks before it sends a request of a listed origin."""
    if request.method != hdrs.METH_OPTIONS or hdrs.ACCESS_CONTROL_REQUEST_METHOD not in request.headers:
        return await handler(request)
    if not _concerned(request) or not listed(request):
        return await handler(request)
    headers = {
        hdrs.ACCESS_CONTROL_ALLOW_METHODS: METHODS,
        hdrs.ACCESS_CONTROL_ALLOW_HEADERS: SENT,
        hdrs.ACCESS_CONTROL_MAX_AGE: f"{HELD_SECONDS}",
    }
    return web.Response(status=204, headers=headers)


async def tell_origin(request: web.Request, response: web.StreamResponse) -> None:
    """Let pages of a listed origin read an answer of the API, errors and streams as well."""
    if not request.app[SERVICES].settings.server.cors_origins or not _concerned(request):
        return
    response.headers.add(hdrs.VARY, hdrs.ORIGIN)
    if listed(request):
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = request.headers[hdrs.ORIGIN]
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = READ
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def listed(request: web.Request) -> bool:
    """Tell whether the request is of a page of a listed origin."""
    return request.headers.get(hdrs.ORIGIN) in request.app[SERVICES].settings.server.cors_origins


def _concerned(request: web.Request) -> bool:
    return request.path.startswith("/api/") or route_template(request) in NCBI_PATHS
