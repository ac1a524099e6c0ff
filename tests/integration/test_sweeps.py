"""U17: temporary files belong to rows or to processes that live, and sweeps ask these, not the age of a file."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from blastd.core.ids import Owner
from blastd.store import dbtasks
from tests.daemon import cli
from tests.service import Service, serving

LONG_AGO = 1_000_000_000
HOLDER = """
import sys
from pathlib import Path
from blastd.chance import SystemChance
from blastd.store.files import Files
files = Files(Path(sys.argv[1]), SystemChance())
with files.held():
    path = files.temporary()
    path.mkdir()
    print(path, flush=True)
    sys.stdin.read()
"""


def old(path: Path, text: str = ">a\nACGT\n") -> Path:
    path.write_text(text)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


async def order(service: Service, number: int, fasta: str) -> None:
    """Write the row of a database in the making."""
    settings = {"fasta": fasta, "title": "", "molecule": "nucl", "parse_seqids": True, "replace": False}
    now = service.parts.clock.now()
    task, name = f"{number:032x}", f"made{number}"
    await service.store.write(lambda db: dbtasks.insert(db, task, Owner("ada"), name, settings, now))


async def test_U17_inputs_of_waiting_databases_stay_however_old_and_the_rest_goes(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", [], without=("build-databases",)) as service:
        tmp = service.files.tmp
        waiting = [old(tmp / f"database-{number}.fa") for number in range(1100)]  # more than a page of rows
        for number, path in enumerate(waiting):
            await order(service, number, path.name)
        strangers = [old(tmp / "left"), tmp / "deadbeef-7", old(tmp / f"{'0' * 32}-1"), old(tmp / f"{'0' * 32}.held")]
        strangers[1].write_text("young, and of no process")
        own = service.files.temporary()
        old(own)  # an upload that takes long
        await service.parts.retention.sweep_temporary()
        assert all(path.exists() for path in waiting)
        assert own.exists()
        assert not any(path.exists() for path in strangers)


@contextmanager
def holder(state: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """A process beside the daemon that makes something in `tmp`, and what it made."""
    words = [sys.executable, "-c", HOLDER, str(state)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Path(process.stdout.readline().strip()), process


async def test_U17_a_command_beside_the_daemon_keeps_what_it_makes_while_it_lives(tmp_path: Path) -> None:
    async with serving(tmp_path / "state", []) as service:
        with holder(tmp_path / "state") as (made, process):
            await service.parts.retention.sweep_temporary()
            assert made.is_dir()
            process.kill()
        await service.parts.retention.sweep_temporary()
        assert list(service.files.tmp.iterdir()) == []


async def test_U17_a_start_removes_what_a_crash_left_and_fsck_calls_it_harmless(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with serving(state, []):
        pass
    for number in range(7):
        old(state / "tmp" / f"{'a' * 32}-{number}")
    ended = cli("fsck", "--state-dir", str(state))
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.count("harmless") == 7
    async with serving(state, []):
        assert list((state / "tmp").iterdir()) == []
    assert cli("fsck", "--state-dir", str(state)).stdout == ""
