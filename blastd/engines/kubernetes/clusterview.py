"""The namespace as the engine sees it: Jobs, pods and warnings in memory, found by the job that they belong to.

Three reflectors keep it true, whatever the number of jobs; nothing here asks for one job. What the objects mean is said in
`reading` and `external`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import structlog

from blastd.clock import Clock
from blastd.core.engine import Present, WatchHealth
from blastd.core.ids import JobId
from blastd.core.model import Phase
from blastd.engines.kubernetes import causes, external, manifests
from blastd.engines.kubernetes.client import ClusterClient
from blastd.engines.kubernetes.objects import EventList, EventObject, JobList, JobObject, PodList, PodObject
from blastd.engines.kubernetes.reflector import SILENT_SECONDS, Kind, ObjectView, Reflector

log = structlog.get_logger()

JOBS = Kind(name="jobs", page=JobList, shape=JobObject, selector=manifests.SELECTOR)
PODS = Kind(name="pods", page=PodList, shape=PodObject, selector=manifests.SELECTOR)
WARNINGS = Kind(name="events", page=EventList, shape=EventObject, fields="type=Warning")
"""Events can't be chosen by label; those that explain why something waits are warnings."""


class ClusterView:
    """What is known of the namespace. `run` keeps it true; everything else reads memory."""

    def __init__(
        self,
        client: ClusterClient,
        clock: Clock,
        jitter: Callable[[], float],
        tell: Callable[[JobId], None],
        tell_warmers: Callable[[Iterable[PodObject]], None],
        *,
        on_health: Callable[[], None],
        warnings_needed: Callable[[], bool],
        instance: str = "",
    ) -> None:
        """Take what to call with a job of which something changed, and with all pods of no Job when one of them did.

        Objects of the daemons of other stores than *instance* are not seen. *on_health* is called when Jobs or pods begin or cease to be true, *warnings_needed* says whether a search waits
        that a warning could explain.
        """
        self._tell, self._tell_warmers, self._clock, self._instance = tell, tell_warmers, clock, instance
        self.jobs = Reflector(
            client,
            JOBS,
            ObjectView[JobObject](lambda job: job.metadata.name, self._job_told, self._ours),
            clock,
            jitter,
            on_health=on_health,
        )
        self.pods = Reflector(
            client,
            PODS,
            ObjectView[PodObject](lambda pod: pod.job_name, self._pod_told, self._ours),
            clock,
            jitter,
            on_health=on_health,
        )
        self.warnings = Reflector(
            client,
            WARNINGS,
            ObjectView[EventObject](lambda event: event.involved_object.name, self._warned),
            clock,
            jitter,
            needed=warnings_needed,
        )
        self._ids: dict[str, JobId] = {}
        self._names: dict[JobId, set[str]] = {}

    async def run(self) -> None:
        """Keep the view true until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in (self.jobs, self.pods, self.warnings):
                group.create_task(each.run())

    # ------------------------------------------------------------------ how true it is
    @property
    def healthy(self) -> bool:
        """Tell whether Jobs and pods are as the cluster has them."""
        return self.jobs.healthy and self.pods.healthy

    @property
    def watching(self) -> bool:
        """Tell whether watches bring the news; else lists do."""
        return self.jobs.watching and self.pods.watching

    @property
    def proven_at(self) -> datetime | None:
        """Return when the view was last proven true as a whole."""
        return min((at for at in (self.jobs.proven_at, self.pods.proven_at) if at is not None), default=None)

    @property
    def trouble(self) -> tuple[str, datetime | None]:
        """Return why the view can't be trusted and since when, empty while it can."""
        bad = [each for each in (self.jobs, self.pods) if not each.healthy]
        silent = f"The cluster has not been heard of for {SILENT_SECONDS:.0f} s."
        reasons = dict.fromkeys(each.reason or silent for each in bad)
        return " ".join(reasons), min((since for each in bad if (since := each.since) is not None), default=None)

    @property
    def watch_trouble(self) -> str:
        """Return what is wrong with the watches, empty while nothing is."""
        return " ".join(
            dict.fromkeys(each.watch_reason for each in (self.jobs, self.pods, self.warnings) if each.watch_reason)
        )

    def watches(self) -> tuple[WatchHealth, ...]:
        """Return how each watch is."""
        return tuple(
            WatchHealth(
                name=each.name, ok=each.watching, proven_at=each.proven_at, reason=each.watch_reason or each.reason
            )
            for each in (self.jobs, self.pods, self.warnings)
        )

    async def wait_known(self) -> None:
        """Wait until the first lists have ended, well or not."""
        for each in (self.jobs, self.pods):
            await each.wait_known()

    # ------------------------------------------------------------------ what is there
    def job(self, name: str) -> JobObject | None:
        """Return a Job by its name."""
        return next(iter(self.jobs.view.of(name).values()), None)

    def pods_of(self, name: str) -> Mapping[str, PodObject]:
        """Return the pods of a Job by uid."""
        return self.pods.view.of(name)

    def warnings_of(self, name: str) -> tuple[EventObject, ...]:
        """Return the warnings about a Job and its pods."""
        view = self.warnings.view
        names = (name, *(pod.metadata.name for pod in self.pods_of(name).values())) if len(view) else ()
        return tuple(event for each in names for event in view.of(each).values())

    def all_jobs(self) -> list[JobObject]:
        """Return every Job."""
        view = self.jobs.view
        return [job for name in view.groups() for job in view.of(name).values()]

    def warmers(self) -> list[PodObject]:
        """Return the pods of no Job: those that warm their node."""
        return list(self.pods_of("").values())

    def run_of(self, job_id: JobId) -> list[JobObject]:
        """Return the Jobs that belong to a job, or to a run of somebody else's."""
        return [job for name in sorted(self._names.get(job_id, ())) if (job := self.job(name)) is not None]

    def observed_run(self, job_id: JobId) -> Present:
        """Return what is seen of a run that somebody else started."""
        its_jobs = self.run_of(job_id)
        if not its_jobs:
            trouble = causes.run_failed("", "its Jobs were deleted before it was seen to end")
            return Present(phase=Phase.RUNNING, ended=True, trouble=trouble)
        pods = {each.metadata.name: tuple(self.pods_of(each.metadata.name).values()) for each in its_jobs}
        warnings = tuple(event for name in pods for event in self.warnings_of(name))
        return external.observed(its_jobs, pods, warnings, self._clock.now())

    def _ours(self, item: JobObject | PodObject) -> bool:
        """Tell whether an object is none of another store's daemon; earlier blastd did not label its own."""
        return item.metadata.labels.get(manifests.INSTANCE, self._instance) == self._instance

    # ------------------------------------------------------------------ news
    def _job_told(self, name: str) -> None:
        job = self.job(name)
        job_id = external.id_of(job) if job is not None else self._ids.get(name)
        if job_id is None:
            return
        if job is not None:
            self._ids[name] = job_id
            self._names.setdefault(job_id, set()).add(name)
        self._tell(job_id)
        self._let_go(name)

    def _let_go(self, name: str) -> None:
        """Drop the entries of a Job that is gone with its pods: what is remembered is what is there."""
        if self.job(name) is not None or self.pods_of(name):
            return
        job_id = self._ids.pop(name)
        names = self._names[job_id]
        names.discard(name)
        if not names:
            del self._names[job_id]

    def _pod_told(self, name: str) -> None:
        if not name:
            self._tell_warmers(self.warmers())
        elif (job_id := self._ids.get(name)) is not None:
            self._tell(job_id)
            self._let_go(name)

    def _warned(self, name: str) -> None:
        """Take news of warnings about an object: a Job, or a pod, whose name is its Job's and two more words."""
        for group in (name, name.rsplit("-", 2)[0], name.rsplit("-", 1)[0]):
            if (job_id := self._ids.get(group)) is not None:
                self._tell(job_id)
                return
