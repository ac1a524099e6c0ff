"""What a storage must do, whatever its kind: hold objects by area and name, and let the pods of one job reach theirs.

A third kind is a module beside `blob` and `volume`, a line in `opening`, and a class in the pods' program that reads what
`pod_access` says. Failures are those named here, or kinds of them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from blastd.core.model import Frozen
from blastd.errors import Unavailable

INLINE_BYTES = 18_000
"""How much of a job's plan, and of its addresses, a Secret holds itself: with base64 it stays under 64 kB whatever the plan."""


class Area(StrEnum):
    """What a storage keeps apart."""

    QUERIES = "queries"
    DATABASES = "blast-db"
    RESULTS = "results"


class StorageFailure(Unavailable):
    """An operation on the storage failed."""

    code = "storage_failure"


class StorageAway(StorageFailure):
    """The storage can't be reached."""

    code = "storage_unreachable"


class StorageDenied(StorageFailure):
    """The storage refuses us."""

    code = "storage_access_denied"


class StorageMissing(StorageFailure):
    """There is no such object."""

    code = "storage_object_missing"


class StoredObject(Frozen, frozen=True, kw_only=True):
    """An object: its name in its area, its size in bytes, its metadata, when it was last written."""

    name: str
    size: int
    metadata: dict[str, str] = {}
    modified: datetime | None = None


class PodNeeds(Frozen, frozen=True, kw_only=True):
    """What the pods of a job use: names of objects. Units are written, by their number, all else is read.

    `tables` names an object, in the area of queries, for what is too long for a Secret.
    """

    tables: str
    query: str = ""
    plan: str = ""
    units: Mapping[int, str] = {}
    databases: Mapping[str, Sequence[str]] = {}
    """File names by generation; the object is called `generation/name`."""


class PodMounts(Frozen, frozen=True, kw_only=True):
    """A volume of a pod, and where its container sees which part of it: as in a Pod's spec, empty where none is needed."""

    volumes: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, Any], ...] = ()


class Storage(Protocol):
    """One storage. Every method that asks outside raises StorageFailure when it is away, refuses, or holds no such object."""

    failing: bool
    """The last call failed because it was away or refused us."""
    noun: str
    """What it is called in sentences."""
    mend: str
    """What to check when it is away, as an imperative."""

    @property
    def grant_seconds(self) -> float:
        """Return how long the pods of a job may use what they were given; it is renewed at half of that."""

    async def ensure(self) -> None:
        """Make the areas where they are missing."""

    async def upload(
        self,
        area: Area,
        name: str,
        path: Path,
        progress: Callable[[int], None] | None = None,
        *,
        resume: bool = False,
    ) -> None:
        """Store a file, whole or not at all; *progress* gets bytes. *resume* keeps what an earlier try has brought."""

    async def put(self, area: Area, name: str, data: bytes) -> None:
        """Store a small object, over what is there."""

    async def get(self, area: Area, name: str) -> bytes:
        """Return a small object. Raises StorageMissing."""

    async def size_of(self, area: Area, name: str) -> int | None:
        """Return the size of an object, None if there is none."""

    async def download(self, area: Area, name: str, target: Path) -> Mapping[str, str]:
        """Write an object to *target* and return its metadata. Raises StorageMissing. The caller checks size and checksum."""

    async def listed(self, area: Area, prefix: str) -> list[StoredObject]:
        """Return every object whose name starts with *prefix*."""

    async def remove(self, area: Area, prefix: str) -> int:
        """Remove every object whose name starts with *prefix*; returns how many."""

    async def check(self) -> None:
        """Ask once whether it serves."""

    async def pod_access(self, needs: PodNeeds, now: datetime) -> dict[str, Any]:
        """Return what the pods of a job are told to reach exactly *needs*; it is secret, and ends after `grant_seconds`."""

    def pod_mounts(self, query: str, results: str) -> PodMounts:
        """Return what pods mount: the folder *query* to read, *results* to write (empty: none), every database to read."""
