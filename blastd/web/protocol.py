"""What is refused before a request reaches the application, in the one shape of all errors: HTTP that can't be read.

aiohttp answers such requests itself, as plain text and with a traceback in the log for each.
"""

from http import HTTPStatus

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from blastd.web.problems import CODES, INTERNAL, REQUEST_ID, new_id, problem

TOO_LONG = "The address or a header of the request is longer than this service takes."
SHOWN = 200

log = structlog.get_logger()


class Protocol(web.RequestHandler):
    """One connection."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to what could not be read, or failed outside of the application; the connection ends with it."""
        request[REQUEST_ID] = new_id()
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("request_failed", request_id=request[REQUEST_ID], exc_info=exc)
            detail = INTERNAL
        elif isinstance(exc, LineTooLong):
            status, detail = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LONG
        else:
            reason = (message or "").partition("\n")[0].rstrip(":. ")[:SHOWN]
            detail = f"The request can't be read as HTTP: {reason or 'it is not sound'}."
            log.info("request_unreadable", request_id=request[REQUEST_ID], reason=reason)
        if request.writer.output_size > 0:
            raise ConnectionError("The answer had begun when the connection failed")
        answer = problem(request, status, CODES.get(status, "http_error"), detail)
        answer.headers["X-Request-Id"] = request[REQUEST_ID]
        answer.force_close()
        return answer

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send an answer; what aiohttp refused before the middlewares (an unknown Expect) gets the shape of the others."""
        if isinstance(resp, web.HTTPException) and resp.status >= HTTPStatus.BAD_REQUEST:
            request.setdefault(REQUEST_ID, new_id())
            resp = problem(request, resp.status, CODES.get(resp.status, "http_error"), resp.text or resp.reason)
        return await super().finish_response(request, resp, start_time)


class Server(web.Server):
    """A server of such connections."""

    def __call__(self) -> web.RequestHandler:
        """Return a handler for a new connection."""
        return Protocol(self, loop=self._loop, **self._kwargs)


def as_ours(server: web.Server) -> Server:
    """Return *server*, which aiohttp made of an application, as one of ours."""
    return Server(
        server.request_handler,
        request_factory=server.request_factory,
        handler_cancellation=server.handler_cancellation,
        loop=server._loop,  # noqa: SLF001  # aiohttp has no other way to choose the class of its handlers
        **server._kwargs,  # noqa: SLF001  # the same
    )
