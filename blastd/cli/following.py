"""Following searches to their ends, through restarts and outages of the service, and sending one until it is taken."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from blastd import errors
from blastd.cli.answers import JobView
from blastd.cli.client import ANSWER_SECONDS, ServiceClient
from blastd.cli.words import say

HOLD_SECONDS = 30.0  # below the 60 s after which proxies tend to cut an idle answer
AWAY_SECONDS = 3600.0
"""How long a service that is away is asked again where no --timeout says so: longer than an upgrade takes."""
FIRST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 1.0, 10.0
LATE_SECONDS = 2.0  # of an answer that the service was to hold until the limit
SENDING_SECONDS = 60.0
"""How long a search that is not taken yet is sent again where no --timeout says so."""
LOST_TIMES = 3
"""How often a search is sent whose connection broke off."""


class Away(msgspec.Struct, frozen=True, kw_only=True):
    """The service does not answer, for *seconds* now."""

    seconds: float
    reason: str


async def follow(
    client: ServiceClient, job_id: str, limit_seconds: float | None, *, known: bool = False
) -> AsyncIterator[JobView | Away]:
    """Give the job at once and after each change until it ended, and `Away` while the service is.

    *known* tells that the service has this job: it is waited for even if the first call fails. Raises TimeoutError after
    *limit_seconds*, Unavailable when the service stays away without such a limit.
    """
    begun = time.monotonic()
    deadline = None if limit_seconds is None else begun + limit_seconds
    etag, since, pause = "", 0.0, FIRST_PAUSE_SECONDS
    while True:
        left = HOLD_SECONDS if deadline is None else deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        hold = min(HOLD_SECONDS, left)
        try:
            seconds = ANSWER_SECONDS if deadline is None else min(ANSWER_SECONDS, left + LATE_SECONDS)
            job, etag = await client.changed(job_id, etag, hold, seconds)
        except (errors.Unavailable, errors.TooMany) as error:
            if not (etag or known):
                raise
            since = since or time.monotonic()
            away = time.monotonic() - since
            if deadline is None and away > AWAY_SECONDS:
                raise errors.Unavailable(f"{error} The job goes on when it is back: blastd wait {job_id}") from error
            yield Away(seconds=away, reason=str(error))
            told = error.facts.get("retry_after")
            wanted = told if isinstance(told, float) else pause
            await asyncio.sleep(max(0.0, wanted if deadline is None else min(wanted, deadline - time.monotonic())))
            pause = min(2 * pause, MOST_PAUSE_SECONDS)
            continue
        since, pause = 0.0, FIRST_PAUSE_SECONDS
        if job is not None:
            yield job
            if job.ended:
                return


async def send(
    client: ServiceClient,
    search: Mapping[str, Any],
    files: Sequence[Path | None],
    key: str,
    subject: Path | None,
    limit_seconds: float | None,
) -> bytes:
    """Send a search, again when the service says when, or when the connection broke off: the key makes that safe.

    Returns the row as JSON.
    """
    deadline = time.monotonic() + (SENDING_SECONDS if limit_seconds is None else limit_seconds)
    lost = 0
    while True:
        try:
            return await client.submit(search, files, key, subject)
        except (errors.Unavailable, errors.TooMany, errors.DiskFull) as error:
            pause, broken = error.facts.get("retry_after"), error.facts.get("lost") is True
            lost += broken
            if not isinstance(pause, float):
                if not broken or lost >= LOST_TIMES:
                    raise
                pause = FIRST_PAUSE_SECONDS
            if time.monotonic() + pause > deadline or None in files:
                raise
            say(f"{error} Sending it again in {pause:g} s (Idempotency-Key {key})")
            await asyncio.sleep(pause)
