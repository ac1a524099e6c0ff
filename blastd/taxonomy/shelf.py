"""The stores of taxa and the censuses of databases, by what they are made from; each is made once (`build.py`, `census.py`)."""

from pathlib import Path

import structlog

from blastd.aio import duty
from blastd.blastplus.blastdb import BlastDatabase, quoted
from blastd.blastplus.derived import YOUNG_SECONDS, Derived, clean, run_program
from blastd.blastplus.organisms import OF_SEQUENCES
from blastd.blastplus.tools import Tools
from blastd.clock import Clock
from blastd.errors import ToolFailed
from blastd.taxonomy import build, census
from blastd.taxonomy.sources import TaxonomySource

log = structlog.get_logger()

STORE, CENSUS = f"taxa{build.LAYOUT}", f"census{census.LAYOUT}"
"""Suffixes: what another layout made is not looked at, and goes with the sweep."""
KEY_LETTERS = 32
"""Of the fingerprint of a store, in the name of a census."""


class Shelf:
    """Files below one folder."""

    def __init__(self, folder: Path, tools: Tools, clock: Clock, derived: Derived) -> None:
        """Keep files in *folder*; *derived* owns what makes them."""
        self._folder, self._tools, self._clock, self._derived = folder, tools, clock, derived

    def store_path(self, fingerprint: str) -> Path:
        """Return where the store of a source is or will be."""
        return self._folder / f"{fingerprint}.{STORE}"

    def census_path(self, database: BlastDatabase, store: str) -> Path:
        """Return where the census of a database is or will be, for the *store* of this fingerprint, or for none."""
        return self._folder / f"{database.fingerprint}.{store[:KEY_LETTERS] or 'none'}.{CENSUS}"

    async def store(self, source: TaxonomySource, seconds: float) -> bool:
        """Tell whether the store of a source is there, after waiting at most *seconds*; it is made however this ends.

        Raises ToolFailed when it can't be made.
        """
        return await self._derived.made(self.store_path(source.fingerprint), lambda: self._build(source), seconds)

    async def census(self, database: BlastDatabase, store: str, seconds: float) -> bool:
        """Tell the same of the census of a database, whose *store* is made. Raises ToolFailed."""
        path = self.census_path(database, store)
        return await self._derived.made(path, lambda: self._count(database, store), seconds)

    def progress(self, fingerprint: str) -> float:
        """Return how far the making of a store is, 0 to 1; blocking."""
        try:
            part = self._part(self.store_path(fingerprint))
            return float(part.with_name(f"{part.name}.out").read_text("ascii").split()[-1])
        except (OSError, ValueError, IndexError):
            return 0.0

    def _part(self, path: Path) -> Path:
        return path.with_name(f"{path.name}.part")

    async def _build(self, source: TaxonomySource) -> None:
        path = self.store_path(source.fingerprint)
        await self._run(path, build.__file__, source.words, self._folder, "The taxonomy can't be read")
        if not await duty(source.unchanged):
            await duty(path.unlink, missing_ok=True)
            raise ToolFailed("The taxonomy changed while it was read; it is read again.")

    async def _count(self, database: BlastDatabase, store: str) -> None:
        path, base = self.census_path(database, store), Path(database.path)
        words = [str(self.store_path(store)) if store else "-"]
        files = [each.path for each in database.parts if Path(each.path).suffix in OF_SEQUENCES]
        if database.alias or len(files) != 1:  # an alias may hide sequences
            words += [
                "listing",
                self._tools.paths["blastdbcmd"],
                "-db",
                quoted(base.name),
                "-dbtype",
                database.molecule,
            ]
            words += ["-entry", "all", "-outfmt", "%o %T"]
        else:
            words += ["taxids", *files]
        await self._run(path, census.__file__, words, base.parent, f"The taxa of {database.name} can't be counted")

    async def _run(self, target: Path, program: str, words: list[str], cwd: Path, failure: str) -> None:
        """Make *target*, which gets its name when it is whole. Raises ToolFailed."""
        begin, part = self._clock.monotonic(), self._part(target)
        await duty(self._folder.mkdir, mode=0o700, exist_ok=True)
        try:
            await run_program(
                program,
                [str(part), *words],
                stem=part,
                cwd=cwd,
                env={**self._tools.environment, "SQLITE_TMPDIR": str(self._folder)},
                clock=self._clock,
                failure=failure,
            )
            await duty(part.replace, target)
        finally:
            await duty(clean, part)
        log.info("taxa_made", file=target.name, seconds=round(self._clock.monotonic() - begin, 1))

    def sweep(self, used: set[str], now_seconds: float) -> int:
        """Remove what is neither of *used* fingerprints nor young; blocking. Returns how many files."""
        if not self._folder.is_dir():
            return 0
        stores = {fingerprint[:KEY_LETTERS] for fingerprint in used} | {"none", STORE}
        removed = 0
        for path in self._folder.iterdir():
            of, _, rest = path.name.partition(".")
            wanted = of in used and rest.partition(".")[0] in stores and path.name.endswith((STORE, CENSUS))
            if not wanted and now_seconds - path.stat().st_mtime > YOUNG_SECONDS:
                path.unlink(missing_ok=True)
                removed += 1
        return removed
