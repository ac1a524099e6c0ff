"""The load of a round: searches, readers, a listener, and what a moment needs; it goes on until the daemon is dead."""

import http.client
import json
import random
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

from tests.crash.ledger import Entry, Ledger, Task
from tests.daemon import Answer, Daemon
from tests.databases import DB, LAMBDA_QUERY, PROTEIN_QUERY, SLOW, SLOW_QUERY, random_dna

JOBS = "/api/blast/jobs"
UPLOAD_QUERY = ">big\n" + "\n".join(random_dna(80, 7_000 + number) for number in range(10_000)) + "\n"
"""800 KB, so that several blocks of it are written; nothing resembles it."""
KINDS: dict[str, dict[str, Any]] = {
    "one": {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "reuse": False},
    "protein": {"program": "blastp", "database": "taa", "query": PROTEIN_QUERY, "reuse": False},
    "nothing": {"program": "blastn", "database": "tnt", "query": ">n\n" + random_dna(400, 5) + "\n", "reuse": False},
    "single": {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY.rpartition(">")[0], "reuse": False},
    "again": {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY},
    "upload": {"program": "blastn", "database": "tnt", "query": UPLOAD_QUERY, "reuse": False},
    "slow": SLOW | {"query": SLOW_QUERY},
}
USUAL = ("one", "single", "protein", "nothing", "again")
FORMATS = ("xml", "json", "pairwise", "commented", "csv")
BROKEN = (OSError, http.client.HTTPException, ValueError)
"""What a request ends with when the daemon dies under it."""


def body_of(kind: str, title: str) -> dict[str, Any]:
    return KINDS[kind] | {"title": title}


def sent(daemon: Daemon, entry: Entry) -> Answer | None:
    """Send a search (again: its key makes it one), and note the answer; None when there was none."""
    try:
        answer = daemon.post(JOBS, entry.body, {"Idempotency-Key": entry.key})
    except BROKEN:
        return None
    note(entry, answer)
    return answer


def note(entry: Entry, answer: Answer) -> None:
    if answer.status in (200, 202):
        entry.job_id, entry.accepted = answer.json["job_id"], True


