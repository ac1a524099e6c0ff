"""W22: no page has a fault that axe-core knows of, in either theme. `axe/` holds axe-core 4.14.1 as it is, with its licence."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.daemon import Daemon, make_token
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_MS

AXE = Path(__file__).with_name("axe").joinpath("axe.min.js").read_text()
SHOWN = {
    "/search": "tnt", "/jobs": "completed", "/jobs/FAILED": "Substitution scores", "/jobs/NONE": "There is no such job", "/databases": "tnt", "/system": "local", "/watches": "our isolates",
}  # fmt: skip
"""Pages, and a text that each shows when it has its data."""
TABS = {
    "queries": "Good hit", "descriptions": "lam5", "graphic": "lam5", "alignments": "Score", "statistics": "Identity", "download": "JSON",
    "log": "exit", "methods": "blastn -query",
}  # fmt: skip


@pytest.fixture(scope="module")
def jobs(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, dict[str, str]]]:
    """A daemon with a search in each state, and their ids."""
    daemon = Daemon(tmp_path_factory.mktemp("axe") / "state", [databases], {"BLASTD_LOCAL__SLOTS": "1"}).start()
    done = daemon.run(LAMBDA_QUERY, options={"word_size": 7, "evalue": 1000})["job_id"]
    failed = daemon.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7})["job_id"]
    daemon.ended(failed)
    daemon.post("/api/blast/watches", {"job": done, "label": "our isolates"})
    yield daemon, {"DONE": done, "FAILED": failed, "NONE": "ffffffff"}
    daemon.kill()


@pytest.fixture(params=["light", "dark"])
def themed(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page in one of the themes."""
    context = browser.new_context(color_scheme=request.param, reduced_motion="reduce")
    yield context.new_page()
    context.close()


def faults(page: Page, shown: str) -> list[str]:
    """Return what axe finds once *shown* is in the page: rule, impact, and the first elements."""
    page.wait_for_function(
        "text => document.querySelector('main').innerText.includes(text)", arg=shown, timeout=PATIENCE_MS
    )
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']} ({one['impact']}) {[node['html'][:200] for node in one['nodes'][:3]]}"
        for one in found["violations"]
    ]


@pytest.mark.parametrize("path", SHOWN)
def test_W22_no_page_has_an_accessibility_fault(jobs: tuple[Daemon, dict[str, str]], themed: Page, path: str) -> None:
    daemon, ids = jobs
    themed.goto(daemon.url + "/".join(ids.get(part, part) for part in path.split("/")))
    assert not faults(themed, SHOWN[path])


def test_sequences_to_search_in_have_no_accessibility_fault(jobs: tuple[Daemon, dict[str, str]], themed: Page) -> None:
    daemon, _ = jobs
    themed.goto(f"{daemon.url}/search")
    themed.locator("html[data-ready=yes]").wait_for(state="attached")
    themed.fill("#query", LAMBDA_QUERY)
    themed.get_by_label("Search in sequences of my own instead").check()
    themed.fill("#subject", ">s1\nACGT!\n")
    assert not faults(themed, "line 2")


@pytest.mark.parametrize("tab", TABS)
def test_W22_no_tab_of_a_job_has_an_accessibility_fault(
    jobs: tuple[Daemon, dict[str, str]], themed: Page, tab: str
) -> None:
    daemon, ids = jobs
    themed.goto(f"{daemon.url}/jobs/{ids['DONE']}#{tab}")
    assert not faults(themed, TABS[tab])


def test_a_search_that_runs_has_no_accessibility_fault(jobs: tuple[Daemon, dict[str, str]], themed: Page) -> None:
    daemon, _ = jobs
    job_id = daemon.submit(SLOW_QUERY, **SLOW)["job_id"]
    themed.goto(f"{daemon.url}/jobs/{job_id}")
    assert not faults(themed, "running")
    daemon.post(f"/api/blast/jobs/{job_id}/cancel")
    daemon.ended(job_id)


def test_the_login_has_no_accessibility_fault(databases: Path, tmp_path: Path, themed: Page) -> None:
    daemon = Daemon(tmp_path / "state", [databases])
    make_token(daemon.state, "ada")
    daemon.start()
    try:
        themed.goto(f"{daemon.url}/jobs")
        themed.wait_for_url("**/login*")
        assert not faults(themed, "token")
    finally:
        daemon.kill()
