"""Pages of hits and queries, and the aligned letters of a page."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blastd.core.model import Job
from blastd.errors import Invalid
from blastd.results.aligned import STANDARD, aligned, query_letters


def offset_of(cursor: str | None) -> int:
    """Return where a page begins. Raises Invalid for a cursor that is none of ours."""
    if cursor is None:
        return 0
    if not cursor.isdecimal() or len(cursor) > 12:
        raise Invalid([("/cursor", "This is no cursor of ours: use `next_cursor` of the page before.")])
    return int(cursor)


def page_of(limit: int, offset: int, returned: int, total: int) -> dict[str, Any]:
    """Return what a page says of itself."""
    more = offset + returned < total
    return {
        "limit": limit, "returned": returned, "has_more": more, "next_cursor": str(offset + returned) if more else None,
    }  # fmt: skip


def align(job: Job, folder: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Add the aligned letters to rows; blocking."""
    if job.query.type == "pssm":
        return  # a matrix has no letters
    gencode = STANDARD if job.program in ("blastx", "tblastx", "rpstblastn") else None
    if gencode is not None and str(job.options.get("query_gencode", "1")) != "1":
        return  # pairwise output has them
    letters: dict[int, str] = {}
    for row in rows:
        if not row["btop"]:  # not in the stored form: pairwise output has them
            continue
        number = row["query"]
        if number not in letters:
            letters[number] = query_letters(folder / "query.fa", number)
        row["query_sequence"], row["subject_sequence"] = aligned(row, letters[number], gencode)
