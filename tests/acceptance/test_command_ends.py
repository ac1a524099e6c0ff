"""U17: every end of every command is a sentence and an exit code: each command, with each thing that can go wrong."""

import os
import signal
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Ended, Nursery, nursery
from tests.daemon import cli
from tests.patience import PATIENCE_SECONDS, until

JOB = "0123456789ab"
CLIENTS: dict[str, list[str]] = {
    "submit": ["submit", "--program", "blastn", "--db", "nt", "query.fa"],
    "submit --wait": ["submit", "--program", "blastn", "--db", "nt", "query.fa", "--wait", "--format", "xml"],
    "jobs": ["jobs"],
    "jobs --json": ["jobs", "--json"],
    "show": ["show", JOB],
    "show --json --logs": ["show", JOB, "--json", "--logs"],
    "wait": ["wait", JOB, "--timeout", "5"],
    "results": ["results", JOB],
    "results --out": ["results", JOB, "--out", "hits.tsv"],
    "cancel": ["cancel", JOB, JOB],
    "cancel --json": ["cancel", JOB, "--json"],
    "retry": ["retry", JOB],
    "delete": ["delete", JOB],
    "delete --json": ["delete", JOB, "--json"],
    "db list": ["db", "list"],
    "db list --json": ["db", "list", "--json"],
    "db make": ["db", "make", "query.fa", "--name", "mine"],
    "db rescan": ["db", "rescan"],
    "db warm": ["db", "warm", "nt"],
    "db warm --json": ["db", "warm", "nt", "--json"],
}
OFFLINE: dict[str, list[str]] = {
    "token create": ["token", "create", "--owner", "ada"],
    "token list": ["token", "list"],
    "token list --json": ["token", "list", "--json"],
    "fsck": ["fsck"],
    "fsck --json": ["fsck", "--json"],
    "migrate": ["migrate"],
    "doctor": ["doctor"],
    "doctor --json": ["doctor", "--json"],
}
PRINTS = (
    "token list",
    "token list --json",
    "fsck --json",
    "doctor",
    "doctor --json",
    "openapi",
    "--help",
    "submit --help",
)
HTML = b"<!doctype html><title>Welcome</title>"


pytestmark = pytest.mark.timeout(600)  # hundreds of commands, on a machine that may be busy


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state folder with a store."""
    folder = tmp_path_factory.mktemp("commands") / "state"
    assert cli("migrate", "--state-dir", str(folder)).returncode == 0
    return folder


@pytest.fixture
def commands(state: Path, tmp_path: Path) -> Iterator[Nursery]:
    """Commands that run in a folder with a query and a store."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "query.fa").write_text(">a\nACGTACGTACGT\n")
    (folder / "state").symlink_to(state)
    with nursery(folder) as own:
        yield own


def answer(status: str, body: bytes, kind: str = "application/json", length: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body) if length is None else length}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


SERVERS: dict[str, tuple[bytes | None, tuple[int, ...]]] = {
    "hangs": (None, (3,)),
    "closes": (b"", (3,)),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n", (3,)),
    "cut": (answer("200 OK", b'{"jobs": [', length=10_000), (3,)),
    "web page": (answer("200 OK", HTML, "text/html"), (3,)),
    "garbage": (answer("200 OK", b"\xff\xfe\x00garbage"), (3,)),
    "other JSON": (answer("200 OK", b'{"hello": ["world"]}'), (3,)),
    "a list": (answer("200 OK", b"[]"), (3,)),
    "500 page": (answer("500 Internal Server Error", HTML, "text/html"), (3,)),
    "502 empty": (answer("502 Bad Gateway", b""), (3,)),
    "503 problem": (answer("503 Service Unavailable", b'{"detail": "away", "code": "x"}'), (3,)),
    "401": (answer("401 Unauthorized", b'{"detail": "no token"}'), (2,)),
    "404 page": (answer("404 Not Found", HTML, "text/html"), (2,)),
    "429": (answer("429 Too Many Requests", b"{}"), (3,)),
    "507": (answer("507 Insufficient Storage", b'{"detail": "full"}'), (3,)),
    "loop": (b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", (3,)),
}
RAW = {"results", "results --out"}
"""They take any bytes for a result: what is no web page, and whole, is one."""
LOOSE = {"jobs", "db list --json", "jobs --json", "db warm --json", "show --json --logs", "delete", "delete --json"}
"""They print what JSON they get, or read only what they show of it."""


@contextmanager
def server(says: bytes | None) -> Iterator[str]:
    """A server that answers each connection with the same bytes once it heard something; None: with nothing, ever."""
    over = threading.Event()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if says is None:
                over.wait()
            else:
                _reply(self.request, says)

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True

        def handle_error(self, *_: Any) -> None:
            """A client that goes away is none."""

    with Server(("127.0.0.1", 0), Handler) as serving:
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{serving.server_address[1]}"
        finally:
            over.set()
            serving.shutdown()
            thread.join()


def _reply(connection: socket.socket, says: bytes) -> None:
    """Read a request to its end, as far as a small one can tell, and answer."""
    ends = (b"--\r\n", b"0\r\n\r\n", b"\r\n\r\n")
    connection.settimeout(5.0)
    heard = b""
    while b"\r\n\r\n" not in heard or (heard.startswith(b"POST") and not heard.endswith(ends)):
        block = connection.recv(65536)
        if not block:
            break
        heard += block
    connection.sendall(says)
    connection.shutdown(socket.SHUT_WR)


def check(ended: Ended, codes: tuple[int, ...], what: str) -> None:
    assert ended.sentence, (what, ended.said)
    assert ended.code in codes, (what, ended.code, ended.said)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SERVERS)
