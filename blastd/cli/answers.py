"""What the command line reads of the service's answers: the fields that it shows, with defaults for the rest.

So it works with a service of another version.
"""

from typing import TypeVar

import msgspec

from blastd import errors

T = TypeVar("T")


class AnswerPart(msgspec.Struct, frozen=True, kw_only=True):
    """Part of an answer; absent fields have defaults."""


class ProgressView(AnswerPart, frozen=True, kw_only=True):
    """How far a job is."""

    units_done: int = 0
    units_total: int = 0
    fraction: float | None = None
    eta_seconds: float | None = None
    eta_from: str | None = None


class StepAnswer(AnswerPart, frozen=True, kw_only=True):
    """A step of a job."""

    name: str
    status: str = ""
    started_at: str | None = None
    duration_ms: int | None = None
    skip_reason: str | None = None


class QueryAnswer(AnswerPart, frozen=True, kw_only=True):
    """What was submitted."""

    count: int = 0
    letters: int = 0
    first_id: str = ""


class WarningAnswer(AnswerPart, frozen=True, kw_only=True):
    """A warning of the service or of BLAST+."""

    text: str
    query: int | None = None


class JobView(AnswerPart, frozen=True, kw_only=True):
    """One job."""

    job_id: str
    short_id: str
    status: str
    phase: str = ""
    title: str = ""
    program: str = ""
    task: str | None = None
    database: list[str] = []
    engine: str = ""
    owner: str = ""
    waiting_for: str | None = None
    queue_position: int | None = None
    created_at: str = ""
    started_at: str | None = None
    finished_at: str | None = None
    stale: bool = False
    stale_reason: str | None = None
    error_code: str | None = None
    error: str | None = None
    attempt: int = 1
    hits: int | None = None
    limit_reached: int | None = None
    reused_from: str | None = None
    progress: ProgressView = ProgressView()
    query: QueryAnswer = QueryAnswer()
    steps: list[StepAnswer] = []
    warnings: list[WarningAnswer] = []

    @property
    def ended(self) -> bool:
        """Tell whether the status is final."""
        return self.status in {"completed", "failed", "cancelled"}


class FaultAnswer(AnswerPart, frozen=True, kw_only=True):
    """One thing that is wrong with a request."""

    pointer: str = ""
    detail: str = ""


class MakingAnswer(msgspec.Struct, frozen=True):
    """How far a file is that is being made."""

    step: str = ""
    fraction: float | None = None
    seconds: float = 0.0
    waiting_for: str | None = None

    @property
    def text(self) -> str:
        """Return it as a line for a person."""
        far = "" if self.fraction is None else f", {self.fraction:.0%}"
        why = f" for {self.waiting_for}" if self.waiting_for else ""
        return f"The file is being made: {self.step}{why}{far}, {self.seconds:.0f} s so far."


class ProblemAnswer(AnswerPart, frozen=True, kw_only=True):
    """What the service says of an error."""

    detail: str = ""
    code: str = ""
    errors: list[FaultAnswer] = []


def decode(kind: type[T], body: bytes, *inside: str) -> T:
    """Return JSON as *kind*; *inside* names the members to descend to. Raises Unavailable for anything else."""
    try:
        value = msgspec.json.decode(body)
        for name in inside:
            value = value[name]
        return msgspec.convert(value, kind)
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise errors.Unavailable(f"The service gave an answer that this client can't read: {error}.") from error
