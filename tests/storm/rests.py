"""What must be true when a storm rests: nothing runs, nothing is held, and every surface says the same of every search."""

import json
import os
import random
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from tests.crash.checks import Truth, marked
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS
from tests.storm.crowd import BROKEN, JOBS, Accepted, Notes
from tests.storm.weather import VARIANTS

CANCELLING_SECONDS = 10.0
"""The longest that a search may be `cancelling` while the daemon answers."""
QUICK_SECONDS = 1.0
"""A look that took longer says nothing about how long the daemon took."""
GROWTH_BYTES = 96 << 20
GROWTH_DESCRIPTORS = 24
ENDS = ("completed", "failed", "cancelled")
SAMPLE = 12


class Rest:
    """Checks one daemon again and again."""

    def __init__(self, daemon: Daemon, admin: str, notes: Notes, databases: Path, folder: Path) -> None:
        self.daemon, self.admin, self.notes = daemon, admin, notes
        self._truth = Truth(databases, folder)
        self._own = own_truths(folder)
        self._first: dict[int, tuple[int, int]] = {}

    def check(self, accepted: Sequence[Accepted], dice: random.Random, *, disturbed: bool) -> None:
        """Wait for the rest and note every fault."""
        if not self._at_rest():
            return
        self._nothing_is_held()
        rows = [(one, row) for one in accepted if (row := self._row(one)) is not None]
        for one, row in rows:
            self._ended_well(one, row, disturbed=disturbed)
        kept = [(one, row) for one, row in rows if row["status"] in ENDS]
        listed = self._listed()
        for at, (one, row) in enumerate(dice.sample(kept, min(SAMPLE, len(kept)))):
            self._surfaces_agree(row, listed.get(row["job_id"]), command=at == 0)
            if row["status"] == "completed":
                self._bytes_are_right(one, row)
        self._flat()

    def _get(self, path: str, headers: dict[str, str] | None = None) -> Any:
        given = {"Authorization": f"Bearer {self.admin}"} | (headers or {})
        return self.daemon.ask("GET", path, headers=given, seconds=PATIENCE_SECONDS)

    # ------------------------------------------------------------------ nothing runs
    def _at_rest(self) -> bool:
        """Wait until no search is active; notes what stays, and what is `cancelling` for too long."""
        end, since = time.monotonic() + 3 * PATIENCE_SECONDS, dict[str, float]()
        last = time.monotonic()
        while True:
            begin = time.monotonic()
            try:
                active = self._get(f"{JOBS}?status=queued&status=running&limit=500").json["jobs"]
            except (*BROKEN, KeyError):
                active = [{"job_id": "", "phase": "the daemon does not answer"}]
            passed, last = min(time.monotonic() - last, QUICK_SECONDS), time.monotonic()
            if time.monotonic() - begin > QUICK_SECONDS:
                passed = 0.0
            since = {
                job["job_id"]: since.get(job["job_id"], 0.0) + passed for job in active if job["phase"] == "cancelling"
            }
            if stuck := [job_id for job_id, seconds in since.items() if seconds > CANCELLING_SECONDS]:
                self.notes.fault(f"{len(stuck)} stay cancelling, the first is {stuck[0]}")
                return False
            if not active:
                return True
            if time.monotonic() > end:
                self.notes.fault(f"{len(active)} never end, the first is {active[0]['job_id']}: {active[0]['phase']}")
                return False
            time.sleep(0.25)

    def _nothing_is_held(self) -> None:
        """Every slot is free, soon after the last row has ended, and no process is left."""
        end, held = time.monotonic() + CANCELLING_SECONDS, ""
        while time.monotonic() < end:
            queue = self._get("/api/health").json["queue"]
            left = [
                process.pid for process in marked(self.daemon.state) if process.name().startswith(("blast", "tblast"))
            ]
            held = (
                f"{queue}, processes {left}"
                if queue["slots_busy"] or queue["queued"] or queue["running"] or left
                else ""
            )
            if not held:
                return
            time.sleep(0.25)
        self.notes.fault(f"held though nothing runs: {held}")

    # ------------------------------------------------------------------ rows
    def _row(self, one: Accepted) -> dict[str, Any] | None:
        answer = self._get(f"{JOBS}/{one.job_id}")
        if answer.status == 200:
            row: dict[str, Any] = answer.json
            return row
        if not (one.deleted and answer.status in (404, 410)):
            self.notes.fault(f"accepted {one.job_id} is {answer.status}")
        return None

    def _ended_well(self, one: Accepted, row: dict[str, Any], *, disturbed: bool) -> None:
        name = f"{one.job_id} (s{one.search.number}, {one.search.kind}, {one.search.fate})"
        if row["status"] not in ENDS:
            self.notes.fault(f"{name} is {row['status']} at the rest")
        if row["status"] == "failed" and not disturbed and one.search.kind != "own":
            self.notes.fault(f"{name} failed: {row['error_code']}: {row['error']}")
        if (row["status"] == "failed") != (row["error_code"] is not None):
            self.notes.fault(f"{name} is {row['status']} with the error {row['error_code']}")
        if row["status"] == "cancelled" and one.search.fate not in ("cancelled", "retried"):
            self.notes.fault(f"{name} was cancelled by nobody")

    def _listed(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = {}
        path = f"{JOBS}?limit=500"
        while True:
            answer = self._get(path).json
            found |= {job["job_id"]: job for job in answer["jobs"]}
            if answer["page"]["next_cursor"] is None:
                return found
            path = f"{JOBS}?limit=500&cursor={answer['page']['next_cursor']}"

    def _surfaces_agree(self, row: dict[str, Any], listed: dict[str, Any] | None, *, command: bool) -> None:
        job_id = row["job_id"]
        said: dict[str, dict[str, Any]] = {"list": listed or {"job_id": "not listed"}}
        events = self._get(f"{JOBS}/{job_id}/events").json["events"]
        moves = [event for event in events if event["status"] in ENDS and not event["kind"].startswith("webhook")]
        said["events"] = (
            {name: moves[-1][name] for name in ("job_id", "status", "phase")} if moves else {"status": "none"}
        )
        said["stream"] = self._streamed(job_id, row["status"])
        if command:
            said["blastd show"] = self._shown(job_id)
        for surface, other in said.items():
            for name, value in other.items():
                if name in row and row[name] != value:
                    self.notes.fault(f"{job_id}: {surface} says {name} = {value!r}, the detail says {row[name]!r}")

    def _streamed(self, job_id: str, status: str) -> dict[str, Any]:
        """Return the row beside the last event that a stream from the beginning gives."""
        headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {self.admin}", "Last-Event-ID": "0"}
        request = urllib.request.Request(f"{self.daemon.url}{JOBS}/{job_id}/events", headers=headers)
        last: dict[str, Any] = {}
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            for raw in response:
                if raw.startswith(b"data:"):
                    event = json.loads(raw[5:])
                    last = {name: event[name] for name in ("status", "phase")}
                    if event["status"] == status:
                        break
        return last

    def _shown(self, job_id: str) -> dict[str, Any]:
        environ = os.environ | {"BLASTD_URL": self.daemon.url, "BLASTD_TOKEN": self.admin}
        words = [*self.daemon.command, "show", job_id, "--json"]
        ran = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False, env=environ)
        if ran.returncode not in (0, 1, 4):
            return {"status": f"exit {ran.returncode}: {ran.stderr[-200:]}"}
        told: dict[str, Any] = json.loads(ran.stdout)
        return told

    def _bytes_are_right(self, one: Accepted, row: dict[str, Any]) -> None:
        answer = self._get(f"{JOBS}/{row['job_id']}/results?format=tabular")
        expected = self._own if one.search.kind == "own" else [self._truth.of(one.search.kind)]
        if answer.status == 410 and one.search.kind == "own":
            return  # the generation is gone, and it says so
        if answer.status != 200 or answer.body not in expected:
            self.notes.fault(
                f"{row['job_id']} ({one.search.kind}): {answer.status}, not what BLAST+ writes: {answer.text[:200]}"
            )

    # ------------------------------------------------------------------ what the process takes
    def _flat(self) -> None:
        """Compare memory and descriptors with the first rest of the same process."""
        assert self.daemon.process is not None
        process = psutil.Process(self.daemon.process.pid)
        now = (process.memory_info().rss, process.num_fds())
        first = self._first.setdefault(process.pid, now)
        if now[0] - first[0] > GROWTH_BYTES or now[1] - first[1] > GROWTH_DESCRIPTORS:
            self.notes.fault(f"memory and descriptors went from {first} to {now}")


def own_truths(folder: Path) -> list[bytes]:
    """Return what BLAST+ answers in each variant of the storm's own database."""
    query = folder / "own.fa"
    query.write_text(LAMBDA_QUERY)
    found = []
    for number, fasta in enumerate(VARIANTS):
        place = folder / f"own-{number}"
        make = ["makeblastdb", "-in", str(fasta), "-dbtype", "nucl", "-out", str(place), "-parse_seqids"]
        subprocess.run(make, check=True, capture_output=True)
        argv = ["blastn", "-query", str(query), "-db", str(place), "-outfmt", "6"]
        found.append(subprocess.run(argv, check=True, capture_output=True).stdout)
    return found
