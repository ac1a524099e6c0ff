"""The words of blastd as data: job, unit, step, artifact, event, status and phase.

Times are UTC in whole milliseconds. Names carry units. Nothing here decides anything.
"""

from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Literal

import msgspec

from blastd.core.ids import JobId, Owner, short_id


class Status(StrEnum):
    """Where a job stands, for everybody."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Tell whether this is an end; ends are final."""
        return self in ENDS


ENDS = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})
ACTIVE = frozenset({Status.QUEUED, Status.RUNNING})


class Phase(StrEnum):
    """Finer than status."""

    QUEUED = "queued"
    PREPARING = "preparing"
    WARMING_UP = "warming_up"
    CONFIGURING = "configuring"
    STAGING_DB = "staging_db"
    SUBMITTING = "submitting"
    SUBMITTED = "submitted"
    RUNNING = "running"
    EXPORTING = "exporting"
    RESULTS_PENDING = "results_pending"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepName(StrEnum):
    """The named stretches of a job's life, in order."""

    PREPARING = "preparing"
    WARMING_UP = "warming_up"
    CONFIGURING = "configuring"
    STAGING_DB = "staging_db"
    SUBMITTING = "submitting"
    WAITING = "waiting"
    """In a queue; there only if there was one."""
    RUNNING = "running"
    EXPORTING = "exporting"


