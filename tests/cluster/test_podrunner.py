"""The pod's program as a plain process, against a real blob emulator and a shared folder: staging, publishing once, ends."""

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blastd.chance import SystemChance
from blastd.config import AzureSettings, KubernetesSettings, Secret, Settings, VolumeSettings
from blastd.core.engine import DatabaseAt
from blastd.core.tabular import rich_spec
from blastd.engines.kubernetes import podrunner
from blastd.engines.kubernetes.harvest import decoded
from blastd.engines.kubernetes.push import push_database
from blastd.storage.contract import Area, PodNeeds, Storage
from blastd.storage.opening import open_storage
from tests.cluster.parts import Emulator, until
from tests.databases import LAMBDA_QUERY, SLOW_QUERY, make
from tests.patience import PATIENCE_SECONDS

PROGRAM = Path(podrunner.__file__)


class Pod:
    """The folders and the environment of one pod of a job."""

    def __init__(self, folder: Path, cache: Path, plan: dict[str, Any], access: dict[str, Any]) -> None:
        self.folder, self.cache = folder, cache
        self.access = folder / "access"
        self.access.mkdir(parents=True)
        (self.access / "plan.json").write_text(json.dumps(plan))
        (self.access / "access.json").write_text(json.dumps(access))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, mode: str = "run", **more: str) -> "Pod":
        environ = os.environ | {
            "BLASTD_ACCESS": str(self.access / "access.json"),
            "BLASTD_CACHE": str(self.cache),
            "BLASTD_WORK": str(self.folder / "work"),
            "BLASTD_POD": self.folder.name,
            "BLASTD_NODE": "here",
            "BLASTD_LAST_WORD": str(self.folder / "word"),
            "BLASTD_PATIENCE": "4",
            "JOB_COMPLETION_INDEX": "0",
        }
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen([sys.executable, "-I", str(PROGRAM), mode], env=environ | more, stderr=log)
        return self

    def end(self, seconds: float = 60.0) -> int:
        assert self.process is not None
        return self.process.wait(seconds)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_SECONDS)

    @property
    def word(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "word").read_text())
        return found

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


class Bench:
    """A job's objects in a storage, and its pods."""

    def __init__(self, storage: Storage, folder: Path, database: DatabaseAt) -> None:
        self.storage, self.folder, self.database = storage, folder, database
        self.job = folder.name
        self.pods = 0

    async def pod(
        self, query: str = LAMBDA_QUERY, program: str = "blastn", words: tuple[str, ...] = (), cache: str = "cache"
    ) -> Pod:
        """Make a pod whose one unit searches the database."""
        manifest = await push_database(self.storage, self.database)
        path = self.folder / "query.fa"
        path.write_text(query)
        await self.storage.upload(Area.QUERIES, f"{self.job}/query.fa", path)
        needs = PodNeeds(
            tables=f"{self.job}/tables.json",
            query=f"{self.job}/query.fa",
            plan=f"{self.job}/1.plan.json",
            units={0: f"{self.job}/1/0.out"},
            databases={manifest.fingerprint: [one.name for one in manifest.files]},
        )
        access = await self.storage.pod_access(needs, datetime.now(UTC))
        unit = {"kind": "search", "batch": 0, "offset": 0, "size": len(query), "threads": 1}
        plan = {
            "program": program,
            "molecule": "nucl",
            "argument": self.database.name,
            "databases": [manifest.told],
            "words": list(words),
            "lists": {},
            "rich": rich_spec("blastn", {}),
            "units": {"0": unit},
            "completions": [[0]],
        }
        self.pods += 1
        return Pod(self.folder / f"pod{self.pods}", self.folder / cache, plan, self.mounted(access))

    def mounted(self, access: dict[str, Any]) -> dict[str, Any]:
        """Return the access with the folder where this machine has what a pod would mount."""
        if access["kind"] == "volume":
            folder, shared = self.folder / "mounted", self.folder.parent / "shared"
            if not folder.exists():
                folder.mkdir()
                (folder / "query").symlink_to(shared / Area.QUERIES / self.job)
                (folder / "results").symlink_to(shared / Area.RESULTS / self.job / "1")
                (folder / "databases").symlink_to(shared / Area.DATABASES)
            return access | {"folder": str(folder)}
        return access

    async def result(self) -> tuple[bytes, dict[str, Any]]:
        target = self.folder / "result"
        metadata = await self.storage.download(Area.RESULTS, f"{self.job}/1/0.out", target)
        told = decoded(metadata)
        return target.read_bytes(), {"size": told.size, "sha256": told.sha256, "pod": told.pod, "seconds": told.seconds}

    async def size(self) -> int | None:
        return await self.storage.size_of(Area.RESULTS, f"{self.job}/1/0.out")


