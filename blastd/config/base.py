"""What all sections of the settings share: secrets, descriptions, units."""

from typing import Any

import msgspec

MIB = 1 << 20
GIB = 1 << 30
STORE_NAME = "blastd.sqlite"


class Secret:
    """A text that no repr, log line or error shows; only *reveal* does."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        """Take the secret; the empty text means that there is none."""
        self._text = text

    def reveal(self) -> str:
        """Return the text, for the one call that needs it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "'***'" if self._text else "''"


class SettingsSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one part."""


def about(text: str, **limits: Any) -> msgspec.Meta:
    """Return the description of a key, with its limits (ge, le, pattern)."""
    return msgspec.Meta(description=text, **limits)


Seconds = float
