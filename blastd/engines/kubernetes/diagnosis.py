"""Pod, Job and Event objects -> what is wrong: a code, a sentence with the cause, a remedy. Pure.

Two questions: what holds up a Job that is active (`holding_up`), and why did one fail (`why_failed`)? Pods that failed
while their Job is active are tries, and are never read as the Job's end.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from blastd.blastplus import exits
from blastd.core.engine import Trouble
from blastd.engines.kubernetes import causes
from blastd.engines.kubernetes.objects import Condition, ContainerStatus, EventObject, JobObject, PodObject, find
from blastd.engines.kubernetes.status import End, PodFacts, Stage, job_facts, pod_facts

IMAGE = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"})
CONFIG = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
SLOW_MOUNT_SECONDS = 20.0
SILENT_SECONDS = 20.0  # a kubelet takes up what it was given within a second or two
STOPPED = (None, 130, 143)  # by SIGTERM or before it began: somebody else's doing


def holding_up(
    job: JobObject, pods: Iterable[PodObject], events: Sequence[EventObject], now: datetime
) -> Trouble | None:
    """Return what keeps an active Job from getting on, None if nothing is known to."""
    pods = tuple(pods)
    for pod in pods:
        if pod.metadata.deletion_timestamp is None and (trouble := pod_waits(pod, events, now)) is not None:
            return trouble
    facts = job_facts(job)
    if facts.suspended:
        return causes.suspended()
    if (trouble := rejected(pods)) is not None:
        return trouble
    if facts.active == 0 and not facts.completed:
        for event in latest_first(events):
            if event.reason == "FailedCreate" and event.involved_object.name == job.metadata.name:
                return causes.pods_refused(event.message)
    return None


def rejected(pods: Sequence[PodObject]) -> Trouble | None:
    """Return why the youngest pod was not taken by its node, if it was not: the Job makes another one after a pause."""
    youngest = max(pods, key=lambda pod: str(pod.metadata.creation_timestamp), default=None)
    if youngest is None or not pod_facts(youngest).rejected:
        return None
    return pod_refused(youngest)


def pod_refused(pod: PodObject) -> Trouble:
    """Return what the kubelet said of a pod that it did not take, or ended before a container did."""
    status = pod.status
    if status.reason == "Evicted":
        return causes.evicted(status.message)
    return causes.pod_rejected(status.reason, status.message, pod.spec.node_name)


def pod_waits(pod: PodObject, events: Sequence[EventObject], now: datetime) -> Trouble | None:
    """Return why a pod that has not ended does not run."""
    if pod.status.phase != "Pending":
        return None
    scheduled = next((each for each in pod.status.conditions if each.type == "PodScheduled"), None)
    if scheduled is not None and scheduled.status == "False":
        return causes.unschedulable(scheduled.message)
    if scheduled is not None and pod.status.start_time is None and waited(scheduled, now) > SILENT_SECONDS:
        return causes.node_silent(pod.spec.node_name)
    for container in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        waiting = container.state.waiting
        if waiting is not None and (trouble := container_waits(waiting.reason, waiting.message)) is not None:
            return trouble
    begun = pod.status.start_time or pod.metadata.creation_timestamp
    if begun is not None and (now - begun).total_seconds() > SLOW_MOUNT_SECONDS:
        for event in latest_first(events):
            if event.involved_object.name == pod.metadata.name and event.reason in (
                "FailedMount",
                "FailedAttachVolume",
            ):
                return causes.mount(event.message)
    return None


def waited(condition: Condition, now: datetime) -> float:
    """Return the seconds since a condition came about."""
    since = condition.last_transition_time
    return (now - since).total_seconds() if since is not None else 0.0


def silent(pods: Iterable[PodObject]) -> Trouble | None:
    """Return that a pod runs on a node that is not heard of: it is not ready though its containers are."""
    for pod in pods:
        ready = next((each for each in pod.status.conditions if each.type == "Ready"), None)
        if (
            pod.status.phase == "Running"
            and ready is not None
            and ready.status != "True"
            and find(pod.status.conditions, "ContainersReady") is not None
        ):
            return causes.node_silent(pod.spec.node_name)
    return None


def taken_away(pods: Iterable[PodObject]) -> Trouble | None:
    """Return that a node gave up a pod that searched, while none in its place has begun: Kubernetes counts no try for it."""
    places: dict[int | None, list[PodObject]] = {}
    for pod in sorted(pods, key=lambda each: str(each.metadata.creation_timestamp)):
        places.setdefault(pod.index, []).append(pod)
    for group in places.values():
        lost = [pod for pod in group if find(pod.status.conditions, "DisruptionTarget") is not None]
        last = pod_facts(group[-1])
        if lost and (group[-1] in lost or last.stage is Stage.WAITING):
            reason = find(lost[-1].status.conditions, "DisruptionTarget")
            said = lost[-1].status.message or (reason.message if reason is not None else "")
            return causes.taken_away(lost[-1].spec.node_name, said)
    return None


def container_waits(reason: str, message: str) -> Trouble | None:
    """Return what a container's reason for waiting means, None for the usual ones."""
    if reason in IMAGE:
        return causes.image(reason, message)
    if reason in CONFIG:
        return causes.container_config(reason, message)
    return None


