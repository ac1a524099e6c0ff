"""Whether the storage can be used, for probes and for who looks at the service.

Calls find out that it can't; from then on it is asked every few seconds until it answers again. While it works, nothing is asked.
"""

from datetime import datetime

import structlog

from blastd.aio import every
from blastd.clock import Clock
from blastd.storage.contract import Storage, StorageFailure

log = structlog.get_logger()

PROBE_SECONDS = 3.0


class Account:
    """What is known of the storage; `since` None: it works, as far as is known."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        """Take the client."""
        self.since: datetime | None = None
        self.reason = ""
        self._storage, self._clock = storage, clock

    async def run(self) -> None:
        """Find out when it is away and when it is back, until cancelled."""
        await every(PROBE_SECONDS, self._look, self._clock, "probe-storage")

    async def _look(self) -> None:
        if not self._storage.failing:
            self._back()
            return
        try:
            await self._storage.check()
        except StorageFailure as error:
            if self.since is None:
                self.since = self._clock.now()
                log.warning("storage_lost", reason=str(error))
            self.reason = f"{error} Searches wait for it; {self._storage.mend}."
            return
        self._back()

    def _back(self) -> None:
        if self.since is not None:
            log.info("storage_back", since=self.since.isoformat())
        self.since, self.reason = None, ""
