"""How a job is cut: only where BLAST+ itself cuts, and not more than pays."""

from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blastd.core.model import UnitKind
from blastd.core.plan import MOST_UNITS, ROUND_LETTERS, Plan, SearchedDatabases, plan

SMALL = SearchedDatabases(sequences=30, letters=20_000, volumes=(30,))
BIG = SearchedDatabases(sequences=20_000, letters=9_055_569, volumes=(20_000,))


def made(
    letters: list[int],
    *,
    program: str = "blastp",
    task: str | None = None,
    options: dict[str, str | bool | tuple[str, ...]] | None = None,
    database: SearchedDatabases = BIG,
    slots: int = 2,
    shards: int | None = None,
    batches: int | None = None,
    unnamed: bool = False,
) -> Plan:
    sizes = [count + 10 for count in letters]
    offsets = [0, *accumulate(sizes)][:-1]
    return plan(
        program=program,
        task=task,
        options=options or {},
        letters=letters,
        offsets=offsets,
        sizes=sizes,
        unnamed=unnamed,
        database=database,
        slots=slots,
        shards=shards,
        batches=batches,
    )


def test_a_tiny_search_is_one_process_with_one_thread() -> None:
    for program in ("blastn", "blastp", "blastx", "tblastn", "tblastx"):
        found = made([400, 300], program=program, database=SMALL, slots=16)
        assert [(unit.kind, unit.threads, unit.after) for unit in found.units] == [(UnitKind.SEARCH, 1, ())]


def test_500_proteins_make_several_batches_a_slot() -> None:
    found = made([490] * 500, slots=2)
    assert len(found.batches) == 8
    letters = [batch.letters for batch in found.batches]
    assert max(letters) < 1.5 * min(letters)
    assert all(unit.threads == 1 for unit in found.units)


def test_one_large_query_gets_threads() -> None:
    found = made([40_000], slots=4)
    assert len(found.units) == 1
    assert found.units[0].threads == 4


def test_blastn_is_never_cut_and_says_why() -> None:
    found = made([5_000] * 200, program="blastn", task="blastn", batches=20)
    assert len(found.batches) == 1
    assert found.units[0].threads == 2
    assert "blastn sizes its rounds" in found.why[0]


def test_a_query_without_a_name_keeps_the_file_together() -> None:
    found = made([9_000] * 50, unnamed=True, batches=5)
    assert len(found.batches) == 1
    assert "without a definition" in found.why[0]


@pytest.mark.parametrize("name", ["culling_limit", "best_hit_overhang", "best_hit_score_edge"])
def test_what_compares_subjects_runs_on_the_whole_database(name: str) -> None:
    found = made([400] * 3, options={name: "1"}, shards=5)
    assert found.shards == 1
    assert [unit.kind for unit in found.units] == [UnitKind.SEARCH]
    assert name in found.why[0]


def test_a_selection_from_larger_volumes_is_not_sharded() -> None:
    found = made([400], database=SearchedDatabases(sequences=30, letters=20_000, volumes=(60,)), shards=2)
    assert found.shards == 1
    assert "selection" in found.why[0]


def test_shards_propose_and_one_finish_a_batch_waits_for_them() -> None:
    found = made([10_000] * 4, shards=3, batches=2)
    kinds = [unit.kind.value for unit in found.units]
    assert kinds == ["propose", "propose", "propose", "finish"] * 2
    assert found.units[7].after == (4, 5, 6)
    assert [unit.shard for unit in found.units] == [0, 1, 2, None] * 2
    assert [unit.index for unit in found.results()] == [3, 7]


def test_a_database_of_one_sequence_is_one_shard() -> None:
    assert made([400], database=SearchedDatabases(sequences=1, letters=5_000_000, volumes=(1,)), shards=4).shards == 1


@settings(max_examples=200, deadline=None)
@given(
    letters=st.lists(st.integers(0, 30_000), min_size=1, max_size=120),
    program=st.sampled_from(["blastp", "blastx", "tblastn", "tblastx"]),
    slots=st.integers(1, 8),
    batches=st.one_of(st.none(), st.integers(1, 200)),
)
def test_batches_hold_every_record_once_and_end_with_a_round(
    letters: list[int], program: str, slots: int, batches: int | None
) -> None:
    found = made(letters, program=program, slots=slots, batches=batches).batches
    assert found[0].first == 0
    assert sum(batch.count for batch in found) == len(letters)
    assert sum(batch.letters for batch in found) == sum(letters)
    assert sum(batch.bytes for batch in found) == sum(letters) + 10 * len(letters)
    ends, read = set(), 0
    for at, count in enumerate(letters, 1):
        read += count
        if read >= ROUND_LETTERS[program]:
            ends.add(at)
            read = 0
    for batch, after in pairwise(found):
        assert after.first == batch.first + batch.count
        assert after.offset == batch.offset + batch.bytes
        assert after.first in ends
    assert len(found) <= (batches or slots * 4)


@pytest.mark.parametrize(("shards", "batches"), [(1, 1000), (9, 1000), (99, 100), (999, 10), (2500, 3), (30_000, 1)])
def test_K02_no_search_has_more_parts_than_a_cluster_takes(shards: int, batches: int) -> None:
    found = made([10_000] * 1000, shards=shards, batches=5000)
    assert len(found.units) <= MOST_UNITS
    assert len(found.batches) == batches
    assert any(f"over {MOST_UNITS:,} parts" in why for why in found.why) == (batches < 1000)
