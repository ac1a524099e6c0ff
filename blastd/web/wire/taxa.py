"""Taxa on the wire: what is found while somebody types, and where the taxonomy of the service stands."""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from blastd.web.wire.base import Page, Request, Wire
from blastd.web.wire.jobs import DATABASES, DatabaseName

TYPED_LETTERS = 200


class TaxaQuery(Request, frozen=True, kw_only=True):
    """What is typed, and the databases that are to be searched."""

    q: Annotated[
        str, Meta(max_length=TYPED_LETTERS, description="The beginning of a name or of a word in it, or a taxonomy id.")
    ] = ""
    database: Annotated[
        list[DatabaseName], Meta(max_length=DATABASES, description="May be repeated, or separated by commas.")
    ] = []
    databases: Annotated[list[DatabaseName], Meta(max_length=DATABASES, description="The same as `database`.")] = []
    molecule: Annotated[str, Meta(description="nucleotide or protein; for names that both have.")] = ""
    limit: Annotated[int, Meta(ge=1, le=50)] = 15


class TaxonView(Wire, frozen=True, kw_only=True):
    """A taxon that the databases hold. `lineage` are the names above it, the highest first."""

    taxid: int
    name: str
    common_name: str
    rank: str
    lineage: list[str]
    sequences: Annotated[
        int, Meta(description="Of this taxon and of all below it; one of several taxa counts for each.")
    ]
    taxa: Annotated[int, Meta(description="How many taxa these sequences are of.")]


class TaxaView(Wire, frozen=True, kw_only=True):
    """Taxa for what is typed. `names`: false where there is no taxonomy, so that only ids are found."""

    taxa: list[TaxonView]
    names: bool


class TaxonomyView(Wire, frozen=True, kw_only=True):
    """Where the taxonomy stands that names are looked up in."""

    state: Annotated[str, Meta(extra_json_schema={"enum": ["none", "building", "ready", "failed"]})]
    progress: float
    source: Annotated[
        str | None,
        Meta(description="taxdump, or blast: the tree and names for BLAST+ beside the databases, which have no ranks."),
    ]
    fingerprint: str | None
    taxa: int | None
    names: int | None
    reason: str | None


class OrganismHitsRow(Wire, frozen=True, kw_only=True):
    """By organism: the hits of one; a hit of several organisms counts for each. `lineage` are the names above it."""

    taxid: int
    name: str
    common_name: str
    rank: str
    lineage: list[str]
    queries: int
    hits: int
    hsps: int
    best_evalue: float | None
    best_bit_score: float | None


class LineageHitsRow(Wire, frozen=True, kw_only=True):
    """By lineage: the hits of a taxon and of all below it; rows come depth first, `depth` counts from 0."""

    taxid: int
    parent: int | None
    depth: int
    name: str
    rank: str
    queries: int
    hits: int


class QueryTaxonRow(Wire, frozen=True, kw_only=True):
    """By query: the lowest taxon above all organisms of its best hits; null: there is none."""

    query: int
    id: str
    hits: int
    best_hits: Annotated[int, Meta(description="Whose bit score is within `top` per cent of the best.")]
    organisms: Annotated[int, Meta(description="Of these.")]
    taxid: int | None
    name: str | None
    rank: str | None
    lineage: list[str]


class TaxonomyReport(Wire, frozen=True, kw_only=True):
    """A page of what hits say of organisms: one of the lists, as `by` says."""

    complete: bool
    by: str
    names: Annotated[
        bool, Meta(description="Whether there is a taxonomy for this search; without one only ids are known.")
    ]
    unassigned: Annotated[int, Meta(description="Hits whose sequences are of no organism that is known.")]
    total: int
    organisms: list[OrganismHitsRow] | UnsetType = UNSET
    taxa: list[LineageHitsRow] | UnsetType = UNSET
    queries: list[QueryTaxonRow] | UnsetType = UNSET
    page: Page
