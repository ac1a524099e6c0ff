"""Webhooks to a real receiver: signed, at least once, tried again, given up, and never in the way of searches."""

import asyncio
import base64
import hashlib
import hmac
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from blastd.core.ids import Owner
from blastd.store import outbox, tokens
from tests.databases import LAMBDA_QUERY, NO_HITS_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_SECONDS, eventually
from tests.receiver import Receiver
from tests.service import API, Service, serving

SECRET = "a secret of the tests, long enough"
QUICK: dict[str, Any] = {
    "webhooks__secret": SECRET,
    "webhooks__allowed_hosts": ["127.0.0.1"],
    "webhooks__first_delay_seconds": 0.05,
    "webhooks__longest_delay_seconds": 0.2,
    "webhooks__timeout_seconds": 100.0,
    "webhooks__max_attempts": 4,
}


@pytest.fixture
async def hooked(database_folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", [database_folder], **QUICK) as service:
        yield service


@pytest.fixture
def receivers() -> Iterator[list[Receiver]]:
    found: list[Receiver] = []
    yield found
    for receiver in found:
        receiver.close()


async def events(service: Service, job_id: str, kind: str) -> list[Any]:
    found = (await service.get(f"{API}/{job_id}/events")).json["events"]
    return [event for event in found if event["kind"] == kind]


async def noted(service: Service, job_id: str, kind: str = "webhook_delivered") -> Any:
    """Return the event that tells how the delivery ended."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := await events(service, job_id, kind)):
            await service.store.feed.wait(service.store.feed.count, 0.1)
    return found[0]


async def settled(service: Service, job_id: str, kind: str) -> Any:
    """Return the same event once nothing is left to be sent."""
    found = await noted(service, job_id, kind)
    assert await service.store.read(outbox.count) == 0
    return found


async def emptied(service: Service) -> None:
    """Wait until all that was to be told has been told."""

    async def empty() -> bool:
        return not await service.store.read(outbox.count)

    await eventually(empty)


async def test_the_end_of_a_job_is_told_signed(hooked: Service, receivers: list[Receiver]) -> None:
    receivers.append(Receiver(204))
    row = await hooked.run(LAMBDA_QUERY, webhook=receivers[0].url + "?a=1", title="mine")
    event = await settled(hooked, row["job_id"], "webhook_delivered")
    (headers, body), told = receivers[0].got[0], receivers[0].told[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 30
    assert told["type"] == "job.completed"
    assert told["id"] == headers["webhook-id"] == event["data"]["message"]
    assert {name: told["data"][name] for name in ("job_id", "title", "status", "hits", "finished_at", "error")} == {
        name: row[name] for name in ("job_id", "title", "status", "hits", "finished_at", "error")
    }
    assert receivers[0].paths == ["/hook?a=1"]
    assert event["data"]["attempts"] == 1
    assert len(receivers[0].got) == 1


async def test_failures_are_tried_again_with_the_same_message(hooked: Service, receivers: list[Receiver]) -> None:
    receivers.append(Receiver(500, 302, 404, 200))
    row = await hooked.run(LAMBDA_QUERY, webhook=receivers[0].url)
    assert (await settled(hooked, row["job_id"], "webhook_delivered"))["data"]["attempts"] == 4
    assert len({headers["webhook-id"] for headers, _ in receivers[0].got}) == 1
    assert len({body for _, body in receivers[0].got}) == 1
    assert set(receivers[0].paths) == {"/hook"}  # a redirect is not followed


async def test_a_receiver_that_never_takes_it_is_given_up_and_the_job_says_so(
    hooked: Service, receivers: list[Receiver]
) -> None:
    receivers.append(Receiver(503))
    row = await hooked.run(LAMBDA_QUERY, webhook=receivers[0].url)
    event = await settled(hooked, row["job_id"], "webhook_given_up")
    assert (event["data"]["attempts"], event["data"]["reason"]) == (4, "the receiver answered 503")
    assert event["status"] == "completed"
    assert len(receivers[0].got) == 4


async def test_410_is_not_tried_again(hooked: Service, receivers: list[Receiver]) -> None:
    receivers.append(Receiver(410))
    row = await hooked.run(LAMBDA_QUERY, webhook=receivers[0].url)
    assert (await settled(hooked, row["job_id"], "webhook_given_up"))["data"]["attempts"] == 1


async def test_a_receiver_that_is_down_gets_it_when_it_is_back(
    database_folder: Path, tmp_path: Path, receivers: list[Receiver]
) -> None:
    gone = Receiver()
    gone.close()
    async with serving(tmp_path / "state", [database_folder], **QUICK | {"webhooks__max_attempts": 100}) as service:
        row = await service.run(LAMBDA_QUERY, webhook=gone.url)

        async def tried() -> bool:
            letters = await service.store.read(lambda db: outbox.next_ones(db, (), 2))
            return [letter.attempts > 0 for letter in letters] == [True]

        await eventually(tried)
        receivers.append(Receiver(port=gone.port))
        event = await settled(service, row["job_id"], "webhook_delivered")
        assert event["data"]["attempts"] > 1


async def test_every_end_is_told_also_reuse_cancel_and_retry(hooked: Service, receivers: list[Receiver]) -> None:
    receivers.append(Receiver())
    url = receivers[0].url
    await hooked.run(LAMBDA_QUERY)
    answer = await hooked.post(API, {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "webhook": url})
    assert answer.json["reused_from"] is not None
    await receivers[0].count(1)
    row = await hooked.submit(SLOW_QUERY, **SLOW, webhook=url)
    for number in (2, 3):
        await hooked.post(f"{API}/{row['job_id']}/cancel")
        await receivers[0].count(number)
        if number == 2:
            assert (await hooked.post(f"{API}/{row['job_id']}/retry")).status == 202
    told = receivers[0].told
    assert [one["type"] for one in told] == ["job.completed", "job.cancelled", "job.cancelled"]
    assert [one["data"]["attempt"] for one in told] == [1, 1, 2]
    assert len({one["id"] for one in told}) == 3


async def test_a_deleted_job_is_told_all_the_same(hooked: Service, receivers: list[Receiver]) -> None:
    receivers.append(Receiver(500, 500, 200))
    row = await hooked.run(LAMBDA_QUERY, webhook=receivers[0].url)
    assert (await hooked.ask("DELETE", f"{API}/{row['job_id']}")).status == 200
    await receivers[0].count(3)
    await emptied(hooked)


async def test_a_slow_receiver_keeps_neither_searches_nor_other_receivers_waiting(
    hooked: Service, receivers: list[Receiver]
) -> None:
    receivers += [Receiver(), Receiver()]
    receivers[0].open.clear()
    for number in range(5):
        await hooked.run(NO_HITS_QUERY, webhook=receivers[0].url, title=f"{number}", reuse=False)
    await receivers[0].count(1)
    row = await hooked.run(LAMBDA_QUERY, webhook=receivers[1].url)
    assert (await noted(hooked, row["job_id"]))["data"]["attempts"] == 1
    assert len(receivers[0].got) == 1  # and has not been answered
    receivers[0].open.set()
    await receivers[0].count(5)


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/x", "https://169.254.169.254/latest", "https://[::1]/", "javascript:alert(1)", "x" * 1500]
)
async def test_addresses_inside_are_422_with_the_other_faults(hooked: Service, url: str) -> None:
    body = {"program": "blastn", "database": "nosuch", "query": LAMBDA_QUERY, "webhook": url}
    answer = await hooked.post(API, body)
    assert answer.status == 422
    assert {"/webhook", "/database"} <= {fault["pointer"] for fault in answer.json["errors"]}


async def test_a_name_that_leads_inside_is_never_connected_to(
    database_folder: Path, tmp_path: Path, receivers: list[Receiver]
) -> None:
    receivers.append(Receiver())
    async with serving(tmp_path / "state", [database_folder], **QUICK | {"webhooks__allowed_hosts": []}) as service:
        row = await service.run(LAMBDA_QUERY, webhook=f"https://localhost:{receivers[0].port}/hook")
        event = await settled(service, row["job_id"], "webhook_given_up")
        assert "localhost is not a public address" in event["data"]["reason"]
        assert receivers[0].got == []


async def test_without_a_secret_webhooks_are_refused(service: Service) -> None:
    body = {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY, "webhook": "https://example.org/"}
    answer = await service.post(API, body)
    assert answer.status == 422
    assert "webhooks.secret_file" in answer.text


async def test_the_address_of_an_owner_is_told_of_jobs_that_name_none(
    hooked: Service, receivers: list[Receiver]
) -> None:
    own, other = Receiver(204), Receiver(204)
    receivers += [own, other]
    path = "/api/me/webhook"
    assert (await hooked.get(path)).json == {"url": None, "problem": None}
    wrong = await hooked.ask("PUT", path, json={"url": "http://10.0.0.1/x"})
    assert (wrong.status, wrong.json["errors"][0]["pointer"]) == (422, "/url")
    assert (await hooked.ask("PUT", path, json={"url": own.url})).json["url"] == own.url
    assert (await hooked.get(path)).json == {"url": own.url, "problem": None}
    first = await hooked.run(LAMBDA_QUERY)
    await settled(hooked, first["job_id"], "webhook_delivered")
    second = await hooked.run(LAMBDA_QUERY, webhook=other.url)
    await settled(hooked, second["job_id"], "webhook_delivered")
    await hooked.run(LAMBDA_QUERY, webhook="")
    assert (await hooked.ask("DELETE", path)).json["url"] is None
    await hooked.run(LAMBDA_QUERY)
    assert await hooked.store.read(outbox.count) == 0
    assert [told["data"]["job_id"] for told in own.told] == [first["job_id"]]
    assert [told["data"]["job_id"] for told in other.told] == [second["job_id"]]


async def test_S01_the_address_of_an_owner_is_theirs_alone(hooked: Service, receivers: list[Receiver]) -> None:
    def make(db: sqlite3.Connection) -> list[str]:
        now = hooked.services.clock.now()
        return [
            tokens.create(db, f"{name}00000"[:8], name[0] * 43, Owner(name), role, now, None)
            for name, role in (("ada", "user"), ("bob", "user"), ("ops", "admin"))
        ]

    ada, bob, ops = ({"headers": {"Authorization": f"Bearer {token}"}} for token in await hooked.store.write(make))
    receivers.append(Receiver(204))
    path, body = "/api/me/webhook", {"url": receivers[0].url}
    assert (await hooked.ask("PUT", path, json=body)).status == 401
    assert (await hooked.ask("PUT", path, json=body, **ada)).status == 200
    for other in (bob, ops):
        assert (await hooked.get(path, **other)).json["url"] is None
        assert (await hooked.ask("DELETE", path, **other)).status == 200
    assert (await hooked.get(path, **ada)).json["url"] == receivers[0].url
    for who in (bob, ops, ada):
        row = await hooked.submit(LAMBDA_QUERY, title=str(who is ada), **who)
        await hooked.ended(row["job_id"], **who)
    await emptied(hooked)
    assert [told["data"]["title"] for told in receivers[0].told] == ["True"]


async def test_the_address_of_an_owner_does_not_keep_searches_from_running_without_a_secret(
    database_folder: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    async with serving(state, [database_folder], **QUICK) as service:
        assert (await service.ask("PUT", "/api/me/webhook", json={"url": "http://127.0.0.1:9/x"})).status == 200
    async with serving(state, [database_folder]) as service:
        told = (await service.get("/api/me/webhook")).json
        assert "switched off" in told["problem"]
        assert (await service.run(LAMBDA_QUERY))["status"] == "completed"
        assert await service.store.read(outbox.count) == 0
