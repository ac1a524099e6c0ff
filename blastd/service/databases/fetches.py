"""Fetching databases from sources, and bringing them up to date: ordered as tasks, by whoever may, or by the clock."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from blastd.aio import duty, labour, offload
from blastd.blastplus import blastdb, makedb, naming
from blastd.blastplus.blastdb import BlastDatabase
from blastd.blastplus.folders import SeenDatabase
from blastd.blastplus.makedb import Order, check_name
from blastd.blastplus.organisms import Finder
from blastd.blastplus.tools import Tools
from blastd.chance import Chance
from blastd.clock import Clock, to_ms
from blastd.config import Settings, SourceSettings
from blastd.core.ids import Owner
from blastd.core.program_table import WORDS
from blastd.core.sources import TAXA, TAXDUMP, Offer
from blastd.durable import flush_folder, of_machine
from blastd.errors import BlastdError, Conflict, DatabaseBroken, Exhausted, Forbidden, Invalid, NotFound
from blastd.fetching.download import Room
from blastd.fetching.faults import FetchFailed, Interrupted, SourceChanged
from blastd.fetching.fetch import Fetch
from blastd.fetching.layouts import FetchPlan, layout_of
from blastd.fetching.transport import opened
from blastd.fetching.unpack import unfold
from blastd.service.access import Identity
from blastd.service.databases import installed
from blastd.service.databases.carrying import Carried, Passing, TaskProgress
from blastd.service.databases.catalogue import Databases
from blastd.service.databases.input import examine, together
from blastd.service.databases.installed import Installed
from blastd.service.databases.makings import BUILD_SECONDS, turn_of
from blastd.service.databases.offers import Offered, Offers
from blastd.store import dbtasks
from blastd.store.dbtasks import DatabaseTask, FetchOrder
from blastd.store.files import Files
from blastd.store.files import remove as remove_path
from blastd.store.sqlite import Store
from blastd.turns import Turns

log = structlog.get_logger()

Admit = Callable[[sqlite3.Connection, Owner, int], None]
SCHEDULE = Owner("schedule")
"""Whose an update is that nobody ordered, of a database whose maker is not known any more."""
FASTA_FOLDS = 20
"""Most that a packed FASTA file unpacks to, in its own sizes; DNA packs to a quarter, and repeats to less."""


class Fetches:
    """Accepts and carries out fetches and updates."""

    def __init__(
        self,
        *,
        offers: Offers,
        databases: Databases,
        tools: Tools,
        store: Store,
        files: Files,
        clock: Clock,
        chance: Chance,
        settings: Settings,
        turns: Turns,
    ) -> None:
        """Take the parts."""
        self._offers, self._databases, self._tools, self._store, self._files = offers, databases, tools, store, files
        self._clock, self._chance, self._settings = clock, chance, settings.databases
        self._floor = settings.retention.disk_floor_bytes
        self._files_at_once, self._turns = asyncio.Semaphore(settings.databases.files_at_once), turns

    # ------------------------------------------------------------------ ordering
    def _may(self, who: Identity) -> None:
        if not who.admin and not self._settings.users_may_fetch:
            raise Forbidden("Only admins may fetch and update databases here (databases.users_may_fetch).")

    async def order(
        self, who: Identity, name: str, source: str, molecule: str, here: str, admit: Admit, *, replace: bool
    ) -> str:
        """Accept the fetch of a database, to be called *here*, and return its task.

        Raises Forbidden, NotFound, Conflict, Invalid, TooMany; Interrupted or FetchFailed when the source can't be asked.
        """
        self._may(who)
        here = here if here and name != TAXDUMP else name
        try:
            check_name(here)
        except DatabaseBroken as error:
            raise Invalid([("/as", str(error))]) from error
        offered = await self._find(name, source, molecule)
        offer = offered.offer
        replace = replace or offer.molecule == TAXA
        known = self._databases.held(here, offer.molecule)
        if known is not None and not (replace and self._databases.is_own(known)):
            raise Conflict(
                f"There is a {WORDS[offer.molecule]} database {here} already: choose another name with 'as', update it, or ask "
                "to replace one of yours."
            )
        wanted = FetchOrder(
            source=offered.source, offer=offer.name, molecule=offer.molecule, version=offer.version, replace=replace
        )
        return await self._insert(who.owner, here, "fetch", wanted, offer, admit, who)

    async def _find(self, name: str, source: str, molecule: str) -> Offered:
        """Return the offer of a name. Raises NotFound; Conflict where several are meant."""
        found, problems = await self._offers.available(source)
        named = [one for one in found if one.offer.name == name and molecule in {"", one.offer.molecule}]
        if not named:
            asked = f"the source {source}" if source else "any source"
            raise NotFound(" ".join([f"There is no database {name[:100]!r} in {asked}.", *problems]))
        if len({one.offer.molecule for one in named}) > 1:
            raise Conflict(f"There are a nucleotide and a protein database {name}: say which molecule.")
        return named[0]  # the first source of the configuration

    async def update(self, who: Identity, database: BlastDatabase, admit: Admit) -> str | None:
        """Accept an update of a database that *who* may change, and return its task; None if its source has nothing newer.

        Raises Forbidden, Conflict, TooMany; Interrupted or FetchFailed when the source can't be asked.
        """
        self._may(who)
        record = await duty(installed.read, self._databases.home(database))
        if record is None:
            raise Conflict(f"The database {database.name} was not fetched from a source: make it anew to replace it.")
        offered = await self._newer(record, fresh=True)
        if offered is None:
            return None
        wanted = FetchOrder(
            source=record.source, offer=record.offer, molecule=record.molecule, version=offered.version, replace=True
        )
        return await self._insert(who.owner, database.name, "update", wanted, offered, admit, who)

    async def _newer(self, record: Installed, *, fresh: bool) -> Offer | None:
        offers = await self._offers.of(record.source, fresh=fresh)
        named = [one for one in offers if (one.name, one.molecule) == (record.offer, record.molecule)]
        if not named:
            raise Conflict(f"The source {record.source} does not offer {record.offer} any more.")
        return named[0] if Offered(source=record.source, offer=named[0], installed=record).newer else None

    async def _insert(
        self, owner: Owner, here: str, kind: str, wanted: FetchOrder, offer: Offer, admit: Admit, who: Identity | None
    ) -> str:
        task_id, now = self._chance.uuid().hex, self._clock.now()

        def write(db: sqlite3.Connection) -> None:
            before = dbtasks.maker(db, here, wanted.molecule)
            if who is not None and before is not None and before != who.owner and not who.admin:
                raise Forbidden(f"The database {here} is somebody else's: choose another name, or ask an admin.")
            if dbtasks.is_open(db, here, wanted.molecule):
                raise Conflict(f"The database {here} is being made, fetched or updated already.")
            admit(db, owner, offer.bytes)
            kept = (
                before if kind == "update" and before is not None else owner
            )  # an admin's update leaves it its maker's
            dbtasks.insert(
                db, task_id, kept, here, msgspec.to_builtins(wanted), now, kind=kind, bytes_total=offer.bytes
            )

        await self._store.write(write)
        return task_id

    async def update_all(self) -> int:
        """Order the update of each fetched database whose source has a newer one; returns how many."""
        ordered = 0
        for database, record in (await self._offers.here()).values():
            try:
                offer = await self._newer(record, fresh=False)
                if offer is None:
                    continue
                wanted = FetchOrder(
                    source=record.source, offer=record.offer, molecule=record.molecule, version=offer.version,
                    replace=True, scheduled=True,
                )  # fmt: skip
                await self._insert(SCHEDULE, database.name, "update", wanted, offer, _unlimited, None)
                ordered += 1
            except BlastdError as error:  # its source can't be asked, or it is under way: the others go on
                log.warning("database_not_updated", name=database.name, reason=str(error))
        return ordered

    # ------------------------------------------------------------------ carrying it out
    def _folder(self, task: DatabaseTask) -> Path:
        return self._files.tmp / f"fetch-{task.task_id}"

    async def carry(self, task: DatabaseTask, progress: TaskProgress) -> Carried:
        """Fetch a database and put it into its place, whole or not at all."""
        try:
            order = dbtasks.fetch_order(task)
            check_name(task.name)
        except (ValueError, DatabaseBroken) as error:
            raise FetchFailed(f"The order can't be read: {error}.") from error
        final = await duty(makedb.place_of, self._files.databases, task.name, order.molecule)
        history = "updated" if task.kind == "update" else "fetched"
        if await duty(makedb.maker, final) == task.task_id:  # a crash between its place and its end
            return Carried(fingerprint=await self._databases.appeared(task.name, order.molecule), history=history)
        if final.exists() and not order.replace:
            raise Conflict(f"There is a database {task.name} already: choose another name, or ask to replace it.")
        before = await duty(progress_of, self._folder(task))
        try:
            plan = await self._fetch(task, order, progress)
        except (Interrupted, OSError) as error:
            raise await self._passing(task, error, before) from error
        fingerprint = await self._databases.appeared(task.name, order.molecule)
        return Carried(fingerprint=fingerprint, history=history, detail=f"{order.source}: {plan.offer.version}")

    async def _passing(self, task: DatabaseTask, error: Interrupted | OSError, before: int) -> BlastdError:
        """Return what a failure is to the one who carries tasks out."""
        if isinstance(error, OSError):
            ours = of_machine(error)
            if isinstance(ours, Exhausted):
                return Passing(str(ours), ours.code)
            return ours or FetchFailed(f"Its files can't be written: {error.strerror}.")
        came = await duty(progress_of, self._folder(task)) > before
        moved = came and error.code == Interrupted.code
        return Passing(str(error), error.code, error.after_seconds, moved=moved)

    async def _fetch(self, task: DatabaseTask, order: FetchOrder, progress: TaskProgress) -> FetchPlan:
        source = self._offers.source(order.source)
        room = Room(self._files.free_bytes, self._floor)
        async with opened(source, self._settings.stall_seconds, self._settings.files_at_once) as transport:
            fetch = Fetch(
                transport=transport,
                layout=layout_of(transport, source),
                folder=self._folder(task),
                room=room,
                clock=self._clock,
                stall_seconds=self._settings.stall_seconds,
                turns=self._files_at_once,
                progress=progress,
            )
            plan = await fetch.run(order.offer, order.molecule)
        if plan.kind == "fasta":
            await self._make(task, source, plan, progress, room)
        else:
            await self._place(task, plan, fetch, progress, order)
        return plan

    async def _place(
        self, task: DatabaseTask, plan: FetchPlan, fetch: Fetch, progress: TaskProgress, order: FetchOrder
    ) -> None:
        """Look whether the files are one whole database, and let it take its place."""
        progress.begin("checking")
        work = makedb.work_folder(self._files.databases, task.name, self._chance)
        await duty(work.mkdir, 0o700)
        try:
            await labour(fetch.gather, work)
            if order.molecule == TAXA:
                await duty(_whole_taxonomy, work)
                await self._into_place(task, plan, work)
                return
            if task.name != plan.offer.name:
                await duty(naming.under_alias, work, plan.offer.name, task.name, order.molecule, plan.offer.title)
            await self._check(work, task.name, plan, fetch)
            await self._into_place(task, plan, work)
        finally:
            await offload(remove_path, work)

    async def _check(self, work: Path, name: str, plan: FetchPlan, fetch: Fetch) -> None:
        """Raise FetchFailed for what is no whole database, SourceChanged for parts of two states."""
        offer = plan.offer
        found = SeenDatabase(name=name, path=str(work / name), molecule=offer.molecule)
        database = await blastdb.inspect(found, self._tools, None, Finder(()))
        if database.state == "broken":
            await offload(fetch.drop)
            raise SourceChanged(f"What came of {offer.name} is no whole database: {database.reason}.", "not_whole")
        held = {database.sequences, sum(volume.sequences for volume in database.volumes)}
        if database.state == "ready" and offer.sequences and offer.sequences not in held:
            await offload(fetch.drop)
            raise SourceChanged(
                f"What came of {offer.name} has {database.sequences:,} sequences and not the {offer.sequences:,} that its source "
                "says: its files are not of one state.",
                "not_whole",
            )

    async def _into_place(self, task: DatabaseTask, plan: FetchPlan, work: Path) -> None:
        final = await duty(makedb.place_of, self._files.databases, task.name, plan.offer.molecule)
        await duty(self._mark, work, task, plan)
        async with self._databases.placing():
            await offload(makedb.place, work, final, self._chance)

    def _mark(self, work: Path, task: DatabaseTask, plan: FetchPlan) -> None:
        """Write beside a database where it came from, durably, before it takes its place."""
        source = dbtasks.fetch_order(task).source
        now = to_ms(self._clock.now())
        record = Installed(
            source=source,
            offer=plan.offer.name,
            molecule=plan.offer.molecule,
            version=plan.offer.version,
            fetched_at_ms=now,
        )
        installed.write(work, record)
        (work / makedb.MADE_BY).write_text(task.task_id)
        flush_folder(work)

    async def _make(
        self, task: DatabaseTask, source: SourceSettings, plan: FetchPlan, progress: TaskProgress, room: Room
    ) -> None:
        """Make a database of FASTA that was fetched."""
        progress.begin("making")
        parts = self._folder(task) / "parts"
        fasta, packed = self._folder(task) / "sequences.fa", parts / "sequences"
        size = (await duty(packed.stat)).st_size
        await labour(unfold, packed, fasta, size * FASTA_FOLDS + (1 << 20), room.look)
        seen = await offload(examine, fasta, plan.offer.molecule, molecule_check=True)
        if seen.faults:
            raise FetchFailed(f"The file can't become a database: {together(seen.faults)}")
        order = Order(
            fasta=fasta,
            name=task.name,
            title=plan.offer.title,
            molecule=plan.offer.molecule,
            parse_seqids=source.parse_seqids,
            replace=True,
            task_id=task.task_id,
            taxid_map=parts / plan.taxid_map if plan.taxid_map else None,
        )
        progress.begin("waiting")
        async with self._turns.turn(*turn_of(task)):
            progress.begin("making")
            await makedb.make(
                order, self._files.databases, self._tools, BUILD_SECONDS, self._chance, placing=self._databases.placing,
                finished=lambda work: self._mark(work, task, plan),
            )  # fmt: skip

    async def forget(self, task: DatabaseTask, error: BaseException | None) -> None:
        """Drop what came: an end owns nothing."""
        del error
        await offload(remove_path, self._folder(task))


def _whole_taxonomy(folder: Path) -> None:
    if not all((folder / name).is_file() for name in ("nodes.dmp", "names.dmp")):
        raise FetchFailed("The taxonomy of the source has no nodes.dmp or names.dmp.")


def _unlimited(db: sqlite3.Connection, owner: Owner, size: int) -> None:
    """Admit what the clock orders: it is one task for each database that is here."""


def progress_of(folder: Path) -> int:
    """Return how many bytes of files have come into the folder of a fetch, unpacked or not; blocking."""
    total = 0
    for path in folder.glob("*/*"):
        try:
            total += path.stat().st_size
        except OSError:
            continue
    return total
