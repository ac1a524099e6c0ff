"""The NCBI URL API: Put, Get, SearchInfo and Delete on the same jobs as everything else.

What parameters mean is known by `core/ncbi.py`, what the pages say by `web/ncbi_forms.py`. Answers are 200 even for errors,
as NCBI's are: clients look for `Status=` and `Message ID#`. How results are sent is
known by `web/ncbi_files.py`.
"""

from aiohttp import web
from msgspec.structs import replace

from blastd.aio import offload
from blastd.core import ncbi, ncbi_parameters, ncbi_table, ncbi_view
from blastd.core.fewer_subjects import ANCHORED
from blastd.core.model import Job, Status
from blastd.core.ncbi_view import View
from blastd.core.programs import limit_of, molecules
from blastd.core.search import Search
from blastd.errors import BadRequest, BlastdError, Expired, Invalid, NotFound, TooMany
from blastd.service.results.request import ResultFile, ResultMaking, ResultRequest, ResultStream
from blastd.service.search.query import Uploads
from blastd.web import bodies, ncbi_files, ncbi_forms, ncbi_tables, wire
from blastd.web.middleware import IDENTITY, NCBI_PATHS, SERVICES
from blastd.web.ncbi_files import FORMS, ZIP

HOLD_SECONDS = 25.0
"""How long a Get on a search that runs is held: clients sleep for up to a minute between two of them."""
RTOE_SECONDS = 2
REFRESH_SECONDS = 2
HELD_SECONDS = 20.0  # for which an answer is held while its format is made; then it is WAITING, which clients know
UNKNOWN_BYTES = 1 << 20
"""What is read of a form that may hold its sender's key: the key is known when the form has been read."""
HTML = "text/html"
MANY_LINES = frozenset({"QUERY", "SUBJECTS", "PSSM", "PSI_PSSM"})
"""Parameters that hold sequences or files, which are read by line; all others are texts of one line."""


async def blast_cgi(request: web.Request) -> web.StreamResponse:
    """Answer one request of the interface by its CMD."""
    known = IDENTITY in request
    given = ncbi.keys(await parameters(request, bodies.JSON_BYTES if known else UNKNOWN_BYTES))
    if not known:
        request[IDENTITY] = await request.app[SERVICES].access.identify(given.get("API_KEY"))
    for name, value in given.items():
        if name not in MANY_LINES and (wrong := wire.text_fault(value.strip())) is not None:
            raise BadRequest(f"{name[:40]!r} {wrong}")
    command = given.get("CMD", "Get" if given.get("RID") else "").strip().lower()
    if command == "put":
        return await put(request, given)
    if command == "get":
        return await get(request, given)
    if command == "delete":
        return await delete(request, given)
    return page(ncbi_forms.refused(1, ["CMD must be Put, Get or Delete."]))


async def parameters(request: web.Request, most_bytes: int) -> list[tuple[str, str]]:
    """Return the parameters of the address and of a form in the body. Raises TooLarge over *most_bytes*."""
    pairs = list(request.query.items())
    if request.method != "POST":
        return pairs
    return pairs + await bodies.form(request, min(request.app[SERVICES].settings.limits.body_bytes, most_bytes))


async def put(request: web.Request, given: dict[str, str]) -> web.Response:
    """Accept a search and answer its RID, or every fault."""
    services = request.app[SERVICES]
    wanted, faults = await bodies.here_or_there(sum(map(len, given.values())), ncbi.put, given)
    later = ncbi_view.remembered(given)
    shaping = {name: value for name, value in given.items() if name not in ("HITLIST_SIZE", "FORMAT_OBJECT")}
    faults += ncbi_view.view(shaping, FORMS)[1]
    if wanted is None or faults:
        return page(ncbi_forms.refused(24, faults))
    try:
        query = await sequences(request, wanted)
    except Invalid as error:
        return page(ncbi_forms.refused(24, [text for _, text in error.faults]))
    search = Search(
        program=wanted.program,
        task=wanted.task,
        databases=wanted.databases,
        options=wanted.options,
        query_loc=wanted.query_loc,
        query_type=wanted.query_type,
        title=wanted.title,
        organisms=wanted.organisms,
        exclude_organisms=wanted.exclude_organisms,
        source="ncbi",
        presentation=later,
    )
    try:
        accepted = await services.submit.submit(request[IDENTITY], search, Uploads(query=bodies.encoded(query)))
    except Invalid as error:
        return page(ncbi_forms.refused(24, [text for _, text in error.faults]))
    except TooMany as error:
        return page(ncbi_forms.refused(60, [str(error)]))
    return page(ncbi_forms.accepted(ncbi.rid(accepted.job.job_id), RTOE_SECONDS, accepted.job.warnings))


