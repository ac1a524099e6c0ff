"""A daemon with tokens, and the places of what `make clients` installed."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.daemon import Daemon, make_token
from tests.databases import build_all
from tests.patience import PATIENCE_SECONDS

ROOT = Path(__file__).parents[2]
MUSEUM = ROOT / ".museum"
NODE = MUSEUM / "npm" / "node_modules"
PYTHON = MUSEUM / "py" / "bin" / "python"


def ran(
    *words: str | Path, folder: Path, environ: Mapping[str, str] | None = None, code: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """Run a client to its end, and show what its user would see; *code* is how it must end, None: in any way."""
    ended = subprocess.run(
        list(map(str, words)), cwd=folder, env=os.environ | dict(environ or {}), capture_output=True, text=True,
        timeout=3 * PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    print(f"$ {Path(words[0]).name} -> {ended.returncode}\n{ended.stdout[-3000:]}{ended.stderr[-3000:]}")
    assert code is None or ended.returncode == code, ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended


class Served:
    """A service that asks for tokens, one of which is Ada's, and a narrow one for clients of NCBI."""

    def __init__(self, daemon: Daemon, token: str, narrow: str) -> None:
        self.daemon, self.url, self.token, self.narrow = daemon, daemon.url, token, narrow


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The databases that tests search."""
    folder = tmp_path_factory.mktemp("db")
    build_all(folder)
    return folder


@pytest.fixture(scope="session")
def open_service(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A service on this machine that asks for nothing."""
    daemon = Daemon(tmp_path_factory.mktemp("open") / "state", [databases]).start().ready()
    yield daemon
    assert daemon.stop() == 0


@pytest.fixture(scope="session")
def served(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service that asks for tokens."""
    daemon = Daemon(tmp_path_factory.mktemp("served") / "state", [databases])
    token, narrow = make_token(daemon.state, "ada"), make_token(daemon.state, "ada", "user", "--only", "ncbi")
    daemon.token = token
    daemon.start().ready()
    yield Served(daemon, token, narrow)
    assert daemon.stop() == 0
