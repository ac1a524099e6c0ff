"""Making a database from an uploaded FASTA file: accepted as a task, and carried out with makeblastdb."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from blastd.aio import duty, offload
from blastd.blastplus import makedb
from blastd.blastplus.makedb import BuildFailed, Made, Order, check_name
from blastd.blastplus.position import position
from blastd.blastplus.tools import Tools
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.core.ids import Owner
from blastd.core.program_table import WORDS
from blastd.core.schedule import Claim, Piece
from blastd.errors import BlastdError, Conflict, DatabaseBroken, DiskFull, Exhausted, Forbidden, Invalid
from blastd.service.access import Identity
from blastd.service.databases.carrying import Carried, Passing, TaskProgress
from blastd.service.databases.catalogue import Databases
from blastd.service.databases.input import AT_ONCE_BYTES, Examined, examine
from blastd.service.databases.orders import NewDatabase, drop_upload, examined, order_of
from blastd.store import dbtasks
from blastd.store.dbtasks import DatabaseTask
from blastd.store.files import Files
from blastd.store.sqlite import Store
from blastd.turns import Turns

BUILD_SECONDS = 6 * 3600.0
"""makeblastdb takes about a minute for 1 GB; this ends one that hangs."""
BYTES_PER_SECOND = 15_000_000
"""About what makeblastdb reads (2.12): a small file may use the express lane."""
LOOK_SECONDS = 0.5
MADE_SHARE = {"nucl": 0.4, "prot": 1.5}
"""Bytes of a database for one of its FASTA, at most of what was seen: 4 letters a byte, or one, and the titles and ids."""


def turn_of(task: DatabaseTask) -> tuple[Claim, Piece]:
    """Return what the making of a database asks for: one process, of which somebody comes back for the result."""
    claim = Claim(work_id=f"database-{task.task_id}", owner=task.owner, what="database")
    return claim, Piece(seconds=task.bytes_total / BYTES_PER_SECOND)


class Makings:
    """Accepts and carries out the making of databases."""

    def __init__(
        self, *, databases: Databases, tools: Tools, store: Store, files: Files, clock: Clock, chance: Chance,
        turns: Turns, floor: int
    ) -> None:  # fmt: skip
        """Take the parts; *floor* is the free space in bytes that stays."""
        self._databases, self._tools, self._store, self._files = databases, tools, store, files
        self._clock, self._chance, self._turns, self._floor = clock, chance, turns, floor

    async def order(
        self, who: Identity, wanted: NewDatabase, admit: Callable[[sqlite3.Connection, Owner, int], None]
    ) -> str:
        """Accept a making and return its task. *admit* refuses what is too much, within the transaction.

        Everybody may search what somebody made; only the maker, or an admin, may replace it.
        Raises Invalid, Conflict, Forbidden, and what *admit* raises.
        """
        await self._check(wanted)
        size = (await duty(wanted.upload.stat)).st_size
        small, seen = size <= AT_ONCE_BYTES, Examined()
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
            admit(db, who.owner, size)
            dbtasks.insert(db, task_id, who.owner, wanted.name, settings, now, seen.warnings, bytes_total=size)

        try:
            await self._store.write(write)
        except Exception:  # a write whose caller is cancelled may be stored all the same: then the sweep decides
            await duty(kept.unlink, missing_ok=True)
            raise
        return task_id

    async def _check(self, wanted: NewDatabase) -> None:
        """Raise Invalid for an order that can't be carried out, Conflict for a name that is taken."""
        faults = [] if wanted.molecule in ("nucl", "prot") else [("/molecule", "molecule is nucleotide or protein.")]
        try:
            check_name(wanted.name)
        except DatabaseBroken as error:
            faults.append(("/name", str(error)))
        if not wanted.upload.exists() or wanted.upload.stat().st_size == 0:
            faults.append(("/file", "The file is empty."))
        if faults:
            raise Invalid(faults)
        known = self._databases.held(wanted.name, wanted.molecule)
        if known is not None and not (wanted.replace and self._databases.is_own(known)):
            raise Conflict(
                f"There is a {WORDS[wanted.molecule]} database {wanted.name} already: choose another name, or ask to replace "
                "one of yours."
            )

    async def carry(self, task: DatabaseTask, progress: TaskProgress) -> Carried:
        """Scan what was too large to be scanned before, run makeblastdb, and put the database into its place."""
        order = order_of(task, self._files.tmp)
        await self._room(order)
        progress.begin("waiting")
        async with self._turns.turn(*turn_of(task)):
            progress.begin("checking")
            warnings = [*task.warnings, *(await examined(task, order))]
            progress.begin("making")
            try:
                made = await self._make(order, progress)
            except Exhausted as error:
                raise Passing(str(error), error.code) from error
        fingerprint = await self._databases.appeared(task.name, order.molecule) or made.database.fingerprint
        return Carried(
            fingerprint=fingerprint,
            warnings=tuple(dict.fromkeys((*warnings, *made.warnings))),
            history="replaced" if order.replace else "made",
        )

    async def _room(self, order: Order) -> None:
        """Raise DiskFull where the database would not fit above the floor, BuildFailed when its file is gone."""
        try:
            size = (await duty(order.fasta.stat)).st_size
        except OSError as error:
            raise BuildFailed("The uploaded file is gone: upload it again.") from error
        needed = int(size * MADE_SHARE[order.molecule])
        free = await duty(self._files.free_bytes)
        if self._floor and free - needed < self._floor:
            raise DiskFull(
                f"The database needs about {needed:,} bytes and {self._floor:,} must stay free, but {free:,} are: make room, "
                "or ask the operator to."
            )

    async def _make(self, order: Order, progress: TaskProgress) -> Made:
        reader: list[int] = []
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(order.fasta, reader, progress), name=f"watch-{order.task_id}")
            try:
                return await makedb.make(
                    order, self._files.databases, self._tools, BUILD_SECONDS, self._chance, reader.append,
                    self._databases.placing,
                )  # fmt: skip
            finally:
                watching.cancel()

    async def _watch(self, fasta: Path, reader: list[int], progress: TaskProgress) -> None:
        """Look how far makeblastdb has read, and stop it where the disk gets full. Raises DiskFull."""
        progress.bytes_total = (await duty(fasta.stat)).st_size
        while True:
            if reader and (at := await duty(position, reader[-1], fasta)) is not None:
                progress.bytes_done = max(progress.bytes_done, at)
            free = await duty(self._files.free_bytes)
            if free < self._floor // 2:
                raise DiskFull(
                    f"Free disk space ({free:,} bytes) sank far under the floor of {self._floor:,}: it was stopped."
                )
            await asyncio.sleep(LOOK_SECONDS)

    async def forget(self, task: DatabaseTask, error: BaseException | None) -> None:
        """Drop the upload, unless the making can be tried again with it."""
        again = isinstance(error, (asyncio.CancelledError, DiskFull)) or (
            error is not None and not isinstance(error, BlastdError)
        )
        if not again:
            await drop_upload(task, self._files.tmp)
