"""A real blastd as a process of its own, for tests that talk to it like a user."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests import lent
from tests.patience import PATIENCE_SECONDS

PROBLEM = "application/problem+json"


def cli(*words: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of blastd."""
    argv = [sys.executable, "-m", "blastd.cli.main", *words]
    given = os.environ | dict(environ or {})
    return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, env=given)


def make_token(state: Path, owner: str, role: str = "user", *more: str) -> str:
    """Create a token in a state folder, made if need be, and return its text."""
    if not (state / "blastd.sqlite").exists():
        assert cli("migrate", "--state-dir", str(state)).returncode == 0
    made = cli("token", "create", "--owner", owner, "--role", role, "--state-dir", str(state), *more)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


class Answer:
    """An HTTP answer: status, headers, body."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode()


def is_problem(answer: Answer, method: str, status: int) -> bool:
    """Tell whether an answer is an error of the one shape."""
    if answer.status != status or not answer.headers["Content-Type"].startswith(PROBLEM):
        return False
    return method == "HEAD" or {"type", "title", "status", "detail", "code", "request_id"} <= answer.json.keys()


class Daemon:
    """`blastd serve` with its state folder; start, kill, restart, ask."""

    def __init__(self, state: Path, db_dirs: Sequence[Path], environ: Mapping[str, str] | None = None) -> None:
        self.state, self.db_dirs, self.environ = state, list(db_dirs), dict(environ or {})
        self.command, self.folder = [sys.executable, "-m", "blastd.cli.main"], Path.cwd()
        self.log = state.with_name(state.name + ".log")
        self.process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.token: str | None = None

    def begin(self, *flags: str) -> subprocess.Popen[bytes]:
        """Start, and wait for nothing."""
        lent.lend(self.state)
        argv = [*self.command, "serve", "--listen", "127.0.0.1:0", "--state-dir", str(self.state)]
        for folder in self.db_dirs:
            argv += ["--db-dir", str(folder)]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("BLASTD_")}
        self.process = self._spawn([*argv, *flags], inherited | {"BLASTD_LOGGING__FORMAT": "json"} | self.environ)
        return self.process

    def _spawn(self, argv: Sequence[str], environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(argv, stdout=log, stderr=log, cwd=self.folder, env=environ)

    def start(self, *flags: str) -> "Daemon":
        """Start and wait until it listens."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        process = self.begin(*flags)
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            text = self.log.read_bytes()[begin:].decode("utf-8", "replace")
            if (match := re.search(r'"url": ?"(http://[^"]+)"', text)) is not None:
                self.url = match[1]
                lent.keep(self.state)
                return self
            if process.poll() is not None:
                raise AssertionError(f"blastd ended with {process.returncode}: {text[-2000:]}")
            time.sleep(0.02)
        raise AssertionError(f"blastd did not listen within {PATIENCE_SECONDS} s: {text[-2000:]}")

    def ready(self) -> "Daemon":
        """Wait until searches are accepted: the databases have been looked through."""
        until = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.get("/readyz")).status != 200:
            assert time.monotonic() < until, answer.text
            time.sleep(0.02)
        return self

    def kill(self) -> None:
        """kill -9, as a crash does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_SECONDS)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | Any | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        seconds: float = PATIENCE_SECONDS,
    ) -> Answer:
        """Send a request; a body that is not bytes goes as JSON. An error status is an answer, too."""
        given = dict(headers or {})
        if self.token is not None:
            given.setdefault("Authorization", f"Bearer {self.token}")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None and not isinstance(body, bytes):
            given.setdefault("Content-Type", "application/json")
        request = urllib.request.Request(self.url + path, data=data, headers=given, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirect())
        try:
            with opener.open(request, timeout=seconds) as response:
                return Answer(response.status, dict(response.headers.items()), response.read())
        except urllib.error.HTTPError as error:
            return Answer(error.code, dict(error.headers.items()), error.read())

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """GET; a file of results that is being made is asked for until it is there."""
        while True:
            answer = self.ask("GET", path, headers=headers)
            if answer.status != 202 or "wait=" in path:
                return answer

    def post(self, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """POST; without a body an empty JSON object."""
        return self.ask("POST", path, {} if body is None else body, headers)

    def submit(self, query: str, program: str = "blastn", database: Any = "tnt", **more: Any) -> dict[str, Any]:
        """Submit a search that must be accepted; returns its JSON."""
        answer = self.post("/api/blast/jobs", {"program": program, "database": database, "query": query} | more)
        assert answer.status == 202, answer.text
        row: dict[str, Any] = answer.json
        return row

    def job(self, job_id: str) -> dict[str, Any]:
        """Return the row of a job as it is now."""
        answer = self.get(f"/api/blast/jobs/{job_id}")
        assert answer.status == 200, answer.text
        row: dict[str, Any] = answer.json
        return row

    def ended(self, job_id: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Wait for the end of a job through `?wait=` and return its row."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            answer = self.ask("GET", f"/api/blast/jobs/{job_id}?wait=20", seconds=40)
            assert answer.status == 200, answer.text
            row: dict[str, Any] = answer.json
            if row["status"] in ("completed", "failed", "cancelled"):
                return row
        raise AssertionError(f"job {job_id} has not ended: {self.job(job_id)}")

    def run(self, query: str, program: str = "blastn", database: Any = "tnt", **more: Any) -> dict[str, Any]:
        """Submit and wait for completed."""
        row = self.ended(self.submit(query, program, database, **more)["job_id"])
        assert row["status"] == "completed", row
        return row

    def results(self, job_id: str, fmt: str, more: str = "") -> bytes:
        """Return a result in a format."""
        answer = self.get(f"/api/blast/jobs/{job_id}/results?format={fmt}{more}")
        assert answer.status == 200, answer.text
        return answer.body


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are answers, not followed."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002  # urllib's signature
        return None
