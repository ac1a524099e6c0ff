"""Rows that an earlier version, a broken disk or a hand left unreadable: each is ended or left aside, the others go on."""

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from blastd.core.ids import JobId
from blastd.store import jobs, outbox
from blastd.tracking.tracker import MOST_FAILURES
from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS, eventually
from tests.service import API, serving

POISON = {
    "steps": ("steps", '{"a": 1}'),
    "databases": ("databases", "7"),
    "query": ("query", "[]"),
    "time": ("created_at", 10**17),
    "options": ("options", "[1]"),
}
FAR = 10**17


@pytest.mark.timeout(300)
async def test_U04_rows_of_searches_that_can_not_be_read_end_failed_and_hold_up_nobody(
    database_folder: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with serving(state, [database_folder], without=("tracker",)) as service:
        rows = {what: (await service.submit(LAMBDA_QUERY, reuse=False))["job_id"] for what in POISON}
    with closing(sqlite3.connect(state / "blastd.sqlite")) as db, db:
        for what, (column, value) in POISON.items():
            db.execute(f"UPDATE job SET {column} = ? WHERE job_id = ?", (value, rows[what]))  # noqa: S608  # our own names
    async with serving(state, [database_folder]) as service:
        assert (await service.run(LAMBDA_QUERY, reuse=False))["status"] == "completed"
        assert (await service.get(API)).status == 200
        for _ in range(3 * MOST_FAILURES):
            await service.parts.reconciler.run_once()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while any(service.parts.tracker.follows(JobId(job_id)) for job_id in rows.values()):  # noqa: ASYNC110  # pollers tell nobody of their end
                    await asyncio.sleep(0)
            if not await service.store.read(jobs.active):
                break
        found = await service.store.read(
            lambda db: {
                row["job_id"]: (row["status"], row["error_code"], row["error"])
                for row in db.execute("SELECT job_id, status, error_code, error FROM job")
            }
        )
        for what, job_id in rows.items():
            status, code, cause = found[job_id]
            assert (status, code, "could not be followed" in (cause or "")) == ("failed", "internal", True), what
        assert (await service.get(API)).status == 200
        assert (await service.get("/readyz")).status == 200


async def test_U04_what_can_not_be_told_is_given_up_and_the_next_is_told(database_folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    flags = {"webhooks__secret": "x" * 24, "webhooks__max_attempts": 2, "webhooks__first_delay_seconds": 0.01}
    async with serving(state, [database_folder], **flags) as service:
        job_id = (await service.run(LAMBDA_QUERY))["job_id"]
    letters = [
        (1001, "http://[bad", "a:80", FAR),
        (1002, "nonsense\0", "b:80", 0),
        (1003, "http://hooks.example/\udc80".encode("utf-8", "replace").decode(), "c:80", FAR),
    ]
    with closing(sqlite3.connect(state / "blastd.sqlite")) as db, db:
        for event_id, url, host, due in letters:
            db.execute(
                "INSERT INTO outbox (event_id, job_id, url, host, message, body, created_at, due_at, attempts)"
                " VALUES (?, ?, ?, ?, 'm', '{}', 0, ?, 0)",
                (event_id, job_id, url, host, due),
            )
        for number, row in enumerate(("7", "[]", json.dumps({"job_id": 1}))):
            db.execute(
                "INSERT INTO leftover (job_id, engine, row, created_at) VALUES (?, 'kubernetes', ?, 0)",
                (f"left{number}", row),
            )
    async with serving(state, [database_folder], **flags) as service:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await service.store.read(outbox.count):
                seen = service.store.feed.count
                await service.store.feed.wait(seen, 0.2)
        await service.parts.reconciler.run_once()
        left = await service.store.read(lambda db: db.execute("SELECT count(*) FROM leftover").fetchone()[0])
        assert left == 0
        assert (await service.get("/readyz")).status == 200
        assert (await service.run(LAMBDA_QUERY, reuse=False))["status"] == "completed"


async def test_U04_a_watch_that_can_not_be_read_holds_up_no_other(database_folder: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with serving(state, [database_folder]) as service:
        job_id = (await service.run(LAMBDA_QUERY))["job_id"]
        made = [(await service.post("/api/blast/watches", {"job": job_id})).json["watch"]["watch_id"] for _ in range(4)]
    with closing(sqlite3.connect(state / "blastd.sqlite")) as db, db:
        for watch_id, column, value in ((made[0], "search", "[]"), (made[1], "created_at", FAR)):
            db.execute(f"UPDATE watch SET {column} = ? WHERE watch_id = ?", (value, watch_id))  # noqa: S608  # our own names
        db.execute("UPDATE watch_run SET settled_at = NULL")
        db.execute("UPDATE watch_run SET databases = '7' WHERE watch_id = ?", (made[2],))
    async with serving(state, [database_folder]) as service:
        listed = (await service.get("/api/blast/watches")).json["watches"]
        assert {one["watch_id"] for one in listed} == set(made[2:])
        await service.services.watch_runs.look()
        left = "SELECT count(*) FROM watch_run WHERE settled_at IS NULL"

        async def given_up() -> bool:
            """Tell whether nobody tries any more, but for what can't be told from its row."""
            return bool(await service.store.read(lambda db: db.execute(left).fetchone()[0] == 1))

        await eventually(given_up)
        assert (await service.get(f"/api/blast/watches/{made[3]}")).json["runs"][0]["settled_at"]
