"""The Kubernetes engine: a job is one Indexed Job, watched by two reflectors, its results harvested as units finish.

What the cluster says comes from the view while the watches are healthy, and from GET and LIST while they are not. Units
count as done only when their output lies in the job's folder. `core.engine.Engine` says what each method means.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

import structlog

from blastd.aio import News, Tasks, duty, every, owning_tasks
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import AzureSettings, KubernetesSettings
from blastd.core.engine import (
    Absent,
    DatabaseAt,
    External,
    Health,
    Observation,
    Present,
    StepReport,
    Trouble,
    Unknown,
    Work,
)
from blastd.core.ids import JobId
from blastd.core.intervals import Intervals
from blastd.core.model import Job, Phase, StepName
from blastd.engines.kubernetes import causes, external, manifests
from blastd.engines.kubernetes.account import Account
from blastd.engines.kubernetes.attend import Attendant, Held
from blastd.engines.kubernetes.blob import BlobFailure, Blobs, open_blobs
from blastd.engines.kubernetes.bootstrap import Bootstrap
from blastd.engines.kubernetes.client import Access, Client, open_client
from blastd.engines.kubernetes.depot import Depot
from blastd.engines.kubernetes.failures import ClusterFailure, CoolDown, ObjectMissing, with_mend
from blastd.engines.kubernetes.nodes import Nodes
from blastd.engines.kubernetes.objects import JobObject, PodObject
from blastd.engines.kubernetes.podplan import query_blob
from blastd.engines.kubernetes.reading import Known, gone, reading, units_from
from blastd.engines.kubernetes.reflector import job_reflector, pod_reflector
from blastd.engines.kubernetes.refusals import refused
from blastd.engines.kubernetes.status import Units, units_of
from blastd.errors import OperationFailed

log = structlog.get_logger()

SHARD_BYTES = 8 << 30  # a database is split into shards of this size unless the settings say how many
WORTH_SECONDS = 20.0  # a pod takes seconds to start: less work is not worth another one
AT_ONCE = 64  # pods that the planner counts on
RENEW_SECONDS = 60.0
FORGET_SECONDS = 5.0  # a cluster that was away for a moment is waited for; else reconcile cleans up, within a minute
WOKEN = 4  # searches that try a cluster that may be back


class KubernetesEngine:
    """Runs units as pods; made by `open_kubernetes`, used through `core.engine.Engine`."""

    name = "kubernetes"
    outlives = True
    pushed_by = "watch"

    def __init__(
        self, client: Client, blobs: Blobs, settings: KubernetesSettings, folder: Path, clock: Clock, chance: Chance
    ) -> None:
        """Take the parts; *folder* holds a folder for each job."""
        self._client, self._blobs, self._settings, self._clock, self._folder = client, blobs, settings, clock, folder
        script = resources.files("blastd.engines.kubernetes").joinpath(manifests.SCRIPT).read_text("utf-8")
        self._bootstrap = Bootstrap(client, blobs, settings, script, clock)
        self._attendant = Attendant(client, blobs, folder, clock, chance.share)
        self.depot = Depot(client, blobs, self._bootstrap, settings, script, Nodes(folder.parent / "nodes.json"))
        self.jobs = job_reflector(client, manifests.SELECTOR, clock, chance.share, self._told)
        self.pods = pod_reflector(client, manifests.SELECTOR, clock, chance.share, self._told)
        self.jobs.on_health = self.pods.on_health = self._health_changed
        self._account = Account(blobs, clock)
        self._held: dict[JobId, Held] = {}
        self._ids: dict[str, JobId] = {}
        self._runs: dict[JobId, set[str]] = {}
        self._waiting: dict[JobId, None] = {}
        self._news = News[JobId]()
        self._tasks: Tasks | None = None

    # ------------------------------------------------------------------ own work
    async def run(self) -> None:
        """Keep the view true, and own the work of jobs, until cancelled."""
        async with owning_tasks() as tasks, asyncio.TaskGroup() as group:
            self._tasks = tasks
            self.depot.start_in(tasks, self._tell_waiting)
            try:
                group.create_task(self.jobs.run(), name="watch-jobs")
                group.create_task(self.pods.run(), name="watch-pods")
                group.create_task(self._account.run(), name="storage-account")
                often = min(RENEW_SECONDS, self._blobs.settings.sas_hours * 900.0)
                await every(often, self._renew, self._clock, "renew-access")
            finally:
                self._tasks = None

    async def changed(self) -> JobId:
        """Wait for the next job that something new is known of."""
        return await self._news.next()

    def health(self) -> Health:
        """Say how the watches and the storage account are, and what the planner needs."""
        watches = (self.jobs, self.pods)
        bad = [(each.bad_since, each.reason) for each in watches if each.bad_since is not None]
        if self._account.since is not None:
            bad.append((self._account.since, self._account.reason))
        return Health(
            ok=not bad,
            reason=" ".join(dict.fromkeys(reason for _, reason in bad)),
            since=min((since for since, _ in bad), default=None),
            watch=all(each.healthy for each in watches),
            facts={
                "jobs": len(self.jobs.view),
                "pods": len(self.pods.view),
                "calls": self._client.calls,
                "parallel": AT_ONCE,
                "threads": max(1, int(self._settings.cpu)),
                "shards": self._settings.shards or None,
                "shard_bytes": SHARD_BYTES,
                "worth_seconds": WORTH_SECONDS,
            },
        )

    def waiting(self) -> Sequence[JobId]:
        """Nothing waits here: the cluster has its own queue."""
        return ()

    # ------------------------------------------------------------------ submit
    async def submit(self, work: Work) -> Trouble | None:
        """Make the job's objects; what can't be made now is said, and tried again at the next look."""
        job = work.job
        self._waiting[job.job_id] = None
        seconds = dict[str, float]()
        held = self._hold(job)
        try:
            databases, trouble = await self.depot.find(work.databases)
            if trouble is not None:
                return trouble
            warm = all(self.depot.nodes.of(each.fingerprint) for each in work.databases)
            begin = self._clock.now()
            made = await self._bootstrap.run(work, databases, seconds, staging=not warm)
        except OperationFailed as error:
            return self._later(refused(error.__cause__ or error, str(error)))
        except (ClusterFailure, BlobFailure, OSError) as error:
            return self._later(refused(error, str(error)))
        finally:
            held.parts |= {name: round(value, 3) for name, value in seconds.items()}
        held.submitted = StepReport(
            name=StepName.SUBMITTING, started_at=begin, ended_at=self._clock.now(), parts=held.parts
        )
        held.began = held.signed_at = self._clock.monotonic()
        held.probed = False
        self._waiting.pop(job.job_id, None)
        self._ids[held.name] = job.job_id
        self.jobs.view.put(made)
        return None

    def _later(self, trouble: Trouble) -> Trouble:
        """Let searches that wait be handed over when the cluster has cooled down, rather than at their next look."""
        if self._client.cool.left > 0:
            self._start("wake waiting", self._wake())
        return trouble

    async def _wake(self) -> None:
        """Wake the first that wait; more would all meet a cluster that is still away."""
        await asyncio.sleep(self._client.cool.left)
        for job_id in tuple(self._waiting)[:WOKEN]:
            self._tell(job_id)

    # ------------------------------------------------------------------ observe
    def glance(self, job: Job) -> Observation | None:
        """Say what the view knows of *job*; None while it can't be trusted or is older than the job."""
        if not (self.jobs.healthy and self.pods.healthy):
            return None
        if job.source == "external":
            return self._glance_external(job)
        name = manifests.job_name(job.job_id, job.attempt)
        found = self._object(name)
        if found is not None:
            return reading(found, tuple(self.pods.view.of(name).values()), self._known(job), self._clock.now())
        held = self._hold(job)
        since = held.submitted.ended_at if held.submitted is not None else None
        listed = self.jobs.listed_at
        if since is not None and (listed is None or listed <= since) and held.units is None:
            return None  # made a moment ago, not seen by the watch yet
        return self._absent(job, held)

    async def observe(self, job: Job) -> Observation:
        """Ask the API server: one GET and one LIST of the job's pods."""
        if job.source == "external":
            return Unknown(reason=self.jobs.reason or self.pods.reason, since=self.jobs.bad_since)
        name = manifests.job_name(job.job_id, job.attempt)
        try:
            found = await self._client.get_job(name)
            pods = await self._client.list_pods(manifests.of_job(job.job_id))
        except ObjectMissing:
            return self._absent(job, self._hold(job))
        except ClusterFailure as error:
            return Unknown(reason=with_mend(error), since=self._client.cool.since)
        mine = tuple(pod for pod in pods if pod.job_name == name)
        self._attend(job.job_id, found, {pod.metadata.uid: pod for pod in mine})
        return reading(found, mine, self._known(job), self._clock.now())

    def _absent(self, job: Job, held: Held) -> Observation:
        """Say what the absence of the object means: not made yet, or deleted by somebody."""
        units = held.units or units_from(job)
        if units is None:
            return Absent(reason="The Kubernetes Job is not there yet.", resumable=True)
        held.units = units
        if not held.probed:
            self._start(f"probe {held.name}", self._probe(held, units))
            return Present(phase=Phase.RESULTS_PENDING, waiting_for="results", units=tuple(held.harvested.values()))
        return gone(held.name, self._known(job), units, held.trouble or causes.lost(held.name))

    async def _probe(self, held: Held, units: Units) -> None:
        """Fetch what a deleted Job left in the storage account."""
        left = [unit for unit in units.all if unit not in held.harvested]
        whole = await self._attendant.fetch(held, left)
        if whole or held.trouble is None or held.trouble.code == "results_missing":
            held.probed, held.trouble = True, None
        else:
            await asyncio.sleep(1.0)  # the storage account is away: the next look asks again
        self._tell(held.job_id)

    def _known(self, job: Job) -> Known:
        held = self._hold(job)
        return Known(
            attempt=job.attempt,
            program=job.program,
            harvested=held.harvested,
            harvest_trouble=held.trouble,
            events=held.events,
            submitted=held.submitted,
            parts=held.parts,
            blast_version=held.blast_version,
        )

    def _glance_external(self, job: Job) -> Observation:
        its_jobs = self._run_of(job.job_id)
        if not its_jobs:
            return Present(
                phase=Phase.RUNNING,
                ended=True,
                trouble=causes.run_failed("", "its Jobs were deleted before it was seen to end"),
            )
        pods = {uid: pod for each in its_jobs for uid, pod in self.pods.view.of(each.metadata.name).items()}
        return external.observed(its_jobs, pods)

    async def collect(self, job: Job, folder: str) -> Trouble | None:
        """Do nothing: outputs were fetched before the job counted as ended."""
        del job, folder
        return None

    # ------------------------------------------------------------------ cancel, forget
    async def cancel(self, job: Job) -> bool:
        """Delete every Job of *job*; True once no pod of it is left."""
        selector = manifests.of_job(job.job_id)
        try:
            if job.source == "external":
                named = self._run_of(job.job_id)
                selector = (
                    f"{manifests.ELB_JOB}={external.run_of(named[0])}"
                    if named and external.run_of(named[0])
                    else selector
                )
            for each in await self._client.list_jobs(selector):
                if each.metadata.deletion_timestamp is None:
                    await self._delete_job(each)
            pods = await self._client.list_pods(selector)
            left = await self._client.list_jobs(selector)
        except ClusterFailure as error:
            log.warning("cancel_refused", job_id=job.job_id, reason=str(error))
            return False
        return not pods and not left

    async def forget(self, job: Job) -> bool:
        """Remove the objects and blobs of an ended *job*; what somebody else started is left alone."""
        if job.source == "external":
            self._drop(job.job_id)
            return True
        await asyncio.sleep(min(self._client.cool.left, FORGET_SECONDS))
        try:
            for each in await self._client.list_jobs(manifests.of_job(job.job_id)):
                await self._delete_job(each)
            for attempt in range(1, job.attempt + 1):
                await self._delete_secret(manifests.job_name(job.job_id, attempt))
            await self._blobs.remove(self._blobs.settings.queries_container, query_blob(job.job_id))
            await self._blobs.remove(self._blobs.settings.results_container, f"{job.job_id}/")
        except (ClusterFailure, BlobFailure) as error:
            log.warning("clean_up_failed", job_id=job.job_id, reason=str(error))
            return False
        self._drop(job.job_id)
        return True

    async def _delete_job(self, found: JobObject) -> None:
        try:
            await self._client.delete_job(found.metadata.name, found.metadata.uid)
        except ObjectMissing:
            return

    async def _delete_secret(self, name: str) -> None:
        try:
            await self._client.delete_secret(name)
        except ObjectMissing:
            return

    def _drop(self, job_id: JobId) -> None:
        held = self._held.pop(job_id, None)
        if held is not None:
            self._ids.pop(held.name, None)
        self._news.drop(job_id)
        self._waiting.pop(job_id, None)
        self._runs.pop(job_id, None)

    # ------------------------------------------------------------------ externals, databases
    async def externals(self) -> Sequence[External]:
        """List all runs with adoption labels; ours are known to the store, which decides."""
        if not self._settings.adopt_external or not (self.jobs.healthy and self.pods.healthy):
            return ()
        return external.listed(self._all_jobs())

    async def warm(self, database: DatabaseAt) -> str:
        """Bring a generation to every node ahead of searches; returns what was begun. Raises ClusterFailure, BlobFailure."""
        return await self.depot.warm(database)

    def warm_nodes(self, fingerprint: str) -> tuple[str, ...]:
        """Return the nodes that hold a generation."""
        return self.depot.nodes.of(fingerprint)

    # ------------------------------------------------------------------ parts
    def _all_jobs(self) -> list[JobObject]:
        view = self.jobs.view
        return [each for group in view.groups() for each in view.of(group).values()]

    def _run_of(self, job_id: JobId) -> list[JobObject]:
        """Return the Jobs of a run of somebody else's."""
        return [found for name in sorted(self._runs.get(job_id, ())) if (found := self._object(name)) is not None]

    def _object(self, name: str) -> JobObject | None:
        return next(iter(self.jobs.view.of(name).values()), None)

    def _hold(self, job: Job) -> Held:
        held = self._held.get(job.job_id)
        if held is None or held.attempt != job.attempt:
            name = manifests.job_name(job.job_id, job.attempt)
            held = Held(job.job_id, job.attempt, name, began=self._clock.monotonic())
            self._held[job.job_id] = held
            self._ids[name] = job.job_id
            found = self._object(name)
            if found is not None:
                self._attend(job.job_id, found, self.pods.view.of(name))
        return held

    def _told(self, name: str) -> None:
        """Take news of a Job or of one of its pods, by the Job's name."""
        if not name:  # a pod of no Job: one that warms its node
            self.depot.look(self.pods.view.of("").values())
            return
        found = self._object(name)
        job_id = self._ids.get(name) or (external.id_of(found) if found is not None else None)
        if job_id is None:
            return
        if found is None and job_id in self._runs:
            self._runs[job_id].discard(name)
        if found is not None:
            self._ids[name] = job_id
            if job_id not in self._held:
                self._runs.setdefault(job_id, set()).add(name)
            self._attend(job_id, found, self.pods.view.of(name))
        self._tell(job_id)

    def _attend(self, job_id: JobId, found: JobObject, pods: Mapping[str, PodObject]) -> None:
        """Start the outside work of a job of ours that the engine holds."""
        held = self._held.get(job_id)
        if held is None or held.name != found.metadata.name:
            return
        held.units = units_of(found)
        held.news.set()

        def now() -> tuple[JobObject | None, Mapping[str, PodObject]]:
            if self.jobs.healthy:
                return self._object(held.name), self.pods.view.of(held.name)
            return (found, pods) if self._held.get(job_id) is held else (None, {})

        def tell() -> None:
            for node in held.nodes:
                self.depot.note(found, node)
            held.nodes.clear()
            self._tell(job_id)

        self._start(f"attend {held.name}", self._attendant.attend(held, now, tell))

    def _start(self, name: str, work: object) -> None:
        if self._tasks is None:
            work.close()  # type: ignore[attr-defined]  # a coroutine
            return
        self._tasks.start(name, work)  # type: ignore[arg-type]  # as above

    def _tell(self, job_id: JobId) -> None:
        self._news.tell(job_id)

    def _tell_waiting(self) -> None:
        for job_id in tuple(self._waiting):
            self._tell(job_id)

    def _health_changed(self) -> None:
        """Let every job look again: rows turn stale, or true again, at once."""
        for job_id in {*self._held, *self._waiting}:
            self._tell(job_id)

    async def _renew(self) -> None:
        """Renew the addresses of jobs that run for long, and of those that an earlier daemon signed."""
        now, half = self._clock.monotonic(), self._blobs.settings.sas_hours * 1800.0
        for job_id, held in tuple(self._held.items()):
            found = self._object(held.name)
            if found is None or held.units is None or (held.signed_at is not None and now - held.signed_at < half):
                continue
            try:
                databases = await self.depot.of_job(found)
                access = self._bootstrap.access(job_id, held.attempt, held.units.all, databases, self._clock.now())
                await self._bootstrap.renew(held.name, access)
            except (ClusterFailure, BlobFailure) as error:
                log.warning("access_not_renewed", job_id=job_id, reason=str(error))
                continue
            held.signed_at = now


@asynccontextmanager
async def open_kubernetes(
    kubernetes: KubernetesSettings,
    azure: AzureSettings,
    *,
    kubeconfig: Path | None,
    jobs_folder: Path,
    clock: Clock,
    chance: Chance,
) -> AsyncIterator[KubernetesEngine]:
    """Give the engine; nothing is asked of the cluster yet. *kubeconfig* None: the in-cluster account. Raises ConfigError."""
    access = Access(
        kubeconfig=kubeconfig,
        context=kubernetes.context,
        namespace=kubernetes.namespace,
        request_seconds=kubernetes.request_seconds,
    )
    cool = CoolDown(clock, Intervals(), chance.share)
    async with open_client(access, clock, cool) as client, open_blobs(azure) as blobs:
        yield KubernetesEngine(client, blobs, kubernetes, await duty(jobs_folder.resolve), clock, chance)
