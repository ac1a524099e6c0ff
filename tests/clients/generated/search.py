"""Submits a search, waits for its end and prints its first hit, with a client that openapi-python-client made."""

import sys
import time
from http import HTTPStatus

from blastd_client.api.jobs import get_job, submit
from blastd_client.api.results import get_hits, get_results
from blastd_client.client import AuthenticatedClient
from blastd_client.models import HitsPage, JobDetail, JobRow, SearchBody, SearchBodyOptions

url, token, query = sys.argv[1:]
with AuthenticatedClient(base_url=url, token=token) as client:
    options = SearchBodyOptions()
    options["evalue"] = "1e-20"
    body = SearchBody(program="blastn", database="tnt", query=query, options=options)
    row = submit.sync(client=client, body=body, idempotency_key="generated-python")
    assert isinstance(row, JobRow), row
    job = get_job.sync(row.job_id, client=client, wait=30)
    while isinstance(job, JobDetail) and job.status not in ("completed", "failed", "cancelled"):
        time.sleep(0.1)
        job = get_job.sync(row.job_id, client=client, wait=30)
    assert isinstance(job, JobDetail), job
    page = get_hits.sync(row.job_id, client=client)
    assert isinstance(page, HitsPage), page
    hit = page.hits[0]
    table = get_results.sync_detailed(row.job_id, client=client, format_="tabular")
    assert table.status_code == HTTPStatus.OK
    print(job.status, page.total, hit.subject, hit.identity, len(table.content))
    missing = get_job.sync_detailed("00000000", client=client)
    print(missing.status_code, missing.parsed.code)
