"""NCBI's description table in HTML: what clients look for in a report that people read.

A report has one for each query with hits; the first has the id `dscTable`, which clients look for, the others have it with
the query's number. The columns are those of NCBI's page, an empty one first, where NCBI has boxes to tick.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from blastd.core.fewer_subjects import Most
from blastd.core.hits import HitsRequest
from blastd.service import Services
from blastd.service.results.request import ReadyResult
from blastd.web.ncbi_forms import shown

COLUMNS = (
    "Description", "Scientific Name", "Common Name", "Taxid", "Max Score", "Total Score", "Query Cover", "E value",
    "Per. Ident", "Acc. Len", "Accession",
)  # fmt: skip
STANDARD_DESCRIPTIONS = 500
"""How many subjects a table has where the request names no number; the text below it has all."""
QUERIES = 500
"""How many queries of a search get a table: clients that read it send one, people read the first."""
NOTHING = "No significant similarity found."


async def descriptions(services: Services, ready: ReadyResult, most: Most) -> AsyncIterator[bytes]:
    """Yield the description tables of a result, a query at a time."""
    numbers = [number for number in (most.descriptions, most.hits) if number is not None]
    limit = min([STANDARD_DESCRIPTIONS, *numbers])
    for number in range(1, min(ready.job.query.count, QUERIES) + 1):
        if limit == 0:
            return
        wanted = HitsRequest(query=number, group="subject", limit=limit)
        rows = (await services.results.hits(ready, wanted))["hits"]
        yield table(number, rows).encode("utf-8", "replace")


def table(number: int, rows: list[Mapping[str, Any]] | list[dict[str, Any]]) -> str:
    """Return the table of one query (*number* from 1), or the sentence that nothing was found."""
    if not rows:
        return f"<p>Query {number}: {NOTHING}</p>\n"
    name = "dscTable" if number == 1 else f"dscTable{number}"
    head = "".join(f"<th>{column}</th>" for column in COLUMNS)
    body = "".join(f"<tr>{_cells(row)}</tr>\n" for row in rows)
    caption = shown(str(rows[0]["query_id"]))
    return (
        f'<h2>Sequences producing significant alignments with {caption}</h2>\n<table id="{name}" class="dscTable">\n'
        f"<thead><tr><th></th>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"
    )


def _cells(row: Mapping[str, Any]) -> str:
    values = (
        "", row["subject_title"], "", "", ", ".join(str(taxid) for taxid in row["taxids"]), _score(row["max_bit_score"]),
        _score(row["total_bit_score"]), f"{row['query_coverage']:.0f}%" if row["query_coverage"] is not None else "",
        row["evalue_text"], f"{row['identity']:.2f}%" if row["identity"] is not None else "",
        row["subject_length"], row["subject"],
    )  # fmt: skip
    return "".join(f"<td>{shown(str(value))}</td>" for value in values)


def _score(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"
