"""A storage of either kind holds what it was given; here the shared folder (tests/cluster has both, with pods)."""

from pathlib import Path

import pytest

from blastd.chance import SystemChance
from blastd.clock import SystemClock
from blastd.config import VolumeSettings
from blastd.errors import ConfigError
from blastd.storage.contract import Area, PodNeeds, StorageFailure, StorageMissing
from blastd.storage.volume import SharedFolder, open_volume

SOURCE = {"nfs": {"server": "files", "path": "/blastd"}}


@pytest.fixture
def shared(tmp_path: Path) -> SharedFolder:
    folder = tmp_path / "shared"
    folder.mkdir()
    return open_volume(VolumeSettings(folder=folder, source=SOURCE, sub_path="team"), SystemChance())


def published(folder: Path, name: str) -> None:
    """Lay a result as a pod does."""
    made = folder / "shared" / "results" / name
    made.mkdir(parents=True)
    (made / "output").write_bytes(b"hits")
    (made / "report").write_text("report")


async def test_K05_objects_are_whole_or_not_there_and_go_with_their_job(shared: SharedFolder, tmp_path: Path) -> None:
    await shared.ensure()
    source, seen = tmp_path / "query.fa", list[int]()
    source.write_bytes(b">q\nACGT\n")
    await shared.upload(Area.QUERIES, "job/query.fa", source, seen.append)
    await shared.put(Area.QUERIES, "job/1.plan.json", b"{}")
    published(tmp_path, "job/1/0.out")
    (tmp_path / "shared" / "results" / "job" / "1" / ".1.out.x.part").mkdir()
    assert seen == [8]
    assert [one.name for one in await shared.listed(Area.QUERIES, "job/")] == ["job/1.plan.json", "job/query.fa"]
    assert [(one.name, one.size) for one in await shared.listed(Area.RESULTS, "")] == [("job/1/0.out", 4)]
    assert await shared.download(Area.RESULTS, "job/1/0.out", tmp_path / "back") == {"report": "report"}
    assert (tmp_path / "back").read_bytes() == b"hits"
    assert (await shared.size_of(Area.RESULTS, "job/1/0.out"), await shared.size_of(Area.RESULTS, "no")) == (4, None)
    assert await shared.remove(Area.RESULTS, "job/") == 1
    assert await shared.remove(Area.QUERIES, "job/1.plan.json") == 1
    assert not (tmp_path / "shared" / "results" / "job").exists()
    assert await shared.get(Area.QUERIES, "job/query.fa") == b">q\nACGT\n"
    with pytest.raises(StorageMissing):
        await shared.get(Area.QUERIES, "job/1.plan.json")


async def test_pods_see_their_own_query_and_results_and_every_database(shared: SharedFolder, tmp_path: Path) -> None:
    mounts = shared.pod_mounts("job", "job/1")
    assert [(one["subPath"], one["readOnly"]) for one in mounts.mounts] == [
        ("team/queries/job", True),
        ("team/results/job/1", False),
        ("team/blast-db", True),
    ]
    assert mounts.volumes == ({"name": "storage"} | SOURCE,)
    needs = PodNeeds(
        tables="job/tables.json", plan="job/1.plan.json", units={number: f"job/1/{number}.out" for number in range(9)}
    )
    told = await shared.pod_access(needs, SystemClock().now())
    assert told == {"kind": "volume", "folder": "/blastd/storage", "plan": "1.plan.json"}
    modes = [
        (tmp_path / "shared" / name).stat().st_mode & 0o7777 for name in ("results/job/1", "queries/job", "blast-db")
    ]
    assert modes == [0o2770] * 3, "pods of the same group write there"


@pytest.mark.parametrize("name", ["../x", "/etc/x", "job/../../x"])
async def test_no_name_leads_out_of_the_folder(shared: SharedFolder, name: str) -> None:
    with pytest.raises(StorageFailure, match="can't be called"):
        await shared.put(Area.QUERIES, name, b"x")


async def test_a_volume_that_is_not_mounted_is_named(tmp_path: Path) -> None:
    away = open_volume(VolumeSettings(folder=tmp_path / "away", source=SOURCE), SystemChance())
    with pytest.raises(StorageMissing):
        await away.ensure()
    with pytest.raises(StorageFailure):
        await away.check()


@pytest.mark.parametrize(("folder", "source"), [(None, SOURCE), (Path("/x"), {}), (Path("/x"), {"a": {}, "b": {}})])
def test_a_volume_needs_a_folder_and_one_source(folder: Path | None, source: dict[str, dict[str, str]]) -> None:
    with pytest.raises(ConfigError):
        open_volume(VolumeSettings(folder=folder, source=source), SystemChance())
