"""The service itself on the wire: health, versions, and who asks."""

from typing import Annotated

from msgspec import Meta

from blastd.web.wire.base import Moment, Request, Wire


class ComponentView(Wire, frozen=True, kw_only=True):
    """One part: ok, degraded (works with less), or down (what needs it does not work)."""

    name: str
    status: str
    detail: str
    since: Moment | None
    age_seconds: Annotated[
        float | None,
        Meta(description="Seconds since it was last proven to be so; null: not yet, or it needs no proof."),
    ]


class QueueView(Wire, frozen=True, kw_only=True):
    """How many jobs wait and run, and how many BLAST+ processes may run at once."""

    queued: int
    running: int
    slots: int
    slots_busy: int


class DiskView(Wire, frozen=True, kw_only=True):
    """The file system of the state; under the floor no new searches are accepted."""

    free_bytes: int
    total_bytes: int
    floor_bytes: int
    state_bytes: int | None


class EngineView(Wire, frozen=True, kw_only=True):
    """What runs searches, and how busy it is."""

    name: str
    status: str
    detail: str
    slots: int | None
    slots_busy: int | None
    running: int
    age_seconds: Annotated[
        float | None,
        Meta(description="Seconds since it last proved that it answers; null: not yet, or it needs no proof."),
    ]
    watches: Annotated[
        list[ComponentView],
        Meta(
            description="Watches that bring news; what one that is not ok would bring is asked for every few seconds."
        ),
    ]


class HealthView(Wire, frozen=True, kw_only=True):
    """The service as a whole: as bad as its worst component."""

    status: str
    version: str
    started_at: Moment
    uptime_seconds: float
    components: list[ComponentView]
    queue: QueueView
    disk: DiskView
    engines: list[EngineView]


class Live(Wire, frozen=True, kw_only=True):
    """The process serves."""

    status: str
    version: str


class Ready(Wire, frozen=True, kw_only=True):
    """Searches are accepted; `degraded` names what works with less."""

    status: str
    degraded: list[ComponentView] = []


class Me(Wire, frozen=True, kw_only=True):
    """Who asks; `tokens` tells whether they came with one."""

    owner: str
    role: str
    tokens: bool


class WebhookBody(Request, frozen=True, kw_only=True):
    """Where to tell of ends."""

    url: Annotated[
        str,
        Meta(max_length=2000, description="Told of the end of each of your jobs that names no address of its own."),
    ]


class WebhookView(Wire, frozen=True, kw_only=True):
    """The address of all jobs of one owner that name none, null for none; `problem` says why it is not told now."""

    url: str | None
    problem: str | None


class Versions(Wire, frozen=True, kw_only=True):
    """Versions of what works here."""

    version: str
    blast_version: str | None
    python: str | None
    sqlite: str | None
