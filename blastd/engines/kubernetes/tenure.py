"""Whether this daemon alone works the cluster for its store: a Lease that its name stands in, renewed while it lives.

Two daemons on copies of one store would each make and remove the Jobs of the other. So the store's name is a Lease's, and
who finds another holder in it hands nothing over and removes nothing. Who holds it is judged by whether it changes while we
look, by our own monotonic clock: clocks of several machines may differ by minutes.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog

from blastd.aio import every
from blastd.clock import Clock
from blastd.core.engine import Trouble
from blastd.core.model import Frozen
from blastd.engines.kubernetes import manifests
from blastd.engines.kubernetes.client import ClusterClient
from blastd.engines.kubernetes.failures import AccessRefused, ClusterFailure, ObjectExists, ObjectMissing
from blastd.engines.kubernetes.objects import Meta

log = structlog.get_logger()

RENEW_SECONDS = 5.0
LASTS_SECONDS = 20.0
"""How long a Lease must stay as it is until its holder counts as gone; four renewals may fail."""
GIVE_BACK_SECONDS = 2.0
CODE = "store_in_use"


class LeaseSpec(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Who holds a Lease, and when that was last said, by the holder's clock."""

    holder_identity: str = ""
    renew_time: str = ""


class LeaseObject(msgspec.Struct, frozen=True, kw_only=True):
    """A Lease (coordination.k8s.io/v1)."""

    metadata: Meta
    spec: LeaseSpec = LeaseSpec()


class Seen(Frozen, frozen=True, kw_only=True):
    """A Lease of another holder as it was first seen, in seconds of our monotonic clock."""

    version: str
    at: float


class Tenure:
    """Holds the Lease of a store; `run` keeps it, `trouble` says who else does."""

    def __init__(self, client: ClusterClient, clock: Clock, instance: str, holder: str) -> None:
        """Take the store's name, and what tells this place of it from every other: a daemon that starts anew there is the same."""
        self.other = ""
        """Who holds the Lease instead of us."""
        self.since: datetime | None = None
        """Since when that is known."""
        self._client, self._clock, self._holder = client, clock, holder
        self._name = f"blastd-{instance}"
        self._version = ""
        self._seen: Seen | None = None
        self._proven = float("-inf")
        self._unguarded = False
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Renew the Lease until cancelled, then give it back."""
        try:
            await every(RENEW_SECONDS, self._renew, self._clock, "renew-lease")
        finally:
            if self._version and not self.other:
                with suppress(
                    ClusterFailure, TimeoutError
                ):  # else it is free when it has not changed for as long as it lasts
                    async with asyncio.timeout(GIVE_BACK_SECONDS):
                        await self._client.replace_lease(self._name, self._body(self._version, holder=""))

    async def trouble(self) -> Trouble | None:
        """Return why nothing may be handed over or removed now, None while we hold the Lease. Raises ClusterFailure."""
        if self._clock.monotonic() - self._proven > LASTS_SECONDS / 2:
            await self._look()
        return self.refusal()

    def refusal(self) -> Trouble | None:
        """Return that another holds the Lease, as far as is known without asking."""
        if not self.other:
            return None
        return Trouble(
            code=CODE,
            sentence=f"Another blastd ({self.other}) uses this cluster with a copy of the same store.",
            remedy="Stop one of the two; a copy that is to go on by itself needs a store of its own (blastd export, import).",
            retryable=True,
        )

    async def _renew(self) -> None:
        try:
            await self._look()
        except ClusterFailure as error:
            log.debug("lease_not_renewed", reason=str(error))  # the view tells that the cluster is away

    async def _look(self) -> None:
        """Renew the Lease, or look who holds it. Raises ClusterFailure."""
        if self._unguarded:
            return
        async with self._turn:
            try:
                await self._take()
            except AccessRefused as error:
                self._unguarded, self._proven = True, float("inf")
                log.warning("lease_refused", reason=str(error), mend="apply config/kubernetes/rbac.yaml")
            except (ObjectExists, ObjectMissing):
                self._version = ""  # somebody else wrote it: the next look tells who
                await self._take()

    async def _take(self) -> None:
        if not self._version:
            found = await self._found()
            if found is None:
                self._ours(await self._client.create_lease(self._body("")))
                return
            if not self._free(found):
                self._theirs(found)
                return
            self._version = found.metadata.resource_version
        self._ours(await self._client.replace_lease(self._name, self._body(self._version)))

    async def _found(self) -> LeaseObject | None:
        try:
            return msgspec.convert(await self._client.get_lease(self._name), LeaseObject)
        except ObjectMissing:
            return None

    def _free(self, found: LeaseObject) -> bool:
        """Tell whether a Lease is ours to take: it was ours, nobody's, or has not changed for as long as it lasts."""
        version, now = found.metadata.resource_version, self._clock.monotonic()
        if found.spec.holder_identity in ("", self._holder):
            return True
        if self._seen is None or self._seen.version != version:
            self._seen = Seen(version=version, at=now)
        return now - self._seen.at > LASTS_SECONDS

    def _ours(self, made: Mapping[str, Any]) -> None:
        if self.other:
            log.info("lease_taken", before=self.other)
        self.other, self.since, self._seen = "", None, None
        self._version = msgspec.convert(made, LeaseObject).metadata.resource_version
        self._proven = self._clock.monotonic()

    def _theirs(self, found: LeaseObject) -> None:
        if not self.other:
            self.since = self._clock.now()
            log.error("store_in_use", holder=found.spec.holder_identity)
        self.other, self._proven = found.spec.holder_identity, float("-inf")

    def _body(self, version: str, holder: str | None = None) -> dict[str, Any]:
        now = self._clock.now().astimezone(UTC)
        return manifests.lease(
            self._name, version, self._holder if holder is None else holder, micro_time(now), LASTS_SECONDS
        )


def micro_time(at: datetime) -> str:
    """Return a time as Kubernetes' MicroTime wants it, with six digits after the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
