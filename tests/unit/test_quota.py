"""What fits into a day, and when there is room again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blastd.core.quota import WINDOW, Spent, room_at, used
from blastd.errors import Invalid, QuotaUsed
from blastd.service.search.submit import check_quota

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)


def spent(*parts: tuple[float, int]) -> list[Spent]:
    """Parts as (hours ago, letters), oldest first."""
    return [Spent(until=NOW - timedelta(hours=hours), letters=letters) for hours, letters in parts]


@pytest.mark.parametrize(
    ("parts", "letters", "hours"),
    [
        ([], 100, 0),
        ([(1, 60)], 40, 0),
        ([(1, 60)], 41, 23),
        ([(20, 30), (10, 30), (1, 40)], 30, 4),
        ([(20, 30), (10, 30), (1, 40)], 31, 14),
        ([(20, 30), (10, 30), (1, 40)], 100, 23),
        ([(24, 100)], 1, 0),
        ([(1, 500)], 100, 23),
    ],
)
def test_room_comes_when_enough_has_left_the_window(parts: list[tuple[float, int]], letters: int, hours: float) -> None:
    assert room_at(spent(*parts), letters, 100, NOW) == NOW + timedelta(hours=hours)


def test_what_is_larger_than_the_limit_never_fits() -> None:
    assert room_at([], 101, 100, NOW) is None
    with pytest.raises(Invalid, match="101 letters"):
        check_quota([], 101, 100, NOW)


def test_the_refusal_says_how_much_is_used_and_when_there_is_room() -> None:
    with pytest.raises(QuotaUsed, match=r"60 of 100 letters .* needs 50: .* from 2026-01-03 11:00 UTC") as caught:
        check_quota(spent((1, 60)), 50, 100, NOW)
    assert caught.value.facts == {"used_letters": 60, "limit_letters": 100, "retry_after_seconds": 23 * 3600}


@given(st.lists(st.tuples(st.floats(0, 24), st.integers(1, 50)), max_size=20), st.integers(1, 100))
def test_at_the_time_told_it_fits_and_not_before(parts: list[tuple[float, int]], letters: int) -> None:
    given_parts = spent(*sorted(parts, reverse=True))
    at = room_at(given_parts, letters, 100, NOW)
    assert at is not None

    def left(moment: datetime) -> int:
        return used([part for part in given_parts if part.until + WINDOW > moment])

    assert left(at) + letters <= 100
    if at > NOW:
        assert left(at - timedelta(milliseconds=1)) + letters > 100
