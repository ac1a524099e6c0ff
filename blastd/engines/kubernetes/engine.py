"""The Kubernetes engine: a job is one Indexed Job, watched by two reflectors, its results harvested as units finish.

What the cluster says comes from the view while the watches are healthy, and from GET and LIST while they are not. Units
count as done only when their output lies in the job's folder. `core.engine.Engine` says what each method means.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path

import structlog

from blastd.aio import News, Tasks, every, owning_tasks
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import KubernetesSettings
from blastd.core.engine import (
    Absent,
    Capacity,
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
from blastd.core.model import Job, Phase, Status, StepName
from blastd.engines.kubernetes import causes, external, manifests
from blastd.engines.kubernetes.account import Account
from blastd.engines.kubernetes.bootstrap import Bootstrap, units_in
from blastd.engines.kubernetes.client import ClusterClient
from blastd.engines.kubernetes.clusterview import ClusterView
from blastd.engines.kubernetes.databases import ClusterDatabases
from blastd.engines.kubernetes.failures import ClusterFailure, ObjectMissing
from blastd.engines.kubernetes.holdings import Holdings
from blastd.engines.kubernetes.nodes import Nodes
from blastd.engines.kubernetes.objects import JobObject
from blastd.engines.kubernetes.podplan import Manifest, job_plan, unit_blob
from blastd.engines.kubernetes.reading import gone, reading, units_from
from blastd.engines.kubernetes.refusals import refused
from blastd.engines.kubernetes.result_fetches import ClusterJob, ResultFetches
from blastd.engines.kubernetes.status import Stage, Units, pod_facts, units_of
from blastd.engines.kubernetes.tenure import Tenure
from blastd.errors import OperationFailed
from blastd.storage.contract import Area, Storage, StorageFailure

log = structlog.get_logger()

SHARD_BYTES = 8 << 30  # a database is split into shards of this size unless the settings say how many
WORTH_SECONDS = 20.0  # a pod takes seconds to start: less work is not worth another one
AT_ONCE = 64  # pods that the planner counts on
RENEW_SECONDS = 60.0
FORGET_SECONDS = 5.0  # a cluster that was away for a moment is waited for; else reconcile cleans up, within a minute
IDLE_SECONDS = 5.0
WAKE = "wake waiting"
WOKEN = 4  # searches that try a cluster that may be back


class KubernetesEngine:
    """Runs units as pods; made by `opening.open_kubernetes`, used through `core.engine.Engine`."""

    name = "kubernetes"
    outlives = True

    def __init__(
        self,
        client: ClusterClient,
        storage: Storage,
        settings: KubernetesSettings,
        folder: Path,
        clock: Clock,
        chance: Chance,
        blast_version: str = "",
        instance: str = "",
        tenure: Tenure | None = None,
    ) -> None:
        """Take the parts; *folder* holds a folder for each job, *blast_version* is what pods have to search with.

        *instance* names the store, *tenure* says whether we alone work for it (None: nobody else can).
        """
        self._tenure = tenure
        self._client, self._storage, self._settings = client, storage, settings
        self._clock = clock
        script = resources.files("blastd.engines.kubernetes").joinpath(manifests.SCRIPT).read_text("utf-8")
        self._bootstrap = Bootstrap(client, storage, settings, script, clock, blast_version, instance)
        self.databases = ClusterDatabases(
            client, storage, self._bootstrap, settings, script, Nodes(folder.parent / "nodes.json", clock)
        )
        self.seen = ClusterView(
            client,
            clock,
            chance.share,
            self._told,
            self.databases.look,
            on_health=self._health_changed,
            warnings_needed=lambda: any(self._holdings),
            instance=instance,
        )
        fetches = ResultFetches(storage, folder, chance.share)
        self._holdings = Holdings(self.seen, fetches, self.databases, self._bootstrap, clock, self._tell)
        self._account = Account(storage, clock)
        self._waiting: dict[JobId, None] = {}
        self._news = News[JobId]()
        self._tasks: Tasks | None = None
        self._begun = clock.now()

    @property
    def pushed_by(self) -> str:
        """Return what brings the news: watches, or lists while a watch does not serve."""
        return "watch" if self.seen.watching else "poll"

    # ------------------------------------------------------------------ own work
    async def run(self) -> None:
        """Keep the view true, and own the work of jobs, until cancelled."""
        async with owning_tasks() as tasks, asyncio.TaskGroup() as group:
            self._tasks = tasks
            self._holdings.start_in(tasks)
            self.databases.start_in(tasks, self._tell_waiting)
            try:
                group.create_task(self.seen.run(), name="view-cluster")
                group.create_task(self._account.run(), name="storage-account")
                if self._tenure is not None:
                    group.create_task(self._tenure.run(), name="lease")
                group.create_task(
                    every(IDLE_SECONDS, self._holdings.look_at_idle, self._clock, "idle-searches"), name="idle"
                )
                often = min(RENEW_SECONDS, self._storage.grant_seconds / 4)
                await every(often, self._renew, self._clock, "renew-access")
            finally:
                self._tasks = None
                self._holdings.start_in(None)

    async def changed(self) -> JobId:
        """Wait for the next job that something new is known of."""
        return await self._news.next()

    def health(self) -> Health:
        """Say how view and storage account are, how old the last proof is, and what the planner needs."""
        reason, since = self.seen.trouble
        bad = [(reason, since)] if reason else []
        if self._account.since is not None:
            bad.append((self._account.reason, self._account.since))
        if self._tenure is not None and (other := self._tenure.refusal()) is not None:
            bad.append((other.text, self._tenure.since))
        watches = self.seen.watch_trouble
        return Health(
            ok=not bad and not watches,
            down=bool(bad),
            reason=" ".join(reason for reason, _ in bad) or watches,
            since=min((since for _, since in bad if since is not None), default=None),
            watch=self.seen.watching,
            proven_at=self.seen.proven_at,
            watches=self.seen.watches(),
            capacity=Capacity(
                at_once=AT_ONCE,
                threads=max(1, int(self._settings.cpu)),
                worth_seconds=WORTH_SECONDS,
                shards=self._settings.shards or None,
                shard_bytes=SHARD_BYTES,
                jobs=len(self.seen.jobs.view),
            ),
        )

    def places(self) -> Mapping[JobId, int]:
        """Nothing waits here: the cluster has its own queue."""
        return {}

    def run_times(self) -> Mapping[JobId, int]:
        """Return nothing: the cluster counts, each Job has its activeDeadlineSeconds."""
        return {}

    # ------------------------------------------------------------------ submit
    async def prepare(self, work: Work) -> Trouble | None:
        """Have the databases brought to the storage, and wait for a cluster that cools down."""
        self._waiting[work.job.job_id] = None
        try:
            self._client.cool.check()
            return (await self.databases.find(work.databases))[1]
        except (ClusterFailure, StorageFailure, OSError) as error:
            return self._later(refused(error, str(error)))

    async def submit(self, work: Work) -> Trouble | None:
        """Make the job's objects; what can't be made now is said, and tried again at the next look."""
        job = work.job
        self._waiting[job.job_id] = None
        held = self._holdings.hold(job)
        try:
            if (trouble := await self._elsewhere()) is not None:
                return trouble
            databases, trouble = await self.databases.find(work.databases)
            if trouble is not None:
                return trouble
            if (held.tried or job.created_at < self._begun) and await self._has_results(work, held):
                self._waiting.pop(job.job_id, None)
                return None
            await self._make(work, databases, held)
        except OperationFailed as error:
            return self._later(refused(error.__cause__ or error, str(error)))
        except (ClusterFailure, StorageFailure, OSError) as error:
            return self._later(refused(error, str(error)))
        self._waiting.pop(job.job_id, None)
        return None

    async def _make(self, work: Work, databases: Sequence[Manifest], held: ClusterJob) -> None:
        """Make the job's objects, and note which units its Job runs: somebody may delete it before we hear of it."""
        kept = self._settings.cache in manifests.KEPT
        warm = manifests.in_place(self._settings) or (
            kept and all(self.databases.nodes.of(each.fingerprint) for each in work.databases)
        )
        seconds, begin = dict[str, float](), self._clock.now()
        again, held.tried = held.tried, True
        try:
            made = await self._bootstrap.run(work, databases, seconds, staging=not warm, again=again)
        finally:
            held.parts |= {name: round(value, 3) for name, value in seconds.items()}
        held.submitted = StepReport(
            name=StepName.SUBMITTING, started_at=begin, ended_at=self._clock.now(), parts=held.parts
        )
        held.signed_at, held.units, held.probed = self._clock.monotonic(), units_of(made), False
        self.seen.jobs.view.put(made)

    async def _has_results(self, work: Work, held: ClusterJob) -> bool:
        """Tell whether the storage holds all results of this attempt: then nothing has to run again."""
        plan = job_plan(work, self._settings, staging=False)
        prefix = f"{work.job.job_id}/{work.job.attempt}/"
        names = {each.name for each in await self._storage.listed(Area.RESULTS, prefix)}
        if not all(unit_blob(work.job.job_id, work.job.attempt, unit) in names for unit in units_in(plan)):
            return False
        held.units, held.probed = Units(own=tuple(units[0] for units in plan.completions), riders=plan.riders), False
        return True

    def _later(self, trouble: Trouble) -> Trouble:
        """Let searches that wait be handed over when the cluster has cooled down, rather than at their next look."""
        if self._client.cool.left > 0 and self._tasks is not None and WAKE not in self._tasks:
            self._tasks.start(WAKE, self._wake())
        return trouble

    async def _wake(self) -> None:
        """Wake the first that wait; more would all meet a cluster that is still away."""
        await asyncio.sleep(self._client.cool.left)
        for job_id in tuple(self._waiting)[:WOKEN]:
            self._tell(job_id)

    # ------------------------------------------------------------------ observe
    def glance(self, job: Job) -> Observation | None:
        """Say what the view knows of *job*; None while it can't be trusted."""
        if not self.seen.healthy:
            return None
        if job.source == "external":
            return self.seen.observed_run(job.job_id)
        held = self._holdings.hold(job)
        found = self.seen.job(held.name)
        if found is None:
            return self._absent(job, held)
        pods = tuple(self.seen.pods_of(held.name).values())
        seen = reading(found, pods, self._holdings.known(held), self._clock.now())
        held.told = seen.trouble
        return seen

    async def observe(self, job: Job) -> Observation:
        """Say what the view knows, once the first lists have ended: it is true by lists where no watch serves."""
        await self.seen.wait_known()
        reason, since = self.seen.trouble
        return self.glance(job) or Unknown(reason=reason, since=since)

    def _absent(self, job: Job, held: ClusterJob) -> Observation:
        """Say what the absence of the object means: not made yet, or deleted by somebody."""
        units = held.units or units_from(job)
        if units is None:
            return Absent(reason="The Kubernetes Job is not there yet.", resumable=True)
        held.units = units
        if not held.probed:
            self._holdings.probe(held, units)
            return Present(phase=Phase.RESULTS_PENDING, waiting_for="results", units=tuple(held.harvested.values()))
        return gone(held.name, self._holdings.known(held), units, held.trouble or causes.lost(held.name))

    async def collect(self, job: Job, folder: str) -> Trouble | None:
        """Do nothing: outputs were fetched before the job counted as ended."""
        del job, folder
        return None

    # ------------------------------------------------------------------ cancel, forget
    async def cancel(self, job: Job) -> bool:
        """Delete every Job of *job*; True once no pod of it is left and nothing is fetched any more."""
        await self._holdings.stop(job.job_id)
        theirs = self.seen.run_of(job.job_id) if job.source == "external" else []
        run = external.run_of(theirs[0]) if theirs else ""
        selector = f"{manifests.ELB_JOB}={run}" if run else manifests.of_job(job.job_id)
        try:
            if await self._elsewhere() is not None:
                return False
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
        await self._holdings.stop(job.job_id)
        await asyncio.sleep(min(self._client.cool.left, FORGET_SECONDS))
        try:
            if await self._elsewhere() is not None:
                return False
            for each in await self._client.list_jobs(manifests.of_job(job.job_id)):
                await self._delete_job(each)
            for attempt in range(1, job.attempt + 1):
                with suppress(ObjectMissing):
                    await self._client.delete_secret(manifests.job_name(job.job_id, attempt))
            if await self._runs(job):
                return False
            await self._storage.remove(Area.QUERIES, f"{job.job_id}/")
            await self._storage.remove(Area.RESULTS, f"{job.job_id}/")
        except (ClusterFailure, StorageFailure) as error:
            log.warning("clean_up_failed", job_id=job.job_id, reason=str(error))
            return False
        self._drop(job.job_id)
        return True

    async def _elsewhere(self) -> Trouble | None:
        """Return that another daemon works for this store, so that nothing may be made or removed. Raises ClusterFailure."""
        return await self._tenure.trouble() if self._tenure is not None else None

    async def _runs(self, job: Job) -> bool:
        """Tell whether a pod of *job* may still publish a result, which nobody would remove then. Raises ClusterFailure.

        All pods of a completed search have told their end. Of another, one may have begun a moment ago, which the watch has
        not told yet: the API server is asked.
        """
        if job.status is Status.COMPLETED:
            names = (manifests.job_name(job.job_id, attempt) for attempt in range(1, job.attempt + 1))
            pods = [pod for name in names for pod in self.seen.pods.view.of(name).values()]
        else:
            pods = list(await self._client.list_pods(manifests.of_job(job.job_id)))
        told = map(pod_facts, pods)
        return any(pod.exit_code is None and pod.stage in (Stage.STAGING, Stage.RUNNING) for pod in told)

    async def _delete_job(self, found: JobObject) -> None:
        with suppress(ObjectMissing):
            await self._client.delete_job(found.metadata.name, found.metadata.uid)

    def _drop(self, job_id: JobId) -> None:
        self._holdings.drop(job_id)
        self._news.drop(job_id)
        self._waiting.pop(job_id, None)

    # ------------------------------------------------------------------ externals, databases
    async def externals(self) -> Sequence[External]:
        """List all runs with adoption labels; ours are known to the store, which decides."""
        if not self._settings.adopt_external or not self.seen.healthy:
            return ()
        return external.listed(self.seen.all_jobs())

    async def warm(self, database: DatabaseAt) -> str:
        """Bring a generation to every node ahead of searches; returns what was begun. Raises ClusterFailure, StorageFailure."""
        return await self.databases.warm(database)

    def warm_nodes(self, fingerprint: str) -> tuple[str, ...]:
        """Return the nodes that hold a generation."""
        return self.databases.nodes.of(fingerprint)

    # ------------------------------------------------------------------ parts
    async def _renew(self) -> None:
        """Renew what pods need to reach the storage account."""
        await self._holdings.renew()
        try:
            await self.databases.keep_warm(self.seen.warmers())
        except (ClusterFailure, StorageFailure) as error:
            log.warning("warm_access_not_renewed", reason=str(error))

    def _told(self, job_id: JobId) -> None:
        """Take news of a Job or of one of its pods."""
        self._holdings.told(job_id)

    def _tell(self, job_id: JobId) -> None:
        self._news.tell(job_id)

    def _tell_waiting(self) -> None:
        for job_id in tuple(self._waiting):
            self._tell(job_id)

    def _health_changed(self) -> None:
        """Let every job look again: rows turn stale, or true again, at once."""
        for job_id in {*self._holdings, *self._waiting}:
            self._tell(job_id)
