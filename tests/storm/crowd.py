"""The people of a storm: each submits a search on some surface and does with it what the gust says."""

import http.client
import json
import os
import re
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blastd.core.ncbi import digits
from tests.crash.load import KINDS as BODIES
from tests.daemon import Answer, Daemon
from tests.databases import LAMBDA_QUERY
from tests.storm.gusts import Search

JOBS = "/api/blast/jobs"
BROKEN = (OSError, http.client.HTTPException)
"""What a request ends with while the daemon is away."""
AWAY_SECONDS = 120.0
RID = re.compile(r"RID = (\w+)")
OWN = "stormdb"
BOUNDARY = "storm-boundary"


@dataclass
class Accepted:
    """A search that was accepted, and what its owner knows of it."""

    job_id: str
    search: Search
    deleted: bool = False


@dataclass
class Notes:
    """What all know: accepted searches, and what broke."""

    accepted: list[Accepted] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    refused: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fault(self, text: str) -> None:
        with self.lock:
            self.faults.append(text)

    def refusal(self, status: int) -> None:
        with self.lock:
            self.refused[status] = self.refused.get(status, 0) + 1


def body_of(search: Search) -> dict[str, Any]:
    """Return the JSON of a search; `own` is in the database that the storm makes, rebuilds and removes."""
    if search.kind == "own":
        return {
            "program": "blastn",
            "database": OWN,
            "query": LAMBDA_QUERY,
            "reuse": False,
            "title": f"s{search.number}",
        }
    return BODIES[search.kind] | {"title": f"s{search.number}"}


