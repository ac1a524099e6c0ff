"""D08: updates from a source that misbehaves by chance, with searches all the while, and kill -9 at each step of a fetch."""

import asyncio
import json
import random
import shutil
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests import mirror
from tests.daemon import Daemon, cli
from tests.fetches import DATABASES, FIRST, LIST, TASKS, fetch, fetching, ncbi, once, publish, versions_found
from tests.fetches import ended as ended_well
from tests.mirror import NAME, QUERY, Handler, Mirror
from tests.patience import eventually, until
from tests.service import Service

SECOND = f"{NAME}.01.tar.gz"
PATHS = (FIRST, SECOND, f"{FIRST}.md5", f"{SECOND}.md5", LIST)
MOMENTS = (
    "blastd.fetching.fetch:Fetch._keep:after",
    "blastd.fetching.download:Room.take:before",
    "blastd.fetching.download:_name:before",
    "blastd.fetching.download:_name:after",
    "blastd.fetching.unpack:_copy:after",
    "blastd.fetching.fetch:unpack:after",
    "blastd.fetching.fetch:Fetch.gather:after",
    "blastd.service.databases.fetches:Fetches._check:after",
    "blastd.service.databases.installed:write:after",
    "blastd.blastplus.makedb:_set_aside:after",
    "blastd.blastplus.makedb:place:after",
    "blastd.store.dbtasks:end:before",
    "blastd.store.dbhistory:add:after",
    "blastd.service.databases.fetches:Fetches.forget:before",
)


class Misfortune:
    """Draws what goes wrong with an update: what is asked, how it is answered, and how often."""

    def __init__(self, seed: int, source: Mirror, versions: list[Path]) -> None:
        self.draw, self._source, self._versions = random.Random(seed), source, versions
        self.elsewhere = f"http://127.0.0.1:{source.port + 1}/"
        self.drawn: Counter[str] = Counter()

    def fault(self, turn: int) -> mirror.Fault:
        path, times = self.draw.choice(PATHS), self.draw.choice((1, 1, 1, 2, 3, 999))
        cut = self.draw.randrange(0, 2000)
        kinds = {
            "cut": lambda handler, asked: handler.file(asked, cut=cut),
            "silent": lambda handler, asked: handler.file(asked, slow=True),
            "flipped": lambda handler, asked: handler.file(asked, change=mirror.flip),
            "longer": lambda handler, asked: handler.file(asked, change=lambda data: data + b"\0" * 7),
            "empty": lambda handler, asked: handler.file(asked, change=lambda _: b""),
            "404": lambda handler, _: handler.status(404),
            "503": lambda handler, _: handler.status(503, Retry_After="0"),
            "416": lambda handler, _: handler.status(416),
            "elsewhere": lambda handler, asked: handler.status(302, Location=self.elsewhere + asked),
            "changed": lambda handler, asked: self._change(handler, asked, turn),
            "half changed": lambda handler, asked: self._half(handler, asked, turn),
        }
        kind = self.draw.choice(sorted(kinds))
        self.drawn[kind] += 1
        return once(path, kinds[kind], 1 if "changed" in kind else times)

    def _change(self, handler: Handler, asked: str, turn: int) -> bool:
        """Answer, and then publish the version after the next one."""
        handler.file(asked)
        publish(self._source, self._versions, turn + 1)
        return True

    def _half(self, handler: Handler, asked: str, turn: int) -> bool:
        """Answer, and then publish one archive and its checksum of another version, without saying so in the list."""
        handler.file(asked)
        other = self._versions[(turn + 1) % 3]
        for name in (SECOND, f"{SECOND}.md5"):
            shutil.copy(other / name, self._source.folder / name)
        return True