class StepStatus(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"


class Frozen(msgspec.Struct, frozen=True, kw_only=True):
    """Data that is made once and replaced whole."""


class Step(Frozen, frozen=True, kw_only=True):
    """One step: unknown times are None, never invented. `parts` holds seconds of named operations within it."""

    name: StepName
    status: StepStatus = StepStatus.PENDING
    started_at: datetime | None = None
    ended_at: datetime | None = None
    skip_reason: str | None = None
    error: str | None = None
    parts: dict[str, float] = {}

    @property
    def duration_ms(self) -> int | None:
        """Return whole milliseconds between start and end, None while one is unknown."""
        if self.started_at is None or self.ended_at is None:
            return None
        return round((self.ended_at - self.started_at).total_seconds() * 1000)


class QueryInfo(Frozen, frozen=True, kw_only=True):
    """What was submitted: `letters` as BLAST+ counts them, `sha256` of the normalised FASTA.

    `type` is sequences, or what a search begins with in their place: pssm (a matrix of PSI-BLAST in ASN.1) or msa (an
    alignment); these are kept as they came.
    """

    count: int
    letters: int
    molecule: str
    first_id: str
    sha256: str
    type: str = "sequences"


class DatabaseRef(Frozen, frozen=True, kw_only=True):
    """A database as it was when the job was accepted."""

    name: str
    fingerprint: str
    title: str = ""
    molecule: str = ""
    sequences: int = 0
    letters: int = 0
    date: str = ""
    version: int = 5
    taxonomy: str = ""
    """Names the content of the files that tell of organisms, as they were; empty: there were none."""
    taxa: str = ""
    """Names the taxonomy that gives ranks, names and lineages here; empty: there was none."""
    role: str = "searched"
    """`searched`, or `domains`: what deltablast looks at beside the databases that it searches."""


class UnitKind(StrEnum):
    """What a unit does: `search` and `finish` write results, `propose` finds candidates for a `finish`."""

    SEARCH = "search"
    PROPOSE = "propose"
    FINISH = "finish"


class UnitState(StrEnum):
    """Where a unit stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Unit(Frozen, frozen=True, kw_only=True):
    """The piece of a job that one BLAST+ process runs: a batch of whole queries and a shard (None: the whole database).

    `first_query` counts from 0, `offset` and `size` are bytes in the normalised query file. `after` names the units
    whose output it needs.
    """

    job_id: JobId
    index: int
    kind: UnitKind
    batch: int
    shard: int | None
    first_query: int
    queries: int
    letters: int
    offset: int
    size: int
    threads: int = 1
    after: tuple[int, ...] = ()
    state: UnitState = UnitState.WAITING
    attempt: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    error_code: str | None = None
    stderr: str = ""
    node: str | None = None
    output_bytes: int | None = None
    output_sha256: str | None = None
    blast_version: str | None = None


class Artifact(Frozen, frozen=True, kw_only=True):
    """A stored output file of a job, named relative to the job's folder."""

    job_id: JobId
    name: str
    path: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: datetime


class Masking(Frozen, frozen=True, kw_only=True):
    """A masking that a database holds: what db_soft_mask and db_hard_mask call it, how it was made, with which options."""

    id: int
    algorithm: str
    options: str = ""


class Warned(Frozen, frozen=True, kw_only=True):
    """A warning that stays with the job: of blastd or BLAST+, for one query (its number from 1) or all (None)."""

    text: str
    query: int | None = None
    source: str = "blastd"


class FilterTaxon(Frozen, frozen=True, kw_only=True):
    """A taxon that a search was limited to or that it left out: as it was asked for, and what that is.

    `taxa` are the taxonomy ids of the databases that it stands for, of `sequences` sequences.
    """

    asked: str
    taxid: int
    name: str = ""
    rank: str = ""
    taxa: int = 0
    sequences: int = 0


class OrganismFilter(Frozen, frozen=True, kw_only=True):
    """Where the ids of a taxonomic filter come from; empty: the search has none, or its ids were given one by one."""

    include: tuple[FilterTaxon, ...] = ()
    exclude: tuple[FilterTaxon, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)


class Job(Frozen, frozen=True, kw_only=True):
    """A search as it was submitted, and where it stands: the row.

    `options` are normalised (core.programs). `version` counts what was decided of the row, and is what compare-and-swap
    compares; a hint, such as the place in the queue, is no reason to decide again and is not counted.
    """

    job_id: JobId
    version: int
    title: str
    program: str
    task: str
    databases: tuple[DatabaseRef, ...]
    options: dict[str, Any]
    query_loc: str | None
    engine: str
    priority: int
    owner: Owner
    source: str
    query: QueryInfo
    status: Status
    phase: Phase
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    observed_at: datetime | None = None
    observed_by: str | None = None
    stale_since: datetime | None = None
    stale_reason: str | None = None
    waiting_for: str | None = None
    queue_position: int | None = None
    steps: tuple[Step, ...] = ()
    units_total: int = 0
    units_done: int = 0
    attempt: int = 1
    engine_ref: dict[str, Any] = {}
    blast_version: str | None = None
    error_code: str | None = None
    error: str | None = None
    warnings: tuple[Warned, ...] = ()
    plan_why: tuple[str, ...] = ()
    reuse_key: str | None = None
    reused_from: JobId | None = None
    hits: int | None = None
    limit_reached: int | None = None
    standins: dict[str, str] = {}
    organisms: OrganismFilter = OrganismFilter()
    expected_end_at: datetime | None = None
    expected_from: str | None = None
    """Of a search that runs: when it is expected to end, and what that is made of."""
    watch: str | None = None
    """The watch that began it, in the background; it may be gone."""
    time_limit_seconds: int | None = None
    """How long it may run, as was asked; None: as the operator allows."""
    ran_ms: int = 0
    """How long something of it has run in this attempt, as far as it is written; waits and stops of the service don't count."""

    @property
    def short_id(self) -> str:
        """Return the 12 hexadecimal digits shown for this job."""
        return short_id(self.job_id)

    @property
    def edition(self) -> str:
        """Return what changes whenever a reader sees something new: with each decision, and with the place in the queue."""
        return f"{self.version}.{self.queue_position or 0}"

    @property
    def stale(self) -> bool:
        """Tell whether the engine can't be asked at present."""
        return self.stale_since is not None


class Missed(Enum):
    """Why somebody has no row to go on with: each asks for something else, so no two share an answer."""

    GONE = "gone"
    """There is no such job (any more)."""
    LOST = "lost"
    """Somebody else moved the row first: read it and decide again."""
    NOT_NOW = "not now"
    """Nothing could be asked; ask later."""


Lost = Literal[Missed.LOST]
Gone = Literal[Missed.GONE]
NotNow = Literal[Missed.NOT_NOW]


class Event(Frozen, frozen=True, kw_only=True):
    """One change of a job, as it was committed; ids ascend over all jobs."""

    event_id: int
    job_id: JobId
    owner: Owner
    at: datetime
    kind: str
    status: Status
    phase: Phase
    data: dict[str, Any] = {}


class Change(Frozen, frozen=True, kw_only=True):
    """What a move writes. None for status and phase keeps them; `fields` are other columns of the row by name."""

    status: Status | None = None
    phase: Phase | None = None
    kind: str = "moved"
    fields: dict[str, Any] = {}
    data: dict[str, Any] = {}
