"""LIST + WATCH of one kind into a view in memory, of known health.

The view holds what the last complete list and the watch since then said. It is as good as the connection: `bad_since`
says since when it is not. The watch is renewed every few seconds of silence, so that one that hangs is found out.
What changed is told by the name of its Job; what it means is left to `status`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

import aiohttp
import msgspec
import structlog

from blastd.clock import Clock
from blastd.core.intervals import Intervals, backoff
from blastd.engines.kubernetes.client import Client
from blastd.engines.kubernetes.failures import ClusterAway, ClusterFailure, VersionGone, with_mend
from blastd.engines.kubernetes.objects import JobList, JobObject, Meta, PodList, PodObject, StatusObject, WatchLine

log = structlog.get_logger()

WATCH_SECONDS = 20.0  # the server ends a watch after this: one more request in 20 s, and a hanging one is found out
GRACE_SECONDS = 3.0  # how much later than the server we end a watch: only one that hangs lives so long
TOMBSTONES = 2000  # deleted objects remembered against late events
RETRY = Intervals(cool_down=0.5, cool_down_max=4.0)  # a cluster that is back is seen in under 5 s
EMPTY: Mapping[str, Any] = {}


class Watched(Protocol):
    """What the reflector needs of an object."""

    @property
    def metadata(self) -> Meta:
        """Return name, uid and version."""


T = TypeVar("T", bound=Watched)


class View(Generic[T]):
    """Objects by group (their Job's name) and uid; safe against repeated and late events."""

    def __init__(self, group: Callable[[T], str], tell: Callable[[str], None]) -> None:
        """Take how to find an object's group, and what to call with the group that changed."""
        self._group, self._tell = group, tell
        self._groups: dict[str, dict[str, T]] = {}
        self._where: dict[str, str] = {}
        self._buried: OrderedDict[str, str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._where)

    def of(self, group: str) -> Mapping[str, T]:
        """Return the objects of a group by uid."""
        return self._groups.get(group, {})

    def groups(self) -> Iterable[str]:
        """Return the names of all groups."""
        return tuple(self._groups)

    def replace(self, found: Iterable[T]) -> None:
        """Take a complete list: what it does not name is gone."""
        fresh = {item.metadata.uid: item for item in found}
        for uid in [uid for uid in self._where if uid not in fresh]:
            self._drop(uid)
        for item in fresh.values():
            self.put(item)

    def put(self, item: T) -> None:
        """Take an object, unless a newer version of it is known or it was deleted."""
        uid, version = item.metadata.uid, item.metadata.resource_version
        if uid in self._buried and not newer(version, self._buried[uid]):
            return
        group = self._group(item)
        known = self._groups.get(self._where.get(uid, ""), {}).get(uid)
        if known is not None and not newer(version, known.metadata.resource_version):
            return
        self._where[uid] = group
        self._groups.setdefault(group, {})[uid] = item
        self._tell(group)

    def remove(self, item: T) -> None:
        """Take a deletion."""
        uid = item.metadata.uid
        self._buried[uid] = item.metadata.resource_version
        if len(self._buried) > TOMBSTONES:
            self._buried.popitem(last=False)
        self._drop(uid)

    def _drop(self, uid: str) -> None:
        group = self._where.pop(uid, None)
        if group is None:
            return
        members = self._groups[group]
        members.pop(uid, None)
        if not members:
            del self._groups[group]
        self._tell(group)


def newer(version: str, than: str) -> bool:
    """Tell whether a resourceVersion is newer.

    Kubernetes writes numbers, and promises so from 1.35 on; other texts are told apart only.
    """
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return version != than


class Reflector(Generic[T]):
    """Keeps one view true. `run` is its task; everything else reads memory."""

    def __init__(  # made by the two functions below only
        self,
        client: Client,
        kind: str,
        shapes: tuple[type[Any], type[T]],
        selector: str,
        view: View[T],
        clock: Clock,
        jitter: Callable[[], float],
    ) -> None:
        """Take the plural *kind*, the shapes of list page and object, the label selector and the view to fill."""
        self.view = view
        self.bad_since: datetime | None = clock.now()
        self.reason = "The first listing has not ended."
        self.listed_at: datetime | None = None
        self.list_seconds = 0.0
        self.relists = 0
        self.on_health: Callable[[], None] = lambda: None
        self._client, self._kind, self._selector, self._clock, self._jitter = client, kind, selector, clock, jitter
        self._page, self._decoder = shapes[0], msgspec.json.Decoder(shapes[1])
        self._line = msgspec.json.Decoder(WatchLine)
        self._version = ""
        self._failures = 0
        self._healthy = asyncio.Event()

    @property
    def healthy(self) -> bool:
        """Tell whether the view can be trusted now."""
        return self.bad_since is None

    async def wait_healthy(self) -> None:
        """Wait until the view can be trusted."""
        await self._healthy.wait()

    async def run(self) -> None:
        """List and watch until cancelled; what fails is tried again, with a pause that grows to 4 s."""
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except VersionGone as error:
                log.info("watch_expired", kind=self._kind)
                self._version = ""
                self._mark_bad(str(error))
                if self._failures:  # gone again at once: not in a tight loop
                    await asyncio.sleep(backoff(self._failures, RETRY, self._jitter()))
                self._failures += 1
            except ClusterFailure as error:
                self._mark_bad(with_mend(error))
                self._failures += 1
                least = error.least if isinstance(error, ClusterAway) else 0.0
                await asyncio.sleep(max(backoff(self._failures, RETRY, self._jitter()), least))

    async def _list(self) -> None:
        """Read all pages of one consistent list, then take it as a whole."""
        self.relists += 1
        begun, token, found = self._clock.now(), "", []
        start = self._clock.monotonic()
        while True:
            page = await self._client.page_of(self._kind, self._page, self._selector, token, probe=True)
            found += page.items
            token = page.metadata.continue_
            if not token:
                break
        self.view.replace(found)
        self.listed_at = begun
        self.list_seconds = round(self._clock.monotonic() - start, 3)
        self._version = page.metadata.resource_version

    async def _watch(self) -> None:
        """Follow one watch until the server ends it."""
        seconds = WATCH_SECONDS * (1.0 - 0.25 * self._jitter())
        watch = self._client.watching(self._kind, self._selector, self._version, seconds=seconds, grace=GRACE_SECONDS)
        async with watch as lines:
            self._mark_good()
            try:
                async for line in lines:
                    self._take(line)
                self._failures = 0  # it lived until the server ended it
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                how = "went silent" if isinstance(error, TimeoutError) else "broke off"
                raise ClusterAway(f"The watch of {self._kind} {how}.") from error

    def _take(self, line: bytes) -> None:
        try:
            event = self._line.decode(line)
            if event.type == "ERROR":
                told = msgspec.json.decode(event.object, type=StatusObject)
                raise VersionGone(told.message) if told.code == 410 else ClusterAway(told.message)
            item = self._decoder.decode(event.object)
        except msgspec.MsgspecError as error:  # half a line when the server dies
            raise ClusterAway(f"The watch of {self._kind} can't be read: {error}.") from error
        self._version = item.metadata.resource_version or self._version
        self._failures = 0
        if event.type in ("ADDED", "MODIFIED"):
            self.view.put(item)
        elif event.type == "DELETED":
            self.view.remove(item)

    def _mark_good(self) -> None:
        if self.bad_since is not None:
            log.info("watch_healthy", kind=self._kind, objects=len(self.view), list_seconds=self.list_seconds)
        news = self.bad_since is not None
        self.bad_since, self.reason = None, ""
        self._healthy.set()
        if news:
            self.on_health()

    def _mark_bad(self, reason: str) -> None:
        news = self.bad_since is None
        if self.bad_since is None:
            self.bad_since = self._clock.now()
            log.warning("watch_lost", kind=self._kind, reason=reason)
        self.reason = reason
        self._healthy.clear()
        if news:
            self.on_health()


def job_reflector(
    client: Client, selector: str, clock: Clock, jitter: Callable[[], float], tell: Callable[[str], None]
) -> Reflector[JobObject]:
    """Return the reflector of Jobs; *tell* gets the name of each that changed."""
    view = View[JobObject](lambda job: job.metadata.name, tell)
    return Reflector(client, "jobs", (JobList, JobObject), selector, view, clock, jitter)


def pod_reflector(
    client: Client, selector: str, clock: Clock, jitter: Callable[[], float], tell: Callable[[str], None]
) -> Reflector[PodObject]:
    """Return the reflector of Pods; *tell* gets the name of the Job whose pod changed."""
    view = View[PodObject](lambda pod: pod.job_name, tell)
    return Reflector(client, "pods", (PodList, PodObject), selector, view, clock, jitter)
