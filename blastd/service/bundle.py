"""All use cases as one object, made by `daemon.py` of the parts below."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from blastd.aio import every
from blastd.clock import Clock
from blastd.config import Settings
from blastd.metrics import Metrics
from blastd.service.access import Access
from blastd.service.jobs import Jobs
from blastd.service.system import Component, System
from blastd.store.files import Files
from blastd.store.sqlite import Database
from blastd.tracking.tracker import Tracker

MEASURE_SECONDS = 15.0


class Services:
    """What the web layer calls."""

    def __init__(
        self,
        *,
        settings: Settings,
        clock: Clock,
        metrics: Metrics,
        store: Database,
        files: Files,
        tracker: Tracker,
        version: str,
        blast_version: str | None,
    ) -> None:
        """Take the parts; nothing starts before `roots` run."""
        self.settings, self.clock, self.metrics = settings, clock, metrics
        self.version, self.blast_version = version, blast_version
        self.stopping = asyncio.Event()
        self.access = Access(store, clock, loopback=settings.server.loopback)
        self.jobs = Jobs(store, files, tracker, clock, self.stopping)
        self.system = System(store, files, tracker, clock, metrics, settings.retention.disk_floor_bytes, dict)

    def roots(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Return the background work by name, for the daemon's task group."""
        return {"measure": lambda: every(MEASURE_SECONDS, self.system.measure, self.clock, "measure")}

    async def ready(self) -> list[Component]:
        """Return what keeps searches from being accepted."""
        if self.stopping.is_set():
            return [Component(name="daemon", status="down", detail="It is stopping.")]
        return await self.system.ready()
