"""Job and Pod objects as API servers really answered them, and what they mean."""

import gzip
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from blastd.engines.kubernetes import diagnosis
from blastd.engines.kubernetes.objects import JobObject, PodObject
from blastd.engines.kubernetes.status import (
    End,
    Stage,
    Units,
    by_index,
    job_facts,
    parse_indexes,
    pod_facts,
    run_facts,
    units_of,
)

CAPTURES: dict[str, Any] = json.loads(
    gzip.decompress((Path(__file__).parents[1] / "data/k8s/captures.json.gz").read_bytes())
)
FINISHED = ["b1-finished", "b2-finished", "d1-three-batches", "d2-three-batches", "v3-ten-shard-jobs"]
FAILED = [name for name in CAPTURES if name.startswith(("h1", "h3", "h4"))]


def jobs(run: str) -> list[JobObject]:
    return msgspec.convert(CAPTURES[run]["jobs"], list[JobObject])


def pods(run: str) -> list[PodObject]:
    return msgspec.convert(CAPTURES[run]["pods"], list[PodObject])


def job(**status: Any) -> JobObject:
    return msgspec.convert({"metadata": {"name": "j"}, "spec": {"completions": 3}, "status": status}, JobObject)


@pytest.mark.parametrize("run", FINISHED)
def test_T15_finished_runs_are_complete_though_another_condition_stands_first(run: str) -> None:
    searches = [each for each in jobs(run) if each.metadata.labels["app"] in ("blast", "shard-blast")]
    assert searches
    for each in searches:
        assert each.status.conditions[0].type == "SuccessCriteriaMet"
        facts = job_facts(each)
        assert facts.end is End.COMPLETE
        assert facts.started_at is not None and facts.ended_at is not None and facts.ended_at > facts.started_at
    assert run_facts(jobs(run)).end is End.COMPLETE


def test_T15_running_run_is_running_though_its_finalizer_succeeded() -> None:
    for run in ("b1-running", "h2-long-running"):
        facts = run_facts(jobs(run))
        assert facts.end is None
        assert facts.running


@pytest.mark.parametrize("run", FAILED)
def test_T15_failed_runs_name_every_reason(run: str) -> None:
    facts = run_facts(jobs(run))
    assert facts.end is End.FAILED
    trouble = diagnosis.run_failed(facts.culprits, [])
    assert "DeadlineExceeded" in trouble.sentence
    assert "BackoffLimitExceeded" in trouble.sentence
    assert trouble.code == "deadline_exceeded"


def test_old_jobs_without_success_criteria_are_read_by_condition_type() -> None:
    assert job_facts(jobs("ncbi-job-status")[0]).end is End.COMPLETE
    failed = job_facts(jobs("ncbi-job-status-failed")[0])
    assert failed.end is End.FAILED and failed.reason == "BackoffLimitExceeded"
    assert failed.ended_at is not None


def test_T16_failed_pods_of_an_active_job_are_tries() -> None:
    assert job_facts(job(active=1, failed=7)).end is None


@pytest.mark.parametrize(
    ("conditions", "end"),
    [
        ([("FailureTarget", "True")], None),
        ([("SuccessCriteriaMet", "True")], None),
        ([("Failed", "False")], None),
        ([("Complete", "Unknown")], None),
        ([("FailureTarget", "True"), ("Failed", "True")], End.FAILED),
        ([("Suspended", "True"), ("SuccessCriteriaMet", "True"), ("Complete", "True")], End.COMPLETE),
    ],
)
def test_only_complete_or_failed_that_is_true_ends_a_job(conditions: list[tuple[str, str]], end: End | None) -> None:
    assert job_facts(job(conditions=[{"type": kind, "status": value} for kind, value in conditions])).end is end


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", ()), ("0", (0,)), ("1,3-5,7", (1, 3, 4, 5, 7)), (" 2 , 4-4", (2, 4)), ("x,-", ())],
)
def test_completed_indexes_are_read(text: str, numbers: tuple[int, ...]) -> None:
    assert parse_indexes(text) == numbers


def test_pods_give_times_node_and_exit_code_of_their_container() -> None:
    found = [pod_facts(pod) for pod in pods("b1-finished") if pod.metadata.labels.get("app") == "blast"]
    assert [facts.stage for facts in found] == [Stage.SUCCEEDED]
    assert found[0].exit_code == 0
    assert found[0].node
    assert found[0].started_at is not None and found[0].ended_at is not None


def test_last_word_of_the_pods_program_is_read_and_a_killed_one_gives_its_log() -> None:
    def with_message(message: str) -> PodObject:
        end = {"exitCode": 2, "reason": "Error", "message": message, "startedAt": "2026-01-01T00:00:00Z"}
        return msgspec.convert(
            {
                "metadata": {"name": "p", "annotations": {"batch.kubernetes.io/job-completion-index": "4"}},
                "status": {"phase": "Failed", "containerStatuses": [{"name": "blast", "state": {"terminated": end}}]},
            },
            PodObject,
        )

    facts = pod_facts(with_message('{"unit": 9, "exit_code": 2, "stderr": "BLAST Database error: gone"}'))
    assert facts.index == 4
    assert facts.note is not None and facts.note.stderr == "BLAST Database error: gone"
    assert by_index([with_message("Killed")])[4][0].text == "Killed"


def test_units_of_a_job_come_from_its_annotation() -> None:
    found = msgspec.convert(
        {"metadata": {"annotations": {"blastd.io/plan": '{"units":"3-5,9","riders":{"10":"3-4"}}'}}}, JobObject
    )
    units = units_of(found)
    assert units == Units(own=(3, 4, 5, 9), riders={10: (3, 4)})
    assert units.hosts(9) == (3,)
    assert units.hosts(10) == (0, 1)
    assert units_of(job()).own == (0, 1, 2)
