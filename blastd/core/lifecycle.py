"""Which moves of a job are legal, and what an observation means. The one place that knows.

`decide` turns what an engine said into a change of the row, or None. Completing is not decided here alone: `decide`
asks for it (`Next.FINISH`) and the tracker completes the row once every artifact is whole (`completed`).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

from msgspec.structs import replace

from blastd.core import estimate, unit_moves
from blastd.core import steps as timeline
from blastd.core.engine import Absent, Observation, Present, Trouble, Unknown
from blastd.core.estimate import Pace
from blastd.core.model import (
    Change,
    Frozen,
    Job,
    Phase,
    Status,
    Step,
    StepName,
    StepStatus,
    Unit,
    UnitState,
    Warned,
)

LEGAL: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.QUEUED, Status.RUNNING, Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.QUEUED, Status.RUNNING, Status.COMPLETED, Status.FAILED, Status.CANCELLED}),
    Status.COMPLETED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}
"""Running may go back to queued: after a restart the missing units wait for a slot again. An end has no way out; a
retry (`reopen`) is a new attempt that the user orders, not a move."""

STATUS_OF: dict[Phase, Status] = {
    Phase.QUEUED: Status.QUEUED,
    Phase.PREPARING: Status.QUEUED,
    Phase.WARMING_UP: Status.QUEUED,
    Phase.CONFIGURING: Status.QUEUED,
    Phase.SUBMITTING: Status.QUEUED,
    Phase.SUBMITTED: Status.QUEUED,
    Phase.STAGING_DB: Status.RUNNING,
    Phase.RUNNING: Status.RUNNING,
    Phase.EXPORTING: Status.RUNNING,
    Phase.RESULTS_PENDING: Status.RUNNING,
    Phase.COMPLETED: Status.COMPLETED,
    Phase.FAILED: Status.FAILED,
    Phase.CANCELLED: Status.CANCELLED,
}
"""Waiting is queued, never running. CANCELLING keeps the status that the job had."""

VERSION_TRIES = 5
"""Tries at a unit after which it is no longer repeated because of its BLAST+: nodes with two versions would never end."""

WAITING = frozenset({Phase.QUEUED, Phase.SUBMITTED})
"""What an engine says of a search that waits in its queue, or in that of the cluster."""

BEFORE_HANDING = frozenset({Phase.QUEUED, Phase.PREPARING, Phase.WARMING_UP, Phase.CONFIGURING})
BEFORE_SUBMIT = frozenset({Phase.QUEUED, Phase.PREPARING, Phase.WARMING_UP, Phase.CONFIGURING, Phase.SUBMITTING})


class Next(StrEnum):
    """What the tracker does after a decision."""

    NOTHING = "nothing"
    LAUNCH = "launch"
    AGAIN = "again"
    """Let the engine forget the attempt before, and launch the one that the change begins."""
    FINISH = "finish"


class Decision(Frozen, frozen=True, kw_only=True):
    """A change of the row (None: nothing new), units that changed, and what comes next."""

    change: Change | None = None
    units: tuple[Unit, ...] = ()
    next: Next = Next.NOTHING


def legal(before: Status, after: Status) -> bool:
    """Tell whether a row may move from *before* to *after*."""
    return after in LEGAL[before]


def decide(
    job: Job, units: Sequence[Unit], observation: Observation, now: datetime, by: str, pace: Pace | None = None
) -> Decision:
    """Say what *observation*, made *now* by the means *by*, changes of *job*. Ends are final: nothing then."""
    if job.status.terminal:
        return Decision()
    if isinstance(observation, Unknown):
        return Decision(change=_stale(job, observation, now))
    if isinstance(observation, Absent):
        return _absent(job, units, observation, now, by)
    return _present(job, units, observation, now, by, pace or Pace())


def _stale(job: Job, observation: Unknown, now: datetime) -> Change | None:
    since = observation.since or now
    if job.stale_since is not None and job.stale_reason == observation.reason:
        return None
    return Change(
        kind="stale",
        fields={"stale_since": job.stale_since or since, "stale_reason": observation.reason},
        data={"reason": observation.reason},
    )


def _absent(job: Job, units: Sequence[Unit], observation: Absent, now: datetime, by: str) -> Decision:
    if job.phase is Phase.CANCELLING:
        return Decision(change=cancelled(job, now))
    if all(unit.state is UnitState.DONE for unit in units):
        return _computed(job, None, (), list(units), now, by)
    if observation.resumable or job.phase in BEFORE_SUBMIT:
        return Decision(next=Next.LAUNCH)
    trouble = Trouble(
        code="engine_lost",
        sentence=observation.reason or f"The {job.engine} engine no longer has this search.",
        remedy="Retry the search: units that finished are kept.",
    )
    return Decision(change=failed(job, trouble, now, by))


def _present(job: Job, units: Sequence[Unit], seen: Present, now: datetime, by: str, pace: Pace) -> Decision:
    changed = unit_moves.merge(units, seen.units)
    after = {unit.index: unit for unit in units} | {unit.index: unit for unit in changed}
    if seen.ended and seen.trouble is not None:
        if job.phase is Phase.CANCELLING:
            return Decision(change=cancelled(job, now), units=changed)
        return Decision(change=failed(job, seen.trouble, now, by, seen), units=changed)
    if seen.ended:
        if job.phase is Phase.CANCELLING:
            return Decision(change=cancelled(job, now), units=changed)
        return _computed(job, _observed(job, seen, after, now, by, pace), changed, list(after.values()), now, by)
    return Decision(change=_observed(job, seen, after, now, by, pace), units=changed)


def _computed(
    job: Job, change: Change | None, changed: tuple[Unit, ...], units: Sequence[Unit], now: datetime, by: str
) -> Decision:
    """Return what follows when all *units* are done: the finish, or other tries at those that another BLAST+ ran."""
    old = unit_moves.outdated(units)
    if not old:
        return Decision(change=change, units=changed, next=Next.FINISH)
    others = tuple(unit for unit in changed if unit.index not in {each.index for each in old})
    versions = ", ".join(dict.fromkeys(unit.blast_version or "" for unit in units))
    if max(unit.attempt for unit in old) >= VERSION_TRIES:
        trouble = Trouble(
            code="blast_versions_mixed",
            sentence=f"The parts of the search ran with BLAST+ {versions}, again and again.",
            remedy="See to it that all machines that search have one version, then retry.",
        )
        return Decision(change=failed(job, trouble, now, by), units=changed)
    text = f"BLAST+ was replaced while the search ran ({versions}): {len(old)} of {len(units)} parts ran again."
    fresh = unit_moves.reset([replace(unit, state=UnitState.WAITING) for unit in old])
    return Decision(change=_again(job, len(units) - len(old), text), units=(*others, *fresh), next=Next.AGAIN)


def _again(job: Job, done: int, text: str) -> Change:
    """Return the move to a new attempt for units that have to run again although they are done."""
    fields = {
        "attempt": job.attempt + 1,
        "steps": timeline.reopen(job.steps),
        "units_done": done,
        "engine_ref": {},
        "waiting_for": None,
        "queue_position": None,
        "warnings": (*job.warnings, Warned(text=text)),
    }
    return Change(status=Status.QUEUED, phase=Phase.QUEUED, kind="again", fields=fields, data={"reason": text})


def _observed(job: Job, seen: Present, after: dict[int, Unit], now: datetime, by: str, pace: Pace) -> Change | None:
    """Return the change that makes the row say what was seen, None if it says so already."""
    phase = job.phase if job.phase is Phase.CANCELLING else seen.phase
    status = job.status if phase is Phase.CANCELLING else STATUS_OF[phase]
    done = sum(unit.state is UnitState.DONE for unit in after.values())
    handed = [report.started_at for report in seen.steps if report.name is StepName.SUBMITTING and report.started_at]
    steps = timeline.merge(_taken(job, min([now, *handed])), seen.steps)
    if seen.phase in WAITING and timeline.status_of(steps, StepName.RUNNING) is StepStatus.PENDING:
        steps = timeline.wait(timeline.end(steps, StepName.SUBMITTING, now), now)
    elif seen.phase is Phase.STAGING_DB:
        staged = [report.started_at for report in seen.steps if report.name is StepName.STAGING_DB]
        steps = timeline.go_on(steps, staged[0] if staged and staged[0] is not None else now)
    if phase in (Phase.RUNNING, Phase.RESULTS_PENDING):
        began = _began(seen, after)
        if began is not None:
            steps = _computing(steps, began)
    if phase is Phase.RESULTS_PENDING:
        ended = [unit.ended_at for unit in after.values() if unit.ended_at]
        steps = timeline.end(steps, StepName.RUNNING, max(ended, default=now))
        steps = timeline.start(steps, StepName.EXPORTING, now)
    waiting = seen.trouble.code if seen.trouble is not None else seen.waiting_for
    wanted: dict[str, Any] = {
        "waiting_for": waiting,
        "queue_position": seen.queue_position,
        "units_done": done,
        "steps": steps,
        "engine_ref": job.engine_ref | seen.ref,
        "blast_version": seen.blast_version or job.blast_version,
        "stale_since": None,
        "stale_reason": None,
        "error_code": seen.trouble.code if seen.trouble is not None else None,
        "error": seen.trouble.text if seen.trouble is not None else None,
    }
    if status is Status.RUNNING and job.started_at is None:
        wanted["started_at"] = max(_began(seen, after) or now, job.created_at)
    fields: dict[str, Any] = {name: value for name, value in wanted.items() if getattr(job, name) != value}
    if phase is Phase.RUNNING and (phase is not job.phase or "units_done" in fields):
        expected = estimate.expected(job, list(after.values()), [report.index for report in seen.units], pace, now)
        fields["expected_end_at"] = expected.ends_at if expected is not None else None
        fields["expected_from"] = expected.made_of if expected is not None else None
    if phase is job.phase and (not fields or (fields.keys() == {"queue_position"} and job.queue_position is not None)):
        return None  # a place that only moves up is written for all who wait at once (`Tracker`), not for each reader
    kind = "moved" if phase is not job.phase else "progress"
    data: dict[str, Any] = {"units_done": done, "units_total": job.units_total}
    if seen.trouble is not None:
        data |= {"trouble": seen.trouble.code}
    fields |= {"observed_at": now, "observed_by": by}
    return Change(status=status, phase=phase, kind=kind, fields=fields, data=data)


def _began(seen: Present, after: Mapping[int, Unit]) -> datetime | None:
    """Return when the first unit of this attempt began: those that were done before are not reported."""
    reported = [after[report.index].started_at for report in seen.units if report.index in after]
    starts = [start for start in reported if start is not None]
    return min(starts, default=None)


def intends(job: Job) -> bool:
    """Tell whether the row has yet to say that *job* is handed over; one that waits for that says so already."""
    return job.phase in BEFORE_SUBMIT and job.phase is not Phase.SUBMITTING and not waits(job)


def submitting(job: Job, now: datetime) -> Change:
    """Return the intent to hand *job* to its engine: committed before anything outside is made.

    A job that could not be handed over goes on saying why until it is: the next try may last, and fail as the one before.
    """
    steps = _handing(job, now)
    told = job.waiting_for if waits(job) else None
    return Change(status=Status.QUEUED, phase=Phase.SUBMITTING, fields={"steps": steps, "waiting_for": told})


def _handing(job: Job, now: datetime) -> tuple[Step, ...]:
    """Note that *job* is being handed over, after it waited for that, perhaps."""
    steps = timeline.end(timeline.start(job.steps, StepName.PREPARING, job.created_at), StepName.PREPARING, now)
    if timeline.status_of(steps, StepName.SUBMITTING) is StepStatus.PENDING:
        steps = timeline.go_on(steps, now)
    if timeline.status_of(steps, StepName.WARMING_UP) is StepStatus.RUNNING:
        steps = timeline.end(steps, StepName.WARMING_UP, now)
    return timeline.start(steps, StepName.SUBMITTING, now)


def _taken(job: Job, now: datetime) -> tuple[Step, ...]:
    """Return the steps of a job that was handed over, with or without a word of it before."""
    return _handing(job, now) if job.phase in BEFORE_HANDING else tuple(job.steps)


def waiting(job: Job, trouble: Trouble, now: datetime) -> Change | None:
    """Return the change that says what keeps *job* from being handed over; None if the row says so already."""
    if job.waiting_for == trouble.code and job.error == trouble.text:
        return None
    steps = timeline.end(timeline.start(job.steps, StepName.PREPARING, job.created_at), StepName.PREPARING, now)
    steps = timeline.take_back(steps, StepName.SUBMITTING)
    if trouble.step is None:
        steps = timeline.wait(timeline.take_back(steps, StepName.WARMING_UP), now)
    else:
        steps = timeline.start(timeline.go_on(steps, now), trouble.step, now)
    phase = Phase.QUEUED if trouble.step is None else Phase(trouble.step)
    fields: dict[str, Any] = {"waiting_for": trouble.code, "error_code": trouble.code, "error": trouble.text}
    fields |= {"observed_at": now, "steps": steps}
    return Change(status=Status.QUEUED, phase=phase, kind="waiting", fields=fields, data={"trouble": trouble.code})


def waits(job: Job) -> bool:
    """Tell whether *job* waits for what kept it from being handed over the last time."""
    return job.waiting_for is not None and job.waiting_for == job.error_code


def handed_over(job: Job, begun: datetime, now: datetime) -> Change:
    """Return the move of a job that its engine has taken over between *begun* and *now*."""
    steps = timeline.end(_handing(job, begun), StepName.SUBMITTING, now)
    clean = {"steps": steps, "error_code": None, "error": None, "waiting_for": None}
    return Change(status=Status.QUEUED, phase=Phase.SUBMITTED, fields=clean)


def completed(job: Job, now: datetime, by: str, fields: dict[str, object], units: Sequence[Unit]) -> Change:
    """Return the move to the good end; the caller has checked every artifact."""
    starts = [unit.started_at for unit in units if unit.started_at]
    ends = [unit.ended_at for unit in units if unit.ended_at]
    begun = min(starts, default=now)
    steps = timeline.end(timeline.start(job.steps, StepName.PREPARING, job.created_at), StepName.PREPARING, begun)
    if starts:
        steps = timeline.go_on(timeline.end(steps, StepName.SUBMITTING, min(starts)), min(starts))
        steps = timeline.start(steps, StepName.RUNNING, min(starts))
    if ends:
        steps = timeline.end(steps, StepName.RUNNING, max(ends))
        steps = timeline.end(timeline.start(steps, StepName.EXPORTING, max(ends)), StepName.EXPORTING, now)
    return Change(
        status=Status.COMPLETED,
        phase=Phase.COMPLETED,
        kind="completed",
        fields=_ended(job, now, by)
        | {
            "steps": timeline.close(steps, now, None),
            "started_at": job.started_at or max((job.created_at, min(starts)) if starts else (), default=None),
            "units_done": job.units_total,
            "error_code": None,
            "error": None,
        }
        | fields,
    )


def failed(job: Job, trouble: Trouble, now: datetime, by: str, seen: Present | None = None) -> Change:
    """Return the move to failed, with cause and remedy."""
    steps = _taken(job, now)
    if seen is not None:
        steps = timeline.merge(steps, seen.steps)
        began = min((unit.started_at for unit in seen.units if unit.started_at), default=None)
        steps = steps if began is None else _computing(steps, began)
    fields = _ended(job, now, by) | {
        "steps": timeline.close(steps, now, trouble.sentence),
        "error_code": trouble.code[:64],
        "error": trouble.text or "The search failed.",
    }
    if seen is not None:
        fields |= {"engine_ref": job.engine_ref | seen.ref, "blast_version": seen.blast_version or job.blast_version}
    return Change(status=Status.FAILED, phase=Phase.FAILED, kind="failed", fields=fields, data={"code": trouble.code})


def _computing(steps: Sequence[Step], began: datetime) -> tuple[Step, ...]:
    """Note that BLAST+ runs since *began*: what handed it over has ended."""
    handing = any(step.name is StepName.SUBMITTING and step.status is StepStatus.RUNNING for step in steps)
    steps = timeline.end(steps, StepName.SUBMITTING, began) if handing else steps
    steps = timeline.go_on(steps, began)
    return timeline.start(steps, StepName.RUNNING, began)


def cancelling(job: Job, now: datetime) -> Change | None:
    """Return the user's order to cancel; None when it was given before or the job has ended."""
    if job.status.terminal or job.phase is Phase.CANCELLING:
        return None
    return Change(
        status=job.status, phase=Phase.CANCELLING, kind="cancelling", fields={"waiting_for": None, "updated_at": now}
    )


