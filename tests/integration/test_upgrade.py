"""Stores that earlier versions wrote (tests/kept_store.py), opened by this one: whole, killed half-way, by two at once."""

import multiprocessing
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from blastd.cli.main import main
from blastd.core.ids import JobId
from blastd.core.model import Status
from blastd.store import events, jobs, leftovers, migrate, sqlite, units
from tests.daemon import Daemon, cli, is_problem
from tests.kept_store import STORES, lay

KEPT = sorted(STORES.iterdir())
NEWEST = len(migrate.steps())
Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(params=KEPT, ids=[folder.name for folder in KEPT])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A state folder as an earlier version left it when it was killed."""
    return lay(request.param, tmp_path / "state")


def schema(db: sqlite3.Connection) -> list[tuple[str, ...]]:
    found = db.execute("SELECT type, name, tbl_name, ifnull(sql, '') FROM sqlite_master ORDER BY type, name")
    return [tuple(row) for row in found]


def rows(file: Path) -> Rows:
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}  # noqa: S608  # our own names


def at(file: Path) -> int:
    with closing(sqlite3.connect(file)) as db:
        return migrate.version(db)


def test_there_is_a_kept_store_of_every_schema() -> None:
    assert [folder.name for folder in KEPT] == [f"{number:04}" for number, _ in migrate.steps()]


def _cut(now: list[tuple[Any, ...]], before: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows without the columns that were added behind those that there were."""
    return sorted((row[: len(before[0])] for row in now), key=repr) if before else now


def test_an_upgrade_keeps_every_row_and_ends_in_the_schema_of_a_new_store(state: Path, tmp_path: Path) -> None:
    file = state / "blastd.sqlite"
    before = rows(file)
    with closing(sqlite.open_sync(file)) as db:
        after = rows(file)
        assert {table: _cut(after[table], before[table]) for table in before} == before
        found = [jobs.get(db, JobId(row[0])) for row in db.execute("SELECT job_id FROM job").fetchall()]
        assert {job.status for job in found if job is not None} == set(Status)
        for job in found:
            assert job is not None
            assert len(units.of_job(db, job.job_id)) == job.units_total
            assert events.after(db, 0, job_id=job.job_id)[0].kind == "accepted"
        assert len(leftovers.page(db)) == len(before["leftover"])
        with closing(sqlite.open_sync(tmp_path / "new.sqlite")) as new:
            assert schema(db) == schema(new)


def test_the_store_as_it_was_is_kept_beside(state: Path) -> None:
    file = state / "blastd.sqlite"
    old, before = at(file), rows(file)
    sqlite.open_sync(file).close()
    kept = migrate.kept_as(file, old)
    assert kept.exists() == (old < NEWEST)
    if old < NEWEST:
        assert (at(kept), rows(kept), kept.stat().st_mode & 0o777) == (old, before, 0o600)
    sqlite.open_sync(file).close()
    assert len(list(state.glob("blastd-schema-*"))) == (old < NEWEST)
    assert not list(state.glob(".blastd*"))


@pytest.mark.slow
def test_a_daemon_serves_what_the_first_one_left_and_ends_what_it_had_begun(
    tmp_path: Path, database_folder: Path
) -> None:
    state = lay(KEPT[0], tmp_path / "state")
    before = rows(state / "blastd.sqlite")
    status = {row[0]: row[14] for row in before["job"]}
    daemon = Daemon(state, [database_folder], {"BLASTD_RETENTION__DAYS": "0"}).start()
    try:
        for job_id, was in status.items():
            row = daemon.ended(job_id)
            if was in ("completed", "failed", "cancelled"):
                assert row["status"] == was
            else:  # a database that was made anew is another one, and the row says so
                assert row["status"] == "completed" or row["error_code"] == "database_gone", row
            log = daemon.get(f"/api/blast/jobs/{job_id}/events").json["events"]
            assert log[0]["kind"] == "accepted"
        done = next(row for row in before["artifact"] if row[1] == "results/csv")
        assert daemon.results(done[0], "csv") == (state / "jobs" / done[0] / done[2]).read_bytes()
        assert len(daemon.results(done[0], "tabular").splitlines()) > 0
        gone = before["gone"][0][0]
        assert is_problem(daemon.get(f"/api/blast/jobs/{gone}"), "GET", 410)
        assert daemon.get("/api/blast/jobs?limit=1").json["counts"]["queued"] == 0
    finally:
        assert daemon.stop() == 0
    checked = cli("fsck", "--state-dir", str(state), "--mend")
    assert "damaged" not in checked.stdout
    assert cli("fsck", "--state-dir", str(state)).returncode == 0


