"""Answers first: what was accepted is started when those that came with it are answered, too.

Of fifty searches sent at once the first would start meanwhile, and take the processor from the answers to the rest. They
start some at a time, while the event loop is late a little later, so that their clients' next requests need not wait for
all; and none waits long, whatever comes.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blastd.core.ids import JobId

WAIT_SECONDS = 0.1
"""The most that what is next waits for answers."""
SLICE, SLICE_SECONDS = 8, 0.01
LATE_SECONDS = 0.003
"""A loop that runs what is due later than this has others to answer."""


class Starts:
    """The requests in hand, and the jobs that wait for their answers."""

    def __init__(self, start: Callable[[JobId], None]) -> None:
        """Take what starts a job."""
        self._start = start
        self._in_hand, self._jobs = 0, list[JobId]()
        self._timer: asyncio.TimerHandle | None = None

    @contextmanager
    def request(self) -> Iterator[None]:
        """Have a request in hand meanwhile."""
        self._in_hand += 1
        try:
            yield
        finally:
            self._in_hand -= 1
            if not self._in_hand and self._jobs:
                self._go()

    def accepted(self, job_id: JobId) -> None:
        """Start a job soon: when no request is in hand, at the latest when WAIT_SECONDS are over."""
        self._jobs.append(job_id)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(WAIT_SECONDS, self._go)

    def _go(self) -> None:
        """Start some, and see to the others a little later."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for job_id in self._jobs[:SLICE]:
            self._start(job_id)
        del self._jobs[:SLICE]
        if self._jobs:
            self._wait(asyncio.get_running_loop().time() + WAIT_SECONDS)

    def _wait(self, last: float) -> None:
        """Go on in a moment, unless the loop is late for it: then wait another one, until *last*."""
        loop = asyncio.get_running_loop()
        due = loop.time() + SLICE_SECONDS

        def come() -> None:
            late = loop.time() - due > LATE_SECONDS and loop.time() < last
            (self._wait(last) if late else self._go())

        self._timer = loop.call_later(SLICE_SECONDS, come)
