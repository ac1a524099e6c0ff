"""Taxa on the wire: what is found while somebody types, and where the taxonomy of the service stands."""

from typing import Annotated

from msgspec import Meta

from blastd.web.wire.base import Request, Wire
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