def cancelled(job: Job, now: datetime) -> Change:
    """Return the move to cancelled: nothing of the job runs any more."""
    fields = _ended(job, now, job.observed_by) | {"steps": timeline.close(job.steps, now, None)}
    fields |= {"error_code": None, "error": None}
    return Change(status=Status.CANCELLED, phase=Phase.CANCELLED, kind="cancelled", fields=fields)


def reopen(job: Job) -> Change | None:
    """Return what a retry writes: a new attempt of a failed or cancelled job. None for any other."""
    if job.status not in (Status.FAILED, Status.CANCELLED):
        return None
    return Change(
        status=Status.QUEUED,
        phase=Phase.QUEUED,
        kind="retried",
        fields={
            "attempt": job.attempt + 1,
            "steps": timeline.reopen(job.steps),
            "error_code": None,
            "error": None,
            "finished_at": None,
            "started_at": None,
            "ran_ms": 0,
            "engine_ref": {},
            "waiting_for": None,
            "queue_position": None,
        },
        data={"attempt": job.attempt + 1, "before": job.error_code},
    )


def _ended(job: Job, now: datetime, by: str | None) -> dict[str, object]:
    clear = {"waiting_for": None, "queue_position": None, "stale_since": None, "stale_reason": None}
    finished = max(now, job.created_at, job.started_at or now)  # a clock that was set back: no end before the beginning
    return clear | {"finished_at": finished, "observed_at": now, "observed_by": by or job.observed_by}
