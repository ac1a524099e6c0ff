"""The database generations that jobs search: pinned at submit, found again by fingerprint for as long as a row names them.

With each database goes the taxonomy that it was searched with. What links can't keep (another file system, a file that
is overwritten in place) is compared with what it was before and after, so that a search on a database that changed under it
fails instead of lying.
"""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from threading import Lock

from blastd.aio import duty
from blastd.blastplus import generation
from blastd.blastplus.blastdb import BlastDatabase, quoted
from blastd.blastplus.generation import Generation
from blastd.blastplus.layout import layout_of
from blastd.chance import Chance
from blastd.clock import Clock, SystemClock, to_ms
from blastd.core.alias import Layout
from blastd.core.engine import DatabaseAt, Trouble
from blastd.core.model import DatabaseRef, Frozen
from blastd.errors import DatabaseGone

AGAIN = "Submit the search again; replace databases with makeblastdb or by renaming, not with cp."


class Placed(Frozen, frozen=True, kw_only=True):
    """Where BLAST+ runs: the folder and the value of -db, with the databases it resolves there.

    `taxonomy` is the folder with the files that name organisms, for BLASTDB; empty: there are none.
    """

    databases: tuple[DatabaseAt, ...]
    run_folder: str
    argument: str
    layout: Layout | None = None
    taxonomy: str = ""


def located(one: DatabaseRef | BlastDatabase, made: Generation) -> DatabaseAt:
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


