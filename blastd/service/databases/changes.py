"""Removing a database that the service made or fetched, and who may do it."""

import sqlite3

from blastd.aio import offload
from blastd.blastplus import makedb
from blastd.blastplus.blastdb import BlastDatabase
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.errors import Conflict, Forbidden
from blastd.service.access import Identity
from blastd.service.databases.catalogue import Databases
from blastd.store import dbhistory, dbtasks
from blastd.store.sqlite import Store


class Changes:
    """Use cases that change databases of the catalogue."""

    def __init__(self, *, databases: Databases, store: Store, clock: Clock, chance: Chance) -> None:
        """Take the parts."""
        self._databases, self._store, self._clock, self._chance = databases, store, clock, chance

    async def own(self, who: Identity, name: str, molecule: str) -> BlastDatabase:
        """Return a database that *who* may change. Raises NotFound, Conflict, Forbidden."""
        database = (await self._databases.get(name, molecule)).database
        if database.state == "building" or not self._databases.is_own(database):
            raise Conflict(
                f"The database {name} lies in a folder of the operator, or is being made: it can't be changed here."
            )
        maker = await self._store.read(lambda db: dbtasks.maker(db, name, database.molecule))
        if maker != who.owner and not who.admin:
            raise Forbidden(f"The database {name} is somebody else's: ask its maker or an admin.")
        return database

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
