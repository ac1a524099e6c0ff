"""Values between Python and SQLite: times as whole milliseconds, the rest of a Struct as JSON."""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from blastd.clock import from_ms, to_ms

T = TypeVar("T")


def ms(moment: datetime | None) -> int | None:
    """Return milliseconds for a column, None for an unknown time."""
    return None if moment is None else to_ms(moment)


def moment(value: int | None) -> datetime | None:
    """Return the time of a column that may be unknown."""
    return None if value is None else from_ms(value)


def dump(value: object) -> str:
    """Return *value* as JSON text."""
    return msgspec.json.encode(value).decode()


def load(text: str, kind: type[T] | Any) -> Any:
    """Return JSON *text* as *kind*."""
    return msgspec.json.decode(text, type=kind)
