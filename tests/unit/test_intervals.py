"""How often a job is looked at (DESIGN.md 3.5, 3.6)."""

import pytest

from blastd.core.intervals import Intervals, backoff, may_look, poll_delay, throttle
from blastd.core.model import Phase

POLICY = Intervals()


@pytest.mark.parametrize(
    ("phase", "delay", "least"),
    [
        (Phase.QUEUED, 10, 5),
        (Phase.SUBMITTED, 20, 20),
        (Phase.STAGING_DB, 10, 5),
        (Phase.RUNNING, 5, 5),
        (Phase.RESULTS_PENDING, 5, 5),
        (Phase.CANCELLING, 10, 5),
    ],
)
def test_delay_and_throttle_by_phase(phase: Phase, delay: float, least: float) -> None:
    assert (poll_delay(phase, POLICY), throttle(phase, POLICY)) == (delay, least)


def test_three_reads_in_ten_seconds_cost_two_looks() -> None:
    last, looks = None, 0
    for now in (100.0, 106.0, 109.0):
        if may_look(Phase.RUNNING, last, now, POLICY):
            last, looks = now, looks + 1
    assert looks == 2


def test_backoff_doubles_up_to_a_minute_and_jitter_only_shortens() -> None:
    assert [backoff(n, POLICY, 0.0) for n in (1, 2, 3, 4, 5, 50)] == [5, 10, 20, 40, 60, 60]
    assert backoff(1, POLICY, 1.0) == 2.5
