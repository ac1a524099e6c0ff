"""Watches: searches that run again when their databases change. What they are, and when one is due. Pure."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from blastd.core.difference import DifferenceCounts
from blastd.core.ids import JobId, Owner
from blastd.core.model import DatabaseRef, Frozen, Job, QueryInfo
from blastd.core.organisms import without_filter
from blastd.core.search import Search

TAXON_OPTIONS = frozenset({"taxids", "negative_taxids", "taxidlist", "negative_taxidlist"})
"""Options whose meaning depends on what the taxonomy says of the sequences."""
SUBJECTS = re.compile(r"subjects-[0-9a-f]{12}")
"""How the databases of subjects that came with a search are called: they are its own, and never change."""


class WatchState(StrEnum):
    """Whether a watch runs when its databases change."""

    ACTIVE = "active"
    PAUSED = "paused"


class WatchTrouble(Frozen, frozen=True, kw_only=True):
    """Why a watch can't run now: a stable `code`, a sentence, and since when."""

    code: str
    text: str
    at: datetime


class WatchRun(Frozen, frozen=True, kw_only=True):
    """One run of a watch: its search, and what became of the hits since the run before.

    `number` counts from 1. `databases` are those that it searched, as they were. It is settled once it was compared with
    the search `base_job` (`difference`), or once it is known that there is nothing to compare, which `note` tells.
    """

    watch_id: str
    number: int
    job_id: JobId
    databases: tuple[DatabaseRef, ...]
    began_at: datetime
    settled_at: datetime | None = None
    base_job: JobId | None = None
    difference: DifferenceCounts | None = None
    note: str = ""


class Watch(Frozen, frozen=True, kw_only=True):
    """A watch. `runs` is the number of its newest run; `before_job` and `after_job` are the searches of its last comparison.

    After its first run there is no `before_job`.
    """

    watch_id: str
    owner: Owner
    label: str
    state: WatchState
    search: Search
    query: QueryInfo
    created_at: datetime
    updated_at: datetime
    runs: int = 0
    before_job: JobId | None = None
    after_job: JobId | None = None
    trouble: WatchTrouble | None = None


class CurrentDatabase(Frozen, frozen=True, kw_only=True):
    """A database of a watch as the catalogue has it: the fingerprints of its files and of what tells its organisms."""

    fingerprint: str
    taxonomy: str


def unwatchable(job: Job) -> str | None:
    """Return why *job* can't be watched, None if it can."""
    if job.source == "external":
        return "This run was started elsewhere: what it searched is not known here."
    if any(SUBJECTS.fullmatch(ref.name) for ref in job.databases):
        return "Its subjects came with the search, so they never change: make a database of them and search that."
    return None


def search_of(job: Job) -> Search:
    """Return the search that *job* was, to be asked again: its organisms as they were asked for, not what they were then."""
    return Search(
        program=job.program,
        databases=tuple(ref.name for ref in job.databases if ref.role == "searched"),
        task=job.task,
        options=without_filter(job.options, job.organisms),
        query_loc=job.query_loc,
        organisms=tuple(taxon.asked for taxon in job.organisms.include),
        exclude_organisms=tuple(taxon.asked for taxon in job.organisms.exclude),
        query_type=job.query.type,
        title=job.title,
        engine=job.engine,
        priority=job.priority,
        molecule_check=False,  # it was checked, or was not to be, when it was first accepted
        source=job.source,
    )


def by_taxa(search: Search) -> bool:
    """Tell whether the taxonomy decides what *search* finds."""
    chosen: Iterable[str] = search.options
    return bool(search.organisms or search.exclude_organisms or TAXON_OPTIONS & set(chosen))


def is_due(search: Search, last: Sequence[DatabaseRef], current: Sequence[CurrentDatabase]) -> bool:
    """Tell whether a watch is to run: a database is another one than in its *last* run; *current* has the same order."""
    taxa = by_taxa(search)
    return any(
        now.fingerprint != ref.fingerprint or (taxa and now.taxonomy != ref.taxonomy)
        for ref, now in zip(last, current, strict=True)
    )
