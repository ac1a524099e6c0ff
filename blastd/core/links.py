"""A link to one search: who made it, for whom, and when it ends. Pure."""

from datetime import datetime

from blastd.core.ids import JobId, Owner
from blastd.core.model import Frozen


class Share(Frozen, frozen=True, kw_only=True):
    """A link to one search."""

    share_id: str
    job_id: JobId
    label: str
    made_by: Owner
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def open_at(self, now: datetime) -> bool:
        """Tell whether the link leads to the search at *now*."""
        return self.revoked_at is None and now < self.expires_at
