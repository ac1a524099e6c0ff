"""What may be asked of the hits of a result, in one shape for every surface. Pure."""

from blastd.core.model import Frozen
from blastd.core.verdict import GoodHit, Verdict


class HitsRequest(Frozen, frozen=True, kw_only=True):
    """Which hits, in which order; `cursor` is where the page begins, as the page before named it."""

    query: int | None = None
    rank: int | None = None
    """Of one subject: its place in the order of BLAST+, from 1."""
    sort: str = "query"
    order: str | None = None
    iteration: int | None = None
    """Of a search with several; None: the last one of each query."""
    min_identity: float | None = None
    max_evalue: float | None = None
    min_coverage: float | None = None
    text: str | None = None
    group: str = "hsp"
    sequences: bool = False
    """Whether rows of HSPs come with their aligned letters."""
    limit: int = 100
    cursor: str | None = None


class QueriesRequest(Frozen, frozen=True, kw_only=True):
    """Which queries of a result, in which order, and from where on a hit counts as good."""

    rule: GoodHit
    text: str | None = None
    with_hits: bool | None = None
    verdict: Verdict | None = None
    limit_reached: bool | None = None
    warned: bool | None = None
    numbers: tuple[int, ...] = ()
    """Only these, counted from 1; empty: all."""
    sort: str = "query"
    order: str | None = None
    limit: int = 100
    cursor: str | None = None


class TaxonomyRequest(Frozen, frozen=True, kw_only=True):
    """What hits say of organisms: by `organism`, by `lineage`, or by `query` with what its best hits have in common.

    The best are those whose bit score is within `top` per cent of the query's highest.
    """

    by: str = "organism"
    query: int | None = None
    top: float = 10.0
    limit: int = 100
    cursor: str | None = None
