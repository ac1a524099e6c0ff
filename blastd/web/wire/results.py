"""What may be asked of results; the answers are files and rows of `core`."""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, UnsetType, field

from blastd.web.wire.base import MOST, Page, Request, Wire, one_of

SORTS = (
    "query", "evalue", "bit_score", "score", "identity", "length", "coverage", "subject", "subject_length", "title",
    "positives", "taxid", "total_bit_score", "hsps",
)  # fmt: skip
"""Orders of hits; the last two are of subjects."""


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
    iteration: (
        Annotated[
            int, Meta(ge=1, le=MOST, description="Of psiblast and deltablast; the last one of each query if absent.")
        ]
        | None
    ) = None
    rank: (
        Annotated[int, Meta(ge=1, le=MOST, description="Only the subject of this place in the order of BLAST+.")] | None
    ) = None
    sort: Annotated[str, one_of(SORTS)] = "query"
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


class HitOrganism(Wire, frozen=True, kw_only=True):
    """An organism of a subject, as far as it is known. `lineage` are the names above it, the highest first."""

    taxid: int
    name: str
    common_name: str
    rank: str
    lineage: list[str]


class HitLink(Wire, frozen=True, kw_only=True):
    """A link from a subject to another site, from the configuration."""

    label: str
    url: Annotated[str, Meta(description="http or https; the subject's name in it is encoded.")]


class HitRow(Wire, frozen=True, kw_only=True):
    """An HSP, or the best HSP of a subject (`group=subject`). Positions count from 1; start > end on the minus strand."""

    query: Annotated[int, Meta(description="Number of the query, from 1.")]
    query_id: str
    query_length: int
    rank: Annotated[int, Meta(description="Number of the subject among those of its query, from 1.")]
    hsp: Annotated[int, Meta(description="Number of the HSP among those of its subject, from 1.")]
    subject: Annotated[str, Meta(description="Accession with version, or the id.")]
    subject_accession: str
    subject_title: str
    subject_length: int
    taxids: list[int]
    organisms: Annotated[list[HitOrganism], Meta(description="What the taxonomy of the search knows of `taxids`.")]
    identity: Annotated[float | None, Meta(description="Per cent of the alignment.")]
    positives: Annotated[float | None, Meta(description="Per cent of the alignment.")]
    length: Annotated[int, Meta(description="Of the alignment, gaps included.")]
    identical: int
    mismatches: int
    gap_opens: int
    gaps: int
    query_start: int
    query_end: int
    subject_start: int
    subject_end: int
    query_frame: int
    subject_frame: int
    evalue: float | None
    evalue_text: Annotated[str, Meta(description="As BLAST+ wrote it.")]
    bit_score: float | None
    score: float | None
    strand: str
    query_coverage: Annotated[float | None, Meta(description="Per cent of the query that the subject's HSPs cover.")]
    hsp_coverage: Annotated[float | None, Meta(description="Per cent of the query that this HSP covers.")]
    iteration: Annotated[int | None, Meta(description="Of psiblast and deltablast; null for other programs.")]
    links: Annotated[list[HitLink], Meta(description="From the subject to other sites, as the configuration has them.")]
    query_sequence: Annotated[str | UnsetType, Meta(description="Aligned letters, with `sequences=true`.")] = UNSET
    subject_sequence: Annotated[str | UnsetType, Meta(description="The same of the subject.")] = UNSET
    hsps: Annotated[int | UnsetType, Meta(description="Of the subject, with `group=subject`.")] = UNSET
    max_bit_score: Annotated[float | UnsetType | None, Meta(description="The same.")] = UNSET
    total_bit_score: Annotated[float | UnsetType | None, Meta(description="The same.")] = UNSET


class Bin(Wire, frozen=True, kw_only=True):
    """A bar of a histogram: values from `from` up to `to`."""

    from_: int = field(name="from")
    to: int
    count: int


class StatisticsView(Wire, frozen=True, kw_only=True):
    """Numbers over all hits, or those of one query."""

    hsps: int
    hits: int
    queries: int
    queries_with_hits: int
    evalue_histogram: Annotated[list[Bin], Meta(description="By the decimal exponent; the first bin holds zero.")]
    identity_histogram: Annotated[list[Bin], Meta(description="By whole per cents.")]
    coverage_histogram: Annotated[list[Bin], Meta(description="By whole per cents.")]
    identity_length: Annotated[
        list[list[int]],
        Meta(description="[per cent of identity, length of the alignment in steps of a fiftieth, count]."),
    ]


class HitsPage(Wire, frozen=True, kw_only=True):
    """A page of hits. `complete` is false while the search runs; `total` counts all that match."""

    complete: bool
    total: int
    hits: list[HitRow]
    page: Page
    statistics: Annotated[StatisticsView | UnsetType, Meta(description="With `statistics=true`.")] = UNSET


class TaxonomyQuery(Request, frozen=True, kw_only=True):
    """Which report of organisms, and of which query."""

    by: Annotated[
        str,
        Meta(
            pattern="^(organism|lineage|query)$",
            description="organism: most hits first; lineage: all taxa above, depth first; query: what its best hits have in common.",
        ),
    ] = "organism"
    query: Annotated[int, Meta(ge=1, le=MOST)] | None = None
    top: Annotated[
        float, Meta(ge=0, le=100, description="By query: hits whose bit score is within so many per cent of the best.")
    ] = 10.0
    format: Annotated[str, Meta(pattern="^(json|tsv)$")] = "json"
    partial: bool = False
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None
