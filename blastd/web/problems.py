"""Errors as answers: one table class -> status and one shape, RFC 9457 `application/problem+json`.

Nothing else in blastd decides the status of a failed request. What went wrong, and what to do about it, is said by the
error itself (`blastd.errors`).
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from random import Random

import msgspec
import structlog
from aiohttp import web

from blastd import errors
from blastd.durable import OF_FILES, of_machine
from blastd.log import mask
from blastd.web import ncbi_forms
from blastd.web.wire import Fault, Problem

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 30
"""What a client is told to wait when only time can help: long enough for a slot or some disk to become free."""

NOT_YET_SECONDS = 2
"""What a client is told to wait for the result of a search that goes on."""

RANDOM = Random()  # noqa: S311  # no secret
REQUEST_ID = web.RequestKey("request_id", str)
GONE: web.AppKey[Callable[[], errors.StoreGone | None]] = web.AppKey("gone")
"""Asks whether the store is still where it was."""
NOWHERE: web.AppKey[Callable[[web.Request], web.Response]] = web.AppKey("nowhere")
"""Makes the page of an address that leads nowhere."""
STARTED = web.RequestKey("started", web.StreamResponse)

STATUS: dict[type[errors.BlastdError], int] = {
    errors.BlastdError: 500,
    errors.BadRequest: 400,
    errors.UnsupportedEncoding: 415,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Ambiguous: 409,
    errors.Conflict: 409,
    errors.NotReady: 409,
    errors.ResultGone: 410,
    errors.ResultDiffers: 409,
    errors.DatabaseGone: 410,
    errors.Expired: 410,
    errors.RequestTimeout: 408,
    errors.TooLarge: 413,
    errors.RangeUnsatisfiable: 416,
    errors.Invalid: 422,
    errors.IdempotencyMismatch: 422,
    errors.Unsupported: 422,
    errors.DatabaseBroken: 422,
    errors.TooMany: 429,
    errors.QuotaUsed: 429,
    errors.ConfigError: 500,
    errors.SchemaTooNew: 500,
    errors.ToolFailed: 500,
    errors.OperationFailed: 500,
    errors.Unavailable: 503,
    errors.Exhausted: 503,
    errors.StoreBroken: 503,
    errors.StoreGone: 503,
    errors.DiskFull: 507,
}

CODES: dict[int, str] = {
    400: errors.BadRequest.code,
    401: errors.Unauthorized.code,
    403: errors.Forbidden.code,
    404: errors.NotFound.code,
    405: "method_not_allowed",
    408: errors.RequestTimeout.code,
    411: "length_required",
    413: errors.TooLarge.code,
    414: "address_too_long",
    415: "unsupported_media_type",
    416: errors.RangeUnsatisfiable.code,
    417: "expectation_failed",
    431: "headers_too_large",
}
"""Codes of what aiohttp itself refuses."""

INTERNAL = "Something went wrong here; the log has it under this request id."

log = structlog.get_logger()


def new_id() -> str:
    """Return the id of a request that brings none: it tells requests apart in the log, and costs no system call."""
    return f"{RANDOM.getrandbits(128):032x}"


def status_of(error: errors.BlastdError) -> int:
    """Return the HTTP status of *error*: its own class's, else that of the nearest class it comes from."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(
    request: web.BaseRequest,
    status: int,
    code: str,
    detail: str,
    *,
    faults: tuple[tuple[str, str], ...] = (),
    facts: Mapping[str, object] | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return the answer that says what is wrong, in the one shape that every route has."""
    body = Problem(
        type=f"urn:blastd:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=sound(detail),
        code=code,
        request_id=request.get(REQUEST_ID, ""),
        errors=[Fault(pointer=sound(pointer), detail=sound(text)) for pointer, text in faults] or msgspec.UNSET,
    )
    members = dict(facts or {}) | msgspec.to_builtins(body)  # facts are further members, as the RFC has them
    extra = {"Retry-After": str(RETRY_SECONDS)} if status in (429, 503, 507) else {}
    if status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = challenge(request)
    return web.Response(
        body=msgspec.json.encode(members),
        status=status,
        headers={"Cache-Control": "no-store"} | extra | dict(headers or {}),
        content_type=MEDIA_TYPE,
    )


def sound(text: str) -> str:
    """Return *text* with a mark for what a request held that is no UTF-8: it can't be answered."""
    return text.encode("utf-8", "replace").decode("utf-8")


