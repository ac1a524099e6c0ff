"""What may be asked of the hits of a result, in one shape for every surface. Pure."""

from blastd.core.model import Frozen


class HitsRequest(Frozen, frozen=True, kw_only=True):
    """Which hits, in which order; `cursor` is where the page begins, as the page before named it."""

    query: int | None = None
    sort: str = "query"
    order: str | None = None
    min_identity: float | None = None
    max_evalue: float | None = None
    min_coverage: float | None = None
    text: str | None = None
    group: str = "hsp"
    sequences: bool = False
    """Whether rows of HSPs come with their aligned letters."""
    limit: int = 100
    cursor: str | None = None
