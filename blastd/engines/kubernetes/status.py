"""Job and Pod objects -> facts, and facts -> what the engine says of a job. Pure.

The truth of a Job is its condition of type Complete or Failed with status True, wherever it stands in the list:
newer clusters list SuccessCriteriaMet or FailureTarget first, and failed pods of an active Job are only tries. Why
something failed or waits is said in `diagnosis`.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import msgspec

from blastd.core.model import Frozen
from blastd.engines.kubernetes import manifests
from blastd.engines.kubernetes.objects import ContainerStatus, JobObject, PodObject, find


class End(StrEnum):
    """How a Job ended."""

    COMPLETE = "complete"
    FAILED = "failed"


class JobFacts(Frozen, frozen=True, kw_only=True):
    """What a Job object says. `end` None: it is active."""

    end: End | None
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    active: int = 0
    suspended: bool = False
    completed: frozenset[int] = frozenset()
    failed: frozenset[int] = frozenset()


def parse_indexes(text: str) -> tuple[int, ...]:
    """Return the numbers of "0,3-5"; what is not of this form is left out."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first.isdecimal():
            found += range(int(first), int(last if last.isdecimal() else first) + 1)
    return tuple(found)


def job_facts(job: JobObject) -> JobFacts:
    """Return what *job* says."""
    status = job.status
    complete, failed = find(status.conditions, "Complete"), find(status.conditions, "Failed")
    end = End.COMPLETE if complete is not None else End.FAILED if failed is not None else None
    told = complete or failed or find(status.conditions, "FailureTarget")
    ended_at = status.completion_time
    if ended_at is None and end is not None and told is not None:
        ended_at = told.last_transition_time
    return JobFacts(
        end=end,
        reason=told.reason if told is not None else "",
        message=told.message if told is not None else "",
        started_at=status.start_time,
        ended_at=ended_at,
        active=status.active,
        suspended=job.spec.suspend,
        completed=frozenset(parse_indexes(status.completed_indexes)),
        failed=frozenset(parse_indexes(status.failed_indexes)),
    )


class Stage(StrEnum):
    """Where a pod stands."""

    WAITING = "waiting"
    STAGING = "staging"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """What the pod's program wrote as its last word (podrunner.py: `last_word`)."""

    unit: int | None = None
    exit_code: int | None = None
    cause: str = ""
    stderr: str = ""
    seconds: dict[str, float] = {}
    started_at: float | None = None
    ended_at: float | None = None


class PodFacts(Frozen, frozen=True, kw_only=True):
    """What a Pod object says."""

    name: str
    index: int | None
    node: str
    stage: Stage
    created_at: datetime | None = None
    staging_started_at: datetime | None = None
    staging_ended_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    note: Note | None = None
    text: str = ""
    rejected: bool = False
    """The kubelet did not take it, or ended it before a container began: its status has the reason, no container has."""


def pod_facts(pod: PodObject) -> PodFacts:
    """Return what *pod* says; its container's own times are the best clock there is."""
    main = named(pod.status.container_statuses, manifests.CONTAINER)
    stager = named(pod.status.init_container_statuses, manifests.STAGER)
    facts: dict[str, Any] = {}
    stage = Stage.WAITING
    if stager is not None and stager.state.running is not None:
        stage, facts["staging_started_at"] = Stage.STAGING, stager.state.running.started_at
    if stager is not None and (done := stager.state.terminated) is not None:
        facts |= {"staging_started_at": done.started_at, "staging_ended_at": done.finished_at}
        if done.exit_code:
            facts |= ended(stager)
    if main is not None and main.state.running is not None:
        stage, facts["started_at"] = Stage.RUNNING, main.state.running.started_at
    elif main is not None and main.state.terminated is not None:
        stage = Stage.RUNNING  # until the kubelet says the pod's phase
        facts |= ended(main)
    if pod.status.phase == "Succeeded":
        stage = Stage.SUCCEEDED
    elif pod.status.phase == "Failed":
        stage = Stage.FAILED
    return PodFacts(
        name=pod.metadata.name,
        index=pod.index,
        node=pod.spec.node_name,
        stage=stage,
        created_at=pod.metadata.creation_timestamp,
        rejected=stage is Stage.FAILED and bool(pod.status.reason) and not any_ended(pod),
        **facts,
    )


def any_ended(pod: PodObject) -> bool:
    """Tell whether a container of a pod ended, and so can say how."""
    statuses = (*pod.status.init_container_statuses, *pod.status.container_statuses)
    return any(each.state.terminated is not None for each in statuses)


def named(statuses: Sequence[ContainerStatus], name: str) -> ContainerStatus | None:
    """Return the status of our container; of a pod of somebody else's, the first."""
    return next((each for each in statuses if each.name == name), statuses[0] if statuses else None)


