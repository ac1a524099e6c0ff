"""Handlers of watches: decode, call the service, encode."""

from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

from blastd.core.difference import FoundSubject
from blastd.core.watching import Watch, WatchRun
from blastd.errors import Invalid
from blastd.service.results.pages import page_of
from blastd.service.watches.keeping import ChangePage, WatchParts
from blastd.web import bodies, wire
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply
from blastd.web.rows import query_view
from blastd.web.submit import decoded, read

WATCHES = "/api/blast/watches"
WATCH = WATCHES + "/{watch}"


async def create_watch(request: web.Request) -> web.Response:
    """Watch the search of a job, or submit a search and watch it."""
    services, who = request.app[SERVICES], request[IDENTITY]
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    bodies.check_length(request, bodies.JSON_BYTES)
    text = await bodies.whole(request.content.iter_any(), bodies.encoding_of(request), bodies.JSON_BYTES)
    raw = await bodies.json_object(text)
    search = raw.pop("search", None)
    body = wire.decode(wire.WatchBody, raw)
    if (body.job is None) == (search is None):
        raise Invalid([("/job", "Give the id of a search that you have in 'job', or a new one in 'search'.")])
    services.watches.check_webhook(body.webhook)
    if body.job is not None:
        parts = await services.watches.of_job(who, body.job, body.label, body.webhook)
    else:
        with _within("/search"):
            asked, uploads = read(request, _search(search))
            parts = await services.watches.of_search(who, asked, uploads, body.label, body.webhook)
    return reply(detail(parts), 201, {"Location": f"{WATCHES}/{parts.watch.watch_id}"})


def _search(raw: object) -> wire.SearchBody:
    """Return the search in a body: its texts are read as those of a submit, which may have lines. Raises Invalid."""
    if not isinstance(raw, dict):
        raise Invalid([("", "Expected `object`, a search as POST /api/blast/jobs takes it.")])
    return decoded(raw)


@contextmanager
def _within(pointer: str) -> Iterator[None]:
    """Let the faults of a part of a body point to where it stands in the whole."""
    try:
        yield
    except Invalid as error:
        raise Invalid([(pointer + at, text) for at, text in error.faults], str(error)) from error


async def list_watches(request: web.Request) -> web.Response:
    """Answer the watches, newest first."""
    services, who = request.app[SERVICES], request[IDENTITY]
    query = wire.decode_query(wire.WatchesQuery, request.query, request.query.items())
    if query.job is not None:
        found = await services.watches.with_run(who, query.job)
    else:
        found = await services.watches.page(who, query.cursor, query.limit)
    page = wire.Page(
        limit=query.limit,
        returned=len(found.watches),
        has_more=found.next_cursor is not None,
        next_cursor=found.next_cursor,
    )
    return reply(wire.WatchList(watches=[watch_view(watch) for watch in found.watches], page=page))


async def get_watch(request: web.Request) -> web.Response:
    """Answer one watch with its runs."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    return reply(detail(await request.app[SERVICES].watches.show(request[IDENTITY], request.match_info["watch"])))


async def pause_watch(request: web.Request) -> web.Response:
    """Let a watch run no more until it is resumed."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    return reply(detail(await request.app[SERVICES].watches.pause(request[IDENTITY], request.match_info["watch"])))


async def resume_watch(request: web.Request) -> web.Response:
    """Let a watch go on."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    return reply(detail(await request.app[SERVICES].watches.resume(request[IDENTITY], request.match_info["watch"])))


async def delete_watch(request: web.Request) -> web.Response:
    """Remove a watch; its searches stay."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    watch = await request.app[SERVICES].watches.remove(request[IDENTITY], request.match_info["watch"])
    return reply(wire.RemovedWatch(watch_id=watch.watch_id))


async def get_watch_changes(request: web.Request) -> web.Response:
    """Answer what is new, lost and changed between two runs, by query."""
    query = wire.decode_query(wire.ChangesQuery, request.query, request.query.items())
    watch_id = request.match_info["watch"]
    found = await request.app[SERVICES].watches.changes(
        request[IDENTITY],
        watch_id,
        run=query.run,
        query=query.query,
        kind=query.kind,
        limit=query.limit,
        cursor=query.cursor,
    )
    return reply(changes_view(watch_id, found, query.limit))


