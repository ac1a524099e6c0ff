"""Handlers of links to one search, and the address that a link is: it gives the browser a cookie for that search alone."""

from datetime import datetime

from aiohttp import web

from blastd.core.links import Share
from blastd.web import bodies, wire
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.pages import SECURITY_HEADERS
from blastd.web.problems import NOWHERE
from blastd.web.replies import reply
from blastd.web.results import JOB
from blastd.web.rows import base_of
from blastd.web.session import set_link

SMALL_BYTES = 4 << 10


async def create_share(request: web.Request) -> web.Response:
    """Make a link."""
    services = request.app[SERVICES]
    await services.jobs.own(request[IDENTITY], request.match_info["id"])  # before anything is said of the body
    bodies.check_length(request, SMALL_BYTES)
    text = await bodies.whole(request.content.iter_any(), bodies.encoding_of(request), SMALL_BYTES)
    body = wire.decode(wire.ShareBody, await bodies.json_object(text or b"{}"))
    made = await services.shares.create(request[IDENTITY], request.match_info["id"], body.label, body.days)
    view = wire.NewShareView(
        share=share_view(made.share, made.share.created_at), url=f"{base_of(request)}/share/{made.text}", key=made.text
    )
    return reply(view, status=201)


async def list_shares(request: web.Request) -> web.Response:
    """Answer the links to a job."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    services = request.app[SERVICES]
    found = await services.shares.of_job(request[IDENTITY], request.match_info["id"])
    return reply(wire.ShareList(shares=[share_view(share, services.clock.now()) for share in found]))


async def revoke_share(request: web.Request) -> web.Response:
    """End a link, and answer those that there are."""
    services = request.app[SERVICES]
    await services.shares.revoke(request[IDENTITY], request.match_info["id"], request.match_info["share"])
    found = await services.shares.of_job(request[IDENTITY], request.match_info["id"])
    return reply(wire.ShareList(shares=[share_view(share, services.clock.now()) for share in found]))


def share_view(share: Share, now: datetime) -> wire.ShareView:
    """Return a link as it is shown."""
    return wire.ShareView(
        share_id=share.share_id,
        job_id=share.job_id,
        label=share.label,
        made_by=share.made_by,
        created_at=wire.moment(share.created_at),
        expires_at=wire.moment(share.expires_at),
        revoked_at=wire.maybe(share.revoked_at),
        state="revoked" if share.revoked_at is not None else "open" if share.open_at(now) else "expired",
    )


async def open_share(request: web.Request) -> web.StreamResponse:
    """Lead a browser from a link to its search; what comes after # stays, so that the link shows the same view."""
    text = request.match_info["key"]
    job_id = await request.app[SERVICES].shares.opened(text)
    if job_id is None:
        return request.app[NOWHERE](request)
    base = base_of(request)
    response = web.Response(
        status=303,
        headers=SECURITY_HEADERS | {"Location": f"{base}/jobs/{job_id}?shared=1", "Cache-Control": "no-store"},
    )
    set_link(response, request, text, f"{base}/api/blast/jobs/{job_id}")
    return response


ERRORS = (403, 404, 409, 410)
ROUTES = (
    Route(
        method="POST",
        path=JOB + "/shares",
        handler=create_share,
        tag="jobs",
        summary="Make a link to a job, to read it only",
        body={"application/json": wire.ShareBody},
        answers={201: wire.NewShareView},
        errors=(400, 413, 415, 422, *ERRORS),
    ),
    Route(
        method="GET",
        path=JOB + "/shares",
        handler=list_shares,
        tag="jobs",
        summary="List the links to a job",
        answers={200: wire.ShareList},
        errors=ERRORS,
    ),
    Route(
        method="DELETE",
        path=JOB + "/shares/{share}",
        handler=revoke_share,
        tag="jobs",
        summary="End a link to a job",
        answers={200: wire.ShareList},
        errors=ERRORS,
    ),
)
