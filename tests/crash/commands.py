"""Commands beside the daemon that are killed at named moments: afterwards the same command does its whole work."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from blastd.config.base import STORE_NAME
from blastd.store import migrate
from tests.crash.lane import Lane
from tests.crash.ledger import Entry
from tests.crash.load import JOBS, Load, body_of, sent
from tests.crash.moments import Moment
from tests.daemon import cli

SECONDS = 60


class CommandLane(Lane):
    """Rounds in which a command dies; the daemon of the lane works on."""

    def named_round(self, moment: Moment) -> None:
        if moment.command == "serve":
            super().named_round(moment)
            return
        self.rounds += 1
        began = f"{self.name} round {self.rounds} {moment.name}"
        if moment.command == "migrate":
            self._migrate(moment)
            return
        self._start()
        load = Load(self.daemon, self.ledger, self.dice, began, "", jobs=self.jobs_a_round)
        load.begin()
        getattr(self, f"_{moment.command}")(moment)
        if self.daemon.process is None or self.daemon.process.poll() is not None:
            self.ledger.complain("other", f"{began}: the daemon died with the command")
        load.end()
        self.daemon.kill()
        self._dead(began)

    def _dies(self, moment: Moment, *words: str) -> None:
        """Run a command that is killed at *moment*."""
        mark = self.folder / f"{moment.name}.mark"
        argv = [sys.executable, "-m", "tests.crash.doomed", "--at", moment.at, "--mark", str(mark), "--", *words]
        subprocess.run(argv, capture_output=True, timeout=SECONDS, check=False)
        self.count(moment, mark)

    def _does(self, moment: Moment, *words: str) -> None:
        """Run the same command, which must do its work now."""
        ran = cli(*words)
        if ran.returncode != 0:
            self.ledger.complain("other", f"after {moment.name}: {' '.join(words[:2])}: {ran.stderr[:500]}")

    # ------------------------------------------------------------------ the commands
    def _migrate(self, moment: Moment) -> None:
        """Bring a store of the first release to this one's schema."""
        state = self.folder / f"{moment.name}-state"
        state.mkdir()
        file = state / self.store.name
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.executescript(f"BEGIN;\n{migrate.steps()[0][1]}\nPRAGMA user_version = 1;\nCOMMIT;")
        assert cli("token", "list", "--state-dir", str(self.daemon.state)).returncode == 0
        words = ("migrate", "--state-dir", str(state))
        self._dies(moment, *words)
        self._intact(moment, file)
        self._does(moment, *words)
        if schema(file) != schema(self.store):
            self.ledger.complain("other", f"after {moment.name}: the schema is another than that of a new store")

    @property
    def store(self) -> Path:
        return self.daemon.state / STORE_NAME

    def _backup(self, moment: Moment) -> None:
        target = self.folder / f"{moment.name}.copy"
        words = ("backup", str(target), "--state-dir", str(self.daemon.state))
        self._dies(moment, *words)
        if target.exists():  # whoever finds it takes it for a copy
            self._intact(moment, target)
            with closing(sqlite3.connect(target)) as db:
                rows = db.execute("SELECT count(*) FROM job").fetchone()[0]
            if rows < len(self.ledger.completed()):
                self.ledger.complain("lost", f"after {moment.name}: the copy has {rows} searches")
            target.unlink()
        self._does(moment, *words)
        self._intact(moment, target)

    def _export(self, moment: Moment) -> None:
        entry, target = self._ended(), self.folder / f"{moment.name}.tar.gz"
        words = ("export", entry.job_id, "--out", str(target), "--state-dir", str(self.daemon.state))
        self._dies(moment, *words)
        if target.exists():
            self.ledger.complain("other", f"after {moment.name}: {target.name} is there before it is whole")
            return
        self._does(moment, *words)

    def _import(self, moment: Moment) -> None:
        """Export a search, delete it, and take it over again."""
        entry, archive = self._ended(), self.folder / f"{moment.name}.tar.gz"
        state = ("--state-dir", str(self.daemon.state))
        self._does(moment, "export", entry.job_id, "--out", str(archive), *state)
        assert self.daemon.ask("DELETE", f"{JOBS}/{entry.job_id}").status == 200
        words = ("import", str(archive), *state)
        self._dies(moment, *words)
        answer = self.daemon.get(f"{JOBS}/{entry.job_id}")
        if answer.status == 200 and self.daemon.results(entry.job_id, "tabular") != self.truth.of(entry.kind):
            self.ledger.complain("false_ends", f"after {moment.name}: {entry.title} has another result")
        self._does(moment, *words)
        entry.verified, entry.began = False, "imported"  # its whole result is compared again

    def _ended(self) -> Entry:
        """Return a search that has ended; a new one when loads have deleted the others."""
        for entry in self.ledger.completed():
            if entry.began in ("before", "imported") and entry.kind == "one":
                return entry
        title = f"{self.name} kept {self.rounds}"
        entry = self.ledger.add(Entry(title=title, kind="one", body=body_of("one", title), began="before"))
        sent(self.daemon, entry)
        assert self.daemon.ended(entry.job_id)["status"] == "completed"
        return entry

    def _intact(self, moment: Moment, file: Path) -> None:
        with closing(sqlite3.connect(file)) as db:
            try:
                found = [row[0] for row in db.execute("PRAGMA integrity_check")]
            except sqlite3.DatabaseError as error:
                found = [str(error)]
        if found != ["ok"]:
            self.ledger.complain("other", f"after {moment.name}: {file.name}: {found[:3]}")


def schema(file: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(file)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name").fetchall()
    return [(str(name), str(sql)) for name, sql in rows]
