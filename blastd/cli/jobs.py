"""Commands about jobs, over HTTP: submit, jobs, show, wait, results, cancel, retry, delete."""

import argparse
import asyncio
import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from blastd import errors
from blastd.cli import screen
from blastd.cli.client import MAKING_SECONDS, AnswerPart, JobView, ServiceClient, connect, decode, segment
from blastd.cli.elastic import Imported, read_ini, words
from blastd.cli.exits import ELASTIC_BLAST, ELASTIC_BLAST_UNKNOWN, OF_STATUS, ExitCode
from blastd.cli.fasta_files import check_files
from blastd.cli.outputs import result_file, write_result, writing

URL = "http://127.0.0.1:8470"
SUFFIX = {
    "tabular": "tsv",
    "commented": "tsv",
    "csv": "csv",
    "xml": "xml",
    "xml2": "xml",
    "json": "json",
    **dict.fromkeys(("pairwise", "anchored", "anchored_letters", "flat", "flat_letters"), "txt"),
}
PAGE = 500


class _Page(AnswerPart, frozen=True, kw_only=True):
    jobs: list[JobView] = []
    next_cursor: str | None = None


class _Freed(AnswerPart, frozen=True, kw_only=True):
    bytes_freed: int | None = None


class _Attempt(AnswerPart, frozen=True, kw_only=True):
    unit: int = 0
    attempt: int = 0
    exit_code: int | None = None
    stderr: str = ""


def talk(given: argparse.Namespace, work: Callable[[ServiceClient], Awaitable[int]]) -> int:
    """Run *work* with a client of the service that flags or environment name."""

    async def whole() -> int:
        # An empty BLASTD_URL means "not set", as the shell idiom ${BLASTD_URL:-} has it.
        url = given.url or os.environ.get("BLASTD_URL") or URL
        token = os.environ.get("BLASTD_TOKEN", "").strip()
        async with connect(url, token, _most_seconds()) as client:
            return await work(client)

    return asyncio.run(whole())


def _most_seconds() -> float:
    """Return how long to wait for the service at most, from BLASTD_ANSWER_SECONDS. Raises BadRequest."""
    text = os.environ.get("BLASTD_ANSWER_SECONDS") or str(MAKING_SECONDS)
    with suppress(ValueError):
        if 0 < (seconds := float(text)) < 1e6:
            return seconds
    raise errors.BadRequest(f"BLASTD_ANSWER_SECONDS is a number of seconds, not {text!r}.")


def submit(given: argparse.Namespace) -> int:  # noqa: C901  # each flag has its line
    """Submit a search; with --wait or --format follow it to its end and write its result."""
    ini = read_ini(Path(given.cfg)) if given.cfg else None
    search = _search(given, ini)
    names = given.files or (ini.files if ini else [])
    if not names:
        if sys.stdin is None or sys.stdin.isatty():
            raise errors.BadRequest("Name a FASTA file, or - for standard input.")
        names = ["-"]
    files = check_files(names)
    subject = (
        check_files([f"./{given.subject}" if given.subject == "-" else given.subject])[0] if given.subject else None
    )
    kind, fields, out = _output(given, ini)
    for sentence in ini.skipped if ini else ():
        screen.say(f"skipped {sentence}")

    async def work(client: ServiceClient) -> int:
        body = await client.submit(search, files, given.key or secrets.token_hex(16), subject)
        job = decode(JobView, body)
        follows = given.wait or kind is not None
        if given.json and not follows:
            print_json(body)
        elif not (kind is not None and out is None):
            print(job.job_id, flush=True)
        for warning in job.warnings:
            screen.say(f"warning: {warning.text}")
        if job.reused_from:
            screen.say(f"the same search was done before: its result is reused ({job.reused_from})")
        if not follows:
            screen.say(screen.state_line(job))
            return ExitCode.OK
        code = await _follow(client, job.job_id, given.timeout)
        if code == ExitCode.OK and kind is not None:
            await write_result(client, job.job_id, _params(kind, fields), out)
        return code

    return talk(given, work)


