"""Builds, starts and stops everything: the one module that knows all parts.

What opens last closes first, and no step of the way down is without a limit.
"""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from socket import socket

import structlog
from aiohttp import web
from msgspec.structs import replace

from blastd import __version__, systemd
from blastd.aio import DUTIES, FAVOURS, LABOURS, News, every, offload
from blastd.blastplus import facts
from blastd.blastplus import tools as blast
from blastd.blastplus.pins import Pins
from blastd.blastplus.process import MARK, SYSTEM, Processes
from blastd.chance import Chance, SystemChance
from blastd.clock import Clock
from blastd.config import Settings
from blastd.core.engine import Engine
from blastd.core.ids import JobId
from blastd.core.model import Frozen
from blastd.core.programs import Catalogue
from blastd.core.schedule import Schedule
from blastd.engines.opening import EngineNeeds, in_use, kubeconfig, open_engines
from blastd.errors import ConfigError
from blastd.metrics import Metrics
from blastd.service import Services
from blastd.service.databases.catalogue import Databases
from blastd.service.ground import Ground, Stock
from blastd.service.posting import Posting, posting
from blastd.service.services import Warmer
from blastd.service.taxonomy.taxa import Taxa
from blastd.service.wiring import NO_LIMIT_SECONDS
from blastd.store import instance, private, tokens
from blastd.store.files import Files
from blastd.store.sqlite import Store, open_database
from blastd.taxonomy.shelf import Shelf
from blastd.threads import Threads, system_threads
from blastd.tracking.finish import Finisher
from blastd.tracking.launch import Launcher, LaunchSettings
from blastd.tracking.look import Looks
from blastd.tracking.query_files import QUERY_FLUSH_SECONDS, QueryFiles
from blastd.tracking.reconcile import Reconciler
from blastd.tracking.retention import Retention
from blastd.tracking.times import Times
from blastd.tracking.tracker import Tracker
from blastd.turns import Turns
from blastd.web import listening
from blastd.web.app import make_app, make_runner

log = structlog.get_logger()

LAG_SECONDS = 0.05
BEAT_SECONDS = 5.0
COLLECT_SECONDS = 600.0
PLACE_SECONDS = 1.0  # a look at four names; a write looks for itself


class Applications(Frozen, frozen=True, kw_only=True):
    """The BLAST+ applications of this machine, and what they offer."""

    tools: blast.Tools
    offered: Catalogue


class Outside(Frozen, frozen=True, kw_only=True):
    """What the daemon meets outside itself beside its engines: of this system, or of a schedule of virtual time."""

    chance: Chance = SystemChance()
    threads: Threads = system_threads
    processes: Processes = SYSTEM
    posting: Posting = posting
    applications: Callable[[Settings], Awaitable[Applications]]


class Parts(Frozen, frozen=True, kw_only=True):
    """What `build` made: the services behind HTTP, what they stand on, and the background work by name."""

    settings: Settings
    clock: Clock
    metrics: Metrics
    store: Store
    files: Files
    engines: Mapping[str, Engine]
    tracker: Tracker
    reconciler: Reconciler
    query_files: QueryFiles
    retention: Retention
    turns: Turns
    services: Services
    roots: Mapping[str, Callable[[], Awaitable[None]]]


@asynccontextmanager
async def build(
    settings: Settings,
    clock: Clock,
    engines: Mapping[str, Engine] | None = None,
    outside: Outside | None = None,
) -> AsyncIterator[Parts]:
    """Open the store and make all parts: the only place that knows how they fit together. Nothing runs before `roots` do.

    *engines* stand in for those of the settings, *outside* for this system. Everything is closed when the block ends. Raises SchemaTooNew, StoreBroken, Unavailable
    without BLAST+, ConfigError without an engine or without a token where one is needed.
    """
    outside = outside or Outside(applications=ask_applications)
    for pool in (DUTIES, FAVOURS, LABOURS):
        pool.take(outside.threads)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_database(settings.store.file, clock, outside.threads))
        await _guard(settings, store)
        files = Files(settings.store.folder, outside.chance)
        store.place.watch(files.folders)
        _warn_of_folders(settings)
        killed = await offload(outside.processes.kill_orphans, files.root)
        if killed:
            log.warning("orphans_killed", processes=killed)
        ground = await _ground(settings, clock, outside, store, files)
        if engines is None:
            engines = await open_engines(await _needs(ground, outside), stack)
        yield await _parts(ground, engines)


