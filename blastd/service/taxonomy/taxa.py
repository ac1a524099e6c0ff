"""The taxonomy of this service: read once for each content, counted for each database, and asked while somebody types.

What there is follows the folders: a taxdump or a taxonomy file that is put there, replaced or taken away is noticed at the
next look through the databases. A search keeps the store that it was accepted with (`DatabaseRef.taxa`).
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import structlog
from msgspec.structs import replace

from blastd.aio import duty, offload
from blastd.blastplus import makedb
from blastd.blastplus.blastdb import BlastDatabase
from blastd.blastplus.regular import printed
from blastd.clock import Clock, to_ms
from blastd.core.model import DatabaseRef, Frozen
from blastd.core.taxa import Lineage, taxid_of
from blastd.errors import BlastdError, Invalid, ToolFailed, Unavailable
from blastd.service.databases.catalogue import Databases
from blastd.service.databases.scanning import settled
from blastd.taxonomy import counts, reading, sources
from blastd.taxonomy.counts import Counted
from blastd.taxonomy.reading import AboutTaxonomy
from blastd.taxonomy.shelf import Shelf
from blastd.taxonomy.sources import TaxonomySource

log = structlog.get_logger()

WAIT_SECONDS = 10.0
"""How long a request waits for taxa to be counted the first time."""
RETRY_SECONDS = 5
MOST_TRIES = 3
"""Of making a store from the same files: what ends badly each time is told, and begun again when they change."""
MOST_LETTERS = 500


class TaxonomyState(Frozen, frozen=True, kw_only=True):
    """Where the taxonomy stands: `none`, `building`, `ready` or `failed`; `progress` in 0..1, `reason` for a failure."""

    state: str
    progress: float = 0.0
    fingerprint: str = ""
    reason: str = ""
    about: AboutTaxonomy | None = None


class SuggestedTaxon(Frozen, frozen=True, kw_only=True):
    """A taxon for somebody who types: what the chosen databases hold of it, and what lies above it."""

    lineage: Lineage
    counted: Counted


class Suggested(Frozen, frozen=True, kw_only=True):
    """Taxa for what is typed. `names`: whether there is a taxonomy; without one only ids are known."""

    taxa: tuple[SuggestedTaxon, ...]
    names: bool


class Taxa:
    """Use cases of taxa."""

    def __init__(self, databases: Databases, shelf: Shelf, folders: Sequence[Path], own: Path, clock: Clock) -> None:
        """Look for NCBI's taxdump in *folders*, in their order, then in the folders of what was made or fetched in *own*."""
        self._databases, self._shelf, self._folders, self._clock = databases, shelf, list(folders), clock
        self._found: TaxonomySource | None = None
        self._own = own
        self._dump: TaxonomySource | None = None
        """The taxdump as the last look found it, and the one whose store serves."""
        self._failed: dict[str, tuple[int, str]] = {}
        self._sound: set[str] = set()
        self._looked, self._scanned = asyncio.Event(), databases.looks()

    # ------------------------------------------------------------------ keeping up with the folders
    async def run(self) -> None:
        """Make what is not there after each look through the databases, until cancelled."""
        while True:
            await self._scanned.wait()
            self._scanned.clear()
            try:
                await self._keep_up()
            except Exception:  # the next look tries again: no taxonomy stops the service
                log.exception("taxonomy_not_looked_at")
            self._looked.set()

    async def notice(self) -> None:
        """See what taxdump there is now, as a look through the databases does, too."""
        folders = [*self._folders, *await duty(makedb.own_folders, self._own)]
        self._found = await offload(sources.find_dump, folders, self._found)
        if self._found is None:
            self._dump = None
        elif self._dump is None and await self._is_made(self._found):
            self._dump = self._found
        self._looked.set()

    async def _keep_up(self) -> None:
        await self.notice()
        if self._found is not None and await self._make(self._found):
            self._dump = self._found  # until it is made the one before serves
        ready = [one for one in self._databases.all() if one.state == "ready" and one.has_taxonomy]
        for source in {each.fingerprint: each for one in ready if (each := self._source(one)) is not None}.values():
            await self._make(source)
        for database in ready:
            store = await self.store_of(database)
            try:
                while not await self._shelf.census(database, store, WAIT_SECONDS):
                    pass
            except ToolFailed as error:
                log.warning("taxa_not_counted", database=database.name, reason=str(error))

    async def _is_made(self, source: TaxonomySource) -> bool:
        return await duty(self._shelf.store_path(source.fingerprint).exists)

    async def _make(self, source: TaxonomySource) -> bool:
        """Have the store of *source* made, unless that ended badly some times; tells whether it is there."""
        tries, _ = self._failed.get(source.fingerprint, (0, ""))
        if tries >= MOST_TRIES:
            return False
        try:
            while not await self._shelf.store(source, WAIT_SECONDS):
                pass
            await self._check(source.fingerprint)
        except ToolFailed as error:
            self._failed[source.fingerprint] = tries + 1, printed(str(error), MOST_LETTERS)
            log.warning("taxonomy_not_read", reason=str(error), tries=tries + 1)
            return False
        return True

    async def _check(self, fingerprint: str) -> None:
        """Forget a store that a crash of the machine left damaged: it is made again. Raises ToolFailed."""
        if fingerprint in self._sound:
            return
        path = self._shelf.store_path(fingerprint)
        try:
            await duty(reading.about, path)
        except ToolFailed:
            await duty(path.unlink, missing_ok=True)
            raise
        self._sound.add(fingerprint)

    def _source(self, database: BlastDatabase) -> TaxonomySource | None:
        """Return what the taxonomy of a database is read from: the taxdump of this machine, else what lies beside it."""
        return self._dump if self._dump is not None else sources.of_blast(database.taxonomy)

    def store_path(self, fingerprint: str) -> Path:
        """Return the store of this fingerprint."""
        return self._shelf.store_path(fingerprint)

    async def store_of(self, database: BlastDatabase) -> str:
        """Return the fingerprint of the store for a database; empty while there is none."""
        source = self._source(database)
        return source.fingerprint if source is not None and await self._is_made(source) else ""

    async def store_among(self, databases: Sequence[BlastDatabase]) -> str:
        """Return the first store that one of *databases* has; empty if none has."""
        for database in databases:
            if store := await self.store_of(database):
                return store
        return ""

    def sweep(self, used: set[str]) -> int:
        """Remove what neither a database here nor a search in *used* needs; blocking. Returns how many files."""
        here = [one for one in self._databases.all() if one.fingerprint]
        needed = {one.fingerprint for one in here} | {one.taxonomy.fingerprint for one in here}
        needed |= {source.fingerprint for source in (self._found, self._dump) if source is not None}
        return self._shelf.sweep((used | needed) - {""}, to_ms(self._clock.now()) / 1000)

    async def state(self) -> TaxonomyState:
        """Return where the taxonomy stands."""
        await self._settled()
        source = self._found or next((each for one in self._databases.all() if (each := self._source(one))), None)
        if source is None:
            return TaxonomyState(state="none")
        tries, reason = self._failed.get(source.fingerprint, (0, ""))
        path = self._shelf.store_path(source.fingerprint)
        blank = TaxonomyState(state="building", fingerprint=source.fingerprint)
        if await duty(path.exists):
            return replace(blank, state="ready", progress=1.0, about=await duty(reading.about, path))
        if tries >= MOST_TRIES:
            return replace(blank, state="failed", reason=reason)
        return replace(blank, progress=await duty(self._shelf.progress, source.fingerprint), reason=reason)

    async def _settled(self) -> None:
        """Wait for the first look at the folders, a while. Raises Unavailable."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._looked.wait()
        except TimeoutError as error:
            raise Unavailable(
                "The service has just started and is still looking for its taxonomy: ask again in a moment.",
                retry_after_seconds=RETRY_SECONDS,
            ) from error

    # ------------------------------------------------------------------ what databases hold
    async def counted(self, found: Sequence[BlastDatabase]) -> list[Path]:
        """Return the censuses of databases. Raises Unavailable while one is made the first time, ToolFailed."""
        paths = []
        for database in found:
            store = await self.store_of(database)
            if not store:
                await self._no_store(database)
            if not await self._shelf.census(database, store, WAIT_SECONDS):
                raise Unavailable(
                    f"The taxa of {database.name} are being counted, once for its present content: ask again in a moment.",
                    retry_after_seconds=RETRY_SECONDS,
                )
            paths.append(self._shelf.census_path(database, store))
        return paths

    async def _no_store(self, database: BlastDatabase) -> None:
        """Raise Unavailable while the store for a database is being made; where there is none only ids are known."""
        source = self._found or self._source(database)
        if source is not None and self._failed.get(source.fingerprint, (0, ""))[0] < MOST_TRIES:
            done = await duty(self._shelf.progress, source.fingerprint)
            raise Unavailable(
                f"The taxonomy is being read, once for its present content ({done:.0%} done): ask again in a moment.",
                retry_after_seconds=RETRY_SECONDS,
            )

    async def suggest(self, text: str, names: Sequence[str], molecule: str, limit: int) -> Suggested:
        """Return taxa that begin as typed and that the databases *names* hold. Raises Invalid, Unavailable, ToolFailed."""
        await settled(self._databases, names)
        found, faults = list[BlastDatabase](), list[tuple[str, str]]()
        for name in dict.fromkeys(names):
            database = self._databases.current(name, molecule)
            if database is None or database.state != "ready":
                faults.append(("/database", f"There is no database {name[:100]!r} that is ready."))
            elif database.has_taxonomy:
                found.append(database)
        if faults:
            raise Invalid(faults)
        await self._settled()
        store = await self.store_among(found)
        path = self._shelf.store_path(store) if store else None
        taxa = await duty(suggested, text, await self.counted(found), path, limit)
        return Suggested(taxa=taxa, names=path is not None)

    # ------------------------------------------------------------------ what results say
    async def store_for(self, refs: Sequence[DatabaseRef]) -> Path | None:
        """Return the store that a search was accepted with, else the present one of its databases; None: there is none."""
        for its_own in [self._shelf.store_path(ref.taxa) for ref in refs if ref.taxa]:
            if await duty(its_own.exists):
                return its_own
        await self._settled()
        for ref in refs:
            current = self._databases.current(ref.name, ref.molecule)
            store = await self.store_of(current) if current is not None else ""
            if store:
                return self._shelf.store_path(store)
        if self._dump is not None and await self._is_made(self._dump):
            return self._shelf.store_path(self._dump.fingerprint)
        return None

    async def lineages(self, refs: Sequence[DatabaseRef], ids: Sequence[int]) -> Mapping[int, Lineage]:
        """Return what is known of *ids*; nothing where there is no taxonomy, or where it can't be read now."""
        if not ids:
            return {}
        try:
            path = await self.store_for(refs)
            return await duty(reading.lineages, path, ids) if path is not None else {}
        except BlastdError as error:
            log.warning("taxonomy_not_read", reason=str(error))
            return {}


