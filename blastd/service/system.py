"""How the service is: each component by name, versions, numbers. Asking it waits for nothing outside."""

import os
import platform
import resource
import shutil
import sqlite3
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from blastd.aio import duty, offload
from blastd.clock import Clock
from blastd.core.engine import Engine
from blastd.core.engine import Health as EngineState
from blastd.core.model import Frozen
from blastd.errors import StoreBroken, StoreGone
from blastd.metrics import Metrics
from blastd.store import events, jobs
from blastd.store.files import Files, walk
from blastd.store.sqlite import Store
from blastd.tracking.tracker import Tracker

OK, DEGRADED, DOWN = "ok", "degraded", "down"
SIZE_SECONDS = 60.0
"""How old the size of the state folder may be: it costs a walk over all files."""


class Component(Frozen, frozen=True, kw_only=True):
    """One part: ok, degraded (works with less), or down (what needs it does not work)."""

    name: str
    status: str
    detail: str = ""
    since: datetime | None = None
    age_seconds: float | None = None
    """Seconds since it was last proven to be so; None: it was not yet, or needs no proof."""


class EngineHealth(Frozen, frozen=True, kw_only=True):
    """An engine and how busy it is; None: it has no such number."""

    name: str
    status: str
    detail: str
    slots: int | None
    slots_busy: int | None
    running: int
    age_seconds: float | None
    watches: list[Component]


class ServiceHealth(Frozen, frozen=True, kw_only=True):
    """The service as a whole: as bad as its worst component."""

    status: str
    started_at: datetime
    uptime_seconds: float
    components: list[Component]
    engines: list[EngineHealth]
    queued: int
    running: int
    free_bytes: int
    total_bytes: int
    floor_bytes: int
    state_bytes: int | None


