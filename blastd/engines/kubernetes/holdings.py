"""The jobs that the engine holds: their results fetched, their access renewed, a look when time alone changes what holds them up.

Memory only: what a restart loses is read again from the cluster and the storage.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

import structlog

from blastd.aio import Ended, Tasks
from blastd.clock import Clock
from blastd.core.ids import JobId
from blastd.core.model import Job
from blastd.engines.kubernetes import diagnosis, manifests
from blastd.engines.kubernetes.bootstrap import Bootstrap
from blastd.engines.kubernetes.clusterview import ClusterView
from blastd.engines.kubernetes.databases import ClusterDatabases
from blastd.engines.kubernetes.failures import ClusterFailure
from blastd.engines.kubernetes.objects import JobObject, PodObject
from blastd.engines.kubernetes.reading import KnownJob
from blastd.engines.kubernetes.result_fetches import ClusterJob, ResultFetches, idle
from blastd.engines.kubernetes.status import Units, units_of
from blastd.storage.contract import StorageFailure

log = structlog.get_logger()

PROBE_SECONDS = 1.0
PAGE = 50  # jobs looked at in one turn of the loop
UNASKED_SECONDS = 600.0  # every active job is asked for each minute


class Holdings:
    """Holds jobs by id, one attempt of each, and owns what is done for them outside."""

    def __init__(
        self,
        seen: ClusterView,
        fetches: ResultFetches,
        databases: ClusterDatabases,
        bootstrap: Bootstrap,
        clock: Clock,
        tell: Callable[[JobId], None],
    ) -> None:
        """Take the parts; *tell* passes on that something new is known of a job."""
        self._seen, self._fetches, self._databases, self._bootstrap = seen, fetches, databases, bootstrap
        self._clock, self._tell = clock, tell
        self._held: dict[JobId, ClusterJob] = {}
        self._tasks: Tasks | None = None

    def __iter__(self) -> Iterator[JobId]:
        """Return the ids of the jobs."""
        return iter(tuple(self._held))

    def start_in(self, tasks: Tasks | None) -> None:
        """Take the owner of tasks; None: start no more."""
        self._tasks = tasks

    def hold(self, job: Job) -> ClusterJob:
        """Return what is held of a job's attempt; one of another attempt is over."""
        held = self._held.get(job.job_id)
        if held is None or held.attempt != job.attempt:
            name = manifests.job_name(job.job_id, job.attempt)
            fresh = ClusterJob(job.job_id, job.attempt, name, job.program)
            if held is not None:
                self._end(held)
                fresh.fetching = held.fetching
            self._held[job.job_id] = held = fresh
            self.attend(held)
        held.asked_at = self._clock.monotonic()
        return held

    def told(self, job_id: JobId) -> None:
        """Take news of a Job or of one of its pods."""
        if (held := self._held.get(job_id)) is not None:
            self.attend(held)
        self._tell(job_id)

    def attend(self, held: ClusterJob) -> None:
        """Have the results of a job fetched; what runs already looks again."""
        found = self._seen.job(held.name)
        if found is None or held.over:
            return
        held.units = units_of(found)
        held.news.set()

        def objects() -> tuple[JobObject | None, Mapping[str, PodObject]]:
            return (None if held.over else self._seen.job(held.name)), self._seen.pods_of(held.name)

        def tell() -> None:
            for node in held.nodes:
                self._databases.note(found, node)
            held.nodes.clear()
            self._tell(held.job_id)

        def ended(_: BaseException | None) -> None:
            current = self._held.get(held.job_id)
            if current is not None and current.news.is_set():
                self.attend(current)  # for what came while it ended

        self._start(f"attend {held.name}", self._fetches.attend(held, objects, tell), ended)

    def probe(self, held: ClusterJob, units: Units) -> None:
        """Have fetched what a deleted Job left in the storage."""
        if not held.over:
            self._start(f"probe {held.name}", self._probe(held, units))

    async def _probe(self, held: ClusterJob, units: Units) -> None:
        whole = await self._fetches.fetch(held, units.all)
        if whole or held.trouble is None or held.trouble.code == "results_missing":
            held.probed, held.trouble = True, None
        else:
            await asyncio.sleep(PROBE_SECONDS)  # the storage is away: the next look asks again
        self._tell(held.job_id)

    def _start(self, name: str, work: Coroutine[Any, Any, None], ended: Ended | None = None) -> None:
        """Start a task unless it runs."""
        if self._tasks is None or name in self._tasks:
            work.close()
        else:
            self._tasks.start(name, work, ended)

    def idle(self) -> Iterator[tuple[ClusterJob, JobObject]]:
        """Give the jobs of which no pod has begun."""
        for held in self._held.values():
            found = self._seen.job(held.name)
            if found is not None and idle(found, self._seen.pods_of(held.name).values()):
                yield held, found

    async def look_at_idle(self) -> None:
        """Let searches look again that are held up by something else than when they last did: time alone may tell."""
        now = self._clock.now()
        for number, (held, found) in enumerate(tuple(self.idle()), 1):
            pods = self._seen.pods_of(held.name).values()
            if diagnosis.holding_up(found, pods, self._seen.warnings_of(held.name), now) != held.told:
                self._tell(held.job_id)
            if number % PAGE == 0:
                await asyncio.sleep(0)

    def known(self, held: ClusterJob) -> KnownJob:
        """Return what is known of a job besides its objects."""
        return KnownJob(
            attempt=held.attempt,
            program=held.program,
            harvested=held.harvested,
            harvest_trouble=held.trouble,
            events=self._seen.warnings_of(held.name),
            submitted=held.submitted,
            parts=held.parts,
            blast_version=held.blast_version,
        )

    async def stop(self, job_id: JobId) -> None:
        """End for good what is fetched for the attempt of a job, and return when nothing is any more."""
        held = self._held.get(job_id)
        if held is not None:
            self._end(held)
            async with held.fetching:
                return

    def _end(self, held: ClusterJob) -> None:
        held.over = True
        if self._tasks is not None:
            self._tasks.cancel(f"attend {held.name}")
            self._tasks.cancel(f"probe {held.name}")

    def drop(self, job_id: JobId) -> None:
        """Forget a job."""
        if (held := self._held.pop(job_id, None)) is not None:
            self._end(held)

    async def renew(self) -> None:
        """Renew the addresses of jobs that run for long, and of those that an earlier daemon signed."""
        now, half = self._clock.monotonic(), self._bootstrap.access_seconds / 2
        for job_id, held in tuple(self._held.items()):
            found = self._seen.job(held.name)
            if found is None and now - held.asked_at > UNASKED_SECONDS:
                self.drop(job_id)  # looked at by a reader who was late: active jobs are asked for every minute
            if found is None or held.units is None or (held.signed_at is not None and now - held.signed_at < half):
                continue
            try:
                databases = await self._databases.of_job(found)
                access = await self._bootstrap.access(job_id, held.attempt, held.units.all, databases)
                await self._bootstrap.renew(held.name, access)
            except (ClusterFailure, StorageFailure) as error:
                log.warning("access_not_renewed", job_id=job_id, reason=str(error))
                continue
            held.signed_at = now
