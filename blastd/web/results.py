"""Handlers of results: files and streams in every format, hits, queries and statistics as JSON, the submitted query."""

import msgspec
from aiohttp import web

from blastd.core.hits import HitsRequest
from blastd.errors import Invalid
from blastd.service.results.alignments import alignments
from blastd.service.results.request import ReadyResult, ResultFile, ResultMaking, ResultRequest
from blastd.web import bodies, rows, wire
from blastd.web.download import SentFile, send_file, send_stream
from blastd.web.jobs import preferred_wait
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply

JOB = "/api/blast/jobs/{id}"
PARTIAL_HEADER = "X-Blastd-Partial"
SUBJECTS_BYTES = 8 << 20
WAIT_SECONDS = 4.0
"""For which a file that has to be made is waited for by itself: well under what a proxy allows until the first byte."""
AGAIN_SECONDS = 2


async def get_results(request: web.Request) -> web.StreamResponse:
    """Answer the results in one format."""
    query = wire.decode_query(wire.ResultsQuery, request.query, request.query.items())
    return await send_results(request, query, query.subject)


async def post_results(request: web.Request) -> web.StreamResponse:
    """Answer the sequences of many subjects, whose ids don't fit into an address."""
    query = wire.decode_query(wire.ResultsQuery, request.query, request.query.items())
    if (request.content_length or 0) > SUBJECTS_BYTES:
        raise Invalid([("/subjects", "These are too many ids; ask for all sequences instead.")])
    text = await bodies.whole(request.content.iter_any(), bodies.encoding_of(request), SUBJECTS_BYTES)
    body = wire.decode(wire.SubjectsBody, await bodies.json_object(text))
    return await send_results(request, query, [*query.subject, *body.subjects])


async def send_results(request: web.Request, query: wire.ResultsQuery, subjects: list[str]) -> web.StreamResponse:
    """Answer what was asked for: a stored file, or a stream of what is made now."""
    services = request.app[SERVICES]
    job = await services.jobs.get(request[IDENTITY], request.match_info["id"])
    form, header = chosen_format(request, query)
    wanted = ResultRequest(
        format=form,
        header=header,
        fields=tuple(query.fields.replace(",", " ").split()) if query.fields is not None else None,
        query=query.query,
        subjects=tuple(subjects),
        partial=query.partial,
        whole=must_be_whole(request),
        wait_seconds=seconds_to_wait(request, query.wait),
    )
    found = await services.results.read(job, wanted)
    if isinstance(found, ResultMaking):
        return being_made(request, found)
    if isinstance(found, ResultFile):
        return await send_file(request, stored(found))
    headers = {PARTIAL_HEADER: found.partial} if found.partial else {}
    return await send_stream(request, found.blocks, found.media_type, found.name, headers)


def seconds_to_wait(request: web.Request, asked: float | None) -> float:
    """Return how long an answer is held while a file is made."""
    return asked if asked is not None else preferred_wait(request) or WAIT_SECONDS


def being_made(request: web.Request, found: ResultMaking) -> web.Response:
    """Answer how far the making of a file is, with where to ask again; in a browser a page that asks by itself."""
    view, address = found.view, rows.base_of(request) + request.path_qs
    answer = wire.MakingView(
        step=view.step,
        fraction=view.fraction,
        seconds=view.seconds,
        waiting_for=view.waits_for,
        links={"result": address, "cancel": address},
    )
    headers = {"Location": address, "Retry-After": str(AGAIN_SECONDS)}
    if "text/html" in request.headers.get("Accept", "") and request.method == "GET":
        share = "" if view.fraction is None else f", {view.fraction:.0%}"
        text = f"The file is being made ({view.step}{share}); it comes by itself.\n"
        headers |= {"Refresh": str(AGAIN_SECONDS), "Cache-Control": "no-store"}
        return web.Response(status=202, text=text, headers=headers)
    return reply(answer, 202, headers)


async def cancel_results(request: web.Request) -> web.Response:
    """Stop the making of a file; harmless when none is made."""
    query = wire.decode_query(wire.ResultsQuery, request.query, request.query.items())
    services = request.app[SERVICES]
    job = await services.jobs.own(request[IDENTITY], request.match_info["id"])
    form, header = chosen_format(request, query)
    fields = tuple(query.fields.replace(",", " ").split()) if query.fields is not None else None
    services.results.cancel_making(job, ResultRequest(format=form, header=header, fields=fields, query=query.query))
    return web.Response(status=204)


BY_MEDIA_TYPE = {
    "text/tab-separated-values": ("tabular", True),
    "text/csv": ("csv", True),
    "application/xml": ("xml", False),
    "text/xml": ("xml", False),
    "application/json": ("json", False),
    "text/x-fasta": ("fasta", False),
    "text/gff3": ("gff3", False),
    "text/x-gff3": ("gff3", False),
}


