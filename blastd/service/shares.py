"""The use cases of links to one search: who may change the search makes, lists and ends them."""

import secrets
import string
from datetime import timedelta

from blastd.clock import Clock
from blastd.core.ids import JobId
from blastd.core.links import Share
from blastd.core.model import Frozen
from blastd.errors import Conflict, NotFound
from blastd.service.access import Identity
from blastd.service.jobs import Jobs
from blastd.store import shares
from blastd.store.sqlite import Store

MOST = 200
"""Links to one search, the ended ones included, which the list shows."""

ID_LETTERS = string.digits + string.ascii_lowercase


class NewShare(Frozen, frozen=True, kw_only=True):
    """A link that was just made, and its text, which is not told again."""

    share: Share
    text: str


class Shares:
    """Use cases of links."""

    def __init__(self, store: Store, jobs: Jobs, clock: Clock) -> None:
        """Take the parts."""
        self._store, self._jobs, self._clock = store, jobs, clock

    async def create(self, who: Identity, text: str, label: str, days: float) -> NewShare:
        """Make a link to a job that ends after *days*. Raises NotFound, Ambiguous, Expired, Conflict."""
        job = await self._jobs.own(who, text)
        if len(await self._store.read_few(lambda db: shares.of_job(db, job.job_id, MOST))) >= MOST:
            raise Conflict(f"This search has {MOST} links already, and keeps no more.")
        share_id = "".join(secrets.choice(ID_LETTERS) for _ in range(8))
        now = self._clock.now()
        share = Share(
            share_id=share_id, job_id=job.job_id, label=label, made_by=who.owner, created_at=now,
            expires_at=now + timedelta(days=days),
        )  # fmt: skip
        link = f"blastd_{share_id}_{secrets.token_urlsafe(32)}"
        await self._store.write(lambda db: shares.create(db, share, link), of=[job.job_id])
        return NewShare(share=share, text=link)

    async def of_job(self, who: Identity, text: str) -> list[Share]:
        """Return the links to a job, newest first. Raises NotFound, Ambiguous, Expired."""
        job = await self._jobs.own(who, text)
        return await self._store.read_few(lambda db: shares.of_job(db, job.job_id, MOST))

    async def revoke(self, who: Identity, text: str, share_id: str) -> None:
        """End a link at once. Raises NotFound, also for one that was ended before."""
        job, now = await self._jobs.own(who, text), self._clock.now()
        if not await self._store.write(lambda db: shares.revoke(db, job.job_id, share_id, now), of=[job.job_id]):
            raise NotFound("There is no such link to this search, or it was ended before.")

    async def opened(self, text: str) -> JobId | None:
        """Return the job that the link of *text* leads to, None where it ended or never was."""
        now = self._clock.now()
        share = await self._store.read_few(lambda db: shares.verify(db, text, now))
        return share.job_id if share is not None else None
