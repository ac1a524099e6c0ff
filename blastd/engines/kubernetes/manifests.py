"""What we ask the cluster for, as plain JSON: names, labels, Job, Secret, ConfigMap, DaemonSet. Pure.

Names are deterministic, so that a repeated request meets the first one's object. The pod's program is `podrunner`;
what it is to do comes to it through the Secret and blobs.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from blastd.config import KubernetesSettings
from blastd.core.ids import JobId, short_id
from blastd.core.model import Frozen
from blastd.storage.contract import PodMounts

APP, APP_VALUE = "app", "blast"
MANAGED, MANAGED_VALUE = "app.kubernetes.io/managed-by", "blastd"
INSTANCE = "blastd.io/instance"
"""Names the store whose daemon made an object: daemons of several stores share a namespace and leave each other's alone."""
JOB_ID = "blastd.io/job-id"
ATTEMPT = "blastd.io/attempt"
PLAN = "blastd.io/plan"
PROGRAM = "blastd.io/program"
DATABASE = "blastd.io/database"
TITLE = "blastd.io/title"
GENERATION = "blastd.io/generation"
ELB_JOB = "elb-job-id"
QUEUE = "kueue.x-k8s.io/queue-name"
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
KEPT = frozenset({"hostPath", "pvc"})
"""Caches that outlive a pod, so that a database is brought once."""
SELECTOR = "app in (blast,setup,submit,shard-blast)"
"""One selector for our objects and those of ElasticBLAST runs: two watches serve all."""

CONTAINER, STAGER = "blast", "stage"
SCRIPT = "podrunner.py"
SCRIPTS_AT, ACCESS_AT, CACHE_AT, WORK_AT = "/blastd/scripts", "/blastd/access", "/blastd/cache", "/blastd/work"
FATAL_EXITS = (1, 2, 3, 43)
"""BLAST+'s input, database and engine errors, and a plan that can't be read: the same again on every try."""
GRACE_SECONDS = 5  # a cancelled search is gone within 10 s, the kubelet's own seconds included
MAX_PARALLEL = 500
MIB, GIB = 1 << 20, 1 << 30


NO_MOUNTS = PodMounts()


class JobPlan(Frozen, frozen=True, kw_only=True):
    """What the Job's manifest needs to know of the work. `completions[i]` are the units that completion *i* runs."""

    job_id: JobId
    attempt: int
    title: str
    program: str
    database: str
    completions: tuple[tuple[int, ...], ...]
    riders: Mapping[int, tuple[int, ...]] = {}
    memory_limit_bytes: int | None = None
    database_bytes: int = 0
    """Of all files: what a pod stages."""
    unit_bytes: int = 0
    """Of the database's part that one unit searches: what it reads through memory."""
    generations: tuple[str, ...] = ()
    staging: bool = False
    instance: str = ""
    mounts: PodMounts = NO_MOUNTS


def job_name(job_id: JobId, attempt: int) -> str:
    """Return the name of the Job, and of its Secret, of an attempt."""
    return f"blastd-{short_id(job_id)}-{attempt}"


def scripts_name(script: str) -> str:
    """Return the name of the ConfigMap that holds *script*: it names the content."""
    return f"blastd-scripts-{hashlib.sha256(script.encode()).hexdigest()[:16]}"


def warm_name(fingerprint: str, instance: str) -> str:
    """Return the name of the DaemonSet that brings a database generation to every node, and of its Secret."""
    return f"blastd-warm-{hashlib.sha256(f'{instance} {fingerprint}'.encode()).hexdigest()[:16]}"


def owned(instance: str) -> dict[str, str]:
    """Return the labels of everything that the daemon of a store makes."""
    return {MANAGED: MANAGED_VALUE, INSTANCE: instance}


def labels(job_id: JobId, attempt: int, instance: str) -> dict[str, str]:
    """Return the labels by which a job's objects are found."""
    return {APP: APP_VALUE, **owned(instance), JOB_ID: job_id, ATTEMPT: str(attempt)}


def lease(name: str, version: str, holder: str, now: str, seconds: float) -> dict[str, Any]:
    """Return a Lease that *holder* takes or renews; *version* is that of the one it replaces, empty for a new one."""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name, "labels": {MANAGED: MANAGED_VALUE}}
        | ({"resourceVersion": version} if version else {}),
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": round(seconds), "renewTime": now},
    }


def of_job(job_id: JobId) -> str:
    """Return the selector of everything that belongs to a job, whatever the attempt."""
    return f"{MANAGED}={MANAGED_VALUE},{JOB_ID}={job_id}"


def memory(plan: JobPlan, settings: KubernetesSettings) -> tuple[int, int]:
    """Return request and limit in bytes: a unit's part of the database is read through the page cache, which counts for the pod."""
    limit = settings.memory_limit_bytes or 2 * plan.unit_bytes + 2 * GIB
    if plan.memory_limit_bytes:
        limit = min(limit, plan.memory_limit_bytes)
    return min(plan.unit_bytes + 256 * MIB, limit), limit


