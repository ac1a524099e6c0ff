"""BLAST+ that is replaced under the running service: each unit says what ran it, and no result is of two versions.

The other version is the installed one behind a script that names another number wherever BLAST+ names its own.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from blastd.blastplus import tools as blast
from blastd.core.ids import JobId
from blastd.core.model import Unit
from blastd.store import jobs, units
from tests.databases import DB
from tests.patience import PATIENCE_SECONDS
from tests.service import API, Service, serving

OTHER = "2.99.0+"
SEARCH: dict[str, Any] = {"program": "blastp", "database": "taa", "reuse": False}
QUERY = (DB / "aa.fa").read_text()


class Installed:
    """A folder of BLAST+ in which one program can be replaced."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        for name in (*blast.PROGRAMS, *blast.HELPERS):
            (folder / name).symlink_to(shutil.which(name) or "")
        self.real = Path(shutil.which("blastp") or "")
        self.go = folder / "go"

    def install(self, version: str | None, *, waits_from: int = 99) -> None:
        """Put a program in place as an upgrade does, by rename; from its run *waits_from* on it waits until `go` is there."""
        script, runs = self.folder / ".new", self.folder / f"runs-{version}"
        runs.mkdir(exist_ok=True)
        change = f"| sed 's/[0-9][0-9.]*+/{version}/'" if version is not None else ""
        script.write_text(
            "#!/bin/bash\nset -o pipefail\n"
            f'case " $* " in *" -db "*) mkdir {runs}/$$; [ "$(ls {runs} | wc -l)" -lt {waits_from} ] || '
            f"until [ -e {self.go} ]; do sleep 0.02; done;; esac\n"
            f'{self.real} "$@" {change}\n'
        )
        script.chmod(0o755)
        script.rename(self.folder / "blastp")

    def runs(self, version: str | None) -> int:
        return sum(1 for _ in (self.folder / f"runs-{version}").iterdir())


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path / "bin")


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(6000):
            if await true():
                return
            await asyncio.sleep(0.01)


async def its_units(service: Service, job_id: str) -> list[Unit]:
    return await service.store.read(lambda db: units.of_job(db, JobId(job_id)))


async def done(service: Service, job_id: str) -> int:
    return sum(unit.state == "done" for unit in await its_units(service, job_id))


def stored(service: Service, job_id: str) -> str:
    return "".join(path.read_text() for path in service.files.units_folder(JobId(job_id)).glob("*.out"))


async def of_one_version(service: Service, row: dict[str, Any], version: str) -> None:
    assert row["status"] == "completed", row
    assert row["blast_version"] == version
    found = await its_units(service, row["job_id"])
    assert {unit.blast_version for unit in found} == {version}
    assert stored(service, row["job_id"]).count(f" {version}\n") == row["query"]["count"]


@pytest.mark.parametrize("shards", [2, 4])
async def test_U11_V04_a_search_whose_blast_is_replaced_half_way_is_of_one_version(
    installed: Installed, tmp_path: Path, database_folder: Path, shards: int
) -> None:
    installed.install(None, waits_from=2)
    flags: dict[str, Any] = {"local__slots": 1, "local__shards": shards, "blast__bin": installed.folder}
    async with serving(tmp_path / "state", [database_folder], **flags) as service:
        job_id = (await service.submit(QUERY, **SEARCH))["job_id"]

        async def half_way() -> bool:
            return await done(service, job_id) == 1 and installed.runs(None) >= 2

        await until(half_way)
        installed.install(OTHER)
        installed.go.touch()
        row = await service.ended(job_id)
        await of_one_version(service, row, OTHER)
        assert row["attempt"] == 2
        assert any("was replaced" in warning["text"] for warning in row["warnings"])
        again = await service.submit(QUERY, **SEARCH | {"reuse": True})
        same = await service.ended(again["job_id"])
        assert stored(service, same["job_id"]) == stored(service, job_id)


async def test_U11_V04_a_retry_after_an_upgrade_keeps_no_unit_of_the_version_before(
    installed: Installed, tmp_path: Path, database_folder: Path
) -> None:
    installed.install(None, waits_from=2)
    flags: dict[str, Any] = {"local__slots": 1, "local__shards": 3, "blast__bin": installed.folder}
    async with serving(tmp_path / "state", [database_folder], **flags) as service:
        job_id = (await service.submit(QUERY, **SEARCH))["job_id"]

        async def half_way() -> bool:
            return await done(service, job_id) == 1 and installed.runs(None) >= 2

        await until(half_way)
        assert (await service.post(f"{API}/{job_id}/cancel")).status == 202
        assert (await service.ended(job_id))["status"] == "cancelled"
    installed.install(OTHER)
    async with serving(tmp_path / "state", [database_folder], **flags) as service:
        assert (await service.post(f"{API}/{job_id}/retry")).status == 202
        await of_one_version(service, await service.ended(job_id), OTHER)


async def test_U11_V04_formats_and_reuse_ask_for_the_version_that_is_there_now(
    installed: Installed, tmp_path: Path, database_folder: Path
) -> None:
    installed.install(None)
    async with serving(tmp_path / "state", [database_folder], blast__bin=installed.folder) as service:
        first = await service.run(QUERY, **SEARCH | {"reuse": True})
        before = first["blast_version"]
        assert before not in (None, OTHER)
        installed.install(OTHER)
        refused = await service.get(f"{API}/{first['job_id']}/results?format=xml2")
        assert (refused.status, refused.json["code"]) == (422, "unsupported")
        assert before in refused.json["detail"]
        assert OTHER in refused.json["detail"]
        second = await service.run(QUERY, **SEARCH | {"reuse": True})
        await of_one_version(service, second, OTHER)
        assert second.get("reused_from") is None
        installed.install(None)
        third = await service.submit(QUERY, **SEARCH | {"reuse": True})
        reused = await service.ended(third["job_id"])
        assert reused["blast_version"] == before
        row = await service.store.read(lambda db: jobs.get(db, JobId(reused["job_id"])))
        assert row is not None
        assert row.reused_from == first["job_id"]


@pytest.mark.parametrize("how", ["rename", "rewrite", "link", "removed and back"])
async def test_U11_a_replaced_program_is_noticed_however_it_was_replaced(installed: Installed, how: str) -> None:
    installed.install(None)
    found = await blast.find(installed.folder, "/usr/bin:/bin", "/")
    before = await found.version_of("blastp")
    assert before == found.version
    place = installed.folder / "blastp"
    text = place.read_text()
    if how == "link":
        place.unlink()
        place.symlink_to(installed.folder / "target")
        (installed.folder / "target").write_text(text)
        (installed.folder / "target").chmod(0o755)
        assert await found.version_of("blastp") == before
        place = installed.folder / "target"
    installed.install(OTHER)
    text = (installed.folder / "blastp").read_text()
    if how in ("rewrite", "link"):
        (installed.folder / "blastp").rename(installed.folder / ".kept")
        installed.install(None)
        assert await found.version_of("blastp") == before
        (installed.folder / "blastp").write_text(text + "# longer\n")
    if how == "removed and back":
        (installed.folder / "blastp").rename(installed.folder / ".away")
        (installed.folder / ".away").rename(installed.folder / "blastp")
    assert await found.version_of("blastp") == OTHER
    assert await found.version_of("blastn") == before
