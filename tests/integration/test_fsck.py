"""`blastd fsck` on a real state folder that is damaged in every way it names."""

import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from blastd.cli.main import main
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, NO_HITS_QUERY

JOBS = "/api/blast/jobs"


@pytest.fixture(scope="module")
def kept(database_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, str]:
    """The state of a stopped daemon with a completed job, its table, and one with a stand-in and two databases."""
    daemon = Daemon(tmp_path_factory.mktemp("fsck") / "state", [database_folder]).start()
    first = daemon.run(LAMBDA_QUERY)["job_id"]
    daemon.results(first, "tabular")
    daemon.get(f"{JOBS}/{first}/hits")
    daemon.run(LAMBDA_QUERY)  # shares the files of the first
    second = daemon.run(LAMBDA_QUERY.replace(">", ">é ", 1), database=["tnt", "slow"])["job_id"]
    daemon.results(second, "xml")
    assert daemon.stop() == 0
    return daemon.state, first, second


@pytest.fixture
def state(kept: tuple[Path, str, str], tmp_path: Path) -> Path:
    """A copy of that state, to be damaged."""
    shutil.copytree(kept[0], tmp_path / "state", symlinks=True)
    return tmp_path / "state"


@pytest.fixture
def fsck(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, Any]]:
    def run(folder: Path, *words: str) -> tuple[int, Any]:
        code = main(["fsck", "--state-dir", str(folder), "--json", *words])
        return code, json.loads(capsys.readouterr().out)

    return run


def kinds(report: Any) -> list[tuple[str, str]]:
    return [(one["kind"], one["path"]) for one in report["findings"]]


def test_a_store_as_it_should_be_is_clean(state: Path, fsck: Callable[..., tuple[int, Any]]) -> None:
    code, report = fsck(state)
    assert (code, report["findings"], report["running"], report["jobs"]) == (0, [], False, 3)
    assert report["files"] >= 9
    assert report["size_bytes"] > 0


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda path: path.unlink(), "file_missing"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "file_size"),
        (lambda path: path.write_bytes(bytes(reversed(path.read_bytes()))), "file_checksum"),
    ],
)
def test_a_damaged_result_is_named_and_never_touched(
    state: Path,
    kept: tuple[Path, str, str],
    fsck: Callable[..., tuple[int, Any]],
    damage: Callable[[Path], None],
    kind: str,
) -> None:
    path = state / "jobs" / kept[1] / "units" / "0.out"
    damage(path)
    there = path.read_bytes() if path.exists() else None
    code, report = fsck(state, "--mend")
    assert (code, kinds(report)) == (1, [(kind, f"jobs/{kept[1]}/units/0.out")])
    assert report["findings"][0]["mended"] is False
    assert "search again" in report["findings"][0]["mend"]
    assert (path.read_bytes() if path.exists() else None) == there
    assert fsck(state)[0] == 1


def test_a_damaged_format_is_forgotten_and_made_again(
    state: Path, kept: tuple[Path, str, str], fsck: Callable[..., tuple[int, Any]], database_folder: Path
) -> None:
    path = state / "jobs" / kept[1] / "results" / "tabular.tsv"
    before = path.read_bytes()
    path.write_bytes(before[:-9])
    code, report = fsck(state)
    assert (code, kinds(report)) == (1, [("file_size", f"jobs/{kept[1]}/results/tabular.tsv")])
    assert fsck(state, "--mend")[1]["findings"][0]["mended"] is True
    assert not path.exists()
    assert fsck(state)[0] == 0
    daemon = Daemon(state, [database_folder]).start()
    try:
        assert daemon.results(kept[1], "tabular") == before
    finally:
        daemon.kill()


def test_a_query_that_changed_is_named(
    state: Path, kept: tuple[Path, str, str], fsck: Callable[..., tuple[int, Any]]
) -> None:
    (state / "jobs" / kept[2] / "query.fa").write_text(NO_HITS_QUERY)
    (state / "jobs" / kept[2] / "query.ascii.fa").unlink()
    assert kinds(fsck(state)[1]) == [], "the store has them still, and the next start writes them again"
    with closing(sqlite3.connect(state / "blastd.sqlite")) as db, db:
        db.execute("DELETE FROM query_text")
    assert kinds(fsck(state)[1]) == [
        ("file_checksum", f"jobs/{kept[2]}/query.fa"),
        ("file_missing", f"jobs/{kept[2]}/query.ascii.fa"),
    ]


