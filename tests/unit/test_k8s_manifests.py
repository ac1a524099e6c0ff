"""What the cluster is asked for: names, units, retries, what fails at once, and where secrets stand."""

import json
from typing import Any

import msgspec
import pytest

from blastd.config import KubernetesSettings, Toleration
from blastd.core.ids import JobId
from blastd.engines.kubernetes import manifests
from blastd.engines.kubernetes.bootstrap import agrees
from blastd.engines.kubernetes.objects import JobObject
from blastd.engines.kubernetes.status import Units, parse_indexes, units_of

JOB = JobId("0123456789ab-cdef".replace("-", "") + "0" * 16)
PLAN = manifests.JobPlan(
    job_id=JOB,
    attempt=2,
    title="a title",
    program="blastp",
    database="nr",
    completions=((0,), (1,), (2,), (7,)),
    riders={9: (0, 1, 2)},
    database_bytes=1 << 30,
    unit_bytes=1 << 30,
)


def made(settings: KubernetesSettings | None = None, plan: manifests.JobPlan = PLAN) -> dict[str, Any]:
    return manifests.job(plan, settings or KubernetesSettings(enabled=True), "print()")


def test_name_is_made_of_the_job_and_its_attempt_alone() -> None:
    assert made()["metadata"]["name"] == "blastd-0123456789ab-2" == manifests.job_name(JOB, 2)


def test_units_are_completions_and_are_read_back_from_the_object() -> None:
    spec = made()["spec"]
    assert (spec["completions"], spec["completionMode"]) == (4, "Indexed")
    assert units_of(msgspec.convert(made(), JobObject, strict=False)) == Units(own=(0, 1, 2, 7), riders={9: (0, 1, 2)})


@pytest.mark.parametrize("numbers", [[], [3], [0, 1, 2], [5, 6, 9, 1, 2], list(range(0, 40, 3))])
def test_ranges_and_their_parser_are_inverse(numbers: list[int]) -> None:
    assert list(parse_indexes(manifests.ranges(numbers))) == numbers


def test_disruptions_are_free_and_blast_errors_fail_at_once() -> None:
    rules = made()["spec"]["podFailurePolicy"]["rules"]
    assert rules[0]["action"] == "Ignore"
    assert rules[0]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
    assert rules[1]["action"] == "FailJob"
    assert set(rules[1]["onExitCodes"]["values"]) >= {1, 2, 3}
    assert 4 not in rules[1]["onExitCodes"]["values"]
    assert made()["spec"]["template"]["spec"]["restartPolicy"] == "Never"


