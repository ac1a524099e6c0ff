"""What is wrong with a pod or Job, told apart by what Kubernetes says of it; visible while it waits."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from blastd.engines.kubernetes import causes, diagnosis
from blastd.engines.kubernetes.objects import EventObject, JobObject, PodObject

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)

REJECTED = (*causes.REJECTIONS, "SomethingNew")
"""Reasons with which a kubelet rejects a pod, and one that a later version may bring."""


def pod(**status: Any) -> PodObject:
    given = {"metadata": {"name": "p-0-x", "creationTimestamp": "2026-01-01T11:59:00Z"}, "spec": {"nodeName": "n1"}}
    return msgspec.convert(given | {"status": status}, PodObject)


def waiting(reason: str, message: str = "") -> PodObject:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(phase="Pending", containerStatuses=[{"name": "blast", "state": state}])


def ended(code: int, reason: str = "Error", message: str = "", **more: Any) -> PodObject:
    state = {"terminated": {"exitCode": code, "reason": reason, "message": message}}
    return pod(phase="Failed", containerStatuses=[{"name": "blast", "state": state}], **more)


def job(reason: str = "", message: str = "", **status: Any) -> JobObject:
    if reason:
        status["conditions"] = [
            {"type": kind, "status": "True", "reason": reason, "message": message}
            for kind in ("FailureTarget", "Failed")
        ]
    return msgspec.convert({"metadata": {"name": "j"}, "status": status}, JobObject)


def event(reason: str, message: str, name: str = "j") -> EventObject:
    return msgspec.convert(
        {"metadata": {}, "reason": reason, "message": message, "involvedObject": {"name": name}}, EventObject
    )


UNSCHEDULABLE = pod(
    phase="Pending",
    conditions=[
        {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: Insufficient cpu"}
    ],
)


@pytest.mark.parametrize(
    ("the_pod", "code", "says"),
    [
        (waiting("ErrImagePull", "not found"), "image_pull_failed", "not found"),
        (waiting("ImagePullBackOff", "Back-off"), "image_pull_failed", "ImagePullBackOff"),
        (waiting("CreateContainerConfigError", 'secret "x" not found'), "container_config_error", 'secret "x"'),
        (UNSCHEDULABLE, "unschedulable", "Insufficient cpu"),
    ],
)
def test_T17_what_a_pod_waits_for_is_told_while_it_waits(the_pod: PodObject, code: str, says: str) -> None:
    trouble = diagnosis.holding_up(job(active=1), [the_pod], [], NOW)
    assert trouble is not None and trouble.code == code
    assert says in trouble.sentence and trouble.remedy


def test_a_node_that_is_not_heard_of_is_named() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T11:59:00Z"}
    trouble = diagnosis.holding_up(job(active=1), [pod(phase="Pending", conditions=[scheduled])], [], NOW)
    assert trouble is not None and (trouble.code, "n1" in trouble.sentence) == ("node_not_ready", True)
    begun = pod(phase="Pending", conditions=[scheduled], startTime="2026-01-01T11:59:01Z")
    assert diagnosis.holding_up(job(active=1), [begun], [], NOW) is None


@pytest.mark.parametrize(
    ("phase", "ready", "containers", "silent"),
    [
        ("Running", "False", "True", True),
        ("Running", "Unknown", "True", True),
        ("Running", "True", "True", False),
        ("Running", "False", "False", False),
        ("Succeeded", "False", "True", False),
    ],
)
def test_a_pod_that_is_not_ready_though_its_containers_are_is_on_a_silent_node(
    phase: str, ready: str, containers: str, silent: bool
) -> None:
    conditions = [{"type": "Ready", "status": ready}, {"type": "ContainersReady", "status": containers}]
    trouble = diagnosis.silent([pod(phase=phase, conditions=conditions)])
    assert (trouble is not None and trouble.code == "node_not_ready") is silent


def of_place(place: int, made: int, **status: Any) -> PodObject:
    """A pod of a completion index that was made so many seconds after noon."""
    metadata = {
        "name": f"p-{place}-{made}",
        "creationTimestamp": (NOW + timedelta(seconds=made)).isoformat(),
        "annotations": {"batch.kubernetes.io/job-completion-index": str(place)},
    }
    return msgspec.convert({"metadata": metadata, "spec": {"nodeName": "spot"}, "status": status}, PodObject)


TAKEN = [{"type": "DisruptionTarget", "status": "True", "message": "the node is reclaimed"}]
RUNS: dict[str, Any] = {
    "phase": "Running",
    "containerStatuses": [{"name": "blast", "state": {"running": {"startedAt": "2026-01-01T12:00:30Z"}}}],
}


@pytest.mark.parametrize(
    ("pods", "told"),
    [
        ([of_place(0, 0, phase="Failed", conditions=TAKEN)], True),
        ([of_place(0, 0, **RUNS, conditions=TAKEN)], True),
        ([of_place(0, 9, phase="Pending"), of_place(0, 0, phase="Failed", conditions=TAKEN)], True),
        ([of_place(0, 0, phase="Failed", conditions=TAKEN), of_place(0, 9, **RUNS)], False),
        ([of_place(1, 0, phase="Failed", conditions=TAKEN), of_place(0, 9, **RUNS)], True),
        ([of_place(0, 0, phase="Failed"), of_place(0, 9, phase="Pending")], False),
    ],
)
def test_K11_a_part_that_a_node_gave_up_is_told_until_another_pod_does_it(pods: list[PodObject], told: bool) -> None:
    trouble = diagnosis.taken_away(pods)
    assert (trouble is not None) is told
    if trouble is not None:
        assert (trouble.code, "spot" in trouble.sentence, "counts as no try" in trouble.remedy) == (
            "node_lost",
            True,
            True,
        )


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_a_pod_on_its_way_is_no_trouble(reason: str) -> None:
    assert diagnosis.holding_up(job(active=1), [waiting(reason)], [], NOW) is None


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('pods "j-0" is forbidden: exceeded quota: q, requested: cpu=1', "quota_exceeded"),
        ('admission webhook "policy" denied the request', "webhook_refused"),
        ("violates PodSecurity", "pods_refused"),
    ],
)
def test_T17_pods_that_may_not_be_created_are_told_from_the_jobs_event(message: str, code: str) -> None:
    trouble = diagnosis.holding_up(job(), [], [event("FailedCreate", message)], NOW)
    assert trouble is not None and trouble.code == code


def test_an_old_event_is_no_trouble_once_pods_run() -> None:
    assert diagnosis.holding_up(job(active=1), [], [event("FailedCreate", "exceeded quota")], NOW) is None


def test_volume_that_cant_be_mounted_is_told_after_a_while() -> None:
    slow = waiting("ContainerCreating")
    events = [event("FailedMount", "hostPath type check failed", "p-0-x")]
    trouble = diagnosis.holding_up(job(active=1), [slow], events, NOW)
    assert trouble is not None and trouble.code == "volume_mount_failed"
    early = NOW - timedelta(seconds=55)
    assert diagnosis.holding_up(job(active=1), [slow], events, early) is None


@pytest.mark.parametrize(
    ("the_pod", "code"),
    [
        (ended(137, "OOMKilled"), "out_of_memory"),
        (ended(137, "Error", '{"exit_code": 137, "cause": "out_of_memory"}'), "out_of_memory"),
        (pod(phase="Failed", reason="Evicted", message="low on memory"), "evicted"),
        *((pod(phase="Failed", reason=reason, message="Node said no"), "pod_rejected") for reason in REJECTED),
        (
            ended(137, conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}]),
            "node_lost",
        ),
        (ended(40, message='{"exit_code": 40, "cause": "blob_denied", "stderr": "403"}'), "blob_access_denied"),
        (ended(41, message='{"exit_code": 41, "cause": "blob_away", "stderr": "timed out"}'), "blob_unreachable"),
        (ended(42, message='{"exit_code": 42, "cause": "staging_failed", "stderr": "sha256"}'), "staging_failed"),
        (ended(1, message='{"exit_code": 1, "stderr": "BLAST query/options error: bad"}'), "bad_input"),
        (ended(2, message='{"exit_code": 2, "stderr": "BLAST Database error: No alias"}'), "database_error"),
        (ended(3, message='{"exit_code": 3, "stderr": "BLAST engine error: x"}'), "engine_error"),
        (ended(4, message='{"exit_code": 4, "stderr": ""}'), "out_of_memory"),
    ],
)
def test_T17_each_way_to_fail_has_its_code_and_remedy(the_pod: PodObject, code: str) -> None:
    trouble = diagnosis.why_failed(job("PodFailurePolicy", "p-0-x failed"), [the_pod], [], "blastp")
    assert trouble.code == code
    assert trouble.remedy and trouble.sentence


def test_T16_cause_in_stderr_is_in_the_sentence() -> None:
    failed = ended(2, message='{"exit_code": 2, "stderr": "Warning: x\\nBLAST Database error: No alias or index"}')
    told = diagnosis.why_failed(job("PodFailurePolicy", "with exit code 2"), [failed], [], "blastn")
    assert "No alias or index" in told.sentence


def test_pod_that_the_job_names_comes_before_those_that_were_stopped_for_it() -> None:
    stopped = msgspec.structs.replace(ended(143), metadata=msgspec.convert({"name": "p-1-y"}, type(pod().metadata)))
    told = diagnosis.why_failed(job("PodFailurePolicy", "p-0-x"), [stopped, ended(2)], [], "blastn")
    assert told.code == "database_error"


@pytest.mark.parametrize(
    ("reason", "message", "code"),
    [
        ("DeadlineExceeded", "Job was active longer than specified deadline", "deadline_exceeded"),
        ("BackoffLimitExceeded", "Job has reached the specified backoff limit", "backoff_limit_exceeded"),
        ("PodFailurePolicy", "Container blast for pod d/p failed with exit code 2 matching", "database_error"),
        ("Else", "x", "kubernetes_job_failed"),
    ],
)
def test_without_pods_the_jobs_own_reason_is_told(reason: str, message: str, code: str) -> None:
    assert diagnosis.why_failed(job(reason, message), [], [], "blastn").code == code


def test_deadline_passed_while_waiting_tells_what_it_waited_for() -> None:
    failed = job("DeadlineExceeded", "x", completionTime="2026-01-01T12:00:00Z")
    assert diagnosis.why_failed(failed, [UNSCHEDULABLE], [], "blastn").code == "unschedulable"


def test_every_code_is_explained_in_the_docs() -> None:
    """The table of docs/kubernetes.md says what each failure code of the cluster means."""
    root = Path(__file__).parents[2]
    page = (root / "docs" / "kubernetes.md").read_text()
    folder = root / "blastd" / "engines" / "kubernetes"
    codes = {code for path in folder.glob("*.py") for code in re.findall(r'\bcode="([a-z_]+)"', path.read_text())}
    codes |= {code for code, _, _ in causes.RUNNER.values()} | {"webhook_refused", "pods_refused", "quota_exceeded"}
    assert len(codes) > 20
    assert sorted(code for code in codes if f"`{code}`" not in page) == []
