"""One daemon for the tests that only ask; a fresh one for those that break it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon import Daemon
from tests.databases import build_all
from tests.mounts import possible

LEFT_OUT = [] if possible() else ["test_disk_faults.py"]
collect_ignore = LEFT_OUT


def pytest_report_header() -> list[str]:
    """Say what can't run here, so that nobody takes it for passed."""
    return [f"this user may not mount file systems, so {name} is left out" for name in LEFT_OUT]


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The databases of tests/data/db, built with makeblastdb."""
    folder = tmp_path_factory.mktemp("db")
    build_all(folder)
    return folder


@pytest.fixture(scope="session")
def daemon(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A running daemon that tests share and must not stop."""
    shared = Daemon(tmp_path_factory.mktemp("shared") / "state", [databases]).start()
    yield shared
    assert shared.stop() == 0


@pytest.fixture
def fresh(databases: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon of this test alone, not started yet."""
    own = Daemon(tmp_path / "state", [databases])
    yield own
    if own.process is not None and own.process.poll() is None:
        own.kill()


@pytest.fixture
def slow(databases: Path, tmp_path: Path) -> Iterator[Daemon]:
    """A daemon with one slot, for searches that take long enough to be looked at."""
    own = Daemon(tmp_path / "state", [databases], {"BLASTD_LOCAL__SLOTS": "1"}).start()
    yield own
    if own.process is not None and own.process.poll() is None:
        own.kill()