def watch_view(watch: Watch) -> wire.WatchView:
    """Return a watch as it goes over the wire."""
    search, trouble = watch.search, watch.trouble
    return wire.WatchView(
        watch_id=watch.watch_id,
        owner=watch.owner,
        label=watch.label,
        state=str(watch.state),
        search=wire.WatchedSearch(
            program=search.program,
            task=search.task,
            database=list(search.databases),
            options=dict(search.options),
            query_loc=search.query_loc,
            organisms=list(search.organisms),
            exclude_organisms=list(search.exclude_organisms),
            engine=search.engine,
        ),
        query=query_view(watch.query),
        webhook=search.webhook,
        created_at=wire.moment(watch.created_at),
        updated_at=wire.moment(watch.updated_at),
        runs=watch.runs,
        before_job_id=watch.before_job,
        after_job_id=watch.after_job,
        trouble=None
        if trouble is None
        else wire.WatchTroubleView(code=trouble.code, text=trouble.text, since=wire.moment(trouble.at)),
    )


def run_view(run: WatchRun) -> wire.WatchRunView:
    """Return a run as it goes over the wire."""
    counts = run.difference
    return wire.WatchRunView(
        number=run.number,
        job_id=run.job_id,
        began_at=wire.moment(run.began_at),
        settled_at=wire.maybe(run.settled_at),
        before_job_id=run.base_job,
        difference=None
        if counts is None
        else wire.DifferenceView(new=counts.new, lost=counts.lost, changed=counts.changed, queries=counts.queries),
        note=run.note,
        database_fingerprint=[database.fingerprint for database in run.databases],
    )


def detail(parts: WatchParts) -> wire.WatchDetail:
    """Return a watch with its runs."""
    return wire.WatchDetail(watch=watch_view(parts.watch), runs=[run_view(run) for run in parts.runs])


def changes_view(watch_id: str, found: ChangePage, limit: int) -> wire.WatchChanges:
    """Return a page of changes."""
    return wire.WatchChanges(
        watch_id=watch_id,
        run=run_view(found.run),
        total=found.total,
        changes=[
            wire.SubjectChangeView(
                query=each.query,
                query_id=each.query_id,
                query_title=each.query_title,
                kind=each.change.kind,
                what=list(each.change.what),
                before=_subject(each.change.before),
                after=_subject(each.change.after),
            )
            for each in found.changes
        ],
        page=wire.Page(**page_of(limit, found.offset, len(found.changes), found.total)),
    )


def _subject(found: FoundSubject | None) -> wire.FoundSubjectView | None:
    if found is None:
        return None
    return wire.FoundSubjectView(
        subject=found.subject,
        accession=found.accession,
        title=found.title,
        length=found.length,
        rank=found.rank,
        evalue=found.evalue,
        bit_score=found.bit_score,
        identity=found.identity,
        coverage=found.coverage,
    )


ROUTES = (
    Route(
        method="POST",
        path=WATCHES,
        handler=create_watch,
        tag="watches",
        summary="Watch a search: it runs again when its databases change",
        body={"application/json": wire.WatchBody},
        answers={201: wire.WatchDetail},
        errors=(400, 403, 404, 409, 410, 413, 415, 422, 429, 507),
        tells="{$request.body#/webhook}",
    ),
    Route(
        method="GET",
        path=WATCHES,
        handler=list_watches,
        tag="watches",
        summary="List watches, newest first",
        query=wire.WatchesQuery,
        answers={200: wire.WatchList},
        errors=(404, 409, 410),
    ),
    Route(
        method="GET",
        path=WATCH,
        handler=get_watch,
        tag="watches",
        summary="Show one watch with its runs",
        answers={200: wire.WatchDetail},
        errors=(404,),
    ),
    Route(
        method="GET",
        path=WATCH + "/changes",
        handler=get_watch_changes,
        tag="watches",
        summary="What is new, lost and changed between two runs, by query",
        query=wire.ChangesQuery,
        answers={200: wire.WatchChanges},
        errors=(404, 409),
    ),
    Route(
        method="POST",
        path=WATCH + "/pause",
        handler=pause_watch,
        tag="watches",
        summary="Pause a watch",
        answers={200: wire.WatchDetail},
        errors=(403, 404),
    ),
    Route(
        method="POST",
        path=WATCH + "/resume",
        handler=resume_watch,
        tag="watches",
        summary="Let a paused watch go on",
        answers={200: wire.WatchDetail},
        errors=(403, 404),
    ),
    Route(
        method="DELETE",
        path=WATCH,
        handler=delete_watch,
        tag="watches",
        summary="Remove a watch",
        answers={200: wire.RemovedWatch},
        errors=(403, 404),
    ),
)
