"""An API server with its controllers, and a storage account, in memory: slow, forgetful, cut off now and then.

They outlive the daemon: what was due goes on on the loop of its next life. Below `client.Client` and `storage.blob.Blobs` all is
real: requests arrive as method and path, answers are JSON, watches are lines that end with a bookmark.
"""

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple, cast

import aiohttp
import msgspec

from blastd.clock import Clock
from blastd.config import AzureSettings
from blastd.core.ids import JobId
from blastd.engines.kubernetes import manifests
from blastd.engines.kubernetes.client import ClusterAccess, ClusterClient
from blastd.engines.kubernetes.failures import CoolDown
from blastd.engines.kubernetes.objects import INDEX, JOB_NAME, JobObject
from blastd.engines.kubernetes.podplan import unit_blob
from blastd.engines.kubernetes.status import units_of
from blastd.storage.blob import BlobAway, BlobMissing, Blobs
from blastd.storage.contract import Area, StoredObject
from tests.schedules.loop import SimLoop
from tests.schedules.outside import SimClock, table

Thing = dict[str, Any]
PIECE = 40
"""Bytes of a download that arrive at once."""


class Change(NamedTuple):
    """A line of the history that watches follow."""

    version: int
    kind: str
    type: str
    thing: str


class Due(NamedTuple):
    """What a controller does next."""

    moment: float
    work: Callable[..., None]
    given: tuple[Any, ...]


class Refusal(Exception):
    """An answer that is not 2xx."""


