"""What all tests share."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

# A busy machine makes single examples slow; what they say stays the same.
settings.register_profile("blastd", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("blastd")


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Take back what a test did to the log: a command run in this process writes to a stream that closes with its test."""
    handlers = logging.root.handlers[:]
    yield
    structlog.reset_defaults()
    logging.root.handlers[:] = handlers
