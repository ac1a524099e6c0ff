"""Chance, injected like time: names that nobody can guess and jitter come from here, so that a schedule can be repeated.

Secrets (tokens, links) do not: they come from `secrets` where they are made.
"""

import random
import uuid
from typing import Protocol
from uuid import UUID


class Chance(Protocol):
    """What the code may ask of chance."""

    def share(self) -> float:
        """Return a number from 0 to below 1, for jitter."""

    def uuid(self) -> UUID:
        """Return a random UUID (version 4, RFC 9562)."""


class SystemChance:
    """The chance of this machine."""

    def share(self) -> float:
        """Return a number from 0 to below 1, for jitter."""
        return random.random()  # noqa: S311  # jitter, no secret

    def uuid(self) -> UUID:
        """Return a random UUID (version 4, RFC 9562)."""
        return uuid.uuid4()