class Cluster:
    """What there is, and what goes on by itself."""

    def __init__(
        self,
        random: Random,
        say: Callable[..., None],
        started: Callable[[str, int], None],
        names: Callable[[str, int], list[str]],
    ) -> None:
        """*started* is told of each pod that runs; *names* are the queries of a unit."""
        self.random, self.say = random, say
        self.things: dict[str, dict[str, Thing]] = {}
        self.history: list[Change] = []
        self.blobs: dict[tuple[Area, str], tuple[bytes, dict[str, str]]] = {}
        self.trouble = random.choice((0.0, 0.0, 0.05, 0.15))
        self.away_until = -1.0
        self.cuts = 0
        """How often all watches were cut off."""
        self.snatching: Callable[[str], None] | None = None
        """Told of the next Job's search, when that Job is deleted as soon as it is made, before all watches are cut off."""
        self.news = asyncio.Event()
        self._failing = random.choice((0.0, 0.0, 0.2))
        self._started, self._names = started, names
        self._due: dict[int, Due] = {}
        self._numbers, self._version = 0, 100
        self._loop: SimLoop

    def live_on(self, loop: SimLoop) -> None:
        """Go on on the loop of the daemon's next life."""
        self._loop, self.news = loop, asyncio.Event()
        for number, due in list(self._due.items()):
            loop.call_at(max(due.moment, loop.now), self._do, number)

    # ------------------------------------------------------------------ objects
    def of(self, kind: str) -> dict[str, Thing]:
        return self.things.setdefault(kind, {})

    def list(self, kind: str, selector: str) -> Thing:
        chosen = [thing for thing in self.of(kind).values() if matches(thing, selector)]
        return {"metadata": {"resourceVersion": str(self._version)}, "items": chosen}

    def create(self, kind: str, body: Thing) -> Thing:
        name = body["metadata"]["name"]
        if name in self.of(kind):
            raise Refusal(409)
        self._numbers += 1
        thing: Thing = json.loads(json.dumps(body))
        thing["metadata"] |= {"uid": f"{kind}-{self._numbers}", "creationTimestamp": self._now()}
        self._touch(kind, "ADDED", thing)
        if kind == "jobs":
            self.say("cluster: Job", name)
            if self.snatching is not None:
                self._later((0.0, 0.0, 0.1), self._snatch, name, self.snatching)
                self.snatching = None
            for index in range(thing["spec"]["completions"]):
                self._later((0.0, 0.1, 1.0), self._make_pod, name, thing["metadata"]["uid"], index)
        return thing

    def get(self, kind: str, name: str) -> Thing:
        if name not in self.of(kind):
            raise Refusal(404)
        return self.of(kind)[name]

    def patch(self, kind: str, name: str, body: Thing) -> Thing:
        thing = self.get(kind, name)
        for key, value in body.items():
            thing[key] = thing.get(key, {}) | value
        return thing

    def delete(self, kind: str, name: str, uid: str = "") -> Thing:
        thing = self.get(kind, name)
        if uid and thing["metadata"]["uid"] != uid:
            raise Refusal(409)
        self._touch(kind, "DELETED", thing)
        del self.of(kind)[name]
        if kind == "jobs":
            self.say("cluster: Job", name, "deleted")
            for pod in list(self.of("pods").values()):
                if pod["metadata"]["labels"][JOB_NAME] == name:
                    self._later((0.0, 0.1, 2.0), self._drop_pod, pod["metadata"]["name"])
            if self.of("secrets").get(name, {}).get("metadata", {}).get("ownerReferences"):
                self.delete("secrets", name)
        return {}

    # ------------------------------------------------------------------ controllers
    def _later(self, seconds: tuple[float, ...], work: Callable[..., None], *given: Any) -> None:
        self._numbers += 1
        due = Due(self._loop.now + self.random.choice(seconds), work, given)
        self._due[self._numbers] = due
        self._loop.call_at(due.moment, self._do, self._numbers)

    def _do(self, number: int) -> None:
        if (due := self._due.pop(number, None)) is not None:
            due.work(*due.given)

    def _now(self) -> str:
        return SimClock(self._loop).now().isoformat().replace("+00:00", "Z")

    def _touch(self, kind: str, type_: str, thing: Thing) -> None:
        self._version += 1
        thing["metadata"]["resourceVersion"] = str(self._version)
        self.of(kind)[thing["metadata"]["name"]] = thing
        self.history.append(Change(self._version, kind, type_, json.dumps(thing)))
        self.news.set()
        self.news = asyncio.Event()

    def _alive(self, name: str, uid: str) -> Thing | None:
        job = self.of("jobs").get(name)
        return job if job and job["metadata"]["uid"] == uid and not job.get("status", {}).get("conditions") else None

    def _make_pod(self, name: str, uid: str, index: int) -> None:
        job = self._alive(name, uid)
        if job is None:
            return
        labels = job["metadata"]["labels"] | {JOB_NAME: name}
        self._numbers += 1
        pod_name = f"{name}-{index}-{self._numbers}"
        metadata = {"name": pod_name, "labels": labels, "annotations": {INDEX: str(index)}}
        pod = self.create("pods", {"metadata": metadata, "spec": {"nodeName": "node1"}, "status": {"phase": "Pending"}})
        self._later((0.0, 0.1, 1.0, 5.0), self._run_pod, job, pod)

    def _run_pod(self, job: Thing, pod: Thing) -> None:
        name, uid = job["metadata"]["name"], job["metadata"]["uid"]
        if pod["metadata"]["name"] not in self.of("pods") or self._alive(name, uid) is None:
            return
        labels = job["metadata"]["labels"]
        self._started(labels[manifests.JOB_ID], int(labels[manifests.ATTEMPT]))
        began = self._now()
        self._state(pod, "Running", {"running": {"startedAt": began}})
        self._later((0.0, 0.1, 1.0, 6.0), self._end_pod, job, pod, began)

    def _state(self, pod: Thing, phase: str, state: Thing) -> None:
        pod["status"] = {"phase": phase, "containerStatuses": [{"name": manifests.CONTAINER, "state": state}]}
        self._touch("pods", "MODIFIED", pod)

    def _end_pod(self, job: Thing, pod: Thing, began: str) -> None:
        if pod["metadata"]["name"] not in self.of("pods"):
            return
        index, bad = int(pod["metadata"]["annotations"][INDEX]), self.random.random() < self._failing
        if not bad:
            self._publish(job, index)
        told = {"cause": "simulated", "exit_code": 1, "stderr": "simulated"}
        ended = {"exitCode": int(bad), "startedAt": began, "finishedAt": self._now()}
        self._state(pod, "Running", {"terminated": ended | ({"message": json.dumps(told)} if bad else {})})
        self._later((0.0, 0.1), self._close_pod, job, pod, index, bad)

    def _close_pod(self, job: Thing, pod: Thing, index: int, bad: bool) -> None:  # called by name only
        if pod["metadata"]["name"] in self.of("pods"):
            pod["status"]["phase"] = "Failed" if bad else "Succeeded"
            self._touch("pods", "MODIFIED", pod)
        self._later((0.0, 0.1, 0.5), self._count, job, index, bad)

    def _count(self, made: Thing, index: int, bad: bool) -> None:  # as above
        job = self._alive(made["metadata"]["name"], made["metadata"]["uid"])
        if job is None:
            return
        status = job.setdefault("status", {})
        done = {int(each) for each in status.get("completedIndexes", "").split(",") if each} | (
            {index} if not bad else set()
        )
        status["completedIndexes"] = ",".join(map(str, sorted(done)))
        ended = {"status": "True", "lastTransitionTime": self._now()}
        if bad:
            status["failedIndexes"] = str(index)
            status["conditions"] = [ended | {"type": "Failed", "reason": "FailedIndexes", "message": "simulated"}]
        elif len(done) == job["spec"]["completions"]:
            status["completionTime"] = self._now()
            status["conditions"] = [ended | {"type": "Complete"}]
        self._touch("jobs", "MODIFIED", job)

    def _publish(self, job: Thing, index: int) -> None:
        labels = job["metadata"]["labels"]
        job_id, attempt = labels[manifests.JOB_ID], int(labels[manifests.ATTEMPT])
        unit = units_of(msgspec.convert(job, JobObject, strict=False)).own[index]
        data = table(self._names(job_id, unit)).encode()
        at = SimClock(self._loop).now().timestamp()
        report = {
            "unit": unit, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "node": "node1",
            "started_at": at - 0.1, "ended_at": at,
        }  # fmt: skip
        text = base64.b64encode(json.dumps(report).encode()).decode()
        self.blobs.setdefault((Area.RESULTS, unit_blob(cast("JobId", job_id), attempt, unit)), (data, {"report": text}))

    def _drop_pod(self, name: str) -> None:
        if name in self.of("pods"):
            self.delete("pods", name)

    def _snatch(self, name: str, told: Callable[[str], None]) -> None:
        if name in self.of("jobs"):
            told(self.of("jobs")[name]["metadata"]["labels"][manifests.JOB_ID])
            self.delete("jobs", name)
            self.cuts += 1  # which the deletion has woken the watches for

    def somebody_deletes(self) -> str | None:
        """Let somebody delete a Job; returns its search."""
        if not self.of("jobs"):
            return None
        name = self.random.choice(sorted(self.of("jobs")))
        job_id: str = self.of("jobs")[name]["metadata"]["labels"][manifests.JOB_ID]
        self.delete("jobs", name)
        return job_id


