"""Handlers of what each query found: the sentence, the table of queries, both tables as files, the submitted sequences."""

from aiohttp import web
from msgspec import convert, to_builtins

from blastd.core.hits import QueriesRequest
from blastd.core.model import Job
from blastd.core.verdict import GoodHit, Verdict, standard
from blastd.service.results.request import ResultStream
from blastd.web import wire
from blastd.web.download import send_file, send_stream
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply
from blastd.web.results import JOB, WHEN, hits_request, stored


async def job_of(request: web.Request) -> Job:
    """Return the job of the address, if the one who asks may see it."""
    return await request.app[SERVICES].jobs.get(request[IDENTITY], request.match_info["id"])


def rule_of(job: Job, identity: float | None, coverage: float | None) -> GoodHit:
    """Return from where on a hit is good: as asked, else as is usual for the program."""
    usual = standard(job.program)
    return GoodHit(
        identity=usual.identity if identity is None else identity,
        coverage=usual.coverage if coverage is None else coverage,
    )


def queries_request(job: Job, query: wire.QueriesQuery) -> QueriesRequest:
    """Return what is asked of queries."""
    return QueriesRequest(
        rule=rule_of(job, query.identity, query.coverage),
        text=query.q,
        with_hits=query.with_hits,
        verdict=Verdict(query.verdict) if query.verdict is not None else None,
        limit_reached=query.limit_reached,
        warned=query.warned,
        numbers=tuple(query.query),
        sort=query.sort,
        order=query.order,
        limit=query.limit,
        cursor=query.cursor,
    )


async def get_summary(request: web.Request) -> web.Response:
    """Answer in one sentence what a search found."""
    query = wire.decode_query(wire.SummaryQuery, request.query, request.query.items())
    services, job = request.app[SERVICES], await job_of(request)
    ready = await services.results.ready(job, partial=query.partial)
    found = await services.query_tables.summary(ready, rule_of(job, query.identity, query.coverage))
    return reply(
        wire.SummaryView(
            complete=found.complete,
            sentence="".join(part.text for part in found.parts),
            parts=[wire.PartView(text=part.text, filter=part.filter) for part in found.parts],
            rule=wire.RuleView(identity=found.rule.identity, coverage=found.rule.coverage),
            queries=found.counts.queries,
            good=found.counts.good,
            weaker=found.counts.weaker,
            none=found.counts.none,
            limit_reached=found.counts.limit_reached,
            limit=found.limit,
            more=found.more,
            organisms=found.organisms,
        )
    )


async def get_queries(request: web.Request) -> web.Response:
    """Answer what each query found."""
    query = wire.decode_query(wire.QueriesQuery, request.query, request.query.items())
    services, job = request.app[SERVICES], await job_of(request)
    wanted = queries_request(job, query)
    found = await services.query_tables.page(await services.results.ready(job, partial=query.partial), wanted)
    reached = found.offset + len(found.rows)
    more = reached < found.total
    return reply(
        wire.QueryPageView(
            complete=found.complete,
            total=found.total,
            rule=wire.RuleView(identity=wanted.rule.identity, coverage=wanted.rule.coverage),
            queries=[
                convert(to_builtins(row) | {"warnings": warnings, "done": True}, wire.QueryRowView)
                for row, warnings in found.rows
            ],
            page=wire.Page(
                limit=query.limit, returned=len(found.rows), has_more=more, next_cursor=str(reached) if more else None
            ),
        )
    )


async def get_query_table(request: web.Request) -> web.StreamResponse:
    """Answer the table of queries as a file."""
    query = wire.decode_query(wire.QueryTableQuery, request.query, request.query.items())
    services, job = request.app[SERVICES], await job_of(request)
    ready = await services.results.ready(job, partial=query.partial)
    return await _sent(request, await services.query_tables.table(ready, queries_request(job, query), query.format))


async def get_hit_table(request: web.Request) -> web.StreamResponse:
    """Answer the table of hits as a file."""
    query = wire.decode_query(wire.HitTableQuery, request.query, request.query.items())
    services, job = request.app[SERVICES], await job_of(request)
    ready = await services.results.ready(job, partial=query.partial)
    return await _sent(request, await services.query_tables.hit_table(ready, hits_request(query), query.format))


async def get_query(request: web.Request) -> web.StreamResponse:
    """Answer the submitted sequences, or those of some queries."""
    query = wire.decode_query(wire.QuerySequencesQuery, request.query, request.query.items())
    services, job = request.app[SERVICES], await job_of(request)
    chosen = query.verdict, query.limit_reached, query.warned, *query.query
    if all(one is None for one in chosen):
        return await send_file(request, stored(await services.results.query(job)))
    wanted = QueriesRequest(
        rule=rule_of(job, query.identity, query.coverage),
        verdict=Verdict(query.verdict) if query.verdict is not None else None,
        limit_reached=query.limit_reached,
        warned=query.warned,
        numbers=tuple(query.query),
    )
    return await _sent(request, await services.query_tables.sequences(await services.results.ready(job), wanted))


async def _sent(request: web.Request, found: ResultStream) -> web.StreamResponse:
    return await send_stream(request, found.blocks, found.media_type, found.name, {})


TABLES = "text/tab-separated-values, text/csv, application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ROUTES = (
    Route(
        method="GET",
        path=JOB + "/query",
        handler=get_query,
        tag="results",
        summary="The submitted sequences, or those of some queries",
        query=wire.QuerySequencesQuery,
        answers={200: "text/x-fasta", 206: "text/x-fasta", 304: None},
        errors=WHEN,
    ),
    Route(
        method="GET",
        path=JOB + "/summary",
        handler=get_summary,
        tag="results",
        summary="What a search found, in one sentence",
        query=wire.SummaryQuery,
        answers={200: wire.SummaryView},
        errors=WHEN,
    ),
    Route(
        method="GET",
        path=JOB + "/queries",
        handler=get_queries,
        tag="results",
        summary="What each query found",
        query=wire.QueriesQuery,
        answers={200: wire.QueryPageView},
        errors=WHEN,
    ),
    Route(
        method="GET",
        path=JOB + "/queries/table",
        handler=get_query_table,
        tag="results",
        summary="The table of queries as a file",
        query=wire.QueryTableQuery,
        answers={200: TABLES},
        errors=WHEN,
    ),
    Route(
        method="GET",
        path=JOB + "/hits/table",
        handler=get_hit_table,
        tag="results",
        summary="The table of hits as a file",
        query=wire.HitTableQuery,
        answers={200: TABLES},
        errors=WHEN,
    ),
)
