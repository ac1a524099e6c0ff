"""A reverse proxy that injects faults between blastd, or its pods, and a server that is real.

All requests go through to the server behind it and back as they are; only what a `Fault` names is changed. The newest
rule is tried first, each counts how often it met a request, and `seen` has every request with its time.
"""

import asyncio
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiohttp
from aiohttp import web
from yarl import URL

HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "host", "expect"})
KIB = 1024
START_SECONDS = 20.0


class Seen(NamedTuple):
    """A request: when, by the monotonic clock, and which."""

    at: float
    method: str
    path: str


@dataclass
class Fault:
    """What happens to requests whose "METHOD path?query" matches *pattern*; the first *times* of them, None: all.

    status   answered at once with this status, and *headers*; the server behind is not asked
    seconds  held for so long, then passed on
    stall    the answer's bytes stop after *after* of them; the connection stays open
    lost     the server behind does it, but its answer never arrives: the connection breaks instead
    cut      the connection breaks after *after* bytes of the body, sent (PUT, POST) or received (GET)
    rate     bytes a second of the body, sent or received
    """

    pattern: str
    times: int | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    stall: bool = False
    lost: bool = False
    cut: bool = False
    reset: bool = True
    after: int = 0
    rate: int = 0
    met: int = 0

    def takes(self, line: str) -> bool:
        if (self.times is not None and self.met >= self.times) or not re.search(self.pattern, line):
            return False
        self.met += 1
        return True


NONE = Fault("")


class Broken(Exception):
    """The connection to who asked is to break."""


class Proxy:
    """Runs in a thread of its own. `url` is where it listens, *upstream* the server behind it."""

    def __init__(self, upstream: str, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.upstream, self.host, self._tls = upstream.rstrip("/"), host, tls
        self.seen: list[Seen] = []
        self.faults: list[Fault] = []
        self.port = 0
        self._open: set[asyncio.BaseTransport] = set()
        self._loop = asyncio.new_event_loop()
        self._up, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)

    def start(self) -> "Proxy":
        self._thread.start()
        assert self._up.wait(START_SECONDS)
        return self

    def stop(self) -> None:
        self.faults.clear()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(START_SECONDS)
        self._loop.close()

    @contextmanager
    def fault(self, pattern: str, **how: Any) -> Iterator[Fault]:
        """Inject a fault while the block lasts; it comes before those that were there."""
        made = Fault(pattern, **how)
        self.faults.insert(0, made)
        try:
            yield made
        finally:
            self.faults.remove(made)

    def since(self, at: float, pattern: str = "") -> list[Seen]:
        """Return the requests from *at* on that match."""
        return [one for one in tuple(self.seen) if one.at >= at and re.search(pattern, f"{one.method} {one.path}")]

    def sever(self) -> None:
        """Break every connection that serves a request now, watches among them."""
        self._loop.call_soon_threadsafe(lambda: [each.abort() for each in tuple(self._open)])  # type: ignore[attr-defined]

    # ------------------------------------------------------------------ its own thread
    async def _serve(self) -> None:
        limits = aiohttp.ClientTimeout(total=None, sock_connect=10)
        connector = aiohttp.TCPConnector(ssl=self._tls or False, limit=0)
        skip = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")  # they are signed as they came
        async with aiohttp.ClientSession(
            connector=connector, timeout=limits, auto_decompress=False, skip_auto_headers=skip
        ) as self._session:
            app = web.Application(client_max_size=0)
            app.router.add_route("*", "/{path:.*}", self._handle)
            runner = web.AppRunner(app, handler_cancellation=True, auto_decompress=False, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, self.host, 0)
            await site.start()
            self.port = runner.addresses[0][1]
            self._up.set()
            await self._stop.wait()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        line = f"{request.method} {request.raw_path}"
        self.seen.append(Seen(time.monotonic(), request.method, request.raw_path))
        fault = next((one for one in tuple(self.faults) if one.takes(line)), NONE)
        transport = request.transport
        assert transport is not None
        self._open.add(transport)
        try:
            return await self._pass(request, fault)
        except (Broken, aiohttp.ClientError, OSError):
            self._break(request, reset=fault.reset)
            return web.Response(status=502)  # nobody is there to read it
        finally:
            self._open.discard(transport)

    async def _pass(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.status:
            return web.Response(status=fault.status, headers=fault.headers)
        await asyncio.sleep(fault.seconds)
        sends = fault is not NONE and request.method in ("PUT", "POST", "PATCH")
        headers = [(name, text) for name, text in request.headers.items() if name.lower() not in HOP]
        body = self._sent(request, fault if sends else NONE) if request.body_exists else None
        async with self._session.request(
            request.method,
            URL(self.upstream + request.raw_path, encoded=True),
            headers=headers,
            data=body,
            allow_redirects=False,
        ) as answer:
            if fault.lost:
                await answer.read()
                raise Broken
            return await self._received(request, answer, NONE if sends and not fault.stall else fault)

    async def _sent(self, request: web.Request, fault: Fault) -> AsyncIterator[bytes]:
        passed = 0
        async for block in request.content.iter_chunked(64 * KIB):
            if fault.cut and passed + len(block) > fault.after:
                raise Broken
            if fault.rate:
                await asyncio.sleep(len(block) / fault.rate)
            passed += len(block)
            yield block

    async def _received(self, request: web.Request, answer: aiohttp.ClientResponse, fault: Fault) -> web.StreamResponse:
        headers = [(name, text) for name, text in answer.headers.items() if name.lower() not in HOP]
        given = web.StreamResponse(status=answer.status, headers=headers)
        await given.prepare(request)
        passed = 0
        async for block in answer.content.iter_any():
            if (fault.cut or fault.stall) and passed + len(block) > fault.after:
                await given.write(block[: fault.after - passed])
                if fault.cut:
                    raise Broken
                await asyncio.Event().wait()  # until the client goes away
            if fault.rate:
                await asyncio.sleep(len(block) / fault.rate)
            passed += len(block)
            await given.write(block)
        if fault.stall:
            await asyncio.Event().wait()
        await given.write_eof()
        return given

    def _break(self, request: web.Request, *, reset: bool) -> None:
        """Close the connection in the middle: with RST, or with FIN."""
        transport = request.transport
        if transport is None:
            return
        if reset:
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        else:
            transport.close()
