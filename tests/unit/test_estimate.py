"""When a search is expected to end: at half of its time within 30 % of the truth, whatever it is made of."""

import heapq
from datetime import UTC, datetime, timedelta
from random import Random

from msgspec.structs import replace

from blastd.core.estimate import Pace, cells, expected
from blastd.core.ids import JobId, Owner
from blastd.core.model import DatabaseRef, Job, Phase, QueryInfo, Status, Unit, UnitKind, UnitState
from blastd.core.steps import begin
from blastd.service.progress import progress

T0 = datetime(2026, 1, 1, tzinfo=UTC)
RATE = 3e-9


def job(status: Status = Status.RUNNING) -> Job:
    return Job(
        job_id=JobId("1" * 36), version=1, title="", program="blastp", task="blastp",
        databases=(DatabaseRef(name="d", fingerprint="f", letters=10**7),), options={}, query_loc=None, engine="local",
        priority=0, owner=Owner("a"), source="api", status=status, phase=Phase.RUNNING, created_at=T0, updated_at=T0,
        query=QueryInfo(count=9, letters=9, molecule="prot", first_id="q", sha256=""), started_at=T0, steps=begin(),
        units_total=1,
    )  # fmt: skip


def unit(index: int, letters: int, kind: UnitKind = UnitKind.SEARCH, **more: object) -> Unit:
    return Unit(
        job_id=JobId("1" * 36), index=index, kind=kind, batch=int(str(more.pop("batch", index))), first_query=0,
        shard=more.pop("shard", None), queries=1, letters=letters, offset=0, size=1, **more,  # type: ignore[arg-type]  # checked by the struct
    )  # fmt: skip


def plans(draw: Random) -> dict[str, tuple[list[Unit], Pace]]:
    """Searches as they come: of one part, of many, skewed, sharded, retried."""
    known = Pace(seconds_per_cell=tuple(RATE * draw.uniform(0.8, 1.25) for _ in range(14)))
    sharded = []
    for batch in range(4):
        sharded += [unit(batch * 4 + it, 9000, UnitKind.PROPOSE, batch=batch, shard=it) for it in range(3)]
        after = tuple(range(batch * 4, batch * 4 + 3))
        sharded.append(unit(batch * 4 + 3, 9000, UnitKind.FINISH, batch=batch, after=after))
    done = [
        unit(it, 10_000, state=UnitState.DONE, started_at=T0 - timedelta(hours=9), ended_at=T0 - timedelta(hours=8))
        for it in range(6)
    ]
    return {
        "one part, known kind": ([unit(0, 50_000)], known),
        "one part of two threads": ([unit(0, 90_000, threads=2)], known),
        "tiny": ([unit(0, 300)], known),
        "eight parts": ([unit(it, 10_000) for it in range(8)], Pace()),
        "eight parts, known kind": ([unit(it, 10_000) for it in range(8)], known),
        "many parts": ([unit(it, 10_000) for it in range(60)], Pace()),
        "skewed": ([unit(it, 2_000 * (it % 7 + 1)) for it in range(20)], Pace()),
        "sharded": (sharded, Pace()),
        "retried, the rest": ([*done, *(unit(it, 10_000) for it in range(6, 16))], Pace()),
        "after a restart": ([*done, *(unit(it, 12_000) for it in range(6, 14))], known),
    }


def test_Y07_at_half_time_the_end_is_expected_within_30_per_cent_in_9_of_10() -> None:
    good = []
    for seed in range(10):
        draw = Random(seed)
        good += [_close(name, units, pace, draw) for name, (units, pace) in plans(draw).items()]
    assert sum(good) >= 0.9 * len(good)


def _close(name: str, units: list[Unit], pace: Pace, draw: Random) -> bool:
    """Run *units* on two slots, and compare what is expected at half time with the truth."""
    search, now_run = job(), [one.index for one in units if one.state is not UnitState.DONE]
    times: dict[int, tuple[float, float]] = {}
    free, ended = [0.0, 0.0], {one.index: -1.0 for one in units if one.state is UnitState.DONE}
    for one in units:
        if one.index in now_run:
            slot = max(heapq.heappop(free), *(ended[it] for it in one.after), 0.0)
            seconds = 0.05 + RATE * cells(search, units, one) * draw.uniform(0.88, 1.15) / one.threads
            times[one.index], ended[one.index] = (slot, slot + seconds), slot + seconds
            heapq.heappush(free, slot + seconds)
    whole = max(end for _, end in times.values())
    half, seen = T0 + timedelta(seconds=whole / 2), []
    for one in units:
        if one.index in times:
            start, end = (T0 + timedelta(seconds=at) for at in times[one.index])
            state = UnitState.DONE if end <= half else UnitState.RUNNING if start <= half else UnitState.WAITING
            one = replace(one, state=state, started_at=start, ended_at=end if end <= half else None)  # noqa: PLW2901
        seen.append(one)
    found = expected(search, seen, now_run, pace, half)
    assert found is not None, name
    return abs((found.ends_at - half).total_seconds() - whole / 2) <= 0.3 * whole / 2


def test_Y07_nothing_is_said_where_nothing_is_known_and_never_more_than_there_is() -> None:
    assert expected(job(), [unit(0, 9, state=UnitState.RUNNING, started_at=T0)], [0], Pace(), T0) is None
    assert progress(job(), T0 + timedelta(seconds=9)).fraction is None
    told = replace(job(), expected_end_at=T0 + timedelta(seconds=100), expected_from="14 earlier searches")
    last = 1e9
    for seconds in range(0, 200, 7):
        far = progress(told, T0 + timedelta(seconds=seconds))
        assert far.fraction is not None
        assert 0 <= far.fraction < 1
        if far.eta_seconds is not None:
            assert (far.eta_seconds < last, far.eta_from) == (True, "14 earlier searches")
            last = far.eta_seconds
    assert far.eta_seconds is None


def test_Y08_what_an_earlier_attempt_did_is_no_time_of_this_one() -> None:
    old = unit(0, 10_000, state=UnitState.DONE, started_at=T0 - timedelta(hours=9), ended_at=T0 - timedelta(hours=1))
    now = T0 + timedelta(seconds=10)
    new = [
        unit(1, 10_000, state=UnitState.DONE, started_at=T0, ended_at=now),
        unit(2, 10_000, state=UnitState.RUNNING, started_at=now),
    ]
    found = expected(job(), [old, *new], [1, 2], Pace(), now)
    assert found is not None
    assert 9 < (found.ends_at - now).total_seconds() < 11
    assert found.made_of == "1 of its own parts"
