"""One namespace, one emulator and one daemon for the tests that only ask; a daemon of its own for those that break it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.parts import ACCOUNT, RECOVERIES, Cluster, Emulator, cluster_environ, levers, volume_environ, wanted
from tests.cluster.proxy import Proxy
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, build_all

collect_ignore = [] if levers() is not None else ["test_levers.py", "test_manifests.py"]


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
    """The kubeconfig of an account with the rights of config/kubernetes/rbac.yaml."""
    return cluster.make_account()


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    made = Emulator(tmp_path_factory.mktemp("blob") / "data").start()
    yield made
    made.stop()


Make = Callable[..., Daemon]
BOTH = pytest.mark.parametrize("storage_kind", ["blob", "volume"], indirect=True, scope="session")
"""Runs a test on a storage account and on a shared folder."""


@pytest.fixture(scope="session")
def storage_kind(request: pytest.FixtureRequest) -> str:
    """Through what searches travel: blobs, unless a module asks for both kinds (`BOTH`)."""
    return str(getattr(request, "param", "blob"))


@pytest.fixture(scope="session")
def environ(
    cluster: Cluster, account: Path, emulator: Emulator, storage_kind: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    made = cluster_environ(cluster, account, emulator)
    if storage_kind == "blob":
        return made
    folder = tmp_path_factory.mktemp("volume")
    return made | volume_environ(folder, {"hostPath": {"path": str(folder)}})


@pytest.fixture(scope="session")
def daemon(databases: Path, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    shared = Daemon(tmp_path_factory.mktemp("shared") / "state", [databases], environ).start()
    yield shared
    assert shared.stop() == 0


@pytest.fixture(scope="session")
def api(cluster: Cluster) -> Iterator[Proxy]:
    """A proxy in front of the API server: who comes through it shows a token, as blastd does."""
    proxy = Proxy(cluster.url, tls=cluster.trusted()).start()
    yield proxy
    proxy.stop()


@pytest.fixture(scope="session")
def blobs(emulator: Emulator) -> Iterator[Proxy]:
    """A proxy in front of the emulator, for blastd and for pods."""
    proxy = Proxy(f"http://127.0.0.1:{emulator.port}", host="0.0.0.0").start()  # noqa: S104  # pods reach it
    yield proxy
    proxy.stop()


@pytest.fixture(scope="session")
def proxied(cluster: Cluster, account: Path, emulator: Emulator, api: Proxy, blobs: Proxy) -> dict[str, str]:
    """Settings that lead through both proxies."""
    return {
        "BLASTD_KUBERNETES__KUBECONFIG": str(cluster.through(account, f"http://127.0.0.1:{api.port}")),
        "BLASTD_AZURE__CONNECTION_STRING": emulator.through(blobs.port),
        "BLASTD_AZURE__POD_ACCOUNT_URL": f"http://{wanted('BLASTD_TEST_POD_HOST')}:{blobs.port}/{ACCOUNT}",
    }


@pytest.fixture(scope="session")
def behind(
    databases: Path, environ: dict[str, str], proxied: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    """A daemon that meets the cluster and the storage account through the proxies, and has searched once."""
    often = {"BLASTD_DATABASES__RESCAN_SECONDS": "1"}
    shared = Daemon(tmp_path_factory.mktemp("behind") / "state", [databases], environ | proxied | often).start()
    shared.run(LAMBDA_QUERY, reuse=False)
    yield shared
    assert shared.stop() == 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long each fault took to recover from."""
    if RECOVERIES:
        terminalreporter.section("seconds from a fault's end to the truth")
    for what, seconds in RECOVERIES:
        terminalreporter.write_line(f"{seconds:6.1f}  {what}")


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
