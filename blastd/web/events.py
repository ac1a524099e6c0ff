"""Handlers of events: pages of JSON, and streams (text/event-stream) that resume by Last-Event-ID.

A stream reads the event table from where its reader stands, so nothing is queued for a slow reader: it is merely
behind. One that takes nothing for a while is cut off, and resumes where it was when it comes back.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NamedTuple
from weakref import WeakValueDictionary

import msgspec
import structlog
from aiohttp import web

from blastd.core.ids import JobId, Owner
from blastd.core.model import Event, Job
from blastd.errors import Invalid, TooMany
from blastd.service import Services
from blastd.web import rows, wire
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import reply

HEARTBEAT_SECONDS = 15.0
"""Proxies cut connections that are silent for a minute."""
BATCH = 200
PACE_SECONDS, LONGEST_PACE_SECONDS = 0.0005, 0.1
"""After a batch a listener waits this long for each that is open, about what a batch to all costs, before it gets the
next: a burst of commits then reaches a crowd in a few batches instead of keeping the loop from all else."""
KEPT_BATCHES = 16
"""Of the few places where listeners are; each is a few hundred KB at most."""
FRESH_SECONDS = 1.0
"""How old a reading may be that one listener shares with another: a command beside the daemon writes events, too, and
wakes nobody."""
MAX_STREAMS = 1000
"""Open streams at once: each holds a connection and some memory."""
EVENT_STREAM = "text/event-stream"
RETRY = b"retry: 2000\n"
"""A field of the first event: a block of its own is an event without data for some readers, httpx-sse and with it MCP's."""
OPEN = b": open\n"
HEARTBEAT = b": still here\n"
"""Comments without an empty line, for the same reason: the event that follows ends the block."""

log = structlog.get_logger()


Place = tuple[Owner | None, int, str]
"""Whose events (None: all), after which one, under which base path."""


class EventBatch(NamedTuple):
    """The events that follow one: the id of the last, their text (empty: none yet), as of which commit and when."""

    last: int
    text: bytes
    commits: int
    read_at: float


