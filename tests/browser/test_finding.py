"""W15, W17: searches are found again, and settings and files are taken as they come."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY

TWO = LAMBDA_QUERY.split(">")[1:]


def test_W15_jobs_are_found_by_query_id_words_in_any_order_date_database_and_owner(daemon: Daemon, page: Page) -> None:
    daemon.start().ready()
    daemon.run(">sample_17 of the lake\n" + TWO[0].split("\n", 1)[1], title="Lake samples, autumn")
    daemon.run(">other\n" + TWO[1].split("\n", 1)[1], database="noparse", title="River samples")
    page.goto(f"{daemon.url}/jobs")
    rows = page.locator(".vitem")
    expect(rows).to_have_count(2)
    today = datetime.now(UTC).strftime("%Y")
    expect(rows.first.locator(".day")).to_contain_text(today)
    expect(rows.nth(1).locator(".day")).to_be_empty()
    for words in ("sample_17", "autumn lake", "samples lake tnt"):
        page.fill("#q", words)
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("Lake samples, autumn")
    page.fill("#q", "")
    expect(rows).to_have_count(2)
    page.locator("#finer summary").click()
    page.fill("#database", "noparse")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("River samples")
    page.fill("#database", "")
    page.fill("#to", (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%d"))
    page.get_by_text("No job matches").wait_for()
    page.reload()
    page.get_by_text("No job matches").wait_for()
    page.get_by_role("button", name="show all jobs").click()
    page.fill("#from", (datetime.now(UTC) - timedelta(days=3)).strftime("%Y-%m-%d"))
    expect(rows).to_have_count(2)
    page.fill("#owner", "local")
    page.wait_for_url("**owner=local*")
    expect(rows).to_have_count(2)


def test_W17_settings_are_chosen_by_name_and_saved_by_name(daemon: Daemon, page: Page) -> None:
    daemon.start().ready()
    page.goto(f"{daemon.url}/search")
    page.locator("html[data-ready=yes]").wait_for(state="attached")
    page.fill("#query", LAMBDA_QUERY)
    page.get_by_role("button", name="Short primers").click()
    expect(page.locator("input[name=task][value=blastn-short]")).to_be_checked()
    page.get_by_role("button", name="Quick look").click()
    expect(page.locator("input[name=task][value=megablast]")).to_be_checked()
    expect(page.locator("#o-max_target_seqs")).to_have_value("50")
    page.fill("#o-evalue", "1e-7")
    page.get_by_text("Save these settings").click()
    page.fill("#preset-name", "our amplicons")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Reset to defaults").click()
    expect(page.locator("#o-evalue")).to_have_value("")
    page.reload()
    page.get_by_role("button", name="our amplicons", exact=True).click()
    expect(page.locator("#o-evalue")).to_have_value("1e-7")
    expect(page.locator("#summary")).to_contain_text("evalue 1e-7")
    page.get_by_role("button", name="Remove our amplicons").click()
    expect(page.get_by_role("button", name="our amplicons", exact=True)).to_have_count(0)


def test_several_files_are_one_query(daemon: Daemon, page: Page, tmp_path: Path) -> None:
    daemon.start().ready()
    paths = []
    for number, record in enumerate(TWO):
        path = tmp_path / f"{number}.fa"
        path.write_text(">" + record.rstrip("\n"))
        paths.append(path)
    page.goto(f"{daemon.url}/search")
    page.locator("html[data-ready=yes]").wait_for(state="attached")
    page.set_input_files("#choose", paths)
    expect(page.locator("#seen")).to_contain_text("2 sequences")
    page.locator("#databases input[value=tnt]").check()
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/jobs/*")
    assert daemon.ended(page.url.split("/jobs/")[1].split("#")[0])["query"]["count"] == 2