async def campaign(service: Service, source: Mirror, versions: list[Path], seed: int, updates: int) -> Counter[str]:
    """Update so many times from a source with faults while searches run; returns what became of the updates."""
    misfortune, ends = Misfortune(seed, source, versions), Counter[str]()
    over, searched = asyncio.Event(), 0

    async def search() -> None:
        nonlocal searched
        while not over.is_set():
            found = await versions_found(service)  # fails for a search that does
            assert len(set(found)) == 1 and len(found) == 2, f"seed {seed}: a mixed generation: {found}"
            searched += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(search())
        try:
            for turn in range(1, updates + 1):
                publish(source, versions, 2 * turn)
                before = (await service.get(f"{DATABASES}/{NAME}")).json["title"]
                answer = await service.post(f"{DATABASES}/{NAME}/update")
                assert answer.status == 202, answer.text
                source.fault = misfortune.fault(2 * turn)
                task = answer.json["task"]

                async def has_ended(task: dict[str, Any] = task) -> bool:
                    row = (await service.get(f"{TASKS}/{task['id']}")).json["task"]
                    return row["status"] in ("completed", "failed")

                await eventually(has_ended)
                source.fault = lambda _handler, _path: False
                row = (await service.get(f"{TASKS}/{task['id']}")).json["task"]
                shown = (await service.get(f"{DATABASES}/{NAME}")).json
                ends[row["error_code"] or row["status"]] += 1
                assert shown["state"] == "ready"
                if row["status"] == "failed":
                    assert shown["title"] == before, (seed, turn, row)
                    assert row["error"]
                found = await versions_found(service)
                assert found == [f"v{shown['title'].removeprefix('mini ')}"] * 2, (seed, turn, row)
        finally:
            over.set()
    assert searched > 0
    print(f"seed {seed}: {updates} updates, {searched} searches, {dict(ends)}, {dict(misfortune.drawn)}")
    return ends


QUICKER: dict[str, Any] = {
    "databases__fetch_tries": 3, "databases__stall_seconds": 0.3, "local__slots": 3, "limits__share_seconds": 1.0,
}  # fmt: skip


async def test_D08_a_few_faulted_updates_never_mix_and_never_disturb(
    tmp_path: Path, source: Mirror, versions: list[Path]
) -> None:
    async with fetching(tmp_path, ncbi(source), **QUICKER) as service:
        await ended_well(service, await fetch(service))
        await campaign(service, source, versions, seed=7, updates=5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(4))
async def test_D08_two_hundred_faulted_updates(tmp_path: Path, source: Mirror, versions: list[Path], seed: int) -> None:
    async with fetching(tmp_path, ncbi(source), **QUICKER) as service:
        await ended_well(service, await fetch(service))
        ends = await campaign(service, source, versions, seed, updates=40)
    assert ends["completed"] > 5
    assert len(ends) > 1


