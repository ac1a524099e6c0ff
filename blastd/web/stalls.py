"""Clients that stop: one limit for every connection, whatever route, page, form, stream or download it is about.

A connection is cut when nothing of its answer was taken for `server.stall_seconds`, or when its request does not come on:
no request at all, or less than LEAST_BYTES of a body within that time. A body that stalls is first told to its handler,
which answers 408; where nobody reads it, the connection goes. Handlers have no limits of their own.

Progress is read from the transport, so that no writer or reader can be forgotten: what an answer has put out less what
waits in the buffer, and what the parser has been given. While the service itself does not read, nobody stalls.
"""

import asyncio
from collections.abc import Iterable

import structlog
from aiohttp import web

from blastd.errors import RequestTimeout
from blastd.web.protocol import as_ours

LEAST_BYTES = 16 << 10
"""Of a body that has not ended, within the limit: a connection that is held open byte by byte is no upload."""
LOOKS = 4
"""Looks within the limit: a stall is cut after up to a quarter more."""
LONGEST_PAUSE_SECONDS = 5.0

log = structlog.get_logger()


class ConnectionProgress:
    """What one connection has moved, and since when nothing."""

    def __init__(self, now: float) -> None:
        """Begin with a connection that was just seen."""
        self.request: web.BaseRequest | None = None
        self.received, self.received_at = 0, now
        self.answered = 0
        self.sent, self.sent_at = 0, now
        self.told = False

    @property
    def put_out(self) -> int:
        """Return the bytes of all answers so far."""
        return self.answered + (self.request.writer.output_size if self.request is not None else 0)

    def begin(self, request: web.BaseRequest, now: float) -> None:
        """Take the next request of the connection."""
        self.answered = self.put_out
        self.request, self.told = request, False
        self.received, self.received_at = request.content.total_bytes, now


class Stalls:
    """Looks at all connections of a server."""

    def __init__(self, seconds: float) -> None:
        """Cut what moves nothing for *seconds*."""
        self._seconds = seconds
        self._known: dict[web.RequestHandler, ConnectionProgress] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def note(self, request: web.BaseRequest) -> None:
        """Take note of a request before its handler begins.

        One that was sent ahead waits until the answers before it are taken: small ones would pile up in memory.
        """
        now = asyncio.get_running_loop().time()
        self._known.setdefault(request.protocol, ConnectionProgress(now)).begin(request, now)
        await request.writer.drain()

    def start(self, server: web.Server) -> None:
        """Look at the connections of *server* from now on."""
        pause = min(self._seconds / LOOKS, LONGEST_PAUSE_SECONDS)
        self._timer = asyncio.get_running_loop().call_later(pause, self._again, server)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _again(self, server: web.Server) -> None:
        self.look(server.connections, asyncio.get_running_loop().time())
        self.start(server)

    def look(self, connections: Iterable[web.RequestHandler], now: float) -> None:
        """Cut those of *connections* that have stalled."""
        self._known = {each: self._known.get(each) or ConnectionProgress(now) for each in connections}
        for each, progress in self._known.items():
            transport = each.transport
            if not isinstance(transport, asyncio.Transport) or transport.is_closing():
                continue
            reason = self._receiving(transport, progress, now) or self._sending(transport, progress, now)
            if reason is not None:
                log.info("client_stalled", reason=reason)
                transport.abort()

    def _receiving(self, transport: asyncio.Transport, progress: ConnectionProgress, now: float) -> str | None:
        request = progress.request
        over = now - progress.received_at >= self._seconds
        if request is None:
            return "no request" if over else None
        content = request.content
        moved = content.total_bytes - progress.received >= LEAST_BYTES
        if moved or content.is_eof() or not transport.is_reading():
            progress.received, progress.received_at = content.total_bytes, now
        elif over and progress.told:
            return "body not read"
        elif over:
            progress.told, progress.received_at = True, now
            content.set_exception(RequestTimeout())
        return None

    def _sending(self, transport: asyncio.Transport, progress: ConnectionProgress, now: float) -> str | None:
        waiting = transport.get_write_buffer_size()
        sent = progress.put_out - waiting
        if not waiting or sent != progress.sent:
            progress.sent, progress.sent_at = sent, now
        return "answer not taken" if now - progress.sent_at >= self._seconds else None


STALLS = web.AppKey("stalls", Stalls)


class StallRunner(web.AppRunner):
    """The runner of an application, which cuts off clients that stop."""

    async def _make_server(self) -> web.Server:
        return as_ours(await super()._make_server())

    async def setup(self) -> None:
        """Begin to serve."""
        await super().setup()
        if self.server is not None:
            self.app[STALLS].start(self.server)

    async def cleanup(self) -> None:
        """Stop serving."""
        self.app[STALLS].stop()
        await super().cleanup()
