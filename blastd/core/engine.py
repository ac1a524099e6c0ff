"""What an engine must answer. The tracker knows nothing else of an engine.

An engine runs the units of a job somewhere and says what it sees. It never writes the store and never calls back:
it puts the id of a job that changed into `changes`, and the tracker looks.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from blastd.core.alias import Layout
from blastd.core.ids import JobId
from blastd.core.model import Frozen, Job, Phase, StepName, Unit, UnitState
from blastd.core.plan import WORTH_A_PROCESS_SECONDS


class Trouble(Frozen, frozen=True, kw_only=True):
    """A failure or a reason to wait: a short stable code, one sentence with the cause, what to do.

    `step`: what is done meanwhile for the search, so that it does not wait; None: nothing is.
    """

    code: str
    sentence: str
    remedy: str = ""
    retryable: bool = False
    step: StepName | None = None

    @property
    def text(self) -> str:
        """Return cause and remedy as one text for the row."""
        return f"{self.sentence} {self.remedy}".strip()


class StepReport(Frozen, frozen=True, kw_only=True):
    """Times of a step by the engine's clock; None is unknown. `skip_reason` set: it was not needed."""

    name: StepName
    started_at: datetime | None = None
    ended_at: datetime | None = None
    skip_reason: str | None = None
    parts: dict[str, float] = {}


class UnitReport(Frozen, frozen=True, kw_only=True):
    """What an engine knows of one unit. `path` is where its output lies, relative to the job's folder, once collected."""

    index: int
    state: UnitState
    attempt: int
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    stderr: str = ""
    node: str | None = None
    path: str | None = None
    size_bytes: int | None = None
    sha256: str | None = None
    blast_version: str | None = None
    trouble: Trouble | None = None


class Present(Frozen, frozen=True, kw_only=True):
    """The engine has the job.

    `phase` is QUEUED (waits for a slot), SUBMITTED (nothing runs yet), STAGING_DB, RUNNING, or RESULTS_PENDING (compute
    ended, not everything is here yet).
    `ended`: nothing of it runs or will run any more. `trouble`: why it failed (ended) or what holds it up (not ended).
    """

    phase: Phase
    units: tuple[UnitReport, ...] = ()
    ended: bool = False
    trouble: Trouble | None = None
    waiting_for: str | None = None
    queue_position: int | None = None
    steps: tuple[StepReport, ...] = ()
    ref: dict[str, Any] = {}
    blast_version: str | None = None


class Absent(Frozen, frozen=True, kw_only=True):
    """The engine answered, completely, and does not have the job. `resumable`: hand it over again (local after a restart)."""

    reason: str = ""
    resumable: bool = False


class Unknown(Frozen, frozen=True, kw_only=True):
    """The engine could not be asked. Never read as absent."""

    reason: str
    since: datetime | None = None


Observation = Present | Absent | Unknown


class DatabaseAt(Frozen, frozen=True, kw_only=True):
    """A database generation where this machine has it: BLAST+ runs in `folder` with `-db name`."""

    name: str
    fingerprint: str
    folder: str
    molecule: str
    sequences: int
    letters: int
    size_bytes: int
    pinned: bool = True


class Work(Frozen, frozen=True, kw_only=True):
    """What an engine is given to run: the row, the units that are missing, and where files lie.

    `folder` is the job's own folder, `query_path` the FASTA that BLAST+ reads. BLAST+ runs in `run_folder` with
    `-db database_argument`. `arguments` are the words for BLAST+ after the program's name, without query, database,
    output format and threads; `rich_format` is the -outfmt value of the stored form. `layout` tells the volumes of a
    database that can be restricted by positions (propose and finish units need it), None for any other.
    `cuts` are the positions at which its shards begin, and the end of the last; empty where it is searched whole.
    `taxonomy` is a folder for BLASTDB with the files that tell of organisms; empty: there are none.
    """

    job: Job
    units: Sequence[Unit]
    folder: str
    query_path: str
    databases: Sequence[DatabaseAt]
    run_folder: str
    database_argument: str
    arguments: Sequence[str]
    rich_format: str
    time_limit_seconds: float
    memory_limit_bytes: int | None = None
    layout: Layout | None = None
    cuts: tuple[int, ...] = ()
    taxonomy: str = ""