# ---------------------------------------------------------------- killed, and two at once
def in_child(work: Callable[[Path, int], None], file: Path, number: int) -> int:
    process = multiprocessing.get_context("fork").Process(target=work, args=(file, number))
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def die_at_statement(file: Path, number: int) -> None:
    """Upgrade, and kill this process before the statement of that number."""
    seen = 0
    db = sqlite3.connect(file, isolation_level=None)

    def count(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)

    db.execute("PRAGMA journal_mode = WAL")
    db.set_trace_callback(count)
    migrate.upgrade(db, file)


def test_an_upgrade_that_is_killed_leaves_a_whole_store_and_goes_on(tmp_path: Path) -> None:
    first = lay(KEPT[0], tmp_path / "first") / "blastd.sqlite"
    before = rows(first)
    reached: set[int] = set()
    for number in range(1, 1000):
        file = tmp_path / str(number) / "blastd.sqlite"
        file.parent.mkdir()
        shutil.copy(first, file)
        code = in_child(die_at_statement, file, number)
        reached.add(at(file))
        after = rows(file)
        assert {table: _cut(after[table], before[table]) for table in before} == before
        if code == 0:
            break
        sqlite.open_sync(file).close()
        assert at(file) == NEWEST
        assert {table: _cut(rows(file)[table], before[table]) for table in before} == before
        assert rows(migrate.kept_as(file, 1)) == before
        assert not list(file.parent.glob(".blastd*"))
        shutil.rmtree(file.parent)
    assert code == 0
    assert reached == set(range(1, NEWEST + 1)), "it was killed in every step"


def upgrade_it(file: Path, _: int) -> None:
    sqlite.open_sync(file).close()


def test_several_that_upgrade_at_once_all_find_it_upgraded(tmp_path: Path) -> None:
    file = lay(KEPT[0], tmp_path / "state") / "blastd.sqlite"
    before = rows(file)
    context = multiprocessing.get_context("fork")
    all_of_them = [context.Process(target=upgrade_it, args=(file, 0)) for _ in range(6)]
    for process in all_of_them:
        process.start()
    for process in all_of_them:
        process.join(60)
    assert [process.exitcode for process in all_of_them] == [0] * 6
    assert at(file) == NEWEST
    assert {table: _cut(rows(file)[table], before[table]) for table in before} == before
    assert rows(migrate.kept_as(file, 1)) == before


def test_a_newer_store_is_refused_by_everything_and_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = lay(KEPT[-1], tmp_path / "state")
    file = state / "blastd.sqlite"
    with closing(sqlite3.connect(file)) as db:
        db.execute("PRAGMA user_version = 99")
    before = file.read_bytes()
    where = ("--state-dir", str(state))
    for words in (("serve", "--listen", "127.0.0.1:0"), ("migrate",), ("fsck",), ("token", "list")):
        assert main([*words, *where]) != 0, words
        said = capsys.readouterr().err
        assert "schema 99" in said, words
        assert f"knows {NEWEST}" in said, words
        assert "Traceback" not in said, words
    assert file.read_bytes() == before
    main(["doctor", *where])
    assert f"schema 99, this blastd knows {NEWEST}" in capsys.readouterr().out


def test_Y11_proposals_of_shards_cut_otherwise_are_asked_again_after_an_upgrade(tmp_path: Path) -> None:
    add = "INSERT INTO unit SELECT job_id, ?, ?, ?, ?, 0, 1, 1, 0, 1, 1, '[]', ?, 1, 5, 6, 0, NULL, '', NULL, 7, 'sha', '' FROM job"
    file = lay(STORES / "0019", tmp_path / "state") / "blastd.sqlite"
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("DELETE FROM unit")
        for index, kind, batch, shard, state in (
            (0, "propose", 0, 0, "done"), (1, "propose", 0, 1, "waiting"), (2, "finish", 0, None, "waiting"),
            (3, "propose", 1, 0, "done"), (4, "propose", 1, 1, "done"), (5, "finish", 1, None, "done"),
        ):  # fmt: skip
            db.execute(add, (index, kind, batch, shard, state))
        migrate.migrate(db)
        rows = db.execute("SELECT status, state, output_sha256 FROM unit JOIN job USING (job_id) WHERE idx = 0")
        states = {status: (state, sha256) for status, state, sha256 in rows}
        assert states["completed"] == ("done", "sha")
        assert states["running"] == states["failed"] == ("waiting", None)
        kept = "SELECT count(*) FROM unit WHERE state = 'waiting' AND batch = 1"
        assert db.execute(kept).fetchone() == (0,), "what a finish has read stays"
