"""Handler of imports: BLAST XML that was made elsewhere becomes a job that is only read."""

from aiohttp import web

from blastd.aio import duty
from blastd.errors import UnsupportedEncoding
from blastd.web import bodies, rows, wire
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply
from blastd.web.submit import source_of

READ = ("application/xml", "text/xml", "application/octet-stream")


async def post_import(request: web.Request) -> web.Response:
    """Take a file of BLAST XML, and answer the row of its job."""
    services, who = request.app[SERVICES], request[IDENTITY]
    query = wire.decode_query(wire.ImportQuery, request.query, request.query.items())
    if request.can_read_body and request.content_type not in READ:
        raise UnsupportedEncoding(
            f"Imports are BLAST XML (-outfmt 5), sent as {READ[0]}; this is {request.content_type}."
        )
    limit = services.settings.limits.body_bytes
    bodies.check_length(request, limit)
    await services.submit.admit(who)
    upload = services.submit.temporary()
    try:
        await bodies.to_file(request.content.iter_any(), bodies.encoding_of(request), upload, limit)
        job = await services.imports.take(who.owner, upload, query.title, source_of(request))
    finally:
        await duty(upload.unlink, missing_ok=True)
    view = rows.job_row(job, services.clock.now(), rows.base_of(request))
    return reply(view, 201, {"Location": view.links["self"]})


ROUTES = (
    Route(
        method="POST",
        path="/api/blast/imports",
        handler=post_import,
        tag="jobs",
        summary="Import BLAST XML made elsewhere",
        query=wire.ImportQuery,
        body={"application/xml": {"type": "string", "description": "BLAST XML (-outfmt 5), plain or gzip."}},
        answers={201: wire.JobRow},
        errors=(400, 403, 413, 415, 422, 429, 507),
    ),
)
