"""Shards of a database whose sequences are of very different lengths: about the same letters each, and the same result."""

import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

from blastd.blastplus.blastdb import check_volume
from blastd.blastplus.layout import cuts_of
from blastd.core.alias import AliasVolume, Layout, Named
from blastd.core.ids import JobId
from blastd.core.model import Unit
from blastd.core.plan import SearchedDatabases, plan
from blastd.engines.local.pieces import shard_major
from tests.databases import make, random_dna
from tests.service import API, serving

pytestmark = pytest.mark.blast

SHORT, LONG = 200, 20_000
RECORDS = [(f"s{number}", random_dna(SHORT if number < 600 else LONG, number)) for number in range(650)]
"""600 reads, then 50 contigs with nine tenths of the letters."""


def skewed(folder: Path, *more: str) -> Path:
    fasta = folder / "skewed.fa"
    fasta.write_text("".join(f">{name}\n{letters}\n" for name, letters in RECORDS))
    databases = folder / "db"
    databases.mkdir()
    make(databases, fasta, "skewed", "nucl", "-parse_seqids", *more)
    return databases


def lengths(databases: Path) -> list[int]:
    words = ["blastdbcmd", "-db", "skewed", "-entry", "all", "-outfmt", "%l"]
    return [int(line) for line in subprocess.run(words, cwd=databases, check=True, capture_output=True).stdout.split()]


@pytest.mark.parametrize("volumes", [("skewed",), ("skewed.00", "skewed.01")])
def test_Y11_four_shards_of_a_skewed_database_differ_by_a_tenth_in_letters(
    tmp_path: Path, volumes: tuple[str, ...]
) -> None:
    databases = skewed(tmp_path, *(("-max_file_sz", "250KB") if len(volumes) > 1 else ()))
    found = tuple(
        AliasVolume(path=str(databases / name), sequences=check_volume(databases / name, "nucl").sequences)
        for name in volumes
    )
    layout = Layout(
        molecule="nucl", argument="skewed", volumes=found, has_ids=True,
        databases=(Named(name="skewed", title="", sequences=650, letters=0, volumes=tuple(range(len(found)))),),
    )  # fmt: skip
    its = lengths(databases)
    assert len(its) == layout.sequences, "the volumes are all that there are"
    parts = [sum(its[begin:end]) for begin, end in pairwise(cuts_of(layout, 4))]
    assert sum(parts) == sum(its)
    assert max(parts) <= 1.1 * min(parts)


def test_Y11_all_batches_search_a_shard_before_the_next_and_the_plan_says_how_large_shards_are() -> None:
    found = plan(
        program="blastp", task=None, options={}, letters=[20_000] * 4, offsets=[0, 1, 2, 3], sizes=[1] * 4,
        unnamed=False, slots=2, shards=2, batches=3,
        database=SearchedDatabases(sequences=1000, letters=4_000_000, volumes=(1000,)),
    )  # fmt: skip
    assert "2 shards of about 2,000,000 letters each" in found.why[0]
    units = [
        Unit(
            job_id=JobId("0" * 32), index=unit.index, kind=unit.kind, batch=unit.batch, shard=unit.shard,
            first_query=0, queries=1, letters=1, offset=0, size=1, after=unit.after,
        )
        for unit in found.units
    ]  # fmt: skip
    order = [(unit.shard, unit.batch) for unit in sorted(units, key=shard_major)]
    assert order == [(None, 0), (None, 1), (None, 2), (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]


async def test_Y11_the_result_of_skewed_shards_is_that_of_the_whole(tmp_path: Path) -> None:
    databases = skewed(tmp_path)
    query = "".join(f">{name}\n{letters[50:180]}\n" for name, letters in RECORDS[::90])
    tables = []
    for shards in (1, 4):
        async with serving(tmp_path / str(shards), [databases], local__shards=shards) as service:
            row = await service.run(query, database="skewed", task="blastn")
            assert row["status"] == "completed", row
            assert row["progress"]["units_total"] == (5 if shards == 4 else 1)
            tables.append((await service.get(f"{API}/{row['job_id']}/results?format=tabular")).body)
    assert tables[0] == tables[1]
    assert tables[0].count(b"\n") >= 8
