"""A lane of the campaign: one state folder, whose daemon is killed round after round and started again."""

import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from blastd.service.databases.tasks import MOST_ATTEMPTS
from tests.crash import checks
from tests.crash.checks import ENDS, Truth
from tests.crash.ledger import Entry, Ledger, Task
from tests.crash.load import JOBS, Listener, Load, body_of, sent
from tests.crash.moments import Moment
from tests.crash.nursery import Nursery
from tests.daemon import Answer, Daemon

MOMENT_SECONDS = 90.0
"""Within this a named moment comes, or the campaign says that it never did."""
END_SECONDS = 600.0


class Nursling(Daemon):
    """A daemon that a nursery starts, with its doom."""

    def __init__(self, state: Path, db_dirs: Sequence[Path], environ: Mapping[str, str], nursery: Nursery) -> None:
        super().__init__(state, db_dirs, environ)
        self.nursery, self.command = nursery, ["--"]
        self.more: Mapping[str, str] = {}

    def _spawn(self, argv: Sequence[str], environ: Mapping[str, str]) -> Any:
        self.log.touch()
        return self.nursery.start(argv, {**environ, **self.more}, self.log)


class Lane:
    """Runs rounds; what it found is in its ledger."""

    jobs_a_round = 3
    longest_wait = 1.5
    usual_settings: Sequence[Mapping[str, str]] = ({}, {"BLASTD_LOCAL__SHARDS": "1"})
    usual_needs: Sequence[str] = (
        "",
        "",
        "cancel",
        "delete",
        "results",
        "hits",
        "upload",
        "make",
        "retry",
        "replace",
        "burst",
    )
    before: Sequence[str] = ("one", "one", "protein", "nothing", "one", "one", "one", "one")

    def __init__(
        self,
        name: str,
        folder: Path,
        databases: Path,
        truth: Truth,
        seed: int,
        environ: Mapping[str, str],
        nursery: Nursery,
    ) -> None:
        self.name, self.folder, self.truth, self.dice = name, folder, truth, random.Random(f"{seed} {name}")
        folder.mkdir(parents=True)
        self.daemon = Nursling(folder / "state", [databases], environ, nursery)
        self.ordinary = list(self.daemon.command)
        self.ledger = Ledger()
        self.listener = Listener(self.ledger)
        self.rounds = self.swept = 0
        self.reached: list[str] = []

    # ------------------------------------------------------------------ rounds
    def set_up(self) -> None:
        """Have some ended searches and a database, for the moments that need them."""
        self._start()
        for number, kind in enumerate(self.before):
            title = f"{self.name} before {number}"
            sent(self.daemon, self.ledger.add(Entry(title=title, kind=kind, body=body_of(kind, title), began="before")))
        load = Load(self.daemon, self.ledger, self.dice, f"{self.name} before", "make", jobs=0)
        load.begin()
        load.end()
        for number in range(3):
            load = Load(self.daemon, self.ledger, self.dice, f"{self.name} before {number}", "cancel", jobs=0)
            load.begin()
            load.end()
        self.check(stop=False)
        self.daemon.kill()

    def random_round(self) -> None:
        """Kill at a random moment: of the load, or of the start."""
        self.rounds += 1
        began = f"{self.name} round {self.rounds} at random"
        self.daemon.more = self.dice.choice(self.usual_settings)
        if self.dice.random() < 0.2:
            self._killed_while_starting()
        else:
            self._start()
            needs = self.dice.choice(self.usual_needs)
            load = Load(self.daemon, self.ledger, self.dice, began, needs, jobs=self.jobs_a_round)
            load.begin()
            time.sleep(self.dice.random() * self.longest_wait)
            self.daemon.kill()
            load.end()
        self._dead(began)

    def named_round(self, moment: Moment) -> None:
        """Let the daemon die at a named moment."""
        self.rounds += 1
        began = f"{self.name} round {self.rounds} {moment.name}"
        mark, arm = self.folder / f"{moment.name}.mark", self.folder / f"{moment.name}.arm"
        arm.unlink(missing_ok=True)  # of an earlier try
        self.doom(moment, mark, arm)
        self.daemon.more = dict(moment.settings)
        load = None
        try:
            self._start()
        except AssertionError:
            if not mark.exists():
                raise
        else:
            load = Load(self.daemon, self.ledger, self.dice, began, moment.needs, jobs=self.jobs_a_round)
            arm.touch()
            load.begin()
            self._await_death(MOMENT_SECONDS)
        finally:
            self.daemon.command = self.ordinary
        if load is not None:
            load.end()
        self.count(moment, mark)
        self._dead(began)

    def doom(self, moment: Moment, mark: Path, arm: Path) -> None:
        """Have the next start die at *moment*."""
        words = ["--at", moment.at, "--mark", str(mark)]
        self.daemon.command = [*words, *([] if moment.at_start else ["--arm", str(arm)]), "--"]

    def count(self, moment: Moment, mark: Path) -> None:
        if mark.exists():
            self.reached.append(moment.name)

    def _await_death(self, seconds: float) -> None:
        process = self.daemon.process
        assert process is not None
        until = time.monotonic() + seconds
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        self.daemon.kill()

    def _start(self) -> None:
        self.daemon.start()
        self.listener.listen(self.daemon.url)

    def _killed_while_starting(self) -> None:
        process = self.daemon.begin()
        time.sleep(self.dice.random() * 3.0)
        process.kill()
        process.wait()

    def _dead(self, when: str) -> None:
        self.listener.join()
        for task in self.ledger.tasks:
            task.kills += not task.verified
        checks.no_orphans(self.ledger, self.daemon.state, None, f"after {when}")

    # ------------------------------------------------------------------ checks
    def check(self, *, stop: bool = True) -> None:
        """Have an ordinary daemon, ask again for what got no answer, wait for every end, and compare."""
        if self.daemon.process is None or self.daemon.process.poll() is not None:
            self._start()
        assert self.daemon.process is not None
        checks.no_orphans(self.ledger, self.daemon.state, self.daemon.process.pid, "after a restart")
        self._check_rows()
        if stop:
            if self.daemon.stop() != 0:
                self.ledger.complain("other", "the daemon did not stop with exit code 0")
            self.listener.join()
            self.swept += checks.check_files(self.ledger, self.daemon.state, f"check after round {self.rounds}")

    def _check_rows(self) -> None:
        for task in self.ledger.tasks:
            if not task.verified:
                self._verify_task(task)
        for entry in self.ledger.entries:
            if not entry.verified:
                self._ask_again(entry)
        for entry in self.ledger.entries:
            if not entry.verified:
                self._verify(entry)
        for entry in self.ledger.entries:
            if entry.formats and not entry.delete:
                self._read_again(entry)
        self._each_once()

    def _ask_again(self, entry: Entry) -> None:
        """Repeat what got no answer; its key makes a search of two requests one."""
        known = entry.job_id
        if entry.delete != "done":
            answer = sent(self.daemon, entry)
            if answer is None or answer.status not in (200, 202):
                if not entry.delete:
                    self.ledger.complain("lost", f"{entry.title}: {answer and answer.text[:300]}")
                entry.delete = "done"
            if entry.accepted and known and entry.job_id != known:
                self.ledger.complain("lost", f"{entry.title}: accepted as {known}, and again as {entry.job_id}")
        if entry.kind == "slow" and entry.cancel != "done":
            self._order(entry, self.daemon.post(f"{JOBS}/{entry.job_id}/cancel"), 202, "cancel")
        if entry.delete == "asked" and entry.job_id:
            self._order(entry, self.daemon.ask("DELETE", f"{JOBS}/{entry.job_id}"), 200, "delete")

    def _order(self, entry: Entry, answer: Answer, status: int, what: str) -> None:
        if answer.status in (status, 410):
            setattr(entry, what, "done")
        else:
            self.ledger.complain("other", f"{entry.title}: {what} answered {answer.status} {answer.text[:200]}")

    def _verify(self, entry: Entry) -> None:
        answer = self.daemon.get(f"{JOBS}/{entry.job_id}") if entry.job_id else None
        entry.verified = True
        if entry.delete == "done":
            if answer is not None and answer.status != 410:
                self.ledger.complain("other", f"{entry.title} was deleted, and answers {answer.status}")
            return
        if answer is None or answer.status != 200:
            self.ledger.complain("lost", f"{entry.title} ({entry.job_id}): {answer and answer.text[:300]}")
            return
        try:
            row = self.daemon.ended(entry.job_id, END_SECONDS)
        except AssertionError as error:
            self.ledger.complain("false_ends", f"{entry.title}: {str(error)[:1500]}")
            return
        checks.check_end(self.daemon, self.ledger, self.truth, entry, row)

    def _read_again(self, entry: Entry) -> None:
        """Ask for the formats again that somebody asked for when the daemon died."""
        for name in sorted(entry.formats):
            path = "hits" if name == "hits" else f"results?format={name}"
            answer = self.daemon.get(f"{JOBS}/{entry.job_id}/{path}")
            if answer.status != 200:
                self.ledger.complain("other", f"{entry.title}: {path} answers {answer.status} {answer.text[:200]}")
        entry.checked |= entry.formats
        entry.formats.clear()

    def _verify_task(self, task: Task) -> None:
        task.verified = True
        if not task.task_id:
            return
        until = time.monotonic() + 60
        while time.monotonic() < until:
            told = self.daemon.get(f"/api/blast/database-tasks/{task.task_id}").json["task"]
            if told["status"] in ("completed", "failed"):
                break
            time.sleep(0.05)
        begun_too_often = task.kills >= MOST_ATTEMPTS and f"begun {MOST_ATTEMPTS} times" in (told["error"] or "")
        if told["status"] == "failed" and begun_too_often:
            return
        if told["status"] != "completed":
            self.ledger.complain(
                "false_ends", f"database {task.name} ({task.began}): {told['status']}, {told['error']}"
            )
        elif self.daemon.get(f"/api/blast/databases/{task.name}").status != 200:
            self.ledger.complain("lost", f"database {task.name} ({task.began}) is not in the catalogue")

    def _each_once(self) -> None:
        """Compare the whole list with the ledger: every search once, each as its own address says."""
        listed: dict[str, list[str]] = {}
        cursor = ""
        while True:
            page = self.daemon.get(f"{JOBS}?limit=500{cursor}").json
            for row in page["jobs"]:
                listed.setdefault(row["title"], []).append(row["job_id"])
                if row["status"] not in ENDS:
                    self.ledger.complain("false_ends", f"{row['title']} is still {row['status']} in the list")
            if not page["page"]["has_more"]:
                break
            cursor = f"&cursor={page['page']['next_cursor']}"
        for entry in self.ledger.entries:
            found = listed.pop(entry.title, [])
            if entry.delete == "done":
                if found:
                    self.ledger.complain("other", f"{entry.title} was deleted, and is listed")
            elif found != [entry.job_id]:
                kind = "doubled" if len(found) > 1 else "lost"
                self.ledger.complain(kind, f"{entry.title} ({entry.job_id}) is listed as {found}")
        for title, found in listed.items():
            self.ledger.complain("doubled", f"nobody sent {title!r}, which is listed as {found}")
