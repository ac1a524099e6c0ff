"""Limits a search to organisms: what a user calls them, which taxa these are, and which ids the databases have for them."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from msgspec.structs import replace

from blastd.aio import duty
from blastd.blastplus.blastdb import BlastDatabase
from blastd.core.fit import DatabaseFacts
from blastd.core.model import FilterTaxon, OrganismFilter
from blastd.core.options import LIST_ITEMS
from blastd.core.organisms import EXCLUDE, INCLUDE, Limited, told, unfit
from blastd.core.programs import Program
from blastd.core.search import Arguments, Search
from blastd.core.taxa import Taxon, shown, taxid_of
from blastd.errors import Faults
from blastd.service.taxonomy.taxa import Taxa
from blastd.taxonomy import counts, reading
from blastd.taxonomy.counts import Census
from blastd.taxonomy.reading import TaxonomyStore

SHOWN = 60
SUGGESTIONS = 5
NO_NAMES = (
    "there is no taxonomy here in which names can be looked up: give taxonomy ids, or have taxdump put into "
    "databases.taxonomy_dir"
)


async def limit(
    taxa: Taxa, search: Search, arguments: Arguments, program: Program, databases: Sequence[BlastDatabase] | None
) -> Limited:
    """Return what BLAST+ is told to search in the organisms of *search* only; *databases* are None for its own subjects.

    Raises Unavailable while the taxonomy or a database is read the first time, ToolFailed.
    """
    pointer = INCLUDE if search.organisms else EXCLUDE
    facts = [facts_of(database) for database in databases] if databases is not None else None
    faults = unfit(arguments, program, facts, pointer)
    if faults or not databases:
        return Limited(arguments=arguments, faults=tuple(faults))
    store = await taxa.store_among(databases)
    censuses = await taxa.counted(databases)
    names = ", ".join(database.name for database in databases)
    return await duty(_limited, search, arguments, program, names, taxa.store_path(store) if store else None, censuses)


def facts_of(database: BlastDatabase) -> DatabaseFacts:
    """Return what of a database decides whether it can be limited to organisms."""
    return DatabaseFacts(
        name=database.name,
        molecule=database.molecule,
        version=database.version,
        sequences=database.sequences,
        letters=database.letters,
        has_taxonomy=database.has_taxonomy,
        has_ids=database.has_ids,
    )


def _limited(
    search: Search, arguments: Arguments, program: Program, names: str, store: Path | None, censuses: Sequence[Path]
) -> Limited:
    with ExitStack() as stack:
        opened = stack.enter_context(reading.store(store)) if store is not None else None
        chosen = _Chosen(names, opened, [stack.enter_context(counts.census(path)) for path in censuses])
        include = [chosen.taxon(INCLUDE, asked) for asked in search.organisms]
        exclude = [chosen.taxon(EXCLUDE, asked) for asked in search.exclude_organisms]
        organisms = OrganismFilter(
            include=tuple(each for each in include if each is not None),
            exclude=tuple(each for each in exclude if each is not None),
        )
    if chosen.faults:
        return Limited(arguments=arguments, faults=chosen.faults.told())
    ids = {pointer: {taxid for each in chosen.ids[pointer] for taxid in each} for pointer in (INCLUDE, EXCLUDE)}
    limited = told(arguments, program, ids[INCLUDE] if include else None, ids[EXCLUDE])
    return replace(limited, organisms=organisms, remarks=tuple(chosen.remarks[:SUGGESTIONS]))


class _Chosen:
    """What the organisms of one search are, and what is wrong with them."""

    def __init__(self, names: str, store: TaxonomyStore | None, censuses: Sequence[Census]) -> None:
        self._names, self._store, self._censuses = names, store, censuses
        self.faults, self.remarks = Faults(), list[str]()
        self.ids: dict[str, list[list[int]]] = {INCLUDE: [], EXCLUDE: []}

    def taxon(self, pointer: str, asked: str) -> FilterTaxon | None:
        """Return the taxon that *asked* means, after noting its ids or what is wrong with it."""
        taxid = taxid_of(asked)
        taxon = self._by_name(pointer, asked) if taxid is None else self._by_id(pointer, taxid)
        if taxon is None:
            return None
        ids = sorted({one for census in self._censuses for one in census.below(taxon.taxid, LIST_ITEMS + 1)})
        if not ids:
            self._fault(pointer, f"{shown(taxon)} is known, but {self._names} holds no sequence of it.")
            return None
        self.ids[pointer].append(ids)
        there = [found for census in self._censuses if (found := census.count(taxon.taxid)) is not None]
        return FilterTaxon(
            asked=asked[:SHOWN],
            taxid=taxon.taxid,
            name=taxon.name,
            rank=taxon.rank,
            taxa=len(ids),
            sequences=sum(found.sequences for found in there),
        )

    def _by_id(self, pointer: str, taxid: int) -> Taxon | None:
        known = self._store.taxon(taxid) if self._store is not None else None
        if known is not None:
            if known.taxid != taxid:
                self.remarks.append(f"Taxonomy id {taxid} was merged by NCBI: it is {shown(known)} now.")
            return known
        if any(census.count(taxid) for census in self._censuses):
            return Taxon(taxid=taxid)
        if self._store is None:
            self._fault(
                pointer,
                f"Taxonomy id {taxid}: {self._names} holds no sequence of it, and there is no taxonomy here that says what lies below it.",
            )
        elif self._store.deleted(taxid):
            self._fault(pointer, f"Taxonomy id {taxid} was deleted by NCBI.")
        else:
            self._fault(pointer, f"Taxonomy id {taxid} is unknown.")
        return None

    def _by_name(self, pointer: str, asked: str) -> Taxon | None:
        name = asked[:SHOWN]
        if self._store is None:
            self._fault(pointer, f"{name!r}: {NO_NAMES}.")
            return None
        found = self._store.called(asked)
        if len(found) == 1:
            return found[0]
        if found:
            several = " or ".join(self._told(taxon) for taxon in found[:SUGGESTIONS])
            self._fault(
                pointer, f"{name!r} is the name of several taxa, {several}: give the id of the one that you mean."
            )
        else:
            similar = dict.fromkeys(each for census in self._censuses for each in census.similar(asked))
            meant = [shown(taxon) for each in list(similar)[:SUGGESTIONS] for taxon in self._store.called(each)[:1]]
            hint = f" Did you mean {' or '.join(meant)}?" if meant else " See GET /api/blast/taxa."
            self._fault(pointer, f"{name!r} is no organism that is known here.{hint}")
        return None

    def _told(self, taxon: Taxon) -> str:
        lineage = self._store.lineage(taxon.taxid) if self._store is not None else None
        highest = f" of {lineage.above[0].name}" if lineage is not None and lineage.above else ""
        held = (
            ""
            if any(census.count(taxon.taxid) for census in self._censuses)
            else f", of which {self._names} holds nothing"
        )
        return f"{shown(taxon)}{highest}{held}"

    def _fault(self, pointer: str, sentence: str) -> None:
        self.faults.append((pointer, sentence))
