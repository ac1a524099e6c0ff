"""How sources are laid out: what they offer, which files make up one of their databases, and whether these changed meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

from blastd.aio import first_of
from blastd.config import SourceSettings
from blastd.core import sources
from blastd.core.archive import TAXONOMY
from blastd.core.model import Frozen
from blastd.core.sources import TAXA, TAXDUMP, Offer, SourceUnreadable
from blastd.fetching.download import PlannedFile
from blastd.fetching.faults import FetchFailed, SourceChanged
from blastd.fetching.transport import Transport

T = TypeVar("T")
R = TypeVar("R")

LIST = "blastdb-metadata-1-1.json"
OLD_LIST = "blastdb-manifest.json"
LATEST = "latest-dir"
LIST_BYTES = 64 << 20
SMALL_BYTES = 1 << 16
ASKS = 8
"""Small requests at once: nt has some hundred archives, each with its checksum."""
PACKED = (".tar.gz", ".tgz", ".tar.xz", ".tar")
FASTA = (".fa", ".fasta", ".fna", ".faa", ".ffn", ".fas")
MOLECULES = {"nucleotide": "nucl", "protein": "prot"}
OF_SUFFIX = {".fna": "nucl", ".ffn": "nucl", ".faa": "prot"}


class FetchPlan(Frozen, frozen=True, kw_only=True):
    """What a fetch is about to receive: all of one state of the source, or nothing of it counts.

    `kind` says what becomes of the files: archives that are unpacked, the database's own files, or FASTA to make one of.
    `optional` are files with names of organisms, which are taken where the database brings none.
    """

    offer: Offer
    kind: str
    files: tuple[PlannedFile, ...]
    optional: tuple[PlannedFile, ...] = ()
    taxid_map: str = ""


class SourceLayout(Protocol):
    """How one source is laid out."""

    async def offers(self) -> list[Offer]:
        """Return what it offers. Raises Interrupted, FetchFailed."""

    async def plan(self, name: str, molecule: str) -> FetchPlan:
        """Return what a fetch of a database receives. Raises Interrupted, SourceChanged, FetchFailed."""


async def each(work: Callable[[T], Awaitable[R]], items: Sequence[T], at_once: int = ASKS) -> list[R]:
    """Do *work* on all *items*, so many at once, and return the results in their order. The first failure ends all, and is raised."""
    turn = asyncio.Semaphore(at_once)

    async def one(item: T) -> R:
        async with turn:
            return await work(item)

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(item), name=f"ask-{number}") for number, item in enumerate(items)]
    except ExceptionGroup as errors:
        raise first_of(errors) from errors
    return [task.result() for task in tasks]


class _Asking:
    """What all layouts ask."""

    def __init__(self, transport: Transport, source: SourceSettings) -> None:
        self._transport, self._source = transport, source

    async def _text(self, path: str, most: int = SMALL_BYTES) -> bytes:
        """Return a small file that must be there. Raises SourceChanged."""
        text = await self._transport.read(path, most)
        if text is None:
            raise SourceChanged(f"The source {self._source.name} has no {path}.", "source_missing")
        return text

    async def _file(self, path: str, checksum: str = "") -> PlannedFile:
        """Return a file that must be there, with what the source says of it. Raises SourceChanged."""
        about = await self._transport.about(path)
        if about is None:
            raise SourceChanged(f"The source {self._source.name} has no {path}.", "source_missing")
        name = path.rsplit("/", 1)[-1]
        return PlannedFile(path=path, name=name, size=about.size or 0, checksum=checksum or about.checksum)

    def _read(self, reader: Callable[[bytes], R], text: bytes) -> R:
        """Return what *reader* makes of *text*. Raises FetchFailed."""
        try:
            return reader(text)
        except SourceUnreadable as error:
            raise FetchFailed(f"The source {self._source.name} can't be read: {error}.") from error

    def _chosen(self, found: Sequence[Offer], name: str, molecule: str) -> Offer:
        named = [offer for offer in found if offer.name == name and molecule in {"", offer.molecule}]
        if not named:
            raise FetchFailed(f"The source {self._source.name} does not offer {name} any more.")
        return named[0]


class NcbiLayout(_Asking):
    """NCBI's file server: a list of records, archives, and a .md5 beside each."""

    async def offers(self) -> list[Offer]:
        """Return what the list offers."""
        return self._read(sources.offers, await self._text(LIST, LIST_BYTES))

    async def plan(self, name: str, molecule: str) -> FetchPlan:
        """Return all archives with their checksums, which are read before the first byte is received."""
        offer = self._chosen(await self.offers(), name, molecule)
        files = await each(self._archive, offer.files)
        taxdb = await self._transport.read("taxdb.tar.gz.md5", SMALL_BYTES)
        optional = [await self._file("taxdb.tar.gz", self._read(sources.checksum, taxdb))] if taxdb is not None else []
        return FetchPlan(offer=offer, kind="archives", files=tuple(files), optional=tuple(optional))

    async def _archive(self, name: str) -> PlannedFile:
        if not name.endswith(PACKED):
            raise FetchFailed(f"{name} of the source {self._source.name} is no archive.")
        return await self._file(name, self._read(sources.checksum, await self._text(f"{name}.md5")))


