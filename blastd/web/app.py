"""The application: all routes, the middleware around them, and the runner that daemon and tests share.

Handlers are thin: decode, call a service, encode. What they answer is described in the same tables that make the
OpenAPI document.
"""

import msgspec
from aiohttp import web

from blastd.config import Settings
from blastd.service import Services
from blastd.web import (
    database_tasks,
    databases,
    events,
    imports,
    jobs,
    ncbi,
    query_tables,
    results,
    shares,
    sources,
    submit,
    system,
    taxa,
    watches,
)
from blastd.web.api_reference import reference
from blastd.web.cross_origin import answer_preflight, tell_origin
from blastd.web.middleware import OPEN_PATHS, SERVICES, finish_headers, guard, observe
from blastd.web.openapi import Route, document
from blastd.web.packing import pack
from blastd.web.pages import API_PAGE, Pages, PageSettings, page_routes
from blastd.web.problems import GONE, NOWHERE, Handler, problems
from blastd.web.rows import base_of
from blastd.web.stalls import STALLS, StallRunner, Stalls

ROUTES: tuple[Route, ...] = (
    *submit.ROUTES,
    *imports.ROUTES,
    *jobs.ROUTES,
    *results.ROUTES,
    *query_tables.ROUTES,
    *shares.ROUTES,
    *events.ROUTES,
    *sources.ROUTES,
    *databases.ROUTES,
    *taxa.ROUTES,
    *database_tasks.ROUTES,
    *watches.ROUTES,
    *system.ROUTES,
)
SMALL_BODY = 1 << 20
"""For bodies that aiohttp itself reads (a list of subjects); all others have limits of their own in `web/bodies.py`."""


normalize = web.normalize_path_middleware(append_slash=False, remove_slash=True, merge_slashes=True)


@web.middleware
async def straighten(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send who asks with a slash at the end, or with two in a row, to the address that is meant."""
    if request.path.startswith("/static/"):
        return await handler(request)
    try:
        return await normalize(request, handler)
    except web.HTTPPermanentRedirect as error:
        error.headers["Location"] = base_of(request) + error.headers["Location"]
        raise


def make_app(services: Services, settings: Settings) -> web.Application:
    """Return the application that serves *services*."""
    app = web.Application(
        middlewares=[observe, problems, answer_preflight, straighten, pack, guard], client_max_size=SMALL_BODY
    )
    app[SERVICES] = services
    app[STALLS] = Stalls(settings.server.stall_seconds)
    app[GONE] = services.system.gone
    app[OPEN_PATHS] = frozenset({API_PAGE, *(route.path for route in ROUTES if route.open)})
    app[events.STREAMS] = events.Streams()
    described = document(ROUTES, services.version, settings.server.base_path)
    app[system.DOCUMENT] = msgspec.json.encode(described)
    for route in ROUTES:
        app.router.add_route(route.method, route.path, route.handler)
        if route.method == "GET":
            app.router.add_route("HEAD", route.path, route.handler)
    page_settings = PageSettings(
        version=services.version,
        base_path=settings.server.base_path or None,
        tokens=not settings.server.loopback,
        session_seconds=settings.server.session_hours * 3600,
    )
    pages = Pages(page_settings, services.access.valid, reference(described))
    app[NOWHERE] = pages.nowhere
    app.router.add_routes(page_routes(pages))
    app.router.add_routes(ncbi.routes())
    app.router.add_get("/share/{key}", shares.open_share)
    app.on_response_prepare.extend([finish_headers, tell_origin])
    return app


def make_runner(app: web.Application) -> StallRunner:
    """Return the runner of the daemon and of the tests.

    A client that goes away cancels no handler: what it began is finished, and a cancel in the middle of a write would
    leave the outcome unknown. Bodies are decoded by `web/bodies.py`, which bounds what a gzip bomb unfolds to.
    """
    return StallRunner(
        app,
        handler_cancellation=False,
        access_log=None,
        auto_decompress=False,
        keepalive_timeout=75.0,
        max_field_size=16384,
    )