def scripts(script: str) -> dict[str, Any]:
    """Return the immutable ConfigMap that holds the pod's program."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": scripts_name(script), "labels": {MANAGED: MANAGED_VALUE}},
        "immutable": True,
        "data": {SCRIPT: script},
    }


def secret(
    name: str, its_labels: Mapping[str, str], access: Mapping[str, Any], plan: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the Secret with what the pods need to reach the blobs of this job and no others, and what they are to do."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": dict(its_labels)},
        "type": "Opaque",
        "data": access_data(access) | ({} if plan is None else {"plan.json": encoded(plan)}),
    }


def access_data(access: Mapping[str, Any]) -> dict[str, str]:
    """Return the data of the Secret that is renewed."""
    return {"access.json": encoded(access)}


def encoded(data: Mapping[str, Any]) -> str:
    """Return *data* as a Secret holds it."""
    return base64.b64encode(json.dumps(data, separators=(",", ":")).encode()).decode()


def owned_by(name: str, uid: str) -> dict[str, Any]:
    """Return the patch that makes a Job the owner of an object, which then goes with it."""
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": uid, "controller": False}
    return {"metadata": {"ownerReferences": [owner]}}


def job(plan: JobPlan, settings: KubernetesSettings, script: str) -> dict[str, Any]:
    """Return the Indexed Job of one attempt."""
    name = job_name(plan.job_id, plan.attempt)
    its_labels = labels(plan.job_id, plan.attempt, plan.instance)
    count = len(plan.completions)
    notes = {
        PLAN: json.dumps(packed(plan), separators=(",", ":")),
        PROGRAM: plan.program,
        DATABASE: plan.database,
        TITLE: plan.title[:500],
        GENERATION: ",".join(plan.generations),
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": queued(settings) | dict(its_labels), "annotations": notes},
        "spec": {
            "suspend": bool(settings.queue_name),
            "completionMode": "Indexed",
            "completions": count,
            "parallelism": min(count, MAX_PARALLEL),
            "backoffLimitPerIndex": settings.retries,
            "maxFailedIndexes": 0,  # every unit is needed: the first that fails for good ends the Job
            "podReplacementPolicy": "Failed",  # never two pods of one unit by our own doing
            "ttlSecondsAfterFinished": settings.ttl_seconds,
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {
                        "action": "FailJob",
                        "onExitCodes": {"containerName": CONTAINER, "operator": "In", "values": list(FATAL_EXITS)},
                    },
                ]
            },
            "template": {
                "metadata": template_metadata(settings, its_labels),
                "spec": pod_spec(name, plan, settings, script),
            },
        },
    }


def queued(settings: KubernetesSettings) -> dict[str, str]:
    """Return the labels of the operator's own, and that of the queue which lets the Job begin."""
    return settings.labels | ({QUEUE: settings.queue_name} if settings.queue_name else {})


def template_metadata(settings: KubernetesSettings, its_labels: Mapping[str, str]) -> dict[str, Any]:
    """Return labels and annotations of pods: an autoscaler does not move a search away to save a node."""
    return {
        "labels": settings.labels | dict(its_labels),
        "annotations": {SAFE_TO_EVICT: "false"} | settings.annotations,
    }


def packed(plan: JobPlan) -> dict[str, Any]:
    """Return the plan's units as the annotation holds them: enough to read the Job's indexes after a restart."""
    firsts = [units[0] for units in plan.completions]
    note: dict[str, Any] = {"units": ranges(firsts)}
    if plan.riders:
        note["riders"] = {str(unit): ranges(hosts) for unit, hosts in plan.riders.items()}
    return note


