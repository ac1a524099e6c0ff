"""What a search found, query by query: the sentence, the table of queries, and both tables as files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from msgspec.structs import replace

from blastd.aio import by_size, duty
from blastd.core.hits import HitsRequest, QueriesRequest
from blastd.core.model import Frozen, Job
from blastd.core.programs import limit_of
from blastd.core.verdict import Counts, GoodHit, Phrase, more_subjects, sentence
from blastd.errors import NotFound
from blastd.results import aligned, hits, query_rows, sheets
from blastd.results.query_rows import QueryRow
from blastd.results.sheets import SHEETS, Cell
from blastd.service.results.pages import offset_of
from blastd.service.results.read import Results
from blastd.service.results.request import ReadyResult, ResultStream
from blastd.service.results.streams import FileBlocks, in_threads
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


class QueryPage(Frozen, frozen=True, kw_only=True):
    """A page of queries with their warnings, in order, and of how many."""

    complete: bool
    total: int
    offset: int
    rows: list[tuple[QueryRow, list[str]]]


class QueryTables:
    """Use cases of what each query found."""

    def __init__(self, results: Results, files: Files) -> None:
        """Take the parts."""
        self._results, self._files = results, files

    async def summary(self, ready: ReadyResult, rule: GoodHit) -> Summary:
        """Return what a search found, told from where on a hit is good."""
        index = await self._results.indices.of(ready)
        counts = await by_size(ready.stored_bytes, query_rows.counts, index, rule)
        best, found = None, 0
        if counts.queries == 1:
            only = QueriesRequest(rule=rule, limit=1)
            _, [row] = await by_size(ready.stored_bytes, query_rows.page, index, only, (), 0)
            best, found = row.best, row.hits
        limit = limit_of(ready.job.options)
        return Summary(
            complete=ready.complete,
            counts=counts,
            rule=rule,
            limit=limit,
            more=more_subjects(limit),
            parts=sentence(counts, rule, limit, best, found),
        )

    async def page(self, ready: ReadyResult, wanted: QueriesRequest) -> QueryPage:
        """Return a page of the queries and what each found. Raises Invalid."""
        index, offset = await self._results.indices.of(ready), offset_of(wanted.cursor)
        warnings = _warnings(ready.job)
        total, rows = await by_size(ready.stored_bytes, query_rows.page, index, wanted, warnings.keys(), offset)
        shown = [(row, warnings.get(row.query, [])) for row in rows]
        return QueryPage(complete=ready.complete, total=total, offset=offset, rows=shown)

    async def sequences(self, ready: ReadyResult, wanted: QueriesRequest) -> ResultStream:
        """Return the submitted sequences of the queries that match. Raises Invalid, NotFound where none does."""
        index = await self._results.indices.of(ready)
        warned = _warnings(ready.job).keys()
        numbers = await by_size(ready.stored_bytes, query_rows.numbers, index, wanted, warned)
        if not numbers:
            raise NotFound("No query of this search matches; take other filters.")
        await self._results.query(ready.job)  # whole, or told that it is not
        blocks = aligned.of_queries(self._files.query_path(ready.job.job_id), numbers)
        name = f"{ready.job.short_id}-{wanted.verdict or 'chosen'}-queries.fa"
        return ResultStream(blocks=in_threads(_joined(blocks)), media_type="text/x-fasta; charset=utf-8", name=name)

    async def table(self, ready: ReadyResult, wanted: QueriesRequest, kind: str) -> ResultStream:
        """Return the table of queries as a file: all that match, in the order asked for. Raises Invalid, Unsupported."""
        index = await self._results.indices.of(ready)
        warnings = _warnings(ready.job)

        def cells() -> Iterator[Sequence[Cell]]:
            for row in query_rows.rows(index, wanted, warnings.keys()):
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
