"""Child processes: their limits."""

import json
import os
import sys
from pathlib import Path

from blastd.blastplus import process
from blastd.clock import SystemClock

SAYS = """
import json, os, resource, sys, time
end = time.monotonic() + 120
while os.nice(0) != int(sys.argv[1]) and time.monotonic() < end:  # which is set last
    time.sleep(0.01)
limits = {name: resource.getrlimit(getattr(resource, name)) for name in ("RLIMIT_CORE", "RLIMIT_DATA")}
print(json.dumps(limits | {"nice": os.nice(0), "alone": os.getpgid(0) == os.getpid()}))
"""


async def test_a_child_is_nice_and_within_its_limits(tmp_path: Path) -> None:
    limits = process.Limits(seconds=120, memory_bytes=300 << 20, nice=3)
    ended = await process.run(
        [sys.executable, "-c", SAYS, str(os.nice(0) + 3)], cwd=tmp_path, env={}, stdout=tmp_path / "out", stderr=tmp_path / "err",
        limits=limits, clock=SystemClock(),
    )  # fmt: skip
    assert ended.exit_code == 0, (tmp_path / "err").read_text()
    said = json.loads((tmp_path / "out").read_text())
    assert said == {
        "RLIMIT_CORE": [0, 0],
        "RLIMIT_DATA": [300 << 20, 300 << 20],
        "nice": os.nice(0) + 3,
        "alone": True,
    }


async def test_limits_of_a_child_that_has_ended_are_nobodys(tmp_path: Path) -> None:
    ended = await process.run(
        ["true"], cwd=tmp_path, env=dict(os.environ), stdout=tmp_path / "out", stderr=tmp_path / "err",
        limits=process.Limits(seconds=120, memory_bytes=1 << 30, nice=1), clock=SystemClock(),
    )  # fmt: skip
    assert ended.exit_code == 0
