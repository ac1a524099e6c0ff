"""A client of blastd's own HTTP API for the command line: typed answers, errors as ours, long polls that survive a restart.

It reads only the fields it shows and takes defaults for the rest, so that it works with a service of another version.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from blastd import __version__, errors
from blastd.cli.fasta_files import joined, text_of
from blastd.cli.words import say

T = TypeVar("T")
BLOCK = 1 << 18
HOLD_SECONDS = 30.0  # below the 60 s after which proxies tend to cut an idle answer
AWAY_SECONDS = 60.0  # a restart of the service takes a few seconds; a minute tells a restart from an end
RETRY_SECONDS = 1.0
ANSWER_SECONDS = 60.0  # without a byte; longer than the service holds any answer
CHANGE_SECONDS = 120.0  # for what the service does before it answers: read an upload, look through its folders
MAKING_SECONDS = 300.0  # until a format's first byte: it may have to be made
SILENT_SECONDS = 10.0  # until the user is told that there is no answer yet
WHERE = "BLASTD_URL names the service."
TOKEN = re.compile(r"[!-~]*")
"""Letters that a header may hold."""

BY_STATUS: dict[int, type[errors.BlastdError]] = {
    401: errors.Unauthorized,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    410: errors.ResultGone,
    413: errors.TooLarge,
    429: errors.TooMany,
    507: errors.DiskFull,
}


class AnswerPart(msgspec.Struct, frozen=True, kw_only=True):
    """Part of an answer; absent fields have defaults."""


class ProgressView(AnswerPart, frozen=True, kw_only=True):
    """How far a job is."""

    units_done: int = 0
    units_total: int = 0
    fraction: float | None = None
    eta_seconds: float | None = None


class StepAnswer(AnswerPart, frozen=True, kw_only=True):
    """A step of a job."""

    name: str
    status: str = ""
    started_at: str | None = None
    duration_ms: int | None = None
    skip_reason: str | None = None


class QueryAnswer(AnswerPart, frozen=True, kw_only=True):
    """What was submitted."""

    count: int = 0
    letters: int = 0
    first_id: str = ""


class WarningAnswer(AnswerPart, frozen=True, kw_only=True):
    """A warning of the service or of BLAST+."""

    text: str
    query: int | None = None


class JobView(AnswerPart, frozen=True, kw_only=True):
    """One job."""

    job_id: str
    short_id: str
    status: str
    phase: str = ""
    title: str = ""
    program: str = ""
    task: str | None = None
    database: list[str] = []
    engine: str = ""
    owner: str = ""
    waiting_for: str | None = None
    queue_position: int | None = None
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    stale: bool = False
    stale_reason: str | None = None
    error_code: str | None = None
    error: str | None = None
    attempt: int = 1
    hits: int | None = None
    limit_reached: int | None = None
    reused_from: str | None = None
    progress: ProgressView = ProgressView()
    query: QueryAnswer = QueryAnswer()
    steps: list[StepAnswer] = []
    warnings: list[WarningAnswer] = []

    @property
    def ended(self) -> bool:
        """Tell whether the status is final."""
        return self.status in {"completed", "failed", "cancelled"}


class DatabaseAnswer(AnswerPart, frozen=True, kw_only=True):
    """A database of the catalogue."""

    name: str
    title: str = ""
    molecule: str = ""
    sequences: int | None = None
    letters: int | None = None
    date: str | None = None
    state: str = ""
    reason: str | None = None


class TaskAnswerView(AnswerPart, frozen=True, kw_only=True):
    """A database that is being made."""

    status: str
    id: str = ""
    task_id: str = ""
    name: str = ""
    progress: float | None = None
    error: str | None = None
    warnings: list[WarningAnswer] = []


class _Fault(AnswerPart, frozen=True, kw_only=True):
    pointer: str = ""
    detail: str = ""


class _Problem(AnswerPart, frozen=True, kw_only=True):
    detail: str = ""
    code: str = ""
    errors: list[_Fault] = []


class ServiceClient:
    """Calls to one service. Made by `connect`."""

    def __init__(self, session: aiohttp.ClientSession, base: URL, most_seconds: float) -> None:
        """Take an open session, the address of the service, and how long to wait for it at most."""
        self._session, self._base, self._most = session, base, most_seconds

    @asynccontextmanager
    async def call(self, method: str, path: str, **how: Any) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give its successful answer. Raises Unavailable, or what the answer's problem stands for."""
        seconds = min(self._most, how.pop("seconds", ANSWER_SECONDS if method == "GET" else CHANGE_SECONDS))
        limits = aiohttp.ClientTimeout(total=None, sock_connect=min(10.0, seconds), sock_read=seconds)
        silent = asyncio.get_running_loop().call_later(SILENT_SECONDS, self._tell_silence, seconds)
        try:
            address = self._base.joinpath(path, encoded=True)
            async with self._session.request(method, address, timeout=limits, **how) as answer:
                silent.cancel()
                if answer.status >= 400:
                    raise _error_of(answer, await answer.read())
                if answer.content_type == "text/html":
                    raise errors.Unavailable(f"{self._base} answers with a web page, not as blastd does. {WHERE}")
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            raise errors.Unavailable(
                f"No answer from {self._base}: {reason}. Is 'blastd serve' running there? {WHERE}"
            ) from error
        except UnicodeError as error:  # bytes of an argument that are no text
            raise errors.BadRequest(f"An argument can't be sent: {error}.") from error
        finally:
            silent.cancel()

    def _tell_silence(self, seconds: float) -> None:
        say(f"{self._base} has not answered for {SILENT_SECONDS:g} s; waiting up to {seconds:g} s (Ctrl-C stops)")

    async def raw(self, method: str, path: str, **how: Any) -> bytes:
        """Return the body of an answer."""
        async with self.call(method, path, **how) as answer:
            return await answer.read()

    async def ask(self, kind: type[T], method: str, path: str, *inside: str, **how: Any) -> T:
        """Return an answer as *kind*; *inside* names the members to descend to."""
        body = await self.raw(method, path, **how)
        return decode(kind, body, *inside)

    async def submit(
        self, search: Mapping[str, Any], files: Sequence[Path | None], key: str, subject: Path | None = None
    ) -> bytes:
        """Send a search with the sequences of *files* (None: standard input) and return the row as JSON."""
        form = aiohttp.MultipartWriter("form-data")
        part = form.append_json(dict(search))
        part.set_content_disposition("form-data", name="search")
        single = files[0].open("rb") if len(files) == 1 and files[0] is not None else None
        other = subject.open("rb") if subject is not None else None
        try:
            if other is not None and subject is not None:
                form.append(other).set_content_disposition("form-data", name="subject", filename=subject.name)
            body = form.append(single if single is not None else joined(files))
            name = files[0].name if files and files[0] is not None else "query.fa"
            body.set_content_disposition("form-data", name="query", filename=name)
            return await self.raw("POST", "api/blast/jobs", data=form, headers={"Idempotency-Key": key})
        finally:
            for file in (single, other):
                if file is not None:
                    file.close()

    async def job(self, job_id: str) -> JobView:
        """Return one job."""
        return await self.ask(JobView, "GET", f"api/blast/jobs/{segment(job_id)}")

    async def follow(self, job_id: str, limit_seconds: float | None) -> AsyncIterator[JobView]:
        """Give the job at once and after each change until it ended. Raises TimeoutError after *limit_seconds*.

        A service that goes away is asked again for a minute.
        """
        deadline = None if limit_seconds is None else time.monotonic() + limit_seconds
        etag, away_since = "", None
        while True:
            left = HOLD_SECONDS if deadline is None else min(HOLD_SECONDS, deadline - time.monotonic())
            if left <= 0:
                raise TimeoutError
            try:
                job, etag = await self._changed(job_id, etag, left)
            except errors.Unavailable as error:
                if not etag:
                    raise
                if away_since is None:
                    away_since = time.monotonic()
                    say(
                        f"blastd: the service is away, asking again for {AWAY_SECONDS:g} s; a job that was accepted goes on"
                    )
                if time.monotonic() - away_since > AWAY_SECONDS:
                    raise errors.Unavailable(
                        f"{error} The job goes on when it is back: blastd wait {job_id}"
                    ) from error
                await asyncio.sleep(RETRY_SECONDS)
                continue
            away_since = None
            if job is not None:
                yield job
                if job.ended:
                    return

    async def _changed(self, job_id: str, etag: str, hold: float) -> tuple[JobView | None, str]:
        """Return the job when it differs from *etag*, waiting at most *hold* seconds; None if it did not change."""
        headers = {"If-None-Match": etag} if etag else {}
        wait = {"wait": f"{hold:.1f}"} if etag else {}
        path = f"api/blast/jobs/{segment(job_id)}"
        async with self.call("GET", path, headers=headers, params=wait) as answer:
            seen = answer.headers.get("ETag", "none")
            if answer.status == 304:
                return None, etag
            return decode(JobView, await answer.read()), seen

    async def download(self, job_id: str, params: Mapping[str, str | list[str]]) -> AsyncGenerator[bytes, None]:
        """Give a result block by block. Raises Unavailable when it breaks off."""
        pairs = [(key, one) for key, value in params.items() for one in ([value] if isinstance(value, str) else value)]
        path = f"api/blast/jobs/{segment(job_id)}/results"
        async with self.call("GET", path, params=pairs, seconds=MAKING_SECONDS) as answer:
            async for block in answer.content.iter_chunked(BLOCK):
                yield block


