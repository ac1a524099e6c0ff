"""Fakes that inject faults and time, nothing else: the store, BLAST+ and the cluster are always real."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from blastd.clock import SystemClock
from blastd.core.engine import Absent, Capacity, External, Health, Observation, Present, Trouble, Unknown, Work
from blastd.core.ids import JobId
from blastd.core.model import Job, Phase
from tests.patience import rest

START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """Time that moves only by `pass_time`; waits end when their time has come or their event is set."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        return START + timedelta(milliseconds=round(self.seconds * 1000))

    def monotonic(self) -> float:
        return self.seconds

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        until = self.seconds + seconds
        while not event.is_set() and self.seconds < until:
            moved = self._moved
            waits = [asyncio.ensure_future(event.wait()), asyncio.ensure_future(moved.wait())]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        return event.is_set()

    async def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """Move time on in steps, and let everybody who waits for it come to rest."""
        until = self.seconds + seconds
        while self.seconds < until:
            self.seconds = min(self.seconds + step, until)
            self._moved.set()
            self._moved = asyncio.Event()
            await rest()


class JumpyClock(SystemClock):
    """The clock of this machine, but somebody sets it: `ahead` is by how many seconds."""

    ahead = 0.0
    """Of the clock of day alone."""
    later = 0.0
    """Time that has really passed, too."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self.ahead + self.later)

    def monotonic(self) -> float:
        return super().monotonic() + self.later


class FaultyEngine:
    """An engine that answers what the test says, and counts how often it was asked."""

    name = "faulty"
    outlives = True
    pushed_by = "watch"

    def __init__(self) -> None:
        self.answer: Observation = Absent()
        self.known: Observation | None = None
        self.refusal: Trouble | None = None
        self.observed: list[JobId] = []
        self.submitted: list[JobId] = []
        self.forgotten: list[JobId] = []
        self.cancel_works = True
        self.cancels = 0
        self.missing: Trouble | None = None
        self._news: asyncio.Queue[JobId] = asyncio.Queue()

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def changed(self) -> JobId:
        return await self._news.get()

    def push(self, job_id: JobId) -> None:
        self._news.put_nowait(job_id)

    async def submit(self, work: Work) -> Trouble | None:
        self.submitted.append(work.job.job_id)
        if self.refusal is None and isinstance(self.answer, Absent):
            self.answer = Present(phase=Phase.SUBMITTED)
        return self.refusal

    async def observe(self, job: Job) -> Observation:
        self.observed.append(job.job_id)
        return self.answer

    def glance(self, job: Job) -> Observation | None:
        del job
        return self.known

    async def collect(self, job: Job, folder: str) -> Trouble | None:
        del job, folder
        return self.missing

    async def cancel(self, job: Job) -> bool:
        del job
        self.cancels += 1
        return self.cancel_works

    async def forget(self, job: Job) -> bool:
        self.forgotten.append(job.job_id)
        return True

    async def externals(self) -> Sequence[External]:
        return ()

    def places(self) -> Mapping[JobId, int]:
        return {}

    def run_times(self) -> Mapping[JobId, int]:
        return {}

    def health(self) -> Health:
        away = isinstance(self.answer, Unknown)
        reason = self.answer.reason if isinstance(self.answer, Unknown) else ""
        return Health(ok=not away, down=away, reason=reason, capacity=Capacity(at_once=1))
