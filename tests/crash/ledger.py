"""What was asked of the daemon and what it promised: the memory of a campaign, which no kill touches."""

from dataclasses import dataclass, field
from threading import Lock
from typing import Any


@dataclass
class Entry:
    """A search that was sent once, under a key of its own, and what became of it as far as answers said.

    `accepted`: a 202 or 200 arrived. `cancel`, `delete`, `retry`: "" not asked, "asked" without an answer, "done" answered.
    """

    title: str
    kind: str
    body: dict[str, Any]
    began: str
    job_id: str = ""
    accepted: bool = False
    cancel: str = ""
    delete: str = ""
    retry: str = ""
    formats: set[str] = field(default_factory=set)
    checked: set[str] = field(default_factory=set)
    verified: bool = False

    @property
    def key(self) -> str:
        """Return its Idempotency-Key."""
        return f"key of {self.title}"


@dataclass
class Task:
    """A database that was ordered; `task_id` empty: no answer arrived."""

    name: str
    began: str
    task_id: str = ""
    replaced: bool = False
    verified: bool = False
    kills: int = 0
    """How often the daemon was killed since: work that was begun so often as the daemon allows ends failed, and says so."""


class Ledger:
    """All entries of a lane, with a lock: the load has threads."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.tasks: list[Task] = []
        self.violations: list[str] = []
        self.lost = self.doubled = self.false_ends = self.other = 0
        self.lock = Lock()

    def add(self, entry: Entry) -> Entry:
        with self.lock:
            self.entries.append(entry)
        return entry

    def order(self, task: Task) -> Task:
        with self.lock:
            self.tasks.append(task)
        return task

    def complain(self, kind: str, text: str) -> None:
        """Note a violation: `lost`, `doubled`, `false_ends`, or `other`."""
        print(f"VIOLATION {kind}: {text}", flush=True)
        with self.lock:
            self.violations.append(f"{kind}: {text}")
            setattr(self, kind, getattr(self, kind) + 1)

    def completed(self) -> list[Entry]:
        """Return searches that were seen completed and are still there."""
        with self.lock:
            return [one for one in self.entries if one.verified and not one.delete and one.kind != "slow"]

    def cancelled(self) -> list[Entry]:
        """Return searches that were seen cancelled and are still there."""
        with self.lock:
            return [one for one in self.entries if one.verified and not one.delete and one.kind == "slow"]
