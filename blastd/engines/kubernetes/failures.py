"""How calls to the cluster fail, as ours, and the pause that the whole cluster gets after a failure."""

from collections.abc import Callable
from datetime import datetime

import structlog

from blastd.clock import Clock
from blastd.core.intervals import Intervals, backoff
from blastd.errors import Unavailable

log = structlog.get_logger()


class ClusterFailure(Unavailable):
    """A call to the cluster failed."""

    code = "cluster_failure"


class ClusterAway(ClusterFailure):
    """The cluster's API server can't be asked."""

    code = "cluster_unreachable"


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


class CoolDown:
    """Whether the cluster may be asked now; one for all calls."""

    def __init__(self, clock: Clock, policy: Intervals, jitter: Callable[[], float]) -> None:
        """Take the clock, the numbers of backoff, and a source of jitter in 0..1."""
        self._clock, self._policy, self._jitter = clock, policy, jitter
        self._failures = 0
        self._until = 0.0
        self.since: datetime | None = None
        self.reason = ""

    def check(self) -> None:
        """Raise ClusterAway while it cools."""
        if self.since is not None and self._clock.monotonic() < self._until:
            raise ClusterAway(self.reason)

    def failed(self, reason: str) -> None:
        """Note a failure; each one in a row doubles the pause."""
        if self.since is None:
            self.since = self._clock.now()
            log.warning("cluster_lost", reason=reason)
        self._failures += 1
        self.reason = reason
        self._until = self._clock.monotonic() + backoff(self._failures, self._policy, self._jitter())

    def worked(self) -> None:
        """Note an answer: the cluster is back."""
        if self.since is not None:
            log.info("cluster_back", since=self.since.isoformat())
        self._failures, self.since, self.reason, self._until = 0, None, "", 0.0
