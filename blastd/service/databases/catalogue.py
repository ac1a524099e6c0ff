"""Databases as users see them: the catalogue in memory, and rescans.

The catalogue is looked through in the background and when asked; a search sees what the last look found, and pins it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec.structs import replace

from blastd.aio import duty, offload
from blastd.blastplus import blastdb, catalogue, entries, makedb, regular, taxonomy
from blastd.blastplus.blastdb import BlastDatabase, Scan
from blastd.blastplus.derived import Derived
from blastd.blastplus.folders import SeenDatabase
from blastd.blastplus.ids import Ids
from blastd.blastplus.organisms import Finder
from blastd.blastplus.regular import printed
from blastd.blastplus.tools import Tools
from blastd.clock import Clock, to_ms
from blastd.core.sources import TAXA, TAXDUMP
from blastd.errors import (
    Conflict,
    DatabaseBroken,
    Invalid,
    NotFound,
    ToolFailed,
)
from blastd.service.databases.orders import Listed, building
from blastd.store import dbtasks
from blastd.store.files import Files
from blastd.store.sqlite import Store

log = structlog.get_logger()

MOST_ACCESSIONS = 100
"""Of one query; more are better sent as FASTA."""
TAXONOMY = BlastDatabase(name=TAXDUMP, path="", molecule=TAXA)
"""Stands for a taxonomy that was fetched, which is in no catalogue."""
NJS_BYTES = 1 << 20
AGAIN_SECONDS = 5.0  # while the store can't be written


class Databases:
    """Use cases of databases."""

    def __init__(
        self,
        *,
        folders: Sequence[Path],
        taxonomy: Sequence[Path] = (),
        tools: Tools,
        store: Store,
        files: Files,
        clock: Clock,
        rescan_seconds: float,
    ) -> None:
        """Take the parts; nothing is read before `rescan`."""
        self.warm_on: Callable[[str], tuple[str, ...]] = lambda _fingerprint: ()
        self._folders, self._taxonomy = list(folders), list(taxonomy)
        self._tools, self._store, self._files, self._clock = tools, store, files, clock
        self._rescan_seconds = rescan_seconds
        self._scan = Scan()
        self._facts = files.root / "catalogue.json"
        self._facts_known: Scan | None = None
        self._lock, self.scanned = asyncio.Lock(), asyncio.Event()
        self._looked: list[asyncio.Event] = []
        self._taxids: dict[str, frozenset[int]] = {}
        self.derived = Derived()
        self.ids = Ids(files.root / "ids", tools, clock, self.derived)

    # ------------------------------------------------------------------ catalogue
    def current(self, name: str, molecule: str = "") -> BlastDatabase | None:
        """Return the database of this name as the last look found it, of *molecule* where there are two."""
        named = self._scan.named(name)
        return next((one for one in named if one.molecule == molecule), named[0] if named else None)

    async def fresh(self, name: str, molecule: str = "") -> BlastDatabase | None:
        """Return the same as it is now: one whose files, lists or taxonomy have changed since is looked at again."""
        known = self.current(name, molecule)
        if known is None or (known.state == "ready" and await duty(blastdb.unchanged, known)):
            return known
        async with self._lock:
            known = self.current(name, molecule)
            if known is None or (known.state == "ready" and await duty(blastdb.unchanged, known)):
                return known
            now = await self._looked_at(known)
            self._scan = replace(
                self._scan, databases=tuple(now if each is known else each for each in self._scan.databases)
            )
        return now

    async def _looked_at(self, known: BlastDatabase) -> BlastDatabase:
        found = SeenDatabase(name=known.name, path=known.path, molecule=known.molecule)
        return await blastdb.inspect(
            found, self._tools, known, Finder([*self._taxonomy, *self._folders], [known.taxonomy])
        )

    def looks(self) -> asyncio.Event:
        """Return what is set after each look through the folders, for one who keeps up with them and clears it."""
        looked = asyncio.Event()
        self._looked.append(looked)
        return looked

    def all(self) -> Sequence[BlastDatabase]:
        """Return all databases as the last look found them."""
        return self._scan.databases

    def names(self, molecule: str = "") -> list[str]:
        """Return the names of all databases that are ready, of *molecule* if it is given."""
        ready = [one for one in self._scan.databases if one.state == "ready" and molecule in ("", one.molecule)]
        return list(dict.fromkeys(one.name for one in ready))

    def count(self) -> dict[str, int]:
        """Return the number of databases by state."""
        states = [database.state for database in self._scan.databases]
        return {state: states.count(state) for state in ("ready", "broken")}

    async def listed(self) -> tuple[list[Listed], tuple[str, ...]]:
        """Return all databases and what could not be looked at; those in the making come as state `building`."""
        found = [
            Listed(database=database, warm_on=self.warm_on(database.fingerprint)) for database in self._scan.databases
        ]
        known = {(database.name, database.molecule) for database in self._scan.databases}
        making = [building(task) for task in (await self._store.read(dbtasks.unfinished)).tasks]
        found += [Listed(database=one) for one in making if (one.name, one.molecule) not in known]
        return found, self._scan.problems

    async def get(self, name: str, molecule: str = "") -> Listed:
        """Return one database. Raises NotFound; Conflict where there is one of each molecule and none is asked for."""
        named = [each for each in (await self.listed())[0] if each.database.name == name]
        found = [each for each in named if molecule in ("", each.database.molecule)]
        if not found:
            raise NotFound(f"There is no database {printed(name, 100)!r} here.")
        if len(found) > 1:
            raise Conflict(
                f"There are a nucleotide and a protein database {name}: say ?molecule=nucleotide or ?molecule=protein."
            )
        return found[0]

    async def recover(self) -> None:
        """Put right what a crash left half made, before anything is made again."""
        await offload(makedb.recover, self._files.databases)

    async def rescan(self) -> Scan:
        """Look through the folders now and return what is there."""
        async with self._lock:
            if self._facts_known is None:
                self._facts_known = await offload(catalogue.load, self._facts)
                self._scan = self._facts_known
            own = await duty(makedb.own_folders, self._files.databases)
            told = None if self.scanned.is_set() else self._first_seen
            self._scan = await blastdb.scan([*self._folders, *own], self._tools, self._scan, told, self._taxonomy)
            self.scanned.set()
            if self._scan != self._facts_known:
                self._facts_known = self._scan
                await offload(catalogue.save, self._facts, self._scan)
        for looked in self._looked:
            looked.set()
        return self._scan

    async def taxids(self, database: BlastDatabase) -> frozenset[int]:
        """Return the taxonomy ids that a database holds; asked of BLAST+ once for each content."""
        if database.fingerprint not in self._taxids:
            found = await blastdb.taxids(Path(database.path), database.molecule, self._tools)
            self._taxids[database.fingerprint] = frozenset(int(one) for one in found)
        return self._taxids[database.fingerprint]

    async def taxa_below(self, ids: Sequence[int], found: Sequence[BlastDatabase]) -> dict[int, frozenset[int]] | None:
        """Return each of *ids* with all that lies below it; None where no tree of taxa is installed. Raises ToolFailed.

        It lies where BLAST+ itself would look: beside a database that is searched, or in a folder of databases.
        """
        folders = [*(Path(database.path).parent for database in found), *self._folders]
        file = await duty(taxonomy.find, folders)
        return None if file is None else await duty(taxonomy.below, file, ids)

    def sweep_ids(self, used: set[str]) -> int:
        """Remove what is known of the ids of databases that are neither here nor of a job; blocking. Returns how many."""
        here = {database.fingerprint for database in self._scan.databases}
        return self.ids.sweep(used | here, to_ms(self._clock.now()) / 1000)

    async def fetch(self, names: Sequence[str], accessions: Sequence[str], molecule: str) -> tuple[str, list[str]]:
        """Return the sequences called *accessions* as FASTA, in that order, and those that no database holds.

        Only the databases *names* of this molecule are looked at, the first that holds one counts. Raises Invalid.
        """
        if len(accessions) > MOST_ACCESSIONS:
            raise Invalid([("/query", f"More than {MOST_ACCESSIONS} accessions: send the sequences themselves.")])
        found: dict[str, entries.Entry] = {}
        for name in names:
            database = self.current(name, molecule)
            left = [one for one in dict.fromkeys(accessions) if one not in found]
            if database is None or database.state != "ready" or database.molecule != molecule or not left:
                continue
            if database.has_ids:
                found |= await self._entries(database, left)
        lost = [one for one in accessions if one not in found]
        return "".join(found[one].fasta() for one in accessions if one in found), lost

    async def _entries(self, database: BlastDatabase, accessions: Sequence[str]) -> dict[str, entries.Entry]:
        try:
            return await entries.find(database, accessions, self._tools, self.temporary())
        except ToolFailed as error:
            raise Invalid([("/query", f"The accessions could not be looked up in {database.name}: {error}")]) from error

    def _first_seen(self, database: BlastDatabase) -> None:
        """Show a database that the first look has found, before that has ended."""
        rest = (
            each for each in self._scan.databases if (each.path, each.molecule) != (database.path, database.molecule)
        )
        self._scan = replace(self._scan, databases=(*rest, database))

    async def watch(self) -> None:
        """Look through the folders now, and again and again, until cancelled."""
        await self._try_rescan()
        while self._rescan_seconds > 0 or not self.scanned.is_set():
            await asyncio.sleep(self._rescan_seconds if self.scanned.is_set() else AGAIN_SECONDS)
            await self._try_rescan()
        await asyncio.Event().wait()

    async def _try_rescan(self) -> None:
        """Look through the folders; what fails is tried again at the next time."""
        try:
            await self.rescan()
        except Exception:  # the catalogue stays as it is: no folder stops the service
            log.exception("rescan_failed")

    # ------------------------------------------------------------------ what is made here
    def temporary(self) -> Path:
        """Return a name for an upload, on the file system of the state."""
        return self._files.temporary()

    def has_counts(self, name: str) -> bool:
        """Tell whether a database holds domains as deltablast needs them."""
        current = self.current(name, "prot")
        return current is not None and current.has_counts

    def held(self, name: str, molecule: str) -> BlastDatabase | None:
        """Return the database of exactly this name and molecule as the last look found it."""
        return next((each for each in self._scan.named(name) if each.molecule == molecule), None)

    def is_own(self, database: BlastDatabase) -> bool:
        """Tell whether the service made or fetched a database, so that it may replace, rename and remove it."""
        return bool(database.path) and Path(database.path).is_relative_to(self._files.databases)

    async def metadata(self, database: BlastDatabase) -> dict[str, Any] | None:
        """Return what the .njs file beside a database says (makeblastdb 2.13 and later, NCBI's own), None where none is."""
        return await duty(_metadata, Path(database.path)) if database.path else None

    def own(self) -> list[tuple[BlastDatabase, Path]]:
        """Return the databases that are the service's own, each with its folder."""
        found = [(one, self.home(one)) for one in self._scan.databases if self.is_own(one)]
        return [*found, (TAXONOMY, self.taxonomy_home)]

    @property
    def taxonomy_home(self) -> Path:
        """Return where a taxonomy that was fetched lies."""
        return self._files.databases / TAXDUMP

    def home(self, database: BlastDatabase) -> Path:
        """Return the folder of a database that is the service's own."""
        if database.molecule == TAXA:
            return self.taxonomy_home
        return self._files.databases / Path(database.path).relative_to(self._files.databases).parts[0]

    @asynccontextmanager
    async def placing(self) -> AsyncIterator[None]:
        """Hold off looks at the folders while a database takes the place of another."""
        async with self._lock:
            yield

    def vanished(self, database: BlastDatabase) -> None:
        """Take a database that was removed out of the catalogue, within `placing`."""
        self._scan = replace(self._scan, databases=tuple(each for each in self._scan.databases if each != database))

    async def appeared(self, name: str, molecule: str) -> str:
        """Look through the folders after a database took its place; returns its fingerprint, empty if it is not seen."""
        await self._try_rescan()
        current = self.held(name, molecule)
        return current.fingerprint if current is not None else ""


def _metadata(base: Path) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(regular.read(base.with_name(f"{base.name}.njs"), NJS_BYTES))
    except (DatabaseBroken, OSError, ValueError):  # msgspec's errors are ValueErrors
        return None
    return found if isinstance(found, dict) else None


__all__ = ["Databases", "Listed"]