def suggested(text: str, censuses: Sequence[Path], store: Path | None, limit: int) -> tuple[SuggestedTaxon, ...]:
    """Return the taxa that begin as typed, of all *censuses* together; blocking. Raises ToolFailed."""
    with ExitStack() as stack:
        held = [stack.enter_context(counts.census(path)) for path in censuses]
        taxa = stack.enter_context(reading.store(store)) if store is not None else None
        taxid = taxid_of(text)
        if taxid is not None:
            now = (taxa.present(taxid) if taxa is not None else None) or taxid
            candidates = {now: Counted(taxid=now, sequences=0, held=0, exact=True)}
        else:
            candidates = {}
            for each in (found for one in held for found in one.begin_so(text, limit)):
                known = candidates.get(each.taxid)
                if known is None or (each.exact, not each.inner) > (known.exact, not known.inner):
                    candidates[each.taxid] = each
        together = [_together(each, [one.count(each.taxid) for one in held]) for each in candidates.values()]
        best = sorted((each for each in together if each.sequences), key=counts.order)[:limit]
        lineages = taxa.lineages(each.taxid for each in best) if taxa is not None else {}
        blank = counts.unnamed
        return tuple(
            SuggestedTaxon(lineage=lineages.get(each.taxid) or blank(each.taxid), counted=each) for each in best
        )


def _together(found: Counted, parts: Sequence[Counted | None]) -> Counted:
    """Return *found* with what all databases hold of it."""
    there = [part for part in parts if part is not None]
    return replace(
        found, sequences=sum(part.sequences for part in there), held=max((part.held for part in there), default=0)
    )
