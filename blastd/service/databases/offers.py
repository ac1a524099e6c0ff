"""What the configured sources offer, beside what is here; asked when somebody wants to know, and remembered for a minute."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import structlog

from blastd.aio import duty
from blastd.blastplus.blastdb import BlastDatabase
from blastd.clock import Clock
from blastd.config import DatabasesSettings, SourceSettings
from blastd.core.model import Frozen
from blastd.core.sources import Offer, newer
from blastd.errors import BlastdError, NotFound
from blastd.fetching.faults import Interrupted
from blastd.fetching.layouts import layout_of
from blastd.fetching.transport import opened
from blastd.service.databases import installed
from blastd.service.databases.catalogue import Databases
from blastd.service.databases.installed import Installed
from blastd.service.databases.orders import Listed
from blastd.store import dbhistory
from blastd.store.sqlite import Store

log = structlog.get_logger()

REMEMBER_SECONDS = 60.0
ASK_SECONDS = 30.0
"""Longest that a list of one source takes: NCBI's has 0.5 MB."""


class Offered(Frozen, frozen=True, kw_only=True):
    """An offer of a source, and the database here that came from it, if there is one."""

    source: str
    offer: Offer
    here: BlastDatabase | None = None
    installed: Installed | None = None

    @property
    def newer(self) -> bool:
        """Tell whether the source has a newer version than the one here."""
        return self.installed is not None and newer(self.offer.version, self.installed.version)


class ListedOffer(Frozen, frozen=True, kw_only=True):
    """A database of the catalogue with where it came from, and why its last update failed."""

    listed: Listed
    own: bool = False
    installed: Installed | None = None
    update_error: str | None = None


class Offers:
    """Asks sources."""

    def __init__(self, *, databases: Databases, store: Store, settings: DatabasesSettings, clock: Clock) -> None:
        """Take the parts; nobody is asked before somebody asks."""
        self._store = store
        self._databases, self._settings, self._clock = databases, settings, clock
        self.sources: Mapping[str, SourceSettings] = {source.name: source for source in settings.sources}
        self._known: dict[str, tuple[float, tuple[Offer, ...]]] = {}
        self._asking = {name: asyncio.Lock() for name in self.sources}

    def source(self, name: str) -> SourceSettings:
        """Return a source of the configuration. Raises NotFound."""
        if name not in self.sources:
            known = ", ".join(self.sources) or "none; see databases.sources"
            raise NotFound(f"There is no source {name[:60]!r}: there are {known}.")
        return self.sources[name]

    async def of(self, name: str, *, fresh: bool = False) -> tuple[Offer, ...]:
        """Return what a source offers. Raises NotFound, Interrupted, FetchFailed."""
        source = self.source(name)
        async with self._asking[name]:
            at, found = self._known.get(name, (float("-inf"), ()))
            if fresh or self._clock.monotonic() - at > REMEMBER_SECONDS:
                found = await self._ask(source)
                self._known[name] = self._clock.monotonic(), found
        return found

    async def _ask(self, source: SourceSettings) -> tuple[Offer, ...]:
        try:
            async with (
                asyncio.timeout(ASK_SECONDS),
                opened(source, self._settings.stall_seconds, self._settings.files_at_once) as transport,
            ):
                return tuple(await layout_of(transport, source).offers())
        except TimeoutError as error:
            raise Interrupted(
                f"The source {source.name} did not list its databases within {ASK_SECONDS:g} s."
            ) from error

    async def available(self, only: str = "", *, fresh: bool = False) -> tuple[list[Offered], list[str]]:
        """Return what all sources offer, or one, and why some could not be asked. Raises NotFound."""
        names = [self.source(only).name] if only else list(self.sources)
        found, problems = list[Offered](), list[str]()
        here = await self.here()

        async def ask(name: str) -> None:
            try:
                offers = await self.of(name, fresh=fresh)
            except BlastdError as error:
                problems.append(f"{name}: {error}")
                return
            found.extend(self._offered(name, offer, here) for offer in offers)

        async with asyncio.TaskGroup() as group:
            for name in names:
                group.create_task(ask(name), name=f"offers-{name}")
        return sorted(found, key=lambda one: (one.offer.name, one.offer.molecule, names.index(one.source))), problems

    def _offered(
        self, source: str, offer: Offer, here: Mapping[tuple[str, str, str], tuple[BlastDatabase, Installed]]
    ) -> Offered:
        database, record = here.get((source, offer.name, offer.molecule), (None, None))
        return Offered(source=source, offer=offer, here=database, installed=record)

    async def told(self, listed: Sequence[Listed]) -> list[ListedOffer]:
        """Return databases with what is known of where they came from."""
        own = [one for one in listed if self._databases.is_own(one.database)]
        homes = [self._databases.home(one.database) for one in own]
        records = await duty(lambda: [installed.read(home) for home in homes])
        failures = await self._store.read(dbhistory.failures) if own else {}
        known = {
            id(one): ListedOffer(
                listed=one, own=True, installed=record,
                update_error=failures.get((one.database.name, one.database.molecule)),
            )
            for one, record in zip(own, records, strict=True)
        }  # fmt: skip
        return [known.get(id(one), ListedOffer(listed=one)) for one in listed]

    async def here(self) -> dict[tuple[str, str, str], tuple[BlastDatabase, Installed]]:
        """Return the databases that were fetched, by source, name there and molecule."""
        return await duty(self._here, self._databases.own())

    def _here(
        self, own: list[tuple[BlastDatabase, Path]]
    ) -> dict[tuple[str, str, str], tuple[BlastDatabase, Installed]]:
        records = [(database, installed.read(folder)) for database, folder in own]
        return {
            (record.source, record.offer, record.molecule): (database, record) for database, record in records if record
        }
