"""Whole stories in a real browser: Debian's chromium, driven by Playwright. `make browser` runs them."""

import io

import pytest
from Bio.Blast import NCBIXML
from playwright.sync_api import Page

from tests.daemon import Daemon, make_token
from tests.databases import LAMBDA_QUERY, SLOW, SLOW_QUERY

HOSTILE = '><img src=x onerror="document.title=\'owned\'"> <script>document.title="owned"</script>\n'


def test_first_search_from_the_page_to_a_download_that_biopython_reads(daemon: Daemon, page: Page) -> None:
    daemon.start()
    page.goto(f"{daemon.url}/search")
    page.fill("textarea", LAMBDA_QUERY)
    page.get_by_text("tnt", exact=True).first.click()
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/jobs/*")
    page.get_by_text("completed").first.wait_for(timeout=20_000)
    page.get_by_text("lam0").first.wait_for(timeout=10_000)
    job_id = page.url.split("/jobs/")[1].split("#")[0]
    xml = page.request.get(f"{daemon.url}/api/blast/jobs/{job_id}/results?format=xml").body()
    assert len(list(NCBIXML.parse(io.BytesIO(xml)))) == 2
    assert daemon.job(job_id)["source"] == "web"


def test_progress_and_cancel_without_a_reload(daemon: Daemon, page: Page) -> None:
    daemon.start()
    job_id = daemon.submit(SLOW_QUERY, **SLOW)["job_id"]
    page.goto(f"{daemon.url}/jobs/{job_id}")
    page.get_by_text("running").first.wait_for(timeout=20_000)
    daemon.post(f"/api/blast/jobs/{job_id}/cancel")
    page.get_by_text("cancelled").first.wait_for(timeout=20_000)


def test_a_hostile_title_is_text(daemon: Daemon, page: Page) -> None:
    daemon.start()
    query = HOSTILE + LAMBDA_QUERY.split("\n", 1)[1]
    job_id = daemon.run(query, title='<script>document.title="owned"</script>')["job_id"]
    for path in (f"/jobs/{job_id}", "/jobs"):
        page.goto(daemon.url + path)
        page.get_by_text("<script>").first.wait_for(timeout=10_000)
        assert page.title() != "owned"


def test_a_failure_shows_its_cause(daemon: Daemon, page: Page) -> None:
    daemon.start()
    job_id = daemon.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7})["job_id"]
    daemon.ended(job_id)
    page.goto(f"{daemon.url}/jobs/{job_id}")
    page.get_by_text("Substitution scores 1 and -7 are not supported").first.wait_for(timeout=10_000)


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


@pytest.mark.parametrize("width", [360, 2560])
@pytest.mark.parametrize("path", ["/search", "/jobs", "/databases", "/system"])
def test_no_page_scrolls_sideways(daemon: Daemon, page: Page, path: str, width: int) -> None:
    daemon.start()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(daemon.url + path)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
