"""Files that are derived from databases: each is made once, whatever else is made of the same database."""

import asyncio
from pathlib import Path

from blastd.blastplus.derived import Derived
from tests.patience import PATIENCE_SECONDS


async def test_two_kinds_of_file_of_one_database_are_made_at_once(tmp_path: Path) -> None:
    derived, both = Derived(), asyncio.Barrier(2)
    owner = asyncio.get_running_loop().create_task(derived.run())
    await asyncio.sleep(0)  # let it begin

    async def make() -> None:
        await both.wait()

    paths = [tmp_path / kind / "fingerprint.sqlite" for kind in ("ids", "taxa")]
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asyncio.gather(*(derived.made(path, make, PATIENCE_SECONDS) for path in paths)) == [True, True]
    owner.cancel()