class Pins:
    """Pins databases and finds generations by fingerprint."""

    def __init__(
        self,
        folder: Path,
        current: Callable[[str, str], BlastDatabase | None],
        chance: Chance,
        clock: Clock | None = None,
        scanned: asyncio.Event | None = None,
    ) -> None:
        """Take the folder of generations; *current* gives the catalogue's database of a name and a molecule.

        Before *scanned* is set the catalogue is not complete, and nothing is gone.
        """
        self._folder, self._current, self._chance, self._clock = folder, current, chance, clock or SystemClock()
        self._scanned = scanned
        self._known: dict[str, Generation] = {}
        self._placed: dict[tuple[tuple[Generation, ...], tuple[DatabaseRef, ...]], Placed] = {}
        self._lock = asyncio.Lock()
        self._held: dict[str, float] = {}
        """When each fingerprint was last pinned here; guarded by `_holding`, since the sweep runs in a thread."""
        self._holding = Lock()

    async def pin(self, database: BlastDatabase) -> Generation:
        """Pin *database* as it is now, with its taxonomy; the same fingerprint is pinned once. Raises DatabaseBroken."""
        if database.taxonomy.fingerprint:
            await self._pin(
                database.taxonomy.fingerprint,
                lambda now_ms: generation.pin_taxonomy(database.taxonomy, self._folder, self._chance, now_ms),
            )
        return await self._pin(
            database.fingerprint, lambda now_ms: generation.pin(database, self._folder, self._chance, now_ms)
        )

    async def _pin(self, fingerprint: str, make: Callable[[int], Generation]) -> Generation:
        with self._holding:
            self._held[fingerprint] = self._clock.monotonic()
        known = self._known.get(fingerprint)
        if known is not None and await duty(generation.unchanged, known):
            return known
        async with self._lock:  # many who came first wait for the one who pins
            made = self._known.get(fingerprint)
            if made is None or made is known or not await duty(generation.unchanged, made):
                made = await duty(make, to_ms(self._clock.now()))
                self._forget(fingerprint)
                self._known[fingerprint] = made
        return made

    async def find(self, ref: DatabaseRef) -> Generation:
        """Return the generation that a job searched. Raises DatabaseGone when it is neither pinned nor still current."""
        found = await self._found(ref.fingerprint)
        if found is not None and (found.pinned or await duty(generation.unchanged, found)):
            return found
        if self._scanned is not None:
            await self._scanned.wait()
        current = self._current(ref.name, ref.molecule)
        if current is not None and current.fingerprint == ref.fingerprint:
            return await self.pin(current)
        raise DatabaseGone(
            f"Database {ref.name} of {ref.date or 'the time of the search'} is gone: it was replaced or removed and could "
            "not be pinned, or the search was imported from where it is. Tables, hits and formats that are stored can "
            "still be read; for others search again."
        )

    async def find_taxonomy(self, refs: Sequence[DatabaseRef]) -> Generation | None:
        """Return the taxonomy of a search on *refs*, None if it had none. Raises DatabaseGone."""
        fingerprint = next((ref.taxonomy for ref in refs if ref.taxonomy), "")
        if not fingerprint:
            return None
        found = await self._found(fingerprint)
        if found is None or not await duty(generation.unchanged, found):
            raise DatabaseGone(
                "The files with the names of organisms (taxdb, taxonomy4blast) that the search was made with are gone or "
                "were overwritten. Tables, hits and formats that are stored can still be read; for others search again."
            )
        return found

    async def _found(self, fingerprint: str) -> Generation | None:
        known = self._known.get(fingerprint)
        if known is None:
            known = await duty(generation.find, self._folder, fingerprint)
            if known is not None:
                self._known[fingerprint] = known
        return known

    async def place(self, refs: Sequence[DatabaseRef], folder: Path) -> Placed:
        """Return where a search on *refs* runs; *folder* may take a work folder for several databases.

        Raises DatabaseGone, DatabaseBroken.
        """
        generations = [await self.find(ref) for ref in refs]
        named = await self.find_taxonomy(refs)
        taxonomy = named.folder if named is not None else ""
        if len(refs) != 1 or not generations[0].pinned:
            return await duty(_place, generations, refs, folder, taxonomy)
        key = tuple(generations), tuple(refs)
        if key not in self._placed:  # a pinned generation lies as it lies: its volumes are read once
            self._placed[key] = await duty(_place, generations, refs, folder, taxonomy)
        return self._placed[key]

    async def changed(self, refs: Sequence[DatabaseRef], since: datetime | None = None) -> Trouble | None:
        """Return what to say when a database is no longer as it was pinned; None if all are.

        With *since*, the time of a search's submission, one that was put back after it was overwritten has changed, too.
        """
        try:
            await self.find_taxonomy(refs)
            generations = [await self.find(ref) for ref in refs]
        except DatabaseGone as error:
            return Trouble(code="database_changed", sentence=str(error), remedy="Submit the search again.")
        for ref, made in zip(refs, generations, strict=True):
            late = since is not None and made.again_ms > to_ms(since)
            if late or not await duty(generation.unchanged, made):
                self._forget(ref.fingerprint)
                return Trouble(
                    code="database_changed",
                    sentence=f"Database {ref.name} was overwritten in place after the search began, so nothing made from it now can be trusted.",
                    remedy=AGAIN,
                )
        return None

    def sweep(self, used: set[str]) -> int:
        """Remove generations that nobody names, but for young ones; blocking. Returns how many.

        Between its pin and the row that names it a generation is held here, however old its folder is.
        """
        removed = 0
        for folder in generation.strangers(self._folder, used, to_ms(self._clock.now()) / 1000):
            with self._holding:
                held = self._clock.monotonic() - self._held.get(folder.name, float("-inf"))
                if held < generation.YOUNG_SECONDS:
                    continue
                self._held.pop(folder.name, None)
                self._forget(folder.name)
                try:
                    aside = generation.set_aside(folder, self._chance)
                except OSError:
                    continue
            shutil.rmtree(aside, ignore_errors=True)
            removed += 1
        return removed

    def _forget(self, fingerprint: str) -> None:
        self._known.pop(fingerprint, None)
        for key in list(self._placed):
            if any(made.fingerprint == fingerprint for made in key[0]):
                self._placed.pop(key, None)


def _place(generations: Sequence[Generation], refs: Sequence[DatabaseRef], folder: Path, taxonomy: str) -> Placed:
    """Return where a search on *generations* runs; blocking."""
    run_folder, argument = generation.together(generations, folder / "db")
    if any(ref.role != "searched" for ref in refs):
        pairs = zip(refs, generations, strict=True)
        argument = " ".join(quoted(made.name) for ref, made in pairs if ref.role == "searched")
    return Placed(
        databases=tuple(located(ref, made) for ref, made in zip(refs, generations, strict=True)),
        run_folder=str(run_folder),
        argument=argument,
        layout=layout_of(generations, refs, argument),
        taxonomy=taxonomy,
    )
