"""Identifiers and their one parser each."""

import re
from typing import NewType
from uuid import UUID

from blastd.errors import NotFound

JobId = NewType("JobId", str)
"""A random UUID in its canonical lower-case text. Random, since a time-ordered one would give all jobs of a minute
the same short prefix."""
Owner = NewType("Owner", str)

SHORT_DIGITS = 12
PREFIX = re.compile(r"[0-9a-f]{8,32}")


def job_id(value: UUID) -> JobId:
    """Return the identifier of a job made from *value*."""
    return JobId(str(value))


def short_id(identifier: JobId) -> str:
    """Return the 12 hexadecimal digits that are shown for a job."""
    return identifier.replace("-", "")[:SHORT_DIGITS]


def parse_prefix(text: str) -> str:
    """Return the 8 to 32 hexadecimal digits of a full UUID, short id or prefix.

    Raises NotFound for any other text, so that a path with dots or NUL names no job.
    """
    digits = text.lower().replace("-", "")
    if len(text) > 36 or not PREFIX.fullmatch(digits):
        raise NotFound("There is no such job: an id is a UUID or its first 8 or more hexadecimal digits.")
    return digits


def prefix_range(digits: str) -> tuple[str, str]:
    """Return the lowest and highest UUID text that begin with *digits*: a range that an index serves."""
    return dashed(digits.ljust(32, "0")), dashed(digits.ljust(32, "f"))


def dashed(digits: str) -> JobId:
    """Return the id of 32 hexadecimal *digits*."""
    return JobId("-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])))
