"""What a result says of organisms: hits by organism and by lineage, and what the best hits of each query have in common.

It is reckoned from the index of hits (`results/hits.py`) and a store of taxa. All functions block. A hit is a subject that a
query found; one of several organisms, as equal sequences are merged in some databases, counts for each.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from blastd.core.model import Frozen, Unit
from blastd.core.tabular import COLUMN, cells, sections
from blastd.core.taxa import Lineage, Taxon, common
from blastd.results.assemble import result_units, stored_lines, stored_path
from blastd.taxonomy import reading

BY_QUERY = """SELECT query, taxids, sum(hsp = 1) AS hits, count(*) AS hsps, min(evalue) AS evalue, max(bit_score) AS bit_score
              FROM hsp WHERE (:query IS NULL OR query = :query) GROUP BY query, taxids ORDER BY query"""
DISTINCT = "SELECT DISTINCT taxids FROM hsp WHERE :query IS NULL OR query = :query"
QUERIES = "SELECT query, id, hits FROM query WHERE :query IS NULL OR query = :query ORDER BY query LIMIT :limit OFFSET :offset"
COUNT = "SELECT count(*) FROM query WHERE :query IS NULL OR query = :query"
BEST = """SELECT taxids, max(bit_score) AS bit_score, count(DISTINCT rank) AS hits FROM hsp WHERE query = :query AND bit_score >=
          :share * (SELECT max(bit_score) FROM hsp WHERE query = :query) GROUP BY taxids"""


class OrganismHits(Frozen, frozen=True, kw_only=True):
    """The hits of one organism. `lineage` are the names above it, the highest first."""

    taxid: int
    name: str
    common_name: str
    rank: str
    lineage: tuple[str, ...]
    queries: int
    hits: int
    hsps: int
    best_evalue: float | None
    best_bit_score: float | None


class LineageHits(Frozen, frozen=True, kw_only=True):
    """The hits of a taxon and of all below it; rows come depth first, `depth` counts from 0."""

    taxid: int
    parent: int | None
    depth: int
    name: str
    rank: str
    queries: int
    hits: int


class QueryTaxon(Frozen, frozen=True, kw_only=True):
    """What the best hits of a query have in common: the lowest taxon above all of them; null: there is none, or no hit.

    `best_hits` is of how many hits, of `hits` in all; `organisms` of how many organisms these are.
    """

    query: int
    id: str
    hits: int
    best_hits: int
    organisms: int
    taxid: int | None
    name: str | None
    rank: str | None
    lineage: tuple[str, ...]


class TaxaReport(Frozen, frozen=True, kw_only=True):
    """A page of one of the reports, of `total` rows; `unassigned` hits are of sequences without organism."""

    total: int
    rows: tuple[OrganismHits, ...] | tuple[LineageHits, ...] | tuple[QueryTaxon, ...]
    unassigned: int = 0


class _Sum:
    """What is added up of a taxon."""

    def __init__(self) -> None:
        self.queries = self.hits = self.hsps = self.last = 0
        self.evalue: float | None = None
        self.bit_score: float | None = None

    def add(self, row: sqlite3.Row) -> None:
        if self.last != row["query"]:
            self.queries, self.last = self.queries + 1, row["query"]
        self.hits += row["hits"]
        self.hsps += row["hsps"]
        if row["evalue"] is not None:
            self.evalue = row["evalue"] if self.evalue is None else min(self.evalue, row["evalue"])
        if row["bit_score"] is not None:
            self.bit_score = row["bit_score"] if self.bit_score is None else max(self.bit_score, row["bit_score"])


def ids_of(text: str) -> list[int]:
    """Return the taxonomy ids of a row of hits, each once."""
    return list(dict.fromkeys(int(one) for one in text.split(";") if one.isdigit() and one != "0"))


def found_in(folder: Path, units: Sequence[Unit]) -> tuple[set[int], bool]:
    """Return the taxonomy ids of all hits of stored tables, and whether each hit has some. Raises Damaged."""
    ids, all_have = set[int](), True
    for unit in result_units(units):
        for section in sections(stored_lines(stored_path(folder, unit))):
            for row in section.rows:
                its = ids_of(cells(row)[COLUMN["staxids"]])
                ids.update(its)
                all_have = all_have and bool(its)
    return ids, all_have


def by_organism(index: Path, store: Path | None, query: int | None, limit: int, offset: int) -> TaxaReport:
    """Return the organisms with most hits first."""
    sums: dict[int, _Sum] = {}
    unassigned = 0
    with closing(_open(index)) as db:
        for row in db.execute(BY_QUERY, {"query": query}):
            ids = ids_of(row["taxids"])
            unassigned += 0 if ids else row["hits"]
            for taxid in ids:
                sums.setdefault(taxid, _Sum()).add(row)
    order = sorted(sums, key=lambda taxid: (-sums[taxid].hits, -(sums[taxid].bit_score or 0.0), taxid))
    page = order[offset : offset + limit]
    known = _lineages(store, page)
    rows = tuple(_organism(taxid, known.get(taxid), sums[taxid]) for taxid in page)
    return TaxaReport(total=len(order), rows=rows, unassigned=unassigned)


def _organism(taxid: int, lineage: Lineage | None, found: _Sum) -> OrganismHits:
    taxon = lineage.taxon if lineage is not None else Taxon(taxid=taxid)
    return OrganismHits(
        taxid=taxid,
        name=taxon.name,
        common_name=taxon.common_name,
        rank=taxon.rank,
        lineage=tuple(above.name for above in lineage.above) if lineage is not None else (),
        queries=found.queries,
        hits=found.hits,
        hsps=found.hsps,
        best_evalue=found.evalue,
        best_bit_score=found.bit_score,
    )


def by_lineage(index: Path, store: Path | None, query: int | None, limit: int, offset: int) -> TaxaReport:
    """Return all taxa that hits are of or lie below, depth first, those of most hits first."""
    sums: dict[int, _Sum] = {}
    taxa: dict[int, Taxon] = {}
    parents: dict[int, int | None] = {}
    unassigned = 0
    with closing(_open(index)) as db:
        ids = {taxid for row in db.execute(DISTINCT, {"query": query}) for taxid in ids_of(row["taxids"])}
        known = _lineages(store, sorted(ids))
        for row in db.execute(BY_QUERY, {"query": query}):
            its = ids_of(row["taxids"])
            unassigned += 0 if its else row["hits"]
            above = {taxon.taxid: (taxon, parent) for taxid in its for taxon, parent in _way(taxid, known.get(taxid))}
            for taxid, (taxon, parent) in above.items():
                taxa[taxid], parents[taxid] = taxon, parent
                sums.setdefault(taxid, _Sum()).add(row)
    rows = list(_depth_first(taxa, parents, sums))
    return TaxaReport(total=len(rows), rows=tuple(rows[offset : offset + limit]), unassigned=unassigned)


def _way(taxid: int, lineage: Lineage | None) -> Iterator[tuple[Taxon, int | None]]:
    """Yield the taxa from the top down to *taxid*, each with its parent."""
    parent: int | None = None
    for taxon in lineage.path if lineage is not None else (Taxon(taxid=taxid),):
        yield taxon, parent
        parent = taxon.taxid


def _depth_first(
    taxa: Mapping[int, Taxon], parents: Mapping[int, int | None], sums: Mapping[int, _Sum]
) -> Iterator[LineageHits]:
    children: dict[int | None, list[int]] = {}
    for taxid, parent in parents.items():
        children.setdefault(parent, []).append(taxid)
    for below in children.values():
        below.sort(key=lambda taxid: (sums[taxid].hits, -taxid))  # the last is taken first
    pending = [(taxid, 0) for taxid in children.get(None, [])]
    while pending:
        taxid, depth = pending.pop()
        yield LineageHits(
            taxid=taxid,
            parent=parents[taxid],
            depth=depth,
            name=taxa[taxid].name,
            rank=taxa[taxid].rank,
            queries=sums[taxid].queries,
            hits=sums[taxid].hits,
        )
        pending += [(child, depth + 1) for child in children.get(taxid, [])]


def by_query(index: Path, store: Path | None, query: int | None, limit: int, offset: int, top: float) -> TaxaReport:
    """Return for each query the lowest taxon above all hits whose bit score is within *top* per cent of its best."""
    with closing(_open(index)) as db:
        total = int(db.execute(COUNT, {"query": query}).fetchone()[0])
        found = db.execute(QUERIES, {"query": query, "limit": limit, "offset": offset}).fetchall()
        best = {
            row["query"]: db.execute(BEST, {"query": row["query"], "share": 1 - top / 100}).fetchall() for row in found
        }
    its = {query: [ids_of(row["taxids"]) for row in rows] for query, rows in best.items()}
    known = _lineages(store, sorted({taxid for rows in its.values() for ids in rows for taxid in ids}))
    rows = tuple(
        _query_taxon(row, sum(each["hits"] for each in best[row["query"]]), its[row["query"]], known) for row in found
    )
    return TaxaReport(total=total, rows=rows)


def _query_taxon(
    row: sqlite3.Row, best_hits: int, hits: Sequence[Sequence[int]], known: Mapping[int, Lineage]
) -> QueryTaxon:
    ids = list(dict.fromkeys(taxid for its in hits for taxid in its))
    lowest = common(known[taxid].path for taxid in ids) if ids and all(taxid in known for taxid in ids) else None
    above: tuple[Taxon, ...] = ()
    if lowest is not None:
        path = known[ids[0]].path
        above = path[: next(at for at, taxon in enumerate(path) if taxon.taxid == lowest.taxid)]
    return QueryTaxon(
        query=row["query"],
        id=row["id"],
        hits=row["hits"],
        best_hits=best_hits,
        organisms=len(ids),
        taxid=lowest.taxid if lowest is not None else None,
        name=lowest.name if lowest is not None else None,
        rank=lowest.rank if lowest is not None else None,
        lineage=tuple(taxon.name for taxon in above),
    )


def _lineages(store: Path | None, ids: Iterable[int]) -> Mapping[int, Lineage]:
    return reading.lineages(store, list(ids)) if store is not None else {}


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    db.row_factory = sqlite3.Row
    return db
