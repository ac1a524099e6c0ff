"""A client of blastd's own HTTP API for the command line: typed answers, and errors as ours."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from blastd import __version__, errors
from blastd.cli.answers import JobView, MakingAnswer, ProblemAnswer, decode
from blastd.cli.fasta_files import joined, text_of
from blastd.cli.words import say

T = TypeVar("T")
BLOCK = 1 << 18
ANSWER_SECONDS = 60.0  # without a byte; longer than the service holds any answer
CHANGE_SECONDS = 120.0  # for what the service does before it answers: read an upload, look through its folders
MAKING_SECONDS = 300.0  # without a byte of a format
HELD_SECONDS = 9.0  # for which the service holds the answer while a format is made: then it says how far it is
SILENT_SECONDS = 10.0  # until the user is told that there is no answer yet
MOST_PAUSE_SECONDS = 3600.0  # of a Retry-After that is believed
WHERE = "BLASTD_URL, --url or 'blastd login' name the service."
SOCKET_FILE = "unix:"
TOKEN = re.compile(r"[!-~]*")
"""Letters that a header may hold."""
PAGE_TITLE = re.compile(rb"(?is)<title[^>]*>(.*?)</title>")

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


class ServiceClient:
    """Calls to one service. Made by `connect`."""

    def __init__(self, session: aiohttp.ClientSession, base: URL, most_seconds: float) -> None:
        """Take an open session, the address of the service, and how long to wait for it at most."""
        self._session, self.base, self._most = session, base, most_seconds

    @asynccontextmanager
    async def call(
        self, method: str, path: str, held: float = 0.0, **how: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request and give its successful answer. The service was asked to hold it for *held* seconds.

        Raises Unavailable, or what the answer's problem stands for.
        """
        seconds = min(self._most, how.pop("seconds", ANSWER_SECONDS if method == "GET" else CHANGE_SECONDS))
        limits = aiohttp.ClientTimeout(total=None, sock_connect=min(10.0, seconds), sock_read=seconds)
        silent = asyncio.get_running_loop().call_later(held + SILENT_SECONDS, self._tell_silence, held, seconds)
        try:
            address = self.base.joinpath(path, encoded=True)
            async with self._session.request(method, address, timeout=limits, **how) as answer:
                silent.cancel()
                if answer.status >= 400:
                    raise _error_of(answer, await answer.read())
                if answer.content_type == "text/html":
                    raise errors.Unavailable(f"{self.base} answers with a web page, not as blastd does. {WHERE}")
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            lost = not isinstance(error, aiohttp.ClientConnectorError)
            raise errors.Unavailable(
                f"No answer from {self.base}: {reason}. Is 'blastd serve' running there? {WHERE}", lost=lost
            ) from error
        except UnicodeError as error:  # bytes of an argument that are no text
            raise errors.BadRequest(f"An argument can't be sent: {error}.") from error
        finally:
            silent.cancel()

    def _tell_silence(self, held: float, seconds: float) -> None:
        silence = held + SILENT_SECONDS
        say(f"{self.base} has not answered for {silence:g} s; waiting up to {seconds:g} s (Ctrl-C stops)")

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

    async def changed(self, job_id: str, etag: str, hold: float, seconds: float) -> tuple[JobView | None, str]:
        """Return the job when it differs from *etag*, waiting at most *hold* seconds; None if it did not change.

        An answer that takes longer than *seconds* is none.
        """
        headers = {"If-None-Match": etag} if etag else {}
        wait = {"wait": f"{hold:.1f}"} if etag else {}
        how: dict[str, Any] = {"headers": headers, "params": wait, "seconds": seconds}
        async with self.call("GET", f"api/blast/jobs/{segment(job_id)}", hold if etag else 0.0, **how) as answer:
            seen = answer.headers.get("ETag", "none")
            if answer.status == 304:
                return None, etag
            return decode(JobView, await answer.read()), seen

    async def download(self, job_id: str, params: Mapping[str, str | list[str]]) -> AsyncGenerator[bytes, None]:
        """Give a result block by block. Raises Unavailable when it breaks off."""
        pairs = [(key, one) for key, value in params.items() for one in ([value] if isinstance(value, str) else value)]
        path = f"api/blast/jobs/{segment(job_id)}/results"
        pairs.append(("wait", f"{HELD_SECONDS:g}"))
        while True:
            async with self.call("GET", path, HELD_SECONDS, params=pairs, seconds=MAKING_SECONDS) as answer:
                if answer.status == HTTPStatus.ACCEPTED:
                    say(decode(MakingAnswer, await answer.read()).text)
                    continue
                async for block in answer.content.iter_chunked(BLOCK):
                    yield block
                return


