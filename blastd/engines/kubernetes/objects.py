"""The parts of Kubernetes objects that blastd reads, as data: what is not named here is dropped while decoding.

That keeps the memory of the view proportional to our objects, whatever fields a newer API server adds. What the
fields mean for a search is said in `status` and `diagnosis`.
"""

from datetime import datetime
from typing import Any

import msgspec

INDEX = "batch.kubernetes.io/job-completion-index"
JOB_NAME = "batch.kubernetes.io/job-name"
OLD_JOB_NAME = "job-name"


class Object(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A part of an object, with Kubernetes' field names."""


class Owner(Object, frozen=True, kw_only=True):
    """A reference to the object that owns another."""

    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class Meta(Object, frozen=True, kw_only=True):
    """What every object has."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    creation_timestamp: datetime | None = None
    deletion_timestamp: datetime | None = None
    owner_references: tuple[Owner, ...] = ()


class Condition(Object, frozen=True, kw_only=True):
    """A condition of a Job or Pod; its type says what it is about, its place in the list says nothing."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: datetime | None = None


class JobSpec(Object, frozen=True, kw_only=True):
    """What was asked for."""

    completions: int | None = None
    parallelism: int | None = None
    suspend: bool = False
    completion_mode: str = "NonIndexed"


class JobStatus(Object, frozen=True, kw_only=True):
    """What the Job controller says."""

    conditions: tuple[Condition, ...] = ()
    start_time: datetime | None = None
    completion_time: datetime | None = None
    active: int = 0
    ready: int = 0
    succeeded: int = 0
    failed: int = 0
    terminating: int = 0
    completed_indexes: str = ""
    failed_indexes: str = ""


class JobObject(Object, frozen=True, kw_only=True):
    """A Job."""

    metadata: Meta
    spec: JobSpec = JobSpec()
    status: JobStatus = JobStatus()


class ContainerWaiting(Object, frozen=True, kw_only=True):
    """Why a container does not run yet."""

    reason: str = ""
    message: str = ""


class RunningSince(Object, frozen=True, kw_only=True):
    """Since when a container runs."""

    started_at: datetime | None = None


class Terminated(Object, frozen=True, kw_only=True):
    """How a container ended; `message` is what it wrote to /dev/termination-log."""

    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None


class ContainerState(Object, frozen=True, kw_only=True):
    """Exactly one of three."""

    waiting: ContainerWaiting | None = None
    running: RunningSince | None = None
    terminated: Terminated | None = None


class ContainerStatus(Object, frozen=True, kw_only=True):
    """One container of a pod."""

    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = ContainerState()
    last_state: ContainerState = ContainerState()


class PodSpec(Object, frozen=True, kw_only=True):
    """Where a pod was put."""

    node_name: str = ""


class PodStatus(Object, frozen=True, kw_only=True):
    """What the kubelet and the scheduler say."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    start_time: datetime | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()
    init_container_statuses: tuple[ContainerStatus, ...] = ()


class PodObject(Object, frozen=True, kw_only=True):
    """A Pod."""

    metadata: Meta
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()

    @property
    def job_name(self) -> str:
        """Return the name of the Job that owns it; empty for a pod of something else."""
        labels = self.metadata.labels
        return labels.get(JOB_NAME) or labels.get(OLD_JOB_NAME) or ""

    @property
    def index(self) -> int | None:
        """Return its completion index in an Indexed Job."""
        text = self.metadata.annotations.get(INDEX) or self.metadata.labels.get(INDEX) or ""
        return int(text) if text.isdecimal() else None


class Involved(Object, frozen=True, kw_only=True):
    """What an event is about."""

    kind: str = ""
    name: str = ""
    uid: str = ""


class EventObject(Object, frozen=True, kw_only=True):
    """An Event, which Kubernetes forgets after an hour."""

    metadata: Meta
    involved_object: Involved = Involved()
    reason: str = ""
    message: str = ""
    type: str = "Normal"
    count: int | None = None
    first_timestamp: datetime | None = None
    last_timestamp: datetime | None = None
    event_time: datetime | None = None


class ListMeta(Object, frozen=True, kw_only=True):
    """Where a list stands."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class JobList(Object, frozen=True, kw_only=True):
    """A page of Jobs."""

    metadata: ListMeta = ListMeta()
    items: tuple[JobObject, ...] = ()


class PodList(Object, frozen=True, kw_only=True):
    """A page of Pods."""

    metadata: ListMeta = ListMeta()
    items: tuple[PodObject, ...] = ()


class EventList(Object, frozen=True, kw_only=True):
    """A page of Events."""

    metadata: ListMeta = ListMeta()
    items: tuple[EventObject, ...] = ()


class StatusObject(Object, frozen=True, kw_only=True):
    """What the API server answers instead of an object: usually a failure."""

    code: int = 0
    reason: str = ""
    message: str = ""
    details: dict[str, Any] | None = None


class ReviewStatus(Object, frozen=True, kw_only=True):
    """Whether what was asked for is allowed."""

    allowed: bool = False


class Review(Object, frozen=True, kw_only=True):
    """The answer to a SelfSubjectAccessReview."""

    status: ReviewStatus = ReviewStatus()


class WatchLine(Object, frozen=True, kw_only=True):
    """One line of a watch; `object` is decoded by its kind."""

    type: str
    object: msgspec.Raw


def find(conditions: tuple[Condition, ...], kind: str) -> Condition | None:
    """Return the condition of type *kind* that is True, wherever it stands in the list."""
    return next((each for each in conditions if each.type == kind and each.status == "True"), None)
