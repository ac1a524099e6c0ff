"""What the engine says of a job, from its Job, its pods and what was harvested. Pure.

Times are the pod program's own where its report is known, else the kubelet's (whole seconds), never before the Job was
made: clocks of two machines may differ.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from blastd.core.engine import Present, StepReport, Trouble, UnitReport
from blastd.core.model import Frozen, Job, Phase, StepName, UnitState
from blastd.engines.kubernetes import diagnosis, manifests
from blastd.engines.kubernetes.objects import EventObject, JobObject, PodObject
from blastd.engines.kubernetes.status import (
    End,
    JobFacts,
    PodFacts,
    Stage,
    Units,
    by_index,
    job_facts,
    parse_indexes,
    units_of,
)

NO_NODES = "the cluster starts its own nodes"
IN_SUBMITTING = "its parts are timed under submitting"
WARM = "the node holds this database already"
BY_SEARCH = "the searching pod brings the database itself"


class KnownJob(Frozen, frozen=True, kw_only=True):
    """What the engine knows of a job besides its objects."""

    attempt: int
    program: str
    harvested: Mapping[int, UnitReport] = {}
    harvest_trouble: Trouble | None = None
    events: tuple[EventObject, ...] = ()
    submitted: StepReport | None = None
    parts: Mapping[str, float] = {}
    blast_version: str | None = None


def reading(job: JobObject, pods: Sequence[PodObject], known: KnownJob, now: datetime) -> Present:
    """Return the observation of a job whose object is there."""
    facts, units, groups = job_facts(job), units_of(job), by_index(pods)
    done = all(unit in known.harvested for unit in units.all)
    told = [each for group in groups.values() for each in group]
    began = any(each.started_at is not None for each in told) or bool(facts.completed)
    present = Present(
        phase=Phase.SUBMITTED,
        units=reports(facts, units, groups, known, pods),
        steps=steps(job, told, known),
        ref=ref(job, units),
        blast_version=known.blast_version,
    )
    fields: dict[str, Any] = {}
    if done or facts.end is End.COMPLETE:
        fields = {"phase": Phase.RESULTS_PENDING, "ended": done, "trouble": None if done else known.harvest_trouble}
    elif facts.end is End.FAILED:
        why = diagnosis.why_failed(job, pods, known.events, known.program)
        fields = {"phase": Phase.RUNNING, "ended": True, "trouble": why}
    elif began:
        fields = {"phase": Phase.RUNNING, "trouble": diagnosis.silent(pods) or diagnosis.taken_away(pods)}
    elif any(each.staging_started_at is not None for each in told):  # also between staging and search: no way back
        fields = {"phase": Phase.STAGING_DB}
    else:
        trouble = diagnosis.holding_up(job, pods, known.events, now)
        waits = None if trouble is not None else "pod"
        fields = {"trouble": trouble, "waiting_for": waits}
    return Present(**{name: getattr(present, name) for name in present.__struct_fields__} | fields)


def ref(job: JobObject, units: Units) -> dict[str, Any]:
    """Return what the row keeps of the object: enough to find its results when it is gone."""
    return {
        "kind": "Job",
        "name": job.metadata.name,
        "uid": job.metadata.uid,
        "units": manifests.ranges(units.own),
        "riders": {str(unit): manifests.ranges(hosts) for unit, hosts in units.riders.items()},
    }


def reports(
    facts: JobFacts,
    units: Units,
    groups: Mapping[int, Sequence[PodFacts]],
    known: KnownJob,
    pods: Sequence[PodObject],
) -> tuple[UnitReport, ...]:
    """Return what is known of every unit of the Job."""
    objects = {pod.metadata.name: pod for pod in pods}
    found = []
    for place, unit in enumerate(units.own):
        if unit in known.harvested:
            found.append(known.harvested[unit])
            continue
        its_pods = groups.get(place, ())
        last = its_pods[-1] if its_pods else None
        report = running(unit, last, known)
        if place in facts.failed and last is not None:
            why = diagnosis.pod_failed(objects[last.name], last, known.program)
            report = failed(unit, last, known, why)
        found.append(report)
    for unit in units.riders:
        waits = UnitReport(index=unit, state=UnitState.WAITING, attempt=known.attempt)
        if facts.completed.issuperset(units.hosts(unit)):  # the last pod of its proposals has run it
            ends = [pod.ended_at for place in units.hosts(unit) for pod in groups.get(place, ()) if pod.ended_at]
            ended = not_before(max(ends, default=None), known)
            waits = UnitReport(index=unit, state=UnitState.RUNNING, attempt=known.attempt, ended_at=ended)
        found.append(known.harvested.get(unit, waits))
    return tuple(found)


def running(unit: int, pod: PodFacts | None, known: KnownJob) -> UnitReport:
    """Return the report of a unit that has not ended for good."""
    state = UnitState.WAITING if pod is None or pod.started_at is None else UnitState.RUNNING
    return UnitReport(
        index=unit,
        state=state,
        attempt=known.attempt,
        started_at=not_before(pod.started_at, known) if pod is not None else None,
        ended_at=not_before(pod.ended_at, known) if pod is not None and pod.stage is Stage.SUCCEEDED else None,
        node=(pod.node or None) if pod is not None else None,
    )


def failed(unit: int, pod: PodFacts, known: KnownJob, trouble: Trouble | None) -> UnitReport:
    """Return the report of a unit that failed for good."""
    return UnitReport(
        index=unit,
        state=UnitState.FAILED,
        attempt=known.attempt,
        started_at=not_before(pod.started_at, known),
        ended_at=not_before(pod.ended_at, known),
        exit_code=pod.exit_code,
        stderr=pod.note.stderr if pod.note is not None else pod.text,
        node=pod.node or None,
        trouble=trouble,
    )


def not_before(at: datetime | None, known: KnownJob) -> datetime | None:
    """Return a time of the kubelet, but not one before the Job was made."""
    floor = known.submitted.ended_at if known.submitted is not None else None
    return max(at, floor) if at is not None and floor is not None else at


def steps(job: JobObject, pods: Sequence[PodFacts], known: KnownJob) -> tuple[StepReport, ...]:
    """Return the steps that this engine knows."""
    found = [
        StepReport(name=StepName.WARMING_UP, skip_reason=NO_NODES),
        StepReport(name=StepName.CONFIGURING, skip_reason=IN_SUBMITTING),
    ]
    if known.submitted is not None:
        found.append(known.submitted)
    elif known.parts:  # the answer to its making was lost, and the watch found it
        found.append(StepReport(name=StepName.SUBMITTING, parts=dict(known.parts)))
    starts = [at for each in pods if (at := not_before(each.staging_started_at, known)) is not None]
    ends = [at for each in pods if (at := not_before(each.staging_ended_at, known)) is not None]
    runs = [at for each in pods if (at := not_before(each.started_at, known)) is not None]
    if starts:
        ended = min([max(ends), *runs]) if ends else None
        found.append(StepReport(name=StepName.STAGING_DB, started_at=min(starts), ended_at=ended))
    elif runs or known.harvested:
        by_search = any(each.note is not None and "stage" in each.note.seconds for each in pods)
        found.append(StepReport(name=StepName.STAGING_DB, skip_reason=BY_SEARCH if by_search else WARM))
    del job
    return tuple(found)


def gone(name: str, known: KnownJob, needed: Units, trouble: Trouble) -> Present:
    """Return the observation of a job whose object somebody deleted: its results decide how it ended."""
    done = all(unit in known.harvested for unit in needed.all)
    return Present(
        phase=Phase.RESULTS_PENDING,
        units=tuple(known.harvested.values()),
        ended=True,
        trouble=None if done else trouble,
        ref={"name": name},
        blast_version=known.blast_version,
    )


def units_from(job: Job) -> Units | None:
    """Return the units that the row remembers of its Kubernetes Job, None if it never saw one."""
    ref = job.engine_ref
    if not isinstance(ref.get("units"), str) or ref.get("name") != manifests.job_name(job.job_id, job.attempt):
        return None
    riders = {int(unit): parse_indexes(hosts) for unit, hosts in dict(ref.get("riders") or {}).items()}
    return Units(own=parse_indexes(ref["units"]), riders=riders)