async def _ground(settings: Settings, clock: Clock, outside: Outside, store: Store, files: Files) -> Ground:
    """Ask BLAST+ what it offers, and return what all parts stand on. Raises Unavailable."""
    applications = await outside.applications(settings)
    return Ground(
        settings=settings,
        clock=clock,
        chance=outside.chance,
        metrics=Metrics(),
        store=store,
        files=files,
        turns=turns_of(settings, clock),
        tools=applications.tools,
        offered=applications.offered,
        posting=outside.posting,
        version=__version__,
    )


async def _needs(ground: Ground, outside: Outside) -> EngineNeeds:
    return EngineNeeds(
        settings=ground.settings,
        root=ground.files.root,
        jobs_folder=ground.files.jobs,
        kubeconfig=kubeconfig(ground.settings, os.environ),
        tools=ground.tools,
        clock=ground.clock,
        turns=ground.turns,
        processes=outside.processes,
        chance=ground.chance,
        store_name=await ground.store.read(instance.name),
    )


def turns_of(settings: Settings, clock: Clock) -> Turns:
    """Return the queue of this machine, which all that computes here shares."""
    slots = settings.local.slots or os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Turns(
        Schedule(slots, memory, share_seconds=settings.limits.share_seconds, express=settings.local.express), clock
    )


async def _guard(settings: Settings, store: Store) -> None:
    """Raise ConfigError if other machines reach the service and nobody needs a token."""
    if settings.access.proxy_addresses:
        return
    if not settings.server.loopback and not await store.read(lambda db: tokens.list_all(db, limit=1)):
        raise ConfigError(
            f"server.listen: {settings.server.listen} can be reached from other machines, and there is no token. "
            f"Make one with 'blastd token create --owner NAME --state-dir {settings.store.folder}', or listen on 127.0.0.1."
        )


def _warn_of_folders(settings: Settings) -> None:
    """Say which database folders are not there; they may come (a share that is not mounted yet), and are looked for."""
    for folder in settings.databases.dirs:
        if not folder.is_dir():
            log.warning("database_folder_missing", folder=str(folder), mend="correct databases.dirs or --db-dir")


async def ask_applications(settings: Settings) -> Applications:
    """Find BLAST+ and ask what it offers; its processes carry the mark by which `kill_orphans` knows them. Raises Unavailable."""
    home = str(settings.store.folder)
    tools = await blast.find(settings.blast.bin, os.environ.get("PATH", os.defpath), home)
    tools = replace(tools, environment={**tools.environment, MARK: home})
    return Applications(tools=tools, offered=await facts.offered(tools, settings.store.folder))


async def _stock(ground: Ground, engines: Mapping[str, Engine]) -> Stock:
    """Wire databases, organisms, pins and tracker, and put right what a crash left half done of databases."""
    settings, files = ground.settings.databases, ground.files
    databases = Databases(
        folders=settings.dirs,
        taxonomy=settings.taxonomy_dirs,
        tools=ground.tools,
        store=ground.store,
        files=files,
        clock=ground.clock,
        rescan_seconds=settings.rescan_seconds,
    )
    shelf = Shelf(files.root / "taxa", ground.tools, ground.clock, databases.derived)
    taxa = Taxa(databases, shelf, settings.taxonomy_dirs, files.databases, ground.clock)
    await databases.recover()
    pins = Pins(files.generations, databases.current, ground.chance, ground.clock, databases.scanned)
    completed = News[JobId]()
    tracker = _tracker(ground, engines, pins, completed)
    return Stock(databases=databases, taxa=taxa, pins=pins, tracker=tracker, completed=completed)


async def _parts(ground: Ground, engines: Mapping[str, Engine]) -> Parts:
    """Wire the parts on an open store, and put right what a crash left half done."""
    query_files = QueryFiles(ground.store, ground.files, ground.clock)
    await query_files.restore()
    stock = await _stock(ground, engines)
    reconciler = Reconciler(ground.store, stock.tracker, ground.clock, ground.chance, ground.metrics)
    retention = _retention(ground, stock, engines)
    warmer = next((engine for engine in engines.values() if isinstance(engine, Warmer)), None)
    services = Services(ground, stock, warmer)
    await retention.sweep_temporary()
    roots = _roots(ground, stock.tracker, reconciler, query_files, retention)
    return Parts(
        settings=ground.settings,
        clock=ground.clock,
        metrics=ground.metrics,
        store=ground.store,
        files=ground.files,
        engines=engines,
        tracker=stock.tracker,
        reconciler=reconciler,
        query_files=query_files,
        retention=retention,
        turns=ground.turns,
        services=services,
        roots=roots | {f"engine-{name}": engine.run for name, engine in engines.items()} | dict(services.roots()),
    )