@asynccontextmanager
async def bench_on(kind: str, emulator: Emulator, tmp_path: Path) -> AsyncIterator[Bench]:
    """Give a bench on a storage of a kind."""
    shared = tmp_path / "shared"
    shared.mkdir()
    settings = Settings(
        kubernetes=KubernetesSettings(storage="volume" if kind == "volume" else "blob"),
        azure=AzureSettings(connection_string=Secret(emulator.connection)),
        volume=VolumeSettings(folder=shared, source={"hostPath": {"path": str(shared)}}),
    )
    async with open_storage(settings, SystemChance()) as storage:
        await storage.ensure()
        folder = tmp_path / f"job-{os.getpid()}-{time.monotonic_ns()}"
        (folder / "db").mkdir(parents=True)
        fasta = folder / "x.fa"
        fasta.write_text(LAMBDA_QUERY)
        make(folder / "db", fasta, "one", "nucl", "-parse_seqids")
        size = sum(path.stat().st_size for path in (folder / "db").iterdir())
        database = DatabaseAt(
            name="one", fingerprint=folder.name.replace("-", ""), folder=str(folder / "db"), molecule="nucl",
            sequences=1, letters=1, size_bytes=size,
        )  # fmt: skip
        yield Bench(storage, folder, database)


@pytest.fixture(params=["blob", "volume"])
async def bench(request: pytest.FixtureRequest, emulator: Emulator, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_on(request.param, emulator, tmp_path) as made:
        yield made


@pytest.fixture
async def on_blobs(emulator: Emulator, tmp_path: Path) -> AsyncIterator[Bench]:
    async with bench_on("blob", emulator, tmp_path) as made:
        yield made


def bare(folder: str) -> bytes:
    argv = ["blastn", "-query", "-", "-db", "one", "-outfmt", rich_spec("blastn", {})]
    return subprocess.run(argv, cwd=folder, input=LAMBDA_QUERY.encode(), capture_output=True, check=True).stdout


async def test_result_is_what_blast_writes_and_its_report_says_its_checksum(bench: Bench) -> None:
    pod = (await bench.pod()).start()
    assert pod.end() == 0, pod.log
    data, report = await bench.result()
    assert data == bare(bench.database.folder)
    assert report["size"] == len(data)
    assert pod.word["exit_code"] == 0


async def test_C10_two_at_once_publish_one_result(bench: Bench) -> None:
    pods = [(await bench.pod()).start() for _ in range(2)]
    assert [pod.end() for pod in pods] == [0, 0]
    _, report = await bench.result()
    winners = [pod.folder.name for pod in pods if "unit 0: published" in pod.log]
    assert winners == [report["pod"]]


async def test_C10_a_killed_one_publishes_nothing_and_the_next_does(bench: Bench) -> None:
    pod = (
        await bench.pod(SLOW_QUERY[:200_000], words=("-task", "blastn", "-word_size", "4", "-evalue", "1e6"))
    ).start()
    until("it searches", (pod.folder / "work" / "out-0").exists, 20, 0.01)
    assert pod.process is not None
    pod.process.send_signal(signal.SIGTERM)
    assert pod.end(5) == 143
    assert pod.word["exit_code"] == 143
    assert await bench.size() is None
    again = (await bench.pod()).start()
    assert again.end() == 0
    assert await bench.size() is not None


async def test_S05_ten_at_once_on_a_cold_node_download_once(on_blobs: Bench, emulator: Emulator) -> None:
    pods = [(await on_blobs.pod()).start("stage") for _ in range(10)]
    assert [pod.end() for pod in pods] == [0] * 10
    fetched = emulator.requests(rf'"GET /\w+/blast-db/{on_blobs.database.fingerprint}/one\.nsq\?.*sig=')
    assert len(fetched) == 1
    assert sum("staging" in pod.log for pod in pods) == 1


async def test_a_damaged_database_is_refused_and_leaves_nothing_that_counts(bench: Bench) -> None:
    pod = await bench.pod()
    name = f"{bench.database.fingerprint}/one.nsq"
    await bench.storage.put(Area.DATABASES, name, b"x" * (await bench.storage.size_of(Area.DATABASES, name) or 0))
    assert pod.start().end() == 75
    assert pod.word["cause"] == "staging_failed"
    assert "checksum" in pod.word["stderr"]
    assert not (bench.folder / "cache" / bench.database.fingerprint).exists()


async def test_a_killed_stager_is_followed_by_one_that_keeps_whole_files(bench: Bench) -> None:
    pod = await bench.pod()
    part = bench.folder / "cache" / f".{bench.database.fingerprint}.part"
    part.mkdir(parents=True)
    whole = Path(bench.database.folder, "one.nhr")
    (part / "one.nhr").write_bytes(whole.read_bytes())
    (part / "one.nsq.part").write_bytes(b"half")
    assert pod.start().end() == 0, pod.log
    names = {path.name for path in (bench.folder / "cache" / bench.database.fingerprint).iterdir()}
    assert {"one.nhr", "one.nsq", ".complete"} <= names
    assert not any(name.endswith(".part") for name in names)


def cached(bench: Bench) -> Path:
    return bench.folder / "cache" / bench.database.fingerprint


def empty(folder: Path, how: str) -> None:
    """Empty a node's cache as people and programs do it."""
    if how == "files":  # `rm FOLDER/*` leaves what begins with a dot
        for path in folder.glob("*.n*"):
            path.unlink()
    elif how == "marker":
        (folder / ".complete").unlink()
    elif how == "folder":
        shutil.rmtree(folder)
    else:  # everything, the locks included
        for path in folder.parent.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("how", ["folder", "files", "marker", "everything"])
async def test_K07_a_cache_that_was_emptied_under_a_warmer_is_filled_again_and_nobody_waits_for_it(
    bench: Bench, how: str
) -> None:
    warmer = (await bench.pod()).start("warm")
    ready = warmer.folder / "work" / "warm"
    try:
        until("the node is warm", ready.exists, 60)
        empty(cached(bench), how)
        pod = (await bench.pod()).start()
        assert pod.end() == 0, pod.log
        until("it is warm again", lambda: ready.exists() and (cached(bench) / "one.nsq").exists(), 60)
    finally:
        warmer.kill()


async def test_K07_a_warmer_whose_database_is_gone_is_not_ready(on_blobs: Bench) -> None:
    warmer = (await on_blobs.pod()).start("warm", BLASTD_PATIENCE="600")
    ready = warmer.folder / "work" / "warm"
    try:
        until("the node is warm", ready.exists, 60)
        path = warmer.access / "access.json"
        path.write_text(path.read_text().replace("sig=", "sig=x"))  # it can't be brought again
        empty(cached(on_blobs), "folder")
        until("it says so", lambda: not ready.exists(), 60)
    finally:
        warmer.kill()


async def test_K07_who_searches_in_a_cache_that_is_emptied_keeps_nobody_waiting(bench: Bench) -> None:
    words = ("-task", "blastn", "-word_size", "4", "-evalue", "1e6")
    searching = (await bench.pod(SLOW_QUERY[:200_000], words=words)).start()
    try:
        until("it searches", (searching.folder / "work" / "out-0").exists, 60, 0.01)
        empty(cached(bench), "folder")
        stager = (await bench.pod()).start("stage")
        assert stager.end() == 0, stager.log
        assert searching.process is not None
        if searching.process.poll() is not None:  # BLAST+ had not opened the files yet: another try may pass
            assert (searching.process.returncode, searching.word["cause"]) == (75, "staging_failed")
    finally:
        searching.kill()


async def test_K07_a_stager_that_is_frozen_loses_its_turn(on_blobs: Bench) -> None:
    frozen = await on_blobs.pod()
    path = frozen.access / "access.json"
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, answers nothing
        access = json.loads(path.read_text())
        addresses = access["tables"]["databases"][on_blobs.database.fingerprint]
        for name, address in addresses.items():
            addresses[name] = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{silent.getsockname()[1]}", address)
        path.write_text(json.dumps(access))
        frozen.start("stage")
        try:
            until("it has the lock", lambda: "staging" in frozen.log, 60)
            assert frozen.process is not None
            frozen.process.send_signal(signal.SIGSTOP)
            pod = (await on_blobs.pod()).start("stage", BLASTD_LEASE="1")
            assert pod.end() == 0, pod.log
            assert "not waiting for" in pod.log
        finally:
            frozen.kill()
    assert (cached(on_blobs) / ".complete").exists()


async def test_U11_V11_another_version_of_blast_in_the_image_is_refused_and_both_are_named(bench: Bench) -> None:
    pod = await bench.pod()
    path = pod.access / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"blast_version": "2.1.0+"}))
    assert pod.start().end() == 43
    assert pod.word["cause"] == "other_blast"
    assert re.fullmatch(r"the pod has BLAST\+ 2\.\d+\.\d+\+, blastd has 2\.1\.0\+", pod.word["stderr"])
    assert await bench.size() is None


