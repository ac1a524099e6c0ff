"""The NCBI URL API: Put, Get, SearchInfo and Delete on the same jobs as everything else.

What parameters mean is known by `core/ncbi.py`, what the pages say by `web/ncbi_forms.py`. Answers are 200 even for errors,
as NCBI's are: clients look for `Status=` and `Message ID#`. No answer holds `Status=` but ours, since clients take the
first that they find: in results it is written as a character reference.
"""

import io
import zipfile
from collections.abc import AsyncIterator
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from blastd.aio import offload
from blastd.core import ncbi
from blastd.core.model import Job, Status
from blastd.errors import BadRequest, BlastdError, Expired, Invalid, NotFound, TooMany
from blastd.service.results import ResultFile, Wanted
from blastd.service.submit import Submission
from blastd.web import bodies, ncbi_forms
from blastd.web.middleware import IDENTITY, NCBI_PATHS, SERVICES

HOLD_SECONDS = 25.0
"""How long a Get on a search that runs is held: clients sleep for up to a minute between two of them."""
RTOE_SECONDS = 2
REFRESH_SECONDS = 2
BLOCK = 1 << 18
FORM_BYTES = 64 << 20
"""A form is held in memory; larger queries are sent to the API as a file."""
MOST_ZIPPED_BYTES = 512 << 20
HTML, TEXT = "text/html", "text/plain"
# FORMAT_TYPE -> our format, media type, whether it is zipped. NCBI zips what has several files.
FORMATS = {
    "XML": ("xml", "application/xml", False),
    "XML2_S": ("xml2", "application/xml", False),
    "XML2": ("xml2", "application/zip", True),
    "JSON2_S": ("json", "application/json", False),
    "JSON2": ("json", "application/zip", True),
    "TEXT": ("pairwise", TEXT, False),
    "TABULAR": ("commented", TEXT, False),
    "HTML": ("pairwise", HTML, False),
    "ASN.1": ("asn1", TEXT, False),
    "CSV": ("csv", "text/csv", False),
}
MARK = b"Status="
ESCAPES = {"application/xml": b"Status&#61;", "application/json": b"Status\\u003d", HTML: b"Status&#61;"}


async def blast_cgi(request: web.Request) -> web.StreamResponse:
    """Answer one request of the interface by its CMD."""
    given = ncbi.keys(await parameters(request))
    command = given.get("CMD", "Get" if given.get("RID") else "").strip().lower()
    if command == "put":
        return await put(request, given)
    if command == "get":
        return await get(request, given)
    if command == "delete":
        return await delete(request, given)
    return page(ncbi_forms.refused(1, ["CMD must be Put, Get or Delete."]))


async def parameters(request: web.Request) -> list[tuple[str, str]]:
    """Return the parameters of the address and of a form in the body."""
    pairs = list(request.query.items())
    if request.method != "POST":
        return pairs
    limit = min(request.app[SERVICES].settings.limits.body_bytes, FORM_BYTES)
    bodies.check_length(request, limit)
    if request.content_type == "multipart/form-data":
        try:
            async for part in await request.multipart():
                if not isinstance(part, BodyPartReader):
                    raise BadRequest("A part of the form is itself multipart.")
                text = await bodies.whole(bodies.part_blocks(part), "", limit)
                limit -= len(text)
                pairs.append((part.name or "", text.decode("utf-8", "replace")))
        except (ValueError, AssertionError) as error:
            raise BadRequest(f"The form can't be read: {error}.") from error
        return pairs
    body = await bodies.whole(request.content.iter_any(), bodies.encoding_of(request), limit)
    return pairs + await offload(parse_qsl, body.decode("utf-8", "replace"), keep_blank_values=True)


async def put(request: web.Request, given: dict[str, str]) -> web.Response:
    """Accept a search and answer its RID, or every fault."""
    services = request.app[SERVICES]
    wanted, faults = ncbi.put(given)
    if wanted is not None and wanted.accessions:
        faults = [
            f"QUERY {', '.join(wanted.accessions[:5])!r} looks like accessions; they are not looked up here. "
            "Send the sequences themselves."
        ]
    if wanted is None or faults:
        return page(ncbi_forms.refused(24, faults))
    upload = services.submit.temporary()
    await offload(upload.write_bytes, wanted.query.encode("utf-8", "surrogateescape"))
    submission = Submission(
        program=wanted.program,
        task=wanted.task,
        databases=wanted.databases,
        options=wanted.options,
        query_loc=wanted.query_loc,
        title=wanted.title,
        upload=upload,
        source="ncbi",
    )
    try:
        accepted = await services.submit.submit(request[IDENTITY], submission)
    except Invalid as error:
        return page(ncbi_forms.refused(24, [text for _, text in error.faults]))
    except TooMany as error:
        return page(ncbi_forms.refused(60, [str(error)]))
    return page(ncbi_forms.accepted(ncbi.rid(accepted.job.job_id), RTOE_SECONDS))


