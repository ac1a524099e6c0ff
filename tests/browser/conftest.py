"""The databases and the browser of all tests in a browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.daemon import Daemon
from tests.databases import build_all
from tests.patience import PATIENCE_MS

expect.set_options(timeout=PATIENCE_MS)  # what is expected on a busy machine comes, late


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("db")
    build_all(folder)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path is not None, "chromium is not installed; 'make browser' installs it"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def daemon(databases: Path, tmp_path: Path) -> Iterator[Daemon]:
    own = Daemon(tmp_path / "state", [databases], {"BLASTD_LOCAL__SLOTS": "1"})
    yield own
    if own.process is not None and own.process.poll() is None:
        own.kill()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose scripts must not fail."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE_MS)
    opened = context.new_page()
    failures: list[str] = []
    opened.on("pageerror", lambda error: failures.append(str(error)))
    yield opened
    context.close()
    assert not failures
