"""Databases on the wire: the catalogue, and the making of one."""

from typing import Annotated, Any

from msgspec import Meta

from blastd.web.wire.base import Moment, Request, Wire
from blastd.web.wire.jobs import WarningView


class MaskingView(Wire, frozen=True, kw_only=True):
    """A masking that a database holds; its id goes into db_soft_mask or db_hard_mask."""

    id: int
    algorithm: str
    options: str


class DatabaseView(Wire, frozen=True, kw_only=True):
    """A database of the catalogue. `taxonomy` tells whether it can be filtered by taxonomy ids."""

    name: str
    title: str
    molecule: str
    kind: Annotated[
        str,
        Meta(
            description="Profiles are searched by rpsblast and rpstblastn; domains are profiles that deltablast takes, too.",
            extra_json_schema={"enum": ["sequences", "profiles", "domains"]},
        ),
    ]
    sequences: int
    letters: int
    longest: int
    date: str
    version: int
    taxonomy: bool
    taxonomy_names: bool
    ids: bool
    fingerprint: str
    state: Annotated[str, Meta(extra_json_schema={"enum": ["ready", "broken", "building"]})]
    reason: str
    size_bytes: int
    warm_on: Annotated[list[str], Meta(description="Nodes that hold this content complete.")]
    maskings: Annotated[list[MaskingView], Meta(description="What db_soft_mask and db_hard_mask may name.")]
    own: Annotated[bool, Meta(description="Whether the service made or fetched it, so that it can be changed here.")]
    source: Annotated[str | None, Meta(description="The source that it was fetched from.")]
    source_version: str | None
    update_error: Annotated[str | None, Meta(description="Why its last update failed; null once one went well.")]
    metadata: Annotated[
        dict[str, Any] | None,
        Meta(description="What its .njs file says, of one database asked by name; null: it has none."),
    ] = None


class DatabaseList(Wire, frozen=True, kw_only=True):
    """The catalogue, and what could not be looked at."""

    databases: list[DatabaseView]
    problems: list[str]
    scanning: Annotated[
        bool, Meta(description="Whether the first look of a start goes on, so that some may be missing.")
    ]


class DatabaseBody(Request, frozen=True, kw_only=True):
    """What is to be made of an uploaded FASTA file."""

    name: Annotated[str, Meta(description="Letters, digits, '.', '_' and '-', up to 100.")]
    molecule: Annotated[str, Meta(description="nucleotide or protein")]
    title: Annotated[str, Meta(max_length=500)] = ""
    parse_seqids: bool = True
    replace: Annotated[bool, Meta(description="Whether a database of this name that was made here is replaced.")] = (
        False
    )
    molecule_check: Annotated[
        bool, Meta(description="Whether a file that is not of the molecule, as its letters say, is refused.")
    ] = True


class MoleculeQuery(Request, frozen=True, kw_only=True):
    """Which database of a name that both a nucleotide and a protein one have."""

    molecule: Annotated[str, Meta(description="nucleotide or protein; needed only where there are both.")] = ""


class TaskView(Wire, frozen=True, kw_only=True):
    """Work on a database: one that is made of a FASTA file, fetched, or updated.

    `progress` is the share of its input that was read or received. One that failed for a reason that may pass is queued
    with its `error` and tried again at `next_try_at`.
    """

    id: str
    name: str
    kind: Annotated[str, Meta(extra_json_schema={"enum": ["make", "fetch", "update"]})]
    molecule: str
    owner: str
    status: Annotated[
        str,
        Meta(extra_json_schema={"enum": ["queued", "running", "cancelling", "completed", "failed", "cancelled"]}),
    ]
    step: Annotated[str, Meta(description="What is done now; empty while nothing is.")]
    progress: float
    bytes_done: int
    bytes_total: Annotated[int, Meta(description="0: not known.")]
    eta_seconds: Annotated[float | None, Meta(description="From the rate of late; null: not known.")]
    tries: Annotated[int, Meta(description="Failures so far after which it was tried again.")]
    next_try_at: Moment | None
    error_code: str | None
    error: str | None
    created_at: Moment
    updated_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    fingerprint: str | None
    warnings: Annotated[list[WarningView], Meta(description="What the scan of the file, and makeblastdb, said of it.")]
    links: dict[str, str]


class TaskAnswer(Wire, frozen=True, kw_only=True):
    """A task."""

    task: TaskView


class TaskList(Wire, frozen=True, kw_only=True):
    """The newest tasks first."""

    tasks: list[TaskView]


class Removed(Wire, frozen=True, kw_only=True):
    """A database that is gone; searches in it keep what they need."""

    name: str
    molecule: str
    bytes_freed: int


class Warmed(Wire, frozen=True, kw_only=True):
    """Where a database is complete, and why warming is not needed where it is not."""

    name: str
    warm_on: list[str]
    detail: str