async def sequences(request: web.Request, wanted: ncbi.Put) -> str:
    """Return the query as FASTA; accessions are looked up in the databases of the search. Raises Invalid."""
    if not wanted.accessions:
        return wanted.query
    services = request.app[SERVICES]
    molecule, _ = molecules(wanted.program)
    found, lost = await services.databases.fetch(wanted.databases, wanted.accessions, molecule)
    if lost:
        kind = "proteins" if molecule == "prot" else "nucleotides"
        raise Invalid(
            [
                (
                    "/query",
                    f"QUERY {', '.join(lost[:5])!r} looks like accessions; {' '.join(wanted.databases)} holds no {kind} called "
                    "so, and other places are not asked. Send the sequences themselves.",
                )
            ]
        )
    return found


async def own(request: web.Request, rid: str) -> Job:
    """Return the job of a RID; a narrow key sees those of this surface only. Raises NotFound, Expired."""
    who = request[IDENTITY]
    job = await request.app[SERVICES].jobs.get(who, ncbi.digits(rid))
    if who.surface is not None and job.source != "ncbi":
        raise NotFound(f"There is no search with the RID {rid[:40]!r}.")
    return job


async def find(request: web.Request, rid: str) -> Job | None:
    """Return the job of a RID, held while it runs; None when there is none."""
    services = request.app[SERVICES]
    until = services.clock.monotonic() + HOLD_SECONDS
    try:
        job = await own(request, rid)
        while not job.status.terminal and not services.stopping.is_set():
            left = until - services.clock.monotonic()
            transport = request.transport
            if left <= 0 or transport is None or transport.is_closing():
                break
            found = await services.jobs.wait(
                request[IDENTITY], job.job_id, left, job.edition, lambda: request.transport is not None
            )
            job = found.job
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
        return page(ncbi_forms.status(rid, "READY", hits=bool(job.hits), warnings=job.warnings))
    kept = await request.app[SERVICES].jobs.presentation(job)
    view, faults = ncbi_view.view(given, FORMS, kept)
    faults += ncbi_parameters.refusals(given)
    if view.text in ANCHORED and view.kind in ncbi_view.TEXTS and _cuts_alignments(job, view):
        faults.append("ALIGNMENTS and HITLIST_SIZE shorten no alignments anchored to the query: ask for Pairwise.")
    if faults:
        return page(ncbi_forms.refused(35, faults))
    return await send(request, rid, job, view)


def _cuts_alignments(job: Job, view: View) -> bool:
    numbers = [number for number in (view.most.alignments, view.most.hits) if number is not None]
    return bool(numbers) and min(numbers) < limit_of(job.options)


async def send(request: web.Request, rid: str, job: Job, view: View) -> web.StreamResponse:
    """Send the result of a completed search."""
    services, form, most = request.app[SERVICES], FORMS[view.kind], view.most
    if view.kind in ncbi_view.TEXTS:
        form = replace(form, name=view.text)
    fields = ncbi_table.fields(job.program) if form.name == "commented" else None
    try:
        found = await services.results.read(
            job, ResultRequest(format=form.name, fields=fields, whole=True, gis=view.gis, wait_seconds=HELD_SECONDS)
        )
        ready = await services.results.ready(job)
    except BlastdError as error:
        return page(ncbi_forms.status(rid, "FAILED", str(error)))
    if not isinstance(found, ResultFile):
        return page(no_file(rid, found))
    if form.media_type == ZIP:
        body = await offload(ncbi_files.archive, found, rid, form.name, most)
        return web.Response(
            body=body, content_type=ZIP, headers={"Content-Disposition": f'attachment; filename="{rid}.zip"'}
        )
    response = web.StreamResponse()
    response.content_type, response.charset = form.media_type, "utf-8"
    await response.prepare(request)
    html = form.media_type == HTML
    if form.framed:
        await response.write(ncbi_forms.before(rid, job.warnings, html=html))
        if html:
            async for block in ncbi_tables.descriptions(services, ready, most):
                await response.write(block)
        await response.write(ncbi_forms.PRE)
    async for block in ncbi_files.blocks(found, form, most, job.program, rid):
        await response.write(block)
    if form.framed:
        await response.write(ncbi_forms.after(html=html))
    await response.write_eof()
    return response


def no_file(rid: str, found: ResultMaking | ResultStream) -> str:
    """Return the page of a result that is no file yet, or never will be one."""
    if isinstance(found, ResultMaking):
        return ncbi_forms.status(rid, "WAITING", refresh=REFRESH_SECONDS)
    return ncbi_forms.status(rid, "FAILED", "The result can't be read.")


async def delete(request: web.Request, given: dict[str, str]) -> web.Response:
    """Cancel a search that runs, remove one that has ended."""
    services, rid = request.app[SERVICES], given.get("RID", "").strip()
    try:
        job = await own(request, rid)
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