def list_jobs(given: argparse.Namespace) -> int:
    """List jobs, newest first."""
    wanted: dict[str, Any] = {"program": given.program, "database": given.db, "q": given.search}
    params = [(key, value) for key, value in wanted.items() if value]
    params += [("status", status) for status in given.status or ()]

    async def work(client: ServiceClient) -> int:
        left, cursor, found, pages = given.limit, None, list[JobView](), list[bytes]()
        while left > 0:
            page = [*params, ("limit", str(min(left, PAGE))), *([("cursor", cursor)] if cursor else [])]
            body = await client.raw("GET", "api/blast/jobs", params=page)
            pages.append(body)
            jobs = decode(list[JobView], body, "jobs")
            found += jobs
            left -= len(jobs)
            cursor = decode(_Page, body, "page").next_cursor
            if not cursor or not jobs:
                break
        if given.json:
            print(msgspec.json.encode([row for body in pages for row in decode(list[object], body, "jobs")]).decode())
            return ExitCode.OK
        screen.table(
            ("ID", "STATUS", "PHASE", "PROGRAM", "DATABASE", "QUERIES", "HITS", "CREATED", "TOOK", "TITLE"),
            [
                (
                    job.short_id,
                    job.status,
                    job.phase,
                    job.program,
                    " ".join(job.database),
                    screen.number(job.query.count),
                    screen.number(job.hits),
                    screen.local_time(job.created_at),
                    screen.took(job),
                    job.title or job.query.first_id,
                )
                for job in found
            ],
        )
        return ExitCode.OK

    return talk(given, work)


def show(given: argparse.Namespace) -> int:
    """Show one job, its steps and warnings."""

    async def work(client: ServiceClient) -> int:
        try:
            body = await client.raw("GET", f"api/blast/jobs/{segment(given.job)}")
        except (errors.NotFound, errors.Unavailable) as error:
            if not given.exit_code:
                raise
            screen.say(f"blastd: {error}")
            return ELASTIC_BLAST_UNKNOWN
        job = decode(JobView, body)
        if given.json:
            print_json(body)
        else:
            _print_job(job)
        if given.logs:
            await _print_logs(client, job.job_id)
        return ELASTIC_BLAST.get(job.phase or job.status, ELASTIC_BLAST_UNKNOWN) if given.exit_code else ExitCode.OK

    return talk(given, work)


def wait(given: argparse.Namespace) -> int:
    """Wait for the end of a job; the exit code tells which end."""

    async def work(client: ServiceClient) -> int:
        code = await _follow(client, given.job, given.timeout)
        if given.json:
            print_json(await client.raw("GET", f"api/blast/jobs/{segment(given.job)}"))
        return code

    return talk(given, work)


def results(given: argparse.Namespace) -> int:
    """Write a result to a file or to standard output."""
    params, out = _params(given.format, given.fields), result_file(given.out)
    if given.partial:
        params["partial"] = "true"

    async def work(client: ServiceClient) -> int:
        await write_result(client, given.job, params, out)
        return ExitCode.OK

    return talk(given, work)


def cancel(given: argparse.Namespace) -> int:
    """Cancel jobs."""

    async def one(client: ServiceClient, job_id: str) -> JobView:
        job = await _act(client, given, f"api/blast/jobs/{segment(job_id)}/cancel")
        if given.wait and not job.ended:
            async for seen in client.follow(job.job_id, None):
                job = seen
        return job

    return _each(given, one)


def retry(given: argparse.Namespace) -> int:
    """Run jobs again."""

    async def one(client: ServiceClient, job_id: str) -> JobView:
        return await _act(client, given, f"api/blast/jobs/{segment(job_id)}/retry")

    return _each(given, one)


def delete(given: argparse.Namespace) -> int:
    """Delete ended jobs."""

    async def one(client: ServiceClient, job_id: str) -> None:
        body = await client.raw("DELETE", f"api/blast/jobs/{segment(job_id)}")
        if given.json:
            print_json(body)
        else:
            freed = decode(_Freed, body).bytes_freed if body else None
            screen.say(f"{job_id} deleted, {screen.number(freed)} bytes freed")

    return _each(given, one)


