"""Subjects that come with a search: a database of that search alone.

makeblastdb makes it beside the state, and it is pinned like any database, so that formats asked a week later find it; it
goes with the last job that names it, and no catalogue lists it. Statistics are those of a search in a database of these
sequences; `-subject` of BLAST+ reckons each pair alone, so its e-values differ.
"""

import shutil
from pathlib import Path

from blastd.aio import duty, offload
from blastd.blastplus import blastdb, makedb
from blastd.blastplus.makedb import BuildFailed, Made, Order
from blastd.blastplus.pins import Pins
from blastd.blastplus.tools import Tools
from blastd.chance import Chance
from blastd.core.fasta import SequenceLimits
from blastd.core.model import Warned
from blastd.core.program_table import TITLES
from blastd.core.programs import molecules
from blastd.core.search import Search
from blastd.service.databases.input import of_file
from blastd.service.search.query import QueryInput, read_query
from blastd.store.files import Files

Faults = list[tuple[str, str]]
LETTERS, SEQUENCES = 50_000_000, 100_000
"""Of one upload: what makeblastdb takes in some seconds, while the client waits."""
SECONDS = 120.0
ENGINE = "local"
"""Clusters read databases from where `blastd db push` puts them."""
HINT = "make a database of them (blastd db make), which every engine can search."


class Subjects:
    """Makes databases of uploaded subjects."""

    def __init__(self, tools: Tools, files: Files, pins: Pins, chance: Chance) -> None:
        """Take the parts."""
        self._tools, self._files, self._pins, self._chance = tools, files, pins, chance

    async def read(self, search: Search, upload: Path | bytes, target: Path) -> QueryInput:
        """Return what the *upload* of subjects holds; its normalised form is in *target*."""
        wanted = molecules(search.program)[1] if search.program in TITLES else None
        limits = SequenceLimits(letters=LETTERS, sequences=SEQUENCES)
        return await offload(read_query, upload, target, wanted, limits, check=search.molecule_check)

    async def database(self, search: Search, own: QueryInput, fasta: Path) -> tuple[Made | None, Faults]:
        """Return the subjects, normalised in *fasta*, as a pinned database with its warnings, or why there is none.

        Raises DatabaseBroken, ToolFailed.
        """
        faults = [("/subject", f"Subject: {of_file(text)}") for text in own.faults]
        if search.databases:
            faults.append(("/database", "Name a database or send subjects, not both."))
        if search.engine not in (None, ENGINE):
            faults.append(
                ("/engine", f"Subjects that come with a search are searched by the {ENGINE} engine; or {HINT}")
            )
        if own.stopped and not own.faults:
            faults.append(("/subject", f"More than {LETTERS:,} letters or {SEQUENCES:,} subjects: {HINT}"))
        if faults or search.program not in TITLES:
            return None, faults
        name, folder = f"subjects-{own.info.sha256[:12]}", self._files.temporary()
        order = Order(  # ids are not parsed, so that repeated and long ones are taken as -subject takes them
            fasta=fasta, name=name, title="subjects", molecule=own.info.molecule, parse_seqids=False
        )
        await duty(folder.mkdir)
        try:
            made = await makedb.make(order, folder, self._tools, SECONDS, self._chance)
            place = await offload(makedb.place_of, folder, name, order.molecule)
            (found,) = (await blastdb.scan([place], self._tools)).named(name)
            await self._pins.pin(found)
        except BuildFailed as error:
            return None, [("/subject", str(error))]
        finally:
            await offload(shutil.rmtree, folder, ignore_errors=True)
        said = [Warned(text=f"Subject: {of_file(warned.text)}") for warned in own.warnings]
        said += [Warned(text=f"Subject: {warned.text}", source=warned.source) for warned in made.warnings]
        return Made(database=found, warnings=tuple(said)), []