class External(Frozen, frozen=True, kw_only=True):
    """A run that somebody else started and that carries our adoption labels."""

    name: str
    job_id: JobId | None
    title: str
    program: str
    database: str
    created_at: datetime
    ref: dict[str, Any] = {}


class WatchHealth(Frozen, frozen=True, kw_only=True):
    """How a watch is. `ok`: it has proven itself; else `reason`, and what it would bring is asked for every few seconds.

    `proven_at`: when what it brings was last proven true, by the watch or by asking.
    """

    name: str
    ok: bool
    proven_at: datetime | None
    reason: str = ""


class Capacity(Frozen, frozen=True, kw_only=True):
    """What an engine can do at once and what is worth a process there: what planning needs, and what operators look at."""

    at_once: int
    """Units that run at the same time, at least 1."""
    threads: int = 0
    """Of one unit; 0: the plan chooses."""
    worth_seconds: float = WORTH_A_PROCESS_SECONDS
    """CPU seconds below which another process does not pay."""
    shards: int | None = None
    """How many shards the operator wants; None: no wish."""
    shard_bytes: int | None = None
    """The largest shard where no number is wanted; None: a database is not cut for its size."""
    slots: int | None = None
    """Of this machine; None where somebody else schedules."""
    slots_busy: int | None = None
    units: int | None = None
    """That run now; None if that is not known."""
    jobs: int = 0
    """That the engine holds."""

    def shards_of(self, size: int) -> int | None:
        """Return how many shards are wanted for a database of *size* bytes; None: no wish."""
        return self.shards or (-(-size // self.shard_bytes) if self.shard_bytes else None)


class Health(Frozen, frozen=True, kw_only=True):
    """How an engine is: `since` tells since when it is not well; `watch` is None for engines that need none.

    `ok` False and `down` False: it works with less. `down`: it can't be asked, or can't take a search over.
    `proven_at`: when it was last proven that it answers and that what is known of its jobs is true; None: it needs no proof.
    """

    ok: bool
    down: bool = False
    proven_at: datetime | None = None
    reason: str = ""
    since: datetime | None = None
    watch: bool | None = None
    watches: tuple[WatchHealth, ...] = ()
    capacity: Capacity


class Engine(Protocol):
    """What runs units. No method raises for an engine that is away: submit and cancel then answer with Trouble or False."""

    name: str
    outlives: bool
    """Whether what it takes over goes on when the daemon dies: then the row says so before it is asked."""

    @property
    def pushed_by(self) -> str:
        """What `observed_by` says of news that the engine pushes: "process", "watch", or "poll" while it asks instead."""

    async def run(self) -> None:
        """Do the engine's own work until cancelled: slots, watches."""

    async def changed(self) -> JobId:
        """Wait for the next job that something new is known of."""

    async def submit(self, work: Work) -> Trouble | None:
        """Take over *work*; harmless when repeated for the same job and attempt. Trouble: not taken (retryable or not)."""

    async def observe(self, job: Job) -> Observation:
        """Say what is known of *job*, asking outside if need be, within the engine's own time limit."""

    def glance(self, job: Job) -> Observation | None:
        """Say what is known of *job* without asking outside; None if that needs an `observe`."""

    async def collect(self, job: Job, folder: str) -> Trouble | None:
        """Bring the outputs of finished units under *folder*; Trouble when some can't be brought now."""

    async def cancel(self, job: Job) -> bool:
        """Stop everything of *job*; True once nothing of it runs any more."""

    async def forget(self, job: Job) -> bool:
        """Remove what the engine still holds of an ended *job*; True once nothing is left."""

    async def externals(self) -> Sequence[External]:
        """List runs with our adoption labels that are not in the store, completely; an engine away gives none."""

    def places(self) -> Mapping[JobId, int]:
        """Return the places, from 1, of the jobs that wait for a slot; empty for engines that queue elsewhere."""

    def run_times(self) -> Mapping[JobId, int]:
        """Return how many milliseconds each job has run that runs now; empty for engines that count by themselves."""

    def health(self) -> Health:
        """Say how the engine is, without asking outside."""


@runtime_checkable
class Prepares(Protocol):
    """An engine that needs something to be in its place before it can take a search over: a database, far away."""

    async def prepare(self, work: Work) -> Trouble | None:
        """See to it that *work* can be taken over; Trouble says what is done or waited for. Asked again until it is None."""
