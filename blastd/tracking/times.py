"""The time of each active job: one that does not jump, so that what its row says has lasted has lasted."""

from datetime import datetime

from blastd.clock import Clock, Steady
from blastd.core import steps
from blastd.core.ids import JobId
from blastd.core.model import Job


class Times:
    """Gives each job a clock of its own, from the first time that this daemon moves it on."""

    def __init__(self, clock: Clock) -> None:
        """Take the clock of day."""
        self._clock = clock
        self._of: dict[JobId, Steady] = {}

    def now(self, job: Job) -> datetime:
        """Return the time for a change of *job*: not before any that its row has, whatever the clock of day says."""
        steady = self._of.get(job.job_id)
        if steady is None:
            steady = self._of[job.job_id] = Steady(self._clock, steps.latest(job.steps, job.created_at))
        return steady.now()

    def forget(self, job_id: JobId) -> None:
        """Drop the clock of a job that has ended."""
        self._of.pop(job_id, None)
