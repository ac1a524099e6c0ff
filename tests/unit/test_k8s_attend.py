"""The outside work of a job on the cluster: results are fetched as soon as their pod says that it ended well."""

import asyncio
from typing import Any

import msgspec
import pytest

from blastd.clock import SystemClock
from blastd.engines.kubernetes import attend
from blastd.engines.kubernetes.attend import GRACE_SECONDS, Attendant, Held, wanted
from blastd.engines.kubernetes.objects import JobObject, PodObject
from blastd.engines.kubernetes.status import Units, job_facts, pod_facts

JOB = msgspec.convert({"metadata": {"name": "j"}, "spec": {"completions": 1}}, JobObject)
ENDED = {"exitCode": 0, "startedAt": "2026-11-25T20:00:00Z", "finishedAt": "2026-11-25T20:00:01Z"}


def pod(phase: str, state: dict[str, Any]) -> PodObject:
    annotations = {"batch.kubernetes.io/job-completion-index": "0"}
    status = {"phase": phase, "containerStatuses": [{"name": "blast", "state": state}]}
    return msgspec.convert({"metadata": {"name": "p", "annotations": annotations}, "status": status}, PodObject)


def held() -> Held:
    return Held("00000000-0000-4000-8000-000000000000", 1, "j", began=SystemClock().monotonic())  # type: ignore[arg-type]


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


async def test_short_search_is_fetched_though_its_attendant_waits_for_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """It used to sleep until three seconds after the Job was made, whatever its pod did meanwhile."""
    mine, clock = held(), SystemClock()
    pods: dict[str, PodObject] = {}
    fetched: list[float] = []

    async def fetch(_: Attendant, job: Held, units: list[int]) -> bool:
        fetched.append(clock.monotonic())
        job.harvested.update(dict.fromkeys(units))  # type: ignore[arg-type]
        return True

    monkeypatch.setattr(attend.Attendant, "fetch", fetch)
    work = Attendant(None, None, None, clock, lambda: 0.0)  # type: ignore[arg-type]  # no call leaves it
    task = asyncio.create_task(work.attend(mine, lambda: (JOB, pods), lambda: None))
    await asyncio.sleep(0.05)
    assert not fetched
    pods["p"] = pod("Running", {"terminated": ENDED})
    mine.news.set()
    await asyncio.wait_for(task, GRACE_SECONDS + 5)
    assert fetched and fetched[0] - mine.began < GRACE_SECONDS / 2
