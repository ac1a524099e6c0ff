"""A kind that can't be trusted is listed again, whatever its watch says."""

import asyncio
from typing import Any, cast

from blastd.clock import SystemClock
from blastd.engines.kubernetes import reflector
from blastd.engines.kubernetes.client import ClusterClient
from blastd.engines.kubernetes.objects import JobList, JobObject
from blastd.engines.kubernetes.reflector import Kind, ObjectView, Reflector


class Server:
    """Lists that are empty."""

    async def page_of(self, *_given: Any, **_more: Any) -> JobList:
        return JobList()


async def test_T14_a_list_that_failed_is_read_again_also_when_the_watch_proves_itself_after_it() -> None:
    """Else nobody lists, since a watch serves, and nobody watches, since the last list failed: blind for ever."""
    view = ObjectView[JobObject](lambda each: each.metadata.name, lambda _name: None)
    kind = Kind(name="jobs", page=JobList, shape=JobObject)
    healthy = asyncio.Event()
    client = cast("ClusterClient", Server())
    jobs = Reflector[JobObject](client, kind, view, SystemClock(), lambda: 0.5, on_health=healthy.set)
    jobs._version = "5"
    jobs._mark_bad("The cluster's API server can't be reached.")
    jobs._prove()
    healthy.clear()
    lists = asyncio.get_running_loop().create_task(jobs._lists())
    async with asyncio.timeout(reflector.POLL_SECONDS * 2):
        await healthy.wait()
    assert jobs.healthy
    lists.cancel()
