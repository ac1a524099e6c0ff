"""Some schedules of virtual time; `make schedules` lives thousands. tests/schedules says what they are."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastd.core.schedule import Schedule, WorkId
from tests.schedules.kit import Kit
from tests.schedules.scenarios import KINDS
from tests.schedules.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def kit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kit]:
    made = Kit(tmp_path_factory.mktemp("schedules") / "kit")
    yield made
    made.remove()


def schedules(first: int, *options: str, hash_seed: str = "0") -> str:
    """Live schedules in a process of its own, as a kill leaves pieces in memory; return what was printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.schedules", str(first), *options],
        cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_U20_schedules_of_each_kind_leave_nothing_undone(kind: str) -> None:
    assert " 0 with a fault" in schedules(1, "12", "--kind", kind)


def test_the_same_seed_is_the_same_schedule_whatever_python_hashes() -> None:
    """Nothing but the seed decides: no set whose order follows addresses or hashes, no clock of the machine."""
    assert (
        schedules(1, "12", "--digests", hash_seed="1").splitlines()[:12]
        == (schedules(1, "12", "--digests", hash_seed="2").splitlines()[:12])
    )


def test_a_fault_is_found(kit: Kit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot that is never given back, the kind of fault that no test of one quiet daemon could see."""

    def free(_self: Schedule, _work_id: WorkId, _index: int, *, done: bool, **_more: object) -> None:
        del done

    monkeypatch.setattr(Schedule, "free", free)
    worlds = (World(seed, kit, tmp_path / f"state-{seed}", kind="storm") for seed in range(1, 9))
    assert any(kind.startswith(("never_ends", "not_empty")) for world in worlds for kind, _ in world.run())
