"""`blastd export` and `blastd import` between daemons, and archives that were tampered with."""

import gzip
import hashlib
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from blastd.chance import SystemChance
from blastd.cli.main import main
from blastd.clock import SystemClock
from blastd.errors import BadRequest, TooLarge
from blastd.store.files import Files
from blastd.store.sqlite import open_sync
from blastd.upkeep.archive import reading
from blastd.upkeep.import_ import take_over
from tests.catalogue import blast_2_12
from tests.daemon import Daemon
from tests.databases import DB, LAMBDA_QUERY, make

JOBS = "/api/blast/jobs"
QUERY = LAMBDA_QUERY.replace(">", ">é ", 1)
NOW = SystemClock().now()
Members = dict[str, bytes]


@pytest.fixture(scope="module")
def exported(database_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Archives of a completed and a failed job, and what the daemon said of them."""
    folder = tmp_path_factory.mktemp("export")
    daemon = Daemon(folder / "state", [database_folder]).start()
    good = daemon.run(QUERY, title="traveller")
    told: dict[str, Any] = {name: daemon.results(good["job_id"], name) for name in ("tabular", "xml", "json")}
    told["hits"] = daemon.get(f"{JOBS}/{good['job_id']}/hits").json
    told["row"] = daemon.job(good["job_id"])
    bad = daemon.ended(daemon.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7}, task="blastn")["job_id"])
    told["good"], told["bad"], told["state"] = good["job_id"], bad["job_id"], daemon.state
    words = ["--state-dir", str(daemon.state), "--out"]
    assert main(["export", good["short_id"], *words, str(folder / "good.tar.gz")]) == 0  # beside the running service
    assert main(["export", bad["job_id"], *words, str(folder / "bad.tar.gz")]) == 0
    told["events"] = daemon.get(f"{JOBS}/{good['job_id']}/events").json["events"]
    assert daemon.stop() == 0
    return told | {"archive": folder / "good.tar.gz", "failed": folder / "bad.tar.gz"}


@pytest.fixture
def elsewhere(tmp_path: Path) -> Daemon:
    """Another daemon, with other databases, not started."""
    folder = tmp_path / "db"
    folder.mkdir()
    make(folder, DB / "aa.fa", "taa", "prot", "-parse_seqids", "-title", "taa")
    return Daemon(tmp_path / "elsewhere", [folder])


def make_store(state: Path) -> None:
    """Make a store where there is none: an import does not."""
    assert main(["migrate", "--state-dir", str(state)]) == 0


def bring(daemon: Daemon, archive: Path, *words: str) -> int:
    make_store(daemon.state)
    return main(["import", str(archive), "--state-dir", str(daemon.state), *words])


def test_a_job_travels_to_a_running_service_that_lacks_its_database(
    exported: dict[str, Any], elsewhere: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere.start()
    job = exported["good"]
    capsys.readouterr()
    assert bring(elsewhere, exported["archive"]) == 0
    assert capsys.readouterr().out.strip() == job
    row = elsewhere.job(job)
    assert {name: value for name, value in row.items() if name != "links"} == {
        name: value for name, value in exported["row"].items() if name != "links"
    }
    for name in ("tabular", "xml", "json"):  # stored there, or made from the stored form
        assert elsewhere.results(job, name) == exported[name]
    assert elsewhere.results(job, "csv").count(b"\n") == exported["tabular"].count(b"\n")
    assert elsewhere.get(f"{JOBS}/{job}/hits").json == exported["hits"]
    assert elsewhere.get(f"{JOBS}/{job}/query").body.decode() == QUERY
    gone = elsewhere.get(f"{JOBS}/{job}/results?format=pairwise")
    assert (gone.status, gone.json["code"]) == (410, "database_gone")
    assert "tnt" in gone.json["detail"] and "imported" in gone.json["detail"]
    events = elsewhere.get(f"{JOBS}/{job}/events").json["events"]
    kinds = [(event["kind"], event["at"]) for event in events]
    assert kinds[:-1] == [(event["kind"], event["at"]) for event in exported["events"]]
    assert kinds[-1][0] == "imported"
    assert elsewhere.get(f"{JOBS}?limit=5").json["counts"]["completed"] == 1
    assert main(["fsck", "--state-dir", str(elsewhere.state)]) == 0
    assert bring(elsewhere, exported["archive"]) == 0
    assert "already, identical" in capsys.readouterr().err
    assert len(elsewhere.get(f"{JOBS}/{job}/events").json["events"]) == len(events)
    elsewhere.kill()


def test_a_failed_job_for_another_owner_is_retried_where_its_database_is(
    exported: dict[str, Any], tmp_path: Path, database_folder: Path
) -> None:
    other = Daemon(tmp_path / "other", [database_folder])
    assert bring(other, exported["failed"], "--owner", "ada") == 0  # before its first start
    other.start()
    row = other.job(exported["bad"])
    assert (row["status"], row["error_code"], row["owner"]) == ("failed", "engine_error", "ada")
    assert other.post(f"{JOBS}/{exported['bad']}/retry").status == 202
    again = other.ended(exported["bad"])
    assert (again["status"], again["attempt"]) == ("failed", 2)
    assert bring(other, exported["archive"]) == 0
    assert b"lam0" in other.results(exported["good"], "pairwise"), "its database is here"
    other.kill()


def test_a_removed_job_comes_back_with_its_history(
    exported: dict[str, Any], elsewhere: Daemon, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bring(elsewhere, exported["archive"]) == 0
    elsewhere.start()
    assert elsewhere.ask("DELETE", f"{JOBS}/{exported['good']}").status == 200
    assert elsewhere.get(f"{JOBS}/{exported['good']}").status == 410
    assert bring(elsewhere, exported["archive"]) == 0
    assert elsewhere.results(exported["good"], "tabular") == exported["tabular"]
    kinds = [event["kind"] for event in elsewhere.get(f"{JOBS}/{exported['good']}/events").json["events"]]
    assert kinds.count("accepted") == 1
    assert kinds[-2:] == ["completed", "imported"], "events follow their job: those of before it was deleted are gone"
    elsewhere.kill()
    with sqlite3.connect(elsewhere.state / "blastd.sqlite") as db:
        db.execute("UPDATE job SET title = 'another' WHERE job_id = ?", (exported["good"],))
    db.close()
    capsys.readouterr()
    assert bring(elsewhere, exported["archive"]) == 2
    assert "not identical" in capsys.readouterr().err


def test_the_same_job_gives_the_same_bytes_and_nothing_is_overwritten(exported: dict[str, Any], tmp_path: Path) -> None:
    words = ["export", exported["good"], "--state-dir", str(exported["state"]), "--out"]
    assert main([*words, str(tmp_path / "again.tar.gz")]) == 0
    assert (tmp_path / "again.tar.gz").read_bytes() == exported["archive"].read_bytes()
    assert main([*words, str(tmp_path / "again.tar.gz")]) == 2
    assert main([*words, str(tmp_path / "no" / "folder.tar.gz")]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["again.tar.gz"]


def test_other_programs_read_an_archive(exported: dict[str, Any]) -> None:
    with tarfile.open(exported["archive"]) as tar:
        names = tar.getnames()
    assert names[:4] == ["manifest.json", "job.json", "query.fa", "query.ascii.fa"]
    assert {"units/0.out", "results/tabular.tsv", "results/xml.xml"} <= set(names)


def test_what_is_not_whole_is_not_exported_and_what_runs_is_not(
    tmp_path: Path, database_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = Daemon(tmp_path / "state", [database_folder]).start()
    job = daemon.run(LAMBDA_QUERY)["job_id"]
    daemon.results(job, "tabular")
    daemon.stop()
    words = ["export", job, "--state-dir", str(daemon.state), "--out"]
    (daemon.state / "jobs" / job / "results" / "tabular.tsv").write_bytes(b"half")
    assert main([*words, str(tmp_path / "one.tar.gz")]) == 0
    with tarfile.open(tmp_path / "one.tar.gz") as tar:
        assert "results/tabular.tsv" not in tar.getnames()
    (daemon.state / "jobs" / job / "units" / "0.out").unlink()
    capsys.readouterr()
    assert main([*words, str(tmp_path / "two.tar.gz")]) == 2
    assert "no longer whole" in capsys.readouterr().err
    assert not (tmp_path / "two.tar.gz").exists()
    with sqlite3.connect(daemon.state / "blastd.sqlite") as db:
        db.execute("DROP TRIGGER job_end_is_final")
        db.execute("UPDATE job SET status = 'running', phase = 'running', finished_at = NULL")
    db.close()
    assert main([*words, str(tmp_path / "two.tar.gz")]) == 2
    assert "only one that has ended" in capsys.readouterr().err


# ---------------------------------------------------------------- archives that somebody made
def taken_apart(archive: Path) -> Members:
    with tarfile.open(archive) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]  # all are files


def put_together(members: Members, target: Path, change: Callable[[tarfile.TarInfo], None] | None = None) -> Path:
    """Write *members* with a manifest that fits them."""
    manifest = json.loads(members["manifest.json"])
    manifest["members"] = [
        {"name": name, "size_bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
        for name, body in members.items()
        if name != "manifest.json"
    ]
    with tarfile.open(target, "w:gz") as tar:
        for name, body in (members | {"manifest.json": json.dumps(manifest).encode()}).items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            if change is not None:
                change(info)
            tar.addfile(info, io.BytesIO(body))
    return target


def with_rows(members: Members, change: Callable[[Any], None]) -> Members:
    rows = json.loads(members["job.json"])
    change(rows)
    return members | {"job.json": json.dumps(rows).encode()}


def refused(state: Path, archive: Path, says: str, limit_bytes: int = 1 << 30) -> None:
    """Take an archive in as the command does, with the options of a captured BLAST+: refused, and nothing is left."""
    files = Files(state, SystemChance())
    with closing(open_sync(state / "blastd.sqlite")) as db:
        with pytest.raises((BadRequest, TooLarge)) as caught, reading(archive, limit_bytes) as opened:
            take_over(db, files, opened, blast_2_12(), NOW, None)
        assert db.execute("SELECT count(*) FROM job").fetchone()[0] == 0
    assert says in str(caught.value)
    assert not list(files.jobs.iterdir())
    assert not list(files.tmp.iterdir())


def test_an_archive_put_together_by_the_tests_is_taken(exported: dict[str, Any], tmp_path: Path) -> None:
    """Else the refusals below would prove nothing."""
    archive = put_together(taken_apart(exported["archive"]), tmp_path / "made.tar.gz")
    make_store(tmp_path / "state")
    assert main(["import", str(archive), "--state-dir", str(tmp_path / "state")]) == 0


if os.geteuid() == 0:  # only root can leave files that the service can't write

    def test_U17_what_root_makes_in_the_state_belongs_to_the_account_of_the_state(
        exported: dict[str, Any], tmp_path: Path
    ) -> None:
        state, account = tmp_path / "state", 12345
        state.mkdir(mode=0o700)
        os.chown(state, account, account)
        make_store(state)
        for archive in (exported["archive"], exported["failed"]):
            assert main(["import", str(archive), "--state-dir", str(state)]) == 0
        assert main(["fsck", "--state-dir", str(state)]) == 0
        assert len([*state.rglob("query.fa")]) == 2
        assert [path.relative_to(state) for path in state.rglob("*") if path.stat().st_uid != account] == []


@pytest.mark.parametrize("name", ["units/0.out", "query.fa", "results/xml.xml", "job.json"])
def test_a_changed_member_is_refused(exported: dict[str, Any], tmp_path: Path, name: str) -> None:
    members = taken_apart(exported["archive"])
    with tarfile.open(tmp_path / "changed.tar.gz", "w:gz") as tar:
        for one, body in members.items():
            said = body[:-2] + b"}\n" if one == name == "job.json" else body[:-1] + b"~" if one == name else body
            info = tarfile.TarInfo(one)
            info.size = len(said)
            tar.addfile(info, io.BytesIO(said))
    refused(tmp_path / "state", tmp_path / "changed.tar.gz", "checksum")


def test_cut_off_or_other_files_are_refused(exported: dict[str, Any], tmp_path: Path) -> None:
    whole = exported["archive"].read_bytes()
    for number, body in enumerate(
        [whole[: len(whole) // 2], whole[:-4], b"", b"no gzip", gzip.compress(b"no tar" * 200)]
    ):
        (tmp_path / "cut.tar.gz").write_bytes(body)
        refused(tmp_path / f"state{number}", tmp_path / "cut.tar.gz", "")
    refused(tmp_path / "state", tmp_path / "absent.tar.gz", "There is no file")
    (tmp_path / "more.tar.gz").write_bytes(whole + gzip.compress(b"more"))
    refused(tmp_path / "state", tmp_path / "more.tar.gz", "more than its manifest")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_and_other_kinds_are_refused(exported: dict[str, Any], tmp_path: Path, kind: bytes) -> None:
    def change(info: tarfile.TarInfo) -> None:
        if info.name == "units/0.out":
            info.type, info.linkname = kind, "../../../etc/passwd"

    archive = put_together(taken_apart(exported["archive"]), tmp_path / "links.tar.gz", change)
    refused(tmp_path / "state", archive, "no plain file")


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "units/../../escaped", "results/x.sh", "extra"])  # noqa: S108
def test_names_that_no_row_owns_are_refused(exported: dict[str, Any], tmp_path: Path, name: str) -> None:
    archive = put_together(taken_apart(exported["archive"]) | {name: b"mine"}, tmp_path / "names.tar.gz")
    refused(tmp_path / "state", archive, "belongs to no row")
    assert not list(tmp_path.rglob("escaped"))


def set_option(name: str, value: Any) -> Callable[[Any], None]:
    return lambda rows: rows["job"]["options"].update({name: value})


def set_job(**values: Any) -> Callable[[Any], None]:
    return lambda rows: rows["job"].update(values)


def set_unit(**values: Any) -> Callable[[Any], None]:
    return lambda rows: rows["units"][0].update(values)


def set_artifact(**values: Any) -> Callable[[Any], None]:
    return lambda rows: rows["artifacts"][0].update(values)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (set_option("out", "/tmp/x"), "options/out"),  # noqa: S108
        (set_option("import_search_strategy", "/etc/passwd"), "options/import_search_strategy"),
        (set_option("evalue", "many"), "options/evalue"),
        (set_job(program="rm"), "program"),
        (set_job(task="blastn -out x"), "task"),
        (set_job(query_loc="1-2 -out x"), "query_loc"),
        (set_job(job_id="../../etc"), "without a proper id"),
        (set_job(status="running", phase="running", finished_at=None), "not ended"),
        (set_job(standins={"Zz90z": "<script>"}), "stand-ins"),
        (set_job(engine="../x"), "engine"),
        (set_job(hits=77), "77"),
        (set_job(priority=1 << 40), "priority"),
        (set_job(version=1 << 63), "not sound"),
        (set_job(created_at="2026-01-01T00:00:00"), "time zone"),
        *((set_job(**{name: "9999-12-31T23:59:59Z"}), name) for name in ("created_at", "updated_at", "finished_at")),
        (set_job(created_at="1970-01-01T00:00:00Z"), "job.created_at is 1970"),
        (set_job(finished_at="2020-01-02T00:00:00Z"), "before it began"),
        (lambda rows: rows["events"][1].update(at="9999-01-01T00:00:00Z"), "events.1.at is 9999"),
        (lambda rows: rows["events"][0].update(at="2026-01-01T00:00:00"), "events.0.at"),
        (lambda rows: rows["events"].reverse(), "not in order"),
        (lambda rows: rows["job"].update(steps=[{}] * 3), "job.json"),
        (set_job(units_total=9), "units"),
        (set_job(error="but it failed"), "not sound"),
        (lambda rows: rows["job"]["databases"][0].update(title="x\nDBLIST /etc/passwd"), "control characters"),
        (set_unit(output_sha256="0" * 64), "units/0.out"),
        (set_unit(state="failed"), "result of unit 0 is missing"),
        (set_unit(job_id="00000000-0000-4000-8000-000000000000"), "several jobs"),
        (lambda rows: rows.update(artifacts=[]), "result of unit 0 is missing"),
        (set_artifact(path="../../../escaped"), "none that blastd makes"),
        (set_artifact(name="results/../../x"), "none that blastd makes"),
        (set_artifact(media_type="text/html"), "none that blastd makes"),
        (lambda rows: rows["job"]["query"].update(sha256="0" * 64), "its query"),
        (lambda rows: rows["job"].pop("program"), "job.json"),
    ],
)
def test_rows_that_blastd_would_not_write_are_refused(
    exported: dict[str, Any],
    tmp_path: Path,
    change: Callable[[Any], None],
    says: str,
) -> None:
    members = with_rows(taken_apart(exported["archive"]), change)
    refused(tmp_path / "state", put_together(members, tmp_path / "rows.tar.gz"), says)


def test_control_letters_of_an_archive_steer_no_terminal(exported: dict[str, Any], tmp_path: Path) -> None:
    def change(rows: Any) -> None:
        rows["job"]["warnings"] = [{"text": "red \x1b[31m and \u202eturned\x07", "query": None, "source": "blast"}]

    make_store(tmp_path / "state")
    made = put_together(with_rows(taken_apart(exported["archive"]), change), tmp_path / "made.tar.gz")
    assert main(["import", str(made), "--state-dir", str(tmp_path / "state")]) == 0
    with closing(sqlite3.connect(tmp_path / "state" / "blastd.sqlite")) as db:
        text = "".join(str(value) for row in db.execute("SELECT * FROM job") for value in row)
    assert "red" in text
    assert not {"\x1b", "\u202e", "\x07"} & set(text)
    assert "\\u001b" not in text


def test_a_job_in_shards_travels_and_its_proposals_are_checked(
    elsewhere: Daemon, tmp_path: Path, database_folder: Path
) -> None:
    daemon = Daemon(tmp_path / "shards", [database_folder], {"BLASTD_LOCAL__SHARDS": "2"}).start()
    job = daemon.run(LAMBDA_QUERY)["job_id"]
    table = daemon.results(job, "tabular")
    daemon.stop()
    assert main(["fsck", "--state-dir", str(daemon.state)]) == 0
    archive = tmp_path / "shards.tar.gz"
    assert main(["export", job, "--state-dir", str(daemon.state), "--out", str(archive)]) == 0
    members = taken_apart(archive)
    assert {"units/0.out", "units/1.out", "units/2.out"} <= set(members)
    for said in (b"[[0,99999999]]", b"[[5,2]]", b"[[-4,2]]", b"no list"):
        sums: dict[str, Any] = {"output_sha256": hashlib.sha256(said).hexdigest(), "output_bytes": len(said)}
        bad = with_rows(members, set_unit(**sums)) | {"units/0.out": said}
        refused(tmp_path / "state", put_together(bad, tmp_path / "bad.tar.gz"), "names no sequences")
    assert bring(elsewhere, archive) == 0
    elsewhere.start()
    assert elsewhere.results(job, "tabular") == table
    elsewhere.kill()


def test_shards_of_an_unfinished_search_are_asked_again(tmp_path: Path, database_folder: Path) -> None:
    daemon = Daemon(tmp_path / "shards", [database_folder], {"BLASTD_LOCAL__SHARDS": "2"}).start()
    job = daemon.run(LAMBDA_QUERY)["job_id"]
    daemon.stop()
    store = daemon.state / "blastd.sqlite"
    with closing(sqlite3.connect(store)) as db, db:  # as when the finish has failed
        db.execute("UPDATE unit SET state = 'failed', output_bytes = NULL, output_sha256 = NULL WHERE kind = 'finish'")
        db.execute("DELETE FROM artifact")
        db.execute("DROP TRIGGER job_end_is_final")
        db.execute(
            "UPDATE job SET status = 'failed', phase = 'failed', hits = NULL, error_code = 'crashed', error = 'It broke.'"
        )
        db.execute(
            "UPDATE event SET status = 'failed', phase = 'failed' WHERE event_id = (SELECT max(event_id) FROM event)"
        )
    (daemon.state / "jobs" / job / "units" / "2.out").unlink()
    archive = tmp_path / "failed.tar.gz"
    assert main(["export", job, "--state-dir", str(daemon.state), "--out", str(archive)]) == 0
    with closing(open_sync(tmp_path / "new" / "blastd.sqlite")) as db, reading(archive, 1 << 30) as opened:
        files = Files(tmp_path / "new", SystemChance())
        for fresh in (True, False):
            assert take_over(db, files, opened, blast_2_12(), NOW, None).fresh is fresh
        states = dict(db.execute("SELECT kind, group_concat(DISTINCT state) FROM unit GROUP BY kind").fetchall())
    assert states == {"propose": "waiting", "finish": "failed"}


def test_what_is_too_large_is_refused_before_it_is_unpacked(exported: dict[str, Any], tmp_path: Path) -> None:
    bomb = taken_apart(exported["archive"]) | {"extra": bytes(50 << 20)}
    made = put_together(bomb, tmp_path / "bomb.tar.gz")
    assert made.stat().st_size < 1 << 20
    refused(tmp_path / "state", made, "--max-bytes", 10 << 20)


def test_the_command_says_why_it_refuses(
    exported: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_store(tmp_path / "state")
    old = with_rows(taken_apart(exported["archive"]), set_job(finished_at="2020-01-01T00:00:00Z"))
    for name, value, words, code, says in (
        ("RETENTION__DAYS", "30", [str(put_together(old, tmp_path / "old.tar.gz"))], 2, "retention.days"),
        ("RETENTION__DISK_FLOOR_BYTES", str(1 << 60), [str(exported["archive"])], 3, "stay free"),
        ("RETENTION__DAYS", "0", [str(exported["archive"]), "--max-bytes", "1000"], 2, "--max-bytes"),
    ):
        monkeypatch.setenv(f"BLASTD_{name}", value)
        assert main(["import", *words, "--state-dir", str(tmp_path / "state")]) == code
        assert says in capsys.readouterr().err
        monkeypatch.delenv(f"BLASTD_{name}")
