"""Databases of the cluster: complete in the storage, and held ready by nodes.

A database that a search needs and that is not in the storage is uploaded first, by a task of its own: the search waits
in the queue and says how far it is.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from blastd.aio import Tasks, duty
from blastd.config import KubernetesSettings
from blastd.core.engine import DatabaseAt, Trouble
from blastd.core.model import StepName
from blastd.engines.kubernetes import manifests
from blastd.engines.kubernetes.bootstrap import Bootstrap
from blastd.engines.kubernetes.client import ClusterClient
from blastd.engines.kubernetes.failures import ObjectExists
from blastd.engines.kubernetes.nodes import Nodes
from blastd.engines.kubernetes.objects import JobObject, PodObject, find
from blastd.engines.kubernetes.podplan import Manifest, warm_plan
from blastd.engines.kubernetes.push import find_manifest, push_database
from blastd.storage.contract import Storage, StorageFailure

log = structlog.get_logger()

SAVE = "save nodes"


@dataclass
class Push:
    """An upload: bytes done and in all, and why it failed."""

    done: int = 0
    total: int = 0
    failed: BaseException | None = None


class ClusterDatabases:
    """Finds, uploads and warms database generations."""

    def __init__(
        self,
        client: ClusterClient,
        storage: Storage,
        bootstrap: Bootstrap,
        settings: KubernetesSettings,
        script: str,
        nodes: Nodes,
    ) -> None:
        """Take the parts."""
        self.nodes = nodes
        self._client, self._storage, self._bootstrap, self._settings = client, storage, bootstrap, settings
        self._script = script
        self._known: dict[str, Manifest] = {}
        self._pushes: dict[str, Push] = {}
        self._signed: dict[str, datetime] = {}
        self._tasks: Tasks | None = None
        self._tell: Callable[[], None] = lambda: None

    def start_in(self, tasks: Tasks, tell: Callable[[], None]) -> None:
        """Take the owner of tasks, and what to call when an upload ended."""
        self._tasks, self._tell = tasks, tell

    async def find(self, databases: Sequence[DatabaseAt]) -> tuple[list[Manifest], Trouble | None]:
        """Return the manifests of *databases*, or what to wait for while one is uploaded. Raises StorageFailure, OSError."""
        found = []
        for database in databases:
            known = self._known.get(database.fingerprint) or await find_manifest(self._storage, database.fingerprint)
            if known is None:
                return [], self._push(database)
            self._known[database.fingerprint] = known
            found.append(known)
        return found, None

    async def of_job(self, job: JobObject) -> list[Manifest]:
        """Return the manifests of the databases of a Job of ours. Raises StorageFailure."""
        names = job.metadata.annotations.get(manifests.GENERATION, "")
        found = []
        for fingerprint in filter(None, names.split(",")):
            known = self._known.get(fingerprint) or await find_manifest(self._storage, fingerprint)
            if known is not None:
                self._known[fingerprint] = known
                found.append(known)
        return found

    def _push(self, database: DatabaseAt) -> Trouble:
        """Start the upload, or say how far it is."""
        push = self._pushes.get(database.fingerprint)
        if push is not None and push.failed is not None:
            del self._pushes[database.fingerprint]  # the next look starts it again
            code = getattr(push.failed, "code", "database_upload_failed")
            return Trouble(
                code=code,
                sentence=f"Database {database.name} could not be uploaded: {push.failed}",
                remedy="It is tried again from where it broke off.",
                retryable=True,
            )
        if push is None and self._tasks is not None:
            push = self._pushes[database.fingerprint] = Push(total=database.size_bytes)
            self._tasks.start(f"push {database.fingerprint}", self._upload(database, push))
        share = f"{push.done / push.total:.0%}" if push is not None and push.total else "0%"
        return Trouble(
            code="database_upload",
            sentence=f"Database {database.name} is being uploaded to the {self._storage.noun}, for the first search on it: {share}.",
            remedy="The search starts by itself then; 'blastd db push' does this ahead of time.",
            retryable=True,
            step=StepName.WARMING_UP,
        )

    async def _upload(self, database: DatabaseAt, push: Push) -> None:
        def progress(done: int, total: int) -> None:
            push.done, push.total = done, total

        try:
            await self._storage.ensure()
            self._known[database.fingerprint] = await push_database(self._storage, database, progress)
            del self._pushes[database.fingerprint]
        except (StorageFailure, OSError) as error:
            push.failed = error
        if push.failed is not None:
            log.warning("database_not_pushed", database=database.name, reason=str(push.failed))
        self._tell()

    # ------------------------------------------------------------------ nodes
    def note(self, job: JobObject, node: str) -> None:
        """Note that a node has searched a Job's databases, and so holds them."""
        names = job.metadata.annotations.get(manifests.GENERATION, "")
        for fingerprint in filter(None, names.split(",")):
            self._add(fingerprint, node)

    def look(self, pods: Iterable[PodObject]) -> None:
        """Note which nodes hold a generation by their warming pods, which are ready while it is there."""
        for pod in pods:
            fingerprint = pod.metadata.annotations.get(manifests.GENERATION, "")
            if not fingerprint:
                continue
            if find(pod.status.conditions, "Ready") is not None:
                self._add(fingerprint, pod.spec.node_name)
            elif self.nodes.remove(fingerprint, pod.spec.node_name):
                self._save()

    def _add(self, fingerprint: str, node: str) -> None:
        if self.nodes.add(fingerprint, node):
            self._save()

    def _save(self) -> None:
        if self._tasks is not None and SAVE not in self._tasks:
            self._tasks.start(SAVE, offload_save(self.nodes))

    async def keep_warm(self, pods: Iterable[PodObject]) -> None:
        """Renew the access of warming pods, which bring a generation again when it was taken away. Raises StorageFailure."""
        pods, now = tuple(pods), self._bootstrap.now()
        self.look(pods)
        half = timedelta(seconds=self._bootstrap.access_seconds / 2)
        for fingerprint in {pod.metadata.annotations.get(manifests.GENERATION, "") for pod in pods} - {""}:
            if fingerprint in self._signed and now - self._signed[fingerprint] < half:
                continue
            known = self._known.get(fingerprint) or await find_manifest(self._storage, fingerprint)
            if known is not None:
                name = manifests.warm_name(fingerprint, self._bootstrap.instance)
                await self._bootstrap.renew(name, await self._bootstrap.warm_access(name, known))
                self._signed[fingerprint] = now

    async def warm(self, database: DatabaseAt) -> str:
        """Upload a generation if it is not there, then have every node stage it. Raises ClusterFailure, StorageFailure."""
        if self._settings.cache not in manifests.KEPT:
            return f"Pods keep no database between searches (kubernetes.cache is {self._settings.cache}): nothing is brought."
        _, trouble = await self.find([database])
        if trouble is not None:
            return f"{trouble.sentence} Ask again when it is done."
        name = manifests.warm_name(database.fingerprint, self._bootstrap.instance)
        await self._bootstrap.ensure_scripts()
        known = self._known[database.fingerprint]
        access = await self._bootstrap.warm_access(name, known)
        plan = await self._bootstrap.spilled({"databases": [known.told]}, warm_plan(name))
        its_labels = {**manifests.owned(self._bootstrap.instance), manifests.GENERATION: name}
        await self._bootstrap.put_secret(name, its_labels, access, plan)
        try:
            await self._client.create_daemon_set(
                manifests.warmer(
                    database.fingerprint,
                    self._settings,
                    self._script,
                    self._bootstrap.instance,
                    self._bootstrap.warm_mounts(name),
                )
            )
        except ObjectExists:
            state = await self._client.get_daemon_set(name)
            told = state.get("status", {})
            return f"{told.get('numberReady', 0)} of {told.get('desiredNumberScheduled', 0)} nodes hold it."
        return "Every node that may search stages it now; ask again to see which hold it."


async def offload_save(nodes: Nodes) -> None:
    """Write the hint of nodes."""
    await duty(nodes.save)