class Doomed:
    """A daemon with one source, which dies at a moment of its next update."""

    def __init__(self, folder: Path, source: Mirror) -> None:
        sources = json.dumps([ncbi(source)])
        settings = {"SOURCES": sources, "FETCH_RETRY_SECONDS": "0.05", "RESCAN_SECONDS": "0"}
        environ = {f"BLASTD_DATABASES__{name}": value for name, value in settings.items()}
        (folder / "empty").mkdir()
        self.mark, self.arm = folder / "mark", folder / "arm"
        self.daemon = Daemon(folder / "state", [folder / "empty"], environ)
        self._plain = self.daemon.command

    def start(self, moment: str = "") -> Daemon:
        """Start a daemon that dies at *moment*, once it is armed."""
        self.daemon.command = self._plain
        for file in (self.mark, self.arm):
            file.unlink(missing_ok=True)
        if moment:
            words = ["--at", moment, "--mark", str(self.mark), "--arm", str(self.arm), "--"]
            self.daemon.command = [sys.executable, "-m", "tests.crash.doomed", *words]
        return self.daemon.start().ready()

    def ended(self, task: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def over() -> bool:
            nonlocal found
            found = self.daemon.get(f"{TASKS}/{task}").json["task"]
            return found["status"] in ("completed", "failed")

        until(over)
        return found

    def versions(self) -> list[str]:
        """Search, and return which versions the subjects are of."""
        search = {"program": "blastn", "database": NAME, "query": f">q\n{QUERY}\n", "reuse": False}
        row = self.daemon.ended(self.daemon.post("/api/blast/jobs", search).json["job_id"])
        assert row["status"] == "completed", row
        table = self.daemon.results(row["job_id"], "tabular").decode()
        return [line.split("\t")[1].partition("s")[0] for line in table.splitlines()]


def killed_at(folder: Path, source: Mirror, versions: list[Path], moments: list[str]) -> None:
    """Update once for each moment, in a daemon that is killed there: the next one ends the update well."""
    doomed, old = Doomed(folder, source), "v1"
    daemon = doomed.start()
    task = daemon.post(f"{DATABASES}/fetch", {"name": NAME}).json["task"]["id"]
    assert doomed.ended(task)["status"] == "completed"
    daemon.stop()
    for turn, moment in enumerate(moments, 1):
        new = publish(source, versions, turn)
        daemon = doomed.start(moment)
        assert doomed.versions() == [old, old], moment
        doomed.arm.touch()
        task = daemon.post(f"{DATABASES}/{NAME}/update").json["task"]["id"]
        assert daemon.process is not None
        daemon.process.wait(120)
        assert doomed.mark.exists(), moment
        source.asked.clear()
        daemon = doomed.start()
        assert doomed.versions() in ([old, old], [new, new]), moment
        row = doomed.ended(task)
        assert (row["status"], doomed.versions()) == ("completed", [new, new]), (moment, row)
        if "_name:after" in moment:
            assert source.asked[FIRST] + source.asked[SECOND] < 2  # a file that had come whole does not come again
        lines = daemon.get(f"{DATABASES}/{NAME}/history").json["history"]
        assert len([line for line in lines if line["kind"] == "updated"]) == turn, moment
        daemon.stop()
        assert not list((doomed.daemon.state / "tmp").glob("fetch-*")), moment
        assert not [path for path in (doomed.daemon.state / "databases").iterdir() if path.name.startswith(".")], moment
        old = new


def test_D07_a_fetch_survives_kill_9(tmp_path: Path, source: Mirror, versions: list[Path]) -> None:
    killed_at(tmp_path, source, versions, ["blastd.fetching.download:_name:after:1"])


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("nth", [1, 2])
def test_D08_kill_9_at_each_step(tmp_path: Path, source: Mirror, versions: list[Path], nth: int) -> None:
    once_only = ("_check", "_set_aside", "place", "end:", "add:", "forget", "gather", "write", "_keep")
    moments = [f"{moment}:{1 if any(word in moment for word in once_only) else nth}" for moment in MOMENTS]
    killed_at(tmp_path, source, versions, moments)


@pytest.mark.slow
def test_D07_and_D12_by_command(tmp_path: Path, source: Mirror, versions: list[Path]) -> None:
    doomed = Doomed(tmp_path, source)
    url = ("--url", doomed.start().url)

    def say(*words: str, ends: int = 0) -> str:
        ran = cli("db", *words, *url)
        assert ran.returncode == ends, ran.stderr
        return ran.stdout + ran.stderr

    assert NAME in say("available", "mini", "-o", "id")
    assert "is fetched and ready" in say("fetch", NAME, "--as", "ours")
    assert doomed.daemon.post(f"{DATABASES}/fetch", {"name": NAME, "called": "ours"}).status == 409
    assert "up to date" in say("update", "ours")
    publish(source, versions, 1)
    assert "newer" in say("available", "--refresh", "--fields", "name,newer", "-o", "tsv")
    assert "is up to date" in say("update", "--all")
    assert "up to date" in say("update", "--all")
    assert "nobody" not in say("rename", "ours", "theirs")
    assert "Nothing was removed" in say("remove", "theirs", ends=2)
    assert "serves 0 searches" in say("remove", "theirs", "--yes")
    kinds = [line.split("\t")[0] for line in say("history", "theirs", "--fields", "kind", "-o", "tsv").splitlines()[1:]]
    assert kinds == ["removed", "renamed", "updated", "fetched"]
    rows = say("tasks", "--fields", "id,kind,status", "-o", "tsv").splitlines()[1:]
    assert [row.split("\t")[1:] for row in rows] == [["update", "completed"], ["fetch", "completed"]]
    assert "only a failed or cancelled one" in say("retry", rows[0].split("\t")[0], ends=2)
    assert "no database" in say("fetch", "nosuch", ends=2)
    doomed.daemon.stop()
