"""The database generations that jobs search: pinned at submit, found again by fingerprint for as long as a row names them.

A database that could not be pinned (another file system) is used where it lies; then sizes and times are compared
before and after, so that a search on a database that changed under it fails instead of lying.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from blastd.aio import duty
from blastd.blastplus import generation
from blastd.blastplus.blastdb import Database
from blastd.blastplus.generation import Generation
from blastd.blastplus.layout import layout_of
from blastd.chance import Chance
from blastd.core.alias import Layout
from blastd.core.engine import DatabaseAt, Trouble
from blastd.core.model import DatabaseRef, Frozen
from blastd.errors import DatabaseGone


class Placed(Frozen, frozen=True, kw_only=True):
    """Where BLAST+ runs: the folder and the value of -db, with the databases it resolves there."""

    databases: tuple[DatabaseAt, ...]
    run_folder: str
    argument: str
    layout: Layout | None = None


def located(one: DatabaseRef | Database, made: Generation) -> DatabaseAt:
    """Return where this machine has a generation of a database."""
    return DatabaseAt(
        name=one.name,
        fingerprint=one.fingerprint,
        folder=made.folder,
        molecule=one.molecule,
        sequences=one.sequences,
        letters=one.letters,
        size_bytes=made.size_bytes,
        pinned=made.pinned,
    )


class Shelf:
    """Pins databases and finds generations by fingerprint."""

    def __init__(self, folder: Path, current: Callable[[str], Database | None], chance: Chance) -> None:
        """Take the folder of generations; *current* gives the catalogue's database of a name."""
        self._folder, self._current, self._chance = folder, current, chance
        self._known: dict[str, Generation] = {}
        self._placed: dict[tuple[Generation, DatabaseRef], Placed] = {}
        self._lock = asyncio.Lock()

    async def pin(self, database: Database) -> Generation:
        """Pin *database* as it is now; the same fingerprint is pinned once. Raises DatabaseBroken."""
        made = self._known.get(database.fingerprint)
        if made is not None and made.pinned:
            return made
        async with self._lock:
            made = self._known.get(database.fingerprint)  # many who came first wait for the one who pins
            if made is None or not made.pinned:
                made = await duty(generation.pin, database, self._folder, self._chance)
                self._known[database.fingerprint] = made
        return made

    async def find(self, ref: DatabaseRef) -> Generation:
        """Return the generation that a job searched. Raises DatabaseGone when it is neither pinned nor still current."""
        known = self._known.get(ref.fingerprint)
        if known is not None:
            return known
        found = await duty(generation.find, self._folder, ref.fingerprint)
        if found is not None:
            self._known[ref.fingerprint] = found
            return found
        current = self._current(ref.name)
        if current is not None and current.fingerprint == ref.fingerprint:
            return await self.pin(current)
        raise DatabaseGone(
            f"Database {ref.name} of {ref.date or 'the time of the search'} is gone: it was replaced or removed and could "
            "not be pinned, or the search was imported from where it is. Tables, hits and formats that are stored can "
            "still be read; for others search again."
        )

    async def place(self, refs: Sequence[DatabaseRef], folder: Path) -> Placed:
        """Return where a search on *refs* runs; *folder* may take a work folder for several databases."""
        generations = [await self.find(ref) for ref in refs]
        if len(refs) != 1 or not generations[0].pinned:
            return await duty(_place, generations, refs, folder)
        key = generations[0], refs[0]
        if key not in self._placed:  # a pinned generation lies as it lies: its volumes are read once
            self._placed[key] = await duty(_place, generations, refs, folder)
        return self._placed[key]

    async def changed(self, refs: Sequence[DatabaseRef]) -> Trouble | None:
        """Return what to say when a database is no longer as it was pinned; None if all are."""
        for ref in refs:
            try:
                made = await self.find(ref)
            except DatabaseGone as error:
                return Trouble(code="database_changed", sentence=str(error), remedy="Submit the search again.")
            if not await duty(generation.unchanged, made):
                self._forget(ref.fingerprint)
                return Trouble(
                    code="database_changed",
                    sentence=f"Database {ref.name} was overwritten in place after the search began, so nothing made from it now can be trusted.",
                    remedy="Submit the search again; replace databases with makeblastdb or by renaming, not with cp.",
                )
        return None

    def sweep(self, used: set[str]) -> int:
        """Remove pinned generations that nobody names; blocking. Returns how many."""
        current = {fingerprint for fingerprint in self._known if fingerprint not in used}
        for fingerprint in current:
            self._forget(fingerprint)
        return generation.sweep(self._folder, used)

    def _forget(self, fingerprint: str) -> None:
        self._known.pop(fingerprint, None)
        for key in [key for key in list(self._placed) if key[0].fingerprint == fingerprint]:
            self._placed.pop(key, None)


def _place(generations: Sequence[Generation], refs: Sequence[DatabaseRef], folder: Path) -> Placed:
    """Return where a search on *generations* runs; blocking."""
    run_folder, argument = generation.together(generations, folder / "db")
    return Placed(
        databases=tuple(located(ref, made) for ref, made in zip(refs, generations, strict=True)),
        run_folder=str(run_folder),
        argument=argument,
        layout=layout_of(generations, refs, argument),
    )