class Load:
    """One round's clients, each a thread that ends when the daemon does."""

    def __init__(
        self, daemon: Daemon, ledger: Ledger, dice: random.Random, began: str, needs: str, *, jobs: int
    ) -> None:
        self.daemon, self.ledger, self.dice, self.began, self.needs, self.jobs = (
            daemon,
            ledger,
            dice,
            began,
            needs,
            jobs,
        )
        self.over = threading.Event()
        works: list[Callable[[], None]] = [self._submit, self._poll]
        if needs:
            works.append(getattr(self, f"_{needs}"))
        self._threads = [threading.Thread(target=self._until_broken, args=(work,), daemon=True) for work in works]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Wait for all clients; the daemon is dead, or they are done."""
        self.over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client of the load hangs"

    def _until_broken(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BROKEN:
            return

    def _entry(self, kind: str, what: str) -> Entry:
        title = f"{self.began} {what}"
        return self.ledger.add(Entry(title=title, kind=kind, body=body_of(kind, title), began=self.began))

    # ------------------------------------------------------------------ clients
    def _submit(self) -> None:
        for number in range(self.jobs):
            if (
                self.over.is_set()
                or sent(self.daemon, self._entry(self.dice.choice(USUAL), f"search {number}")) is None
            ):
                return

    def _poll(self) -> None:
        while not self.over.is_set():
            for path in (f"{JOBS}?limit=20", "/api/health", "/readyz"):
                self.daemon.get(path)
            self.over.wait(0.05)

    def _burst(self) -> None:
        """Send searches that may share a process, faster than they run."""
        entries = [self._entry(self.dice.choice(("nothing", "single")), f"burst {number}") for number in range(10)]
        threads = [threading.Thread(target=sent, args=(self.daemon, entry)) for entry in entries]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _again(self) -> None:
        sent(self.daemon, self._entry("again", "answered from a stored result"))

    def _upload(self) -> None:
        entry = self._entry("upload", "upload")
        host = urllib.parse.urlsplit(self.daemon.url).netloc
        words = {key: value for key, value in entry.body.items() if key != "query"} | {"reuse": "false"}
        connection = http.client.HTTPConnection(host, timeout=30)
        headers = {"Content-Type": "text/x-fasta", "Transfer-Encoding": "chunked", "Idempotency-Key": entry.key}
        path = f"{JOBS}?{urllib.parse.urlencode(words)}"
        connection.request("POST", path, _slowly(entry.body["query"].encode()), headers, encode_chunked=True)
        answer = connection.getresponse()
        note(entry, Answer(answer.status, dict(answer.getheaders()), answer.read()))
        connection.close()

    def _cancel(self) -> None:
        self._cancelled()

    def _cancelled(self) -> list[Entry]:
        """Send a search and cancel it; returns it if its end is that."""
        entry = self._entry("slow", "to be cancelled")
        entry.cancel = "asked"
        if sent(self.daemon, entry) is None:
            return []
        until = time.monotonic() + 60
        while self.daemon.job(entry.job_id)["status"] == "queued" and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(self.dice.random() * 0.1)
        if self.daemon.post(f"{JOBS}/{entry.job_id}/cancel").status == 202:
            entry.cancel = "done"
        return [entry] if self.daemon.ended(entry.job_id)["status"] == "cancelled" else []

    def _retry(self) -> None:
        for entry in [one for one in self.ledger.cancelled() if not one.retry] or self._cancelled():
            entry.retry, entry.verified, entry.cancel = "asked", False, "asked"
            if self.daemon.post(f"{JOBS}/{entry.job_id}/retry").status == 202:
                entry.retry = "done"
            if self.daemon.post(f"{JOBS}/{entry.job_id}/cancel").status == 202:
                entry.cancel = "done"

    def _delete(self) -> None:
        for entry in self.ledger.completed()[:3]:
            entry.delete, entry.verified = "asked", False
            if self.daemon.ask("DELETE", f"{JOBS}/{entry.job_id}").status == 200:
                entry.delete = "done"

    def _results(self) -> None:
        for entry in self.ledger.completed():
            for name in FORMATS:
                if name not in entry.formats | entry.checked and not self.over.is_set():
                    entry.formats.add(name)
                    self.daemon.results(entry.job_id, name)

    def _hits(self) -> None:
        for entry in self.ledger.completed():
            if "hits" not in entry.formats | entry.checked and not self.over.is_set():
                entry.formats.add("hits")
                self.daemon.get(f"{JOBS}/{entry.job_id}/hits")

    def _make(self) -> None:
        self._database(f"own-{self.began.replace(' ', '-')}", "")

    def _replace(self) -> None:
        name = next((task.name for task in self.ledger.tasks if task.verified), "")
        assert name, "there is no database to replace yet"
        self._database(name, "&replace=true")

    def _database(self, name: str, more: str) -> None:
        task = self.ledger.order(Task(name=name, began=self.began, replaced=bool(more)))
        fasta = (DB / "nt.fa").read_bytes() + f">{self.dice.getrandbits(32):08x}\n{random_dna(90, 3)}\n".encode()
        path = f"/api/blast/databases?name={name}&molecule=nucleotide{more}"
        answer = self.daemon.ask("POST", path, fasta, {"Content-Type": "text/x-fasta"})
        if answer.status != 202:
            return
        task.task_id = answer.json["task"]["id"]
        until = time.monotonic() + 60
        while time.monotonic() < until and not self.over.is_set():
            if self.daemon.get(f"/api/blast/database-tasks/{task.task_id}").json["task"]["status"] == "completed":
                break
            time.sleep(0.05)
        entry = self._entry("one", f"on {name}")
        entry.kind, entry.body = "own", entry.body | {"database": name}
        sent(self.daemon, entry)


def _slowly(body: bytes) -> Iterator[bytes]:
    for begin in range(0, len(body), 200_000):
        yield body[begin : begin + 200_000]
        time.sleep(0.05)


class Listener:
    """One reader of the event stream of all jobs, over every restart: ids may come once, in order, without a gap."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.last, self.seen = ledger, 0, set[int]()
        self._thread: threading.Thread | None = None

    def listen(self, url: str) -> None:
        """Go on where the last daemon broke off."""
        self.join()
        self._thread = threading.Thread(target=self._read, args=(urllib.parse.urlsplit(url).netloc,), daemon=True)
        self._thread.start()

    def join(self) -> None:
        if self._thread is not None:
            self._thread.join(30)
            assert not self._thread.is_alive(), "the listener hangs"

    def _read(self, host: str) -> None:
        connection = http.client.HTTPConnection(host, timeout=25)
        try:
            connection.request(
                "GET", "/api/blast/events", headers={"Accept": "text/event-stream", "Last-Event-ID": str(self.last)}
            )
            answer = connection.getresponse()
            while line := answer.readline():
                if line.startswith(b"data: "):
                    self._take(json.loads(line[6:])["event_id"])
        except BROKEN:
            return
        finally:
            connection.close()

    def _take(self, event_id: int) -> None:
        if event_id <= self.last:
            self.ledger.complain("doubled", f"event {event_id} was sent after {self.last}")
        self.last = event_id
        self.seen.add(event_id)
