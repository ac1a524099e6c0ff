"""Small queries are durable with their row, and their files some seconds later: what a power cut takes comes back."""

import shutil
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from blastd.clock import SystemClock
from blastd.core.ids import JobId
from blastd.errors import StoreBroken
from blastd.store import files as store_files
from blastd.store import query_texts
from blastd.tracking.query_files import QueryFiles
from blastd.upkeep.fsck import check
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.service import API, Service, serving

WITH_STANDIN = LAMBDA_QUERY.replace(">", ">é ", 1)


LATER = SystemClock().now() + timedelta(days=1)


def later(service: Service) -> QueryFiles:
    """What starts once more, so that all is from before."""
    return QueryFiles(service.store, service.files, SystemClock())


@pytest.fixture
async def service(database_folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", [database_folder], without=["settle"]) as found:
        yield found


async def kept(service: Service) -> list[str]:
    return [text.job_id for text in await service.store.read(lambda db: query_texts.page(db, LATER, "", 1000))]


async def test_C09_a_power_cut_takes_no_query_of_an_accepted_search(service: Service) -> None:
    rows = [await service.submit(query, reuse=False) for query in (LAMBDA_QUERY, WITH_STANDIN, LAMBDA_QUERY)]
    for row in rows:
        await service.ended(row["job_id"])
    folders = [service.files.job_folder(JobId(row["job_id"])) for row in rows]
    before = [sorted((path.name, path.read_bytes()) for path in folder.glob("query*")) for folder in folders]
    assert [len(files) for files in before] == [1, 2, 1]
    (folders[0] / "query.fa").write_bytes(b"")  # what file systems leave of a file that was not flushed
    (folders[1] / "query.ascii.fa").unlink()
    shutil.rmtree(folders[2])
    await later(service).restore()
    assert [sorted((path.name, path.read_bytes()) for path in folder.glob("query*")) for folder in folders] == before
    assert all((folder / "units").is_dir() for folder in folders)


def test_C09_a_search_whose_query_went_runs_after_the_restart(database_folder: Path, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "state", [database_folder], {"BLASTD_LOCAL__SLOTS": "1"}).start()
    try:
        for _ in range(2):
            daemon.submit(SLOW_QUERY, **SLOW)
        waiting = daemon.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        daemon.kill()
        shutil.rmtree(daemon.state / "jobs" / waiting)
        found = check(daemon.state / "blastd.sqlite", 0.0, running=False, mend=False).findings
        assert {finding.kind for finding in found} <= {"temporary"}, "the store has the query, and the start writes it"
        daemon.start()
        for row in daemon.get(API).json["jobs"]:
            if row["job_id"] != waiting:
                daemon.post(f"{API}/{row['job_id']}/cancel")
        assert daemon.ended(waiting)["status"] == "completed"
        assert daemon.results(waiting, "tabular") == daemon.results(daemon.run(LAMBDA_QUERY)["job_id"], "tabular")
        assert b"queries_restored" in daemon.log.read_bytes()
    finally:
        daemon.kill()


async def test_the_store_forgets_a_query_when_its_file_is_durable(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [await service.submit(query, reuse=False) for query in (LAMBDA_QUERY, WITH_STANDIN)]
    assert sorted(await kept(service)) == sorted(row["job_id"] for row in rows)
    flushed: list[Path] = []
    monkeypatch.setattr(store_files, "flush", flushed.append)
    monkeypatch.setattr(store_files, "flush_folder", flushed.append)
    await later(service).run_once()
    assert await kept(service) == []
    one, two = (service.files.job_folder(JobId(row["job_id"])) for row in rows)
    wanted = {one, one / "query.fa", two, two / "query.fa", two / "query.ascii.fa", service.files.jobs}
    assert set(flushed) == wanted


async def test_one_that_can_not_be_flushed_is_kept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    row = await service.submit(LAMBDA_QUERY, reuse=False)

    def refuse(path: Path) -> None:
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr(store_files, "flush", refuse)
    with pytest.raises(OSError, match="Input/output"):
        await later(service).run_once()
    assert await kept(service) == [row["job_id"]]


async def test_one_that_can_not_be_written_again_stops_the_start(service: Service) -> None:
    row = await service.submit(LAMBDA_QUERY, reuse=False)
    await service.ended(row["job_id"])
    query = service.files.query_path(JobId(row["job_id"]))
    query.unlink()
    query.mkdir()
    with pytest.raises(StoreBroken, match="can't be written again"):
        await later(service).restore()


async def test_a_deleted_job_takes_its_query_along(service: Service) -> None:
    row = await service.submit(LAMBDA_QUERY, reuse=False)
    await service.ended(row["job_id"])
    assert (await service.ask("DELETE", f"{API}/{row['job_id']}")).status == 200
    assert await kept(service) == []
    assert not service.files.job_folder(JobId(row["job_id"])).exists()


async def test_a_job_deleted_meanwhile_is_passed_over(service: Service) -> None:
    page = await _page_of(service)
    shutil.rmtree(service.files.job_folder(page[0].job_id))
    service.files.flush_queries(page)
    assert not service.files.job_folder(page[0].job_id).exists()


async def _page_of(service: Service) -> list[query_texts.QueryText]:
    await service.submit(LAMBDA_QUERY, reuse=False)
    return await service.store.read(lambda db: query_texts.page(db, LATER, "", 10))


async def test_what_came_as_a_file_is_durable_at_once(service: Service) -> None:
    answer = await service.post(f"{API}?program=blastn&database=tnt&reuse=false", LAMBDA_QUERY.encode())
    assert answer.status == 202, answer.text
    assert await kept(service) == []
    assert service.files.query_path(JobId(answer.json["job_id"])).read_text() == LAMBDA_QUERY


class Ahead(SystemClock):
    """A clock that is some seconds ahead."""

    seconds = 0.0

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.seconds)


async def test_C09_what_was_lost_comes_back_though_the_clock_is_behind_after_the_power_cut(service: Service) -> None:
    row = await service.submit(LAMBDA_QUERY, reuse=False)
    await service.ended(row["job_id"])
    query = service.files.query_path(JobId(row["job_id"]))
    query.write_bytes(b"")
    clock = Ahead()
    clock.seconds = -86_400
    await QueryFiles(service.store, service.files, clock).restore()
    assert query.read_text() == LAMBDA_QUERY


async def test_what_has_just_come_is_left_for_a_while(service: Service) -> None:
    clock = Ahead()
    query_files = QueryFiles(service.store, service.files, clock)
    row = await service.submit(LAMBDA_QUERY, reuse=False)
    await query_files.run_once()
    assert await kept(service) == [row["job_id"]]
    clock.seconds = 41
    await query_files.run_once()
    assert await kept(service) == []
