"""Commands about jobs, over HTTP: jobs, show, wait, logs, results, cancel, retry, delete. Submitting is in `submitting`."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from blastd import errors
from blastd.cli import screen
from blastd.cli.answers import AnswerPart, JobView, decode
from blastd.cli.client import ServiceClient, segment
from blastd.cli.connection import talk
from blastd.cli.exits import ELASTIC_BLAST, ELASTIC_BLAST_UNKNOWN, OF_STATUS, ExitCode
from blastd.cli.following import follow
from blastd.cli.listing import Column, print_rows
from blastd.cli.outputs import checked_fields, result_file, write_result

PAGE = 500


COLUMNS = (
    Column(name="job_id", whole=True, terminal=False),
    Column(name="short_id", heading="ID", whole=True, pipe=False),
    Column(name="status", whole=True),
    Column(name="phase", terminal=False),
    Column(name="program"),
    Column(name="database", show=" ".join),
    Column(name="query.count", heading="QUERIES", right=True, terminal=False),
    Column(name="hits", right=True),
    Column(name="created_at", heading="AGE", show=screen.age, whole=True),
    Column(name="finished_at", terminal=False),
    Column(name="title"),
)
"""What lists of jobs show; a title stands for the first query where there is none."""


class _Page(AnswerPart, frozen=True, kw_only=True):
    next_cursor: str | None = None


class _Freed(AnswerPart, frozen=True, kw_only=True):
    bytes_freed: int | None = None


class _Attempt(AnswerPart, frozen=True, kw_only=True):
    unit: int = 0
    attempt: int = 0
    exit_code: int | None = None
    stderr: str = ""


def list_jobs(given: argparse.Namespace) -> int:
    """List jobs, newest first."""
    wanted: dict[str, Any] = {"program": given.program, "database": given.db, "q": given.search}
    params = [(key, value) for key, value in wanted.items() if value]
    params += [("status", status) for status in given.status or ()]

    async def work(client: ServiceClient) -> int:
        print_jobs(given, await newest(client, params, given.limit))
        return ExitCode.OK

    return talk(given, work)


async def newest(client: ServiceClient, params: list[tuple[str, str]], limit: int) -> list[dict[str, Any]]:
    """Return the rows of jobs, newest first, page by page, as the service sent them."""
    rows, cursor = list[dict[str, Any]](), None
    while len(rows) < limit:
        page = [*params, ("limit", str(min(limit - len(rows), PAGE))), *([("cursor", cursor)] if cursor else [])]
        body = await client.raw("GET", "api/blast/jobs", params=page)
        found = decode(list[dict[str, Any]], body, "jobs")
        rows += found
        cursor = decode(_Page, body, "page").next_cursor
        if not cursor or not found:
            break
    return rows


def print_jobs(given: argparse.Namespace, rows: list[dict[str, Any]], *, one: bool = False) -> None:
    """Print rows of jobs."""
    to_people = given.output in (None, "table")
    shown = [row | {"title": row.get("title") or decode_first(row)} for row in rows] if to_people else rows
    print_rows(given, shown, COLUMNS, one=one)


def decode_first(row: Mapping[str, Any]) -> str:
    """Return the first query's id of a row."""
    query = row.get("query")
    return str(query.get("first_id", "")) if isinstance(query, Mapping) else ""


def import_xml(given: argparse.Namespace) -> int:
    """Send a file of BLAST XML, and show the job that holds it."""
    file = Path(given.file)
    headers = {"Content-Type": "application/xml"} | ({"Content-Encoding": "gzip"} if file.suffix == ".gz" else {})

    async def work(client: ServiceClient) -> int:
        how = {"params": {"title": given.title}, "data": body, "headers": headers}
        print_jobs(given, [await client.ask(dict[str, Any], "POST", "api/blast/imports", **how)], one=True)
        return ExitCode.OK

    with file.open("rb") as body:
        return talk(given, work)


def show(given: argparse.Namespace) -> int:
    """Show jobs, with their steps and warnings."""
    printed = given.output is not None or bool(given.fields)

    async def work(client: ServiceClient) -> int:
        rows, codes = list[dict[str, Any]](), [0]
        for job_id in given.jobs:
            try:
                body = await client.raw("GET", f"api/blast/jobs/{segment(job_id)}")
            except (errors.NotFound, errors.Unavailable) as error:
                if not given.exit_code:
                    raise
                screen.say(f"blastd: {error}")
                codes.append(ELASTIC_BLAST_UNKNOWN)
                continue
            job = decode(JobView, body)
            codes.append(ELASTIC_BLAST.get(job.phase or job.status, ELASTIC_BLAST_UNKNOWN))
            if not printed:
                print("\n" if rows else "", end="")
                _print_job(job)
            rows.append(decode(dict[str, Any], body))
        if printed and rows:
            print_jobs(given, rows, one=len(given.jobs) == 1)
        if given.logs:
            for row in rows:
                await _print_logs(client, str(row["job_id"]))
        return max(codes) if given.exit_code else ExitCode.OK

    return talk(given, work)


def logs(given: argparse.Namespace) -> int:
    """Print what BLAST+ and the engine wrote."""

    async def work(client: ServiceClient) -> int:
        for job_id in given.jobs:
            await _print_logs(client, job_id)
        return ExitCode.OK

    return talk(given, work)


