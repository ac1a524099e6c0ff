"""All use cases as one object, made by `daemon.py` of the parts below."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Protocol, runtime_checkable

import structlog

from blastd.aio import every
from blastd.blastplus.pins import located
from blastd.core.engine import DatabaseAt
from blastd.service.access import Access, Identity
from blastd.service.databases.catalogue import Listed
from blastd.service.databases.changes import Changes
from blastd.service.databases.fetches import Admit
from blastd.service.databases.offers import ListedOffer, Offers
from blastd.service.ground import Ground, Stock
from blastd.service.jobs import JobParts, Jobs
from blastd.service.results.imports import ResultImports
from blastd.service.results.intact import Intact
from blastd.service.results.query_tables import QueryTables
from blastd.service.search.checks import CommandLines, command_lines
from blastd.service.shares import Shares
from blastd.service.system import SIZE_SECONDS, Component, System
from blastd.service.watches.runs import LOOK_SECONDS
from blastd.service.webhooks import Webhooks
from blastd.service.wiring import (
    database_tasks_of,
    fetches_of,
    makings_of,
    results_of,
    submit_of,
    watch_runs_of,
    watches_of,
)

log = structlog.get_logger()

FIRST_UPDATE = 0.1
"""Of the hours between updates: how long the first one waits after a start."""
UPDATE_JITTER = 0.3
MEASURE_SECONDS = 15.0


@runtime_checkable
class Warmer(Protocol):
    """What brings databases to nodes: an engine that has some."""

    async def warm(self, database: DatabaseAt) -> str:
        """Bring a generation to every node; returns what was begun. Raises Unavailable."""

    def warm_nodes(self, fingerprint: str) -> tuple[str, ...]:
        """Return the nodes that hold a generation."""


class Services:
    """What the web layer calls."""

    def __init__(self, ground: Ground, stock: Stock, warmer: Warmer | None = None) -> None:
        """Take what all stand on; nothing starts before `roots` run."""
        settings, store, files, clock, chance = (
            ground.settings, ground.store, ground.files, ground.clock, ground.chance,
        )  # fmt: skip
        self.settings, self.clock, self.metrics, self.offered = settings, clock, ground.metrics, ground.offered
        self.version, self.blast_version = ground.version, ground.offered.blast_version
        ground.metrics.build.labels(version=ground.version, blast_version=self.blast_version).set(1)
        self.stopping = asyncio.Event()
        self.databases, self.taxa, self._pins, self._warmer, self._chance = (
            stock.databases, stock.taxa, stock.pins, warmer, chance,
        )  # fmt: skip
        if warmer is not None:
            stock.databases.warm_on = warmer.warm_nodes
        self.offers = Offers(databases=stock.databases, store=store, settings=settings.databases, clock=clock)
        self.makings, self.fetches = makings_of(ground, stock), fetches_of(ground, stock, self.offers)
        self.database_tasks = database_tasks_of(ground, self.makings, self.fetches)
        self.changes = Changes(databases=stock.databases, store=store, files=files, clock=clock, chance=chance)
        self.access = Access(store, clock, settings.access, loopback=settings.server.loopback)
        self.jobs = Jobs(store, files, stock.tracker, clock, self.stopping)
        self.shares = Shares(store, self.jobs, clock)
        intact = Intact()
        self.results = results_of(ground, stock, intact)
        self.imports = ResultImports(store, files, clock, chance, settings.limits)
        self.query_tables = QueryTables(self.results, files, stock.taxa)
        self.webhooks = Webhooks(
            store, clock, chance, settings.webhooks, ground.metrics, ground.version, ground.posting
        )
        self.submit = submit_of(ground, stock, intact, self.stopping, self.webhooks)
        self.watch_runs = watch_runs_of(ground, stock, self.submit, self.results, self.webhooks)
        self.watches = watches_of(ground, self.jobs, self.submit, self.results, self.watch_runs, self.webhooks)
        self.system = System(
            store=store,
            files=files,
            tracker=stock.tracker,
            clock=clock,
            metrics=ground.metrics,
            floor_bytes=settings.retention.disk_floor_bytes,
            count_databases=stock.databases.count,
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
