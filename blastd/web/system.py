"""Handlers for operators, probes and clients that ask what this service is."""

import msgspec
from aiohttp import web

from blastd.errors import Unavailable
from blastd.service.system import DEGRADED, DOWN, OK, Component, versions
from blastd.web import bodies, wire
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply

WEBHOOK = "/api/me/webhook"
SMALL_BYTES = 16 << 10
DOCUMENT = web.AppKey("openapi", bytes)


async def health(request: web.Request) -> web.Response:
    """Answer how every component is; always 200, the status is in the body."""
    services = request.app[SERVICES]
    found = await services.system.health()
    slots = [engine.slots for engine in found.engines if engine.slots is not None]
    busy = [engine.slots_busy for engine in found.engines if engine.slots_busy is not None]
    return reply(
        wire.HealthView(
            status=found.status,
            version=services.version,
            started_at=wire.moment(found.started_at),
            uptime_seconds=found.uptime_seconds,
            components=[component_view(part) for part in found.components],
            queue=wire.QueueView(queued=found.queued, running=found.running, slots=sum(slots), slots_busy=sum(busy)),
            disk=wire.DiskView(
                free_bytes=found.free_bytes,
                total_bytes=found.total_bytes,
                floor_bytes=found.floor_bytes,
                state_bytes=found.state_bytes,
            ),
            engines=[
                wire.EngineView(
                    name=engine.name,
                    status=engine.status,
                    detail=engine.detail,
                    slots=engine.slots,
                    slots_busy=engine.slots_busy,
                    running=engine.running,
                    age_seconds=engine.age_seconds,
                    watches=[component_view(watch) for watch in engine.watches],
                )
                for engine in found.engines
            ],
        )
    )


def component_view(part: Component) -> wire.ComponentView:
    """Return a component."""
    return wire.ComponentView(
        name=part.name,
        status=part.status,
        detail=part.detail,
        since=wire.maybe(part.since),
        age_seconds=part.age_seconds,
    )


async def livez(request: web.Request) -> web.Response:
    """Answer that the process serves; needs nothing else."""
    return reply(wire.Live(status="ok", version=request.app[SERVICES].version))


async def readyz(request: web.Request) -> web.Response:
    """Answer whether searches are accepted; 503 names what is down."""
    services = request.app[SERVICES]
    parts = await services.ready()
    down = [component_view(part) for part in parts if part.status == DOWN]
    if down:
        names = "; ".join(f"{part.name} is down: {part.detail}" for part in down)
        raise Unavailable(names, down=msgspec.to_builtins(down))
    degraded = [component_view(part) for part in parts]
    return reply(wire.Ready(status=DEGRADED if degraded else OK, degraded=degraded))


async def metrics(request: web.Request) -> web.Response:
    """Answer the metrics for Prometheus."""
    services = request.app[SERVICES]
    await services.system.measure()
    body, media_type = services.system.metrics(request.headers.get("Accept", ""))
    return web.Response(body=body, headers={"Content-Type": media_type, "Cache-Control": "no-store"})


async def me(request: web.Request) -> web.Response:
    """Answer who asks."""
    who = request[IDENTITY]
    return reply(wire.Me(owner=who.owner, role=who.role, tokens=who.token_id is not None))


async def get_webhook(request: web.Request) -> web.Response:
    """Answer the address that is told of the ends of one's jobs."""
    webhooks = request.app[SERVICES].webhooks
    url = await webhooks.default(request[IDENTITY])
    return reply(wire.WebhookView(url=url, problem=None if url is None else webhooks.fault(url)))


async def put_webhook(request: web.Request) -> web.Response:
    """Set that address."""
    limit = SMALL_BYTES
    bodies.check_length(request, limit)
    body = await bodies.whole(request.content.iter_any(), bodies.encoding_of(request), limit)
    given = wire.decode(wire.WebhookBody, await bodies.json_object(body))
    await request.app[SERVICES].webhooks.set_default(request[IDENTITY], given.url)
    return reply(wire.WebhookView(url=given.url, problem=None))


async def delete_webhook(request: web.Request) -> web.Response:
    """Forget that address."""
    await request.app[SERVICES].webhooks.clear_default(request[IDENTITY])
    return reply(wire.WebhookView(url=None, problem=None))


async def version(request: web.Request) -> web.Response:
    """Answer the versions of what works here."""
    services = request.app[SERVICES]
    return reply(wire.Versions(version=services.version, **versions(services.blast_version)))


async def openapi(request: web.Request) -> web.Response:
    """Answer the description of this interface."""
    return web.Response(
        body=request.app[DOCUMENT], content_type="application/json", headers={"Cache-Control": "no-cache"}
    )


ROUTES = (
    Route(
        method="GET",
        path="/api/health",
        handler=health,
        tag="system",
        summary="How each component is",
        answers={200: wire.HealthView},
        open=True,
    ),
    Route(
        method="GET",
        path="/health",
        handler=health,
        name="health_short",
        tag="system",
        summary="How each component is",
        answers={200: wire.HealthView},
        open=True,
    ),
    Route(
        method="GET",
        path="/livez",
        handler=livez,
        tag="system",
        summary="Whether the process serves",
        answers={200: wire.Live},
        open=True,
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=readyz,
        tag="system",
        summary="Whether searches are accepted",
        answers={200: wire.Ready},
        errors=(503,),
        open=True,
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=metrics,
        tag="system",
        summary="Metrics for Prometheus",
        answers={200: "text/plain, application/openmetrics-text"},
        open=True,
    ),
    Route(method="GET", path="/api/me", handler=me, tag="system", summary="Who asks", answers={200: wire.Me}),
    Route(
        method="GET",
        path=WEBHOOK,
        handler=get_webhook,
        tag="system",
        summary="The address that is told of the ends of your jobs",
        answers={200: wire.WebhookView},
    ),
    Route(
        method="PUT",
        path=WEBHOOK,
        handler=put_webhook,
        tag="system",
        summary="Set the address that is told of the ends of your jobs",
        body={"application/json": wire.WebhookBody},
        answers={200: wire.WebhookView},
        errors=(400, 403, 413, 415, 422),
    ),
    Route(
        method="DELETE",
        path=WEBHOOK,
        handler=delete_webhook,
        tag="system",
        summary="Forget the address that is told of the ends of your jobs",
        answers={200: wire.WebhookView},
        errors=(403,),
    ),
    Route(
        method="GET",
        path="/api/version",
        handler=version,
        tag="system",
        summary="Versions",
        answers={200: wire.Versions},
        open=True,
    ),
    Route(
        method="GET",
        path="/api/openapi.json",
        handler=openapi,
        tag="system",
        summary="This description",
        answers={200: {"application/json": {"type": "object"}}},
        open=True,
    ),
)
