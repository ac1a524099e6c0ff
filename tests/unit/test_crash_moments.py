"""Every named moment of the crash campaign is a place in the code: a renamed function must not drop one in silence."""

from pathlib import Path

import pytest

from tests.crash.doomed import SQL, place_of
from tests.crash.moments import CLUSTER, LOCAL, Moment

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("moment", [*LOCAL, *CLUSTER], ids=lambda moment: moment.name)
def test_C09_a_named_moment_exists(moment: Moment) -> None:
    kind, _, text = moment.target.partition(":")
    assert moment.when in ("before", "after")
    assert moment.nth > 0
    if kind != SQL:
        place_of(moment.target)
        return
    sources = [*(ROOT / "migrations").glob("*.sql"), *(ROOT / "blastd" / "store").glob("*.py")]
    first, _, rest = text.removeprefix("-- ").partition(" = ")
    assert any(first in file.read_text() for file in sources), f"nothing runs {first} {rest}"


def test_moments_have_names_of_their_own() -> None:
    names = [moment.name for moment in (*LOCAL, *CLUSTER)]
    assert len(set(names)) == len(names)
