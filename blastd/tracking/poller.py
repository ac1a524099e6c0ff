"""One job's loop: look, sleep by phase, woken early by whoever has news.

The policy is pure, time is injected, the wake-up is only a hint.
"""

import asyncio
from collections.abc import Awaitable, Callable

from blastd.clock import Clock
from blastd.core.ids import JobId
from blastd.core.intervals import Intervals, poll_delay
from blastd.core.model import Gone, Job, Lost, Missed

Look = Callable[[JobId, bool], Awaitable[Job | Gone | Lost]]
"""Look at a job; the flag tells whether the look was ordered by news (True) or by the clock."""
LOST_SECONDS = 0.1  # until the next look after one that others were always faster than


async def poll(job_id: JobId, look: Look, wake: asyncio.Event, clock: Clock, policy: Intervals) -> None:
    """Look at one job until it has ended or is gone, or until *policy* retires the poller."""
    delay, rounds = policy.first_look, 0
    while rounds < policy.max_rounds:
        woken = await clock.wait(wake, delay)
        wake.clear()  # before the look, so that a wake during it is not lost
        job = await look(job_id, woken)
        if job is Missed.LOST:  # what it had to tell is not told yet
            delay = LOST_SECONDS
            continue
        if job is Missed.GONE or job.status.terminal:
            return
        delay = poll_delay(job.phase, policy) if rounds else min(poll_delay(job.phase, policy), policy.first_look)
        rounds += not woken  # a busy watch must not retire the poller
