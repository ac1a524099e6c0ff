"""Databases that are built once, and a service for the tests that only ask."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests import mirror
from tests.databases import build_all
from tests.mirror import Mirror, mirroring
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


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three versions of one database, as a mirror of NCBI serves them."""
    folder = tmp_path_factory.mktemp("versions")
    return [mirror.build(folder, version) for version in (1, 2, 3)]


@pytest.fixture
def source(versions: list[Path], tmp_path: Path) -> Iterator[Mirror]:
    """A mirror of the first version, in a folder that a test may change."""
    shutil.copytree(versions[0], tmp_path / "served")
    with mirroring(tmp_path / "served") as running:
        yield running
