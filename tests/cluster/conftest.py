"""One namespace, one emulator and one daemon for the tests that only ask; a daemon of its own for those that break it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.parts import Cluster, Emulator, cluster_environ, levers
from tests.daemon import Daemon
from tests.databases import build_all

collect_ignore = [] if levers() is not None else ["test_levers.py"]


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("db")
    build_all(folder)
    return folder


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    yield made
    made.remove()


@pytest.fixture(scope="session")
def account(cluster: Cluster) -> Path:
    """The kubeconfig of an account with the rights of config/kubernetes-rbac.yaml."""
    return cluster.make_account()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    made = Emulator(tmp_path_factory.mktemp("blob") / "data").start()
    yield made
    made.stop()


Make = Callable[..., Daemon]


@pytest.fixture(scope="session")
def environ(cluster: Cluster, account: Path, emulator: Emulator) -> dict[str, str]:
    return cluster_environ(cluster, account, emulator)


@pytest.fixture(scope="session")
def daemon(databases: Path, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    shared = Daemon(tmp_path_factory.mktemp("shared") / "state", [databases], environ).start()
    yield shared
    assert shared.stop() == 0


@pytest.fixture
def make(databases: Path, environ: dict[str, str], tmp_path: Path) -> Iterator[Make]:
    """Make a daemon of this test alone, with settings of its own, not started yet."""
    made: list[Daemon] = []

    def one(**more: str) -> Daemon:
        own = Daemon(tmp_path / f"state{len(made)}", [databases], environ | more)
        made.append(own)
        return own

    yield one
    for own in made:
        if own.process is not None and own.process.poll() is None:
            own.stop()
