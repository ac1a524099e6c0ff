"""Events on the wire."""

from typing import Annotated, Any

from msgspec import Meta

from blastd.core.model import Phase, Status
from blastd.web.wire.base import MOST, Moment, Request, Wire, one_of
from blastd.web.wire.jobs import JobRow


class EventsQuery(Request, frozen=True, kw_only=True):
    """Where to begin. The header Last-Event-ID, if present, counts more."""

    after: Annotated[int, Meta(ge=0, le=MOST, description="Events with greater ids.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=1000)] = 500


class EventView(Wire, frozen=True, kw_only=True):
    """One change of a job. `job` is the row as it is now, null once it was removed.

    Changes of the catalogue (`database_updated`, `database_update_failed` and others) are of no job: their `job_id` is empty,
    and `data` names the database.
    """

    event_id: int
    job_id: str
    at: Moment
    kind: str
    status: Annotated[str, one_of(Status)]
    phase: Annotated[str, one_of(Phase)]
    data: dict[str, Any]
    job: JobRow | None = None


class EventPage(Wire, frozen=True, kw_only=True):
    """Events in ascending order; ask again with `after=next`."""

    events: list[EventView]
    next: int