@asynccontextmanager
async def connect(url: str, token: str, most_seconds: float = MAKING_SECONDS) -> AsyncIterator[ServiceClient]:
    """Open a client of the service at *url*. Raises BadRequest when that is not an address, or *token* none."""
    file = url.removeprefix(SOCKET_FILE) if url.startswith(SOCKET_FILE) else None
    if file is not None:
        url = "http://localhost"
    try:
        base = URL(url)
    except ValueError as error:
        raise errors.BadRequest(f"BLASTD_URL or --url is no address: {error}; it is {url!r}.") from error
    if TOKEN.fullmatch(token) is None:
        raise errors.BadRequest(
            "The token (BLASTD_TOKEN or --token-file) is none: it has a blank, a line end or other letters that no token has."
        )
    if base.scheme not in {"http", "https"} or not base.host:
        raise errors.BadRequest(f"BLASTD_URL or --url must be an address like http://127.0.0.1:8470, it is {url!r}.")
    headers = {"User-Agent": f"blastd-cli/{__version__}", "Accept": "application/json, */*;q=0.5"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connector = aiohttp.UnixConnector(path=file) if file is not None else None
    async with aiohttp.ClientSession(headers=headers, trust_env=file is None, connector=connector) as session:
        yield ServiceClient(session, base, most_seconds)


def segment(text: str) -> str:
    """Return *text* as one segment of a path, whatever it holds."""
    quoted = quote(text, safe="")
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")


def _error_of(answer: aiohttp.ClientResponse, body: bytes) -> errors.BlastdError:
    """Return the error that an answer stands for, with the service's own words."""
    try:
        problem = msgspec.json.decode(body, type=ProblemAnswer)
    except msgspec.MsgspecError:
        problem = ProblemAnswer(detail=_sentence(answer, body))
    detail = problem.detail or f"The service answered {answer.status}."
    if problem.errors:
        return errors.Invalid([(fault.pointer, fault.detail) for fault in problem.errors], detail)
    again = _pause(answer.headers.get("Retry-After", ""))
    if answer.status in BY_STATUS:
        return BY_STATUS[answer.status](detail, retry_after=again)
    if answer.status >= 500:
        request = answer.headers.get("X-Request-Id")
        where = f"{answer.status}, request {request}" if request else f"{answer.status}"
        return errors.Unavailable(f"{detail} ({where})", retry_after=again)
    return errors.BadRequest(detail)


def _sentence(answer: aiohttp.ClientResponse, body: bytes) -> str:
    """Return what an answer that is not ours says: of a proxy's page its title, of a text its first words."""
    if answer.content_type != "text/html":
        return text_of(body) or answer.reason or ""
    title = PAGE_TITLE.search(body)
    said = text_of(title[1]) if title else answer.reason or "a web page"
    return f"A proxy or another server at {answer.url.origin()} answers {answer.status} in place of blastd: {said}."


def _pause(text: str) -> float | None:
    """Return the seconds of a Retry-After, None where there is none that is a number."""
    return min(float(text), MOST_PAUSE_SECONDS) if text.isascii() and text.isdigit() and len(text) < 10 else None
