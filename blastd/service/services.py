"""All use cases as one object, made by `daemon.py` of the parts below."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import structlog

from blastd.aio import News, every
from blastd.blastplus import process
from blastd.blastplus.pins import Pins, located
from blastd.blastplus.tools import Tools
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import Settings
from blastd.core.engine import DatabaseAt
from blastd.core.ids import JobId
from blastd.core.programs import Catalogue
from blastd.metrics import Metrics
from blastd.service.access import Access, Identity
from blastd.service.databases.catalogue import Databases, Listed
from blastd.service.databases.changes import Changes
from blastd.service.databases.fetches import Admit, Fetches
from blastd.service.databases.makings import Makings
from blastd.service.databases.offers import ListedOffer, Offers
from blastd.service.databases.tasks import DatabaseTasks
from blastd.service.jobs import JobParts, Jobs
from blastd.service.posting import Posting
from blastd.service.results.imports import ResultImports
from blastd.service.results.intact import Intact
from blastd.service.results.query_tables import QueryTables
from blastd.service.results.read import Results
from blastd.service.search.checks import Checks, CommandLines, command_lines
from blastd.service.search.reuse import Reuse
from blastd.service.search.subjects import Subjects
from blastd.service.search.submit import Submit
from blastd.service.shares import Shares
from blastd.service.system import SIZE_SECONDS, Component, System
from blastd.service.taxonomy.taxa import Taxa
from blastd.service.watches.keeping import Watches
from blastd.service.watches.runs import LOOK_SECONDS, WatchRuns
from blastd.service.webhooks import Webhooks
from blastd.store.files import Files
from blastd.store.sqlite import Store
from blastd.tracking.tracker import Tracker
from blastd.turns import Turns

log = structlog.get_logger()

FIRST_UPDATE = 0.1
"""Of the hours between updates: how long the first one waits after a start."""
UPDATE_JITTER = 0.3
MEASURE_SECONDS = 15.0
NO_LIMIT_SECONDS = 10 * 365 * 86400.0


@runtime_checkable
class Warmer(Protocol):
    """What brings databases to nodes: an engine that has some."""

    async def warm(self, database: DatabaseAt) -> str:
        """Bring a generation to every node; returns what was begun. Raises Unavailable."""

    def warm_nodes(self, fingerprint: str) -> tuple[str, ...]:
        """Return the nodes that hold a generation."""


class Services:
    """What the web layer calls."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        chance: Chance,
        metrics: Metrics,
        store: Store,
        files: Files,
        tracker: Tracker,
        pins: Pins,
        databases: Databases,
        turns: Turns,
        taxa: Taxa,
        completed: News[JobId],
        tools: Tools,
        offered: Catalogue,
        version: str,
        posting: Posting,
        warmer: Warmer | None = None,
    ) -> None:
        """Take the parts; nothing starts before `roots` run."""
        self.settings, self.clock, self.metrics, self.offered = settings, clock, metrics, offered
        self.version, self.blast_version = version, offered.blast_version
        metrics.build.labels(version=version, blast_version=offered.blast_version).set(1)
        self.stopping = asyncio.Event()
        self.databases, self.taxa, self._pins, self._warmer, self._chance = databases, taxa, pins, warmer, chance
        if warmer is not None:
            databases.warm_on = warmer.warm_nodes
        makings = Makings(
            databases=databases,
            tools=tools,
            store=store,
            files=files,
            clock=clock,
            chance=chance,
            turns=turns,
            floor=settings.retention.disk_floor_bytes,
        )
        offers = Offers(databases=databases, store=store, settings=settings.databases, clock=clock)
        fetches = Fetches(
            offers=offers,
            databases=databases,
            tools=tools,
            store=store,
            files=files,
            clock=clock,
            chance=chance,
            settings=settings,
            turns=turns,
        )
        self.database_tasks = DatabaseTasks(
            store=store,
            files=files,
            clock=clock,
            settings=settings,
            metrics=metrics,
            carriers={"make": makings, "fetch": fetches, "update": fetches},
        )
        self.makings, self.offers, self.fetches = makings, offers, fetches
        self.changes = Changes(databases=databases, store=store, files=files, clock=clock, chance=chance)
        self.access = Access(store, clock, settings.access, loopback=settings.server.loopback)
        self.jobs = Jobs(store, files, tracker, clock, self.stopping)
        self.shares = Shares(store, self.jobs, clock)
        intact = Intact()
        self.results = Results(
            store=store,
            files=files,
            pins=pins,
            tools=tools,
            clock=clock,
            intact=intact,
            taxa=taxa,
            ids=databases.ids,
            turns=turns,
            completed=completed,
            limits=process.Limits(
                seconds=settings.local.time_limit_seconds or NO_LIMIT_SECONDS,
                memory_bytes=settings.local.memory_limit_bytes or None,
                nice=settings.local.nice,
            ),
            links=[link.template for link in settings.databases.links],
        )
        self.imports = ResultImports(store, files, clock, chance, settings.limits)
        self.query_tables = QueryTables(self.results, files, taxa)
        self.webhooks = Webhooks(store, clock, chance, settings.webhooks, metrics, version, posting)
        self.submit = Submit(
            store=store,
            files=files,
            tracker=tracker,
            clock=clock,
            chance=chance,
            checks=Checks(
                tools=tools,
                offered=offered,
                databases=databases,
                pins=pins,
                tracker=tracker,
                taxa=taxa,
                memory_bytes=memory_of(settings),
                seconds=seconds_of(settings),
            ),
            subjects=Subjects(tools, files, pins, chance),
            limits=settings.limits,
            floor_bytes=settings.retention.disk_floor_bytes,
            stopping=self.stopping,
            webhook_fault=self.webhooks.fault,
            reuse=Reuse(store, files, clock, pins, intact, completed),
        )
        self.watch_runs = WatchRuns(
            store=store,
            files=files,
            clock=clock,
            databases=databases,
            submit=self.submit,
            results=self.results,
            webhooks=self.webhooks,
            settings=settings.watches,
        )
        self.watches = Watches(
            store=store,
            files=files,
            clock=clock,
            chance=chance,
            jobs=self.jobs,
            submit=self.submit,
            results=self.results,
            runs=self.watch_runs,
            settings=settings.watches,
            webhook_fault=self.webhooks.fault,
        )
        self.system = System(
            store=store,
            files=files,
            tracker=tracker,
            clock=clock,
            metrics=metrics,
            floor_bytes=settings.retention.disk_floor_bytes,
            count_databases=databases.count,
        )

    def roots(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return the background work by name, for the daemon's task group."""
        now, weigh_now = asyncio.Event(), asyncio.Event()
        weigh_now.set()
        now.set()  # events are counted from the start on
        return {
            "measure": lambda: every(MEASURE_SECONDS, self.system.measure, self.clock, "measure", now),
            "formats": self.results.makings.run,
            "index-hits": self.results.indices.run,
            "derived": self.databases.derived.run,
            "taxa": self.taxa.run,
            "weigh": lambda: every(SIZE_SECONDS, self.system.weigh, self.clock, "weigh", weigh_now),
            "rescan": self.databases.watch,
            "build-databases": self.database_tasks.run,
            "update-databases": self._update,
            "webhooks": self.webhooks.run,
            "watches": lambda: every(
                LOOK_SECONDS, self.watch_runs.look, self.clock, "watches", self.watch_runs.changed
            ),
            "watch-ends": self.watch_runs.follow,
        }

    async def _update(self) -> None:
        """Order updates of fetched databases by the clock, until cancelled; jitter keeps many services from asking at once."""
        hours, never = self.settings.databases.update_hours, asyncio.Event()
        if hours <= 0:
            await never.wait()
        pause = hours * FIRST_UPDATE
        while True:
            await self.clock.wait(never, pause * 3600 * (1 + UPDATE_JITTER * (2 * self._chance.share() - 1)))
            pause = hours
            try:
                if await self.fetches.update_all():
                    self.database_tasks.wake()
            except Exception:  # the databases stay as they are, and the next time comes
                log.exception("updates_failed")

    async def ready(self) -> list[Component]:
        """Return what keeps searches from being accepted."""
        if self.stopping.is_set():
            return [Component(name="daemon", status="down", detail="It is stopping.")]
        if not self.databases.scanned.is_set():
            return [Component(name="databases", status="down", detail="scanning the folders of databases")]
        return await self.system.ready()

    async def warm(self, found: Listed) -> tuple[list[str], str]:
        """Bring a database to where it is searched; returns the nodes that hold it, and what was begun.

        Raises DatabaseBroken, Unavailable.
        """
        if self._warmer is None:
            return list(found.warm_on), "This machine searches the database where it lies: there is nothing to bring."
        database = found.database
        made = await self._pins.pin(database)
        begun = await self._warmer.warm(located(database, made))
        return list(self._warmer.warm_nodes(database.fingerprint)), begun

    async def told(self, listed: Sequence[Listed]) -> list[ListedOffer]:
        """Return databases with what is known of where they came from."""
        return await self.offers.told(listed)

    def admit_fetch(self, who: Identity) -> Admit:
        """Return what refuses a fetch beyond the limits of its owner; those on bytes hold for users only."""
        return partial(self.database_tasks.admit, bytes_count=not who.admin)

    def command_lines(self, parts: JobParts) -> CommandLines:
        """Return what runs for a job."""
        return command_lines(parts.job, parts.units)


def memory_of(settings: Settings) -> dict[str, int]:
    """Return what one search may take, by engine: its limit, else what this machine has; absent: not known."""
    local = settings.local.memory_limit_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = settings.kubernetes.memory_limit_bytes
    return {"local": local} | ({"kubernetes": limit} if limit else {})


def seconds_of(settings: Settings) -> dict[str, float]:
    """Return how long one search may run, by engine; absent: there is no limit."""
    local = settings.local.time_limit_seconds
    return {"kubernetes": settings.kubernetes.time_limit_seconds} | ({"local": local} if local else {})
