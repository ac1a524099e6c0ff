"""Cluster and storage account that answer badly: rows say so, nothing is lost or made twice, all goes on by itself.

Both are real; a proxy between them and blastd injects the fault. `test_levers` stops the real things.
"""

import random
import re
import subprocess
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from azure.storage.blob import BlobServiceClient

from blastd.config import AzureSettings, Secret
from blastd.core.engine import DatabaseAt
from blastd.engines.kubernetes.push import find_manifest, push_database
from blastd.storage.blob import BLOCK, BlobAway, open_blobs
from blastd.storage.contract import Area
from tests.cluster.parts import Cluster, Emulator, until
from tests.cluster.proxy import Proxy
from tests.cluster.rows import Recovery, done, quick, running, stale, waits
from tests.daemon import Daemon, cli
from tests.databases import LAMBDA_QUERY
from tests.databases import make as make_database

RETRY_AFTER = 3


# ---------------------------------------------------------------------- the API server
def test_T13_an_api_server_that_answers_errors_makes_rows_stale_and_is_not_hammered(behind: Daemon, api: Proxy) -> None:
    before = running(behind)
    begin = time.monotonic()
    with api.fault(".", status=500):
        api.sever()
        assert "answers 500" in stale(behind, before)["stale_reason"]
        during = behind.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        waiting = waits(behind, during, "cluster_unreachable")
        assert "blastd doctor" in waiting["error"]
        ready = behind.get("/readyz")
        assert ready.status == 503
        assert "blastd doctor" in ready.json["detail"]
        assert ready.json["down"][0]["since"]
        quick(behind, f"/api/blast/jobs/{before}", f"/api/blast/jobs/{during}")
    with api.fault(".", status=429, headers={"Retry-After": str(RETRY_AFTER)}):
        busy = time.monotonic()
        listing = r"^GET .*/jobs\?labelSelector=app"
        until("it was asked twice", lambda: len(api.since(busy, listing)) >= 2, 30)
        looks = [one.at for one in api.since(busy, listing)]
        assert all(later - sooner > RETRY_AFTER - 0.1 for sooner, later in pairwise(looks)), looks
        assert behind.job(before)["stale"]
    seconds = time.monotonic() - begin
    assert len(api.since(begin)) < 10 + 3 * seconds, "no hot loop"
    recovery = Recovery()
    until("the row is true again", lambda: not behind.job(before)["stale"], 30)
    recovery.of("API server answers 500, 429: row true again", 10)
    done(behind, during)
    recovery.of("API server answers 500, 429: search submitted meanwhile completed", 40)
    done(behind, before)


def test_creates_whose_answers_are_lost_make_one_object_each(behind: Daemon, api: Proxy, cluster: Cluster) -> None:
    begin = time.monotonic()
    with (
        api.fault(r"^POST .*/secrets$", times=1, lost=True) as secret,
        api.fault(r"^POST .*/jobs$", times=1, lost=True) as job,
    ):
        job_id = behind.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        until("the answers were lost", lambda: secret.met and job.met)
        recovery = Recovery()
        row = done(behind, job_id)
    recovery.of("answers to creating Secret and Job lost: search completed", 40)
    parts = next(step["parts"] for step in row["steps"] if step["name"] == "submitting")
    assert {"remove stale objects", "scripts", "upload queries", "create job"} <= parts.keys()
    assert len(api.since(begin, r"^POST .*/jobs$")) == 1, "the Job is found, not made again"
    until("nothing is left", lambda: not cluster.of_job("jobs", job_id) and not cluster.of_job("secrets", job_id))


def test_a_slow_api_server_delays_and_breaks_nothing(behind: Daemon, api: Proxy) -> None:
    with api.fault("/api", seconds=1.0):
        job_id = behind.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        quick(behind, f"/api/blast/jobs/{job_id}")
        recovery = Recovery()
        done(behind, job_id)
        recovery.of("API server takes 1 s for every answer: search completed, from its submit", 60)