def chosen_format(request: web.Request, query: wire.ResultsQuery) -> tuple[str, bool]:
    """Return the format and whether a table has a header line: as asked, else the first known type that is accepted."""
    if query.format is not None:
        return query.format, query.header
    for accepted in request.headers.get("Accept", "").split(","):
        known = BY_MEDIA_TYPE.get(accepted.partition(";")[0].strip().lower())
        if known is not None:
            return known
    return "tabular", query.header


def must_be_whole(request: web.Request) -> bool:
    """Tell whether the client needs the length or the validator, which only a stored file has."""
    return request.method == "HEAD" or any(
        name in request.headers for name in ("Range", "If-Range", "If-None-Match", "If-Match")
    )


def stored(found: ResultFile) -> SentFile:
    """Return a file as it is sent."""
    return SentFile(
        path=found.path, size=found.size_bytes, sha256=found.sha256, media_type=found.media_type, name=found.name
    )


def hits_request(query: wire.HitsQuery) -> HitsRequest:
    """Return what is asked of hits."""
    return HitsRequest(
        query=query.query,
        rank=query.rank,
        iteration=query.iteration,
        sort=query.sort,
        order=query.order,
        min_identity=query.min_identity,
        max_evalue=query.max_evalue,
        min_coverage=query.min_coverage,
        text=query.q,
        group=query.group,
        sequences=query.sequences,
        limit=query.limit,
        cursor=query.cursor,
    )


async def get_hits(request: web.Request) -> web.Response:
    """Answer hits as JSON."""
    services = request.app[SERVICES]
    query = wire.decode_query(wire.HitsQuery, request.query, request.query.items())
    job = await services.jobs.get(request[IDENTITY], request.match_info["id"])
    ready: ReadyResult = await services.results.ready(job, partial=query.partial)
    wanted = hits_request(query)
    found = await services.results.hits(ready, wanted, statistics=query.statistics)
    return reply(msgspec.convert(found, wire.HitsPage, from_attributes=True))


async def get_alignments(request: web.Request) -> web.Response:
    """Answer alignments of one query as BLAST+ wrote them."""
    services = request.app[SERVICES]
    query = wire.decode_query(wire.AlignmentsQuery, request.query, request.query.items())
    job = await services.jobs.get(request[IDENTITY], request.match_info["id"])
    page = await alignments(services.results, job, query.query, query.rank, query.limit)
    view = wire.AlignmentsView(
        query=page.query,
        subjects=[
            wire.SubjectView(rank=subject.rank, title=subject.title, hsps=list(subject.hsps))
            for subject in page.subjects
        ],
        next_rank=page.next_rank,
        cut=page.cut,
    )
    return reply(view)


async def get_statistics(request: web.Request) -> web.Response:
    """Answer numbers and histograms over all hits, or those of one query."""
    services = request.app[SERVICES]
    query = wire.decode_query(wire.StatisticsQuery, request.query, request.query.items())
    job = await services.jobs.get(request[IDENTITY], request.match_info["id"])
    ready = await services.results.ready(job, partial=query.partial)
    found = await services.results.statistics(ready, query.query)
    return reply(msgspec.convert(found, wire.StatisticsView))


FILES = (
    "text/plain, text/tab-separated-values, text/csv, text/gff3, application/xml, application/json, "
    "application/octet-stream"
)
WHEN = (404, 409, 410, 416, 422)
ROUTES = (
    Route(
        method="GET",
        path=JOB + "/results",
        handler=get_results,
        tag="results",
        summary="Results in one format",
        query=wire.ResultsQuery,
        answers={200: FILES, 202: wire.MakingView, 206: FILES, 304: None},
        errors=WHEN,
        headers=(("Range", "One range of bytes of a stored result."), ("If-None-Match", "The ETag that you have.")),
    ),
    Route(
        method="DELETE",
        path=JOB + "/results",
        handler=cancel_results,
        tag="results",
        summary="Stop the making of a file",
        query=wire.ResultsQuery,
        answers={204: None},
        errors=(403, 404, 409, 410, 422),
    ),
    Route(
        method="POST",
        path=JOB + "/results",
        handler=post_results,
        tag="results",
        summary="Sequences of many subjects",
        query=wire.ResultsQuery,
        body={"application/json": wire.SubjectsBody},
        answers={200: FILES, 202: wire.MakingView},
        errors=(400, 403, *WHEN),
    ),
    Route(
        method="GET",
        path=JOB + "/hits",
        handler=get_hits,
        tag="results",
        summary="Hits as JSON",
        query=wire.HitsQuery,
        answers={200: wire.HitsPage},
        errors=WHEN,
    ),
    Route(
        method="GET",
        path=JOB + "/alignments",
        handler=get_alignments,
        tag="results",
        summary="Alignments of one query as BLAST+ wrote them",
        query=wire.AlignmentsQuery,
        answers={200: wire.AlignmentsView},
        errors=WHEN,
    ),
    Route(
        method="GET",
        path=JOB + "/statistics",
        handler=get_statistics,
        tag="results",
        summary="Numbers over all hits",
        query=wire.StatisticsQuery,
        answers={200: wire.StatisticsView},
        errors=WHEN,
    ),
)
