"""Ids and prefixes (DESIGN.md 3.3)."""

from uuid import UUID

import pytest

from blastd.core.ids import job_id, parse_prefix, prefix_range, short_id
from blastd.errors import NotFound

VALUE = UUID("01234567-89ab-4def-8123-456789abcdef")


def test_short_form_is_twelve_hex_digits() -> None:
    assert short_id(job_id(VALUE)) == "0123456789ab"


@pytest.mark.parametrize("text", [str(VALUE), str(VALUE).upper(), VALUE.hex, "0123456789ab", "01234567", "01234567-89"])
def test_full_and_short_and_prefix_are_one(text: str) -> None:
    low, high = prefix_range(parse_prefix(text))
    assert low <= str(VALUE) <= high


@pytest.mark.parametrize(
    "text", ["", "0123456", "xyz", "../../etc", "%2e%2e", "0123456\0", "01234567'; --", "0" * 40, "jobs"]
)
def test_other_text_names_no_job(text: str) -> None:
    with pytest.raises(NotFound):
        parse_prefix(text)
