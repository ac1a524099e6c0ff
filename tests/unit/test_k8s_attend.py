"""The outside work of a job on the cluster: results are fetched as soon as their pod says that it ended well."""

import asyncio
from typing import Any

import msgspec
import pytest

from blastd.engines.kubernetes import result_fetches as attend
from blastd.engines.kubernetes.objects import JobObject, PodObject
from blastd.engines.kubernetes.result_fetches import ClusterJob, ResultFetches, wanted
from blastd.engines.kubernetes.status import Units, job_facts, pod_facts
from tests.patience import PATIENCE_SECONDS

JOB = msgspec.convert({"metadata": {"name": "j"}, "spec": {"completions": 1}}, JobObject)
TWO = msgspec.convert({"metadata": {"name": "j"}, "spec": {"completions": 2}}, JobObject)
ENDED = {"exitCode": 0, "startedAt": "2026-11-25T20:00:00Z", "finishedAt": "2026-11-25T20:00:01Z"}


def pod(phase: str, state: dict[str, Any], index: str = "0") -> PodObject:
    annotations = {"batch.kubernetes.io/job-completion-index": index}
    status = {"phase": phase, "containerStatuses": [{"name": "blast", "state": state}]}
    return msgspec.convert({"metadata": {"name": "p", "annotations": annotations}, "status": status}, PodObject)


def held() -> ClusterJob:
    return ClusterJob("00000000-0000-4000-8000-000000000000", 1, "j")  # type: ignore[arg-type]


def test_result_is_wanted_once_its_container_ended_well_and_not_of_a_failed_pod() -> None:
    units = Units(own=(0,))
    assert wanted(job_facts(JOB), units, [pod("Running", {"running": {}})], held()) == []
    assert wanted(job_facts(JOB), units, [pod("Running", {"terminated": ENDED})], held()) == [0]
    assert wanted(job_facts(JOB), units, [pod("Failed", {"terminated": ENDED})], held()) == []
    assert wanted(job_facts(JOB), units, [pod("Running", {"terminated": ENDED | {"exitCode": 1}})], held()) == []


@pytest.mark.parametrize(
    "told", ["2026", '{"started_at": 1e300, "ended_at": 1e300}', '{"started_at": 1.5, "ended_at": 9}']
)
def test_program_clock_is_taken_where_it_says_a_time(told: str) -> None:
    facts = pod_facts(pod("Succeeded", {"terminated": ENDED | {"message": told}}))
    assert facts.started_at is not None and facts.ended_at is not None
    assert (facts.ended_at - facts.started_at).total_seconds() == (7.5 if "1.5" in told else 1.0)


async def test_U18_what_comes_while_results_are_fetched_is_fetched_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """An fetches that kept what it saw first would end without the second result."""
    mine = held()
    pods: dict[str, PodObject] = {}
    fetched: list[list[int]] = []

    async def fetch(_: ResultFetches, job: ClusterJob, units: list[int]) -> bool:
        fetched.append(units)
        job.harvested.update(dict.fromkeys(units))  # type: ignore[arg-type]
        pods["q"] = pod("Running", {"terminated": ENDED}, index="1")
        return True

    monkeypatch.setattr(attend.ResultFetches, "fetch", fetch)
    work = ResultFetches(None, None, lambda: 0.0)  # type: ignore[arg-type]  # no call leaves it
    pods["p"] = pod("Running", {"terminated": ENDED})
    await asyncio.wait_for(work.attend(mine, lambda: (TWO, pods), lambda: None), PATIENCE_SECONDS)
    assert fetched == [[0], [1]]