async def find(request: web.Request, rid: str) -> Job | None:
    """Return the job of a RID, held while it runs; None when there is none."""
    services = request.app[SERVICES]
    until = services.clock.monotonic() + HOLD_SECONDS
    try:
        job = await services.jobs.get(request[IDENTITY], ncbi.digits(rid))
        while not job.status.terminal and not services.stopping.is_set():
            left = until - services.clock.monotonic()
            transport = request.transport
            if left <= 0 or transport is None or transport.is_closing():
                break
            job = await services.jobs.wait(
                request[IDENTITY], job.job_id, left, job.version, lambda: request.transport is not None
            )
    except (NotFound, Expired):
        return None
    return job


async def get(request: web.Request, given: dict[str, str]) -> web.StreamResponse:
    """Answer where a search stands, or its result."""
    rid = given.get("RID", "").strip()
    job = await find(request, rid)
    if job is None:
        return page(ncbi_forms.status(rid, "UNKNOWN"))
    if job.status in (Status.FAILED, Status.CANCELLED):
        return page(ncbi_forms.status(rid, "FAILED", job.error or f"The search was {job.status}."))
    if job.status is not Status.COMPLETED:
        return page(ncbi_forms.status(rid, "WAITING", refresh=REFRESH_SECONDS))
    if given.get("FORMAT_OBJECT", "").strip().lower() == "searchinfo":
        return page(ncbi_forms.status(rid, "READY", hits=bool(job.hits)))
    kind = given.get("FORMAT_TYPE", "HTML").strip().upper() or "HTML"
    if kind in ("TEXT", "HTML") and given.get("ALIGNMENT_VIEW", "").strip().lower() == "tabular":
        kind = "TABULAR"
    if kind not in FORMATS:
        return page(ncbi_forms.refused(35, [f"FORMAT_TYPE {kind[:40]!r}: choose one of {', '.join(FORMATS)}."]))
    return await send(request, rid, job, kind)


async def send(request: web.Request, rid: str, job: Job, kind: str) -> web.StreamResponse:
    """Send the result of a completed search."""
    name, media_type, zipped = FORMATS[kind]
    try:
        found = await request.app[SERVICES].results.read(job, Wanted(format=name, whole=True))
    except BlastdError as error:
        return page(ncbi_forms.status(rid, "FAILED", str(error)))
    if not isinstance(found, ResultFile):
        return page(ncbi_forms.status(rid, "FAILED", "The result can't be read."))
    if zipped:
        body = await offload(archive, found, f"{rid}.{'xml' if name == 'xml2' else 'json'}")
        return web.Response(
            body=body, content_type=media_type, headers={"Content-Disposition": f'attachment; filename="{rid}.zip"'}
        )
    response = web.StreamResponse()
    response.content_type, response.charset = media_type, "utf-8"
    await response.prepare(request)
    framed = media_type in (TEXT, HTML) and kind != "ASN.1"
    if framed:
        await response.write(ncbi_forms.pre(rid))
    async for block in blocks(found, media_type):
        await response.write(block)
    if framed:
        await response.write(ncbi_forms.pre(rid, first=False))
    await response.write_eof()
    return response


async def blocks(found: ResultFile, media_type: str) -> AsyncIterator[bytes]:
    """Yield a stored result so that nothing in it reads as ours: `Status=` escaped, in HTML marks of its own as well."""
    kept = b""
    with found.path.open("rb") as file:
        while block := await offload(file.read, BLOCK):
            data = kept + block
            cut = len(data) - next((size for size in range(len(MARK) - 1, 0, -1) if data.endswith(MARK[:size])), 0)
            data, kept = data[:cut], data[cut:]
            yield escaped(data, media_type)
    yield escaped(kept, media_type)


def escaped(data: bytes, media_type: str) -> bytes:
    """Return *data* for a document of this type."""
    if media_type == HTML:
        data = data.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    return data.replace(MARK, ESCAPES[media_type]) if media_type in ESCAPES else data


def archive(found: ResultFile, name: str) -> bytes:
    """Return a zip archive with the result; blocking. Raises BadRequest for one that is too large to hold."""
    if found.size_bytes > MOST_ZIPPED_BYTES:
        raise BadRequest("The result is too large for a zip archive here: ask for XML2_S or JSON2_S.")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        made.write(found.path, name)
    return out.getvalue()


async def delete(request: web.Request, given: dict[str, str]) -> web.Response:
    """Cancel a search that runs, remove one that has ended."""
    services, rid = request.app[SERVICES], given.get("RID", "").strip()
    try:
        job = await services.jobs.get(request[IDENTITY], ncbi.digits(rid))
        if job.status.terminal:
            await services.jobs.delete(request[IDENTITY], job.job_id)
        else:
            await services.jobs.cancel(request[IDENTITY], job.job_id)
    except (NotFound, Expired):
        pass  # it is gone already, which is what was asked for
    return page(ncbi_forms.status(rid, "UNKNOWN", "The search was deleted."))


def page(text: str) -> web.Response:
    """Answer a page of the interface."""
    return web.Response(text=text, content_type=HTML, headers={"Cache-Control": "no-store"})


def routes() -> list[web.RouteDef]:
    """Return the routes of the interface."""
    return [web.route(method, path, blast_cgi) for path in sorted(NCBI_PATHS) for method in ("GET", "POST")]