def test_U17_a_server_that_does_not_answer_as_one_is_told_in_a_sentence(kind: str, commands: Nursery) -> None:
    says, codes = SERVERS[kind]
    with server(says) as url:
        for name, words in CLIENTS.items():
            allowed = codes
            if (name in RAW and kind in ("garbage", "other JSON", "a list")) or (
                name in LOOSE and kind in ("other JSON", "a list")
            ):
                allowed = (0, *codes)
            if name == "wait" and kind == "hangs":
                allowed = (3, 5)
            if "query.fa" in words:  # a refusal before the body was read may be lost with the connection
                allowed = (3, *allowed)
            environ = {"BLASTD_URL": url, "BLASTD_ANSWER_SECONDS": "1"}
            check(commands.run(*words, environ=environ, seconds=45), allowed, f"{name}, {kind}")


def test_U17_no_server_and_no_address_and_no_token_are_told(commands: Nursery) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        free = f"http://127.0.0.1:{taken.getsockname()[1]}"
    for name, words in CLIENTS.items():
        check(commands.run(*words, environ={"BLASTD_URL": free}), (3,), f"{name}, nobody there")
        check(commands.run(*words, environ={"BLASTD_URL": free, "BLASTD_TOKEN": "a\nb"}), (2,), f"{name}, bad token")
    for token, codes in (
        ("a\rb", (2,)),
        ("gärbled", (2,)),
        ("a b", (2,)),
        ("\x7f", (2,)),
        (" \n", (3,)),
        ("blastd_", (3,)),
    ):
        given = {"BLASTD_URL": free, "BLASTD_TOKEN": token}
        check(commands.run("jobs", environ=given), codes, f"token {token!r}")
    for url in (
        "nowhere",
        "http://",
        "http://[::1",
        "http://h:99999",
        "ftp://h",
        "http://\udcff/",
        "http://a b/",
        "//",
    ):
        check(commands.run("jobs", environ={"BLASTD_URL": url}), (2, 3), f"address {url!r}")


@contextmanager
def good() -> Iterator[str]:
    """A server that answers each request with a long list."""
    row = b'{"job_id": "%s", "short_id": "%s", "status": "completed", "title": "%s"}' % (
        (JOB.encode(),) * 2 + (b"x" * 99,)
    )
    body = b'{"jobs": [' + b",".join([row] * 5000) + b'], "page": {}, "databases": [], "problems": [], ' + row[1:]
    with server(answer("200 OK", body)) as url:
        yield url


@pytest.mark.parametrize("stdout", ["/dev/full", "closed pipe", "closed"])
def test_U17_an_output_that_can_not_be_written_is_told(stdout: str, commands: Nursery) -> None:
    codes = (0,) if stdout == "closed pipe" else (2,)
    helps = (0, *codes)  # argparse swallows the failure of some writes
    where = ["--state-dir", "state"]
    with good() as url:
        environ = {"BLASTD_URL": url}
        for name in ("jobs", "jobs --json", "show", "show --json --logs", "results", "db list", "db list --json"):
            check(commands.run(*CLIENTS[name], environ=environ, stdout=stdout), codes, f"{name} to {stdout}")
    for name in PRINTS:
        words = OFFLINE.get(name, name.split())
        more = where if name in OFFLINE else []
        check(
            commands.run(*words, *more, environ={}, stdout=stdout),
            helps if "--help" in words else codes,
            f"{name} to {stdout}",
        )


