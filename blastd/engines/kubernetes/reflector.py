"""LIST + WATCH of one kind into a view in memory, of known freshness.

A list proves the view at its time; a watch proves it by what it brings: an event, a bookmark or its full life, never by
being open. Until the watch has proven itself, and whenever it ends early, the kind is listed every few seconds instead, so
that the view is true with a watch that is cut, held silent or forbidden, too. What changed is told by the name of its Job;
what it means is left to `status`.
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
from blastd.core.model import Frozen
from blastd.engines.kubernetes.client import ClusterClient
from blastd.engines.kubernetes.failures import AccessRefused, ClusterAway, ClusterFailure, VersionGone, with_mend
from blastd.engines.kubernetes.objects import Meta, StatusObject, WatchLine

log = structlog.get_logger()

WATCH_SECONDS = 10.0  # the server ends a watch after this, with a bookmark before: one that hangs is found out soon
GRACE_SECONDS = 3.0  # how much later than the server we end a watch: only one that hangs lives so long
SLACK_SECONDS = 1.0  # the server counts whole seconds
POLL_SECONDS = 5.0  # between lists while no watch has proven itself
LEAST_SECONDS = 1.0  # between two lists, whatever happens
SHARE = 10.0  # a list that takes long is asked for so many times more rarely than it takes
SILENT_SECONDS = 30.0  # a view whose last proof is older than this is not trusted, whatever its reflector believes
TOMBSTONES = 2000  # deleted objects remembered against late events
RETRY = Intervals(cool_down=0.5, cool_down_max=4.0)  # a cluster that is back is seen in under 5 s
WATCH_AGAIN = Intervals(cool_down=1.0, cool_down_max=30.0)  # lists keep the view true meanwhile
EMPTY: Mapping[str, Any] = {}


class Watched(Protocol):
    """What the reflector needs of an object."""

    @property
    def metadata(self) -> Meta:
        """Return name, uid and version."""


T = TypeVar("T", bound=Watched)


class ObjectView(Generic[T]):
    """Objects by group (their Job's name) and uid; safe against repeated, late and foreign news of an object.

    `version` is the newest of the whole: an object that is not here and is no newer was deleted before it.
    """

    def __init__(
        self, group: Callable[[T], str], tell: Callable[[str], None], ours: Callable[[T], bool] = lambda _: True
    ) -> None:
        """Take how to find an object's group, and what to call with the group that changed.

        Objects that are not *ours* are left out: no selector chooses both what is labelled and what is not.
        """
        self.version = ""
        self._ours = ours
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

    def replace(self, found: Iterable[T], version: str = "") -> None:
        """Take a complete list, as of *version*: what it does not name is gone."""
        fresh = {item.metadata.uid: item for item in found}
        missing = [uid for uid, group in self._where.items() if uid not in fresh and self._older(uid, group, version)]
        for uid in missing:
            self._drop(uid)
        for item in fresh.values():
            self._take(item)
        self.reach(version)

    def put(self, item: T) -> None:
        """Take an object, unless a newer version of it is known or it was deleted."""
        uid, version = item.metadata.uid, item.metadata.resource_version
        if uid not in self._where and not newer(version, self.version):
            return
        self._take(item)

    def remove(self, item: T) -> None:
        """Take a deletion."""
        uid = item.metadata.uid
        self._buried[uid] = item.metadata.resource_version
        if len(self._buried) > TOMBSTONES:
            self._buried.popitem(last=False)
        self._drop(uid)

    def reach(self, version: str) -> None:
        """Note that everything up to *version* is here."""
        if version and newer(version, self.version):
            self.version = version

    def _older(self, uid: str, group: str, version: str) -> bool:
        """Tell whether a list of *version* would name an object that is here if it still were: not one made later."""
        return not version or not newer(self._groups[group][uid].metadata.resource_version, version)

    def _take(self, item: T) -> None:
        if not self._ours(item):
            return
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


def least(error: ClusterFailure) -> float:
    """Return the seconds for which the server wants not to be asked."""
    return error.least if isinstance(error, ClusterAway) else 0.0


class Kind(Frozen, frozen=True, kw_only=True):
    """What is listed and watched: the resource's name, the shapes of list page and object, and which objects."""

    name: str
    page: type[Any]
    shape: type[Any]
    selector: str = ""
    fields: str = ""


class Reflector(Generic[T]):
    """Keeps one view true. `run` is its task; everything else reads memory."""

    def __init__(
        self,
        client: ClusterClient,
        kind: Kind,
        view: ObjectView[T],
        clock: Clock,
        jitter: Callable[[], float],
        *,
        on_health: Callable[[], None] = lambda: None,
        needed: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take the client, what to list and the view to fill; nothing is asked yet.

        *on_health* is called when the view begins or ceases to be true. *needed* tells whether anybody reads the view
        now: else it is not listed while the watch does not serve.
        """
        self.view, self.name = view, kind.name
        self.bad_since: datetime | None = clock.now()
        self.reason = "The first listing has not ended."
        self.watching = False
        """Whether the watch has proven itself since it last ended early."""
        self.watch_reason = ""
        """Why the watch does not serve, empty while nothing is wrong with it."""
        self.proven_at: datetime | None = None
        self.list_seconds = 0.0
        self._on_health, self._needed = on_health, needed
        self._client, self._kind, self._clock, self._jitter = client, kind, clock, jitter
        self._decoder, self._line = msgspec.json.Decoder(kind.shape), msgspec.json.Decoder(WatchLine)
        self._version = ""
        self._watch_failures = 0
        self._proof = float("-inf")
        self._known = asyncio.Event()
        self._list_now, self._watch_now = asyncio.Event(), asyncio.Event()

    @property
    def healthy(self) -> bool:
        """Tell whether the view can be trusted now."""
        age = self._clock.monotonic() - self._proof
        return self.bad_since is None and age < SILENT_SECONDS + self.list_seconds * SHARE

    @property
    def since(self) -> datetime | None:
        """Return since when the view can't be trusted, None while it can."""
        return None if self.healthy else self.bad_since or self.proven_at

    async def wait_known(self) -> None:
        """Wait until the first list has ended, well or not."""
        await self._known.wait()

    async def run(self) -> None:
        """Keep the view true until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lists(), name=f"list-{self._kind.name}")
            group.create_task(self._watches(), name=f"watch-{self._kind.name}")

    # ------------------------------------------------------------------ lists
    async def _lists(self) -> None:
        """List while no watch serves; what fails is tried again, with a pause that grows to 4 s."""
        failures = 0
        while True:
            pause = POLL_SECONDS
            self._list_now.clear()
            if not self._version or self.bad_since is not None or (not self.watching and self._needed()):
                try:
                    await self._list()
                    failures, pause = 0, max(POLL_SECONDS, self.list_seconds * SHARE)
                except ClusterFailure as error:
                    failures += 1
                    if isinstance(error, VersionGone) and failures == 1:
                        continue  # between two pages: the list is read anew
                    self._mark_bad(with_mend(error))
                    await asyncio.sleep(max(backoff(failures, RETRY, self._jitter()), least(error)))
                    continue
            await asyncio.sleep(LEAST_SECONDS)
            await self._clock.wait(self._list_now, pause - LEAST_SECONDS)

    async def _list(self) -> None:
        """Read all pages of one consistent list, then take it as a whole."""
        token, found, kind = "", list[T](), self._kind
        begun = self._clock.now()
        start = self._clock.monotonic()
        while True:
            page = await self._client.page_of(
                kind.name, kind.page, kind.selector, token, probe=True, fields=kind.fields
            )
            found += page.items
            token = page.metadata.continue_
            if not token:
                break
        self.list_seconds = round(self._clock.monotonic() - start, 3)
        version, first = page.metadata.resource_version, not self._version
        if first or newer(version, self._version):
            self._version = version
        self._mark_good(begun, start)
        self.view.replace(found, version)
        if first:
            self._watch_now.set()

    # ------------------------------------------------------------------ watches
    async def _watches(self) -> None:
        """Watch from what is known on; one that ends early is tried again after a pause that grows to half a minute."""
        while True:
            self._watch_now.clear()
            if not self._version or self.bad_since is not None:  # a cluster that can't be listed is not watched, either
                await self._clock.wait(self._watch_now, POLL_SECONDS)
                continue
            try:
                await self._watch()
                self._watch_failures = 0
            except ClusterFailure as error:
                self._watch_lost(error)
                pause = backoff(self._watch_failures, WATCH_AGAIN, self._jitter())
                await self._clock.wait(self._watch_now, max(pause, least(error)))

    async def _watch(self) -> None:
        """Follow one watch until the server ends it. Raises ClusterFailure for one that ends early or goes silent."""
        seconds, kind = round(WATCH_SECONDS * (1.0 - 0.25 * self._jitter())), self._kind
        begun = self._clock.monotonic()
        watch = self._client.watching(
            kind.name, kind.selector, self._version, seconds=seconds, grace=GRACE_SECONDS, fields=kind.fields
        )
        async with watch as lines:
            try:
                async for line in lines:
                    self._take(line)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                how = "went silent" if isinstance(error, TimeoutError) else "broke off"
                raise ClusterAway(f"The watch of {kind.name} {how}.") from error
        lived = self._clock.monotonic() - begun
        if lived < seconds - SLACK_SECONDS:
            raise ClusterAway(f"The watch of {kind.name} was ended after {lived:.1f} of {seconds} s.")
        self._prove()

    def _take(self, line: bytes) -> None:
        try:
            event = self._line.decode(line)
            if event.type == "ERROR":
                told = msgspec.json.decode(event.object, type=StatusObject)
                raise VersionGone(told.message) if told.code == 410 else ClusterAway(told.message)
            item = self._decoder.decode(event.object)
        except msgspec.MsgspecError as error:  # half a line when the server dies
            raise ClusterAway(f"The watch of {self._kind.name} can't be read: {error}.") from error
        if event.type in ("ADDED", "MODIFIED"):
            self.view.put(item)
        elif event.type == "DELETED":
            self.view.remove(item)
        if newer(version := item.metadata.resource_version, self._version):
            self._version = version
        self.view.reach(version)
        self._prove()

    def _prove(self) -> None:
        """Note what shows that the watch is alive and complete."""
        self.proven_at, self._proof = self._clock.now(), self._clock.monotonic()
        if not self.watching:
            log.info("watch_healthy", kind=self._kind.name, objects=len(self.view), list_seconds=self.list_seconds)
        self.watching, self.watch_reason = True, ""

    def _watch_lost(self, error: ClusterFailure) -> None:
        self._watch_failures += 1
        if isinstance(error, VersionGone):
            self._version = ""
        instead = f"Until it serves again, the cluster is asked every {POLL_SECONDS:.0f} s."
        self.watch_reason = f"{with_mend(error) if isinstance(error, AccessRefused) else error} {instead}"
        if self.watching or self._watch_failures == 1:
            log.warning("watch_lost", kind=self._kind.name, reason=str(error))
        if self.watching or isinstance(error, VersionGone):
            self._list_now.set()
        self.watching = False

    # ------------------------------------------------------------------ whether it can be trusted
    def _mark_good(self, at: datetime, monotonic: float) -> None:
        news, self.bad_since, self.reason = self.bad_since is not None, None, ""
        if monotonic > self._proof:
            self.proven_at, self._proof = at, monotonic
        self._known.set()
        if news:
            self._watch_failures = 0  # the cluster is back: so may be its watch
            self._watch_now.set()
            self._on_health()

    def _mark_bad(self, reason: str) -> None:
        news, self.reason = self.bad_since is None, reason
        if news:
            self.bad_since = self._clock.now()
            log.warning("view_lost", kind=self._kind.name, reason=reason)
        self._known.set()
        if news:
            self._on_health()
