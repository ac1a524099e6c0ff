"""What a job on the cluster needs besides its objects: results fetched as units finish, events while it waits, fresh SAS.

One task a job, started by news and by the clock, ended when there is nothing to do. It only fills `Held`; what that
means is said in `reading`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from blastd.clock import Clock
from blastd.core.engine import StepReport, Trouble, UnitReport
from blastd.core.ids import JobId
from blastd.core.intervals import Intervals, backoff
from blastd.engines.kubernetes.blob import BlobFailure, Blobs
from blastd.engines.kubernetes.client import Client
from blastd.engines.kubernetes.failures import ClusterFailure
from blastd.engines.kubernetes.harvest import Harvested, harvest, trouble_of
from blastd.engines.kubernetes.objects import EventObject, JobObject, PodObject
from blastd.engines.kubernetes.status import JobFacts, Stage, Units, by_index, job_facts, pod_facts, units_of

log = structlog.get_logger()

AT_ONCE = 4  # results of one job fetched at once
EVENTS_SECONDS = 5.0
GRACE_SECONDS = 3.0  # pods that take no longer than this to start need no explanation
RETRY = Intervals(cool_down=1.0, cool_down_max=5.0)  # an account that is back is seen within seconds


@dataclass
class Held:
    """A job that the engine knows: what it fetched, and how it was made."""

    job_id: JobId
    attempt: int
    name: str
    harvested: dict[int, UnitReport] = field(default_factory=dict)
    trouble: Trouble | None = None
    events: tuple[EventObject, ...] = ()
    events_at: float = float("-inf")
    began: float = 0.0
    submitted: StepReport | None = None
    parts: dict[str, float] = field(default_factory=dict)
    blast_version: str | None = None
    units: Units | None = None
    probed: bool = False
    signed_at: float | None = None
    nodes: dict[str, bool] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def take(self, found: Harvested) -> None:
        """Note a unit whose output is here."""
        self.harvested[found.told.unit] = found.report
        self.blast_version = found.told.blast_version or self.blast_version
        if found.told.node:
            self.nodes[found.told.node] = True


def wanted(facts: JobFacts, units: Units, pods: Iterable[PodObject], held: Held) -> list[int]:
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


def idle(job: JobObject, pods: Sequence[PodObject]) -> bool:
    """Tell whether an active Job has no pod that began, so that events may say why."""
    facts = job_facts(job)
    told = [each for group in by_index(pods).values() for each in group]
    return facts.end is None and not facts.completed and not any(each.started_at is not None for each in told)


class Attendant:
    """Does the outside work of jobs for the engine."""

    def __init__(
        self, client: Client, blobs: Blobs, jobs_folder: Path, clock: Clock, jitter: Callable[[], float]
    ) -> None:
        """Take the parts."""
        self._client, self._blobs, self._folder, self._clock, self._jitter = client, blobs, jobs_folder, clock, jitter

    async def attend(
        self, held: Held, job: Callable[[], tuple[JobObject | None, Mapping[str, PodObject]]], tell: Callable[[], None]
    ) -> None:
        """Do what is due for a job until nothing is; *job* gives its objects now, *tell* passes news on."""
        failures = 0
        while True:
            held.news.clear()
            found, pods = job()
            if found is None:
                return
            held.units = units_of(found)
            facts = job_facts(found)
            due = wanted(facts, held.units, pods.values(), held)
            if due:
                if await self.fetch(held, due):
                    failures = 0
                    tell()
                    continue
                failures += 1
                tell()
                await asyncio.sleep(backoff(failures, RETRY, self._jitter()))
                continue
            if idle(found, tuple(pods.values())):
                with suppress(TimeoutError):  # a short search may end before events are due
                    async with asyncio.timeout(max(0.1, self._events_in(held))):
                        await held.news.wait()
                if self._events_in(held) <= 0:
                    await self._events(held, pods)
                    tell()
                continue
            if facts.end is not None and held.events_at == float("-inf"):
                await self._events(held, pods)
                tell()
            return

    async def fetch(self, held: Held, units: Sequence[int]) -> bool:
        """Fetch results; True if all were there. A failure is kept as the trouble that holds up the results."""
        gate = asyncio.Semaphore(AT_ONCE)
        troubles: list[Trouble] = []
        missing: list[int] = []

        async def one(unit: int) -> None:
            async with gate:
                try:
                    found = await harvest(self._blobs, self._folder / held.job_id, held.job_id, held.attempt, unit)
                except BlobFailure as error:
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
                sentence=f"The cluster says that parts {shown} ended well, but their results are not in the storage account.",
                remedy="Somebody may have removed them: cancel the search and submit it again.",
            )
        if held.trouble is not None:
            log.warning("harvest_failed", job_id=held.job_id, reason=held.trouble.sentence)
        return held.trouble is None

    def _events_in(self, held: Held) -> float:
        """Return seconds until events are asked for."""
        now = self._clock.monotonic()
        return max(held.began + GRACE_SECONDS - now, held.events_at + EVENTS_SECONDS - now)

    async def _events(self, held: Held, pods: Mapping[str, PodObject]) -> None:
        """Ask for the events of a job and of its youngest pods."""
        held.events_at = self._clock.monotonic()
        names = [held.name, *sorted(pod.metadata.name for pod in pods.values())[:3]]
        found: list[EventObject] = []
        try:
            for name in names:
                found += await self._client.list_events(f"involvedObject.name={name}")
        except ClusterFailure as error:
            log.info("events_not_read", job_id=held.job_id, reason=str(error))
            return
        held.events = tuple(found)
