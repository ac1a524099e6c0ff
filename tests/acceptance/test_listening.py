"""Q10: a socket file, sockets of the service manager, and IPv6."""

import http.client
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.daemon import Daemon, cli
from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS, until


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short name: a socket's has 107 bytes at most."""
    with tempfile.TemporaryDirectory(prefix="q10-") as name:
        yield Path(name)


class Connection(http.client.HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE_SECONDS)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)  # closed with the connection, if it can be connected or not
        self.sock.connect(str(self.path))


def status(path: Path) -> int:
    with closing(Connection(path)) as connection:
        connection.request("GET", "/livez")
        return connection.getresponse().status


def test_Q10_a_socket_file_serves_whom_its_mode_lets_in(fresh: Daemon, folder: Path, tmp_path: Path) -> None:
    path = folder / "blastd.sock"
    fresh.environ["BLASTD_SERVER__SOCKET_MODE"] = "600"
    fresh.begin("--listen", f"unix:{path}")
    until(lambda: path.exists() and stat.S_IMODE(path.stat().st_mode) == 0o600)
    assert status(path) == 200
    (tmp_path / "query.fa").write_text(LAMBDA_QUERY)
    words = ["submit", "--program", "blastn", "--db", "tnt", str(tmp_path / "query.fa"), "--format", "tabular"]
    until(lambda: cli("status", "--url", f"unix:{path}").returncode == 0)
    ended = cli(*words, "--url", f"unix:{path}")
    assert ended.returncode == 0, ended.stderr
    assert "lam0" in ended.stdout
    other = Daemon(fresh.state.with_name("other"), fresh.db_dirs)
    assert other.begin("--listen", f"unix:{path}").wait(PATIENCE_SECONDS) == 2
    assert "another process listens on" in other.log.read_text()
    assert status(path) == 200, "the first one is as it was"
    fresh.kill()
    assert path.exists(), "what a crash leaves"
    fresh.begin("--listen", f"unix:{path}")
    until(lambda: _answers(path))
    assert fresh.stop() == 0
    assert not path.exists()


def _answers(path: Path) -> bool:
    try:
        return status(path) == 200
    except OSError:
        return False


def test_Q10_a_file_that_is_no_socket_stays(fresh: Daemon, folder: Path) -> None:
    path = folder / "notes"
    path.write_text("mine")
    assert fresh.begin("--listen", f"unix:{path}").wait(PATIENCE_SECONDS) == 2
    assert "is no socket" in fresh.log.read_text()
    assert path.read_text() == "mine"


class Activated(Daemon):
    """A daemon that gets its socket as from systemd: descriptor 3, and two variables."""

    def __init__(self, channel: socket.socket, state: Path, folders: Sequence[Path]) -> None:
        super().__init__(state, folders)
        self.channel = channel

    def _spawn(self, argv: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        number = self.channel.fileno()
        shell = f'exec 3<&{number}; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"'
        with self.log.open("ab") as log:
            return subprocess.Popen(
                ["bash", "-c", shell, "bash", *argv], stdout=log, stderr=log, env=environ, pass_fds=[number]
            )


def test_Q10_a_socket_of_the_service_manager_is_served(databases: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as channel:
        daemon = Activated(channel, tmp_path / "state", [databases]).start().ready()
        try:
            assert daemon.url == f"http://127.0.0.1:{channel.getsockname()[1]}"
            assert daemon.run(LAMBDA_QUERY)["hits"] > 0
        finally:
            assert daemon.stop() == 0
        connection = socket.create_connection(channel.getsockname())  # waits for the next start, and is not refused
        connection.close()


def test_Q10_a_socket_that_others_reach_needs_a_token_as_an_address_does(databases: Path, tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as channel:
        daemon = Activated(channel, tmp_path / "state", [databases])
        assert daemon.begin().wait(PATIENCE_SECONDS) == 2
        assert "there is no token" in daemon.log.read_text()


def test_Q10_sockets_that_are_for_another_process_are_not_taken() -> None:
    code = (
        "import os; from blastd import systemd; "
        "print(systemd.sockets({'LISTEN_FDS': '1', 'LISTEN_PID': '1'}, os.getpid()), "
        "systemd.sockets({'LISTEN_FDS': 'x', 'LISTEN_PID': str(os.getpid())}, os.getpid()))"
    )
    ended: Any = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert ended.stdout.strip() == "[] []"


def test_Q10_it_serves_on_ipv6(fresh: Daemon) -> None:
    fresh.start("--listen", "[::1]:0")
    assert fresh.url.startswith("http://[::1]:")
    assert fresh.ready().run(LAMBDA_QUERY)["hits"] > 0
