"""Answers first: what was accepted is started when those that came with it are answered, too.

Of fifty searches sent at once the first would start meanwhile, and take the processor from the answers to the rest. They
start some at a time, so that their clients' next requests need not wait for all; and none waits long, whatever comes.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blastd.core.ids import JobId

WAIT_SECONDS = 0.1
SLICE, SLICE_SECONDS = 8, 0.01


class Rush:
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
        self._timer = self._timer or asyncio.get_running_loop().call_later(WAIT_SECONDS, self._go)

    def _go(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for job_id in self._jobs[:SLICE]:
            self._start(job_id)
        del self._jobs[:SLICE]
        later = asyncio.get_running_loop().call_later
        self._timer = later(SLICE_SECONDS, self._go) if self._jobs else None