def test_what_no_row_owns_is_removed_and_nothing_else(
    state: Path, kept: tuple[Path, str, str], fsck: Callable[..., tuple[int, Any]], tmp_path: Path
) -> None:
    job = state / "jobs" / kept[1]
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("mine")
    stranger = state / "jobs" / "00000000-0000-4000-8000-000000000000"
    stranger.mkdir()
    (stranger / "query.fa").write_text(">a\nACGT\n")
    (stranger / "link").symlink_to(outside)
    (job / "note.txt").write_text("?")
    (job / "units" / "0.1.1.part").write_text("half")
    (job / "units" / "0.2.db").mkdir()
    (job / "units" / "0.2.db" / "tnt.msk").write_text("half")
    (job / "units" / "batch-0.fa.1").write_text("half")
    (state / "tmp" / "upload").write_text("half")
    (state / "tmp" / "linked").symlink_to(outside)
    (state / "generations" / ".made").mkdir()
    (state / "generations" / "f00d").mkdir()
    (state / "databases" / ".x-1").mkdir()
    (state / "databases" / "mine").mkdir()
    (state / "copy.sqlite").write_text("somebody's backup")
    wanted = {
        ("folder_unowned", f"jobs/{stranger.name}"),
        ("file_unowned", f"jobs/{kept[1]}/note.txt"),
        ("temporary", f"jobs/{kept[1]}/units/0.1.1.part"),
        ("temporary", f"jobs/{kept[1]}/units/0.2.db"),
        ("temporary", f"jobs/{kept[1]}/units/batch-0.fa.1"),
        ("temporary", "tmp/upload"),
        ("temporary", "tmp/linked"),
        ("temporary", "generations/.made"),
        ("folder_unowned", "generations/f00d"),
        ("temporary", "databases/.x-1"),
    }
    assert set(kinds(fsck(state)[1])) == wanted
    assert all((state / path).exists() for _, path in wanted), "without --mend nothing is touched"
    code, report = fsck(state, "--mend")
    assert code == 1
    assert all(one["mended"] for one in report["findings"])
    assert not any(os.path.lexists(state / path) for _, path in wanted)
    assert (outside / "precious").read_text() == "mine"
    assert (state / "databases" / "mine").is_dir() and (state / "copy.sqlite").exists()
    assert fsck(state) == (0, fsck(state)[1])


def test_a_completed_job_without_its_artifacts_is_named(
    state: Path, kept: tuple[Path, str, str], fsck: Callable[..., tuple[int, Any]]
) -> None:
    with sqlite3.connect(state / "blastd.sqlite") as db:
        db.execute("DELETE FROM artifact WHERE job_id = ? AND name = 'units/0'", (kept[1],))
        db.execute("UPDATE job SET units_total = 7 WHERE job_id = ?", (kept[2],))
    db.close()
    assert sorted(kinds(fsck(state)[1])) == sorted(
        [("row_missing", f"jobs/{kept[1]}/units/0.out"), ("row_missing", f"jobs/{kept[2]}/units")]
    )


def test_rows_that_refer_to_nothing_stop_a_mend(
    state: Path, kept: tuple[Path, str, str], fsck: Callable[..., tuple[int, Any]]
) -> None:
    with sqlite3.connect(state / "blastd.sqlite") as db:  # foreign keys are off by default
        db.execute("DELETE FROM job WHERE job_id = ?", (kept[1],))
    db.close()
    code, report = fsck(state, "--mend")
    assert code == 1
    assert {one["kind"] for one in report["findings"]} == {"reference_broken", "folder_unowned"}
    assert not any(one["mended"] for one in report["findings"])
    assert (state / "jobs" / kept[1]).is_dir()


def test_a_damaged_store_is_named_or_refused(
    state: Path, fsck: Callable[..., tuple[int, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    file = state / "blastd.sqlite"
    with sqlite3.connect(file) as db:
        root = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'job_newest'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    with file.open("r+b") as out:
        out.seek((root - 1) * size)
        out.write(b"\x0a" + bytes(size - 1))
    code, report = fsck(state, "--mend")
    assert code == 1
    assert {one["kind"] for one in report["findings"]} == {"store_damaged"}
    file.write_bytes(b"no database" * 1000)
    assert main(["fsck", "--state-dir", str(state)]) == 1
    assert "can't be read" in capsys.readouterr().err
    file.unlink()
    assert main(["fsck", "--state-dir", str(state)]) == 1
    assert "files of 3 searches" in capsys.readouterr().err
    assert not file.exists()


@pytest.fixture
def running(state: Path, database_folder: Path) -> Iterator[Daemon]:
    daemon = Daemon(state, [database_folder]).start()
    yield daemon
    daemon.kill()


def test_beside_a_running_service_it_looks_and_leaves_what_is_young(
    running: Daemon, kept: tuple[Path, str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    running.submit(NO_HITS_QUERY, reuse=False)
    young, old = running.state / "tmp" / "young", running.state / "jobs" / "old"
    young.write_text("an upload")
    old.mkdir()
    os.utime(old, (1, 1))
    (running.state / "jobs" / kept[1] / "units" / "0.out").unlink()
    words = ["fsck", "--state-dir", str(running.state)]
    assert main(words) == 1
    said = capsys.readouterr()
    lines = [line.split() for line in said.out.splitlines() if "->" not in line]
    assert sorted(line[:2] for line in lines) == [
        ["file_missing", f"jobs/{kept[1]}/units/0.out:"],
        ["folder_unowned", "jobs/old:"],
    ]
    assert "the service runs" in said.err
    assert main([*words, "--mend"]) == 2
    assert "stop it first" in capsys.readouterr().err
    assert old.exists()
    assert running.get("/readyz").status == 200
