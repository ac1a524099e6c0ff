"""How far a job is: one reckoning for every surface. Pure."""

from datetime import datetime

from blastd.core.model import Frozen, Job, Status


class JobProgress(Frozen, frozen=True, kw_only=True):
    """Units done, their share of all, and seconds to go. None: unknown."""

    units_done: int
    units_total: int
    fraction: float | None
    eta_seconds: float | None


def progress(job: Job, now: datetime) -> JobProgress:
    """Return how far *job* is. The time to go takes units as equal, and is unknown before the first is done."""
    done, total = job.units_done, job.units_total
    if job.status is Status.COMPLETED:
        return JobProgress(units_done=total, units_total=total, fraction=1.0, eta_seconds=0.0)
    fraction = done / total if total else None
    eta = None
    if job.status is Status.RUNNING and fraction and job.started_at is not None:
        elapsed = max((now - job.started_at).total_seconds(), 0.0)
        eta = round(elapsed * (1 - fraction) / fraction, 1)
    return JobProgress(units_done=done, units_total=total, fraction=fraction, eta_seconds=eta)
