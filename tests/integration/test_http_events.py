"""Streams of all events: many listeners are served from one reading, and each gets just what is its own."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from blastd.clock import SystemClock
from blastd.core.ids import Owner
from blastd.store import jobs, tokens
from blastd.store.sqlite import open_sync
from tests.databases import LAMBDA_QUERY
from tests.patience import PATIENCE_SECONDS, rest
from tests.service import API, Service

EVENTS = "/api/blast/events"


async def heard(
    service: Service, ends: int, ready: asyncio.Barrier | None = None, headers: Mapping[str, str] | None = None
) -> list[Any]:
    """Listen until *ends* searches have ended; returns the events with the ids of their lines."""
    found: list[Any] = []
    given = {"Accept": "text/event-stream"} | dict(headers or {})
    async with asyncio.timeout(PATIENCE_SECONDS), service.http.get(service.url + EVENTS, headers=given) as stream:
        assert stream.status == 200
        identifier = 0
        async for line in stream.content:
            if line.startswith(b": open") and ready is not None:
                await ready.wait()
            if line.startswith(b"id:"):
                identifier = int(line[3:])
            if line.startswith(b"data:"):
                found.append(json.loads(line[5:]) | {"line_id": identifier})
                if sum(event["kind"] == "completed" for event in found) == ends:
                    return found
    raise AssertionError(f"the stream ended: {found}")


async def test_listeners_at_the_same_place_hear_the_same_and_late_ones_everything(service: Service) -> None:
    first = await service.run(LAMBDA_QUERY, reuse=False)
    ready = asyncio.Barrier(13)
    async with asyncio.TaskGroup() as group:
        listeners = [group.create_task(heard(service, 4, ready)) for _ in range(12)]
        await ready.wait()
        started = [await service.submit(LAMBDA_QUERY, reuse=False) for _ in range(4)]
    everything = [listener.result() for listener in listeners]
    assert all(events == everything[0] for events in everything)
    ids = [event["event_id"] for event in everything[0]]
    assert ids == sorted(set(ids)) == [event["line_id"] for event in everything[0]]
    assert {event["job_id"] for event in everything[0]} == {row["job_id"] for row in started}
    late = await heard(service, 5, headers={"Last-Event-ID": "0"})
    assert [event["event_id"] for event in late][-len(ids) :] == ids
    assert late[0]["job_id"] == first["job_id"]
    listed = (await service.get(f"{EVENTS}?after=0&limit=500")).json["events"]
    assert [event["event_id"] for event in late] == [event["event_id"] for event in listed]


async def test_rows_beside_events_are_those_of_the_end_at_the_end(service: Service) -> None:
    ready = asyncio.Barrier(4)
    async with asyncio.TaskGroup() as group:
        listeners = [group.create_task(heard(service, 1, ready)) for _ in range(3)]
        await ready.wait()
        await service.submit(LAMBDA_QUERY, reuse=False)
    for listener in listeners:
        last = listener.result()[-1]
        assert (last["kind"], last["job"]["status"], last["job"]["finished_at"] is None) == (
            "completed",
            "completed",
            False,
        )


async def test_events_that_a_command_beside_the_service_writes_are_heard(service: Service) -> None:
    row = await service.run(LAMBDA_QUERY)
    ready = asyncio.Barrier(3)
    async with asyncio.TaskGroup() as group:
        listeners = [group.create_task(heard(service, 1, ready)) for _ in range(2)]
        await ready.wait()
        await rest()  # both have read that there is nothing
        with closing(open_sync(service.store.path)) as db:
            job = jobs.get(db, row["job_id"])
            assert job is not None
            jobs.add_event(db, job, "completed", SystemClock().now(), {})
    assert [event["job_id"] for listener in listeners for event in listener.result()] == [row["job_id"]] * 2


@pytest.mark.parametrize("after", ["0", None])
async def test_what_is_read_for_one_owner_is_not_served_to_another(service: Service, after: str | None) -> None:
    now = SystemClock().now()
    texts: dict[str, str] = {}
    for owner, role in (("ada", "user"), ("bob", "user"), ("ops", "admin")):
        made: dict[str, Any] = {
            "token_id": f"{owner}00000"[:8],
            "secret": "s" * 43,
            "owner": Owner(owner),
            "role": role,
        }
        texts[owner] = await service.store.write(partial(tokens.create, **made, now=now, expires_at=None))
    keys = {owner: {"Authorization": f"Bearer {text}"} for owner, text in texts.items()}
    ready = asyncio.Barrier(4)
    resumed = {} if after is None else {"Last-Event-ID": after}
    async with asyncio.TaskGroup() as group:
        listening = {
            owner: group.create_task(heard(service, 2 if owner == "ops" else 1, ready, keys[owner] | resumed))
            for owner in keys
        }
        await ready.wait()
        for owner in ("ada", "bob"):
            answer = await service.post(
                API, {"program": "blastn", "database": "tnt", "query": LAMBDA_QUERY}, headers=keys[owner]
            )
            assert answer.status == 202
    heard_by = {owner: {event["job"]["owner"] for event in task.result()} for owner, task in listening.items()}
    assert heard_by == {"ada": {"ada"}, "bob": {"bob"}, "ops": {"ada", "bob"}}
