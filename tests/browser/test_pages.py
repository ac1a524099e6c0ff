"""Intact stories in a real browser: Debian's chromium, driven by Playwright. `make browser` runs them."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from Bio.Blast import NCBIXML
from playwright.sync_api import Page

from tests.daemon import Daemon, make_token
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY
from tests.patience import PATIENCE_MS

HOSTILE = '><img src=x onerror="document.title=\'owned\'"> <script>document.title="owned"</script>\n'


def test_first_search_from_the_page_to_a_download_that_biopython_reads(daemon: Daemon, page: Page) -> None:
    daemon.start()
    page.goto(f"{daemon.url}/search")
    page.fill("textarea", LAMBDA_QUERY)
    page.get_by_text("tnt", exact=True).first.click()
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/jobs/*")
    page.get_by_text("completed").first.wait_for(timeout=PATIENCE_MS)
    page.get_by_text("lam0").first.wait_for(timeout=PATIENCE_MS)
    job_id = page.url.split("/jobs/")[1].split("#")[0]
    xml = page.request.get(f"{daemon.url}/api/blast/jobs/{job_id}/results?format=xml").body()
    assert len(list(NCBIXML.parse(io.BytesIO(xml)))) == 2
    assert daemon.job(job_id)["source"] == "web"


def test_progress_and_cancel_without_a_reload(daemon: Daemon, page: Page) -> None:
    daemon.start()
    job_id = daemon.submit(SLOW_QUERY, **SLOW)["job_id"]
    page.goto(f"{daemon.url}/jobs/{job_id}")
    page.get_by_text("running").first.wait_for(timeout=PATIENCE_MS)
    daemon.post(f"/api/blast/jobs/{job_id}/cancel")
    page.get_by_text("cancelled").first.wait_for(timeout=PATIENCE_MS)


def test_a_hostile_title_is_text(daemon: Daemon, page: Page) -> None:
    daemon.start()
    query = HOSTILE + LAMBDA_QUERY.split("\n", 1)[1]
    job_id = daemon.run(query, title='<script>document.title="owned"</script>')["job_id"]
    for path in (f"/jobs/{job_id}", "/jobs"):
        page.goto(daemon.url + path)
        page.get_by_text("<script>").first.wait_for(timeout=PATIENCE_MS)
        assert page.title() != "owned"


def test_a_failure_shows_its_cause(daemon: Daemon, page: Page) -> None:
    daemon.start()
    job_id = daemon.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7})["job_id"]
    daemon.ended(job_id)
    page.goto(f"{daemon.url}/jobs/{job_id}")
    page.get_by_text("Substitution scores 1 and -7 are not supported").first.wait_for(timeout=PATIENCE_MS)


def test_tokens_need_a_login(daemon: Daemon, page: Page) -> None:
    secret = make_token(daemon.state, "ada")
    daemon.start()
    page.goto(f"{daemon.url}/jobs")
    page.wait_for_url("**/login*")
    page.fill("input[type=password]", secret)
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs*")
    cookie = page.context.cookies()[0]
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"


@pytest.fixture(scope="module")
def filled(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, dict[str, str]]]:
    """A daemon with a job that has ended, and one that runs."""
    own = Daemon(tmp_path_factory.mktemp("wide") / "state", [databases], {"BLASTD_LOCAL__SLOTS": "1"}).start()
    done = own.run(LAMBDA_QUERY, options={"word_size": 7, "evalue": 1000}, title="a title " * 20)["job_id"]
    own.post("/api/blast/watches", {"job": done})
    yield own, {"DONE": done, "RUNNING": own.submit(SLOW_QUERY, **SLOW)["job_id"]}
    own.kill()


PAGES = ["/search", "/jobs", "/databases", "/watches", "/system", "/jobs/RUNNING"] + [
    f"/jobs/DONE#{tab}" for tab in ("descriptions", "graphic", "alignments", "statistics", "download", "log", "methods")
]


# 640 is a window of 1280 at 200 % zoom.
@pytest.mark.parametrize("width", [360, 640, 2560])
def test_W21_W22_no_page_scrolls_sideways(filled: tuple[Daemon, dict[str, str]], page: Page, width: int) -> None:
    daemon, ids = filled
    page.set_viewport_size({"width": width, "height": 900})
    for path in (one.replace("DONE", ids["DONE"]).replace("RUNNING", ids["RUNNING"]) for one in PAGES):
        page.goto("about:blank")
        page.goto(daemon.url + path)
        page.locator("main .panel, main .vitem").first.wait_for()
        page.wait_for_timeout(100)
        if page.locator("#time:not([open]) summary").count() and page.locator("#time").is_visible():
            page.locator("#time summary").click()
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        out = page.evaluate(
            """() => [...document.querySelectorAll('#timeline *, #actions *, .page-head *')]
              .filter(one => one.getBoundingClientRect().right > innerWidth + 1).map(one => one.textContent)"""
        )
        assert out == [], path
