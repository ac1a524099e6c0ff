"""`blastd fsck` and the storage account: what it lacks, what is left over in it, and what it must not touch."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob import BlobServiceClient

from blastd.cli.main import main
from blastd.core.ids import JobId
from blastd.store import jobs, leftovers
from blastd.store.lock import try_hold
from blastd.store.sqlite import open_sync
from tests.cluster.parts import Emulator
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY
from tests.kept_store import STORES, lay

KEPT = max(STORES.iterdir())
OTHERS = "00000000-0000-4000-8000-000000000000"
MANIFEST = {"fingerprint": "whole", "name": "nt", "molecule": "nucl", "files": []}
Ids = dict[str, str]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """An account of these tests alone: they look at all that is in it."""
    made = Emulator(tmp_path_factory.mktemp("blob") / "data").start()
    yield made
    made.stop()


class Account:
    """Writes and lists blobs as somebody else."""

    def __init__(self, connection: str) -> None:
        self.service = BlobServiceClient.from_connection_string(connection)
        for each in self.service.list_containers():
            self.service.delete_container(each.name)
        for name in ("queries", "results", "blast-db"):
            self.service.create_container(name)

    def put(self, path: str, data: bytes = b"x") -> None:
        container, _, name = path.partition("/")
        self.service.get_blob_client(container, name).upload_blob(data)

    def drop(self, path: str) -> None:
        container, _, name = path.partition("/")
        self.service.get_blob_client(container, name).delete_blob()

    def names(self) -> list[str]:
        return sorted(
            f"{name}/{blob.name}"
            for name in ("queries", "results", "blast-db")
            for blob in self.service.get_container_client(name).list_blobs()
        )


@pytest.fixture
def blobs(own: Emulator) -> Account:
    return Account(own.connection)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Searches of the cluster in every status; one has been removed, one has run and is not fetched."""
    made = lay(KEPT, tmp_path / "state")
    with closing(open_sync(made / "blastd.sqlite")) as db:
        db.execute("UPDATE job SET engine = 'kubernetes'")
        db.execute("DELETE FROM leftover")
        db.execute("UPDATE job SET status = 'running', phase = 'results_pending' WHERE title = 'queued'")
    return made


@pytest.fixture
def ids(state: Path) -> Ids:
    with closing(sqlite3.connect(state / "blastd.sqlite")) as db:
        found = {title or "done": job_id for job_id, title in db.execute("SELECT job_id, title FROM job")}
        return found | {"gone": db.execute("SELECT job_id FROM gone").fetchone()[0]}


@pytest.fixture
def whole(blobs: Account, ids: Ids) -> Account:
    """What the account holds of them when all is well; other things lie in it, too."""
    blobs.put(f"queries/{ids['running']}/query.fa")
    blobs.put(f"queries/{ids['queued']}/query.fa")
    blobs.put(f"results/{ids['queued']}/1/0.out")
    files = [{"name": "nt.nsq", "size": 3, "sha256": ""}, {"name": "nt.nin", "size": 1, "sha256": ""}]
    blobs.put("blast-db/whole/nt.nsq", b"abc")
    blobs.put("blast-db/whole/nt.nin")
    blobs.put("blast-db/whole/manifest.json", json.dumps(MANIFEST | {"files": files}).encode())
    blobs.put("results/notes.txt")
    return blobs


@pytest.fixture
def fsck(
    state: Path, own: Emulator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, list[dict[str, Any]]]]:
    monkeypatch.setenv("BLASTD_KUBERNETES__ENABLED", "true")
    monkeypatch.setenv("BLASTD_KUBERNETES__IMAGE", "none")
    monkeypatch.setenv("BLASTD_AZURE__CONNECTION_STRING", own.connection)

    def run(*words: str) -> tuple[int, list[dict[str, Any]]]:
        capsys.readouterr()
        code = main(["fsck", "--state-dir", str(state), "--json", *words])
        return code, json.loads(capsys.readouterr().out)["findings"]

    return run


Fsck = Callable[..., tuple[int, list[dict[str, Any]]]]


def seen(findings: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["kind"], one["path"]) for one in findings if one["path"].startswith("blob:")}


def test_an_account_as_it_should_be_is_clean(whole: Account, fsck: Fsck) -> None:
    assert fsck("--mend")  # files of the kept state itself
    before = whole.names()
    assert seen(fsck("--mend")[1]) == set()
    assert whole.names() == before


