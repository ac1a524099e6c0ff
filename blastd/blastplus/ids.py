"""Ids of whole databases, on the disk: an index a fingerprint, made once by a process of its own (`idindex.py`).

It serves whether databases share ids, which of several databases holds a sequence, and at which position. Nothing of a
database's size is ever in the daemon's memory.
"""

import mmap
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from blastd.aio import duty
from blastd.blastplus import idindex
from blastd.blastplus.blastdb import BlastDatabase, quoted
from blastd.blastplus.derived import Derived, clean, run_program, sweep
from blastd.blastplus.generation import Generation
from blastd.blastplus.tools import Tools
from blastd.clock import Clock
from blastd.core.model import Frozen
from blastd.errors import Unavailable

log = structlog.get_logger()

RETRY_SECONDS = 10
COMPARED = 1000
"""Pairs of databases of which it is remembered what they share."""


class Source(Frozen, frozen=True, kw_only=True):
    """A database whose ids are wanted."""

    fingerprint: str
    folder: str
    name: str
    molecule: str
    parsed: bool


class SharedIds(Frozen, frozen=True, kw_only=True):
    """How many ids two databases share, and the first few of them."""

    count: int
    names: tuple[str, ...] = ()


def source_of(database: BlastDatabase) -> Source:
    """Return where the ids of a database of the catalogue are read."""
    path = Path(database.path)
    return Source(
        fingerprint=database.fingerprint,
        folder=str(path.parent),
        name=path.name,
        molecule=database.molecule,
        parsed=database.has_ids,
    )


def source_at(made: Generation, *, parsed: bool) -> Source:
    """Return where the ids of a pinned database are read."""
    return Source(
        fingerprint=made.fingerprint, folder=made.folder, name=made.name, molecule=made.molecule, parsed=parsed
    )


class Ids:
    """Indices by fingerprint, and the tasks that make them."""

    def __init__(self, folder: Path, tools: Tools, clock: Clock, derived: Derived) -> None:
        """Keep indices in *folder*; *derived* owns what makes them."""
        self._folder, self._tools, self._clock = folder, tools, clock
        self._derived = derived
        self._shared: dict[tuple[str, str], SharedIds] = {}

    def path(self, source: Source) -> Path:
        """Return where the index of a database is or will be."""
        return self._folder / f"{source.fingerprint}.ids"

    async def made(self, source: Source, seconds: float) -> bool:
        """Tell whether the index is there, after waiting at most *seconds* for it; it is made however this ends.

        Raises ToolFailed when it could not be made; who asks again has it tried again.
        """
        return await self._derived.made(self.path(source), lambda: self._make(source), seconds)

    async def _make(self, source: Source) -> None:
        begin, target = self._clock.monotonic(), self.path(source)
        part = target.with_name(f"{target.name}.part")
        words = ["make", idindex.PARSED if source.parsed else "plain", str(part)]
        try:
            await duty(self._folder.mkdir, mode=0o700, exist_ok=True)
            await self._run(source, words, f"%o %l %i {'%a' if source.parsed else '%t'}", part)
            await duty(part.replace, target)
        finally:
            await duty(clean, part)
        log.info("ids_indexed", database=source.name, seconds=round(self._clock.monotonic() - begin, 1))

    async def _run(self, source: Source, words: Sequence[str], outfmt: str, stem: Path) -> bytes:
        """Run our own program on a listing of a database, and return what it prints. Raises ToolFailed."""
        listing = [
            self._tools.paths["blastdbcmd"], "-db", quoted(source.name), "-dbtype", source.molecule, "-entry", "all",
            "-outfmt", outfmt,
        ]  # fmt: skip
        return await run_program(
            idindex.__file__,
            [*words, *listing],
            stem=stem,
            cwd=Path(source.folder),
            env=self._tools.environment,
            clock=self._clock,
            failure=f"The ids of {source.name} can't be read",
        )

    async def shared(self, first: Source, second: Source) -> SharedIds:
        """Return what two databases share, whose indices are made. Raises ToolFailed."""
        key = first.fingerprint, second.fingerprint
        if key not in self._shared:
            words = ["shared", str(self.path(first)), str(self.path(second))]
            stem = self._folder / f"{first.fingerprint[:16]}-{second.fingerprint[:16]}.shared"
            found = msgspec.json.decode(await self._run(first, words, "%o %a", stem), type=SharedIds)
            if len(self._shared) >= COMPARED:
                self._shared.clear()
            self._shared[key] = found
        return self._shared[key]

    async def first_shared(
        self, found: Sequence[BlastDatabase], seconds: float
    ) -> tuple[BlastDatabase, BlastDatabase, SharedIds] | None:
        """Return the first two of *found* that share ids, and what they share; None if none do.

        Raises Unavailable while their ids are being read, which is done once for each content and is waited for *seconds*,
        ToolFailed if they can't be read.
        """
        sources = [source_of(database) for database in found]
        for source in sources:
            await self.made(source, 0)
        until = self._clock.monotonic() + seconds
        for database, source in zip(found, sources, strict=True):
            if not await self.made(source, max(0.0, until - self._clock.monotonic())):
                raise Unavailable(
                    f"The ids of {database.name} are being read, once for its present content, to make sure that these "
                    "databases share none: submit again in a moment.",
                    retry_after_seconds=RETRY_SECONDS,
                )
        for number, first in enumerate(found):
            for other in range(number + 1, len(found)):
                shared = await self.shared(sources[number], sources[other])
                if shared.count:
                    return first, found[other], shared
        return None

    def sweep(self, used: set[str], now_seconds: float) -> int:
        """Remove indices that are not of *used* fingerprints and not young; blocking. Returns how many."""
        return sweep(self._folder, used, now_seconds)


class Lookup:
    """An open index."""

    def __init__(self, index: mmap.mmap) -> None:
        """Take the file."""
        self._index = index

    def positions(self, names: Iterable[tuple[str, bool]], length: int) -> list[int]:
        """Return the positions of sequences of this *length* with one of *names* (with True: an accession)."""
        keys = [idindex.key_of(name.encode("utf-8", "surrogateescape"), accession=kind) for name, kind in names]
        return sorted(
            {position for key in keys for letters, position in idindex.records(self._index, key) if letters == length}
        )


@contextmanager
def opened(path: Path) -> Iterator[Lookup]:
    """Open an index; blocking."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as index:
        yield Lookup(index)
