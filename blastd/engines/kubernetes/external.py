"""Runs that somebody else started in our namespace and that carry adoption labels. Pure.

Jobs with the label of our own store that it does not know are those of a copy that was put back from a backup; Jobs with
`elb-job-id` are those of one ElasticBLAST run. What they write is not ours to fetch, and what ends is left for who started it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from blastd.core import ids
from blastd.core.engine import External, Present, StepReport, Trouble
from blastd.core.ids import JobId
from blastd.core.model import Phase, StepName
from blastd.engines.kubernetes import diagnosis, manifests
from blastd.engines.kubernetes.objects import EventObject, JobObject, PodObject
from blastd.engines.kubernetes.status import End, ExternalRun, job_facts, run_facts

EPOCH = datetime.fromtimestamp(0, UTC)
NOT_OURS = "not known of a run that was started outside"


def run_of(job: JobObject) -> str:
    """Return the id of the ElasticBLAST run that a Job belongs to, empty for any other."""
    return job.metadata.labels.get(manifests.ELB_JOB, "")


def id_of(job: JobObject) -> JobId | None:
    """Return the job that an object belongs to: its own label, or one made of the run's id; None for neither."""
    labelled = job.metadata.labels.get(manifests.JOB_ID, "")
    if labelled and job.metadata.labels.get(manifests.MANAGED) == manifests.MANAGED_VALUE:
        return parsed(labelled)
    run = run_of(job)
    return ids.job_id(uuid5(NAMESPACE_URL, f"elb:{job.metadata.namespace}:{run}")) if run else None


def parsed(text: str) -> JobId | None:
    """Return the job id of a label, None if it is none."""
    try:
        return ids.job_id(UUID(text))
    except ValueError:
        return None


def listed(jobs: Iterable[JobObject]) -> list[External]:
    """Return every run among *jobs*, each once."""
    runs: dict[JobId, list[JobObject]] = {}
    for job in jobs:
        if job.metadata.labels.get(manifests.MANAGED) and not job.metadata.labels.get(manifests.INSTANCE):
            continue  # of a blastd that did not say whose: its store knows it, or another one does
        if (its_id := id_of(job)) is not None:
            runs.setdefault(its_id, []).append(job)
    return [described(its_id, its_jobs) for its_id, its_jobs in runs.items()]


def described(its_id: JobId, jobs: Sequence[JobObject]) -> External:
    """Return what the objects of a run say of it."""
    first = min(jobs, key=lambda job: str(job.metadata.creation_timestamp))
    notes, run = first.metadata.annotations, run_of(first)
    return External(
        name=run or first.metadata.name,
        job_id=its_id,
        title=notes.get(manifests.TITLE, "") or (f"ElasticBLAST run {run}" if run else first.metadata.name),
        program=notes.get(manifests.PROGRAM, "") or first.metadata.labels.get("program", "") or "unknown",
        database=notes.get(manifests.DATABASE, "") or first.metadata.labels.get("db", "") or "unknown",
        created_at=first.metadata.creation_timestamp or EPOCH,
        ref={"kind": "run", "run": run, "jobs": sorted(job.metadata.name for job in jobs)},
    )


def observed(
    jobs: Sequence[JobObject],
    pods: Mapping[str, Sequence[PodObject]],
    warnings: Sequence[EventObject],
    now: datetime,
) -> Present:
    """Return the observation of a run; *pods* are those of each Job by its name."""
    run: ExternalRun = run_facts(jobs, pods)
    steps = [StepReport(name=name, skip_reason=NOT_OURS) for name in StepName if name is not StepName.RUNNING]
    if run.started_at is not None:
        steps.append(StepReport(name=StepName.RUNNING, started_at=run.started_at, ended_at=run.ended_at))
    trouble = None
    if run.end is End.FAILED:
        trouble = diagnosis.run_failed(run.culprits, [pod for group in pods.values() for pod in group])
    elif run.end is None and not run.running:
        trouble = held_up(jobs, pods, warnings, now)
    waits = run.end is None and not run.running and trouble is None
    return Present(
        phase=Phase.RUNNING if run.running or run.end is not None else Phase.SUBMITTED,
        ended=run.end is not None,
        trouble=trouble,
        waiting_for="pod" if waits else None,
        steps=tuple(steps),
        ref={"kind": "run", "jobs": sorted(job.metadata.name for job in jobs), "done": run.done, "total": run.total},
    )


def held_up(
    jobs: Sequence[JobObject],
    pods: Mapping[str, Sequence[PodObject]],
    warnings: Sequence[EventObject],
    now: datetime,
) -> Trouble | None:
    """Return what keeps a run of which nothing searches from getting on."""
    for job in jobs:
        if job_facts(job).end is None:
            its_pods = pods.get(job.metadata.name, ())
            if (trouble := diagnosis.holding_up(job, its_pods, warnings, now)) is not None:
                return trouble
    return None
