"""What goes over the wire: requests and answers as types, and the decoder that finds every fault of a request.

The same types make the OpenAPI document (`web/openapi.py`). Only the shape is checked here; what a search means is
checked in `core`, and who may do what in `service`.
"""

import difflib
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from blastd.errors import BadRequest, Invalid


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Data that is sent or received as one JSON object."""


class Request(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Data that is received: a name that we don't know is a fault, since a misspelt one would be ignored in silence."""


T = TypeVar("T", bound=Request)

Moment = Annotated[str, Meta(description="UTC, RFC 3339 with milliseconds", extra_json_schema={"format": "date-time"})]


def moment(at: datetime) -> str:
    """Return *at* as it is written on the wire."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def maybe(at: datetime | None) -> str | None:
    """Return *at* as it is written on the wire, None for an unknown time."""
    return None if at is None else moment(at)


# ---- errors


class Fault(Wire, frozen=True, kw_only=True):
    """One thing that is wrong with a request."""

    pointer: Annotated[str, Meta(description="JSON pointer to the field, or the name of a parameter after a slash.")]
    detail: str


class Problem(Wire, frozen=True, kw_only=True):
    """What is wrong (RFC 9457). `code` is stable; further members depend on it."""

    type: str
    title: str
    status: int
    detail: Annotated[str, Meta(description="One sentence with the cause, and what to do.")]
    code: Annotated[str, Meta(description="Short stable name, snake_case.", max_length=64)]
    request_id: str
    errors: Annotated[list[Fault] | UnsetType, Meta(description="Every fault that was found.")] = UNSET


# ---- jobs: requests


class SearchBody(Request, frozen=True, kw_only=True):
    """A search. `query` is FASTA text; it may also be sent as a file (multipart) or as the whole body."""

    program: Annotated[str, Meta(description="blastn, blastp, blastx, tblastn or tblastx", examples=["blastn"])]
    database: Annotated[str | list[str], Meta(description="Name of a database, or several.", examples=["16S"])]
    query: Annotated[str, Meta(description="Sequences as FASTA text.", examples=[">q1\nACGTACGTTAGC"])] | None = None
    task: Annotated[str, Meta(description="Task of the program; its default if absent.")] | None = None
    options: Annotated[
        dict[str, Any], Meta(description="Search options by their BLAST+ names.", examples=[{"evalue": 1e-5}])
    ] = {}
    title: Annotated[str, Meta(max_length=500)] = ""
    engine: Annotated[str, Meta(description="Where to run it; the service chooses if absent.")] | None = None
    priority: Annotated[int, Meta(ge=-10, le=10, description="Higher runs earlier among your own jobs.")] = 0
    query_loc: Annotated[str, Meta(description="Part of the query to search with, like 1-500.")] | None = None
    reuse: Annotated[bool, Meta(description="Whether the result of an equal search of yours may be the answer.")] = True
    webhook: Annotated[str, Meta(description="Address that is told when the job has ended: a signed POST.")] | None = (
        None
    )
    molecule_check: Annotated[
        bool, Meta(description="Whether queries that look like the other kind of molecule are refused.")
    ] = True


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
    limit: Annotated[int, Meta(ge=1, le=500)] = 50
    cursor: str | None = None


class WaitQuery(Request, frozen=True, kw_only=True):
    """How long to hold the answer."""

    wait: Annotated[float, Meta(ge=0, le=60, description="Seconds to hold until the job changes or ends.")] = 0


class NoQuery(Request, frozen=True, kw_only=True):
    """No parameters."""


# ---- jobs: answers


class Progress(Wire, frozen=True, kw_only=True):
    """How far a job is. `fraction` and `eta_seconds` are null while unknown."""

    units_done: int
    units_total: int
    fraction: float | None
    eta_seconds: float | None


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


class WarningView(Wire, frozen=True, kw_only=True):
    """A warning of blastd or of BLAST+; `query` counts from 1, null: all."""

    text: str
    query: int | None
    source: str


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
    status: Annotated[str, Meta(extra_json_schema={"enum": ["queued", "running", "completed", "failed", "cancelled"]})]
    phase: str
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


class JobDetail(JobRow, frozen=True, kw_only=True):
    """One job with everything that is known of it."""

    search: SearchView
    databases: list[SearchedDatabase]
    artifacts: list[ArtifactView]


class Page(Wire, frozen=True, kw_only=True):
    """Where a list stands: ask again with `cursor=next_cursor` for what follows."""

    limit: int
    returned: int
    has_more: bool
    next_cursor: str | None


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
    state: str
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


# ---- events


class EventsQuery(Request, frozen=True, kw_only=True):
    """Where to begin. The header Last-Event-ID, if present, counts more."""

    after: Annotated[int, Meta(ge=0, description="Events with greater ids.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 500


class EventView(Wire, frozen=True, kw_only=True):
    """One change of a job. `job` is the row as it is now, null once it was removed."""

    event_id: int
    job_id: str
    at: Moment
    kind: str
    status: str
    phase: str
    data: dict[str, Any]
    job: JobRow | None = None


class EventPage(Wire, frozen=True, kw_only=True):
    """Events in ascending order; ask again with `after=next`."""

    events: list[EventView]
    next: int


# ---- results


class ResultsQuery(Request, frozen=True, kw_only=True):
    """Which format, of which part."""

    format: Annotated[str, Meta(description="See `formats` of /api/blast/programs.")] = "tabular"
    fields: Annotated[str, Meta(description="Columns of tabular, commented and csv, as BLAST+ names them.")] | None = (
        None
    )
    query: Annotated[int, Meta(ge=1, description="Only this query, counted from 1.")] | None = None
    subject: Annotated[list[str], Meta(description="For fasta: only these subjects.")] = []
    partial: Annotated[bool, Meta(description="While running: what is done.")] = False


class SubjectsBody(Request, frozen=True, kw_only=True):
    """The subjects whose sequences are wanted."""

    subjects: Annotated[list[str], Meta(max_length=1_000_000)]


class HitsQuery(Request, frozen=True, kw_only=True):
    """Which hits, in which order."""

    query: Annotated[int, Meta(ge=1)] | None = None
    sort: str = "query"
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


class QueriesQuery(Request, frozen=True, kw_only=True):
    """Which queries of a job."""

    q: Annotated[str, Meta(max_length=200)] | None = None
    with_hits: bool | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: str | None = None


class StatisticsQuery(Request, frozen=True, kw_only=True):
    """Of which query; of all if absent."""

    query: Annotated[int, Meta(ge=1)] | None = None


# ---- databases and programs


class DatabaseView(Wire, frozen=True, kw_only=True):
    """A database of the catalogue. `taxonomy` tells whether it can be filtered by taxonomy ids."""

    name: str
    title: str
    molecule: str
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


class DatabaseList(Wire, frozen=True, kw_only=True):
    """The catalogue, and what could not be looked at."""

    databases: list[DatabaseView]
    problems: list[str]


class DatabaseBody(Request, frozen=True, kw_only=True):
    """What is to be made of an uploaded FASTA file."""

    name: Annotated[str, Meta(description="Letters, digits, '.', '_' and '-', up to 100.")]
    molecule: Annotated[str, Meta(description="nucleotide or protein")]
    title: Annotated[str, Meta(max_length=500)] = ""
    parse_seqids: bool = True
    replace: Annotated[bool, Meta(description="Whether a database of this name that was made here is replaced.")] = (
        False
    )


class TaskView(Wire, frozen=True, kw_only=True):
    """The making of a database. `progress` is an estimate."""

    id: str
    name: str
    owner: str
    status: Annotated[str, Meta(extra_json_schema={"enum": ["queued", "running", "completed", "failed"]})]
    progress: float
    error_code: str | None
    error: str | None
    created_at: Moment
    updated_at: Moment
    finished_at: Moment | None
    fingerprint: str | None
    links: dict[str, str]


class TaskAnswer(Wire, frozen=True, kw_only=True):
    """A task."""

    task: TaskView


class TaskList(Wire, frozen=True, kw_only=True):
    """The newest tasks first."""

    tasks: list[TaskView]


class Warmed(Wire, frozen=True, kw_only=True):
    """Where a database is complete, and why warming is not needed where it is not."""

    name: str
    warm_on: list[str]
    detail: str


class OptionView(Wire, frozen=True, kw_only=True):
    """A search option as BLAST+ describes it."""

    name: str
    type: str
    default: str | None
    minimum: float | None
    maximum: float | None
    exclusive_minimum: bool
    exclusive_maximum: bool
    choices: list[str]
    ranges: list[list[int]]
    excludes: list[str]
    requires: list[str]
    help: str
    group: str
    advanced: bool


class ProgramTaskView(Wire, frozen=True, kw_only=True):
    """A preset of a program, with the defaults that it changes."""

    name: str
    help: str
    defaults: dict[str, str]


class ProgramView(Wire, frozen=True, kw_only=True):
    """A program with its tasks and options."""

    name: str
    title: str
    help: str
    query: str
    database: str
    default_task: str
    tasks: list[ProgramTaskView]
    options: list[OptionView]


class FormatView(Wire, frozen=True, kw_only=True):
    """A format in which results can be read."""

    name: str
    outfmt: int | None
    title: str
    media_type: str
    extension: str
    programs: list[str]


class Programs(Wire, frozen=True, kw_only=True):
    """What can be searched with."""

    blast_version: str
    programs: list[ProgramView]
    formats: list[FormatView]


# ---- system


class ComponentView(Wire, frozen=True, kw_only=True):
    """One part: ok, degraded (works with less), or down (what needs it does not work)."""

    name: str
    status: str
    detail: str
    since: Moment | None


class QueueView(Wire, frozen=True, kw_only=True):
    """How many jobs wait and run, and how many BLAST+ processes may run at once."""

    queued: int
    running: int
    slots: int
    slots_busy: int


class DiskView(Wire, frozen=True, kw_only=True):
    """The file system of the state; under the floor no new searches are accepted."""

    free_bytes: int
    total_bytes: int
    floor_bytes: int
    state_bytes: int | None


class EngineView(Wire, frozen=True, kw_only=True):
    """What runs searches, and how busy it is."""

    name: str
    status: str
    detail: str
    slots: int | None
    slots_busy: int | None
    running: int


class HealthView(Wire, frozen=True, kw_only=True):
    """The service as a whole: as bad as its worst component."""

    status: str
    version: str
    started_at: Moment
    uptime_seconds: float
    components: list[ComponentView]
    queue: QueueView
    disk: DiskView
    engines: list[EngineView]


class Live(Wire, frozen=True, kw_only=True):
    """The process serves."""

    status: str
    version: str


class Ready(Wire, frozen=True, kw_only=True):
    """Searches are accepted."""

    status: str


class Me(Wire, frozen=True, kw_only=True):
    """Who asks; `tokens` tells whether they came with one."""

    owner: str
    role: str
    tokens: bool


class Versions(Wire, frozen=True, kw_only=True):
    """Versions of what works here."""

    version: str
    blast_version: str | None
    python: str | None
    sqlite: str | None


# ---- decoding


def decode(kind: type[T], raw: Mapping[str, object], *, strict: bool = True) -> T:
    """Return *raw* as *kind*. Raises one Invalid with every fault: unknown, missing and misshapen fields."""
    values, faults = gather(kind, raw, strict=strict)
    if faults:
        raise Invalid(faults)
    return kind(**values)


def gather(
    kind: type[T], raw: Mapping[str, object], *, strict: bool = True
) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Return the good fields of *raw* and a fault for each other one."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    faults: list[tuple[str, str]] = []
    for name, value in raw.items():
        if name not in fields:
            faults.append((pointer(name), unknown(name, fields)))
            continue
        try:
            values[fields[name].name] = msgspec.convert(value, fields[name].type, strict=strict)
        except msgspec.ValidationError as error:
            at, sentence = _located(str(error))
            faults.append((pointer(name) + at, sentence))
    missing = [name for name, field in fields.items() if field.required and name not in raw]
    faults.extend((pointer(name), f"'{name}' is missing.") for name in missing)
    return values, faults


def unknown(name: str, known: Iterable[str]) -> str:
    """Return the sentence for a name that we don't know."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    meant = f" Did you mean '{near[0]}'?" if near else ""
    listed = f" Known: {', '.join(names)}." if names else ""
    return f"There is no field '{name[:80]}'.{meant}{listed}"