def test_U17_a_result_has_no_place_is_told_before_anything_is_asked(commands: Nursery, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (str(tmp_path), str(tmp_path / "none" / "x"), str(tmp_path / "file" / "x"), "/", "/proc/x"):
        for words in (CLIENTS["results"], CLIENTS["submit --wait"]):
            check(commands.run(*words, "--out", out, environ={"BLASTD_URL": "http://127.0.0.1:9"}), (2, 3), out)
    with good() as url:
        for out, code in (("/dev/full", 2), ("/dev/null", 0)):
            check(commands.run(*CLIENTS["results"], "--out", out, environ={"BLASTD_URL": url}), (code,), out)
            assert Path(out).is_char_device(), "a device is written to, not replaced"


FLAWS: dict[str, Callable[[Path], list[str]]] = {
    "no --config": lambda folder: ["--config", str(folder / "none.toml")],
    "--config is a folder": lambda folder: ["--config", str(folder)],
    "--config is no TOML": lambda folder: ["--config", str(_file(folder / "x.toml", b"[a\n\xff"))],
    "no --state-dir": lambda folder: ["--state-dir", str(folder / "none")],
    "--state-dir is a file": lambda folder: ["--state-dir", str(_file(folder / "file", b"x"))],
    "--state-dir below a file": lambda folder: ["--state-dir", str(_file(folder / "file", b"x") / "below")],
    "store is no store": lambda folder: ["--state-dir", str(_file(folder / "s" / "blastd.sqlite", b"x" * 5000).parent)],
    "store is a folder": lambda folder: ["--state-dir", str(_folder(folder / "t" / "blastd.sqlite").parent)],
}


def _file(path: Path, content: bytes) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize("flaw", FLAWS)
def test_U17_a_flaw_of_flags_and_files_is_told(flaw: str, commands: Nursery, tmp_path: Path) -> None:
    more = FLAWS[flaw](tmp_path)
    for name, words in (OFFLINE | {"serve": ["serve", "--listen", "127.0.0.1:99"]}).items():
        if name in ("migrate", "serve") and flaw == "no --state-dir":
            continue  # they make one
        codes = (0, 1, 2) if name.startswith("doctor") and "--config" not in more else (1, 2)
        check(commands.run(*words, *more, environ={}), codes, f"{name}, {flaw}")


def test_U17_a_taken_port_is_told_in_a_sentence(commands: Nursery, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        where = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = commands.run("serve", "--listen", where, "--state-dir", str(tmp_path / "state"))
    check(ended, (2,), "serve")
    assert where in ended.said
    assert "in use" in ended.said


def test_U17_an_interrupt_ends_a_command_at_once(commands: Nursery) -> None:
    with server(None) as url:
        for name in ("submit", "jobs", "wait", "results", "db make", "cancel"):
            command = commands.start(*CLIENTS[name], environ={"BLASTD_URL": url})
            while not _connected(command.pid):
                assert Path(f"/proc/{command.pid}").exists()
            command.signal(signal.SIGINT)
            check(command.end(PATIENCE_SECONDS), (130,), name)


def test_U17_an_interrupt_ends_a_command_whose_input_is_silent(commands: Nursery, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    silent = os.open(tmp_path / "pipe", os.O_RDWR)
    with server(None) as url:
        for words in (["submit", "--program", "blastn", "--db", "x", "-"], ["db", "make", "-", "--name", "x"]):
            command = commands.start(*words, environ={"BLASTD_URL": url}, stdin=str(tmp_path / "pipe"))
            until(partial(_reads, command.pid))
            command.signal(signal.SIGINT)
            check(command.end(PATIENCE_SECONDS), (130,), words[0])
    os.close(silent)


def _reads(pid: int) -> bool:
    """Tell whether the process has called the service and begun a thread, which is to read its input."""
    return len(list(Path(f"/proc/{pid}/task").iterdir())) > 1 and _connected(pid)


def _connected(pid: int) -> bool:
    """Tell whether the process has a socket open."""
    try:
        return any("socket" in str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir())
    except FileNotFoundError:
        return False
