"""How far a job is: one reckoning for every surface. Pure."""

from datetime import datetime

from blastd.core.model import Frozen, Job, Status

MOST = 0.99
"""Of a search that has not ended."""


class JobProgress(Frozen, frozen=True, kw_only=True):
    """Units done, their share of all, and seconds to go. None: unknown."""

    units_done: int
    units_total: int
    fraction: float | None
    eta_seconds: float | None
    eta_from: str | None = None
    """What the time to go is made of: "14 earlier searches"."""


def progress(job: Job, now: datetime) -> JobProgress:
    """Return how far *job* is: while it runs its share of the time that is expected, else of its units.

    The time to go is unknown where nothing of the kind has run, and once it has passed.
    """
    done, total = job.units_done, job.units_total
    if job.status is Status.COMPLETED:
        return JobProgress(units_done=total, units_total=total, fraction=1.0, eta_seconds=0.0)
    fraction = done / total if total else None
    if job.status is not Status.RUNNING or job.started_at is None:
        return JobProgress(units_done=done, units_total=total, fraction=fraction, eta_seconds=None)
    if job.expected_end_at is None:
        known = fraction or None  # a bar that stays at nothing says less than none
        return JobProgress(units_done=done, units_total=total, fraction=known, eta_seconds=None)
    left = (job.expected_end_at - now).total_seconds()
    run = max((now - job.started_at).total_seconds(), 0.0)
    share = min(run / (run + left), MOST) if left > 0 else MOST
    eta, made_of = (round(left, 1), job.expected_from) if left > 0 else (None, None)
    return JobProgress(units_done=done, units_total=total, fraction=share, eta_seconds=eta, eta_from=made_of)
