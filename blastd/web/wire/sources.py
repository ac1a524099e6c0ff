"""Sources of databases on the wire: what they offer, fetches, updates, and changes of the catalogue."""

from typing import Annotated

from msgspec import Meta

from blastd.web.wire.base import Moment, Request, Wire
from blastd.web.wire.databases import TaskView


class AvailableQuery(Request, frozen=True, kw_only=True):
    """What is asked of the sources."""

    source: Annotated[str, Meta(description="Only this source.")] = ""
    q: Annotated[str, Meta(description="Only databases whose name or title holds this.", max_length=200)] = ""
    refresh: Annotated[bool, Meta(description="Ask the sources anew, also within a minute.")] = False


class OfferView(Wire, frozen=True, kw_only=True):
    """A database that a source offers. Numbers that the source does not tell are 0."""

    source: str
    name: str
    title: str
    molecule: str
    date: str
    version: str
    sequences: int
    letters: int
    size_bytes: int
    installed_as: Annotated[str | None, Meta(description="What it is called here; null: it is not here.")]
    installed_version: str | None
    newer: Annotated[bool, Meta(description="Whether the source has a newer version than the one here.")]


class OfferList(Wire, frozen=True, kw_only=True):
    """What the sources offer, and why some could not be asked."""

    databases: list[OfferView]
    problems: list[str]
    sources: list[str]


class FetchBody(Request, frozen=True, kw_only=True):
    """A database that is to be fetched from a source."""

    name: Annotated[str, Meta(description="What it is called in the source.", max_length=100)]
    source: Annotated[str, Meta(description="Which source; empty: the first that offers it.", max_length=40)] = ""
    molecule: Annotated[str, Meta(description="nucleotide or protein; needed only where there are both.")] = ""
    called: Annotated[str, Meta(description="What it is to be called here; empty: the same.", max_length=100)] = ""
    replace: Annotated[
        bool, Meta(description="Whether a database of that name that was made or fetched here is replaced.")
    ] = False


class RenameBody(Request, frozen=True, kw_only=True):
    """The new name of a database."""

    name: Annotated[str, Meta(description="Letters, digits, '.', '_' and '-', up to 100.")]


class UpdateAnswer(Wire, frozen=True, kw_only=True):
    """What became of a request to update: a task, or null where the source has nothing newer."""

    task: TaskView | None
    detail: str


class UsesView(Wire, frozen=True, kw_only=True):
    """What a database serves now, and whether you may change it."""

    name: str
    molecule: str
    jobs_active: Annotated[int, Meta(description="Searches that wait or run; they keep what they pinned.")]
    jobs_stored: Annotated[int, Meta(description="Ended searches whose later formats read its pinned files.")]
    warm_on: list[str]
    size_bytes: int
    may_change: Annotated[bool, Meta(description="Whether you may replace, rename and remove it.")]
    reason: Annotated[str, Meta(description="Why not.")]


class HistoryView(Wire, frozen=True, kw_only=True):
    """One change of a database."""

    at: Moment
    kind: Annotated[
        str,
        Meta(
            extra_json_schema={
                "enum": ["made", "replaced", "fetched", "updated", "update_failed", "renamed", "removed"]
            }
        ),
    ]
    molecule: str
    owner: str
    task_id: str | None
    fingerprint: str
    detail: str


class HistoryList(Wire, frozen=True, kw_only=True):
    """The newest changes first."""

    history: list[HistoryView]
