"""Jobs on the wire: a search that is asked for, rows of the list, one job in full, and what BLAST+ said."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from blastd.core.model import Phase, Status, UnitState
from blastd.web.wire.base import Moment, Page, Request, Wire, one_of

DATABASES = 100
"""Of one search."""
DatabaseName = Annotated[str, Meta(max_length=1000)]


MOST_SECONDS = 10 * 365 * 86400
"""Of a time limit."""
ORGANISMS = 200
"""Of one search, to be searched in or to be left out."""
OrganismName = Annotated[str, Meta(max_length=300)] | Annotated[int, Meta(ge=1, le=2**31 - 1)]


class SearchBody(Request, frozen=True, kw_only=True):
    """A search. `query` is FASTA text; it may also be sent as a file (multipart) or as the whole body."""

    program: Annotated[
        str,
        Meta(
            max_length=100,
            description="A program of GET /api/blast/programs: blastn, blastp, blastx, tblastn, tblastx, psiblast, deltablast, rpsblast, rpstblastn.",
            examples=["blastn"],
        ),
    ]
    database: Annotated[
        DatabaseName | Annotated[list[DatabaseName], Meta(max_length=DATABASES)],
        Meta(description="Name of a database, or several.", examples=["16S"]),
    ] = []
    subject: (
        Annotated[str, Meta(description="Sequences to search in, as FASTA text or as a file, in place of a database.")]
        | None
    ) = None
    query: Annotated[str, Meta(description="Sequences as FASTA text.", examples=[">q1\nACGTACGTTAGC"])] | None = None
    task: Annotated[str, Meta(max_length=100, description="Task of the program; its default if absent.")] | None = None
    options: Annotated[
        dict[str, Any], Meta(description="Search options by their BLAST+ names.", examples=[{"evalue": 1e-5}])
    ] = {}
    title: Annotated[str, Meta(max_length=500)] = ""
    engine: (
        Annotated[str, Meta(max_length=100, description="Where to run it; the service chooses if absent.")] | None
    ) = None
    priority: Annotated[int, Meta(ge=-10, le=10, description="Higher runs earlier among your own jobs.")] = 0
    time_limit_seconds: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MOST_SECONDS,
                description="How long the search may run, over all its parts; within the operator's limit, which holds if absent.",
            ),
        ]
        | None
    ) = None
    query_loc: (
        Annotated[str, Meta(max_length=100, description="Part of the query to search with, like 1-500.")] | None
    ) = None
    organisms: Annotated[
        OrganismName | Annotated[list[OrganismName], Meta(max_length=ORGANISMS)],
        Meta(
            description="Limits the search to organisms: names or taxonomy ids of any rank.", examples=["Escherichia"]
        ),
    ] = []
    exclude_organisms: Annotated[
        OrganismName | Annotated[list[OrganismName], Meta(max_length=ORGANISMS)],
        Meta(description="Leaves organisms out, likewise."),
    ] = []
    query_type: Annotated[
        str,
        Meta(
            max_length=20,
            description="What the query is: sequences; for psiblast and tblastn also pssm, a matrix of an earlier psiblast search; for psiblast also msa, an alignment in FASTA.",
        ),
    ] = "sequences"
    reuse: Annotated[bool, Meta(description="Whether the result of an equal search of yours may be the answer.")] = True
    webhook: (
        Annotated[
            str,
            Meta(
                max_length=2000,
                description="Address that is told of the end by a signed POST; absent: your own; empty: none.",
            ),
        ]
        | None
    ) = None
    molecule_check: Annotated[
        bool, Meta(description="Whether queries that look like the other kind of molecule are refused.")
    ] = True


class ImportQuery(Request, frozen=True, kw_only=True):
    """What an imported result is called."""

    title: Annotated[str, Meta(max_length=500)] = ""


class AddressedSearch(Request, frozen=True, kw_only=True):
    """A search in the address, with a FASTA or form body; JSON has it in itself. Any other name is a search option.

    No field has a default: generated clients would send it, beside a JSON body, too.
    """

    program: Annotated[str | UnsetType, Meta(description="As `program` of the JSON body.")] = UNSET
    database: Annotated[list[str] | UnsetType, Meta(description="May be repeated.")] = UNSET
    task: str | UnsetType = UNSET
    options: Annotated[
        str | UnsetType, Meta(description="Search options as a JSON object; or each by its own name.")
    ] = UNSET
    title: str | UnsetType = UNSET
    engine: str | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    time_limit_seconds: int | UnsetType = UNSET
    query_loc: str | UnsetType = UNSET
    reuse: bool | UnsetType = UNSET
    webhook: str | UnsetType = UNSET
    molecule_check: bool | UnsetType = UNSET


class JobsQuery(Request, frozen=True, kw_only=True):
    """What the list of jobs shows."""

    status: Annotated[list[str], Meta(description="May be repeated, or separated by commas.")] = []
    phase: list[str] = []
    program: str | None = None
    database: str | None = None
    q: Annotated[str, Meta(description="Text in title, id, first query or database.", max_length=200)] | None = None
    owner: Annotated[str, Meta(description="Only for admins.")] | None = None
    source: str | None = None
    since: Annotated[datetime, Meta(description="Created at or after this time.")] | None = None
    until: Annotated[datetime, Meta(description="Created before this time.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class WaitQuery(Request, frozen=True, kw_only=True):
    """How long to hold the answer."""

    wait: Annotated[float, Meta(ge=0, le=60, description="Seconds to hold until the job changes or ends.")] = 0


class Progress(Wire, frozen=True, kw_only=True):
    """How far a job is. `fraction` and `eta_seconds` are null while unknown."""

    units_done: int
    units_total: int
    fraction: float | None
    eta_seconds: float | None
    eta_from: Annotated[str | None, Meta(description="What the time to go is made of: `14 earlier searches`.")] = None


class StepView(Wire, frozen=True, kw_only=True):
    """A named stretch of a job's life; unknown times are null."""

    name: str
    status: str
    started_at: Moment | None
    ended_at: Moment | None
    duration_ms: int | None
    skip_reason: str | None
    error: str | None
    parts: Annotated[dict[str, float], Meta(description="Seconds of named operations within the step.")]