class CloudLayout(_Asking):
    """NCBI's clouds: `latest-dir` names a folder with a list of records and the plain files of all databases."""

    async def _list(self) -> tuple[str, list[Offer]]:
        folder = self._read(sources.latest_folder, await self._text(LATEST))
        text = await self._transport.read(f"{folder}/{LIST}", LIST_BYTES)
        text = text if text is not None else await self._text(f"{folder}/{OLD_LIST}", LIST_BYTES)
        return folder, self._read(sources.offers, text)

    async def offers(self) -> list[Offer]:
        """Return what the newest folder offers."""
        return (await self._list())[1]

    async def plan(self, name: str, molecule: str) -> FetchPlan:
        """Return the files of the newest folder, which do not change."""
        folder, found = await self._list()
        offer = self._chosen(found, name, molecule)
        paths = [f"{folder}/{file}" for file in offer.files]
        files = await each(self._file, paths)
        optional = [
            await self._file(f"{folder}/{file}")
            for file in sorted(TAXONOMY)
            if file not in offer.files and await self._transport.about(f"{folder}/{file}") is not None
        ]
        return FetchPlan(offer=offer, kind="files", files=tuple(files), optional=tuple(optional))


class FastaLayout(_Asking):
    """FASTA files, each of which becomes a database: one at an address, or all of a folder."""

    async def offers(self) -> list[Offer]:
        """Return a database for each file whose molecule is known."""
        if self._source.is_file:
            return [await self._offer("", self._source.database)]
        found = []
        for file in await self._transport.names():
            name = file.removesuffix(".gz").removesuffix(".xz")
            stem, dot, suffix = name.rpartition(".")
            if dot and f".{suffix}" in FASTA and sources.OFFER.fullmatch(stem) and self._molecule(f".{suffix}"):
                found.append(await self._offer(file, stem))
        return found

    def _molecule(self, suffix: str) -> str:
        return MOLECULES.get(self._source.molecule, "") or OF_SUFFIX.get(suffix, "")

    async def _offer(self, file: str, name: str) -> Offer:
        planned, version = await self._sequences(file)
        shown = file or self._source.url
        return Offer(
            name=name,
            molecule=self._molecule(f".{shown.removesuffix('.gz').removesuffix('.xz').rpartition('.')[2]}"),
            title=self._source.title or name,
            version=version,
            bytes=planned.size,
            files=(file,),
        )

    async def _sequences(self, file: str) -> tuple[PlannedFile, str]:
        """Return the file with its checksum, and what names its state."""
        checksum = self._source.checksum
        for kind in ("sha256", "md5"):
            if not checksum and (text := await self._transport.read(f"{file}.{kind}", SMALL_BYTES)) is not None:
                checksum = self._read(sources.checksum, text)
        about = await self._transport.about(file)
        if about is None:
            raise SourceChanged(f"The source {self._source.name} has no {file or self._source.url}.", "source_missing")
        checksum = checksum or about.checksum
        planned = PlannedFile(path=file, name="sequences", size=about.size or 0, checksum=checksum)
        return planned, checksum or about.validator or str(about.size)

    async def plan(self, name: str, molecule: str) -> FetchPlan:
        """Return the file of sequences, and the map of their taxonomy ids if there is one."""
        offer = self._chosen(await self.offers(), name, molecule)
        planned, version = await self._sequences(offer.files[0])
        if version != offer.version:
            raise SourceChanged(f"{name} of the source {self._source.name} changes at this moment.")
        files = [planned]
        if self._source.taxid_map:
            about = await self._transport.about(self._source.taxid_map)
            if about is None:
                raise SourceChanged(
                    f"The source {self._source.name} has no {self._source.taxid_map}.", "source_missing"
                )
            files.append(PlannedFile(path=self._source.taxid_map, name="taxids", size=about.size or 0))
        mapped = "taxids" if self._source.taxid_map else ""
        return FetchPlan(offer=offer, kind="fasta", files=tuple(files), taxid_map=mapped)


class TaxonomyLayout(_Asking):
    """NCBI's taxonomy: one archive and its .md5."""

    async def offers(self) -> list[Offer]:
        """Return the dump, whose version is its checksum."""
        file = f"{TAXDUMP}.tar.gz"
        checksum = self._read(sources.checksum, await self._text(f"{file}.md5"))
        about = await self._transport.about(file)
        size = (about.size or 0) if about is not None else 0
        title = "NCBI taxonomy: names and ranks"
        return [Offer(name=TAXDUMP, molecule=TAXA, title=title, version=checksum, bytes=size, files=(file,))]

    async def plan(self, name: str, molecule: str) -> FetchPlan:
        """Return the archive."""
        offer = self._chosen(await self.offers(), name, molecule)
        return FetchPlan(offer=offer, kind="archives", files=(await self._file(offer.files[0], offer.version),))


LAYOUTS: dict[str, Callable[[Transport, SourceSettings], SourceLayout]] = {
    "ncbi": NcbiLayout,
    "cloud": CloudLayout,
    "fasta": FastaLayout,
    "taxonomy": TaxonomyLayout,
}


def layout_of(transport: Transport, source: SourceSettings) -> SourceLayout:
    """Return the layout of *source*."""
    return LAYOUTS[source.layout](transport, source)