def test_T14_a_watch_that_goes_silent_is_found_out(behind: Daemon, api: Proxy) -> None:
    job_id = behind.submit(LAMBDA_QUERY, reuse=False)["job_id"]
    until("it is handed over", lambda: behind.job(job_id)["phase"] == "submitted")
    with api.fault("watch=true", times=2, stall=True) as fault:
        api.sever()
        until("both watches are silent", lambda: fault.met == 2)
        recovery = Recovery()
        done(behind, job_id)
    recovery.of("watches open and silent: end of the search seen, from the silence on", 45)


# ---------------------------------------------------------------------- the storage account
def test_a_query_that_could_not_be_uploaded_is_uploaded_later(behind: Daemon, blobs: Proxy) -> None:
    with blobs.fault("^PUT .*/queries/", cut=True, after=100):
        job_id = behind.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        row = waits(behind, job_id, "blob_unreachable")
        assert re.search(r"upload queries: The storage account can't be reached .*blastd doctor", row["error"])
        quick(behind, f"/api/blast/jobs/{job_id}")
    recovery = Recovery()
    done(behind, job_id)
    recovery.of("storage account breaks the upload of queries: search completed", 40)


@pytest.fixture
def cold(behind: Daemon, tmp_path: Path, cluster: Cluster) -> Iterator[str]:
    """The name of a database that no node and no account has seen, of half a megabyte."""
    name, dice = "cold" + cluster.namespace.rpartition("-")[2], random.Random(cluster.namespace)
    fasta = tmp_path / "cold.fa"
    letters = "".join(dice.choices("ACGT", k=2_000_000))
    fasta.write_text(LAMBDA_QUERY + f">{name}\n{letters}\n")
    make_database(behind.db_dirs[0], fasta, name, "nucl", "-parse_seqids", "-title", name)
    yield name
    for path in behind.db_dirs[0].glob(f"{name}.*"):
        path.unlink()


def test_connections_that_break_in_the_pod_are_made_again_and_the_bytes_are_right(
    behind: Daemon, blobs: Proxy, cold: str
) -> None:
    until("the database is known", lambda: behind.get(f"/api/blast/databases/{cold}").status == 200)
    once: list[tuple[str, dict[str, Any]]] = [
        (rf"^GET .*/{cold}\.nsq\?.*sig=", {"cut": True, "after": 100_000}),
        (rf"^GET .*/{cold}\.nsq\?.*sig=", {"cut": True, "after": 100_000, "reset": False}),
        (rf"^GET .*/{cold}\.nsq\?.*sig=", {"status": 503}),
        (r"^GET .*/queries/.*sig=", {"cut": True, "after": 10, "reset": False}),
        (r"^GET .*/queries/.*sig=", {"cut": True, "after": 10}),
        (r"^PUT .*/results/.*comp=block&", {"cut": True, "after": 10}),
        (r"^PUT .*/results/.*comp=block&", {"status": 500}),
        (r"^PUT .*/results/.*comp=block&", {"lost": True}),
        (r"^PUT .*/results/.*comp=blocklist", {"lost": True}),
    ]
    with ExitStack() as stack:
        faults = [stack.enter_context(blobs.fault(pattern, times=1, **how)) for pattern, how in reversed(once)]
        row = behind.submit(LAMBDA_QUERY, database=cold, reuse=False)
        recovery = Recovery()
        row = done(behind, row["job_id"], 120)
        recovery.of("nine broken transfers of the pod: search completed, from its submit", 100)
        assert [fault.met for fault in faults] == [1] * len(faults)
    assert row["hits"] > 0
    bare = ["blastn", "-query", "-", "-db", cold, "-outfmt", "6", "-task", row["task"]]
    wanted = subprocess.run(bare, cwd=behind.db_dirs[0], input=LAMBDA_QUERY.encode(), check=True, capture_output=True)
    assert behind.results(row["job_id"], "tabular") == wanted.stdout


