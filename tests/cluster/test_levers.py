"""A cluster that breaks: paused, restarted, its history compacted. Rows say that they are stale, and are true again."""

import time

from tests.cluster.conftest import Make
from tests.cluster.parts import pull, until
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY


def test_T13_C04_an_api_server_that_is_away_makes_rows_stale_and_nothing_fails(daemon: Daemon) -> None:
    row = daemon.submit(SLOW_QUERY, **SLOW)
    until("it runs", lambda: daemon.job(row["job_id"])["status"] == "running", 30)
    pull("stop-apiserver")
    try:
        stale = until("it is stale", lambda: daemon.job(row["job_id"])["stale"] and daemon.job(row["job_id"]), 20)
        assert stale["status"] == "running"
        assert stale["stale_reason"]
        begin = time.monotonic()
        assert daemon.get("/api/blast/jobs").status == 200
        assert time.monotonic() - begin < 0.3
        answer = daemon.post(f"/api/blast/jobs/{row['job_id']}/cancel")
        assert answer.status == 202
        time.sleep(1.0)
        assert daemon.job(row["job_id"])["phase"] == "cancelling"
    finally:
        pull("start-apiserver")
    assert daemon.ended(row["job_id"], 60)["status"] == "cancelled"


def test_T14_a_watch_that_expired_is_listed_again(make: Make) -> None:
    own = make().start()
    row = own.submit(SLOW_QUERY, **SLOW)
    until("it runs", lambda: own.job(row["job_id"])["status"] == "running", 30)
    pull("expire-watch")
    until("it is true again", lambda: not own.job(row["job_id"])["stale"], 30)
    assert own.job(row["job_id"])["status"] == "running"
    own.post(f"/api/blast/jobs/{row['job_id']}/cancel")
    assert own.ended(row["job_id"], 60)["status"] == "cancelled"
    assert own.run(LAMBDA_QUERY, reuse=False)["status"] == "completed"
