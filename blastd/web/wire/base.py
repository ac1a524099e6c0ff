"""What all wire types share: their two bases, times, errors, and where a list stands."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """Data that is sent or received as one JSON object."""


class Request(Wire, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Data that is received: a name that we don't know is a fault, since a misspelt one would be ignored in silence."""


Moment = Annotated[str, Meta(description="UTC, RFC 3339 with milliseconds", extra_json_schema={"format": "date-time"})]


def one_of(names: Iterable[str]) -> Meta:
    """Return a note that a text is one of *names*, for the description; what is received is checked where it is used."""
    return Meta(extra_json_schema={"enum": [str(name) for name in names]})


MOST = 2**53 - 1
"""Every whole number that a request may hold is exact in JSON for any client, and fits SQLite (which has 64 bits)."""


def moment(at: datetime) -> str:
    """Return *at* as it is written on the wire."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def maybe(at: datetime | None) -> str | None:
    """Return *at* as it is written on the wire, None for an unknown time."""
    return None if at is None else moment(at)


class NoQuery(Request, frozen=True, kw_only=True):
    """No parameters."""


class Fault(Wire, frozen=True, kw_only=True):
    """One thing that is wrong with a request."""

    pointer: Annotated[str, Meta(description="JSON pointer to the field, or the name of a parameter after a slash.")]
    detail: str


class Problem(Wire, frozen=True, kw_only=True):
    """What is wrong (RFC 9457). `code` is stable; further members depend on it."""

    type: str
    title: str
    status: int
    detail: Annotated[str, Meta(description="One sentence with the cause, and what to do.")]
    code: Annotated[str, Meta(description="Short stable name, snake_case.", max_length=64)]
    request_id: str
    errors: Annotated[list[Fault] | UnsetType, Meta(description="Every fault that was found.")] = UNSET


class Page(Wire, frozen=True, kw_only=True):
    """Where a list stands: ask again with `cursor=next_cursor` for what follows."""

    limit: int
    returned: int
    has_more: bool
    next_cursor: str | None
