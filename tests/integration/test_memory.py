"""What fits into the memory is accepted, cut into shards where it must be; what does not fit is refused with both sizes."""

from pathlib import Path

import pytest

from blastd.core import memory
from blastd.core.plan import BATCH_SECONDS, SearchedDatabases, plan, seconds_per_cell
from tests.databases import LAMBDA_QUERY
from tests.service import API, serving


def test_Y09_memory_follows_a_round_of_queries_not_the_file() -> None:
    reads = memory.process_bytes("blastn", 400_000 * 500, 500)
    assert reads + 12_000_000 < 1 << 30
    assert memory.process_bytes("blastp", 10**9, 400) < memory.process_bytes("blastp", 10**9, 40_000_000)


@pytest.mark.parametrize(
    ("database", "process", "has", "shards"),
    [(100, 10, 110, 1), (100, 10, 109, 2), (1000, 10, 110, 11), (1, 10, 10, None)],
)
def test_Y09_a_database_is_cut_so_that_each_shard_fits(
    database: int, process: int, has: int, shards: int | None
) -> None:
    assert memory.shards_within(database, process, has) == shards


@pytest.mark.parametrize("program", ["blastp", "blastx", "tblastn", "tblastx"])
def test_Y12_a_batch_of_a_long_search_is_of_minutes_whatever_the_number_of_slots(program: str) -> None:
    letters = [5_000] * 4_000
    cells = 10**9
    found = plan(
        program=program, task=None, options={}, letters=letters, offsets=[at * 5_100 for at in range(4_000)],
        sizes=[5_100] * 4_000, unnamed=False, slots=2,
        database=SearchedDatabases(sequences=10**6, letters=cells, volumes=(10**6,)),
    )  # fmt: skip
    longest = max(batch.letters for batch in found.batches) * cells * seconds_per_cell(program, None)
    one_round = 20_000 * cells * seconds_per_cell(program, None)
    assert longest <= max(2 * BATCH_SECONDS, 2 * one_round)


async def test_Y09_shards_are_chosen_where_the_memory_needs_them_and_the_result_stays(
    tmp_path: Path, database_folder: Path
) -> None:
    async with serving(tmp_path / "whole", [database_folder]) as service:
        whole = await service.run(LAMBDA_QUERY)
        table = (await service.get(f"{API}/{whole['job_id']}/results?format=xml")).body
        size = service.services.databases.current("tnt").bytes  # type: ignore[union-attr]  # it is there
    process = memory.process_bytes("blastn", whole["query"]["letters"], whole["query"]["letters"])
    flags = {"local__memory_limit_bytes": process + size * 2 // 3}
    async with serving(tmp_path / "cut", [database_folder], **flags) as service:
        row = await service.run(LAMBDA_QUERY)
        assert row["status"] == "completed", row
        assert row["progress"]["units_total"] == 3  # two shards and a finish
        assert f"{size:,} bytes" in " ".join(row["plan_why"])
        assert (await service.get(f"{API}/{row['job_id']}/results?format=xml")).body == table
        search = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "options": {"culling_limit": 5}}
        answer = await service.post(API, search)
        assert answer.status == 422
        detail = answer.json["errors"][0]["detail"]
        assert f"{size + process:,} bytes" in detail
        assert f"{process + size * 2 // 3:,}" in detail
        assert "culling_limit" in detail