class System:
    """Use cases of operators and probes."""

    def __init__(
        self,
        *,
        store: Store,
        files: Files,
        tracker: Tracker,
        clock: Clock,
        metrics: Metrics,
        floor_bytes: int,
        count_databases: Callable[[], dict[str, int]],
    ) -> None:
        """Take the parts; *count_databases* gives the number of databases by state."""
        self._store, self._files, self._tracker, self._clock = store, files, tracker, clock
        self._metrics, self._floor, self._count_databases = metrics, floor_bytes, count_databases
        self._started_at, self._begin = clock.now(), clock.monotonic()
        self._state_bytes: int | None = None
        self._counted: int | None = None

    async def health(self) -> ServiceHealth:
        """Return how every component is."""
        counts, store = await self._look_at_store()
        free, total = await duty(_disk, self._files)
        components = [store, self._disk(free), self._databases()]
        engines = [self._engine(name) for name in self._tracker.engines]
        components += [self._component(name, engine.health()) for name, engine in self._tracker.engines.items()]
        if not engines:
            components.append(Component(name="engine", status=DOWN, detail="No engine is switched on."))
        worst = max((component.status for component in components), key=[OK, DEGRADED, DOWN].index)
        return ServiceHealth(
            status=worst,
            started_at=self._started_at,
            uptime_seconds=round(self._clock.monotonic() - self._begin, 1),
            components=components,
            engines=engines,
            queued=counts.get("queued", 0),
            running=counts.get("running", 0),
            free_bytes=free,
            total_bytes=total,
            floor_bytes=self._floor,
            state_bytes=self._state_bytes,
        )

    async def ready(self) -> list[Component]:
        """Return what is down and so keeps searches from being accepted, and what works with less; nothing: ready."""
        _, store = await self._look_at_store()
        parts = [store, self._disk((await duty(_disk, self._files))[0])]
        parts += [self._component(name, engine.health()) for name, engine in self._tracker.engines.items()]
        if not self._tracker.engines:
            parts.append(Component(name="engine", status=DOWN, detail="No engine is switched on."))
        return [part for part in parts if part.status != OK]

    def _component(self, name: str, health: EngineState) -> Component:
        """Return an engine as a component: down when it can't be asked, however many others there are."""
        return Component(
            name=f"engine {name}",
            status=DOWN if health.down else OK if health.ok else DEGRADED,
            detail=health.reason,
            since=health.since,
            age_seconds=self._age(health.proven_at),
        )

    def _age(self, at: datetime | None) -> float | None:
        return max(0.0, round((self._clock.now() - at).total_seconds(), 1)) if at is not None else None

    def gone(self) -> StoreGone | None:
        """Return the error of a state that was moved or removed beneath the service; None while it is in its place."""
        return self._store.place.gone()

    def metrics(self, accept: str) -> tuple[bytes, str]:
        """Return the metrics as text, and its media type."""
        return self._metrics.render(accept)

    async def measure(self) -> None:
        """Bring the gauges up to date that nobody else sets."""
        counts, _ = await self._look_at_store()
        for status, number in counts.items():
            self._metrics.jobs.labels(status=status).set(number)
        for state, number in self._count_databases().items():
            self._metrics.databases.labels(state=state).set(number)
        for name, engine in self._tracker.engines.items():
            self._measure_engine(name, engine)
        self._metrics.pollers.set(self._tracker.pollers)
        await self._count_events()
        self._metrics.disk_floor_bytes.set(self._floor)
        self._metrics.disk_free_bytes.set((await duty(_disk, self._files))[0])
        self._metrics.memory_bytes.set(await duty(_resident_bytes))

    async def weigh(self) -> None:
        """Add up the bytes of all files of the state, for the answers of the next minutes."""
        self._state_bytes = await offload(lambda: sum(size for _, size in walk(self._files.root)))

    def _measure_engine(self, name: str, engine: Engine) -> None:
        health = engine.health()
        self._metrics.engine_healthy.labels(engine=name).set(health.ok)
        if health.watch is not None:
            self._metrics.watch_healthy.labels(engine=name).set(health.watch)
        self._metrics.queue_length.labels(engine=name).set(len(engine.places()))
        if health.capacity.units is not None:
            self._metrics.running_units.labels(engine=name).set(health.capacity.units)

    async def _count_events(self) -> None:
        """Count the events since the last time; what was written before this start is not ours to count."""
        try:
            since = self._counted
            if since is None:
                last = await self._store.read(events.last_id)
                self._counted = last if self._counted is None else self._counted
                return
            kinds, last = await self._store.read(lambda db: events.kinds_after(db, since))
        except StoreBroken:
            return  # its component says so
        if self._counted != since:
            return  # somebody else, asking at the same time, has counted them
        self._counted = last
        for kind, number in kinds.items():
            self._metrics.events.labels(kind=kind).inc(number)

    async def _look_at_store(self) -> tuple[dict[str, int], Component]:
        try:
            counts = await self._store.read(lambda db: jobs.counts(db, None))
            await self._store.check()
        except StoreBroken as error:
            return {}, Component(name="store", status=DOWN, detail=str(error))
        if not await duty(os.access, self._files.root, os.W_OK):
            return counts, Component(name="store", status=DOWN, detail="The state folder can't be written.")
        return counts, Component(name="store", status=OK, age_seconds=0.0)

    def _disk(self, free: int) -> Component:
        if free >= max(self._floor, 1):
            return Component(name="disk", status=OK)
        text = f"{free:,} bytes are free, under the floor of {self._floor:,}: no new searches until there is room."
        if not free:
            text = "The disk is full: nothing can be written until there is room."
        return Component(name="disk", status=DOWN, detail=text)

    def _databases(self) -> Component:
        counts = self._count_databases()
        broken = counts.get("broken", 0)
        if broken:
            return Component(name="databases", status=DEGRADED, detail=f"{broken} broken; see /api/blast/databases.")
        if not counts.get("ready", 0):
            return Component(name="databases", status=DEGRADED, detail="There is no database; see databases.dirs.")
        return Component(name="databases", status=OK)

    def _engine(self, name: str) -> EngineHealth:
        health = self._tracker.engines[name].health()
        capacity = health.capacity
        return EngineHealth(
            name=name,
            status=self._component(name, health).status,
            detail=health.reason,
            slots=capacity.slots,
            slots_busy=capacity.slots_busy,
            running=capacity.jobs,
            age_seconds=self._age(health.proven_at),
            watches=[
                Component(
                    name=watch.name,
                    status=OK if watch.ok else DEGRADED,
                    detail=watch.reason,
                    age_seconds=self._age(watch.proven_at),
                )
                for watch in health.watches
            ],
        )


def versions(blast_version: str | None) -> dict[str, str | None]:
    """Return the versions of what works here, beside our own."""
    return {"blast_version": blast_version, "python": platform.python_version(), "sqlite": sqlite3.sqlite_version}


def _disk(files: Files) -> tuple[int, int]:
    """Return free and total bytes of the file system of the state, zeros when it has gone; blocking."""
    try:
        usage = shutil.disk_usage(files.root)
        return min(usage.free, files.free_bytes()), usage.total
    except FileNotFoundError:  # the component of the store says so
        return 0, 0


def _resident_bytes() -> int:
    """Return the resident memory of this process (Linux: proc(5), statm in pages)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
