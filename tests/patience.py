"""How tests wait: for what they want to see, or until nothing goes on; with a limit that only what hangs reaches.

No test sleeps until something has probably happened, and none takes what a quick disk or an idle machine does for a promise.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakKeyDictionary

from blastd.aio import DUTIES, FAVOURS, LABOURS

PATIENCE_SECONDS = 120.0
"""Longer than anything takes that a test waits for, on a busy machine with a slow disk."""
PATIENCE_MS = 1000 * PATIENCE_SECONDS
LOOK_SECONDS = 0.02

_in_threads: WeakKeyDictionary[asyncio.AbstractEventLoop, set[asyncio.Future[Any]]] = WeakKeyDictionary()


def until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Look again until *condition* holds; blocking."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(LOOK_SECONDS)


async def eventually(condition: Callable[[], Awaitable[object]]) -> None:
    """Look again until *condition* holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110  # nothing tells of it
            await asyncio.sleep(LOOK_SECONDS)


def watch_threads() -> None:
    """Know from now on what threads do for the running loop; `rest` needs it."""
    loop = asyncio.get_running_loop()
    if loop in _in_threads:
        return
    waited_for = _in_threads[loop] = set()
    run = loop.run_in_executor

    def counted(executor: Any, work: Any, *given: Any) -> asyncio.Future[Any]:
        future = run(executor, work, *given)
        waited_for.add(future)
        future.add_done_callback(waited_for.discard)
        return future

    loop.run_in_executor = counted  # type: ignore[method-assign,assignment]  # counts what goes through it


async def rest() -> None:
    """Return when nothing goes on in this loop: no callback is ready, and no thread works for it.

    What waits for time, for another process or for the network is at rest.
    """
    loop = asyncio.get_running_loop()
    waited_for, ready = _in_threads[loop], loop._ready  # type: ignore[attr-defined]  # of asyncio's loop
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            await asyncio.sleep(0)
            if waited_for or DUTIES.at_work() or FAVOURS.at_work() or LABOURS.at_work():
                await asyncio.sleep(0.001)
            elif not ready:
                return