def pointer(*names: str | int) -> str:
    """Return the JSON pointer (RFC 6901) to a field."""
    return "".join("/" + str(name).replace("~", "~0").replace("/", "~1") for name in names)


def _located(sentence: str) -> tuple[str, str]:
    """Split msgspec's 'Expected `int`, got `str` - at `$[0].x`' into a pointer and a sentence."""
    text, _, path = sentence.partition(" - at `")
    parts = re.findall(r"\.([^.\[\]`]+)|\[(\d+)\]", path)
    return pointer(*(name or index for name, index in parts)), text.replace("`", "") + "."


def decode_query(kind: type[T], given: Mapping[str, str], all_of: Iterable[tuple[str, str]]) -> T:
    """Return the parameters after the question mark as *kind*; lists may be repeated or separated by commas."""
    return decode(kind, query_values(kind, given, all_of), strict=False)


def query_values(kind: type[Request], given: Mapping[str, str], all_of: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return parameters as values: a list for fields that hold one, else the text. A repeated single one is refused."""
    several = _lists(kind)
    values: dict[str, object] = {}
    pairs = list(all_of)
    for name in given:
        texts = [text for key, text in pairs if key == name]
        if name in several:
            split = name != "subject"  # ids of subjects may hold commas
            values[name] = [part for text in texts for part in (text.split(",") if split else [text]) if part]
        elif len(texts) > 1:
            raise Invalid([(pointer(name), f"'{name}' was given {len(texts)} times; give it once.")])
        else:
            values[name] = texts[0]
    return values


@cache
def _lists(kind: type[Request]) -> frozenset[str]:
    return frozenset(field.name for field in msgspec.structs.fields(kind) if _is_list(field.type))


def _is_list(kind: Any) -> bool:
    info = msgspec.inspect.type_info(kind)
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return isinstance(info, msgspec.inspect.ListType)


def decode_json(body: bytes) -> dict[str, object]:
    """Return the JSON object of a body. Raises BadRequest when it is not one."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f"The body is not JSON: {error}.") from error
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return value
