"""Which moves are legal, and what observations mean (DESIGN.md 3)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from blastd.core import lifecycle, steps, unit_moves
from blastd.core.engine import Absent, Observation, Present, StepReport, Trouble, UnitReport, Unknown
from blastd.core.ids import JobId, Owner
from blastd.core.lifecycle import Next
from blastd.core.model import (
    ENDS,
    Job,
    Phase,
    QueryInfo,
    Status,
    StepName,
    StepStatus,
    Unit,
    UnitKind,
    UnitState,
)

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ID = JobId("00000000-0000-4000-8000-000000000001")
TROUBLE = Trouble(code="out_of_memory", sentence="It ran out of memory.", remedy="Ask for less.")


def job(**values: object) -> Job:
    base = Job(
        job_id=ID,
        version=1,
        title="",
        program="blastn",
        task="megablast",
        databases=(),
        options={},
        query_loc=None,
        engine="local",
        priority=0,
        owner=Owner("anna"),
        source="api",
        query=QueryInfo(count=1, letters=10, molecule="nucl", first_id="q", sha256=""),
        status=Status.QUEUED,
        phase=Phase.QUEUED,
        created_at=T0,
        updated_at=T0,
        steps=steps.begin(),
        units_total=2,
    )
    return replace(base, **values)


def unit(index: int, state: UnitState = UnitState.WAITING, **values: object) -> Unit:
    base = Unit(
        job_id=ID,
        index=index,
        kind=UnitKind.SEARCH,
        batch=index,
        shard=None,
        first_query=index,
        queries=1,
        letters=10,
        offset=0,
        size=1,
        state=state,
    )
    return replace(base, **values)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def reports() -> st.SearchStrategy[Sequence[UnitReport]]:
    one = st.builds(
        UnitReport,
        index=st.integers(0, 2),
        state=st.sampled_from(UnitState),
        attempt=st.integers(0, 3),
        started_at=st.none() | st.just(at(1)),
        ended_at=st.none() | st.just(at(2)),
    )
    return st.lists(one, max_size=3).map(tuple)


def observations() -> st.SearchStrategy[Observation]:
    present = st.builds(
        Present,
        phase=st.sampled_from([Phase.QUEUED, Phase.SUBMITTED, Phase.STAGING_DB, Phase.RUNNING, Phase.RESULTS_PENDING]),
        units=reports(),
        ended=st.booleans(),
        trouble=st.none() | st.just(TROUBLE),
        waiting_for=st.none() | st.just("slot"),
        queue_position=st.none() | st.integers(1, 9),
    )
    return present | st.builds(Absent, resumable=st.booleans()) | st.builds(Unknown, reason=st.just("away"))


@given(
    status=st.sampled_from(sorted(ENDS)),
    phase=st.sampled_from(Phase),
    seen=observations(),
    units=st.just((unit(0), unit(1))),
)
def test_nothing_leaves_an_end(status: Status, phase: Phase, seen: Observation, units: tuple[Unit, ...]) -> None:
    ended = job(status=status, phase=phase, finished_at=at(9))
    decision = lifecycle.decide(ended, units, seen, at(10), "poll")
    assert decision == lifecycle.Decision()


@given(seen=observations(), phase=st.sampled_from([p for p in Phase if p.value not in set(ENDS)]))
def test_every_decision_is_a_legal_move_with_a_coherent_row(seen: Observation, phase: Phase) -> None:
    status = lifecycle.STATUS_OF.get(phase, Status.RUNNING)
    before = job(status=status, phase=phase)
    change = lifecycle.decide(before, (unit(0), unit(1)), seen, at(10), "poll").change
    if change is None:
        return
    after = change.status or before.status
    assert lifecycle.legal(before.status, after)
    if after is Status.FAILED:
        assert change.fields["error_code"]
        assert change.fields["error"]
    if after.terminal:
        assert change.fields["finished_at"] == at(10)
        assert change.fields["waiting_for"] is None
    if phase is Phase.CANCELLING and not after.terminal:
        assert change.phase in (None, Phase.CANCELLING)


def test_unknown_is_stale_and_never_a_failure() -> None:
    decision = lifecycle.decide(
        job(status=Status.RUNNING, phase=Phase.RUNNING), (unit(0),), Unknown(reason="no route"), at(5), "poll"
    )
    assert decision.change is not None
    assert decision.change.status is None
    assert decision.change.fields == {"stale_since": at(5), "stale_reason": "no route"}


def test_stale_is_said_once_and_ends_with_the_next_answer() -> None:
    stale = job(status=Status.RUNNING, phase=Phase.RUNNING, stale_since=at(5), stale_reason="no route")
    assert lifecycle.decide(stale, (), Unknown(reason="no route"), at(6), "poll").change is None
    back = lifecycle.decide(stale, (), Present(phase=Phase.RUNNING), at(7), "watch").change
    assert back is not None
    assert back.fields["stale_since"] is None


@pytest.mark.parametrize(
    ("resumable", "phase", "states", "expected"),
    [
        (True, Phase.RUNNING, [UnitState.WAITING], Next.LAUNCH),
        (False, Phase.SUBMITTING, [UnitState.WAITING], Next.LAUNCH),
        (False, Phase.RUNNING, [UnitState.DONE, UnitState.DONE], Next.FINISH),
    ],
)
def test_absent_means_hand_over_again_or_finish(
    resumable: bool, phase: Phase, states: list[UnitState], expected: Next
) -> None:
    row = job(status=lifecycle.STATUS_OF[phase], phase=phase)
    units = [unit(index, state) for index, state in enumerate(states)]
    assert lifecycle.decide(row, units, Absent(resumable=resumable), at(5), "poll").next is expected


def test_absent_with_results_missing_fails_with_a_reason() -> None:
    row = job(status=Status.RUNNING, phase=Phase.RUNNING)
    change = lifecycle.decide(
        row, (unit(0, UnitState.DONE), unit(1)), Absent(reason="The Job was deleted."), at(5), "reconcile"
    ).change
    assert change is not None
    assert change.status is Status.FAILED
    assert change.fields["error_code"] == "engine_lost"
    assert "deleted" in str(change.fields["error"])


def test_failed_units_of_an_active_job_leave_it_running() -> None:
    row = job(status=Status.RUNNING, phase=Phase.RUNNING)
    failed = UnitReport(index=0, state=UnitState.FAILED, attempt=1, exit_code=137)
    decision = lifecycle.decide(row, (unit(0), unit(1)), Present(phase=Phase.RUNNING, units=(failed,)), at(5), "watch")
    assert decision.change is None or decision.change.status is Status.RUNNING
    assert decision.units[0].state is UnitState.FAILED


def test_waiting_is_queued_with_reason_and_place() -> None:
    seen = Present(phase=Phase.QUEUED, waiting_for="slot", queue_position=3)
    change = lifecycle.decide(job(phase=Phase.SUBMITTING), (unit(0),), seen, at(1), "process").change
    assert change is not None
    assert (change.status, change.phase) == (Status.QUEUED, Phase.QUEUED)
    assert (change.fields["waiting_for"], change.fields["queue_position"]) == ("slot", 3)


@pytest.mark.parametrize("phase", [Phase.QUEUED, Phase.RUNNING])
def test_a_search_taken_without_a_word_before_was_prepared_and_handed_over(phase: Phase) -> None:
    waits = "slot" if phase is Phase.QUEUED else None
    seen = Present(phase=phase, waiting_for=waits)
    change = lifecycle.decide(job(phase=Phase.QUEUED, steps=steps.begin()), (unit(0),), seen, at(1), "process").change
    assert change is not None
    shown = {step.name: step for step in change.fields["steps"]}
    assert (shown[StepName.PREPARING].status, shown[StepName.PREPARING].ended_at) == (StepStatus.DONE, at(1))
    assert shown[StepName.SUBMITTING].started_at == at(1)


def test_a_search_that_fails_as_it_is_taken_says_so_at_its_handing_over() -> None:
    trouble = Trouble(code="engine_error", sentence="No room.", remedy="Make some.")
    change = lifecycle.failed(job(phase=Phase.QUEUED, steps=steps.begin()), trouble, at(1), "process")
    shown = {step.name: step for step in change.fields["steps"]}
    assert shown[StepName.PREPARING].status is StepStatus.DONE
    assert (shown[StepName.SUBMITTING].status, shown[StepName.SUBMITTING].error) == (StepStatus.FAILED, "No room.")


def test_a_place_that_moves_up_is_not_for_each_reader_to_write() -> None:
    taken = steps.end(lifecycle.submitting(job(), T0).fields["steps"], StepName.SUBMITTING, T0)
    taken = steps.wait(taken, T0)
    waits = job(phase=Phase.QUEUED, waiting_for="slot", queue_position=3, steps=taken)
    seen = Present(phase=Phase.QUEUED, waiting_for="slot", queue_position=2)
    assert lifecycle.decide(waits, (unit(0),), seen, at(1), "process").change is None
    placeless = replace(waits, queue_position=None)
    change = lifecycle.decide(placeless, (unit(0),), seen, at(1), "process").change
    assert change is not None
    assert change.fields["queue_position"] == 2


def test_trouble_while_pending_is_shown_and_fails_nothing() -> None:
    trouble = Trouble(code="image_pull", sentence="The image is missing.", remedy="Push it.")
    change = lifecycle.decide(
        job(phase=Phase.SUBMITTED), (unit(0),), Present(phase=Phase.SUBMITTED, trouble=trouble), at(1), "watch"
    ).change
    assert change is not None
    assert change.status is Status.QUEUED
    assert change.fields["error"] == "The image is missing. Push it."
    assert change.fields["waiting_for"] == "image_pull"


def test_a_finished_unit_is_never_taken_back() -> None:
    done = unit(0, UnitState.DONE, attempt=1, started_at=at(1), ended_at=at(2))
    late = [
        UnitReport(index=0, state=UnitState.FAILED, attempt=1, exit_code=1),
        UnitReport(index=0, state=UnitState.RUNNING, attempt=2, started_at=at(3)),
    ]
    assert unit_moves.merge([done], late) == ()


def test_news_of_an_older_attempt_changes_nothing() -> None:
    second = unit(0, UnitState.RUNNING, attempt=2, started_at=at(3))
    assert unit_moves.merge([second], [UnitReport(index=0, state=UnitState.FAILED, attempt=1)]) == ()


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_retry_opens_a_new_attempt_that_keeps_finished_units(status: Status) -> None:
    ended = job(status=status, phase=Phase(status.value), attempt=1, finished_at=at(9), error_code="x", error="y")
    change = lifecycle.reopen(ended)
    assert change is not None
    assert change.fields["attempt"] == 2
    assert change.fields["error"] is None
    again = unit_moves.reset([unit(0, UnitState.DONE), unit(1, UnitState.FAILED, attempt=1, exit_code=137)])
    assert [(u.index, u.state, u.attempt, u.exit_code) for u in again] == [(1, UnitState.WAITING, 1, None)]


def test_a_completed_or_active_job_is_not_retried() -> None:
    assert lifecycle.reopen(job(status=Status.COMPLETED, phase=Phase.COMPLETED)) is None
    assert lifecycle.reopen(job()) is None


def test_cancelling_twice_is_one_change() -> None:
    row = job(status=Status.RUNNING, phase=Phase.RUNNING)
    assert lifecycle.cancelling(row, at(1)) is not None
    assert lifecycle.cancelling(replace(row, phase=Phase.CANCELLING), at(2)) is None


def test_step_times_of_the_engine_win_and_ended_steps_stay() -> None:
    line = steps.start(steps.begin(), StepName.RUNNING, at(5))
    line = steps.merge(line, [StepReport(name=StepName.RUNNING, started_at=at(3), ended_at=at(8))])
    running = next(step for step in line if step.name is StepName.RUNNING)
    assert (running.started_at, running.ended_at, running.duration_ms) == (at(3), at(8), 5000)
    again = steps.merge(line, [StepReport(name=StepName.RUNNING, started_at=at(1), ended_at=at(99))])
    assert again == line


@pytest.mark.parametrize("ended", [False, True])
def test_handing_over_ends_where_blast_begins(ended: bool) -> None:
    line = steps.start(steps.end(steps.begin(), StepName.PREPARING, at(1)), StepName.SUBMITTING, at(1))
    before = job(phase=Phase.SUBMITTED, steps=line)
    state = UnitState.FAILED if ended else UnitState.RUNNING
    report = UnitReport(index=0, state=state, attempt=1, started_at=at(2))
    seen = Present(phase=Phase.RUNNING, units=(report,), ended=ended, trouble=TROUBLE if ended else None)
    change = lifecycle.decide(before, (unit(0, attempt=1), unit(1)), seen, at(9), "poll").change
    assert change is not None
    told = {step.name: step for step in change.fields["steps"]}
    assert (told[StepName.SUBMITTING].status, told[StepName.SUBMITTING].ended_at) == (StepStatus.DONE, at(2))
    running = told[StepName.RUNNING]
    assert (running.status, running.started_at) == (StepStatus.FAILED if ended else StepStatus.RUNNING, at(2))


def test_parts_that_come_after_the_end_of_a_step_are_kept_and_its_times_stay() -> None:
    line = steps.end(steps.start(steps.begin(), StepName.SUBMITTING, at(1)), StepName.SUBMITTING, at(2))
    told = [StepReport(name=StepName.SUBMITTING, started_at=at(0), ended_at=at(9), parts={"scripts": 0.5})]
    line = steps.merge(line, told)
    found = next(step for step in line if step.name is StepName.SUBMITTING)
    assert (found.started_at, found.ended_at, found.parts) == (at(1), at(2), {"scripts": 0.5})
    assert steps.merge(line, [StepReport(name=StepName.SUBMITTING, parts={"scripts": 7.0})]) == line


def test_closing_the_timeline_skips_what_was_never_reached() -> None:
    line = steps.close(steps.start(steps.begin(), StepName.PREPARING, at(0)), at(2), "boom")
    assert line[0].status is StepStatus.FAILED
    assert line[0].error == "boom"
    assert {step.status for step in line[1:]} == {StepStatus.SKIPPED}
    assert all(step.duration_ms is None for step in line[1:])


def test_an_end_is_never_before_its_start_when_clocks_differ() -> None:
    line = steps.start(steps.begin(), StepName.RUNNING, at(10))
    line = steps.end(line, StepName.RUNNING, at(4))
    assert next(step for step in line if step.name is StepName.RUNNING).duration_ms == 0


def test_completing_closes_every_step_and_clears_errors() -> None:
    row = job(status=Status.RUNNING, phase=Phase.RUNNING, steps=steps.start(steps.begin(), StepName.PREPARING, at(0)))
    units = [
        unit(0, UnitState.DONE, started_at=at(1), ended_at=at(4)),
        unit(1, UnitState.DONE, started_at=at(2), ended_at=at(6)),
    ]
    change = lifecycle.completed(row, at(7), "process", {"hits": 3}, units)
    line = {step.name: step for step in change.fields["steps"]}
    assert (line[StepName.RUNNING].started_at, line[StepName.RUNNING].ended_at) == (at(1), at(6))
    assert line[StepName.EXPORTING].duration_ms == 1000
    assert change.fields["error"] is None
    assert sum(step.duration_ms or 0 for step in line.values()) <= 7000


def test_a_search_that_could_not_be_handed_over_says_why_while_it_is_tried_again() -> None:
    away = Trouble(code="cluster_unreachable", sentence="It is away.", retryable=True)
    held = job(waiting_for="cluster_unreachable", error_code="cluster_unreachable", error=away.text)
    assert lifecycle.submitting(held, T0).fields["waiting_for"] == "cluster_unreachable"
    assert lifecycle.waiting(held, away, T0) is None
    assert lifecycle.handed_over(held, T0, T0).fields["waiting_for"] is None
    assert lifecycle.submitting(job(waiting_for="slot"), T0).fields["waiting_for"] is None


def test_time_in_the_queue_is_a_stretch_of_its_own_and_no_part_of_a_step() -> None:
    row = job(phase=Phase.QUEUED, steps=steps.begin())
    assert StepName.WAITING not in {step.name for step in row.steps}
    for second, position in ((1, 7), (2, 3), (5, 1)):
        seen = Present(phase=Phase.QUEUED, waiting_for="slot", queue_position=position)
        change = lifecycle.decide(row, (unit(0),), seen, at(second), "process").change
        row = row if change is None else replace(row, phase=change.phase or row.phase, **change.fields)
    begun = UnitReport(index=0, state=UnitState.RUNNING, attempt=1, started_at=at(20))
    change = lifecycle.decide(row, (unit(0),), Present(phase=Phase.RUNNING, units=(begun,)), at(21), "process").change
    assert change is not None
    shown = {step.name: step for step in change.fields["steps"]}
    assert [shown[name].duration_ms for name in (StepName.PREPARING, StepName.SUBMITTING, StepName.WAITING)] == [
        1000,
        0,
        19_000,
    ]
    assert shown[StepName.RUNNING].started_at == at(20)
    assert list(shown).index(StepName.WAITING) == list(shown).index(StepName.RUNNING) - 1
    again = steps.reopen(change.fields["steps"])
    assert StepName.WAITING not in {step.name for step in again}


def test_a_search_that_can_not_be_handed_over_waits_and_its_phase_does_not_bounce() -> None:
    row = job(phase=Phase.QUEUED, steps=steps.begin())
    intent = lifecycle.submitting(row, at(1))
    row = replace(row, phase=Phase.SUBMITTING, **intent.fields)
    phases = []
    for second in range(2, 6):
        trouble = Trouble(code="database_upload", sentence=f"{second * 10}%", retryable=True)
        change = lifecycle.waiting(row, trouble, at(second))
        assert change is not None
        row = replace(row, phase=change.phase or row.phase, **change.fields)
        phases.append(row.phase)
        assert lifecycle.waits(row)  # the next try tells no intent anew
    assert phases == [Phase.QUEUED] * 4
    change = lifecycle.handed_over(row, at(10), at(13))
    shown = {step.name: step for step in change.fields["steps"]}
    assert (shown[StepName.WAITING].started_at, shown[StepName.WAITING].ended_at) == (at(2), at(10))
    assert (shown[StepName.SUBMITTING].started_at, shown[StepName.SUBMITTING].ended_at) == (at(10), at(13))


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def test_U18_what_is_done_before_a_hand_over_is_a_step_and_no_wait() -> None:
    """The upload of a database, which later searches find there."""
    upload = Trouble(code="database_upload", sentence="It is uploaded.", retryable=True, step=StepName.WARMING_UP)
    row = job()
    change = lifecycle.waiting(row, upload, later(1))
    assert change is not None
    assert change.phase is Phase.WARMING_UP
    row = replace(row, phase=change.phase, **change.fields)
    handed = lifecycle.handed_over(row, later(5), later(6))
    steps = {step.name: step for step in handed.fields["steps"]}
    assert StepName.WAITING not in steps
    assert (steps[StepName.WARMING_UP].started_at, steps[StepName.WARMING_UP].ended_at) == (later(1), later(5))
    assert (steps[StepName.SUBMITTING].started_at, steps[StepName.SUBMITTING].ended_at) == (later(5), later(6))


def test_U18_an_upload_that_broke_off_is_a_wait_until_it_goes_on() -> None:
    upload = Trouble(code="database_upload", sentence="It is uploaded.", retryable=True, step=StepName.WARMING_UP)
    away = Trouble(code="blob_unreachable", sentence="The account is away.", retryable=True)
    row = job()
    for second, trouble in ((1, upload), (2, away)):
        change = lifecycle.waiting(row, trouble, later(second))
        assert change is not None
        row = replace(row, phase=change.phase, **change.fields)
    assert row.phase is Phase.QUEUED
    running = [step.name for step in row.steps if step.status is StepStatus.RUNNING]
    assert running == [StepName.WAITING]


def test_U18_each_wait_of_an_attempt_is_counted_and_the_row_stays_bounded() -> None:
    """For an account that is away, and then in the queue of the cluster."""
    away = Trouble(code="blob_unreachable", sentence="The account is away.", retryable=True)
    row = job()
    change = lifecycle.waiting(row, away, later(2))
    assert change is not None
    row = replace(row, phase=Phase.QUEUED, **change.fields)
    row = replace(row, phase=Phase.SUBMITTED, **lifecycle.handed_over(row, later(10), later(13)).fields)
    for second in (14, 15):
        seen = lifecycle.decide(row, [unit(0)], Present(phase=Phase.SUBMITTED), later(second), "watch").change
        row = row if seen is None else replace(row, **seen.fields)
    report = UnitReport(index=0, state=UnitState.RUNNING, attempt=1, started_at=later(20))
    running = Present(phase=Phase.RUNNING, units=(report,))
    seen = lifecycle.decide(row, [unit(0)], running, later(21), "watch").change
    assert seen is not None
    waits = [step for step in seen.fields["steps"] if step.name is StepName.WAITING]
    assert [(step.started_at, step.ended_at) for step in waits] == [(later(2), later(10)), (later(14), later(20))]
    bounded = steps.begin()
    for second in range(0, 100, 2):
        bounded = steps.go_on(steps.wait(bounded, later(second)), later(second + 1))
    assert len(bounded) < 20
