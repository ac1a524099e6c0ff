"""C09 for webhooks: what a crash interrupts is told after the restart, at least once, with the same id."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, NO_HITS_QUERY
from tests.patience import PATIENCE_SECONDS
from tests.receiver import Receiver

SECRET = "a secret of the tests, long enough"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver(500)
    yield found
    found.close()


@pytest.mark.slow
def test_C09_a_crash_loses_no_webhook(fresh: Daemon, receiver: Receiver, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET + "\n")
    fresh.environ |= {
        "BLASTD_WEBHOOKS__SECRET_FILE": str(secret),
        "BLASTD_WEBHOOKS__ALLOWED_HOSTS": f"127.0.0.1:{receiver.port}",
        "BLASTD_WEBHOOKS__FIRST_DELAY_SECONDS": "0.1",
        "BLASTD_WEBHOOKS__LONGEST_DELAY_SECONDS": "0.5",
        "BLASTD_WEBHOOKS__MAX_ATTEMPTS": "1000",
    }
    fresh.start()
    ended = fresh.run(LAMBDA_QUERY, webhook=receiver.url)["job_id"]
    receiver.wait_for(2)
    receiver.seconds = 0.5  # so that the crash comes between the receiver's word and ours
    before = len(receiver.got)
    receiver.wait_for(before + 1)
    fresh.kill()
    receiver.seconds, receiver.answers = 0.0, [204]
    fresh.start()
    running = fresh.submit(NO_HITS_QUERY, webhook=receiver.url, reuse=False)["job_id"]
    fresh.kill()  # accepted, and perhaps running
    fresh.start()
    fresh.ended(running)
    until = time.monotonic() + PATIENCE_SECONDS
    for job_id in (ended, running):
        while "webhook_delivered" not in fresh.get(f"/api/blast/jobs/{job_id}/events").text:
            assert time.monotonic() < until
            time.sleep(0.05)
    told = receiver.told
    assert {one["data"]["job_id"] for one in told} == {ended, running}
    for job_id in (ended, running):
        assert len({one["id"] for one in told if one["data"]["job_id"] == job_id}) == 1
    count = len(told)
    time.sleep(1.0)
    assert len(receiver.got) == count  # what was taken is not sent again
    assert fresh.stop() == 0
    files = [path for path in fresh.state.rglob("*") if path.is_file()]
    shown = fresh.log.read_text() + "".join(path.read_bytes().decode("latin-1") for path in files)
    assert SECRET not in shown
    assert receiver.url not in fresh.log.read_text()
