"""Databases as users see them: the catalogue in memory, rescans, making one from a FASTA file, warming.

The catalogue is looked through in the background and when asked; a search sees what the last look found, and pins it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog
from msgspec.structs import replace

from blastd.aio import duty, offload
from blastd.blastplus import blastdb, catalogue, entries, makedb, taxonomy
from blastd.blastplus.blastdb import BlastDatabase, Scan
from blastd.blastplus.folders import SeenDatabase
from blastd.blastplus.ids import Ids
from blastd.blastplus.makedb import BuildFailed, Made, Order, check_name
from blastd.blastplus.organisms import Finder
from blastd.blastplus.regular import printed
from blastd.blastplus.tools import Tools
from blastd.chance import Chance
from blastd.clock import Clock, to_ms
from blastd.core.model import Warned
from blastd.core.program_table import WORDS
from blastd.errors import (
    BlastdError,
    Conflict,
    DatabaseBroken,
    DiskFull,
    Forbidden,
    Invalid,
    NotFound,
    StoreBroken,
    ToolFailed,
)
from blastd.service.access import Identity
from blastd.service.databases.input import AT_ONCE_BYTES, Examined, examine
from blastd.service.databases.orders import Listed, NewDatabase, building, drop_upload, examined, first_of_all, order_of
from blastd.store import dbtasks
from blastd.store.dbtasks import DatabaseTask
from blastd.store.files import Files
from blastd.store.sqlite import Store

log = structlog.get_logger()

BUILD_SECONDS = 6 * 3600.0
"""makeblastdb takes about a minute for 1 GB; this ends one that hangs."""
MOST_ACCESSIONS = 100
"""Of one query; more are better sent as FASTA."""
MOST_LETTERS = 2000
"""Of a cause."""
MOST_ATTEMPTS = 5
"""Starts of a making that never ended: what stops the service each time must not stop it for ever."""
PROGRESS_SECONDS = 1.0
AGAIN_SECONDS = 5.0  # while the store can't be written
BYTES_PER_SECOND = 15_000_000
"""How fast makeblastdb reads, to guess how far it is: it says nothing itself. Measured with 2.12; never shown."""


class Databases:
    """Use cases of databases."""

    def __init__(
        self,
        *,
        folders: Sequence[Path],
        tools: Tools,
        store: Store,
        files: Files,
        clock: Clock,
        chance: Chance,
        rescan_seconds: float,
        floor_bytes: int,
    ) -> None:
        """Take the parts; nothing is read before `rescan`."""
        self.warm_on: Callable[[str], tuple[str, ...]] = lambda _fingerprint: ()
        self._folders = list(folders)
        self._tools, self._store, self._files, self._clock = tools, store, files, clock
        self._chance = chance
        self._rescan_seconds, self._floor = rescan_seconds, floor_bytes
        self._scan = Scan()
        self._facts = files.root / "catalogue.json"
        self._facts_known: Scan | None = None
        self._lock, self._wake, self.scanned = asyncio.Lock(), asyncio.Event(), asyncio.Event()
        self._taxids: dict[str, frozenset[int]] = {}
        self.ids = Ids(files.root / "ids", tools, clock)

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
        return await blastdb.inspect(found, self._tools, known, Finder(self._folders, [known.taxonomy]))

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
            self._scan = await blastdb.scan([*self._folders, *own], self._tools, self._scan, told)
            self.scanned.set()
            if self._scan != self._facts_known:
                self._facts_known = self._scan
                await offload(catalogue.save, self._facts, self._scan)
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

    # ------------------------------------------------------------------ making one
    def temporary(self) -> Path:
        """Return a name for an upload, on the file system of the state."""
        return self._files.temporary()

    def admit(self) -> None:
        """Refuse early, before a body is read. Raises DiskFull."""
        free = self._files.free_bytes()
        if free < self._floor:
            raise DiskFull(f"Free disk space ({free:,} bytes) is under the floor of {self._floor:,}.")

    async def make(self, who: Identity, wanted: NewDatabase) -> DatabaseTask:
        """Accept the making of a database as a task that is tracked. Raises Invalid, Conflict, Forbidden.

        Everybody may search what somebody made; only the maker, or an admin, may replace it.
        """
        faults = [] if wanted.molecule in ("nucl", "prot") else [("/molecule", "molecule is nucleotide or protein.")]
        try:
            check_name(wanted.name)
        except DatabaseBroken as error:
            faults.append(("/name", str(error)))
        if not wanted.upload.exists() or wanted.upload.stat().st_size == 0:
            faults.append(("/file", "The file is empty."))
        if faults:
            raise Invalid(faults)
        known = next((each for each in self._scan.named(wanted.name) if each.molecule == wanted.molecule), None)
        if known is not None and not (wanted.replace and Path(known.path).is_relative_to(self._files.databases)):
            raise Conflict(
                f"There is a {WORDS[wanted.molecule]} database {wanted.name} already: choose another name, or ask to replace "
                "one of yours."
            )
        small = (await duty(wanted.upload.stat)).st_size <= AT_ONCE_BYTES
        seen = Examined()
        if small:
            seen = await offload(examine, wanted.upload, wanted.molecule, molecule_check=wanted.molecule_check)
            if seen.faults:
                raise Invalid([("/file", text) for text in seen.faults])
        task_id, now = self._chance.uuid().hex, self._clock.now()
        kept = self._files.temporary()  # a name of this process until the row owns it: no sweep takes it in between
        await duty(wanted.upload.rename, kept)
        settings: dict[str, Any] = {
            "fasta": kept.name, "title": wanted.title, "molecule": wanted.molecule,
            "parse_seqids": wanted.parse_seqids, "replace": wanted.replace,
            "molecule_check": wanted.molecule_check, "examined": small,
        }  # fmt: skip

        def write(db: sqlite3.Connection) -> None:
            before = dbtasks.maker(db, wanted.name, wanted.molecule)
            if before is not None and before != who.owner and not who.admin:
                raise Forbidden(f"The database {wanted.name} is somebody else's: choose another name, or ask an admin.")
            dbtasks.insert(db, task_id, who.owner, wanted.name, settings, now, seen.warnings)

        try:
            await self._store.write(write)
        except Exception:  # a write whose caller is cancelled may be stored all the same: then the sweep decides
            await duty(kept.unlink, missing_ok=True)
            raise
        self._wake.set()
        return await self.task(who, task_id)

    async def remove(self, who: Identity, name: str, molecule: str = "") -> BlastDatabase:
        """Remove a database that was made here; searches keep what they pinned. Raises NotFound, Conflict, Forbidden."""
        database = (await self.get(name, molecule)).database
        if database.state == "building" or not Path(database.path).is_relative_to(self._files.databases):
            raise Conflict(f"The database {name} was not made here, or is being made: it can't be removed here.")
        maker = await self._store.read(lambda db: dbtasks.maker(db, name, database.molecule))
        if maker != who.owner and not who.admin:
            raise Forbidden(f"The database {name} is somebody else's: ask its maker or an admin.")
        async with self._lock:
            await offload(makedb.remove, Path(database.path).parent, self._chance)
            self._scan = replace(self._scan, databases=tuple(each for each in self._scan.databases if each != database))
        await self._try_rescan()
        return database

    async def task(self, who: Identity, task_id: str) -> DatabaseTask:
        """Return a task of *who*. Raises NotFound."""
        found = await self._store.read(lambda db: dbtasks.get(db, task_id))
        if found is None or (not who.admin and found.owner != who.owner):
            raise NotFound("There is no such task.")
        return found

    async def tasks(self, who: Identity) -> list[DatabaseTask]:
        """Return the newest tasks that *who* sees."""
        return [task for task in await self._store.read(dbtasks.page) if who.admin or task.owner == who.owner]

    async def build(self) -> None:
        """Make what was ordered, one after the other, until cancelled; unfinished ones are begun again at a start."""
        while True:
            self._wake.clear()
            try:
                unfinished = await self._store.read(dbtasks.unfinished)
                for task_id in unfinished.unreadable:
                    text = "The order can't be read: it was not written whole."
                    await self._end(task_id, (), error_code=BuildFailed.code, error=text)
                for task in unfinished.tasks:
                    await self._build(task)
            except StoreBroken as error:  # the task is still there, and is begun again
                log.warning("database_tasks_wait", reason=str(error))
                await self._clock.wait(self._wake, AGAIN_SECONDS)
                continue
            await self._wake.wait()

    async def _build(self, task: DatabaseTask) -> None:
        """Make one database and end its task, whatever comes of it. Raises StoreBroken when that can't be written."""
        if task.attempts >= MOST_ATTEMPTS:
            text = (
                f"The making was begun {task.attempts} times and never came to an end: the service stopped each time."
            )
            await self._end(task.task_id, task.warnings, error_code=BuildFailed.code, error=text)
            await drop_upload(task, self._files.tmp)
            return
        now = self._clock.now()
        await self._store.write(lambda db: dbtasks.begin(db, task.task_id, now))
        failed: BaseException | None = None
        warnings, fingerprint = list(task.warnings), ""
        try:
            order = order_of(task, self._files.tmp)
            warnings += await examined(task, order)
            made, fingerprint = await self._make(task, order)
            warnings += made.warnings
        except* Exception as errors:  # noqa: BLE001  # one order never ends the making of the others
            failed = first_of_all(errors)
        if failed is None:
            await self._end(task.task_id, warnings, fingerprint=fingerprint)
            log.info("database_made", name=task.name, warnings=len(warnings))
        else:
            known = isinstance(failed, (BlastdError, OSError))
            if not known:
                log.error("database_task_failed", task_id=task.task_id, exc_info=failed)
            text = str(failed) if known else f"The database could not be made: {type(failed).__name__}: {failed}"
            code = failed.code if isinstance(failed, BlastdError) else BuildFailed.code
            await self._end(task.task_id, warnings, error_code=code, error=printed(text, MOST_LETTERS))
            log.info("database_not_made", name=task.name, code=code)
        await drop_upload(task, self._files.tmp)

    async def _make(self, task: DatabaseTask, order: Order) -> tuple[Made, str]:
        """Make the database of *task* and return what makeblastdb said, and its fingerprint in the catalogue."""
        async with asyncio.TaskGroup() as group:
            progress = group.create_task(self._progress(task, order.fasta), name=f"progress-{task.task_id}")
            try:
                made = await makedb.make(order, self._files.databases, self._tools, BUILD_SECONDS, self._chance)
            finally:
                progress.cancel()
        await self._try_rescan()
        current = self.current(task.name, order.molecule)
        return made, (current.fingerprint if current is not None else "") or made.database.fingerprint

    async def _end(self, task_id: str, warnings: Sequence[Warned], **result: str) -> None:
        now, once = self._clock.now(), tuple(dict.fromkeys(warnings))
        await self._store.write(lambda db: dbtasks.end(db, task_id, now, warnings=once, **result))

    async def _progress(self, task: DatabaseTask, fasta: Path) -> None:
        begin = self._clock.monotonic()
        try:
            expected = max((await duty(fasta.stat)).st_size / BYTES_PER_SECOND, 1.0)
        except OSError:
            return
        while True:
            share = min(0.95, (self._clock.monotonic() - begin) / expected)
            now = self._clock.now()
            with suppress(StoreBroken):  # a full disk stops makeblastdb itself, and a lock is gone at the next turn
                await self._store.write(lambda db, share=share, now=now: dbtasks.progress(db, task.task_id, share, now))  # type: ignore[misc]  # a lambda with defaults
            await asyncio.sleep(PROGRESS_SECONDS)


__all__ = ["DatabaseTask", "Databases", "Listed", "NewDatabase"]
