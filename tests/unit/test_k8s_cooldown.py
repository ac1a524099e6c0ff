"""How long a cluster that fails is left alone: backoff, and what its Retry-After asks for."""

import pytest

from blastd.core.intervals import Intervals
from blastd.engines.kubernetes.client import patience
from blastd.engines.kubernetes.failures import AccessRefused, ClusterAway, CoolDown, with_mend
from tests.fakes import FakeClock


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("", 0), ("3", 3), ("0", 0), ("900", 60), ("-1", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("²", 0)],
)
def test_retry_after_is_kept_up_to_a_minute(header: str, seconds: int) -> None:
    assert patience(header) == seconds


def test_a_cluster_that_asks_for_time_gets_it_and_one_that_answers_is_asked_again() -> None:
    cool = CoolDown(FakeClock(), Intervals(cool_down=1.0), lambda: 0.0)
    cool.failed("It is busy.", 30)
    assert cool.left == 30
    with pytest.raises(ClusterAway, match="busy"):
        cool.check()
    cool.worked()
    cool.check()
    assert cool.left == 0
    cool.failed("It is busy.")
    assert cool.left == 1.0


def test_what_is_told_of_a_failure_has_its_mend() -> None:
    assert "blastd doctor" in with_mend(ClusterAway("It is away."))
    assert "kubernetes/rbac.yaml" in with_mend(AccessRefused("You cannot."))