class Streams:
    """Counts the open streams, and reads for all that are at the same place once.

    Every commit wakes every listener. Events never change, so that what was read for one serves the others; the rows
    shown beside them grow old, which `FRESH_SECONDS` bounds.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self.open = 0
        self._kept: OrderedDict[Place, EventBatch] = OrderedDict()
        self._locks: WeakValueDictionary[Place, asyncio.Lock] = WeakValueDictionary()

    async def after(self, services: Services, place: Place, seen: int) -> EventBatch:
        """Return what follows at *place*, at least as of commit *seen*."""
        lock = self._locks.setdefault(place, asyncio.Lock())
        async with lock:
            kept = self._kept.get(place)
            now = services.clock.monotonic()
            fresh = kept is not None and now - kept.read_at < FRESH_SECONDS
            if kept is not None and fresh and (kept.text or kept.commits >= seen):
                return kept
            owner, after, base = place
            commits = services.jobs.commits()
            found = await services.jobs.events_after(owner, None, after, BATCH)
            text = b"".join(block(view) for view in await event_views(services, found, base)) if found else b""
            made = EventBatch(found[-1].event_id if found else after, text, commits, now)
            self._kept[place] = made
            self._kept.move_to_end(place)
            while len(self._kept) > KEPT_BATCHES:
                self._kept.popitem(last=False)
        return made


STREAMS = web.AppKey("streams", Streams)


async def get_job_events(request: web.Request) -> web.StreamResponse:
    """Answer the events of one job."""
    services = request.app[SERVICES]
    query = wire.decode_query(wire.EventsQuery, request.query, request.query.items())
    job = await services.jobs.get(request[IDENTITY], request.match_info["id"])
    after = begin(request, query)
    if wants_stream(request):
        return await stream(request, None, job.job_id, after or 0)  # it was looked for as who asks may read it
    return await page(request, None, job.job_id, after or 0, query.limit)


async def get_events(request: web.Request) -> web.StreamResponse:
    """Answer the events of all jobs; a stream begins now unless it is told where."""
    query = wire.decode_query(wire.EventsQuery, request.query, request.query.items())
    after, scope = begin(request, query), request[IDENTITY].reads
    if wants_stream(request):
        start = await request.app[SERVICES].jobs.last_event() if after is None else after
        return await stream(request, scope, None, start)
    return await page(request, scope, None, after or 0, query.limit)


def wants_stream(request: web.Request) -> bool:
    """Tell whether the client asked for a stream."""
    return EVENT_STREAM in request.headers.get("Accept", "")


def begin(request: web.Request, query: wire.EventsQuery) -> int | None:
    """Return after which event to begin, None if the client did not say."""
    header = request.headers.get("Last-Event-ID", "").strip()
    if not header:
        return query.after
    if not header.isdecimal() or len(header) > 18:
        raise Invalid([("/Last-Event-ID", "Last-Event-ID must be the id of an event, a whole number.")])
    return int(header)


async def page(request: web.Request, owner: Owner | None, job_id: JobId | None, after: int, limit: int) -> web.Response:
    """Answer one page of events."""
    services = request.app[SERVICES]
    found = await services.jobs.events_after(owner, job_id, after, limit)
    views = await event_views(services, found, rows.base_of(request))
    return reply(wire.EventPage(events=views, next=found[-1].event_id if found else after))


async def event_views(services: Services, found: Sequence[Event], base: str) -> list[wire.EventView]:
    """Return events with the present rows of their jobs."""
    jobs = await services.jobs.get_many(list(dict.fromkeys(event.job_id for event in found)))
    now = services.clock.now()
    shown = {job_id: rows.job_row(job, now, base) for job_id, job in jobs.items()}
    return [
        wire.EventView(
            event_id=event.event_id,
            job_id=event.job_id,
            at=wire.moment(event.at),
            kind=event.kind,
            status=str(event.status),
            phase=str(event.phase),
            data=event.data,
            job=shown.get(event.job_id),
        )
        for event in found
    ]


async def stream(request: web.Request, owner: Owner | None, job_id: JobId | None, after: int) -> web.StreamResponse:
    """Send events as they come until the job has ended, the client goes away, or the daemon stops."""
    services, streams = request.app[SERVICES], request.app[STREAMS]
    if streams.open >= MAX_STREAMS:
        raise TooMany("Too many event streams are open; ask for the JSON form instead.")
    if job_id is not None and await over(services, owner, job_id, after):
        return web.Response(status=204)  # tells an EventSource not to come back
    response = web.StreamResponse(
        headers={"Content-Type": EVENT_STREAM, "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    streams.open += 1
    services.metrics.streams.set(streams.open)
    try:
        await response.prepare(request)
        base = rows.base_of(request)
        told = (
            lines(services, job_id, after, base)
            if job_id is not None
            else shared(services, streams, owner, after, base)
        )
        async with aclosing(told) as blocks:
            async for text in blocks:
                await response.write(text)
        await response.write_eof()
    except ConnectionResetError as error:
        if request.transport is not None:
            request.transport.abort()
        log.debug("stream_ended_early", reason=type(error).__name__)
    finally:
        streams.open -= 1
        services.metrics.streams.set(streams.open)
    return response


async def over(services: Services, owner: Owner | None, job_id: JobId, after: int) -> bool:
    """Tell whether a job has ended and all of its events are at or before *after*."""
    job: Job | None = (await services.jobs.get_many([job_id])).get(job_id)
    if job is not None and not job.status.terminal:
        return False
    return not await services.jobs.events_after(owner, job_id, after, 1)


async def shared(
    services: Services, streams: Streams, owner: Owner | None, after: int, base: str
) -> AsyncGenerator[bytes, None]:
    """Yield blocks of a stream of all events of *owner* (None: of everybody), read once for all who listen."""
    yield OPEN
    first, clock, quiet = RETRY, services.clock, services.clock.monotonic()
    while not services.stopping.is_set():
        seen = services.jobs.commits()
        batch = await streams.after(services, (owner, after, base), seen)
        if batch.text:
            after, quiet = batch.last, clock.monotonic()
            yield first + batch.text
            first = b""
            await asyncio.sleep(min(streams.open * PACE_SECONDS, LONGEST_PACE_SECONDS))
            continue
        if clock.monotonic() - quiet >= HEARTBEAT_SECONDS:
            quiet = clock.monotonic()
            yield HEARTBEAT
        await services.jobs.next_commit(seen, HEARTBEAT_SECONDS)


async def lines(services: Services, job_id: JobId, after: int, base: str) -> AsyncGenerator[bytes, None]:
    """Yield blocks of the stream of one job: events in batches, and a comment when there was nothing for a while."""
    yield OPEN
    first, clock, quiet = RETRY, services.clock, services.clock.monotonic()
    while not services.stopping.is_set():
        seen = services.jobs.commits()
        found = await services.jobs.events_after(None, job_id, after, BATCH)
        if found:
            after, quiet = found[-1].event_id, clock.monotonic()
            views = await event_views(services, found, base)
            yield first + b"".join(block(view) for view in views)
            first = b""
            if ended(views[-1]):
                return
            continue
        if clock.monotonic() - quiet >= HEARTBEAT_SECONDS:
            quiet = clock.monotonic()
            yield HEARTBEAT
        await services.jobs.next_commit(seen, HEARTBEAT_SECONDS)


def ended(view: wire.EventView) -> bool:
    """Tell whether nothing follows this event of a job."""
    return view.job is None or (view.job.finished_at is not None and view.job.status == view.status)


def block(view: wire.EventView) -> bytes:
    """Return one event of a stream. JSON has no raw line breaks, so it is one `data` line."""
    return b"id: %d\nevent: job\ndata: %s\n\n" % (view.event_id, msgspec.json.encode(view))


STREAM = {
    "type": "string",
    "description": "Server-sent events with `Accept: text/event-stream`: each has an id, the name job, and an EventView as its data.",
}
ANSWER = {"application/json": wire.EventPage, "text/event-stream": STREAM}
RESUME = (("Last-Event-ID", "Events after this one: how a stream goes on where it was."),)
ROUTES = (
    Route(
        method="GET",
        path="/api/blast/events",
        handler=get_events,
        tag="events",
        summary="Events of all jobs",
        query=wire.EventsQuery,
        answers={200: ANSWER},
        errors=(429,),
        headers=RESUME,
    ),
    Route(
        method="GET",
        path="/api/blast/jobs/{id}/events",
        handler=get_job_events,
        tag="events",
        summary="Events of one job",
        query=wire.EventsQuery,
        answers={200: ANSWER, 204: None},
        errors=(404, 409, 410, 429),
        headers=RESUME,
    ),
)