class QueryView(Wire, frozen=True, kw_only=True):
    """What was submitted."""

    count: int
    letters: int
    molecule: str
    first_id: str
    sha256: str
    type: Annotated[str, Meta(extra_json_schema={"enum": ["sequences", "pssm", "msa"]})]


class WarningView(Wire, frozen=True, kw_only=True):
    """A warning of blastd or of BLAST+; `query` counts from 1, null: all."""

    text: str
    query: int | None
    source: str


class OrganismView(Wire, frozen=True, kw_only=True):
    """An organism that a search was limited to, or that it left out: as it was `asked` for, and what that was."""

    asked: str
    taxid: int
    name: str
    rank: str
    taxa: Annotated[int, Meta(description="Taxonomy ids of the databases that it stands for.")]
    sequences: int


class JobRow(Wire, frozen=True, kw_only=True):
    """One job, as in lists, details, events and the command line."""

    job_id: str
    short_id: str
    title: str
    program: str
    task: str
    database: list[str]
    engine: str
    priority: int
    time_limit_seconds: Annotated[
        int | None, Meta(description="How long it may run, as was asked; null: as the operator allows.")
    ]
    status: Annotated[str, one_of(Status)]
    phase: Annotated[str, one_of(Phase)]
    waiting_for: str | None
    queue_position: int | None
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None
    updated_at: Moment
    observed_at: Moment | None
    observed_by: str | None
    stale: bool
    stale_since: Moment | None
    stale_reason: str | None
    owner: str
    organisms: list[OrganismView]
    exclude_organisms: list[OrganismView]
    query: QueryView
    progress: Progress
    steps: list[StepView]
    error_code: str | None
    error: str | None
    attempt: int
    engine_ref: dict[str, Any]
    blast_version: str | None
    database_fingerprint: list[str]
    source: str
    hits: Annotated[int, Meta(description="Number of hit rows, null until it is known.")] | None
    limit_reached: Annotated[int, Meta(description="Queries whose limit of subjects was reached.")] | None
    warnings: list[WarningView]
    plan_why: list[str]
    reused_from: str | None
    watch: Annotated[
        str | None, Meta(description="The watch that began it in the background; it may have been removed since.")
    ]
    links: dict[str, str]


class SearchView(Wire, frozen=True, kw_only=True):
    """What exactly was searched: the normalised request, and the command lines that ran."""

    program: str
    task: str
    database: list[str]
    options: dict[str, Any]
    query_loc: str | None
    command: Annotated[str, Meta(description="One line to copy into a shell.")]
    argv: Annotated[list[list[str]], Meta(description="The exact arguments of each unit (of the first ten).")]
    blast_version: str | None
    blastd_version: str


class ArtifactView(Wire, frozen=True, kw_only=True):
    """A stored file."""

    name: str
    media_type: str
    size_bytes: int
    sha256: str
    created_at: Moment


class SearchedDatabase(Wire, frozen=True, kw_only=True):
    """A database as it was when the job was accepted."""

    name: str
    title: str
    molecule: str
    sequences: int
    letters: int
    date: str
    version: int
    fingerprint: str
    taxonomy_fingerprint: Annotated[
        str | None, Meta(description="Content of the files with names and tree of organisms; null: there were none.")
    ] = None


class JobDetail(JobRow, frozen=True, kw_only=True):
    """One job with everything that is known of it."""

    search: SearchView
    error_options: Annotated[
        list[str], Meta(description="Options that the error means, where BLAST+ names some: what to change.")
    ]
    databases: list[SearchedDatabase]
    artifacts: list[ArtifactView]


class JobPage(Wire, frozen=True, kw_only=True):
    """Jobs, newest first."""

    jobs: list[JobRow]
    page: Page
    counts: dict[str, int]


class Deleted(Wire, frozen=True, kw_only=True):
    """What deleting a job freed."""

    job_id: str
    bytes_freed: int


class AttemptView(Wire, frozen=True, kw_only=True):
    """One try at a unit, with what BLAST+ wrote to its error stream."""

    unit: int
    attempt: int
    state: Annotated[str, one_of(UnitState)]
    started_at: Moment | None
    ended_at: Moment | None
    exit_code: int | None
    error_code: str | None
    node: str | None
    stderr: str


class Logs(Wire, frozen=True, kw_only=True):
    """What the engine and BLAST+ said, by unit and attempt."""

    job_id: str
    attempts: list[AttemptView]