def why_failed(job: JobObject, pods: Iterable[PodObject], events: Sequence[EventObject], program: str) -> Trouble:
    """Return why a Job whose condition Failed is True did fail: the first pod's own cause if one is known."""
    facts = job_facts(job)
    its_pods = [(pod, pod_facts(pod)) for pod in pods]
    failed = [(pod, told) for pod, told in its_pods if told.stage is Stage.FAILED or told.exit_code]
    failed.sort(key=lambda each: weight(each[1], facts.message))
    for pod, told in failed:
        if (trouble := pod_failed(pod, told, program)) is not None:
            return trouble
    if facts.reason == "DeadlineExceeded":
        for pod, _ in its_pods:
            if facts.ended_at is not None and (waits := pod_waits(pod, events, facts.ended_at)) is not None:
                return waits
        return causes.deadline(facts.message)
    code = re.search(r"exit code (\d+)", facts.message)
    if facts.reason == "PodFailurePolicy" and code is not None:
        return exits.explain(exit_code=int(code.group(1)), signal=None, stderr="", program=program)
    return causes.job_failed(facts.reason, facts.message, seen=len(its_pods))


def weight(told: PodFacts, message: str) -> tuple[bool, bool, str]:
    """Order failed pods: the one that the Job's message names, then those with a last word, then by time."""
    return (told.name not in message, told.note is None, str(told.ended_at))


def pod_failed(pod: PodObject, told: PodFacts, program: str) -> Trouble | None:
    """Return why a pod failed, None if it was only stopped because another did."""
    if pod.status.reason == "Evicted":
        return causes.evicted(pod.status.message)
    if told.rejected:
        return pod_refused(pod)
    container = ended_container(pod)
    if container is not None and was_out_of_memory(container, told):
        return causes.out_of_memory(told.node)
    return _ended_otherwise(pod, told, program)


def _ended_otherwise(pod: PodObject, told: PodFacts, program: str) -> Trouble | None:
    if (disruption := find(pod.status.conditions, "DisruptionTarget")) is not None:
        return causes.node_lost(told.node, disruption.message)
    if told.note is not None and told.note.cause:
        return causes.of_runner(told.note.cause, told.note.stderr)
    if told.exit_code in STOPPED:
        return None
    stderr = told.note.stderr if told.note is not None else told.text
    return exits.explain(exit_code=told.exit_code, signal=None, stderr=stderr, program=program)


def ended_container(pod: PodObject) -> ContainerStatus | None:
    """Return the container of a pod that ended with an error."""
    for container in (*pod.status.init_container_statuses, *pod.status.container_statuses):
        end = container.state.terminated
        if end is not None and (end.exit_code or end.reason == "OOMKilled"):
            return container
    return None


def was_out_of_memory(container: ContainerStatus, told: PodFacts) -> bool:
    """Tell whether the kernel ended a container, or BLAST+ in it, for its memory limit."""
    end = container.state.terminated
    killed = end is not None and end.reason == "OOMKilled"
    return killed or (told.note is not None and told.note.cause == "out_of_memory")


def latest_first(events: Sequence[EventObject]) -> list[EventObject]:
    """Return events with the newest first."""
    return sorted(
        events, key=lambda each: str(each.last_timestamp or each.event_time or each.first_timestamp), reverse=True
    )


def run_failed(culprits: Sequence[JobObject], pods: Iterable[PodObject]) -> Trouble:
    """Return why a run of somebody else's failed: every Job of it that did, with its reason."""
    told = [(job, job_facts(job)) for job in culprits if job_facts(job).end is End.FAILED]
    reasons = "; ".join(f"{job.metadata.name}: {facts.reason} ({facts.message})" for job, facts in told)
    names = {job.metadata.name for job, _ in told}
    for pod in pods:
        facts = pod_facts(pod)
        if pod.job_name in names and (cause := pod_failed(pod, facts, "the search")) is not None:
            return causes.run_failed(told[0][1].reason, f"{reasons}. {cause.sentence}")
    return causes.run_failed(told[0][1].reason if told else "", reasons)
