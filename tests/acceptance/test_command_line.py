"""Q15 to Q18: what a terminal and a pipe get, outages, BLAST+'s own command lines, and several services."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Nursery, nursery
from tests.daemon import Daemon, make_token
from tests.databases import CASES, LAMBDA_QUERY

COLUMNS = 80
JOB = "11112222-3333-4444-8555-666677778888"
LONG = "a title that is far longer than what a terminal of eighty columns has room for, with 5′→3′ and 生物"


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Nursery]:
    """Commands in a folder with a query, whose services are kept there, too."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "query.fa").write_text(LAMBDA_QUERY)
    with nursery(folder) as own:
        yield own


@contextmanager
def terminal() -> Iterator[tuple[str, list[bytes]]]:
    """A terminal of 80 columns: its name, and what was written to it, once it is closed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    written: list[bytes] = []

    def read() -> None:
        try:
            while block := os.read(ours, 65536):
                written.append(block)
        except OSError:  # how Linux tells that nobody has the other side open
            return

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield os.ttyname(theirs), written
    finally:
        os.close(theirs)
        reader.join()
        os.close(ours)


def seen(commands: Nursery, environ: dict[str, str], *words: str) -> list[str]:
    """Return the lines that a command shows on a terminal, without colours."""
    with terminal() as (name, written):
        ended = commands.run(*words, environ=environ | {"TERM": "xterm-256color"}, stdout=name)
        assert ended.code == 0, ended.said
    text = re.sub(rb"\x1b\[[0-9;]*m", b"", b"".join(written)).decode()
    return text.replace("\r", "").splitlines()


def cells(line: str) -> int:
    from rich.cells import cell_len

    return cell_len(line)


def test_Q15_tables_fit_eighty_columns_and_never_fold_an_id(daemon: Daemon, commands: Nursery) -> None:
    rows = [daemon.run(LAMBDA_QUERY, title=LONG, reuse=False) for _ in range(3)]
    environ = {"BLASTD_URL": daemon.url}
    for words in (["jobs", "-n", "3"], ["db", "list"], ["programs"], ["programs", "blastn"], ["version"], ["me"]):
        lines = seen(commands, environ, *words)
        assert len(lines) > 1
        assert max(map(cells, lines)) <= COLUMNS, words
    lines = seen(commands, environ, "jobs", "-n", "3")
    assert [line.split()[:2] for line in lines[1:]] == [[row["short_id"], "completed"] for row in reversed(rows)]
    assert "a title" in lines[1]
    assert seen(commands, environ, "jobs", "-n", "1", "--fields", "job_id,title")[1].split()[0] == rows[-1]["job_id"]


def test_Q15_a_pipe_gets_raw_values_under_the_names_of_json(daemon: Daemon, commands: Nursery) -> None:
    row = daemon.run(LAMBDA_QUERY, title="a, b", reuse=False)
    environ = {"BLASTD_URL": daemon.url}

    def out(*words: str) -> str:
        ended = commands.run(*words, environ=environ)
        assert ended.code == 0, ended.said
        return ended.out.decode()

    names, line = (text.split("\t") for text in out("jobs", "-n", "1").splitlines())
    told = dict(zip(names, line, strict=True))
    assert told["job_id"] == row["job_id"]
    assert told["created_at"] == row["created_at"]
    assert told["hits"] == str(row["hits"])
    letters = dict(text.split("\t") for text in out("db", "list", "--fields", "name,letters").splitlines()[1:])
    assert int(letters["slow"]) == 3_000_000
    assert out("jobs", "-n", "1", "-o", "id") == row["job_id"] + "\n"
    assert json.loads(out("jobs", "-n", "1", "-o", "json", "--fields", "hits,query.count")) == [
        {"hits": row["hits"], "query.count": row["query"]["count"]}
    ]
    assert json.loads(out("show", row["job_id"], "-o", "json"))["job_id"] == row["job_id"]
    two = json.loads(out("show", row["job_id"], row["short_id"], "--json"))
    assert [it["job_id"] for it in two] == [row["job_id"]] * 2
    assert out("submit", "--program", "blastn", "--db", "tnt", "query.fa", "-o", "id").strip() != row["job_id"]
    assert json.loads(out("wait", row["job_id"], row["job_id"], "-o", "json"))[1]["status"] == "completed"
    assert out("status", "--fields", "job_id") == "job_id\n"
    wrong = commands.run("jobs", "--fields", "job_ib", environ=environ)
    assert wrong.code == 2
    assert "Did you mean 'job_id'?" in wrong.said


def test_Q15_what_is_wrong_with_the_output_is_told_before_a_search_is_sent(daemon: Daemon, commands: Nursery) -> None:
    environ = {"BLASTD_URL": daemon.url}
    search = ["submit", "--program", "blastp", "--db", "taa", "query.fa"]
    before = daemon.get("/api/blast/jobs?limit=1").json["counts"]
    for words, said in (
        ([*search, "--out", "nowhere/hits.tsv"], "not a folder"),
        ([*search, "--format", "tabular", "--fields", "qaccver nosuch"], "'nosuch' is not a column"),
        ([*search, "--format", "xml", "--fields", "qaccver"], "xml has its own"),
        ([*search, "--format", "sam"], "blastp has no format sam"),
        (["blastp", "-query", "query.fa", "-db", "taa", "-outfmt", "6 qaccver nosuch"], "'nosuch' is not a column"),
        (["blastp", "-query", "none.fa", "-db", "taa"], "none.fa can't be read"),
        (["blastp", "-query", "query.fa"], "-db"),
        (["submit", "query.fa", "-evalue", "1e-5"], "blastd blastn -query"),
        (["subnit", "query.fa"], "Did you mean 'submit'?"),
        (["fsck", "--service", "lab"], None),
    ):
        ended = commands.run(*words, environ=environ)
        assert ended.code == 2, ended.said
        assert said is None or said in ended.said
    assert daemon.get("/api/blast/jobs?limit=1").json["counts"] == before


def test_Q15_the_last_line_says_limit_and_warnings(daemon: Daemon, commands: Nursery) -> None:
    options = ["-o", "max_target_seqs=1", "--wait"]
    ended = commands.run(
        "submit", "--program", "blastn", "--db", "tnt", "query.fa", *options, environ={"BLASTD_URL": daemon.url}
    )
    assert ended.code == 0
    last = ended.said.splitlines()[-1]
    assert "max_target_seqs was reached by 2 queries" in last
    assert "warning" in last  # BLAST+ warns of fewer than five


class Scripted(ThreadingHTTPServer):
    """A server that answers from a list: (status, headers, body); the last one again and again."""

    daemon_threads = True

    def __init__(self, answers: Sequence[tuple[int, dict[str, str], Any]]) -> None:
        self.answers, self.asked = list(answers), list[tuple[str, str | None]]()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers as its server's list says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Nothing."""

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Scripted)
        server.asked.append((self.command, self.headers.get("Idempotency-Key")))
        status, headers, body = server.answers.pop(0) if len(server.answers) > 1 else server.answers[0]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        kind = {"Content-Type": "text/html" if isinstance(body, bytes) else "application/json"}
        for name, value in (kind | headers | {"Content-Length": str(len(content)), "Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.rfile.readline()
        heard = b""
        while not heard.endswith(b"--\r\n"):
            heard += self.rfile.readline()
        self.close_connection = True
        self.do_GET()


@contextmanager
def scripted(*answers: tuple[int, dict[str, str], Any]) -> Iterator[Scripted]:
    with Scripted(answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def row(status: str, **more: Any) -> dict[str, Any]:
    return {"job_id": JOB, "short_id": JOB[:8], "status": status, "phase": status, **more}


BAD_GATEWAY = b"<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"


def test_Q16_a_wait_outlives_an_outage(commands: Nursery) -> None:
    tag = {"ETag": 'W/"1"'}
    with scripted(
        (200, tag, row("running")), (502, {"Retry-After": "0"}, BAD_GATEWAY), (503, {"Retry-After": "0"}, BAD_GATEWAY),
        (200, tag, row("completed", hits=7)),
    ) as server:  # fmt: skip
        ended = commands.run("wait", JOB, environ={"BLASTD_URL": server.url})
    assert ended.code == 0, ended.said
    lines = ended.said.splitlines()
    assert "away" in lines[1]
    assert "502 Bad Gateway" in lines[1], "a proxy's page is told as a sentence"
    assert "<" not in ended.said
    assert "the service is back" in lines
    assert lines[-1].endswith("7 hits")


def test_Q16_a_time_out_in_an_outage_says_how_to_go_on(commands: Nursery) -> None:
    with scripted((200, {"ETag": 'W/"1"'}, row("running")), (502, {}, BAD_GATEWAY)) as server:
        ended = commands.run("wait", JOB, "--timeout", "1.5", environ={"BLASTD_URL": server.url})
    assert ended.code == 5
    assert ended.said.splitlines()[-1].endswith(f"it goes on: blastd wait {JOB}")


def test_Q16_a_submit_is_sent_again_with_its_key(commands: Nursery) -> None:
    busy = (429, {"Retry-After": "0"}, {"detail": "Too many searches.", "code": "too_many"})
    down = (503, {"Retry-After": "0"}, BAD_GATEWAY)
    with scripted(busy, down, (202, {}, row("queued"))) as server:
        words = ["submit", "--program", "blastn", "--db", "tnt", "-"]
        ended = commands.run(*words, environ={"BLASTD_URL": server.url}, stdin=str(CASES / "plain.fa"))
    assert ended.code == 0, ended.said
    assert ended.out.decode() == JOB + "\n"
    assert len({key for _, key in server.asked}) == 1, "always the same key"
    assert [method for method, _ in server.asked] == ["POST"] * 3
    with scripted((429, {}, {"detail": "Too many searches.", "code": "too_many"})) as server:
        ended = commands.run(*words[:-1], "query.fa", environ={"BLASTD_URL": server.url})
    assert (ended.code, len(server.asked)) == (3, 1), "without Retry-After it is not sent again"


BLAST = {
    "table": ["-outfmt", "6"],
    "columns": ["-outfmt", "6 std slen stitle", "-evalue", "1e-5"],
    "commented": ["-outfmt", "7", "-max_target_seqs", "5"],
    "csv": ["-outfmt", "10", "-word_size", "11", "-num_threads", "2"],
    "pairwise": [],
    "xml": ["-outfmt", "5", "-task", "blastn"],
    "flag": ["-ungapped", "-outfmt", "6"],
}


@pytest.mark.parametrize("case", BLAST)
def test_Q17_a_command_line_of_blast_gives_its_bytes(
    case: str, daemon: Daemon, databases: Path, commands: Nursery, tmp_path: Path
) -> None:
    words = ["-query", str(CASES / "plain.fa"), "-db", "tnt", *BLAST[case]]
    bare = subprocess.run(
        ["blastn", *words], capture_output=True, check=True, env=os.environ | {"BLASTDB": str(databases)}
    )
    environ = {"BLASTD_URL": daemon.url}
    ours = commands.run("blastn", *words, environ=environ)
    assert ours.code == 0, ours.said
    assert ours.out == bare.stdout
    file = tmp_path / "hits"
    assert commands.run("blastn", *words, "-out", str(file), "--title", "mine", environ=environ).code == 0
    assert file.read_bytes() == bare.stdout


def test_Q17_a_query_comes_from_a_pipe_as_blast_takes_it(daemon: Daemon, commands: Nursery) -> None:
    environ = {"BLASTD_URL": daemon.url}
    words = ["blastn", "-db", ["tnt", "taa"][0], "-outfmt", "6 qaccver"]
    ended = commands.run("--url", daemon.url, *words, environ={}, stdin=str(CASES / "plain.fa"))
    assert ended.code == 0, ended.said
    assert ended.out.split()
    subject = commands.run("blastn", "-query", "query.fa", "-subject", "query.fa", "-outfmt", "6", environ=environ)
    assert subject.out.split(b"\t")[2] == b"100.000", subject.said


def test_Q18_services_are_kept_by_name_for_their_user_alone(databases: Path, tmp_path: Path, commands: Nursery) -> None:
    daemons = [Daemon(tmp_path / name, [databases]) for name in ("one", "two")]
    tokens = [make_token(daemon.state, owner) for daemon, owner in zip(daemons, ("ada", "ben"), strict=True)]
    home = tmp_path / "config"
    environ = {"XDG_CONFIG_HOME": str(home)}
    try:
        for daemon in daemons:
            daemon.start()
        first, second = daemons
        (tmp_path / "token").write_text(tokens[0] + "\n")

        def run(*words: str, **how: Any) -> tuple[int, str, str]:
            ended = commands.run(*words, **({"environ": environ} | how))
            return ended.code, ended.out.decode(), ended.said

        file = home / "blastd" / "services.json"
        assert run("login", "lab", "--url", first.url, "--token-file", str(tmp_path / "token"))[0] == 0
        (tmp_path / "token").write_text(tokens[1] + "\n")
        assert run("login", "core", "--url", second.url, stdin=str(tmp_path / "token"))[0] == 0
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        assert run("me", "--fields", "owner")[1].split() == ["owner", "ben"], "the last one is in use"
        assert run("--service", "lab", "me", "--fields", "owner")[1].split()[1] == "ada"
        assert run("me", "--service", "lab", "--fields", "owner")[1].split()[1] == "ada"
        assert run("me", "--fields", "owner", "--url", first.url)[1].split()[1] == "ada", "its own token goes along"
        assert run("login", "lab")[0] == 0
        assert run("me", "--fields", "owner")[1].split()[1] == "ada"
        listed = run("services")[1]
        assert [line.split("\t")[:2] for line in listed.splitlines()[1:]] == [["lab", "true"], ["core", "false"]]
        assert not any(token in listed for token in tokens)
        code, _, said = run("--service", "lap", "jobs")
        assert (code, "Did you mean 'lab'?" in said) == (2, True)
        assert run("logout", "lab")[0] == 0
        assert "lab" not in file.read_text()
        assert run("login", "bad", "--url", first.url, stdin="/dev/null")[0] == 2, "a token that is none is not kept"
        assert "bad" not in file.read_text()
    finally:
        for daemon in daemons:
            if daemon.process is not None:
                daemon.stop()
