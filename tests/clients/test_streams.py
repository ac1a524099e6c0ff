"""Q05 to Q07: readers of events, of tables and of webhooks, each as its registry has it."""

import base64
import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from blastd.core import webhook
from tests.clients.conftest import NODE, PYTHON, Served, ran
from tests.databases import LAMBDA_QUERY

HERE = Path(__file__).parent / "programs"
JOBS = "/api/blast/jobs"


def check(said: str, whole: list[int]) -> None:
    """Every event once, in order, and nothing that is none."""
    lines = [line.split() for line in said.splitlines() if line.startswith("job")]
    assert [int(line[1]) for line in lines] == whole
    assert lines[-1][2] == "completed"
    assert "message without" not in said


@pytest.fixture
def job(served: Served) -> tuple[str, list[int]]:
    """An ended job: the address of its events, and their ids."""
    job_id = served.daemon.run(LAMBDA_QUERY, reuse=False)["job_id"]
    events = served.daemon.get(f"{JOBS}/{job_id}/events").json["events"]
    return f"{served.url}{JOBS}/{job_id}/events?after=0", [event["event_id"] for event in events]


@pytest.mark.parametrize("library", ["httpx_sse", "sseclient", "aiohttp_sse_client"])
def test_Q06_a_reader_in_python_gets_events_and_nothing_else(
    library: str, job: tuple[str, list[int]], served: Served, tmp_path: Path
) -> None:
    url, whole = job
    environ = {"PYTHONWARNINGS": "ignore"}
    ended = ran(PYTHON, HERE / "events.py", library, url, served.token, folder=tmp_path, environ=environ)
    check(ended.stdout, whole)


def test_Q06_eventsource_of_npm_ends_by_itself(job: tuple[str, list[int]], served: Served, tmp_path: Path) -> None:
    url, whole = job
    (tmp_path / "node_modules").symlink_to(NODE)
    shutil.copy(HERE / "events.mjs", tmp_path)
    ended = ran("node", "events.mjs", url, served.token, folder=tmp_path)
    check(ended.stdout, whole)
    assert ended.stdout.splitlines()[-1].startswith("closed")


def test_Q06_curl_shows_the_stream_to_its_end(job: tuple[str, list[int]], served: Served, tmp_path: Path) -> None:
    url, whole = job
    headers = ["-H", f"Authorization: Bearer {served.token}", "-H", "Accept: text/event-stream"]
    ended = ran("curl", "-sN", *headers, url, folder=tmp_path)
    blocks = [block for block in ended.stdout.split("\n\n") if "data:" in block]
    assert [int(block.split("id: ")[1].split()[0]) for block in blocks] == whole


SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def test_Q07_the_libraries_of_standard_webhooks_verify(tmp_path: Path) -> None:
    body = json.dumps({"id": "x-1", "type": "job.completed", "timestamp": "2026-11-30T00:00:00Z", "data": {}})
    headers = webhook.headers(webhook.key(SECRET), "x-1", body, int(time.time()))
    (tmp_path / "node_modules").symlink_to(NODE)
    shutil.copy(HERE / "webhook.mjs", tmp_path)
    code = (
        "import json, sys; from standardwebhooks import Webhook; told = json.load(sys.stdin); "
        "print(Webhook(sys.argv[1]).verify(told['body'], told['headers'])['type'])"
    )
    for words in (["node", "webhook.mjs", SECRET], [str(PYTHON), "-c", code, SECRET]):
        ended = subprocess.run(
            words, input=json.dumps({"headers": headers, "body": body}), cwd=tmp_path, capture_output=True, text=True,
            check=False, env=os.environ, timeout=60,
        )  # fmt: skip
        assert (ended.returncode, ended.stdout) == (0, "job.completed\n"), ended.stderr


def test_Q05_pandas_counts_every_row(served: Served, tmp_path: Path) -> None:
    job_id = served.daemon.run(LAMBDA_QUERY)["job_id"]
    rows = len(served.daemon.results(job_id, "tabular").splitlines())
    code = (
        "import sys, pandas; print(len(pandas.read_csv(sys.argv[1], sep='\\t', storage_options="
        "{'Authorization': 'Bearer ' + sys.argv[2]})))"
    )
    url = f"{served.url}{JOBS}/{job_id}/results?format=tabular&header=true"
    ended = ran(PYTHON, "-c", code, url, served.token, folder=tmp_path)
    assert int(ended.stdout) == rows


def test_Q05_httr_counts_every_row(served: Served, tmp_path: Path) -> None:
    job_id = served.daemon.run(LAMBDA_QUERY)["job_id"]
    rows = len(served.daemon.results(job_id, "tabular").splitlines())
    code = """
        given <- commandArgs(trailingOnly = TRUE)
        answer <- httr::GET(given[1], httr::add_headers(Authorization = paste("Bearer", given[2])))
        cat(nrow(httr::content(answer, show_col_types = FALSE)), "\\n")
        answer <- httr2::req_perform(httr2::req_headers(httr2::request(given[1]), Authorization = paste("Bearer", given[2])))
        cat(nrow(read.delim(text = httr2::resp_body_string(answer))), "\\n")
    """
    url = f"{served.url}{JOBS}/{job_id}/results?format=tabular&header=true"
    ended = ran("Rscript", "-e", code, url, served.token, folder=tmp_path)
    assert list(map(int, ended.stdout.split())) == [rows, rows]