def test_what_active_searches_need_and_what_a_database_lacks_is_named(whole: Account, ids: Ids, fsck: Fsck) -> None:
    whole.drop(f"queries/{ids['running']}/query.fa")
    whole.drop(f"results/{ids['queued']}/1/0.out")
    whole.drop("blast-db/whole/nt.nin")
    whole.drop("blast-db/whole/nt.nsq")
    whole.put("blast-db/whole/nt.nsq", b"ab")
    code, findings = fsck()
    assert code == 1
    assert seen(findings) == {
        ("blob_missing", f"blob:queries/{ids['running']}/query.fa"),
        ("blob_missing", f"blob:results/{ids['queued']}/1/0.out"),
        ("blob_missing", "blob:blast-db/whole/nt.nin"),
        ("blob_size", "blob:blast-db/whole/nt.nsq"),
    }
    fsck("--mend")
    assert "blast-db/whole/manifest.json" not in whole.names(), "so the next push uploads what is missing"
    assert "blast-db/whole/nt.nsq" in whole.names()
    left = seen(fsck()[1])
    assert ("temporary", "blob:blast-db/whole") in left, "now it is an upload that goes on"
    assert ("blob_missing", f"blob:results/{ids['queued']}/1/0.out") in left, "a result can't be mended"


def test_leftovers_are_removed_and_nothing_else(whole: Account, ids: Ids, fsck: Fsck, state: Path) -> None:
    before = whole.names()
    ours = {f"queries/{ids['done']}/query.fa", f"results/{ids['gone']}/1/0.out", f"results/{ids['cancelled']}/1/3.out"}
    strange = {f"queries/{OTHERS}/query.fa", f"results/{OTHERS}/1/0.out"}
    told = f"results/{ids['failed']}/1/0.out"
    for path in ours | strange | {told}:
        whole.put(path)
    with closing(open_sync(state / "blastd.sqlite")) as db:  # the daemon is going to remove what it notes here
        failed = jobs.get(db, JobId(ids["failed"]))
        assert failed is not None
        leftovers.add(db, failed, failed.created_at)
    wanted = {("blob_leftover", f"blob:{path}") for path in ours} | {
        ("blob_unowned", f"blob:{path}") for path in strange
    }
    assert seen(fsck()[1]) == wanted
    assert {f"blob:{path}" for path in ours} == {
        one["path"] for one in fsck("--mend")[1] if one["mended"] and "blob:" in one["path"]
    }
    assert whole.names() == sorted([*before, *strange, told])
    assert seen(fsck()[1]) == {("blob_unowned", f"blob:{path}") for path in strange}


def test_beside_a_running_service_what_is_young_is_left_out(whole: Account, ids: Ids, fsck: Fsck, state: Path) -> None:
    whole.put(f"results/{ids['done']}/1/0.out")
    whole.put("blast-db/coming/nt.nsq")
    whole.drop(f"queries/{ids['running']}/query.fa")
    with try_hold(state) as held:
        assert held
        assert seen(fsck()[1]) == {("blob_missing", f"blob:queries/{ids['running']}/query.fa")}


def test_an_account_that_is_away_is_a_finding_and_can_be_left_out(
    fsck: Fsck, own: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLASTD_AZURE__CONNECTION_STRING", own.connection.replace(f":{own.port}/", ":9/"))
    monkeypatch.setenv("BLASTD_AZURE__REQUEST_SECONDS", "2")
    code, findings = fsck()
    assert (code, seen(findings)) == (1, {("account_away", "blob:")})
    assert "AccountKey" not in json.dumps(findings)
    assert seen(fsck("--no-blobs")[1]) == set()


def test_after_real_searches_on_the_cluster_it_finds_nothing(
    make: Callable[..., Daemon], capsys: pytest.CaptureFixture[str], own: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    Account(own.connection)
    daemon = make(BLASTD_AZURE__CONNECTION_STRING=own.connection, BLASTD_AZURE__POD_ACCOUNT_URL=own.pod_url).start()
    daemon.run(LAMBDA_QUERY)
    assert daemon.stop() == 0
    for name, value in daemon.environ.items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    code = main(["fsck", "--state-dir", str(daemon.state), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert (code, report["findings"]) == (0, [])
    assert report["blobs"] >= 3
