"""What must be true after a crash: processes, rows, results, files."""

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from blastd.blastplus.process import MARK
from blastd.config.base import STORE_NAME
from blastd.store.lock import try_hold
from blastd.upkeep.fsck import Finding, check
from tests.crash.ledger import Entry, Ledger
from tests.crash.load import JOBS, KINDS
from tests.daemon import Daemon

ORPHAN_SECONDS = 5.0
ENDS = ("completed", "failed", "cancelled")
# What a kill may leave until a sweep: uploads and downloads, folders of submissions without a row, links without a record.
SWEPT = (
    ("temporary", "tmp/"),
    ("folder_unowned", "jobs/"),
    ("temporary", "generations/"),
    ("folder_unowned", "generations/"),
)


class Truth:
    """What bare BLAST+ answers to each kind of search."""

    def __init__(self, databases: Path, folder: Path) -> None:
        self._databases, self._folder = databases, folder
        self._known: dict[str, bytes] = {}

    def of(self, kind: str) -> bytes:
        kind = {"again": "one", "own": "one"}.get(kind, kind)
        if kind not in self._known:
            body = KINDS[kind]
            query = self._folder / f"{kind}.fa"
            query.write_text(body["query"])
            argv = [body["program"], "-query", str(query), "-db", body["database"], "-outfmt", "6"]
            ran = subprocess.run(argv, cwd=self._databases, capture_output=True, check=True, timeout=60)
            self._known[kind] = ran.stdout
        return self._known[kind]


def marked(state: Path) -> list[psutil.Process]:
    """Return the processes that say in their environment that a daemon of this state folder made them."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(state) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def orphans(state: Path, daemon_pid: int | None) -> list[psutil.Process]:
    """Return the marked processes that are not below the daemon (None: it is dead, so all)."""
    found = []
    for process in marked(state):
        try:
            above = [one.pid for one in process.parents()]
        except psutil.Error:
            continue
        if daemon_pid is None or daemon_pid not in above:
            found.append(process)
    return found


def no_orphans(ledger: Ledger, state: Path, daemon_pid: int | None, when: str) -> None:
    """Complain when a process of a dead daemon lives on."""
    until = time.monotonic() + ORPHAN_SECONDS
    while (left := orphans(state, daemon_pid)) and time.monotonic() < until:
        time.sleep(0.05)
    for process in left:
        try:
            ledger.complain("other", f"{when}: {' '.join(process.cmdline()[:8])} still runs")
            process.kill()
        except psutil.Error:
            continue


def check_end(daemon: Daemon, ledger: Ledger, truth: Truth, entry: Entry, row: dict[str, Any]) -> None:
    """Compare the end of a search with what it must be."""
    said = f"{entry.title} ({entry.job_id}, {entry.kind}) is {row['status']}, {row['error_code']}: {row['error']}"
    if entry.kind == "slow":
        if row["status"] != "cancelled":
            ledger.complain("false_ends", f"{said}, cancel was {entry.cancel}")
    elif row["status"] != "completed":
        ledger.complain("false_ends", said)
    else:
        wanted = truth.of(entry.kind)
        hits = wanted.count(b"\n")
        if row["hits"] != hits or row["error"] or row["error_code"]:
            ledger.complain("false_ends", f"{said}, with {row['hits']} hits instead of {hits}")
        if daemon.results(entry.job_id, "tabular") != wanted:
            ledger.complain("false_ends", f"{entry.title} ({entry.job_id}): the result is not that of BLAST+")
    events = daemon.get(f"{JOBS}/{entry.job_id}/events?limit=500").json["events"]
    kinds = [event["kind"] for event in events]
    tries = row["attempt"]
    if kinds.count("accepted") != 1 or sum(kinds.count(end) for end in ENDS) != (0 if row["reused_from"] else tries):
        ledger.complain("doubled", f"{entry.title} ({entry.job_id}): events {kinds}")


def check_files(ledger: Ledger, state: Path, when: str) -> int:
    """Compare store and files of a stopped daemon, mend what a sweep would, and look again; returns what was swept."""
    swept = 0
    for finding in fsck(state, mend=True):
        if any(finding.kind == kind and finding.path.startswith(path) for kind, path in SWEPT):
            swept += 1
        else:
            ledger.complain("other", f"{when}: {finding.kind} {finding.path}: {finding.detail}")
    for finding in fsck(state, mend=False):
        ledger.complain("other", f"{when}: {finding.path} is not mended: {finding.detail}")
    return swept


def fsck(state: Path, *, mend: bool) -> Sequence[Finding]:
    """Do what `blastd fsck` does while nobody else holds the folder."""
    with try_hold(state) as held:
        assert held, "a daemon still runs"
        return check(state / STORE_NAME, time.time(), running=False, mend=mend).findings
