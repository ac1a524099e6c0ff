"""What the hits of a result say of organisms, page by page."""

from pathlib import Path
from typing import Any

from blastd.aio import by_size
from blastd.core.hits import TaxonomyRequest
from blastd.results import taxa as reports
from blastd.results.taxa import TaxaReport
from blastd.service.results.hit_indices import HitIndices
from blastd.service.results.pages import offset_of, page_of
from blastd.service.results.request import ReadyResult
from blastd.service.taxonomy.taxa import Taxa

KEYS = {"organism": "organisms", "lineage": "taxa", "query": "queries"}
"""What the rows of each report are called."""


async def taxonomy(indices: HitIndices, taxa: Taxa, ready: ReadyResult, wanted: TaxonomyRequest) -> dict[str, Any]:
    """Return a page of a report. Raises Invalid, Unavailable, ToolFailed."""
    index, offset = await indices.of(ready), offset_of(wanted.cursor)
    store = await taxa.store_for(ready.job.databases)
    report = await by_size(ready.stored_bytes, _report, index, store, wanted, offset)
    return {
        "complete": ready.complete,
        "by": wanted.by,
        "names": store is not None,
        "unassigned": report.unassigned,
        "total": report.total,
        KEYS[wanted.by]: report.rows,
        "page": page_of(wanted.limit, offset, len(report.rows), report.total),
    }


def _report(index: Path, store: Path | None, wanted: TaxonomyRequest, offset: int) -> TaxaReport:
    if wanted.by == "query":
        return reports.by_query(index, store, wanted.query, wanted.limit, offset, wanted.top)
    report = reports.by_lineage if wanted.by == "lineage" else reports.by_organism
    return report(index, store, wanted.query, wanted.limit, offset)
