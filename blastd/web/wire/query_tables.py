"""What is asked of the queries of a search, and how each is told."""

from typing import Annotated

from msgspec import Meta

from blastd.web.wire.base import MOST, Page, Request, Wire
from blastd.web.wire.results import HitOrganism, HitsQuery

Percent = Annotated[float, Meta(ge=0, le=100)]
Numbers = Annotated[list[Annotated[int, Meta(ge=1, le=MOST)]], Meta(description="Only these queries, counted from 1.")]


class SummaryQuery(Request, frozen=True, kw_only=True):
    """From where on a hit is good."""

    identity: (
        Annotated[
            float, Meta(ge=0, le=100, description="A good hit has this identity, in per cent; without: by program.")
        ]
        | None
    ) = None
    coverage: (
        Annotated[float, Meta(ge=0, le=100, description="A good hit covers this much of the query, in per cent.")]
        | None
    ) = None
    partial: bool = False


class QueriesQuery(SummaryQuery, frozen=True, kw_only=True):
    """Which queries of a job, in which order."""

    q: Annotated[str, Meta(max_length=200, description="Text in the title of the query or of its best hit.")] | None = (
        None
    )
    with_hits: bool | None = None
    verdict: Annotated[str, Meta(pattern="^(good|weaker|none)$")] | None = None
    limit_reached: bool | None = None
    warned: bool | None = None
    query: Numbers = []
    sort: str = "query"
    order: Annotated[str, Meta(pattern="^(asc|desc)$")] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None


class QueryTableQuery(QueriesQuery, frozen=True, kw_only=True):
    """The same, and as which kind of file; limit and cursor are not looked at."""

    format: Annotated[str, Meta(pattern="^(tsv|csv|xlsx)$")] = "tsv"


class HitTableQuery(HitsQuery, frozen=True, kw_only=True):
    """Which hits, and as which kind of file; limit and cursor are not looked at."""

    format: Annotated[str, Meta(pattern="^(tsv|csv|xlsx)$")] = "tsv"


class QuerySequencesQuery(Request, frozen=True, kw_only=True):
    """Of which queries the sequences are wanted; without anything: all, as they were submitted."""

    identity: Percent | None = None
    coverage: Percent | None = None
    verdict: Annotated[str, Meta(pattern="^(good|weaker|none)$")] | None = None
    limit_reached: bool | None = None
    warned: bool | None = None
    query: Numbers = []


class RuleView(Wire, frozen=True, kw_only=True):
    """From which identity over which part of the query a hit is good, in per cent."""

    identity: float
    coverage: float


class PartView(Wire, frozen=True, kw_only=True):
    """A piece of the sentence; `filter` names the queries that its number counts."""

    text: str
    filter: Annotated[str, Meta(pattern="^(good|weaker|none|limit)$")] | None


class SummaryView(Wire, frozen=True, kw_only=True):
    """What a search found. While it runs (`complete` is false) it is of the queries that are done."""

    complete: bool
    sentence: str
    parts: list[PartView]
    rule: RuleView
    queries: int
    good: int
    weaker: int
    none: int
    limit_reached: int
    limit: Annotated[int, Meta(description="Subjects that are kept for each query.")]
    more: Annotated[int, Meta(description="The limit to search again with where it was reached.")]
    organisms: Annotated[bool, Meta(description="Whether the hits can be told by organism (`…/taxonomy`).")]


class BestHitView(Wire, frozen=True, kw_only=True):
    """The first subject of a query in the order of BLAST+; `spans` are its HSPs on the query, the first 200."""

    subject: str
    accession: str
    title: str
    length: int
    taxids: list[int]
    organisms: Annotated[list[HitOrganism], Meta(description="What the taxonomy of the search knows of `taxids`.")]
    identity: float | None
    coverage: float | None
    evalue: float | None
    evalue_text: str
    bit_score: float | None
    spans: list[tuple[int, int]]


class QueryRowView(Wire, frozen=True, kw_only=True):
    """A query and what it found."""

    query: int
    id: str
    title: str
    length: int
    hits: int
    hsps: int
    best_evalue: float | None
    best_bit_score: float | None
    limit_reached: bool
    iterations: Annotated[int | None, Meta(description="Of psiblast and deltablast; null for other programs.")]
    converged: Annotated[bool | None, Meta(description="Whether further iterations would find the same.")]
    verdict: str
    best: BestHitView | None
    warnings: list[str]
    done: bool


class QueryPageView(Wire, frozen=True, kw_only=True):
    """A page of queries."""

    complete: bool
    total: int
    rule: RuleView
    queries: list[QueryRowView]
    page: Page
