"""Results from the storage account: however many fetches of one unit there are, only a whole output gets its name."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from blastd.core.ids import JobId
from blastd.engines.kubernetes.harvest import harvest
from blastd.storage.contract import Area, StorageFailure
from tests.patience import PATIENCE_SECONDS

DATA = b"".join(b"# line %06d of the output\n" % number for number in range(4000))
JOB = JobId("00000000-0000-4000-8000-000000000000")
TOLD = {"unit": 0, "size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest(), "started_at": 1.0, "ended_at": 2.0}


class Account:
    """A storage account that gives each fetch its bytes in two halves; the second when it is let go on."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.half = [asyncio.Event() for _ in range(3)]
        self.go_on = [asyncio.Event() for _ in range(3)]
        self.targets: list[Path] = []

    async def download(self, area: Area, name: str, target: Path) -> Mapping[str, str]:
        del area, name
        number = len(self.targets)
        self.targets.append(target)
        with target.open("wb") as file:
            file.write(self.data[: len(self.data) // 2])
            file.flush()
            self.half[number].set()
            await self.go_on[number].wait()
            file.write(self.data[len(self.data) // 2 :])
        return {"report": base64.b64encode(json.dumps(TOLD).encode()).decode()}


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0)])
async def test_U18_fetches_of_one_unit_at_once_never_name_half_an_output(
    tmp_path: Path, order: tuple[int, ...]
) -> None:
    account, out = Account(), tmp_path / "units" / "0.out"
    fetches = [asyncio.create_task(harvest(account, tmp_path, JOB, 1, 0)) for _ in range(3)]  # type: ignore[arg-type]  # what harvest uses of it
    for half in account.half:
        await asyncio.wait_for(half.wait(), PATIENCE_SECONDS)
    assert len(set(account.targets)) == 3, "each owns its file"
    left = set(fetches)
    for number in order:
        account.go_on[number].set()
        ended, left = await asyncio.wait(left, timeout=PATIENCE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        assert [fetch.result() is not None for fetch in ended] == [True]
        assert out.read_bytes() == DATA
    assert [path.name for path in out.parent.iterdir()] == ["0.out"], "nothing is left beside it"


async def test_U18_a_fetch_that_is_cut_or_cancelled_names_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    short = Account(DATA[:-1])
    short.go_on[0].set()
    with pytest.raises(StorageFailure, match="arrived damaged"):
        await harvest(short, tmp_path, JOB, 1, 0)  # type: ignore[arg-type]  # as above
    account = Account()
    fetch = asyncio.create_task(harvest(account, tmp_path, JOB, 1, 0))  # type: ignore[arg-type]  # as above
    await asyncio.wait_for(account.half[0].wait(), PATIENCE_SECONDS)
    fetch.cancel()
    await asyncio.wait({fetch}, timeout=PATIENCE_SECONDS)
    assert list((tmp_path / "units").iterdir()) == []


async def test_T14_a_fetch_cancelled_at_any_step_leaves_no_file(tmp_path: Path) -> None:
    """Also twice: its first step is a thread's, and so is the removal of its file."""
    for steps in range(12):
        for again in (0, 1):
            account = Account()
            task = asyncio.get_running_loop().create_task(harvest(account, tmp_path, JOB, 1, 0))  # type: ignore[arg-type]  # what a fetch uses
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
            if again:
                task.cancel()
            await asyncio.wait({task})
            units = tmp_path / "units"
            assert [path.name for path in units.glob("*.part")] == [], (steps, again)