def challenge(request: web.BaseRequest) -> str:
    """Return how to authenticate. Basic is offered to clients that speak it only: a browser would open a dialog."""
    basic = ncbi_surface(request) or request.headers.get("Authorization", "").startswith("Basic")
    return 'Bearer realm="blastd"' + (', Basic realm="blastd", charset="UTF-8"' if basic else "")


def ncbi_surface(request: web.BaseRequest) -> bool:
    """Tell whether the request is one of NCBI's URL API."""
    return request.path.lower().endswith("blast.cgi")


def _as_page(answer: web.Response, sentence: str) -> web.Response:
    headers = {name: value for name, value in answer.headers.items() if name not in ("Content-Type", "Content-Length")}
    text = ncbi_forms.refused(answer.status, [sentence])
    return web.Response(text=text, status=answer.status, headers=headers, content_type="text/html")


def refusal(request: web.Request, error: errors.BlastdError) -> web.Response:
    """Return the answer for a deliberate error: a page that NCBI's clients show where they speak to us."""
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.warning("request_refused", code=error.code, error=str(error))
    faults = error.faults if isinstance(error, errors.Invalid) else ()
    headers = {"Content-Range": f"bytes */{error.facts['size_bytes']}"} if "size_bytes" in error.facts else {}
    if isinstance(error, errors.NotReady) and error.facts.get("active"):
        headers["Retry-After"] = str(NOT_YET_SECONDS)
    if isinstance(error, errors.UnsupportedEncoding):
        headers["Accept-Encoding"] = "gzip, deflate, identity"
    if "retry_after_seconds" in error.facts:
        headers["Retry-After"] = str(error.facts["retry_after_seconds"])
    answer = problem(request, status, error.code, str(error), faults=faults, facts=error.facts, headers=headers)
    by_client = ncbi_surface(request) and not isinstance(
        error, errors.Forbidden
    )  # which a browser of another site gets
    return _as_page(answer, str(error)) if by_client else answer


def foreign(request: web.Request, error: web.HTTPException) -> web.Response:
    """Return the answer for what aiohttp refuses: no such route, no such method, a body that is too large.

    A person's browser gets a page for an address that leads nowhere.
    """
    if error.status == HTTPStatus.NOT_FOUND and NOWHERE in request.app and for_people(request):
        return request.app[NOWHERE](request)
    detail = {
        404: f"There is nothing at {mask(request.path)}.",
        405: f"{request.method} is not possible here.",
    }.get(error.status, error.reason)
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    return problem(request, error.status, CODES.get(error.status, "http_error"), detail, headers=headers)


def for_people(request: web.Request) -> bool:
    """Tell whether a browser asks for a page, as one does when somebody types an address."""
    reads = request.method in ("GET", "HEAD") and "text/html" in request.headers.get("Accept", "")
    return reads and not request.path.startswith(("/api/", "/static/"))


def cut_off(request: web.Request) -> web.StreamResponse:
    """Cut the connection of an answer that had begun when it failed, so that nobody takes it for whole."""
    if request.transport is not None:
        request.transport.abort()
    return request[STARTED]


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into an answer of the one shape."""
    try:
        return await handler(request)
    except errors.BlastdError as error:
        if STARTED in request:
            log.warning("answer_cut_off", code=error.code, error=str(error))
            return cut_off(request)
        return refusal(request, error)
    except web.HTTPException as error:
        if error.status < HTTPStatus.BAD_REQUEST:
            raise
        return foreign(request, error)
    except (ConnectionResetError, BrokenPipeError):
        raise  # the client went away: nobody is left to answer
    except OF_FILES as error:
        ours = request.app[GONE]() or of_machine(error)
        return refusal(request, ours) if ours is not None and STARTED not in request else unforeseen(request, error)
    except Exception as error:  # noqa: BLE001  # logged with its traceback
        return unforeseen(request, error)


def unforeseen(request: web.Request, error: Exception) -> web.StreamResponse:
    """Log what nobody foresaw, and return its answer."""
    log.error("request_failed", method=request.method, path=request.path, exc_info=error)
    return cut_off(request) if STARTED in request else problem(request, 500, "internal", INTERNAL)
