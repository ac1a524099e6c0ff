"""What the crash campaign found (`make crash`), each as a test of its own: what a crash left is put right."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from blastd.blastplus import makedb, tools
from blastd.blastplus.makedb import Order
from blastd.blastplus.process import MARK
from blastd.blastplus.tools import Tools
from blastd.chance import SystemChance
from blastd.core.ids import JobId, Owner
from blastd.core.search import Search
from blastd.errors import Conflict
from blastd.service.access import Identity
from blastd.service.search.query import Uploads
from blastd.store import jobs, sqlite
from blastd.store.files import Files
from blastd.upkeep.fsck import check
from tests.daemon import Daemon
from tests.databases import DB, LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS, eventually, until
from tests.service import API, Service, serving

CHILD = """
import asyncio, sys
from pathlib import Path
from blastd.blastplus import tools
asyncio.run(tools.run(["/bin/sleep", "60"], cwd=Path("/"), env={"NAME": sys.argv[1]}, seconds=60.0))
"""
HEX = "0123456789abcdef" * 2


def named(name: str) -> list[int]:
    """Return the processes of `sleep` with this name in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if f"NAME={name}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found += [int(entry.name)] if (entry / "comm").read_text() == "sleep\n" else []
        except OSError:
            continue
    return found


def test_C09_a_tool_dies_with_the_daemon(tmp_path: Path) -> None:
    name = str(tmp_path)
    parent = subprocess.Popen([sys.executable, "-c", CHILD, name])
    try:
        until(lambda: named(name))
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not named(name), 5)


def test_C09_a_start_kills_what_an_earlier_daemon_left(database_folder: Path, tmp_path: Path) -> None:
    daemon = Daemon(tmp_path / "state", [database_folder])
    left = subprocess.Popen(["sleep", "60"], env=dict(os.environ) | {MARK: str(daemon.state)})
    daemon.start()
    try:
        assert left.wait(10) == -signal.SIGKILL
    finally:
        daemon.kill()


@pytest.fixture
async def found_tools() -> Tools:
    return await tools.find(None, os.environ["PATH"], "/")


async def test_C09_an_order_whose_database_is_in_place_has_done_its_work(found_tools: Tools, tmp_path: Path) -> None:
    order = Order(fasta=DB / "nt.fa", name="own", title="", molecule="nucl", parse_seqids=True, task_id="1")
    made = await makedb.make(order, tmp_path, found_tools, 60, SystemChance())
    again = await makedb.make(order, tmp_path, found_tools, 60, SystemChance())
    assert again.database.fingerprint == made.database.fingerprint
    other = Order(fasta=DB / "nt.fa", name="own", title="", molecule="nucl", parse_seqids=True, task_id="2")
    with pytest.raises(Conflict):
        await makedb.make(other, tmp_path, found_tools, 60, SystemChance())


def test_C09_a_database_set_aside_is_put_back_and_half_made_ones_are_removed(tmp_path: Path) -> None:
    for name in (f"..lost-{HEX}", f"..there-{HEX}", "there", f".half-{HEX}"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    makedb.recover(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["lost", "there"]
    assert (tmp_path / "lost" / "file").read_text() == f"..lost-{HEX}"
    assert (tmp_path / "there" / "file").read_text() == "there"


def test_fsck_leaves_a_database_that_the_next_start_puts_back(tmp_path: Path) -> None:
    file = tmp_path / "blastd.sqlite"
    sqlite.open_sync(file).close()
    aside = Files(tmp_path, SystemChance()).databases / f"..lost-{HEX}"
    aside.mkdir()
    (finding,) = check(file, time.time(), running=False, mend=True).findings
    assert (finding.kind, finding.mended) == ("temporary", False)
    assert aside.exists()


def test_a_copy_of_the_store_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    db = sqlite.open_sync(tmp_path / "blastd.sqlite")
    (tmp_path / ".copy.part").write_text("half a copy")
    sqlite.copy(db, tmp_path / "copy")
    db.close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["blastd.sqlite", "copy"]
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600


async def test_C09_a_search_cancelled_after_a_crash_leaves_no_half_file(service: Service) -> None:
    rows = [await service.submit(SLOW_QUERY, **SLOW) for _ in range(3)]
    waiting = JobId(rows[-1]["job_id"])  # two slots: it waits
    half = service.files.units_folder(waiting) / "0.1.part"
    half.parent.mkdir(exist_ok=True)
    half.write_text("cut off")
    for row in rows:
        await service.post(f"/api/blast/jobs/{row['job_id']}/cancel")
        assert (await service.ended(row["job_id"]))["status"] == "cancelled"
    assert not half.exists()


async def test_C12_a_submit_cancelled_while_its_row_is_written_keeps_its_files(service: Service) -> None:
    """A write goes on in its thread when its caller is cancelled, so the row is there, and needs its query."""
    upload = service.files.temporary()
    upload.write_text(LAMBDA_QUERY)
    search = Search(program="blastn", databases=("tnt",), reuse=False)
    who, free = Identity(owner=Owner("local"), role="admin"), threading.Event()
    async with asyncio.TaskGroup() as group:
        busy = group.create_task(service.store.write(lambda _db: free.wait(PATIENCE_SECONDS)))
        task = group.create_task(service.services.submit.submit(who, search, Uploads(query=upload)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not (placed := list(service.files.jobs.glob("*/query.fa"))):  # noqa: ASYNC110  # a thread makes it
                await asyncio.sleep(0.01)
        await eventually(lambda: asyncio.sleep(0, service.store._writes))  # its row waits behind the busy one
        task.cancel()
        await asyncio.sleep(0)
        free.set()
        await busy
    job_id = JobId(placed[0].parent.name)
    await service.store.write(lambda _db: None)  # after it: one writer
    assert await service.store.read(lambda db: jobs.get(db, job_id)) is not None
    assert placed[0].exists()


async def test_T09_after_a_restart_a_search_that_ran_says_at_once_that_it_waits(
    database_folder: Path, tmp_path: Path
) -> None:
    """Nobody reads it meanwhile: rows are looked up in the store."""
    state = tmp_path / "state"
    letters = "".join(line for line in SLOW_QUERY.splitlines() if not line.startswith(">"))
    query = f">one part that takes long, so that the other search waits for long\n{letters[:400_000]}\n"
    async with serving(state, [database_folder]) as service:
        accepted = [JobId((await service.submit(query, **SLOW))["job_id"]) for _ in range(2)]
        for job_id in accepted:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while (await service.get(f"{API}/{job_id}?wait=1")).json["status"] != "running":
                    pass
    async with serving(state, [database_folder], local__slots=1) as service:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                rows = [await service.store.read(lambda db, job_id=job_id: jobs.get(db, job_id)) for job_id in accepted]  # type: ignore[misc]  # a lambda with defaults
                waits = [row.waiting_for for row in rows if row is not None and row.status == "queued"]
                if waits == ["slot"]:
                    break
                await asyncio.sleep(0.05)
        for job_id in accepted:
            await service.post(f"{API}/{job_id}/cancel")
            assert (await service.ended(job_id))["status"] == "cancelled"