async def test_old_generations_make_room_and_one_in_use_stays(bench: Bench) -> None:
    cache = bench.folder / "cache"
    for name, age in [("old", 1000), ("used", 900)]:
        (cache / name).mkdir(parents=True)
        (cache / name / "x.nsq").write_bytes(b"x" * 10_000)
        (cache / name / ".complete").write_text(name)
        os.utime(cache / name / ".complete", (time.time() - age, time.time() - age))
    held = podrunner.Held(podrunner.Place({"BLASTD_CACHE": str(cache)}), "used")
    assert held.try_lock(fcntl.LOCK_SH)
    pod = (await bench.pod()).start("stage", BLASTD_CACHE_BYTES="15000")
    assert pod.end() == 0, pod.log
    held.close()
    assert not (cache / "old").exists()
    assert (cache / "used" / "x.nsq").exists()
    assert (cache / bench.database.fingerprint / ".complete").exists()


@pytest.mark.parametrize(("told", "code"), [({"words": ["-task", "no-such-task"]}, 1), ({"argument": "nowhere"}, 2)])
async def test_T17_an_error_of_blast_ends_the_pod_with_its_code_and_words(
    bench: Bench, told: dict[str, Any], code: int
) -> None:
    pod = await bench.pod()
    path = pod.access / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | told))
    assert pod.start().end() == code
    assert pod.word["exit_code"] == code
    assert pod.word["stderr"]
    assert await bench.size() is None


