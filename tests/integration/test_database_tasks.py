"""Orders of databases that can't be carried out: each ends failed with its cause, and stops nothing else."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from blastd.clock import SystemClock, to_ms
from blastd.service.databases.tasks import MOST_ATTEMPTS
from tests.daemon import cli
from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS
from tests.service import Service, serving

ORDER: dict[str, Any] = {"fasta": "x.fa", "title": "t", "molecule": "nucl", "parse_seqids": True, "replace": False}
POISON: dict[str, tuple[str, str]] = {
    "nul": ("a", json.dumps(ORDER | {"title": "a\0b"})),
    "line": ("a", json.dumps(ORDER | {"title": "a\nb"})),
    "half": ("a", '{"fasta":"x.fa","title":"\\udcff","molecule":"nucl","parse_seqids":true,"replace":false}'),
    "list": ("a", "[1]"),
    "number": ("a", "7"),
    "nothing": ("a", "{}"),
    "types": ("a", json.dumps(ORDER | {"title": 7})),
    "molecule": ("a", json.dumps(ORDER | {"molecule": "../x"})),
    "elsewhere": ("a", json.dumps(ORDER | {"fasta": "../../etc/passwd"})),
    "nulfile": ("a", json.dumps(ORDER | {"fasta": "a\0b"})),
    "gone": ("a", json.dumps(ORDER)),
    "name": ("a/../../b", json.dumps(ORDER)),
    "nulname": ("a\0b", json.dumps(ORDER)),
    "time": ("a", json.dumps(ORDER)),
}


def put(service_file: Path, rows: dict[str, tuple[str, str]], attempts: int = 0) -> None:
    """Write orders as an earlier version, or a hand, may have left them."""
    with sqlite3.connect(service_file) as db:
        for number, (task_id, (name, settings)) in enumerate(rows.items()):
            at = 10**17 if task_id == "time" else to_ms(SystemClock().now()) + number
            db.execute(
                "INSERT INTO database_task (task_id, owner, name, status, progress, settings, created_at, updated_at, attempts)"
                " VALUES (?, 'local', ?, 'queued', 0, ?, ?, ?, ?)",
                (task_id, name, settings, at, at, attempts),
            )
    db.close()


async def states(service: Service, count: int) -> dict[str, tuple[Any, Any, Any]]:
    """Return status, code and cause by task once all have ended."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            rows = await service.store.read(
                lambda db: db.execute("SELECT task_id, status, error_code, error FROM database_task").fetchall()
            )
            if len(rows) >= count and all(row["status"] in ("completed", "failed") for row in rows):
                return {row["task_id"]: (row["status"], row["error_code"], row["error"]) for row in rows}
            await service.store.feed.wait(service.store.feed.count, 0.1)


async def order(service: Service, name: str) -> str:
    answer = await service.post(f"/api/blast/databases?name={name}&molecule=nucleotide", b">a\nACGTACGTTGCA\n")
    assert answer.status == 202, answer.text
    return str(answer.json["task"]["id"])


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    made = cli("migrate", "--state-dir", str(folder))
    assert made.returncode == 0, made.stderr
    return folder


async def test_U04_each_poisoned_order_ends_failed_with_its_cause_and_the_next_is_made(
    state: Path, database_folder: Path
) -> None:
    put(state / "blastd.sqlite", POISON)
    said = cli("fsck", "--state-dir", str(state)).stdout + cli("doctor", "--state-dir", str(state)).stdout
    for task_id in ("nul", "list", "types", "elsewhere", "time"):
        assert said.count(f"task {task_id}") >= 1, said
    for _ in range(2):  # the next start is as good as the first
        async with serving(state, [database_folder]) as service:
            good = await order(service, f"good{_}")
            ended = await states(service, len(POISON) + 1 + _)
            assert ended.pop(good) == ("completed", None, None)
            for task_id in POISON:
                status, code, cause = ended[task_id]
                assert (status, bool(code), len(cause) > 10) == ("failed", True, True), task_id
            assert (await service.get("/readyz")).status == 200
            assert (await service.get("/api/blast/databases")).status == 200
            assert (await service.get("/api/blast/database-tasks")).status == 200
            assert (await service.run(LAMBDA_QUERY))["status"] == "completed"


async def test_U04_a_making_that_never_ends_is_given_up_after_some_starts(state: Path, database_folder: Path) -> None:
    put(state / "blastd.sqlite", {"again": ("again", json.dumps(ORDER))}, attempts=MOST_ATTEMPTS)
    async with serving(state, [database_folder]) as service:
        status, _, cause = (await states(service, 1))["again"]
        assert (status, f"begun {MOST_ATTEMPTS} times" in cause) == ("failed", True)


async def test_U04_a_folder_that_can_not_be_looked_through_fails_no_order(
    state: Path, database_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(state, [database_folder]) as service:

        async def broken() -> None:
            raise RuntimeError("a folder from hell")

        monkeypatch.setattr(service.services.databases, "rescan", broken)
        good = await order(service, "good")
        assert (await states(service, 1))[good] == ("completed", None, None)
        assert (await service.get("/readyz")).status == 200


class Odd:
    """BLAST+ applications that fail in a way that nobody foresaw."""

    async def run(self, *_: object, **__: object) -> None:
        raise ValueError("embedded null byte")


async def test_U04_a_failure_that_nobody_foresaw_ends_one_order_alone(
    state: Path, database_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(state, [database_folder]) as service:
        with monkeypatch.context() as odd:
            odd.setattr(service.services.makings, "_tools", Odd())
            lost = await order(service, "lost")
            assert (await states(service, 1))[lost][0] == "failed"
        assert "embedded null byte" in (await states(service, 1))[lost][2]
        good = await order(service, "good")
        assert (await states(service, 2))[good] == ("completed", None, None)