def test_results_that_can_not_be_fetched_are_fetched_later(behind: Daemon, blobs: Proxy) -> None:
    by_blastd = r"^GET .*/results/(?!.*sig=)"
    with blobs.fault(by_blastd, status=503):
        job_id = behind.submit(LAMBDA_QUERY, reuse=False)["job_id"]
        row = waits(behind, job_id, "blob_unreachable", 60)
        assert "answers 503" in row["error"]
        assert (row["status"], row["phase"]) == ("running", "results_pending")
        assert behind.get("/readyz").status == 200, "the account itself answers"
        with blobs.fault(by_blastd, cut=True, after=10):
            until("it is broken", lambda: "storage account broke" in behind.job(job_id)["error"])
    recovery = Recovery()
    done(behind, job_id)
    recovery.of("storage account fails the download of results: search completed", 40)


# ---------------------------------------------------------------------- pushing a database
@pytest.fixture
def large(tmp_path: Path) -> DatabaseAt:
    """A file as large as some blocks; what is in it does not matter here."""
    data = random.Random(2).randbytes(1 << 20) * (3 * BLOCK >> 20)
    (tmp_path / "large.nsq").write_bytes(data)
    return DatabaseAt(
        name="large", fingerprint=tmp_path.name.replace("_", ""), folder=str(tmp_path), molecule="nucl", sequences=1,
        letters=1, size_bytes=len(data),
    )  # fmt: skip


async def test_a_push_that_broke_off_names_the_cause_and_goes_on_where_it_was(
    emulator: Emulator, blobs: Proxy, large: DatabaseAt
) -> None:
    begin = time.monotonic()
    azure = AzureSettings(connection_string=Secret(emulator.through(blobs.port)))
    name = f"{large.fingerprint}/large.nsq"
    third = quote(b64encode(b64encode(b"00000002")).decode())
    async with open_blobs(azure) as account:
        await account.ensure()
        with (
            blobs.fault(rf"^PUT .*{name}.*blockid={third}", cut=True, after=1 << 20),
            pytest.raises(BlobAway, match=f"The storage account can't be reached .upload of {name}.: .*reset"),
        ):
            await push_database(account, large)
        assert await find_manifest(account, large.fingerprint) is None
        service = BlobServiceClient.from_connection_string(emulator.connection)
        _, loose = service.get_blob_client("blast-db", name).get_block_list("uncommitted")
        kept = [quote(b64encode(one.id.encode()).decode()) for one in loose]
        recovery = Recovery()
        await push_database(account, large)
        recovery.of("connection breaks in the middle of a push: the rest pushed by the next try", 20)
    assert kept
    for one in kept:
        assert len(blobs.since(begin, rf"^PUT .*{name}.*blockid={re.escape(one)}")) == 1, "it is not sent again"


async def test_a_slow_line_takes_longer_and_does_not_fail(
    emulator: Emulator, blobs: Proxy, large: DatabaseAt, tmp_path: Path
) -> None:
    azure = AzureSettings(connection_string=Secret(emulator.through(blobs.port)), request_seconds=1.0)
    async with open_blobs(azure) as account:
        await account.ensure()
        with blobs.fault(large.fingerprint, rate=3 << 20):
            await push_database(account, large)
            await account.download(Area.DATABASES, f"{large.fingerprint}/large.nsq", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "large.nsq").read_bytes()


def test_push_and_doctor_name_what_is_down(
    databases: Path, environ: dict[str, str], proxied: dict[str, str], api: Proxy, blobs: Proxy, tmp_path: Path
) -> None:
    folders = {"BLASTD_STORE__STATE_DIR": str(tmp_path / "state"), "BLASTD_DATABASES__DIRS": str(databases)}
    given = environ | proxied | folders
    with blobs.fault("^PUT .*/blast-db/", status=503):
        pushed = cli("db", "push", "noparse", environ=given)
        assert pushed.returncode != 0
        assert "answers 503 to the upload of" in pushed.stderr
    with blobs.fault(".", status=500), api.fault(".", status=503):
        looked = cli("doctor", environ=given)
        assert looked.returncode == 1
        assert re.search(r"fault +cluster: .*answers 503.*\n +-> Check ", looked.stdout), looked.stdout
        assert re.search(r"fault +storage account: .*answers 500.*\n +-> Check ", looked.stdout), looked.stdout
