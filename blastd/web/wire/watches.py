"""Watches on the wire: searches that run again when their databases change, and what became of their hits."""

from typing import Annotated, Any

from msgspec import Meta

from blastd.core.difference import KINDS
from blastd.core.watching import WatchState
from blastd.web.wire.base import MOST, Moment, Page, Request, Wire, one_of
from blastd.web.wire.jobs import OrganismName, QueryView, SearchBody


class WatchBody(Request, frozen=True, kw_only=True):
    """What is to be watched: the search of a `job` that you have, or a new `search`, which is submitted now."""

    job: (
        Annotated[str, Meta(max_length=36, description="Id of a search of yours; its result is the first run.")] | None
    ) = None
    search: SearchBody | None = None
    label: Annotated[str, Meta(max_length=500, description="What it is called; the title of the search if absent.")] = (
        ""
    )
    webhook: (
        Annotated[
            str,
            Meta(
                max_length=2000,
                description="Address that is told of changes by a signed POST; absent: your own; empty: none.",
            ),
        ]
        | None
    ) = None


class WatchesQuery(Request, frozen=True, kw_only=True):
    """Which watches are listed."""

    job: Annotated[str, Meta(max_length=36, description="Only those of which this search is a run.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    cursor: str | None = None


class ChangesQuery(Request, frozen=True, kw_only=True):
    """Which changes are told."""

    run: Annotated[int, Meta(ge=1, le=MOST, description="Of this run; absent: of the last comparison.")] | None = None
    query: Annotated[int, Meta(ge=1, le=MOST, description="Only of this query, counted from 1.")] | None = None
    kind: Annotated[str, Meta(max_length=100, description="Only these."), one_of(KINDS)] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None


class DifferenceView(Wire, frozen=True, kw_only=True):
    """How many subjects are new, lost and changed since the run before, counted for each query; and in how many queries."""

    new: int
    lost: int
    changed: int
    queries: int


class WatchTroubleView(Wire, frozen=True, kw_only=True):
    """Why a watch can't run now, and since when."""

    code: str
    text: str
    since: Moment


class WatchRunView(Wire, frozen=True, kw_only=True):
    """A run of a watch. `difference` is null until it was compared, or where there was nothing to compare, as `note` says."""

    number: int
    job_id: str
    began_at: Moment
    settled_at: Moment | None
    before_job_id: str | None
    difference: DifferenceView | None
    note: str
    database_fingerprint: list[str]


class WatchedSearch(Wire, frozen=True, kw_only=True):
    """The search of a watch, as it is asked again."""

    program: str
    task: str | None
    database: list[str]
    options: dict[str, Any]
    query_loc: str | None
    organisms: list[OrganismName]
    exclude_organisms: list[OrganismName]
    engine: str | None


class WatchView(Wire, frozen=True, kw_only=True):
    """A watch: `after_job_id` is its newest run that was settled, `before_job_id` what that was compared with."""

    watch_id: str
    owner: str
    label: str
    state: Annotated[str, one_of(WatchState)]
    search: WatchedSearch
    query: QueryView
    webhook: str | None
    created_at: Moment
    updated_at: Moment
    runs: Annotated[int, Meta(description="How many there were.")]
    before_job_id: str | None
    after_job_id: str | None
    trouble: WatchTroubleView | None


class WatchDetail(Wire, frozen=True, kw_only=True):
    """A watch with its runs, newest first."""

    watch: WatchView
    runs: list[WatchRunView]


class WatchList(Wire, frozen=True, kw_only=True):
    """Watches, newest first."""

    watches: list[WatchView]
    page: Page


class FoundSubjectView(Wire, frozen=True, kw_only=True):
    """A subject as a run found it, by its best alignment."""

    subject: str
    accession: str
    title: str
    length: int
    rank: int
    evalue: str
    bit_score: float
    identity: float | None
    coverage: float | None


class SubjectChangeView(Wire, frozen=True, kw_only=True):
    """What became of one subject of one query. `what` names what changed: id, title, length, alignments."""

    query: int
    query_id: str
    query_title: str
    kind: Annotated[str, one_of(KINDS)]
    what: list[str]
    before: FoundSubjectView | None
    after: FoundSubjectView | None


class WatchChanges(Wire, frozen=True, kw_only=True):
    """What is new, lost and changed between two runs."""

    watch_id: str
    run: WatchRunView
    total: Annotated[int, Meta(description="Changes that match.")]
    changes: list[SubjectChangeView]
    page: Page


class RemovedWatch(Wire, frozen=True, kw_only=True):
    """Which watch was removed; its searches stay."""

    watch_id: str
