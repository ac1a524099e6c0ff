"""Builds, starts and stops everything: the one module that knows all parts.

What opens last closes first, and no step of the way down is without a limit.
"""

import asyncio
import fcntl
import os
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import structlog
from aiohttp import web

from blastd import __version__, systemd
from blastd.aio import every
from blastd.clock import Clock, SystemClock
from blastd.config import Settings
from blastd.core.engine import Engine
from blastd.errors import ConfigError
from blastd.metrics import Metrics
from blastd.service import Services
from blastd.store.files import Files
from blastd.store.sqlite import Database, open_database
from blastd.tracking.finish import Finisher
from blastd.tracking.launch import Launcher, LaunchSettings
from blastd.tracking.look import Looks
from blastd.tracking.reconcile import Reconciler
from blastd.tracking.retention import Retention
from blastd.tracking.tracker import Tracker
from blastd.web.app import make_app, make_runner

log = structlog.get_logger()

LAG_SECONDS = 0.05
BEAT_SECONDS = 5.0


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the state folder: two daemons on one store would both follow every job. Raises ConfigError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"{folder}: another blastd runs on this state folder; stop it, or give --state-dir."
            ) from error
        _write_pid(file)
        yield


def _write_pid(file: TextIO) -> None:
    file.write(f"{os.getpid()}\n")
    file.flush()


async def serve(settings: Settings) -> None:
    """Run the daemon until SIGTERM or SIGINT. Raises ConfigError, SchemaTooNew, StoreBroken when it can't start."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with only_one(settings.store.folder):
        async with open_database(settings.store.file) as store:
            await run(settings, store, stop)


async def run(settings: Settings, store: Database, stop: asyncio.Event) -> None:
    """Serve on an open *store* until *stop*."""
    clock, metrics = SystemClock(), Metrics()
    files = Files(settings.store.folder)
    async with AsyncExitStack() as stack:
        parts = await build(settings, store, files, clock, metrics)
        services = parts.services
        runner = make_runner(make_app(services, settings))
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        async with asyncio.TaskGroup() as group:
            roots = {name: group.create_task(_root(work), name=name) for name, work in parts.roots.items()}
            beats = group.create_task(_beat(clock, metrics), name="beat")
            await _listen(runner, settings)
            systemd.notify("READY=1", os.environ)
            await stop.wait()
            systemd.notify("STOPPING=1", os.environ)
            services.stopping.set()
            await _drain(runner, settings.server.shutdown_seconds)
            for task in (*roots.values(), beats):
                task.cancel()
    log.info("stopped")


async def _root(work: Callable[[], Awaitable[None]]) -> None:
    """Run a root task: one that ends or fails takes the daemon down, and the service manager starts it again."""
    await work()


async def _drain(runner: web.AppRunner, seconds: float) -> None:
    """Stop accepting, and give open requests *seconds* to end."""
    for site in list(runner.sites):
        await site.stop()
    try:
        async with asyncio.timeout(seconds):
            await runner.cleanup()
    except TimeoutError:
        log.warning("requests_cut_off")


async def _listen(runner: web.AppRunner, settings: Settings) -> None:
    host, port = settings.server.address
    site = web.TCPSite(runner, host, port, reuse_address=True)
    try:
        await site.start()
    except OSError as error:
        raise ConfigError(f"server.listen: can't listen on {host}:{port}: {error.strerror or error}.") from error
    bound = runner.addresses[0][1]
    shown = f"[{host}]" if ":" in host else host
    log.info("listening", url=f"http://{shown}:{bound}", host=host, port=bound)


async def _beat(clock: Clock, metrics: Metrics) -> None:
    """Measure how late the loop runs what is due, and tell the service manager that it runs at all."""
    every_seconds = systemd.watchdog_seconds(os.environ) or BEAT_SECONDS
    last = clock.monotonic()
    while True:
        begin = clock.monotonic()
        await asyncio.sleep(LAG_SECONDS)
        now = clock.monotonic()
        metrics.loop_lag_seconds.observe(max(0.0, now - begin - LAG_SECONDS))
        if now - last >= every_seconds:
            systemd.notify("WATCHDOG=1", os.environ)
            last = now
