"""What a search found, query by query: the sentence, the table of queries, and both tables as files."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from blastd.aio import by_size, duty
from blastd.core.hits import HitsRequest, QueriesRequest
from blastd.core.model import Frozen, Job
from blastd.core.programs import limit_of
from blastd.core.taxa import Lineage, organism_of
from blastd.core.verdict import Counts, GoodHit, Phrase, more_subjects, sentence
from blastd.errors import BlastdError, NotFound
from blastd.results import aligned, hits, query_rows, sheets
from blastd.results.query_rows import QueryRow
from blastd.results.sheets import SHEETS, Cell
from blastd.service.results.good_queries import GoodQueries
from blastd.service.results.pages import offset_of
from blastd.service.results.read import Results
from blastd.service.results.request import ReadyResult, ResultStream
from blastd.service.results.streams import FileBlocks, in_threads
from blastd.service.taxonomy.taxa import Taxa
from blastd.store.files import Files

QUERY_COLUMNS = (
    "number", "query", "title", "letters", "verdict", "best_hit", "best_hit_title", "identity_percent",
    "coverage_percent", "evalue", "bit_score", "subjects", "alignments", "limit_reached", "warnings",
)  # fmt: skip
HIT_COLUMNS = (
    ("query_number", "query"), ("query", "query_id"), ("rank", "rank"), ("subject", "subject"),
    ("accession", "subject_accession"), ("title", "subject_title"), ("subject_letters", "subject_length"),
    ("identity_percent", "identity"), ("coverage_percent", "query_coverage"), ("evalue", "evalue_text"),
    ("bit_score", "bit_score"), ("alignment_length", "length"), ("mismatches", "mismatches"), ("gap_opens", "gap_opens"),
    ("query_start", "query_start"), ("query_end", "query_end"), ("subject_start", "subject_start"),
    ("subject_end", "subject_end"), ("taxids", "taxids"),
)  # fmt: skip
SUBJECT_COLUMNS = (("alignments", "hsps"), ("max_bit_score", "max_bit_score"), ("total_bit_score", "total_bit_score"))


class Summary(Frozen, frozen=True, kw_only=True):
    """What a search found. `complete` is False while it runs: then it is of the queries that are done."""

    complete: bool
    counts: Counts
    rule: GoodHit
    limit: int
    more: int
    parts: list[Phrase]
    organisms: bool
    """Whether the hits can be told by organism."""


class QueryPage(Frozen, frozen=True, kw_only=True):
    """A page of queries with their warnings, in order, and of how many."""

    complete: bool
    total: int
    offset: int
    rows: list[tuple[QueryRow, list[str]]]


class QueryTables:
    """Use cases of what each query found."""

    def __init__(self, results: Results, files: Files, taxa: Taxa) -> None:
        """Take the parts."""
        self._results, self._files, self._taxa, self._good = results, files, taxa, GoodQueries()

    async def _with_good(self, ready: ReadyResult, rule: GoodHit) -> tuple[Path, frozenset[int]]:
        """Return the index of the hits, and which queries have a good one."""
        index = await self._results.indices.of(ready)
        return index, await self._good.of(index, rule, ready.stored_bytes)

    async def summary(self, ready: ReadyResult, rule: GoodHit) -> Summary:
        """Return what a search found, told from where on a hit is good."""
        index, good = await self._with_good(ready, rule)
        counts = await by_size(ready.stored_bytes, query_rows.counts, index, good)
        best, found = None, 0
        if counts.queries == 1:
            only = QueriesRequest(rule=rule, limit=1)
            _, [row] = await by_size(ready.stored_bytes, query_rows.page, index, only, good, (), 0)
            best, found = row.best, row.hits
        limit = limit_of(ready.job.options)
        of_taxa = await by_size(ready.stored_bytes, query_rows.of_taxa, index)
        return Summary(
            complete=ready.complete,
            counts=counts,
            rule=rule,
            limit=limit,
            more=more_subjects(limit),
            parts=sentence(counts, rule, limit, best, found),
            organisms=of_taxa and await self._named(ready.job),
        )

    async def _named(self, job: Job) -> bool:
        """Tell whether there is a taxonomy that names organisms."""
        try:
            return await self._taxa.store_for(job.databases) is not None
        except BlastdError:  # told where the report itself is asked for
            return False

    async def page(self, ready: ReadyResult, wanted: QueriesRequest) -> QueryPage:
        """Return a page of the queries and what each found. Raises Invalid."""
        (index, good), offset = await self._with_good(ready, wanted.rule), offset_of(wanted.cursor)
        warnings = _warnings(ready.job)
        total, rows = await by_size(ready.stored_bytes, query_rows.page, index, wanted, good, warnings.keys(), offset)
        ids = {taxid for row in rows if row.best is not None for taxid in row.best.taxids}
        known = await self._taxa.lineages(ready.job.databases, sorted(ids))
        shown = [(_with_names(row, known), warnings.get(row.query, [])) for row in rows]
        return QueryPage(complete=ready.complete, total=total, offset=offset, rows=shown)

    async def sequences(self, ready: ReadyResult, wanted: QueriesRequest) -> ResultStream:
        """Return the submitted sequences of the queries that match. Raises Invalid, NotFound where none does."""
        index, good = await self._with_good(ready, wanted.rule)
        warned = _warnings(ready.job).keys()
        numbers = await by_size(ready.stored_bytes, query_rows.numbers, index, wanted, good, warned)
        if not numbers:
            raise NotFound("No query of this search matches; take other filters.")
        await self._results.query(ready.job)  # whole, or told that it is not
        blocks = aligned.of_queries(self._files.query_path(ready.job.job_id), numbers)
        name = f"{ready.job.short_id}-{wanted.verdict or 'chosen'}-queries.fa"
        return ResultStream(blocks=in_threads(_joined(blocks)), media_type="text/x-fasta; charset=utf-8", name=name)

    async def table(self, ready: ReadyResult, wanted: QueriesRequest, kind: str) -> ResultStream:
        """Return the table of queries as a file: all that match, in the order asked for. Raises Invalid, Unsupported."""
        index, good = await self._with_good(ready, wanted.rule)
        warnings = _warnings(ready.job)

        def cells() -> Iterator[Sequence[Cell]]:
            for row in query_rows.rows(index, wanted, good, warnings.keys()):
                best = row.best
                yield (
                    row.query, row.id, row.title, row.length, row.verdict.value,
                    *((best.accession or best.subject, best.title, best.identity, best.coverage, best.evalue_text, best.bit_score)
                      if best else (None,) * 6),
                    row.hits, row.hsps, "yes" if row.limit_reached else "", " ".join(warnings.get(row.query, [])),
                )  # fmt: skip

        # A wrong order is told before the first byte.
        await self.page(ready, replace(wanted, limit=1, cursor=None))
        return await self._file(ready, kind, "queries", QUERY_COLUMNS, cells)

    async def hit_table(self, ready: ReadyResult, wanted: HitsRequest, kind: str) -> ResultStream:
        """Return the table of hits as a file: all that match, in the order asked for. Raises Invalid, Unsupported."""
        index = await self._results.indices.of(ready)
        columns = HIT_COLUMNS + (SUBJECT_COLUMNS if wanted.group == "subject" else ())

        def cells() -> Iterator[Sequence[Cell]]:
            for row in hits.rows(index, wanted):
                row["taxids"] = ";".join(str(taxid) for taxid in row["taxids"])
                yield [row[key] for _, key in columns]

        await by_size(ready.stored_bytes, hits.page, index, replace(wanted, limit=1), 0)
        name = "subjects" if wanted.group == "subject" else "hits"
        return await self._file(ready, kind, name, [title for title, _ in columns], cells)

    async def _file(
        self,
        ready: ReadyResult,
        kind: str,
        what: str,
        names: Sequence[str],
        cells: Callable[[], Iterator[Sequence[Cell]]],
    ) -> ResultStream:
        sheet = SHEETS[kind]
        name = f"{ready.job.program}-{ready.job.short_id}-{what}.{sheet.name}"
        if kind != "xlsx":
            blocks = in_threads(sheets.text_blocks(kind, names, cells()))
            return ResultStream(blocks=blocks, media_type=sheet.media_type, name=name)
        target: Path = self._files.temporary()
        try:
            await by_size(ready.stored_bytes, partial(sheets.write_workbook, target, names), cells())
            return ResultStream(blocks=await duty(FileBlocks.of, target), media_type=sheet.media_type, name=name)
        finally:
            await duty(target.unlink, missing_ok=True)


def _with_names(row: QueryRow, known: Mapping[int, Lineage]) -> QueryRow:
    """Return a query with the names of its best hit's organisms."""
    if row.best is None or not known:
        return row
    organisms = tuple(organism_of(known[taxid]) for taxid in row.best.taxids if taxid in known)
    return replace(row, best=replace(row.best, organisms=organisms))


def _warnings(job: Job) -> dict[int, list[str]]:
    """Return the warnings of each query that has some."""
    found: dict[int, list[str]] = {}
    for warned in job.warnings:
        if warned.query is not None:
            found.setdefault(warned.query, []).append(warned.text)
    return found


def _joined(lines: Iterable[bytes], size: int = 256 << 10) -> Iterator[bytes]:
    block = bytearray()
    for line in lines:
        block += line
        if len(block) >= size:
            yield bytes(block)
            block.clear()
    if block:
        yield bytes(block)