class Person:
    """Does one search of a gust, from its submit to its fate."""

    def __init__(self, daemon: Daemon, token: str, search: Search, notes: Notes, folder: Path) -> None:
        self.daemon, self.token, self.search, self.notes, self.folder = daemon, token, search, notes, folder

    def run(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001  # whatever a client meets is a finding
            self.notes.fault(f"s{self.search.number} on {self.search.surface}: {type(error).__name__}: {error}")

    def _run(self) -> None:
        job_id = self._submit()
        if job_id is None:
            return
        accepted = Accepted(job_id, self.search)
        with self.notes.lock:
            self.notes.accepted.append(accepted)
        time.sleep(self.search.after_seconds)  # the gust says how long, it waits for nothing
        fate = self.search.fate
        if fate in ("cancelled", "retried"):
            self._told(self._ask("POST", f"{JOBS}/{job_id}/cancel", {}), {202, 409}, "cancel")
        if fate in ("retried", "deleted", "waited"):
            self._ended(job_id)
        if fate == "retried":
            self._told(self._ask("POST", f"{JOBS}/{job_id}/retry", {}), {202, 409, 410, 429, 507}, "retry")
        if fate == "deleted":
            answer = self._ask("DELETE", f"{JOBS}/{job_id}")
            self._told(answer, {200, 404, 409, 410}, "delete")
            accepted.deleted = answer.status != 409

    def _told(self, answer: Answer, expected: set[int], what: str) -> None:
        if answer.status not in expected and answer.status not in (503, 507):
            self.notes.fault(f"s{self.search.number}: {what} was answered {answer.status}: {answer.text[:300]}")

    def _ended(self, job_id: str) -> None:
        end = time.monotonic() + AWAY_SECONDS
        while time.monotonic() < end:
            answer = self._ask("GET", f"{JOBS}/{job_id}?wait=20")
            if answer.status != 200 or answer.json["status"] in ("completed", "failed", "cancelled"):
                return
        self.notes.fault(f"s{self.search.number}: {job_id} has not ended: {answer.text[:300]}")

    def _ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Ask until the daemon is there."""
        return self._until_there(
            lambda: self.daemon.ask(method, path, body, self._headers() | (headers or {}), seconds=AWAY_SECONDS)
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _until_there(self, ask: Callable[[], Answer]) -> Answer:
        end = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return ask()
            except BROKEN:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    # ------------------------------------------------------------------ surfaces
    def _submit(self) -> str | None:
        """Submit on the surface of the search; None if it was refused for a reason that the weather may give."""
        if self.search.surface == "cli":
            return self._by_command()
        if self.search.surface == "ncbi" and self.search.kind not in ("own", "slow"):
            return self._by_ncbi()
        answer = getattr(self, f"_by_{self.search.surface}" if self.search.surface != "ncbi" else "_by_json")()
        if answer.status in (200, 202):
            return str(answer.json["job_id"])
        self._refused(answer.status, answer.text)
        return None

    def _refused(self, status: int, text: str) -> None:
        self.notes.refusal(status)
        gone = self.search.kind == "own" and status in (404, 409, 422)
        if not gone and status not in (429, 503, 507):
            self.notes.fault(f"s{self.search.number} on {self.search.surface} was refused: {status}: {text[:300]}")

    def _key(self) -> dict[str, str]:
        return {"Idempotency-Key": f"storm-{self.search.number}"}

    def _by_json(self) -> Answer:
        return self._ask("POST", JOBS, body_of(self.search), self._key())

    def _by_multipart(self) -> Answer:
        body = body_of(self.search)
        query = body.pop("query")
        parts = (
            ('name="search"', "application/json", json.dumps(body)),
            ('name="query"; filename="q.fa"', "text/x-fasta", query),
        )
        text = "".join(
            f"--{BOUNDARY}\r\nContent-Disposition: form-data; {name}\r\nContent-Type: {kind}\r\n\r\n{content}\r\n"
            for name, kind, content in parts
        )
        headers = self._key() | {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
        return self._ask("POST", JOBS, f"{text}--{BOUNDARY}--\r\n".encode(), headers)

    def _by_fasta(self) -> Answer:
        body = body_of(self.search)
        query = body.pop("query")
        body |= {name: str(value).lower() for name, value in body.items() if isinstance(value, bool)}
        body |= body.pop("options", {})
        path = f"{JOBS}?{urllib.parse.urlencode(body)}"
        return self._ask("POST", path, query.encode(), self._key() | {"Content-Type": "text/x-fasta"})

    def _by_ncbi(self) -> str | None:
        body = body_of(self.search)
        words = {"CMD": "Put", "PROGRAM": body["program"], "DATABASE": body["database"], "QUERY": body["query"]}
        words |= {"MEGABLAST": "on"} if body["program"] == "blastn" else {}
        form = urllib.parse.urlencode(words).encode()
        answer = self._ask("POST", "/blast/Blast.cgi", form, {"Content-Type": "application/x-www-form-urlencoded"})
        if (found := RID.search(answer.text)) is None:
            self._refused(answer.status, answer.text)
            return None
        row = self._ask("GET", f"{JOBS}/{digits(found[1])}")
        return str(row.json["job_id"]) if row.status == 200 else None

    def _by_command(self) -> str | None:
        body = body_of(self.search)
        file = self.folder / f"{self.search.number}.fa"
        file.write_text(body["query"])
        words = ["submit", "--program", body["program"], "--db", body["database"], "--no-reuse", "--json", str(file)]
        words += ["--key", f"storm-{self.search.number}"]
        end = time.monotonic() + AWAY_SECONDS
        while True:
            ran = subprocess.run(
                [*self.daemon.command, *words], capture_output=True, text=True, timeout=AWAY_SECONDS, check=False,
                env=os.environ | {"BLASTD_URL": self.daemon.url, "BLASTD_TOKEN": self.token},
            )  # fmt: skip
            if ran.returncode != 3 or time.monotonic() > end:
                break
        if ran.returncode == 0:
            return str(json.loads(ran.stdout)["job_id"])
        if self.search.kind != "own" and not re.search(r"\b(429|503|507)\b|full|disk", ran.stderr):
            self.notes.fault(f"s{self.search.number}: blastd submit ended with {ran.returncode}: {ran.stderr[-300:]}")
        return None
