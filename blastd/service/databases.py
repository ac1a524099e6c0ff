"""Databases as users see them: the catalogue in memory, rescans, making one from a FASTA file, warming.

The catalogue is looked through in the background and when asked; a search sees what the last look found, and pins it.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from blastd.aio import duty, offload
from blastd.blastplus import blastdb, entries, makedb, taxonomy
from blastd.blastplus.blastdb import Database, Scan
from blastd.blastplus.makedb import BuildFailed, Order, check_name
from blastd.blastplus.tools import Tools
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.core.model import Frozen, Warned
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
from blastd.service.making import AT_ONCE_BYTES, Examined, examine, together
from blastd.store import dbtasks
from blastd.store.dbtasks import DatabaseTask
from blastd.store.files import Files
from blastd.store.sqlite import Database as Store

log = structlog.get_logger()

BUILD_SECONDS = 6 * 3600.0
"""makeblastdb takes about a minute for 1 GB; this ends one that hangs."""
MOST_ACCESSIONS = 100
"""Of one query; more are better sent as FASTA."""
PROGRESS_SECONDS = 1.0
AGAIN_SECONDS = 5.0  # while the store can't be written
BYTES_PER_SECOND = 15_000_000
"""How fast makeblastdb reads, to guess how far it is: it says nothing itself. Measured with 2.12; never shown."""


class Listed(Frozen, frozen=True, kw_only=True):
    """A database as the catalogue shows it; `warm_on` are nodes that hold it complete."""

    database: Database
    warm_on: tuple[str, ...] = ()


class NewDatabase(Frozen, frozen=True, kw_only=True):
    """A database to be made; `upload` holds plain FASTA and becomes ours."""

    name: str
    upload: Path
    title: str = ""
    molecule: str = ""
    parse_seqids: bool = True
    replace: bool = False
    molecule_check: bool = True


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
        self._scan = Scan(databases={})
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._taxids: dict[str, frozenset[int]] = {}
        self._ids: dict[str, frozenset[str]] = {}

    # ------------------------------------------------------------------ catalogue
    def current(self, name: str) -> Database | None:
        """Return the database of this name as the last look found it."""
        return self._scan.databases.get(name)

    def names(self) -> list[str]:
        """Return the names of all databases that are ready."""
        return [name for name, database in self._scan.databases.items() if database.state == "ready"]

    def count(self) -> dict[str, int]:
        """Return the number of databases by state."""
        states = [database.state for database in self._scan.databases.values()]
        return {state: states.count(state) for state in ("ready", "broken")}

    async def listed(self) -> tuple[list[Listed], tuple[str, ...]]:
        """Return all databases and what could not be looked at; those in the making come as state `building`."""
        found = [
            Listed(database=database, warm_on=self.warm_on(database.fingerprint))
            for database in self._scan.databases.values()
        ]
        making = await self._store.read(dbtasks.unfinished)
        found += [Listed(database=_building(task)) for task in making if task.name not in self._scan.databases]
        return found, self._scan.problems

    async def get(self, name: str) -> Listed:
        """Return one database. Raises NotFound."""
        found = next((one for one in (await self.listed())[0] if one.database.name == name), None)
        if found is None:
            raise NotFound(f"There is no database {name[:100]!r} here.")
        return found

    async def recover(self) -> None:
        """Put right what a crash left half made, before anything is made again."""
        await offload(makedb.recover, self._files.databases)

    async def rescan(self) -> Scan:
        """Look through the folders now and return what is there."""
        async with self._lock:
            own = await duty(_own_folders, self._files.databases)
            self._scan = await blastdb.scan([*self._folders, *own], self._tools, self._scan)
        return self._scan

    async def taxids(self, database: Database) -> frozenset[int]:
        """Return the taxonomy ids that a database holds; asked of BLAST+ once for each content."""
        if database.fingerprint not in self._taxids:
            found = await blastdb.taxids(Path(database.path), database.molecule, self._tools)
            self._taxids[database.fingerprint] = frozenset(int(one) for one in found)
        return self._taxids[database.fingerprint]

    async def taxa_below(self, ids: Sequence[int], found: Sequence[Database]) -> dict[int, frozenset[int]] | None:
        """Return each of *ids* with all that lies below it; None where no tree of taxa is installed. Raises ToolFailed.

        It lies where BLAST+ itself would look: beside a database that is searched, or in a folder of databases.
        """
        folders = [*(Path(database.path).parent for database in found), *self._folders]
        file = await duty(taxonomy.find, folders)
        return None if file is None else await duty(taxonomy.below, file, ids)

    async def sequence_ids(self, database: Database) -> frozenset[str]:
        """Return the ids of all sequences; asked of BLAST+ once for each content."""
        if database.fingerprint not in self._ids:
            found = await blastdb.sequence_ids(Path(database.path), database.molecule, self._tools)
            self._ids = {database.fingerprint: frozenset(found)} | dict(list(self._ids.items())[-3:])
        return self._ids[database.fingerprint]

    async def fetch(self, names: Sequence[str], accessions: Sequence[str], molecule: str) -> tuple[str, list[str]]:
        """Return the sequences called *accessions* as FASTA, in that order, and those that no database holds.

        Only the databases *names* of this molecule are looked at, the first that holds one counts. Raises Invalid.
        """
        if len(accessions) > MOST_ACCESSIONS:
            raise Invalid([("/query", f"More than {MOST_ACCESSIONS} accessions: send the sequences themselves.")])
        found: dict[str, entries.Entry] = {}
        for name in names:
            database = self.current(name)
            left = [one for one in dict.fromkeys(accessions) if one not in found]
            if database is None or database.state != "ready" or database.molecule != molecule or not left:
                continue
            if database.has_ids:
                found |= await self._entries(database, left)
        lost = [one for one in accessions if one not in found]
        return "".join(found[one].fasta() for one in accessions if one in found), lost

    async def _entries(self, database: Database, accessions: Sequence[str]) -> dict[str, entries.Entry]:
        try:
            return await entries.find(database, accessions, self._tools, self.temporary())
        except ToolFailed as error:
            raise Invalid([("/query", f"The accessions could not be looked up in {database.name}: {error}")]) from error

    async def watch(self) -> None:
        """Look through the folders again and again, until cancelled."""
        while self._rescan_seconds > 0:
            await asyncio.sleep(self._rescan_seconds)
            try:
                await self.rescan()
            except (BlastdError, OSError) as error:
                log.warning("rescan_failed", reason=str(error))
        await asyncio.Event().wait()

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
        known = self.current(wanted.name)
        if known is not None and not (wanted.replace and Path(known.path).is_relative_to(self._files.databases)):
            raise Conflict(
                f"There is a database {wanted.name} already: choose another name, or ask to replace one of yours."
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
            before = dbtasks.maker(db, wanted.name)
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
                for task in await self._store.read(dbtasks.unfinished):
                    await self._build(task)
            except StoreBroken as error:  # the task is still there, and is begun again
                log.warning("database_tasks_wait", reason=str(error))
                await self._clock.wait(self._wake, AGAIN_SECONDS)
                continue
            await self._wake.wait()

    async def _build(self, task: DatabaseTask) -> None:
        settings: Mapping[str, Any] = task.settings
        fasta = self._files.tmp / str(settings["fasta"])
        order = Order(
            fasta=fasta,
            name=task.name,
            title=str(settings["title"]),
            molecule=str(settings["molecule"]),
            parse_seqids=bool(settings["parse_seqids"]),
            replace=bool(settings["replace"]),
            task_id=task.task_id,
        )
        failed: BaseException | None = None
        warnings = list(task.warnings)
        try:
            if not settings.get("examined"):
                warnings += await self._examined(order, molecule_check=bool(settings.get("molecule_check", True)))
            async with asyncio.TaskGroup() as group:
                progress = group.create_task(self._progress(task, fasta), name=f"progress-{task.task_id}")
                try:
                    made = await makedb.make(order, self._files.databases, self._tools, BUILD_SECONDS, self._chance)
                finally:
                    progress.cancel()
        except* (BlastdError, OSError) as errors:
            failed = _first(errors)
        if failed is not None:
            code = failed.code if isinstance(failed, BlastdError) else BuildFailed.code
            await self._end(task, fasta, warnings, error_code=code, error=str(failed))
            log.info("database_not_made", name=task.name, code=code)
            return
        await self.rescan()
        current = self.current(task.name)
        found = current if current is not None else made.database
        await self._end(task, fasta, [*warnings, *made.warnings], fingerprint=found.fingerprint)
        log.info("database_made", name=task.name, sequences=found.sequences, warnings=len(warnings))

    async def _examined(self, order: Order, *, molecule_check: bool) -> tuple[Warned, ...]:
        """Return the warnings of a file that was too large to be looked at before it was accepted. Raises BuildFailed."""
        seen = await offload(examine, order.fasta, order.molecule, molecule_check=molecule_check)
        if seen.faults:
            raise BuildFailed(together(seen.faults))
        return seen.warnings

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

    async def _end(self, task: DatabaseTask, fasta: Path, warnings: Sequence[Warned], **result: str) -> None:
        now: datetime = self._clock.now()
        once = tuple(dict.fromkeys(warnings))
        await self._store.write(lambda db: dbtasks.end(db, task.task_id, now, warnings=once, **result))
        await duty(fasta.unlink, missing_ok=True)


def _own_folders(root: Path) -> list[Path]:
    """Return the folders of databases that were made here: one each, so that their names have no folder in them."""
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first plain exception of a group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _building(task: DatabaseTask) -> Database:
    return Database(
        name=task.name,
        path="",
        title=str(task.settings.get("title", "")),
        molecule=str(task.settings.get("molecule", "")),
        state="building",
        reason=f"being made, {task.progress:.0%} done",
    )


__all__ = ["DatabaseTask", "Databases", "Listed", "NewDatabase"]