def moment(seconds: float) -> datetime:
    """Return the UTC time, in whole milliseconds, of seconds since the epoch."""
    at = datetime.fromtimestamp(seconds, UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def ended(container: ContainerStatus) -> dict[str, Any]:
    """Return how a container ended, as fields of PodFacts; its program's own clock is finer than the kubelet's."""
    end = container.state.terminated
    if end is None:
        return {}
    try:
        note = msgspec.json.decode(end.message, type=Note)
    except msgspec.MsgspecError:
        note = None  # killed before its last word: the message is the tail of its log
    started_at, ended_at = end.started_at, end.finished_at
    if note is not None and note.started_at is not None and note.ended_at is not None:
        with suppress(ValueError, OverflowError, OSError):  # a message of somebody else's program
            started_at, ended_at = moment(note.started_at), moment(note.ended_at)
    return {
        "started_at": started_at,
        "ended_at": ended_at,
        "exit_code": end.exit_code,
        "reason": end.reason,
        "note": note,
        "text": "" if note is not None else end.message[-2000:],
    }


class Units(Frozen, frozen=True, kw_only=True):
    """Which unit each completion of a Job runs, read from its annotation: `own[i]` is the unit of completion i.

    `riders` are units that the completions named run when their own are done, the last one of them.
    """

    own: tuple[int, ...]
    riders: Mapping[int, tuple[int, ...]] = {}

    @property
    def all(self) -> tuple[int, ...]:
        """Return every unit that the Job runs."""
        return (*self.own, *self.riders)

    def hosts(self, unit: int) -> tuple[int, ...]:
        """Return the completion indexes that run *unit*, or may."""
        if unit in self.riders:
            places = {own: place for place, own in enumerate(self.own)}
            return tuple(places[host] for host in self.riders[unit] if host in places)
        return tuple(place for place, own in enumerate(self.own) if own == unit)


def units_of(job: JobObject) -> Units:
    """Return the units of a Job of ours; of another's, one for each completion."""
    try:
        note = msgspec.json.decode(job.metadata.annotations.get(manifests.PLAN, ""), type=dict[str, Any])
        own = parse_indexes(note["units"])
        riders = {int(unit): parse_indexes(hosts) for unit, hosts in note.get("riders", {}).items()}
    except (msgspec.MsgspecError, KeyError, ValueError, AttributeError):
        return Units(own=tuple(range(job.spec.completions or 1)))
    return Units(own=own, riders=riders)


def by_index(pods: Iterable[PodObject]) -> dict[int, list[PodFacts]]:
    """Return the pods of each completion index, the oldest first."""
    found: dict[int, list[PodFacts]] = {}
    for pod in sorted(pods, key=lambda each: str(each.metadata.creation_timestamp)):
        facts = pod_facts(pod)
        if facts.index is not None:
            found.setdefault(facts.index, []).append(facts)
    return found


NO_PODS: Mapping[str, Sequence[PodObject]] = {}


class ExternalRun(Frozen, frozen=True, kw_only=True):
    """What the Jobs of one run of somebody else's say together."""

    end: End | None
    started_at: datetime | None
    ended_at: datetime | None
    running: bool
    done: int
    total: int
    culprits: tuple[JobObject, ...] = ()


def run_facts(jobs: Sequence[JobObject], pods: Mapping[str, Sequence[PodObject]] = NO_PODS) -> ExternalRun:
    """Sum up a run that consists of several Jobs, ElasticBLAST's way; *pods* are those of each Job by its name.

    Its searches are the Jobs with app=blast (or shard-blast); the others prepare. The run failed when any Job did;
    it is complete when every search is. A finalizer that succeeded says nothing: it does so before the first search.
    `status.active` counts pods that wait as well: it runs when a pod is ready, has begun or has ended.
    """
    facts = {job.metadata.name: job_facts(job) for job in jobs}
    searches = [job for job in jobs if job.metadata.labels.get(manifests.APP, "blast") in ("blast", "shard-blast")]
    culprits = tuple(job for job in jobs if facts[job.metadata.name].end is End.FAILED)
    done = sum(facts[job.metadata.name].end is End.COMPLETE for job in searches)
    end = None
    if culprits:
        end = End.FAILED
    elif searches and done == len(searches):
        end = End.COMPLETE
    began = [pod_facts(pod).started_at for job in searches for pod in pods.get(job.metadata.name, ())]
    running = done > 0 or any(job.status.ready for job in searches) or any(began)
    starts = [at for each in facts.values() if (at := each.started_at) is not None] if running or end else []
    ends = [at for each in facts.values() if (at := each.ended_at) is not None]
    return ExternalRun(
        end=end,
        started_at=min(starts, default=None),
        ended_at=max(ends, default=None) if end is not None else None,
        running=running,
        done=done,
        total=len(searches),
        culprits=culprits,
    )