def ranges(numbers: Sequence[int]) -> str:
    """Return numbers as text in their order, runs as `first-last`, like Kubernetes' completedIndexes."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def pod_spec(secret_name: str, plan: JobPlan, settings: KubernetesSettings, script: str) -> dict[str, Any]:
    """Return the pod: one container that runs a unit; on a cold cluster one before it that brings the database."""
    request, limit = memory(plan, settings)
    resources = {
        "requests": {"cpu": f"{round(settings.cpu * 1000)}m", "memory": str(request)},
        "limits": {"memory": str(limit)},
    }
    if settings.cache == "none":
        copied = 0 if in_place(settings) else plan.database_bytes
        resources["requests"]["ephemeral-storage"] = str(copied + GIB)
    spec = placed(settings) | {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [container(CONTAINER, "run", settings, resources, plan.mounts)],
        "volumes": volumes(secret_name, settings, script, plan.mounts),
    }
    if plan.staging:
        spec["initContainers"] = [container(STAGER, "stage", settings, resources, plan.mounts)]
    return spec


def placed(settings: KubernetesSettings) -> dict[str, Any]:
    """Return what decides where a pod runs, and as whom; the pod gets no token of the cluster."""
    spec: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}} | user(settings),
    }
    if settings.affinity:
        spec["affinity"] = dict(settings.affinity)
    if settings.topology_spread:
        spec["topologySpreadConstraints"] = list(settings.topology_spread)
    if settings.runtime_class:
        spec["runtimeClassName"] = settings.runtime_class
    if settings.node_selector:
        spec["nodeSelector"] = dict(settings.node_selector)
    if settings.tolerations:
        spec["tolerations"] = [msgspec.to_builtins(each) for each in settings.tolerations]
    if settings.priority_class:
        spec["priorityClassName"] = settings.priority_class
    if settings.service_account:
        spec["serviceAccountName"] = settings.service_account
    if settings.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in settings.image_pull_secrets]
    return spec


def user(settings: KubernetesSettings) -> dict[str, Any]:
    """Return as whom pods run: nobody's user, which Secret and volumes are made readable for; root for a node's folder.

    A folder of the node is made by the kubelet for root, so that an image with a user of its own can't write there.
    """
    if settings.cache == "hostPath":
        return {"runAsUser": 0, "runAsGroup": 0}
    number = settings.run_as_user
    return {"runAsNonRoot": True, "runAsUser": number, "runAsGroup": number, "fsGroup": number}


def container(
    name: str, mode: str, settings: KubernetesSettings, resources: Mapping[str, Any], mounts: PodMounts
) -> dict[str, Any]:
    """Return a container that runs the pod's program in *mode*."""
    return {
        "name": name,
        "image": settings.image,
        "imagePullPolicy": settings.image_pull_policy,
        "command": ["python3", "-I", f"{SCRIPTS_AT}/{SCRIPT}", mode],
        "workingDir": WORK_AT,
        "env": [
            {"name": "BLASTD_ACCESS", "value": f"{ACCESS_AT}/access.json"},
            {"name": "BLASTD_CACHE", "value": "" if in_place(settings) else CACHE_AT},
            {"name": "BLASTD_CACHE_BYTES", "value": str(settings.cache_bytes)},
            {"name": "BLASTD_WORK", "value": WORK_AT},
            {"name": "BLASTD_POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "BLASTD_NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        "resources": dict(resources),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [
            {"name": "scripts", "mountPath": SCRIPTS_AT, "readOnly": True},
            {"name": "access", "mountPath": ACCESS_AT, "readOnly": True},
            {"name": "cache", "mountPath": CACHE_AT},
            {"name": "work", "mountPath": WORK_AT},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108  # BLAST+ and Python look for it there
            *mounts.mounts,
        ],
    }


def volumes(secret_name: str, settings: KubernetesSettings, script: str, mounts: PodMounts) -> list[dict[str, Any]]:
    """Return the program, the access, the node's cache, room for the output, and the storage where it is a volume."""
    return [
        {"name": "scripts", "configMap": {"name": scripts_name(script)}},
        {"name": "access", "secret": {"secretName": secret_name, "defaultMode": 0o400}},
        {"name": "cache"} | cache(settings),
        {"name": "work", "emptyDir": {}},
        {"name": "scratch", "emptyDir": {}},
        *mounts.volumes,
    ]


def in_place(settings: KubernetesSettings) -> bool:
    """Tell whether pods search databases where the storage has them, and bring none."""
    return settings.cache == "none" and settings.storage == "volume"


def cache(settings: KubernetesSettings) -> dict[str, Any]:
    """Return the volume in which databases lie."""
    if settings.cache == "hostPath":
        return {"hostPath": {"path": settings.cache_dir, "type": "DirectoryOrCreate"}}
    if settings.cache == "pvc":
        return {"persistentVolumeClaim": {"claimName": settings.cache_claim}}
    if settings.cache == "none":
        return {"emptyDir": {}}
    claim: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": str(settings.cache_bytes)}},
    }
    if settings.cache_storage_class:
        claim["storageClassName"] = settings.cache_storage_class
    return {"ephemeral": {"volumeClaimTemplate": {"spec": claim}}}


def warmer(
    fingerprint: str, settings: KubernetesSettings, script: str, instance: str, mounts: PodMounts = NO_MOUNTS
) -> dict[str, Any]:
    """Return the DaemonSet that stages a generation on every node that may search; it is ready where that is done."""
    name = warm_name(fingerprint, instance)
    its_labels = {APP: APP_VALUE, **owned(instance), GENERATION: name}
    resources = {"requests": {"cpu": "100m", "memory": str(128 * MIB)}}
    box = container(CONTAINER, "warm", settings, resources, mounts)
    box["readinessProbe"] = {
        "exec": {"command": ["test", "-e", f"{WORK_AT}/warm"]},
        "periodSeconds": 2,
    }
    pods = template_metadata(settings, its_labels)
    pods["annotations"] |= {GENERATION: fingerprint}
    spec = placed(settings) | {
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [box],
        "volumes": volumes(name, settings, script, mounts),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": name, "labels": its_labels, "annotations": {GENERATION: fingerprint}},
        "spec": {
            "selector": {"matchLabels": {GENERATION: name}},
            "template": {"metadata": pods, "spec": spec},
        },
    }