def test_pod_holds_no_secret_and_no_token_of_the_cluster() -> None:
    access = {"endpoint": "http://blob", "sigs": {"q": "SECRET"}}
    secret = manifests.secret("s", {}, access)
    assert "SECRET" not in json.dumps(made()) + json.dumps(manifests.scripts("print()"))
    assert secret["kind"] == "Secret"
    assert made()["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_pod_reaches_a_nodes_cache_of_root_whatever_user_the_image_has() -> None:
    pod = made()["spec"]["template"]["spec"]
    context = pod["containers"][0]["securityContext"]
    assert (pod["securityContext"]["runAsUser"], pod["securityContext"]["runAsGroup"]) == (0, 0)
    assert context["capabilities"] == {"drop": ["ALL"]}
    assert (context["allowPrivilegeEscalation"], context["readOnlyRootFilesystem"]) == (False, True)


@pytest.mark.parametrize("cache", ["pvc", "ephemeral", "none"])
@pytest.mark.parametrize("staging", [False, True])
def test_K06_without_a_nodes_folder_pods_keep_to_the_restricted_profile(cache: Any, staging: bool) -> None:
    settings = KubernetesSettings(enabled=True, cache=cache, cache_claim="shared", cache_bytes=1 << 30, run_as_user=777)
    plan = msgspec.structs.replace(PLAN, staging=staging)
    warmer = manifests.warmer("f", settings, "print()", "store")["spec"]["template"]["spec"]
    for pod in (made(settings, plan)["spec"]["template"]["spec"], warmer):
        assert pod["securityContext"] == {
            "seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": True, "runAsUser": 777, "runAsGroup": 777,
            "fsGroup": 777,
        }  # fmt: skip
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            context = container["securityContext"]
            assert (context["allowPrivilegeEscalation"], context["capabilities"]) == (False, {"drop": ["ALL"]})
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
        kinds = {"pvc": "persistentVolumeClaim", "ephemeral": "ephemeral", "none": "emptyDir"}
        assert [volume.keys() & {kinds[cache]} for volume in pod["volumes"] if volume["name"] == "cache"] == [
            {kinds[cache]}
        ]


def test_K06_what_a_cluster_asks_of_pods_is_in_the_settings() -> None:
    settings = KubernetesSettings(
        enabled=True,
        labels={"cost": "lab", manifests.APP: "other"},
        annotations={"a.example/b": "c"},
        affinity={"nodeAffinity": {}},
        topology_spread=[{"maxSkew": 1}],
        runtime_class="gvisor",
        queue_name="team",
    )
    job = made(settings)
    template = job["spec"]["template"]
    assert (job["metadata"]["labels"]["cost"], job["metadata"]["labels"][manifests.QUEUE]) == ("lab", "team")
    assert (
        job["metadata"]["labels"][manifests.APP] == template["metadata"]["labels"][manifests.APP] == manifests.APP_VALUE
    )
    assert template["metadata"]["annotations"] == {manifests.SAFE_TO_EVICT: "false", "a.example/b": "c"}
    assert job["spec"]["suspend"] is True
    assert made()["spec"]["suspend"] is False
    spec = template["spec"]
    assert (spec["affinity"], spec["runtimeClassName"]) == ({"nodeAffinity": {}}, "gvisor")
    assert spec["topologySpreadConstraints"] == [{"maxSkew": 1}]


def test_program_in_the_pod_is_named_by_its_content_and_never_changes() -> None:
    one, other = manifests.scripts("a"), manifests.scripts("b")
    assert one["metadata"]["name"] != other["metadata"]["name"]
    assert one["immutable"] is True


def test_memory_follows_the_database_within_the_limits() -> None:
    settings = KubernetesSettings(enabled=True)
    request, limit = manifests.memory(PLAN, settings)
    assert 1 << 30 < request <= limit
    small = msgspec.structs.replace(PLAN, memory_limit_bytes=100 << 20)
    assert manifests.memory(small, settings) == (100 << 20, 100 << 20)


def test_everything_of_the_settings_reaches_the_pod() -> None:
    settings = KubernetesSettings(
        enabled=True,
        image="me/blast:1",
        image_pull_secrets=["registry"],
        service_account="runner",
        priority_class="low",
        node_selector={"workload": "blast"},
        tolerations=[Toleration(key="spot", operator="Exists", effect="NoSchedule", toleration_seconds=5)],
        cache_dir="/fast",
        retries=0,
        ttl_seconds=90,
    )
    job = made(settings)
    pod = job["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "me/blast:1"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert (pod["serviceAccountName"], pod["priorityClassName"]) == ("runner", "low")
    assert pod["nodeSelector"] == {"workload": "blast"}
    assert pod["tolerations"] == [{"key": "spot", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 5}]
    assert {"path": "/fast", "type": "DirectoryOrCreate"} in [v.get("hostPath") for v in pod["volumes"]]
    assert (job["spec"]["backoffLimitPerIndex"], job["spec"]["ttlSecondsAfterFinished"]) == (0, 90)


def test_plain_defaults_ask_for_nothing_a_plain_cluster_lacks() -> None:
    pod = made()["spec"]["template"]["spec"]
    assert not {"serviceAccountName", "priorityClassName", "nodeSelector", "tolerations", "imagePullSecrets"} & set(pod)


def test_only_the_same_work_is_adopted() -> None:
    ours = made()
    assert agrees(json.loads(json.dumps(ours)), ours)
    other = made(plan=msgspec.structs.replace(PLAN, completions=((0,), (1,)), riders={}))
    assert not agrees(other, ours)
    assert not agrees({"metadata": {"name": ours["metadata"]["name"]}}, ours)


def test_cold_cluster_gets_a_container_that_brings_the_database_first() -> None:
    cold = made(plan=msgspec.structs.replace(PLAN, staging=True))["spec"]["template"]["spec"]
    assert [each["name"] for each in cold["initContainers"]] == ["stage"]
    assert "initContainers" not in made()["spec"]["template"]["spec"]
