"""What must hold at each commit, and when everything is at rest."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.schedules.outside import names_in

ENDS = ("completed", "failed", "cancelled")
COLUMNS = (
    "job_id, version, status, phase, attempt, units_done, units_total, finished_at, error_code, error, reused_from"
)
OURS = ("engine_error", "result_gone", "store_broken", "database_changed", "database_gone", "engine_lost", "internal")
"""Codes of an end that nothing in a schedule justifies, unless its sentence says 'simulated'."""

Fault = Callable[[str, str], None]


class Checker:
    """A reader of its own that looks at the store after each commit."""

    def __init__(self, fault: Fault, say: Callable[..., None], now: Callable[[], float]) -> None:
        self._fault, self._say, self._now = fault, say, now
        self._db: sqlite3.Connection | None = None
        self._seen = -1
        self._last_event = 0
        self._last_of: dict[str, tuple[str, str]] = {}
        self.state = Path()
        self.rows: dict[str, sqlite3.Row] = {}
        self.gone: dict[str, int] = {}
        """Jobs whose rows were removed, and in which life of the daemon."""
        self.accepted: dict[str, float] = {}
        self.ended_at: dict[str, float] = {}
        self.tried_at: dict[str, float] = {}
        """When the last attempt at a job began: a retry may find that all was computed before."""
        self.outputs_at_cancel: dict[str, tuple[int, frozenset[str]]] = {}
        self.excused: set[str] = set()
        """Jobs (by their first letters) whose objects somebody deleted: their loss is told truly."""
        self.commits = 0
        self.opened = 0.0
        self.lives = 0

    def open(self, state: Path) -> None:
        self.state, self.opened, self.lives = state, self._now(), self.lives + 1
        self._db = sqlite3.connect(f"file:{state / 'blastd.sqlite'}?mode=ro", uri=True, isolation_level=None)
        self._db.row_factory = sqlite3.Row
        self._seen = -1
        self.look()

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    def query(self, text: str, *values: object) -> list[sqlite3.Row]:
        assert self._db is not None
        return self._db.execute(text, values).fetchall()

    def row(self, job_id: str) -> sqlite3.Row | None:
        """Return the row as it is committed now."""
        if self._db is None:
            return None
        rows = self.query(f"SELECT {COLUMNS} FROM job WHERE job_id = ?", job_id)
        return rows[0] if rows else None

    def queries_of(self, job_id: str) -> list[tuple[int, int]]:
        """Return the units of a search with the number of their queries."""
        rows = self.query("SELECT idx, queries FROM unit WHERE job_id = ? ORDER BY idx", job_id) if self._db else []
        return [(row["idx"], row["queries"]) for row in rows]

    def cut_off(self) -> list[str]:
        """Return jobs that went in a life that was killed: a crash between row and files leaves these to the sweep."""
        return [job_id for job_id, life in self.gone.items() if life < self.lives]

    def active(self) -> list[str]:
        return [job_id for job_id, row in self.rows.items() if row["status"] not in ENDS]

    # ------------------------------------------------------------------ at each commit
    def look(self) -> None:
        """Look at what was committed since the last look."""
        if self._db is None:
            return
        seen = self._db.execute("PRAGMA data_version").fetchone()[0]
        if seen == self._seen:
            return
        self._seen = seen
        self.commits += 1
        rows = {row["job_id"]: row for row in self.query(f"SELECT {COLUMNS} FROM job")}
        removed = [job_id for job_id in self.rows if job_id not in rows]
        for job_id in removed:
            if self.rows[job_id]["status"] not in ENDS:
                self._fault("active_row_gone", job_id[:8])
            self.gone[job_id] = self.lives
            del self.rows[job_id]
            self._say("row removed", job_id[:8])
        for job_id, row in rows.items():
            before = self.rows.get(job_id)
            if before is None or before["attempt"] != row["attempt"]:
                self.tried_at[job_id] = self._now()
            if before is None or tuple(before) != tuple(row):
                self._changed(job_id, before, row)
            self.rows[job_id] = row
        self._events(removed)
        for job_id in self.accepted:
            if job_id not in rows and job_id not in self.gone:
                self._fault("accepted_lost", job_id[:8])

    def _changed(self, job_id: str, before: sqlite3.Row | None, row: sqlite3.Row) -> None:
        short, ended = job_id[:8], row["status"] in ENDS
        moved = ("status", "phase", "attempt")
        if before is None or any(before[key] != row[key] for key in moved):
            told = (row["status"], row["phase"], "attempt", row["attempt"], row["error_code"] or "")
            self._say("row", short, *told, (row["error"] or "")[:100])
        if job_id in self.gone:
            self._fault("removed_came_back", short)
        if before is not None and row["version"] <= before["version"]:
            self._fault("version_back", f"{short} {before['version']} -> {row['version']}")
        if before is not None and before["status"] in ENDS and row["attempt"] == before["attempt"]:
            self._fault("end_changed", f"{short} {tuple(before)} -> {tuple(row)}")
        if not ended:
            return
        self.ended_at[job_id] = self._now()
        if row["phase"] != row["status"] or row["finished_at"] is None:
            self._fault("bad_end", f"{short} {tuple(row)}")
        if row["status"] == "completed":
            self._complete(job_id, row)
        if row["status"] == "cancelled":
            self.outputs_at_cancel[job_id] = (row["attempt"], self._outputs(job_id))
        if (
            row["status"] == "failed"
            and row["error_code"] in OURS
            and "simulated" not in (row["error"] or "")
            and short not in self.excused
        ):
            self._fault(f"failed:{row['error_code']}", f"{short} attempt {row['attempt']}: {row['error']}")

    def _complete(self, job_id: str, row: sqlite3.Row) -> None:
        """Compare what a completed search has with what was asked."""
        if row["units_done"] != row["units_total"] or row["error"] is not None:
            self._fault("bad_completion", f"{job_id[:8]} {tuple(row)}")
        folder = self.state / "jobs" / job_id
        files = self.query("SELECT path, size_bytes FROM artifact WHERE job_id = ? ORDER BY name", job_id)
        names: list[str] = []
        for file in files:
            path = folder / file["path"]
            text = path.read_text() if path.exists() else ""
            if len(text) != file["size_bytes"] or "# BLAST processed" not in text:
                self._fault(
                    "output_not_whole", f"{job_id[:8]} {file['path']}: {len(text)} of {file['size_bytes']} bytes"
                )
            names += [line.removeprefix("# Query: ") for line in text.splitlines() if line.startswith("# Query: ")]
        query = folder / "query.fa"
        if not files or not query.exists() or names != names_in(query.read_text()):
            self._fault("output_of_others", f"{job_id[:8]} {names}")

    def _outputs(self, job_id: str) -> frozenset[str]:
        return frozenset(path.name for path in (self.state / "jobs" / job_id / "units").glob("*.out"))

    def _events(self, removed: Sequence[str]) -> None:
        last = self._last_event
        for event in self.query(
            "SELECT event_id, job_id, status, phase FROM event WHERE event_id > ? ORDER BY event_id", last
        ):
            if event["event_id"] != self._last_event + 1 and not removed:  # events go with their job
                self._fault("event_gap", f"{self._last_event} -> {event['event_id']}")
            self._last_event = event["event_id"]
            self._last_of[event["job_id"]] = (event["status"], event["phase"])
        for job_id, row in self.rows.items():
            if self._last_of.get(job_id) != (row["status"], row["phase"]):
                self._fault("event_and_row", f"{job_id[:8]} {self._last_of.get(job_id)} {tuple(row)}")

    # ------------------------------------------------------------------ at rest
    def at_rest(self) -> None:
        """Look at files and rows when nothing runs any more."""
        folders = {entry.name for entry in (self.state / "jobs").iterdir()}
        for job_id in folders & self.gone.keys():
            left = [path.name for path in (self.state / "jobs" / job_id).rglob("*") if path.is_file()]
            self._fault("files_after_delete", f"{job_id[:8]} {left[:5]}")
        for job_id in folders & self.rows.keys():
            row = self.rows[job_id]
            left = [
                path.name
                for path in (self.state / "jobs" / job_id / "units").glob("*")
                if not path.name.endswith(".out") and not path.name.startswith("batch")
            ]
            if left:
                self._fault("temporary_files", f"{job_id[:8]} {row['status']} {left[:5]}")
            kept = self.outputs_at_cancel.get(job_id)
            if row["status"] == "cancelled" and kept is not None and kept[0] == row["attempt"]:
                later = self._outputs(job_id) - kept[1]
                if later:
                    self._fault("published_after_cancel", f"{job_id[:8]} {sorted(later)}")
        for job_id, row in self.rows.items():
            if row["status"] == "completed":
                self._complete(job_id, row)
        left = [entry.name for entry in (self.state / "tmp").iterdir()]
        if left and self.lives == 1:  # those of a killed daemon stay for a day
            self._fault("temporary_files:tmp", str(left[:5]))
        counts = Counter(row["status"] for row in self.rows.values())
        self._say("at rest", dict(sorted(counts.items())))
