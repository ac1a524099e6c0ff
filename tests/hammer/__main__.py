"""Runs the tests again and again on a machine that is busy and has a slow disk: what fails then is a bug, of code or test.

    python -m tests.hammer --rounds 10 -- -n 4 -m "not slow"    # what follows -- goes to pytest

Every core is kept busy by a process that does nothing else, and every fsync and fdatasync of the tests, of their daemons
and of what those start takes 2 to 200 ms longer (slowdisk.c). Each round says which tests failed; its whole output is kept.
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree as ET

HERE = Path(__file__).parent
BURN = "while True:\n    pass"


def shim(folder: Path) -> Path:
    """Compile the slow disk."""
    library = folder / "slowdisk.so"
    source = HERE / "slowdisk.c"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lm"], check=True)
    return library.absolute()


@contextmanager
def burning(cores: int) -> Iterator[None]:
    """Keep *cores* busy for the block."""
    burners = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(cores)]
    try:
        yield
    finally:
        for burner in burners:
            burner.kill()
            burner.wait()


def failures(report: Path) -> list[str]:
    """Return what failed in a round, with the first line of why; a report that is missing is a failure, too."""
    if not report.exists():
        return ["pytest itself: it wrote no report"]
    found = []
    for case in ET.parse(report).iter("testcase"):
        for trouble in (*case.iter("failure"), *case.iter("error")):
            reason = (trouble.get("message") or "").strip().partition("\n")[0]
            found.append(f"{case.get('classname')}::{case.get('name')}: {reason[:160]}")
    return found


def play(number: int, library: Path, folder: Path, given: argparse.Namespace) -> list[str]:
    """Run the tests once; returns what failed."""
    report, log = folder / f"round-{number}.xml", folder / f"round-{number}.log"
    report.unlink(missing_ok=True)
    environ = os.environ | {
        "LD_PRELOAD": str(library),
        "HAMMER_SYNC_MS": given.sync_ms,
        "HAMMER_SEED": str(given.seed + number),
    }
    words = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *given.pytest]
    begin = time.monotonic()
    with log.open("wb") as output:
        code = subprocess.run(words, env=environ, stdout=output, stderr=output, check=False).returncode
    found = failures(report)
    if code and not found:
        found = [f"pytest itself: it ended with {code}"]
    print(f"round {number}: {len(found) or 'nothing'} failed in {time.monotonic() - begin:.0f} s ({log})", flush=True)
    for line in found:
        print(f"    {line}", flush=True)
    return found


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1, help="begins the sequences of delays")
    parser.add_argument("--sync-ms", default="2:200", help="least and most delay of a flush")
    parser.add_argument("--burners", type=int, default=os.cpu_count() or 1, help="processes that keep cores busy")
    parser.add_argument("--folder", type=Path, default=Path(".hammer"), help="where output is kept")
    parser.add_argument("pytest", nargs="*", help="words for pytest")
    given = parser.parse_args(words)
    given.folder.mkdir(exist_ok=True)
    library = shim(given.folder)
    with burning(given.burners):
        rounds = [play(number, library, given.folder, given) for number in range(1, given.rounds + 1)]
    green = sum(not found for found in rounds)
    print(f"{green} of {len(rounds)} green", flush=True)
    return 0 if green == len(rounds) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