def _each(given: argparse.Namespace, one: Callable[[ServiceClient, str], Awaitable[JobView | None]]) -> int:
    """Do *one* for each job that is named; the first error decides the exit code, the rest are still done."""

    async def work(client: ServiceClient) -> int:
        first: errors.BlastdError | None = None
        for job_id in given.jobs:
            try:
                job = await one(client, job_id)
            except errors.BlastdError as error:
                screen.say(f"blastd: {job_id}: {error}") if first else None
                first = first or error
                continue
            if job is not None and not given.json:
                screen.say(screen.state_line(job))
        if first is not None:
            raise first
        return ExitCode.OK

    return talk(given, work)


async def _act(client: ServiceClient, given: argparse.Namespace, path: str) -> JobView:
    """POST to *path* and return the job that it answers with."""
    body = await client.raw("POST", path)
    if given.json:
        print_json(body)
    return decode(JobView, body)


async def _follow(client: ServiceClient, job_id: str, limit_seconds: float | None) -> int:
    """Watch a job to its end and return the exit code of that end."""
    try:
        job = await screen.watch(client.follow(job_id, limit_seconds))
    except TimeoutError:
        screen.say(f"blastd: not ended after {limit_seconds:g} s; it goes on: blastd wait {job_id}")
        return ExitCode.TIMED_OUT
    except asyncio.CancelledError:
        screen.say(f"blastd: stopped waiting; the job goes on: blastd wait {job_id}, or blastd cancel {job_id}")
        raise
    return OF_STATUS[job.status] if job is not None else ExitCode.UNREACHABLE


def _search(given: argparse.Namespace, ini: Imported | None) -> dict[str, Any]:
    """Return the search part of a submit. Raises Invalid with every fault."""
    faults: list[tuple[str, str]] = []
    options: dict[str, Any] = dict(ini.options) if ini else {}
    options |= words(" ".join(_quoted(given.tail)), faults)
    for text in given.option:
        name, equals, value = text.partition("=")
        if not name.lstrip("-"):
            faults.append(("--option", f"{text!r} is not NAME=VALUE."))
        options[name.lstrip("-")] = value if equals else True
    program = given.program or (ini.program if ini else None)
    database = given.db or ([ini.database] if ini else None)
    if not program:
        faults.append(("--program", "say which program: blastn, blastp, blastx, tblastn or tblastx."))
    if given.subject:
        database = given.db
    elif not database:
        faults.append(("--db", "name a database; 'blastd db list' shows them. Or --subject with your own sequences."))
    if faults:
        raise errors.Invalid(faults)
    task = given.task or options.pop("task", None)
    search = {
        "program": program,
        "database": database,
        "task": task,
        "options": options,
        "title": given.title,
        "engine": given.engine,
        "priority": given.priority,
        "webhook": given.webhook,
        "query_loc": given.query_loc,
        "reuse": False if given.no_reuse else None,
    }
    return {name: value for name, value in search.items() if value not in (None, "")}


def _quoted(tail: list[str]) -> list[str]:
    """Return words so that splitting their join gives them back."""
    return ["'" + word.replace("'", "'\"'\"'") + "'" for word in tail]


def _output(given: argparse.Namespace, ini: Imported | None) -> tuple[str | None, str | None, Path | None]:
    """Return format, fields and file of the result that submit shall write, if any."""
    kind, fields = given.format, given.fields
    if ini is not None and kind is None and (given.wait or given.out):
        kind, fields = ini.format or "pairwise", fields or ini.fields
    if given.out and kind is None:
        kind = "tabular"
    out = result_file(given.out)
    if out is None and kind is not None and ini is not None and ini.folder is not None:
        with writing(ini.folder):
            ini.folder.mkdir(parents=True, exist_ok=True)
        out = ini.folder / f"{ini.program}-{Path(ini.database).name}.{SUFFIX.get(kind, kind)}"
    return kind, fields, out


def _params(kind: str, fields: str | None) -> dict[str, str]:
    return {"format": kind} | ({"fields": fields} if fields else {})


def print_json(body: bytes) -> None:
    """Print JSON as the service sent it. Raises Unavailable for what is none."""
    decode(object, body)
    print(body.decode().rstrip("\n"), flush=True)


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
        "limit": f"max_target_seqs was reached by {job.limit_reached} queries" if job.limit_reached else "",
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