def wait(given: argparse.Namespace) -> int:
    """Wait for the ends of jobs; the exit code tells the worst of them."""

    async def work(client: ServiceClient) -> int:
        until, codes = time.monotonic() + (given.timeout or 0.0), list[int]()
        for job_id in given.jobs:
            left = None if given.timeout is None else max(0.1, until - time.monotonic())
            codes.append(await follow_to_end(client, job_id, left))
        if given.output is not None or given.fields:
            bodies = [await client.raw("GET", f"api/blast/jobs/{segment(job_id)}") for job_id in given.jobs]
            print_jobs(given, [decode(dict[str, Any], body) for body in bodies], one=len(bodies) == 1)
        return next((code for code in WORST_FIRST if code in codes), ExitCode.OK)

    return talk(given, work)


WORST_FIRST = (ExitCode.UNREACHABLE, ExitCode.TIMED_OUT, ExitCode.FAILED, ExitCode.CANCELLED)


def results(given: argparse.Namespace) -> int:
    """Write a result to a file or to standard output."""
    fields, out = checked_fields(given.format, given.fields), result_file(given.out)
    params = {"format": given.format} | ({"fields": fields} if fields else {})
    if given.partial:
        params["partial"] = "true"

    async def work(client: ServiceClient) -> int:
        await write_result(client, given.job, params, out)
        return ExitCode.OK

    return talk(given, work)


def cancel(given: argparse.Namespace) -> int:
    """Cancel jobs."""

    async def one(client: ServiceClient, job_id: str) -> bytes:
        body = await client.raw("POST", f"api/blast/jobs/{segment(job_id)}/cancel")
        job = decode(JobView, body)
        if given.wait and not job.ended:
            async for _ in follow(client, job.job_id, None, known=True):
                pass
            body = await client.raw("GET", f"api/blast/jobs/{segment(job_id)}")
        return body

    return _each(given, one)


def retry(given: argparse.Namespace) -> int:
    """Run jobs again."""

    async def one(client: ServiceClient, job_id: str) -> bytes:
        return await client.raw("POST", f"api/blast/jobs/{segment(job_id)}/retry")

    return _each(given, one)


def delete(given: argparse.Namespace) -> int:
    """Delete ended jobs."""

    async def one(client: ServiceClient, job_id: str) -> bytes:
        return await client.raw("DELETE", f"api/blast/jobs/{segment(job_id)}")

    return _each(given, one)


def _each(given: argparse.Namespace, one: Callable[[ServiceClient, str], Awaitable[bytes]]) -> int:
    """Do *one* for each job that is named; the first error decides the exit code, the rest are still done."""
    printed = given.output is not None or bool(given.fields)

    async def work(client: ServiceClient) -> int:
        first: errors.BlastdError | None = None
        rows = list[dict[str, Any]]()
        for job_id in given.jobs:
            try:
                body = await one(client, job_id)
                rows.append(decode(dict[str, Any], body))
                if not printed:
                    screen.say(_said(job_id, body))
            except errors.BlastdError as error:
                screen.say(f"blastd: {job_id}: {error}") if first else None
                first = first or error
        if printed and rows:
            print_jobs(given, rows, one=len(given.jobs) == 1)
        if first is not None:
            raise first
        return ExitCode.OK

    return talk(given, work)


def _said(job_id: str, body: bytes) -> str:
    """Return in a line what was done to a job."""
    freed = decode(_Freed, body).bytes_freed
    if freed is not None:
        return f"{job_id} deleted, {screen.number(freed)} bytes freed"
    return screen.state_line(decode(JobView, body))


async def follow_to_end(
    client: ServiceClient, job_id: str, limit_seconds: float | None, *, known: bool = False
) -> ExitCode:
    """Watch a job to its end and return the exit code of that end."""
    try:
        job = await screen.watch(follow(client, job_id, limit_seconds, known=known))
    except TimeoutError:
        screen.say(f"blastd: not ended after {limit_seconds:g} s; it goes on: blastd wait {job_id}")
        return ExitCode.TIMED_OUT
    except asyncio.CancelledError:
        screen.say(f"blastd: stopped waiting; the job goes on: blastd wait {job_id}, or blastd cancel {job_id}")
        raise
    return OF_STATUS[job.status] if job is not None else ExitCode.UNREACHABLE


def _print_job(job: JobView) -> None:
    """Print what people want to know of a job."""
    facts = {
        "job": f"{job.short_id} ({job.job_id})",
        "title": job.title,
        "status": screen.state_line(job).partition(" ")[2],
        "search": f"{job.program} {job.task or ''} against {' '.join(job.database)}",
        "queries": f"{job.query.count:,} ({job.query.letters:,} letters), first {job.query.first_id}",
        "engine": job.engine,
        "owner": job.owner,
        "created": screen.local_time(job.created_at),
        "took": screen.took(job),
        "attempt": str(job.attempt) if job.attempt > 1 else "",
        "reused": job.reused_from or "",
    }
    for name, value in facts.items():
        if value:
            print(f"{name + ':':<10}{screen.clean(value)}")
    for step in job.steps:
        length = f"skipped, {step.skip_reason}" if step.status == "skipped" else screen.span(step.duration_ms)
        print(f"  {step.name:<14}{step.status:<9}{screen.clean(length) if step.status != 'pending' else ''}".rstrip())
    for warning in job.warnings:
        where = f"query {warning.query}: " if warning.query is not None else ""
        print(f"warning:  {screen.clean(where + warning.text)}")


async def _print_logs(client: ServiceClient, job_id: str) -> None:
    """Print the error streams by unit and attempt."""
    body = await client.raw("GET", f"api/blast/jobs/{segment(job_id)}/logs")
    for attempt in decode(list[_Attempt], body, "attempts"):
        code = "" if attempt.exit_code is None else f", exit code {attempt.exit_code}"
        print(f"--- unit {attempt.unit}, attempt {attempt.attempt}{code}")
        for line in attempt.stderr.splitlines():
            print(screen.clean(line))