async def test_no_access_and_no_account_are_told_apart(on_blobs: Bench) -> None:
    pod = await on_blobs.pod()
    path = pod.access / "access.json"
    access = json.loads(path.read_text())
    access["tables"]["units"]["0"] = access["tables"]["units"]["0"].replace("sig=", "sig=x")
    path.write_text(json.dumps(access))
    assert pod.start().end() == 75
    assert pod.word["cause"] == "blob_denied"
    assert "sig=" not in pod.log
    pod = await on_blobs.pod()
    path = pod.access / "access.json"
    path.write_text(
        path.read_text().replace("http://127.0.0.1", "http://127.0.0.2").replace("/devstore", ":1/devstore")
    )
    assert pod.start().end() == 75
    assert pod.word["cause"] == "blob_away"


async def test_an_image_without_blast_is_named(bench: Bench) -> None:
    pod = (await bench.pod(program="blastq")).start()
    assert pod.end() == 43
    assert pod.word["cause"] == "no_blast"


async def test_K05_a_database_is_searched_where_the_volume_has_it(emulator: Emulator, tmp_path: Path) -> None:
    async with bench_on("volume", emulator, tmp_path) as bench:
        pod = (await bench.pod()).start(BLASTD_CACHE="")
        assert pod.end() == 0, pod.log
        data, report = await bench.result()
        assert data == bare(bench.database.folder)
        assert "download" not in report["seconds"]


async def test_K03_what_is_too_long_for_a_secret_is_read_from_the_storage(bench: Bench) -> None:
    pod = await bench.pod()
    plan, access = pod.access / "plan.json", pod.access / "access.json"
    await bench.storage.put(Area.QUERIES, f"{bench.job}/1.plan.json", plan.read_bytes())
    plan.unlink()
    files = [
        one["name"]
        for one in json.loads(await bench.storage.get(Area.QUERIES, f"{bench.job}/1.plan.json"))["databases"][0][
            "files"
        ]
    ]
    needs = PodNeeds(
        tables=f"{bench.job}/tables.json",
        query=f"{bench.job}/query.fa",
        plan=f"{bench.job}/1.plan.json",
        units={unit: f"{bench.job}/1/{unit}.out" for unit in range(10_000)},
        databases={bench.database.fingerprint: files},
    )
    told = json.dumps(bench.mounted(await bench.storage.pod_access(needs, datetime.now(UTC))))
    assert len(told) < 2000
    access.write_text(told)
    assert pod.start().end() == 0, pod.log
    assert (await bench.result())[0] == bare(bench.database.folder)


async def test_K10_the_time_limit_is_that_of_searching_and_no_try_is_made_again(bench: Bench) -> None:
    pod = await bench.pod(SLOW_QUERY[:200_000], words=("-task", "blastn", "-word_size", "4", "-evalue", "1e6"))
    path = pod.access / "plan.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"time_limit_seconds": 0.2}))
    assert pod.start().end() == 43
    assert pod.word["cause"] == "deadline"
    assert await bench.size() is None
