"""What may be asked of results; the answers are files and rows of `core`."""

from typing import Annotated, Literal

from msgspec import Meta

from blastd.web.wire.base import MOST, Request, Wire


class ResultsQuery(Request, frozen=True, kw_only=True):
    """Which format, of which part."""

    format: (
        Annotated[str, Meta(description="See `formats` of /api/blast/programs; without it the Accept header chooses.")]
        | None
    ) = None
    header: Annotated[bool, Meta(description="For tabular and csv: a first line with the names of the columns.")] = (
        False
    )
    fields: Annotated[str, Meta(description="Columns of tabular, commented and csv, as BLAST+ names them.")] | None = (
        None
    )
    query: Annotated[int, Meta(ge=1, le=MOST, description="Only this query, counted from 1.")] | None = None
    subject: Annotated[list[str], Meta(description="For fasta: only these subjects.")] = []
    partial: Annotated[bool, Meta(description="While running: what is done.")] = False
    wait: (
        Annotated[
            float, Meta(ge=0, le=60, description="Seconds to hold while the file is made, then 202; without it, 4.")
        ]
        | None
    ) = None


class MakingView(Wire, frozen=True, kw_only=True):
    """A file that is being made: ask `links.result` again, or DELETE it to stop the making. Null: not known."""

    status: Literal["making"] = "making"
    step: Annotated[str, Meta(description="waiting (for its turn), checking (searched again and compared), writing.")]
    fraction: float | None
    seconds: Annotated[float, Meta(description="Since the making was asked for.")]
    waiting_for: str | None
    links: dict[str, str]


class SubjectsBody(Request, frozen=True, kw_only=True):
    """The subjects whose sequences are wanted."""

    subjects: Annotated[list[str], Meta(max_length=1_000_000)]


class HitsQuery(Request, frozen=True, kw_only=True):
    """Which hits, in which order."""

    query: Annotated[int, Meta(ge=1, le=MOST)] | None = None
    sort: str = "query"
    order: Annotated[str, Meta(pattern="^(asc|desc)$")] | None = None
    min_identity: Annotated[float, Meta(ge=0, le=100)] | None = None
    max_evalue: Annotated[float, Meta(ge=0)] | None = None
    min_coverage: Annotated[float, Meta(ge=0, le=100)] | None = None
    q: Annotated[str, Meta(max_length=200, description="Text in the subject's id or title.")] | None = None
    group: Annotated[str, Meta(pattern="^(hsp|subject)$")] = "hsp"
    sequences: bool = False
    statistics: bool = False
    partial: bool = False
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None


class AlignmentsQuery(Request, frozen=True, kw_only=True):
    """Which alignments of a job."""

    query: Annotated[int, Meta(ge=1, le=MOST, description="The query, counted from 1.")] = 1
    rank: Annotated[int, Meta(ge=1, le=MOST, description="The subject to begin with, in the order of the hits.")] = 1
    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class SubjectView(Wire, frozen=True, kw_only=True):
    """A subject with its alignments as BLAST+ wrote them, one text a HSP."""

    rank: int
    title: str
    hsps: list[str]


class AlignmentsView(Wire, frozen=True, kw_only=True):
    """A page of alignments of one query; `next_rank` begins the next one. `cut`: the last subject has more HSPs."""

    query: int
    subjects: list[SubjectView]
    next_rank: int | None
    cut: bool


class StatisticsQuery(Request, frozen=True, kw_only=True):
    """Of which query; of all if absent."""

    query: Annotated[int, Meta(ge=1, le=MOST)] | None = None
    partial: bool = False