def _roots(
    ground: Ground, tracker: Tracker, reconciler: Reconciler, query_files: QueryFiles, retention: Retention
) -> dict[str, Callable[[], Awaitable[None]]]:
    """Return the background work by name, beside that of engines and services."""
    clock, sweep_seconds = ground.clock, ground.settings.retention.sweep_seconds
    reconcile_seconds = ground.settings.tracking.reconcile_seconds
    at_once, also_at_once = asyncio.Event(), asyncio.Event()
    at_once.set()
    also_at_once.set()
    return {
        "tracker": tracker.run,
        "turns": ground.turns.run,
        "reconcile": lambda: every(reconcile_seconds, reconciler.run_once, clock, "reconcile"),
        "settle": lambda: every(QUERY_FLUSH_SECONDS, query_files.run_once, clock, "settle", at_once),
        "place": lambda: every(PLACE_SECONDS, ground.store.notice, clock, "place"),
        "privacy": lambda: every(
            sweep_seconds, lambda: offload(private.keep, ground.files.root), clock, "privacy", also_at_once
        ),
        "retention": lambda: every(sweep_seconds, retention.run_once, clock, "retention"),
    }


def _tracker(ground: Ground, engines: Mapping[str, Engine], pins: Pins, completed: News[JobId]) -> Tracker:
    """Wire what moves jobs along."""
    settings, store, files, clock = ground.settings, ground.store, ground.files, ground.clock
    limits = LaunchSettings(
        time_limit_seconds=settings.local.time_limit_seconds or NO_LIMIT_SECONDS,
        memory_limit_bytes=settings.local.memory_limit_bytes or None,
    )
    policy = settings.tracking.intervals()
    times = Times(clock)
    launcher = Launcher(store, files, pins, clock, times, limits)
    finisher = Finisher(store, files, pins, times, ground.metrics, completed)
    looks = Looks(store, engines, launcher, finisher, clock, times, ground.chance, policy, ground.metrics)
    return Tracker(store, engines, looks, clock, policy, ground.metrics)


def _retention(ground: Ground, stock: Stock, engines: Mapping[str, Engine]) -> Retention:
    """Wire what removes what is due."""
    settings = ground.settings.retention
    return Retention(
        ground.store,
        ground.files,
        ground.clock,
        settings.days,
        dry_run=settings.dry_run,
        generations_days=settings.generations_days,
        sweep_generations=lambda used: (
            stock.pins.sweep(used | in_use(engines)) + stock.databases.sweep_ids(used) + stock.taxa.sweep(used)
        ),
        metrics=ground.metrics,
    )


@asynccontextmanager
async def running(parts: Parts, inherited: Sequence[socket] = ()) -> AsyncIterator[str]:
    """Run the background work and serve HTTP during the block, on *inherited* sockets if any; gives the address. A root that ends or fails ends all.

    Raises ConfigError when the address can't be listened on.
    """
    settings, services = parts.settings, parts.services
    runner = make_runner(make_app(services, settings))
    await runner.setup()
    listens = False
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_root(work), name=name) for name, work in parts.roots.items()]
            tasks.append(group.create_task(_beat(parts.clock, parts.metrics), name="beat"))
            url = await listening.listen(runner, settings.server, inherited)
            listens = True
            yield url
            services.stopping.set()
            await _drain(runner, settings.server.shutdown_seconds)
            for task in tasks:
                task.cancel()
    finally:
        services.stopping.set()
        await runner.cleanup()
        if listens:  # else the file is somebody else's
            listening.close(settings.server, inherited)


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


async def _beat(clock: Clock, metrics: Metrics) -> None:
    """Measure how late the loop runs what is due, and tell the service manager that it runs at all."""
    every_seconds = systemd.watchdog_seconds(os.environ) or BEAT_SECONDS
    last = collected = clock.monotonic()
    while True:
        begin = clock.monotonic()
        await asyncio.sleep(LAG_SECONDS)
        now = clock.monotonic()
        metrics.loop_lag_seconds.observe(max(0.0, now - begin - LAG_SECONDS))
        if now - last >= every_seconds:
            systemd.notify("WATCHDOG=1", os.environ)
            last = now
        if now - collected >= COLLECT_SECONDS:
            gc.collect()
            collected = clock.monotonic()
