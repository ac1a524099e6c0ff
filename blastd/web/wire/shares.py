"""Links to one search on the wire."""

from typing import Annotated

from msgspec import Meta

from blastd.web.wire.base import Moment, Request, Wire


class ShareBody(Request, frozen=True, kw_only=True):
    """What link is wanted."""

    label: Annotated[str, Meta(max_length=200, description="For whom it is, as the list of links shows it.")] = ""
    days: Annotated[float, Meta(gt=0, le=366, description="When it ends.")] = 30.0


class ShareView(Wire, frozen=True, kw_only=True):
    """A link to a search. `state` is open, expired or revoked."""

    share_id: str
    job_id: str
    label: str
    made_by: str
    created_at: Moment
    expires_at: Moment
    revoked_at: Moment | None
    state: str


class NewShareView(Wire, frozen=True, kw_only=True):
    """A link that was just made. Its address and key are told this once."""

    share: ShareView
    url: Annotated[str, Meta(description="The address for a browser, as a path of this service.")]
    key: Annotated[str, Meta(description="For programs: send it as X-Blastd-Share.")]


class ShareList(Wire, frozen=True, kw_only=True):
    """The links to a search, newest first."""

    shares: list[ShareView]