@asynccontextmanager
async def connect(url: str, token: str, most_seconds: float = MAKING_SECONDS) -> AsyncIterator[ServiceClient]:
    """Open a client of the service at *url*. Raises BadRequest when that is not an address, or *token* none."""
    try:
        base = URL(url)
    except ValueError as error:
        raise errors.BadRequest(f"BLASTD_URL is no address: {error}; it is {url!r}.") from error
    if TOKEN.fullmatch(token) is None:
        raise errors.BadRequest(
            "BLASTD_TOKEN is no token: it has a blank, a line end or other letters that no token has."
        )
    if base.scheme not in {"http", "https"} or not base.host:
        raise errors.BadRequest(f"BLASTD_URL must be an address like http://127.0.0.1:8470, it is {url!r}.")
    headers = {"User-Agent": f"blastd-cli/{__version__}", "Accept": "application/json, */*;q=0.5"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    async with aiohttp.ClientSession(headers=headers, trust_env=True) as session:
        yield ServiceClient(session, base, most_seconds)


def segment(text: str) -> str:
    """Return *text* as one segment of a path, whatever it holds."""
    quoted = quote(text, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


def decode(kind: type[T], body: bytes, *inside: str) -> T:
    """Return JSON as *kind*; *inside* names the members to descend to. Raises Unavailable for anything else."""
    try:
        value = msgspec.json.decode(body)
        for name in inside:
            value = value[name]
        return msgspec.convert(value, kind)
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise errors.Unavailable(f"The service gave an answer that this client can't read: {error}.") from error


def _error_of(answer: aiohttp.ClientResponse, body: bytes) -> errors.BlastdError:
    """Return the error that an answer stands for, with the service's own words."""
    try:
        problem = msgspec.json.decode(body, type=_Problem)
    except msgspec.MsgspecError:
        problem = _Problem(detail=text_of(body) or answer.reason or "")
    detail = problem.detail or f"The service answered {answer.status}."
    if problem.errors:
        return errors.Invalid([(fault.pointer, fault.detail) for fault in problem.errors], detail)
    if answer.status in BY_STATUS:
        return BY_STATUS[answer.status](detail)
    if answer.status >= 500:
        return errors.Unavailable(
            f"{detail} ({answer.status}, request {answer.headers.get('X-Request-Id', 'unknown')})"
        )
    return errors.BadRequest(detail)
