"""Databases that are built once, and a service for the tests that only ask."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.databases import build_all
from tests.service import Service, serving


@pytest.fixture(scope="session")
def database_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The databases of tests/data, built with makeblastdb."""
    folder = tmp_path_factory.mktemp("db")
    build_all(folder)
    return folder


@pytest_asyncio.fixture
async def service(database_folder: Path, tmp_path: Path) -> AsyncIterator[Service]:
    """A service of this test alone."""
    async with serving(tmp_path / "state", [database_folder]) as running:
        yield running
