"""What a job on the cluster needs besides its objects: its results, fetched as units finish, one fetch at a time.

One task a job, started by news, ended when there is nothing to do. It only fills `Held`; what that means is said in
`reading`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from blastd.core.engine import StepReport, Trouble, UnitReport
from blastd.core.ids import JobId
from blastd.core.intervals import Intervals, backoff
from blastd.engines.kubernetes.harvest import Harvested, harvest, trouble_of
from blastd.engines.kubernetes.objects import JobObject, PodObject
from blastd.engines.kubernetes.status import JobFacts, Stage, Units, job_facts, pod_facts, units_of
from blastd.storage.contract import Storage, StorageFailure

log = structlog.get_logger()

AT_ONCE = 4  # results of one job fetched at once
RETRY = Intervals(cool_down=1.0, cool_down_max=5.0)  # an account that is back is seen within seconds

Objects = Callable[[], tuple[JobObject | None, Mapping[str, PodObject]]]
"""Gives a job's Kubernetes Job and pods as they are known now; None: the Job is not known to be there."""


@dataclass
class ClusterJob:
    """A job that the engine knows: what it fetched, and how it was made."""

    job_id: JobId
    attempt: int
    name: str
    program: str = ""
    harvested: dict[int, UnitReport] = field(default_factory=dict)
    trouble: Trouble | None = None
    told: Trouble | None = None
    """What held it up when its row was last looked at."""
    submitted: StepReport | None = None
    tried: bool = False
    """Whether its Job may have been made: its results may be there without it."""
    parts: dict[str, float] = field(default_factory=dict)
    blast_version: str | None = None
    units: Units | None = None
    probed: bool = False
    signed_at: float | None = None
    asked_at: float = 0.0
    over: bool = False
    """Whether the attempt is over: nothing of it is fetched any more."""
    nodes: dict[str, bool] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    fetching: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while results are fetched; attempts of one job share it, so that a late fetch ends before the next begins."""

    def take(self, found: Harvested) -> None:
        """Note a unit whose output is here."""
        self.harvested[found.told.unit] = found.report
        self.blast_version = found.told.blast_version or self.blast_version
        if found.told.node:
            self.nodes[found.told.node] = True


def wanted(facts: JobFacts, units: Units, pods: Iterable[PodObject], held: ClusterJob) -> list[int]:
    """Return the units whose results should be there and are not fetched: of ended completions, and what rides on them.

    A container that ended well has published its result; its pod says so a moment later, and the Job after that.
    """
    told = map(pod_facts, pods)
    succeeded = {each.index for each in told if each.exit_code == 0 and each.stage is not Stage.FAILED}
    over = facts.completed | {place for place in succeeded if place is not None}
    ended = {unit for place, unit in enumerate(units.own) if place in over}
    for rider in units.riders:
        if over.issuperset(units.hosts(rider)):
            ended.add(rider)
    return sorted(ended - held.harvested.keys())


def idle(job: JobObject, pods: Iterable[PodObject]) -> bool:
    """Tell whether an active Job has no pod that began, so that somebody may ask why."""
    facts = job_facts(job)
    return facts.end is None and not facts.completed and not any(pod_facts(pod).started_at for pod in pods)


class ResultFetches:
    """Fetches the results of jobs for the engine."""

    def __init__(self, storage: Storage, jobs_folder: Path, jitter: Callable[[], float]) -> None:
        """Take the parts."""
        self._storage, self._folder, self._jitter = storage, jobs_folder, jitter

    async def attend(self, held: ClusterJob, objects: Objects, tell: Callable[[], None]) -> None:
        """Fetch what is due for a job until nothing is; *tell* passes news on."""
        failures = 0
        while True:
            held.news.clear()
            job, pods = objects()
            if job is None:
                return
            held.units = units_of(job)
            due = wanted(job_facts(job), held.units, pods.values(), held)
            if not due:
                return
            whole = await self.fetch(held, due)
            tell()
            failures = 0 if whole else failures + 1
            if failures:
                await asyncio.sleep(backoff(failures, RETRY, self._jitter()))

    async def fetch(self, held: ClusterJob, units: Sequence[int]) -> bool:
        """Fetch results; True if all were there. A failure is kept as the trouble that holds up the results."""
        async with held.fetching:
            left = [unit for unit in units if unit not in held.harvested]
            return await self._fetch(held, left)

    async def _fetch(self, held: ClusterJob, units: Sequence[int]) -> bool:
        gate = asyncio.Semaphore(AT_ONCE)
        troubles: list[Trouble] = []
        missing: list[int] = []

        async def one(unit: int) -> None:
            async with gate:
                try:
                    found = await harvest(self._storage, self._folder / held.job_id, held.job_id, held.attempt, unit)
                except StorageFailure as error:
                    troubles.append(trouble_of(error))
                    return
                except OSError as error:
                    sentence = f"The results can't be written here: {error}."
                    remedy = "Check free disk space and the rights of the state folder; it is tried again."
                    troubles.append(Trouble(code="store_broken", sentence=sentence, remedy=remedy, retryable=True))
                    return
            if found is None:
                missing.append(unit)
            else:
                held.take(found)

        async with asyncio.TaskGroup() as group:
            for unit in units:
                group.create_task(one(unit), name=f"harvest {held.name} {unit}")
        held.trouble = troubles[0] if troubles else None
        if missing and not troubles:
            shown = ", ".join(map(str, sorted(missing)[:5]))
            held.trouble = Trouble(
                code="results_missing",
                sentence=f"The cluster says that parts {shown} ended well, but their results are not in the storage.",
                remedy="Somebody may have removed them: cancel the search and submit it again.",
            )
        if held.trouble is not None:
            log.warning("harvest_failed", job_id=held.job_id, reason=held.trouble.sentence)
        return held.trouble is None