TERM = re.compile(r"(?P<key>[^ =,]+)(?:=(?P<value>[^,]*)| in \((?P<values>[^)]*)\))")
"""One requirement of a label selector: an equality, or one of some values."""


def matches(thing: Thing, selector: str) -> bool:
    """Tell whether labels fit a selector."""
    labels = thing["metadata"].get("labels", {})
    for term in TERM.finditer(selector):
        allowed = [term["value"]] if term["value"] is not None else term["values"].split(",")
        if labels.get(term["key"]) not in allowed:
            return False
    return True


class Answer:
    """An answer of the API server, read whole or line by line."""

    def __init__(self, status: int, told: Any, lines: AsyncIterator[bytes] | None = None) -> None:
        self.status, self.headers = status, dict[str, str]()
        self.content = lines
        self._told = told

    async def read(self) -> bytes:
        return json.dumps(self._told).encode()

    def close(self) -> None:
        """Nothing is open."""


class SimClient(ClusterClient):
    """The real client on a simulated transport."""

    def __init__(self, cluster: Cluster, loop: SimLoop, clock: Clock, cool: CoolDown) -> None:
        super().__init__(
            ClusterAccess(kubeconfig=None, context="", namespace="ns", request_seconds=20.0),
            cast("Any", None),
            clock,
            cool,
        )
        self._cluster, self._loop = cluster, loop

    async def _refresh(self) -> None:
        return

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, Any] | None,
        content: str,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        del content, limits
        cluster, query = self._cluster, query or {}
        await asyncio.sleep(self._loop.draw("api"))
        draw = cluster.random.random()
        if self._loop.now < cluster.away_until or draw < cluster.trouble / 2:
            raise aiohttp.ClientConnectionError("simulated")
        kind, _, name = path.split("/namespaces/ns/")[1].partition("/")
        if "watch" in query:
            return cast("aiohttp.ClientResponse", Answer(200, None, self._watch(kind, query)))
        try:
            told = json.loads(json.dumps(self._do(method, kind, name, query, cast("Thing", body or {}))))
            answer = Answer(200, told)
        except Refusal as refusal:
            answer = Answer(refusal.args[0], {"code": refusal.args[0], "message": "simulated"})
        if draw > 1 - cluster.trouble / 2:  # done, but nobody hears of it
            await asyncio.sleep(5.0)
            raise aiohttp.ClientConnectionError("simulated: no answer")
        await asyncio.sleep(self._loop.draw("api"))
        return cast("aiohttp.ClientResponse", answer)

    def _do(self, method: str, kind: str, name: str, query: Mapping[str, str], body: Thing) -> Thing:
        cluster = self._cluster
        match method, bool(name):
            case "GET", False:
                return cluster.list(kind, query.get("labelSelector", ""))
            case "GET", True:
                return cluster.get(kind, name)
            case "POST", False:
                return cluster.create(kind, body)
            case "PATCH", True:
                return cluster.patch(kind, name, body)
            case "DELETE", True:
                return cluster.delete(kind, name, body.get("preconditions", {}).get("uid", ""))
        raise AssertionError((method, kind, name))

    async def _watch(self, kind: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        cluster, version = self._cluster, int(query["resourceVersion"])
        until, cuts = self._loop.now + int(query["timeoutSeconds"]), cluster.cuts
        at = len(cluster.history)
        while at and cluster.history[at - 1].version > version:
            at -= 1
        while True:
            news = cluster.news
            if cluster.cuts != cuts:
                raise aiohttp.ClientPayloadError("simulated: cut off")
            for change in cluster.history[at:]:
                at += 1
                if change.kind == kind and matches(json.loads(change.thing), query.get("labelSelector", "")):
                    await asyncio.sleep(self._loop.draw("watch"))
                    if self._loop.now < cluster.away_until or cluster.random.random() < cluster.trouble / 5:
                        raise aiohttp.ClientPayloadError("simulated")
                    yield f'{{"type": "{change.type}", "object": {change.thing}}}'.encode()
            if cluster.news is not news:
                continue
            left = until - self._loop.now
            if left <= 0:
                break
            try:
                async with asyncio.timeout(left):
                    await news.wait()
            except TimeoutError:
                continue
        mark = {"metadata": {"resourceVersion": str(max(version, cluster.history[-1].version if at else 0))}}
        yield json.dumps({"type": "BOOKMARK", "object": mark}).encode()


class SimBlobs(Blobs):
    """A storage account in memory."""

    def __init__(self, cluster: Cluster, loop: SimLoop, settings: AzureSettings) -> None:
        super().__init__(cast("Any", None), settings)
        self._cluster, self._loop = cluster, loop

    async def _turn(self) -> None:
        await asyncio.sleep(self._loop.draw("api"))
        if self._loop.now < self._cluster.away_until or self._cluster.random.random() < self._cluster.trouble / 4:
            raise BlobAway("The storage account is away (simulated).")

    async def ensure(self) -> None:
        await self._turn()

    def address(self, area: Area, name: str, until: datetime, *, write: bool = False) -> str:
        return f"https://account/{area}/{name}?{until}{write}"

    async def upload(
        self,
        area: Area,
        name: str,
        path: Path,
        progress: Callable[[int], None] | None = None,
        *,
        resume: bool = False,
    ) -> None:
        del progress, resume
        await self._turn()
        self._cluster.blobs[area, name] = (path.read_bytes(), {})

    async def put(self, area: Area, name: str, data: bytes) -> None:
        await self._turn()
        self._cluster.blobs[area, name] = (data, {})

    async def get(self, area: Area, name: str) -> bytes:
        await self._turn()
        return self._found(area, name)[0]

    def _found(self, area: Area, name: str) -> tuple[bytes, dict[str, str]]:
        try:
            return self._cluster.blobs[area, name]
        except KeyError:
            raise BlobMissing(f"There is no {name}.") from None

    async def size_of(self, area: Area, name: str) -> int | None:
        await self._turn()
        found = self._cluster.blobs.get((area, name))
        return None if found is None else len(found[0])

    async def download(self, area: Area, name: str, target: Path) -> Mapping[str, str]:
        await self._turn()
        data, metadata = self._found(area, name)
        with target.open("wb") as file:
            for at in range(0, len(data), PIECE):
                file.write(data[at : at + PIECE])
                file.flush()
                await asyncio.sleep(self._loop.draw("download"))
        await self._turn()
        return metadata

    async def listed(self, area: Area, prefix: str) -> list[StoredObject]:
        await self._turn()
        return [
            StoredObject(name=name, size=len(data))
            for (its_area, name), (data, _) in sorted(self._cluster.blobs.items())
            if its_area is area and name.startswith(prefix)
        ]

    async def remove(self, area: Area, prefix: str) -> int:
        await self._turn()
        gone = [key for key in self._cluster.blobs if key[0] is area and key[1].startswith(prefix)]
        for key in gone:
            del self._cluster.blobs[key]
        return len(gone)

    async def check(self) -> None:
        await self._turn()
