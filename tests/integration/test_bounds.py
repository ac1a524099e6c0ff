"""No request within the limits holds the event loop, whatever it holds itself, and its answer is bounded."""

import asyncio
import gc
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from blastd.web.app import ROUTES
from blastd.web.middleware import NCBI_PATHS
from blastd.web.openapi import Route, document
from blastd.web.pages import PAGES
from tests import hostile
from tests.databases import LAMBDA_QUERY
from tests.hostile import Hostile
from tests.service import API, Service, serving

HOLD_SECONDS = 0.05
"""Of processor time of the loop's own thread between two turns of a task: not what else the machine has to do."""
ANSWER_BYTES = 256 << 10
MANY = 20_000


class Probe:
    """The longest that the loop's thread worked without a turn for others."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            now = time.thread_time()
            self.longest, last = max(self.longest, now - last), now


@contextmanager
def no_collection() -> Iterator[None]:
    """Keep Python from looking through all objects of the tests, as the daemon keeps it from its own."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.fixture
async def bounded(database_folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    async with serving(tmp_path / "state", [database_folder]) as service:
        with no_collection():
            yield service


async def holds(service: Service, requests: list[Hostile]) -> list[str]:
    """Send *requests*, and return what is wrong with how they were answered."""
    address = urlsplit(service.url)
    found = []
    for request in requests:
        probe = Probe()
        probing = asyncio.get_running_loop().create_task(probe.run())
        await asyncio.sleep(0.01)
        answer = await asyncio.to_thread(hostile.send, str(address.hostname), address.port or 0, request)
        await asyncio.sleep(0.01)
        probing.cancel()
        said = f"{request.name}: {request.method} {request.path[:100]}: {answer.status}, {len(answer.body):,} bytes"
        if probe.longest > HOLD_SECONDS:
            found.append(f"{said}, held the loop for {probe.longest:.3f} s")
        elif answer.status >= 500 and answer.status != 503:
            found.append(f"{said}: {answer.body[:500]!r}")
        elif answer.status >= 400 and len(answer.body) > ANSWER_BYTES:
            found.append(f"{said}, which is too much")
        gc.collect(0)
    return found


def filled(route: Route, job_id: str) -> str:
    """Return the path of a route with names in it."""
    path = re.sub(r"\{id[^}]*\}", job_id, route.path)
    return re.sub(r"\{name[^}]*\}", "tnt", re.sub(r"\{\w+[^}]*\}", "x", path))


@pytest.mark.timeout(600)
async def test_U13_no_body_holds_the_loop(bounded: Service) -> None:
    """Every route that takes a body, those of the pages and of NCBI's form too, with every body."""
    job = await bounded.run(LAMBDA_QUERY)
    paths = [(route.method, filled(route, job["job_id"])) for route in ROUTES if route.method in ("POST", "PUT")]
    assert len(paths) >= 6
    paths = [*paths, ("POST", "/blast/Blast.cgi"), ("POST", "/login"), ("POST", f"{API}?program=blastn&database=tnt")]
    requests = [
        Hostile(name, method, path, {"Content-Type": kind}, body)
        for name, kind, body in hostile.bodies(MANY)
        for method, path in paths
        if path.partition("?")[0] in (API, "/blast/Blast.cgi", "/login", "/api/blast/databases") or len(body) < 1 << 20
    ]
    assert len(requests) > 200
    assert await holds(bounded, requests) == []


@pytest.mark.timeout(600)
async def test_U13_no_address_and_no_header_holds_the_loop(bounded: Service) -> None:
    """Every route of the description with every parameter that it has, and some that it has not."""
    job = await bounded.run(LAMBDA_QUERY)
    described = document(ROUTES, "test")["paths"]
    requests = []
    for route in ROUTES:
        path = filled(route, job["job_id"])
        shown = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", route.path)
        names = [each["name"] for each in described[shown][route.method.lower()]["parameters"] if each["in"] == "query"]
        if route.method == "GET":
            requests += [Hostile(name, "GET", f"{path}?{text}", {}, b"") for name, text in hostile.addresses(names)]
        requests += [Hostile(name, route.method, path, more, b"") for name, more in hostile.headers()]
    for path in (*PAGES, *NCBI_PATHS, "/login"):
        requests += [Hostile(name, "GET", path, more, b"") for name, more in hostile.headers()]
        requests += [
            Hostile(name, "GET", f"{path}?{text}", {}, b"") for name, text in hostile.addresses(["RID", "next"])
        ]
    requests = [each for each in requests if "cancel" not in each.path and each.method != "DELETE"]
    assert len({each.path.partition("?")[0] for each in requests}) >= 30
    assert await holds(bounded, hostile.shuffled(requests, 13, 1200)) == []
