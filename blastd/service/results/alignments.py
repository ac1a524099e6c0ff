"""Alignments of one query as BLAST+ wrote them, a page of subjects at a time.

They are read from the pairwise report of the query, which is made once and kept like every format. Where a query alone is
another search than it was among all, the report of the whole search is read.
"""

from collections.abc import Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from msgspec.structs import replace

from blastd.aio import offload
from blastd.core.model import Frozen, Job
from blastd.core.pairwise import SubjectAlignments, last_round, subjects
from blastd.core.programs import iterates, limit_of
from blastd.errors import Invalid, ResultGone, Unavailable, Unsupported
from blastd.service.results.read import Results
from blastd.service.results.request import ResultFile, ResultMaking, ResultRequest

MOST_BYTES = 2 << 20
"""What one page of alignments holds at most, but for its first subject, whose HSPs are cut there."""


class AlignmentPage(Frozen, frozen=True, kw_only=True):
    """Subjects of a query with their alignments; `next_rank` is where the next page begins, None at the end.

    `cut` tells that the last subject has more HSPs than are here.
    """

    query: int
    subjects: tuple[SubjectAlignments, ...]
    next_rank: int | None
    cut: bool = False


async def alignments(results: Results, job: Job, query: int, rank: int, limit: int) -> AlignmentPage:
    """Return *limit* subjects of a query (number from 1) from *rank* on. Raises Invalid, NotReady, ResultGone."""
    if query > job.query.count:
        raise Invalid([("/query", f"The search has {job.query.count:,} queries.")])
    limited = {"max_target_seqs", "num_alignments"} & job.options.keys()
    wanted = ResultRequest(
        format="pairwise", query=query, whole=True, alignments=None if limited else limit_of(job.options)
    )
    number = 1
    try:
        report = await results.read(job, wanted)
    except Unsupported:
        report, number = await results.read(job, replace(wanted, query=None)), query
    if isinstance(report, ResultMaking):
        raise Unavailable("The alignments are being made; ask for them again in a moment.")
    if not isinstance(report, ResultFile):
        raise ResultGone("The pairwise report can't be read.")
    read, more = await offload(
        partial(_read, iterated=iterates(job.program, job.options)), report.path, number, rank, limit
    )
    kept, cut = _within(read)
    last = kept[-1].rank if kept else rank
    return AlignmentPage(
        query=query, subjects=kept, next_rank=last + 1 if more or len(kept) < len(read) else None, cut=cut
    )


def _read(path: Path, number: int, rank: int, limit: int, *, iterated: bool) -> tuple[list[SubjectAlignments], bool]:
    with path.open("rb") as file:
        number = last_round(file, number) if iterated else number
        file.seek(0)
        found = list(islice(subjects(file, number), rank - 1, rank + limit))
    return found[:limit], len(found) > limit


def _within(read: Sequence[SubjectAlignments]) -> tuple[tuple[SubjectAlignments, ...], bool]:
    """Return the subjects that fit into one answer, and whether HSPs of the only one were cut."""
    kept: list[SubjectAlignments] = []
    left = MOST_BYTES
    for subject in read:
        size = sum(len(text) for text in subject.hsps)
        if size > left and kept:
            break
        if size > left:
            hsps: list[str] = []
            for text in subject.hsps:
                if hsps and len(text) > left:
                    break
                hsps.append(text)
                left -= len(text)
            shown = SubjectAlignments(rank=subject.rank, title=subject.title, hsps=tuple(hsps))
            return (shown,), len(hsps) < len(subject.hsps)
        kept.append(subject)
        left -= size
    return tuple(kept), False
