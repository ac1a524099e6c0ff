"""Changing the catalogue: removing and renaming what the service made or fetched, who may do it, what it serves, its history."""

import sqlite3

from blastd.aio import duty, offload
from blastd.blastplus import makedb, naming
from blastd.blastplus.blastdb import BlastDatabase
from blastd.blastplus.makedb import check_name
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.core.model import Frozen
from blastd.core.program_table import WORDS
from blastd.core.sources import TAXDUMP
from blastd.errors import Conflict, DatabaseBroken, Forbidden, Invalid, NotFound
from blastd.service.access import Identity
from blastd.service.databases.catalogue import TAXONOMY, Databases
from blastd.store import dbhistory, dbtasks
from blastd.store.dbhistory import HistoryLine
from blastd.store.files import Files
from blastd.store.files import remove as remove_path
from blastd.store.sqlite import Store


class Uses(Frozen, frozen=True, kw_only=True):
    """What a database serves; `reason` says why the one who asked may not change it, empty if that one may."""

    database: BlastDatabase
    jobs_active: int
    jobs_stored: int
    warm_on: tuple[str, ...]
    reason: str


class Changes:
    """Use cases that change databases of the catalogue."""

    def __init__(self, *, databases: Databases, store: Store, files: Files, clock: Clock, chance: Chance) -> None:
        """Take the parts."""
        self._databases, self._store, self._files = databases, store, files
        self._clock, self._chance = clock, chance

    async def own(self, who: Identity, name: str, molecule: str) -> BlastDatabase:
        """Return a database that *who* may change. Raises NotFound, Conflict, Forbidden."""
        if (
            name == TAXDUMP
            and self._databases.current(name) is None
            and await duty(self._databases.taxonomy_home.exists)
        ):
            if not who.admin:
                raise Forbidden
            return TAXONOMY
        database = (await self._databases.get(name, molecule)).database
        if database.state == "building" or not self._databases.is_own(database):
            raise Conflict(
                f"The database {name} lies in a folder of the operator, or is being made: it can't be changed here."
            )
        maker = await self._store.read(lambda db: dbtasks.maker(db, name, database.molecule))
        if maker != who.owner and not who.admin:
            raise Forbidden(f"The database {name} is somebody else's: ask its maker or an admin.")
        return database

    async def uses(self, who: Identity, name: str, molecule: str = "") -> Uses:
        """Return what a database serves. Raises NotFound, Conflict."""
        listed = await self._databases.get(name, molecule)
        try:
            await self.own(who, name, listed.database.molecule)
            reason = ""
        except (Conflict, Forbidden) as error:
            reason = str(error)
        active, stored = await self._store.read(lambda db: dbhistory.serves(db, listed.database.fingerprint))
        return Uses(
            database=listed.database, jobs_active=active, jobs_stored=stored, warm_on=listed.warm_on, reason=reason
        )

    async def history(self, name: str) -> list[HistoryLine]:
        """Return what became of databases of a name. Raises NotFound where nothing is known of it."""
        lines = await self._store.read(lambda db: dbhistory.of(db, name))
        if not lines and self._databases.current(name) is None:
            raise NotFound(f"There is no database {name[:100]!r} here, and there was none.")
        return lines

    async def remove(self, who: Identity, name: str, molecule: str = "") -> BlastDatabase:
        """Remove a database that was made here; searches keep what they pinned. Raises NotFound, Conflict, Forbidden."""
        database, now = await self.own(who, name, molecule), self._clock.now()
        async with self._databases.placing():
            await offload(makedb.remove, self._databases.home(database), self._chance)
            self._databases.vanished(database)

        def write(db: sqlite3.Connection) -> None:
            fingerprint = database.fingerprint
            dbhistory.add(db, name, database.molecule, "removed", who.owner, now, fingerprint=fingerprint)

        await self._store.write(write)
        await self._databases.appeared(name, database.molecule)
        return database

    async def rename(self, who: Identity, name: str, new: str, molecule: str = "") -> BlastDatabase:
        """Give a database that was made here another name; searches keep what they pinned, under the old one.

        A crash leaves it under both names. Raises NotFound, Conflict, Forbidden, Invalid.
        """
        database, now = await self.own(who, name, molecule), self._clock.now()
        try:
            check_name(new)
        except DatabaseBroken as error:
            raise Invalid([("/name", str(error))]) from error
        home, root, kind = self._databases.home(database), self._files.databases, database.molecule
        work = makedb.work_folder(root, new, self._chance)
        try:
            async with self._databases.placing():
                final = await duty(makedb.place_of, root, new, kind)
                opened = await self._store.read(
                    lambda db: dbtasks.is_open(db, name, kind) or dbtasks.is_open(db, new, kind)
                )
                if opened or self._databases.held(new, kind) is not None or await duty(final.exists):
                    raise Conflict(f"There is a {WORDS[kind]} database {new} already, or one of the two is being made.")
                await offload(naming.renamed, home, work, name, new, kind, database.title)
                await offload(makedb.place, work, final, self._chance)
                await offload(makedb.remove, home, self._chance)
                self._databases.vanished(database)
        finally:
            await offload(remove_path, work)

        def write(db: sqlite3.Connection) -> None:
            dbtasks.rename(db, name, kind, new)
            dbhistory.rename(db, name, kind, new)
            fingerprint, detail = database.fingerprint, dbhistory.WAS.format(name)
            dbhistory.add(db, new, kind, "renamed", who.owner, now, fingerprint=fingerprint, detail=detail)

        await self._store.write(write)
        await self._databases.appeared(new, kind)
        return (await self._databases.get(new, kind)).database
