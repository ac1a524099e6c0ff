"""Handlers of jobs: decode, call the service, encode. Submit is in `web/submit.py`, results in `web/results.py`."""

from collections.abc import Collection
from datetime import UTC, datetime

from aiohttp import web

from blastd.core.ids import Owner
from blastd.core.meant_options import meant_options
from blastd.core.model import Job, Phase, Status
from blastd.core.organisms import without_filter
from blastd.errors import Invalid
from blastd.service import Services
from blastd.service.jobs import JobFilter, JobParts
from blastd.web import rows, wire
from blastd.web.middleware import IDENTITY, SERVICES
from blastd.web.openapi import Route
from blastd.web.replies import matches, not_modified, reply

JOB = "/api/blast/jobs/{id}"
MOST_WAIT_SECONDS = 60
POLL_SECONDS = "1"
"""Retry-After of an accepted search: most are short, and a poll is cheap."""


async def list_jobs(request: web.Request) -> web.Response:
    """Answer a page of the jobs, newest first."""
    services = request.app[SERVICES]
    query = wire.decode_query(wire.JobsQuery, request.query, request.query.items())
    found = await services.jobs.page(request[IDENTITY], job_filter(query), query.cursor, query.limit)
    now, base = services.clock.now(), rows.base_of(request)
    page = wire.Page(
        limit=query.limit,
        returned=len(found.jobs),
        has_more=found.next_cursor is not None,
        next_cursor=found.next_cursor,
    )
    return reply(
        wire.JobPage(jobs=[rows.job_row(job, now, base) for job in found.jobs], page=page, counts=found.counts)
    )


def job_filter(query: wire.JobsQuery) -> JobFilter:
    """Return what the list is to show. Raises Invalid for a status or phase that there is not."""
    faults = [
        (f"/{name}", f"There is no {name} '{text[:40]}'. Known: {', '.join(kind)}.")
        for name, kind, texts in (("status", Status, query.status), ("phase", Phase, query.phase))
        for text in texts
        if text not in list(kind)
    ]
    if faults:
        raise Invalid(faults)
    return JobFilter(
        statuses=tuple(Status(text) for text in query.status),
        phases=tuple(Phase(text) for text in query.phase),
        program=query.program,
        database=query.database,
        q=query.q,
        owner=Owner(query.owner) if query.owner is not None else None,
        since=aware(query.since),
        until=aware(query.until),
        source=query.source,
    )


def aware(at: datetime | None) -> datetime | None:
    """Return *at* with its zone; a time without one is UTC."""
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def tag_of(job: Job) -> str:
    """Return the weak validator of a row: its edition moves with every change, its age in the answer does not."""
    return f'W/"{job.short_id}-{job.edition}"'


def edition_in(header: str, job_id: str) -> str | None:
    """Return the edition that an If-None-Match of ours names."""
    opaque = header.strip().removeprefix("W/").strip('"')
    short, _, edition = opaque.partition("-")
    same = bool(short) and job_id.lower().replace("-", "").startswith(short[:8])
    return edition if same and edition.replace(".", "").isdecimal() else None


async def get_job(request: web.Request) -> web.Response:
    """Answer one job, at once or once it has changed."""
    services, text = request.app[SERVICES], request.match_info["id"]
    query = wire.decode_query(wire.WaitQuery, request.query, request.query.items())
    seconds = query.wait or preferred_wait(request)
    if seconds > 0:
        seen = edition_in(request.headers.get("If-None-Match", ""), text)
        parts = await services.jobs.wait(request[IDENTITY], text, seconds, seen, lambda: request.transport is not None)
    else:
        parts = await services.jobs.show(request[IDENTITY], text)
    if matches(request, tag_of(parts.job)):
        return not_modified(tag_of(parts.job))
    return reply(detail(request, parts), headers={"ETag": tag_of(parts.job)})


def preferred_wait(request: web.Request) -> float:
    """Return the seconds of `Prefer: wait=N` (RFC 7240 4.3), as many as `?wait=` allows; 0 where nothing is preferred."""
    for header in request.headers.getall("Prefer", ()):
        for preference in header.split(","):
            name, _, value = preference.partition(";")[0].partition("=")
            seconds = value.strip().strip('"')
            if name.strip().lower() == "wait" and seconds.isdecimal():
                return float(min(int(seconds[:6]), MOST_WAIT_SECONDS))
    return 0.0


def detail(request: web.Request, parts: JobParts) -> wire.JobDetail:
    """Return everything that is known of a job."""
    services, job = request.app[SERVICES], parts.job
    lines = services.command_lines(parts)
    return wire.JobDetail(
        **rows.row_values(job, services.clock.now(), rows.base_of(request)),
        search=wire.SearchView(
            program=job.program,
            task=job.task,
            database=[database.name for database in job.databases],
            options=without_filter(job.options, job.organisms),
            query_loc=job.query_loc,
            command=lines.command,
            argv=[list(argv) for argv in lines.argv],
            blast_version=job.blast_version,
            blastd_version=services.version,
        ),
        error_options=meant_options(job.error or "", _options_of(services, job)),
        databases=[rows.searched_database(database) for database in job.databases],
        artifacts=[rows.artifact_view(artifact) for artifact in parts.artifacts],
    )


