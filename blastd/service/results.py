"""Results of a job as users read them: any format, made once and kept; hits, queries and statistics; the query.

What a format is and how it is made is known by `results`. Here it is decided whether there is something to read, and
every stored file is compared with its checksum before it is served the first time after a start.
"""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import msgspec
import structlog

from blastd.aio import offload
from blastd.blastplus.shelf import Shelf
from blastd.blastplus.tools import Tools
from blastd.clock import Clock
from blastd.core.model import Artifact, Frozen, Job, Status, Unit, UnitKind, UnitState
from blastd.core.programs import Program
from blastd.core.tabular import columns
from blastd.durable import digest, publish
from blastd.errors import Conflict, Expired, Invalid, NotReady, ResultGone, Unsupported
from blastd.results import finish, formats, hits
from blastd.results.formats import FORMATS, Format
from blastd.service.progress import progress
from blastd.store import artifacts, units
from blastd.store.files import Files
from blastd.store.sqlite import Database

log = structlog.get_logger()

SMALL_BYTES = 8 << 20
"""A stored form under this is projected in well under a second: then the whole file is made before the first byte."""
FINISHES = 2
"""Formats that BLAST+ makes at once, beside the searches."""
PROJECTED = frozenset({"tabular", "commented", "csv"})


class Wanted(Frozen, frozen=True, kw_only=True):
    """Which results. `whole`: the client needs length and validator."""

    format: str = "tabular"
    fields: tuple[str, ...] | None = None
    query: int | None = None
    subjects: tuple[str, ...] = ()
    partial: bool = False
    whole: bool = False


class ResultFile(Frozen, frozen=True, kw_only=True):
    """A stored file that is whole."""

    path: Path
    size_bytes: int
    sha256: str
    media_type: str
    name: str


class ResultStream(Frozen, frozen=True, kw_only=True):
    """Results that are made while they are sent; `partial` says how many units of how many they are of."""

    blocks: AsyncIterator[bytes]
    media_type: str
    name: str
    partial: str = ""


class HitFilter(Frozen, frozen=True, kw_only=True):
    """Which hits, in which order."""

    query: int | None = None
    sort: str = "query"
    order: str | None = None
    min_identity: float | None = None
    max_evalue: float | None = None
    min_coverage: float | None = None
    text: str | None = None
    group: str = "hsp"
    sequences: bool = False
    limit: int = 100
    cursor: str | None = None


class Ready(Frozen, frozen=True, kw_only=True):
    """A job whose stored result is there and whole."""

    job: Job
    folder: Path
    units: tuple[Unit, ...]


class Results:
    """Use cases of results."""

    def __init__(self, *, store: Database, files: Files, shelf: Shelf, tools: Tools, clock: Clock) -> None:
        """Take the parts."""
        self._store, self._files, self._shelf, self._tools, self._clock = store, files, shelf, tools, clock
        self._locks: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
        self._finishes = asyncio.Semaphore(FINISHES)
        self._whole: dict[Path, tuple[int, int, int]] = {}

    def formats(self) -> list[Format]:
        """Return every format."""
        return list(FORMATS.values())
