"""The step timeline: the best clock wins, the times of an ended step are never rewritten, nothing is invented."""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from blastd.core.engine import StepReport
from blastd.core.model import Step, StepName, StepStatus

MOST_WAITS = 8
"""Waits that are told apart; a row is no log of a queue that a search enters and leaves again and again."""
NEVER = "the search ended before this step"


def begin() -> tuple[Step, ...]:
    """Return the timeline of a job that has just been accepted."""
    return tuple(Step(name=name) for name in StepName if name is not StepName.WAITING)


def start(steps: Sequence[Step], name: StepName, at: datetime) -> tuple[Step, ...]:
    """Note that *name* began *at*; a start that is known is kept."""
    return tuple(
        replace(step, status=StepStatus.RUNNING, started_at=step.started_at or at)
        if step.name is name and step.status in (StepStatus.PENDING, StepStatus.RUNNING)
        else step
        for step in steps
    )


def wait(steps: Sequence[Step], at: datetime) -> tuple[Step, ...]:
    """Note that the search waits in a queue since *at*: a stretch of its own, no part of a step, each time it waits."""
    waits = [step for step in steps if step.name is StepName.WAITING]
    if any(step.status is StepStatus.RUNNING for step in waits) or len(waits) == MOST_WAITS:
        return tuple(steps)
    place = next((number for number, step in enumerate(steps) if step.name is StepName.RUNNING), len(steps))
    return (*steps[:place], Step(name=StepName.WAITING, status=StepStatus.RUNNING, started_at=at), *steps[place:])


def go_on(steps: Sequence[Step], at: datetime) -> tuple[Step, ...]:
    """Note that the search waits no longer, since *at*."""
    return end(steps, StepName.WAITING, at)


def take_back(steps: Sequence[Step], name: StepName) -> tuple[Step, ...]:
    """Note that *name*, which runs, has not begun after all."""
    return tuple(Step(name=name) if step.name is name and step.status is StepStatus.RUNNING else step for step in steps)


def status_of(steps: Sequence[Step], name: StepName) -> StepStatus | None:
    """Return where a step stands, None for one that is not there."""
    return next((step.status for step in steps if step.name is name), None)


def latest(steps: Sequence[Step], at: datetime) -> datetime:
    """Return the latest time of *steps* and *at*."""
    return max([at, *(time for step in steps for time in (step.started_at, step.ended_at) if time is not None)])


def end(steps: Sequence[Step], name: StepName, at: datetime, parts: dict[str, float] | None = None) -> tuple[Step, ...]:
    """Note that *name* ended *at*, with seconds of named *parts*; an ended step stays as it is."""
    return tuple(
        replace(step, status=StepStatus.DONE, ended_at=_not_before(at, step.started_at), parts=parts or step.parts)
        if step.name is name and step.status in (StepStatus.PENDING, StepStatus.RUNNING)
        else step
        for step in steps
    )


def skip(steps: Sequence[Step], name: StepName, reason: str) -> tuple[Step, ...]:
    """Note that *name* was not needed; a step that began is kept."""
    return tuple(
        replace(step, status=StepStatus.SKIPPED, skip_reason=reason)
        if step.name is name and step.status is StepStatus.PENDING
        else step
        for step in steps
    )


def merge(steps: Sequence[Step], reports: Sequence[StepReport]) -> tuple[Step, ...]:
    """Take an engine's times over ours where the step has not ended."""
    merged = tuple(steps)
    for report in reports:
        if report.skip_reason is not None:
            merged = skip(merged, report.name, report.skip_reason)
            continue
        merged = tuple(_merged(step, report) if step.name is report.name else step for step in merged)
    return merged


def _merged(step: Step, report: StepReport) -> Step:
    if (
        step.status is StepStatus.DONE and not step.parts
    ):  # ended by us, before the engine could say of what it consisted
        return replace(step, parts=report.parts)
    if step.status not in (StepStatus.PENDING, StepStatus.RUNNING):
        return step
    started = report.started_at or step.started_at
    parts = report.parts or step.parts
    if report.ended_at is not None:
        ended = _not_before(report.ended_at, started)
        return replace(step, status=StepStatus.DONE, started_at=started, ended_at=ended, parts=parts)
    if started is not None:
        return replace(step, status=StepStatus.RUNNING, started_at=started, parts=parts)
    return step


def close(steps: Sequence[Step], at: datetime, error: str | None) -> tuple[Step, ...]:
    """End the timeline: the running step ends *at* (failed if there is an *error*), pending ones were never reached."""
    closed = []
    for step in steps:
        if step.status is StepStatus.RUNNING:
            status = StepStatus.DONE if error is None else StepStatus.FAILED
            closed.append(replace(step, status=status, ended_at=_not_before(at, step.started_at), error=error))
        elif step.status is StepStatus.PENDING:
            closed.append(replace(step, status=StepStatus.SKIPPED, skip_reason=NEVER))
        else:
            closed.append(step)
    return tuple(closed)


def current(steps: Sequence[Step]) -> Step | None:
    """Return the step that runs, if any."""
    return next((step for step in steps if step.status is StepStatus.RUNNING), None)


def reopen(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return a fresh timeline for a new attempt that keeps `preparing`, which is not done again."""
    return tuple(
        step if step.name is StepName.PREPARING and step.status is StepStatus.DONE else Step(name=step.name)
        for step in steps
        if step.name is not StepName.WAITING
    )


def _not_before(at: datetime, started: datetime | None) -> datetime:
    """Clocks of two machines may differ: an end is never shown before its start."""
    return at if started is None or at >= started else started
