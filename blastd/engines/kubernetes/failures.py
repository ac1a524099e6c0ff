"""How calls to the cluster fail, as ours, and the pause that the whole cluster gets after a failure."""

from collections.abc import Callable
from datetime import datetime

import structlog

from blastd.clock import Clock
from blastd.core.intervals import Intervals, backoff
from blastd.errors import Unavailable

log = structlog.get_logger()


AGAIN = "It is tried again by itself; 'blastd doctor' shows what is down."
RIGHTS = "Give the account the rights of config/kubernetes/rbac.yaml; it is tried again."


class ClusterFailure(Unavailable):
    """A call to the cluster failed."""

    code = "cluster_failure"


class ClusterAway(ClusterFailure):
    """The cluster's API server can't be asked."""

    code = "cluster_unreachable"

    @property
    def least(self) -> float:
        """Return the seconds for which the server wants not to be asked."""
        return float(str(self.facts.get("retry_after_seconds", 0)))


class AccessRefused(ClusterFailure):
    """The cluster refuses this account."""

    code = "cluster_access"


class ObjectMissing(ClusterFailure):
    """The cluster has no such object."""

    code = "cluster_object_missing"


class ObjectExists(ClusterFailure):
    """The cluster has an object of this name already, or a newer version of it."""

    code = "cluster_object_exists"


class VersionGone(ClusterFailure):
    """The cluster no longer knows this version of a list (410): list again."""

    code = "cluster_version_gone"


class ObjectRefused(ClusterFailure):
    """The cluster refused the object: its quota, an admission webhook or its validation."""

    code = "cluster_refused"


def with_mend(error: ClusterFailure) -> str:
    """Return what went wrong and what to do, for who reads rows and probes."""
    mend = RIGHTS if isinstance(error, AccessRefused) else AGAIN
    return f"{error} {mend}"


class CoolDown:
    """Whether the cluster may be asked now; one for all calls."""

    def __init__(self, clock: Clock, policy: Intervals, jitter: Callable[[], float]) -> None:
        """Take the clock, the numbers of backoff, and a source of jitter in 0..1."""
        self._clock, self._policy, self._jitter = clock, policy, jitter
        self._failures = 0
        self._until = 0.0
        self.since: datetime | None = None
        self.reason = ""

    @property
    def left(self) -> float:
        """Return the seconds until the cluster may be asked again."""
        return max(0.0, self._until - self._clock.monotonic()) if self.since is not None else 0.0

    def check(self) -> None:
        """Raise ClusterAway while it cools."""
        if self.left > 0:
            raise ClusterAway(self.reason)

    def failed(self, reason: str, least: float = 0.0) -> None:
        """Note a failure; each one in a row doubles the pause, which lasts *least* seconds."""
        if self.since is None:
            self.since = self._clock.now()
            log.warning("cluster_lost", reason=reason)
        self._failures += 1
        self.reason = reason
        pause = backoff(self._failures, self._policy, self._jitter())
        self._until = self._clock.monotonic() + max(pause, least)

    def worked(self) -> None:
        """Note an answer: the cluster is back."""
        if self.since is not None:
            log.info("cluster_back", since=self.since.isoformat())
        self._failures, self.since, self.reason, self._until = 0, None, "", 0.0