def _options_of(services: Services, job: Job) -> Collection[str]:
    program = services.offered.programs.get(job.program)
    return program.options.keys() if program is not None else ()


def accepted(request: web.Request, job: Job, status: int) -> web.Response:
    """Answer a request that changed a job with its row and where to follow it."""
    services, base = request.app[SERVICES], rows.base_of(request)
    headers = {"Location": f"{base}/api/blast/jobs/{job.job_id}", "ETag": tag_of(job)}
    if not job.status.terminal:
        headers["Retry-After"] = POLL_SECONDS
    return reply(rows.job_row(job, services.clock.now(), base), status, headers)


async def cancel_job(request: web.Request) -> web.Response:
    """Order the end of a job."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    job = await request.app[SERVICES].jobs.cancel(request[IDENTITY], request.match_info["id"])
    return accepted(request, job, 202)


async def retry_job(request: web.Request) -> web.Response:
    """Open a failed or cancelled job again."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    job = await request.app[SERVICES].jobs.retry(request[IDENTITY], request.match_info["id"])
    return accepted(request, job, 202)


async def delete_job(request: web.Request) -> web.Response:
    """Remove an ended job and its files for good."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    job_id, freed = await request.app[SERVICES].jobs.delete(request[IDENTITY], request.match_info["id"])
    return reply(wire.Deleted(job_id=job_id, bytes_freed=freed))


async def get_logs(request: web.Request) -> web.Response:
    """Answer what BLAST+ and the engine wrote, by unit and attempt."""
    wire.decode_query(wire.NoQuery, request.query, request.query.items())
    services = request.app[SERVICES]
    job = await services.jobs.get(request[IDENTITY], request.match_info["id"])
    now, before = await services.jobs.logs(job)
    views = [
        wire.AttemptView(
            unit=attempt.unit,
            attempt=attempt.attempt,
            state="failed" if attempt.error_code else "done" if attempt.exit_code == 0 else "cancelled",
            started_at=wire.maybe(attempt.started_at),
            ended_at=wire.maybe(attempt.ended_at),
            exit_code=attempt.exit_code,
            error_code=attempt.error_code,
            node=attempt.node,
            stderr=attempt.stderr,
        )
        for attempt in before
    ]
    kept = {(view.unit, view.attempt) for view in views}
    views += [
        wire.AttemptView(
            unit=unit.index,
            attempt=unit.attempt,
            state=str(unit.state),
            started_at=wire.maybe(unit.started_at),
            ended_at=wire.maybe(unit.ended_at),
            exit_code=unit.exit_code,
            error_code=unit.error_code,
            node=unit.node,
            stderr=unit.stderr,
        )
        for unit in now
        if (unit.index, unit.attempt) not in kept
    ]
    views.sort(key=lambda view: (view.unit, view.attempt))
    return reply(wire.Logs(job_id=job.job_id, attempts=views))


PLAIN_ERRORS = (404, 409, 410)
ROUTES = (
    Route(
        method="GET",
        path="/api/blast/jobs",
        handler=list_jobs,
        tag="jobs",
        summary="List jobs, newest first",
        query=wire.JobsQuery,
        answers={200: wire.JobPage},
        errors=(403,),
    ),
    Route(
        method="GET",
        path=JOB,
        handler=get_job,
        tag="jobs",
        summary="Show one job, at once or when it changes",
        query=wire.WaitQuery,
        answers={200: wire.JobDetail, 304: None},
        errors=PLAIN_ERRORS,
        headers=(("If-None-Match", "The ETag that you have: 304 while it is still the present one."),),
    ),
    Route(
        method="POST",
        path=JOB + "/cancel",
        handler=cancel_job,
        tag="jobs",
        summary="Cancel a job",
        answers={202: wire.JobRow},
        errors=(403, *PLAIN_ERRORS),
    ),
    Route(
        method="POST",
        path=JOB + "/retry",
        handler=retry_job,
        tag="jobs",
        summary="Retry a failed or cancelled job",
        answers={202: wire.JobRow},
        errors=(403, *PLAIN_ERRORS),
    ),
    Route(
        method="DELETE",
        path=JOB,
        handler=delete_job,
        tag="jobs",
        summary="Remove an ended job and its files",
        answers={200: wire.Deleted},
        errors=(403, *PLAIN_ERRORS),
    ),
    Route(
        method="GET",
        path=JOB + "/logs",
        handler=get_logs,
        tag="jobs",
        summary="What BLAST+ and the engine wrote",
        answers={200: wire.Logs},
        errors=PLAIN_ERRORS,
    ),
)
