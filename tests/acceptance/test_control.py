"""C: cancel, retry, delete, idempotency, crashes, on the local engine."""

import threading
from typing import Any

import psutil

from tests.acceptance.test_truth import children_of
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS, until


def occupied(slow: Daemon) -> str:
    """Submit a search that takes the only slot, and wait until it runs."""
    job_id: str = slow.submit(SLOW_QUERY, **SLOW)["job_id"]
    until(lambda: slow.job(job_id)["status"] == "running")
    return job_id


def cancel(daemon: Daemon, job_id: str) -> dict[str, Any]:
    answer = daemon.post(f"/api/blast/jobs/{job_id}/cancel")
    assert answer.status == 202, answer.text
    row: dict[str, Any] = answer.json
    return row


def test_C01_a_queued_job_that_is_cancelled_never_starts(slow: Daemon) -> None:
    first = occupied(slow)
    second = slow.submit(SLOW_QUERY, **SLOW)["job_id"]
    cancel(slow, second)
    until(lambda: slow.job(second)["status"] == "cancelled")
    cancel(slow, first)
    slow.ended(first)
    row = slow.job(second)
    assert row["started_at"] is None
    assert all(step["name"] != "running" or step["started_at"] is None for step in row["steps"])


def test_C02_everything_of_a_running_job_is_gone_and_others_are_untouched(slow: Daemon) -> None:
    first = occupied(slow)
    waiting = slow.submit(LAMBDA_QUERY, reuse=False)["job_id"]
    assert children_of(slow, "blast")
    cancel(slow, first)
    assert slow.ended(first)["status"] == "cancelled"
    assert slow.ended(waiting)["status"] == "completed"
    until(lambda: not children_of(slow, "blast"))


def test_C03_cancelled_stays_cancelled_across_a_restart(slow: Daemon) -> None:
    first = occupied(slow)
    cancel(slow, first)
    row = slow.ended(first)
    slow.stop()
    slow.start()
    again = slow.job(first)
    assert (again["status"], again["finished_at"]) == ("cancelled", row["finished_at"])


def test_C05_cancel_twice_gives_the_same_answer(slow: Daemon) -> None:
    first = occupied(slow)
    one, two = cancel(slow, first), cancel(slow, first)
    assert one["phase"] in ("cancelling", "cancelled")
    assert two["phase"] in ("cancelling", "cancelled")
    slow.ended(first)
    assert cancel(slow, first)["status"] == "cancelled"


def test_C06_running_jobs_are_not_deleted_and_deleted_ones_stay_deleted(slow: Daemon) -> None:
    first = occupied(slow)
    assert slow.ask("DELETE", f"/api/blast/jobs/{first}").status == 409
    cancel(slow, first)
    slow.ended(first)
    folder = slow.state / "jobs" / first
    assert folder.exists()
    answer = slow.ask("DELETE", f"/api/blast/jobs/{first}")
    assert answer.status == 200
    assert answer.json["bytes_freed"] > 0
    assert not folder.exists()
    slow.stop()
    slow.start()
    assert slow.get(f"/api/blast/jobs/{first}").status in (404, 410)
    assert first not in [job["job_id"] for job in slow.get("/api/blast/jobs?limit=500").json["jobs"]]
    assert slow.ask("DELETE", f"/api/blast/jobs/{first}").status in (404, 410)


def test_C07_one_key_is_one_job_also_in_parallel_and_after_a_restart(fresh: Daemon) -> None:
    fresh.start()
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(fresh.post("/api/blast/jobs", body, {"Idempotency-Key": "k1"})))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert sorted({answer.status for answer in answers}) in ([200, 202], [202])
    assert len({answer.json["job_id"] for answer in answers}) == 1
    fresh.kill()
    fresh.start()
    again = fresh.post("/api/blast/jobs", body, {"Idempotency-Key": "k1"})
    assert (again.status, again.json["job_id"]) == (200, answers[0].json["job_id"])
    other = fresh.post("/api/blast/jobs", body | {"title": "other"}, {"Idempotency-Key": "k1"})
    assert other.status == 422


def own_processes(daemon: Daemon) -> list[psutil.Process]:
    assert daemon.process is not None
    found: list[psutil.Process] = psutil.Process(daemon.process.pid).children(recursive=True)
    return found


def alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_C09_finished_units_are_not_run_again_after_a_crash(slow: Daemon) -> None:
    done = slow.run(LAMBDA_QUERY, reuse=False)["job_id"]
    running = occupied(slow)
    slow.kill()
    slow.start()
    until(lambda: slow.job(running)["status"] == "running")
    logs = slow.get(f"/api/blast/jobs/{done}/logs").json
    assert "attempt" in str(logs)
    assert slow.job(done)["status"] == "completed"
    cancel(slow, running)
    slow.ended(running)


def test_C11_retry_is_a_new_attempt_that_keeps_history(slow: Daemon) -> None:
    first = occupied(slow)
    cancel(slow, first)
    slow.ended(first)
    answer = slow.post(f"/api/blast/jobs/{first}/retry")
    assert answer.status == 202, answer.text
    assert answer.json["attempt"] == 2
    assert slow.post(f"/api/blast/jobs/{first}/retry").status == 409
    until(lambda: slow.job(first)["status"] == "running")
    cancel(slow, first)
    slow.ended(first)
    kinds = [event["kind"] for event in slow.get(f"/api/blast/jobs/{first}/events").json["events"]]
    assert kinds.count("cancelled") == 2
    assert "retried" in kinds


def test_C11_a_completed_job_is_not_retried(daemon: Daemon) -> None:
    assert daemon.post(f"/api/blast/jobs/{daemon.run(LAMBDA_QUERY)['job_id']}/retry").status == 409


def test_C12_sigterm_ends_within_ten_seconds_and_loses_nothing(slow: Daemon) -> None:
    running = occupied(slow)
    group = own_processes(slow)
    assert slow.stop() == 0
    assert not any(alive(process) for process in group)
    slow.start()
    until(lambda: slow.job(running)["status"] == "running")
    cancel(slow, running)
    slow.ended(running)
