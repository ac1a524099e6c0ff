"""Makes the stores that tests/integration/test_upgrade.py upgrades, each with the blastd that wrote such stores.

    python -m tests.kept_store --code CHECKOUT        # a checkout of that blastd; without it: this one

Run it once for each schema, before the next migration is added; what it writes to tests/data/stores is never edited.
"""

import argparse
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.daemon import Daemon
from tests.databases import DATA, LAMBDA_QUERY, NO_HITS_QUERY, build_all, random_dna

STORES = DATA / "stores"
BUSY = "".join(f">busy{number}\n{random_dna(20_000, number)}\n" for number in range(2))
BUSY_SEARCH: dict[str, Any] = {"program": "tblastx", "database": "slow", "options": {"evalue": "1e-30"}}


def fill(daemon: Daemon) -> None:
    """Leave a search in every status, a watch, events, formats and a deleted search; the daemon is to be killed now."""
    key = {"Idempotency-Key": "kept"}
    done = daemon.post("/api/blast/jobs", {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}, key).json
    assert daemon.ended(done["job_id"])["status"] == "completed"
    daemon.results(done["job_id"], "csv")
    assert daemon.post("/api/blast/watches", {"job": done["job_id"], "label": "kept"}).status == 201
    daemon.run(NO_HITS_QUERY, title="nothing found")
    deleted = daemon.run(LAMBDA_QUERY, title="deleted", reuse=False)["job_id"]
    assert daemon.ask("DELETE", f"/api/blast/jobs/{deleted}").status == 200
    failing = daemon.submit(LAMBDA_QUERY, task="blastn", options={"reward": 1, "penalty": -7}, title="failed")
    assert daemon.ended(failing["job_id"])["status"] == "failed"
    running = daemon.submit(BUSY, **BUSY_SEARCH, title="running")["job_id"]
    cancelled = daemon.submit(LAMBDA_QUERY, title="cancelled", reuse=False)["job_id"]
    daemon.submit(LAMBDA_QUERY, title="queued", reuse=False)
    daemon.post(f"/api/blast/jobs/{cancelled}/cancel")
    assert daemon.ended(cancelled)["status"] == "cancelled"
    while daemon.job(running)["status"] == "queued":
        time.sleep(0.01)


def keep(state: Path) -> Path:
    """Write the store as SQL, and the files of its searches beside it."""
    with closing(sqlite3.connect(state / "blastd.sqlite")) as db:
        schema = int(db.execute("PRAGMA user_version").fetchone()[0])
        found = {row[0] for row in db.execute("SELECT status FROM job")}
        assert found == {"queued", "running", "completed", "failed", "cancelled"}, found
        lines = [*db.iterdump(), f"PRAGMA user_version = {schema};"]
    folder = STORES / f"{schema:04}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "store.sql").write_text("\n".join(lines) + "\n")
    shutil.copytree(state / "jobs", folder / "jobs", ignore=shutil.ignore_patterns("*.part", "hits.sqlite*", "db"))
    return folder


def loadable(dump: str) -> str:
    """Return the dump of a store without what goes into text indices by their own name: the tables beneath hold it, too.

    A virtual table that a dump puts into the schema is known once the file is opened again.
    """
    statements, held = [], ""
    for line in dump.splitlines(keepends=True):
        held += line
        if sqlite3.complete_statement(held):
            if not held.startswith('INSERT INTO "job_text" VALUES'):
                statements.append(held)
            held = ""
    return "".join([*statements, held])


def lay(kept: Path, state: Path) -> Path:
    """Make a state folder of a kept store."""
    state.mkdir(mode=0o700)
    shutil.copytree(kept / "jobs", state / "jobs")
    with closing(sqlite3.connect(state / "blastd.sqlite")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(loadable((kept / "store.sql").read_text()))
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--code", type=Path, default=Path.cwd())
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        databases, state = Path(name) / "db", Path(name) / "state"
        databases.mkdir()
        build_all(databases)
        daemon = Daemon(
            state,
            [databases],
            {"BLASTD_LOCAL__SLOTS": "1", "BLASTD_LOCAL__EXPRESS": "0", "PYTHONPATH": str(given.code.absolute())},
        )
        daemon.folder = given.code.absolute()
        try:
            fill(daemon.start())
        finally:
            daemon.kill()
        print(keep(state))


if __name__ == "__main__":
    main()
