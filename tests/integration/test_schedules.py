"""Some schedules of virtual time; `make schedules` lives thousands. tests/schedules says what they are."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from blastd.core.schedule import Schedule, WorkId
from tests.patience import PATIENCE_SECONDS
from tests.schedules import planted
from tests.schedules.kit import Kit
from tests.schedules.planted import PLANTED
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
        cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_U20_schedules_of_each_kind_leave_nothing_undone() -> None:
    told = schedules(1, "100")
    assert " 0 with a fault" in told
    assert [kind for kind in sorted(KINDS) if f"'{kind}':" not in told] == []


@pytest.mark.parametrize("name", sorted(PLANTED))
def test_U20_a_fault_can_be_put_back(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it puts back is still there to be replaced, and is used in its place; README.md says when it was found."""
    replaced: list[tuple[object, str]] = []

    def note(owner: object, attribute: str, _value: object) -> None:
        assert hasattr(owner, attribute), f"{owner} has no {attribute} any more"
        replaced.append((owner, attribute))

    monkeypatch.setattr(planted, "setattr", note, raising=False)
    PLANTED[name]()
    assert replaced


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
