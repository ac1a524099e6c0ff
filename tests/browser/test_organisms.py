"""The organism picker of the search page, by the keyboard alone, and what it leaves in the search."""

from pathlib import Path

from playwright.sync_api import Page

from tests.browser.test_accessibility import AXE
from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY
from tests.patience import until
from tests.taxonomy import write_dump


def test_W18_organisms_are_found_chosen_and_left_out_by_the_keyboard(
    daemon: Daemon, page: Page, tmp_path: Path
) -> None:
    daemon.environ["BLASTD_DATABASES__TAXONOMY_DIR"] = str(write_dump(tmp_path / "dump"))
    daemon.start().ready()
    page.goto(daemon.url + "/search")
    page.locator("html[data-ready=yes]").wait_for(state="attached")
    page.fill("#query", LAMBDA_QUERY)
    assert page.locator("#organism-box").is_hidden()
    page.locator("#databases input[value=tnt]").check()
    field = page.get_by_role("combobox", name="Only these organisms")
    field.focus()
    field.press_sequentially("phage l")
    options = page.get_by_role("option")
    options.first.wait_for()
    assert "Escherichia phage Lambda" in (options.first.text_content() or "")
    assert field.get_attribute("aria-expanded") == "true"
    assert field.get_attribute("aria-activedescendant") == options.first.get_attribute("id")
    field.press("Enter")
    page.locator("#organisms .chosen").get_by_text("Escherichia phage Lambda (taxid:10710)").wait_for()
    without = page.get_by_role("combobox", name="But not these")
    without.focus()
    without.press_sequentially("homo")
    page.get_by_text("The databases hold no organism that is called so.").wait_for()
    without.fill("coli")
    options.first.wait_for()
    without.press("ArrowDown")
    without.press("Enter")
    page.locator("#exclude-organisms .chosen li").first.wait_for()
    without.press("Backspace")
    page.locator("#exclude-organisms .chosen li").first.wait_for(state="detached")
    assert "only Escherichia phage Lambda" in (page.locator("#snip-code").text_content() or "")
    page.evaluate(AXE)
    found = page.evaluate("axe.run('#organism-box').then(found => found.violations.map(one => one.id))")
    assert found == []
    page.reload()
    page.locator("#organisms .chosen").get_by_text("Escherichia phage Lambda").wait_for()
    page.locator("#submit").click()
    page.wait_for_url("**/jobs/**")
    (job,) = daemon.get("/api/blast/jobs").json["jobs"]
    assert [each["taxid"] for each in job["organisms"]] == [10710]
    page.goto(f"{daemon.url}/search?from={job['job_id']}")
    page.locator("#organisms .chosen").get_by_text("Escherichia phage Lambda").wait_for()


def test_the_taxa_of_a_result_are_a_table_and_a_tree_and_hits_name_their_organism(
    daemon: Daemon, page: Page, tmp_path: Path
) -> None:
    daemon.environ["BLASTD_DATABASES__TAXONOMY_DIR"] = str(write_dump(tmp_path / "dump"))
    daemon.start().ready()
    until(lambda: daemon.get("/api/blast/taxonomy").json["state"] == "ready")
    job = daemon.run(LAMBDA_QUERY)["job_id"]
    rows = daemon.get(f"/api/blast/jobs/{job}/queries").json["queries"]
    names = {one["name"] for row in rows if row["best"] for one in row["best"]["organisms"]}
    assert "Escherichia phage Lambda" in names
    page.goto(f"{daemon.url}/jobs/{job}")
    page.locator(".qtable i.organism", has_text="Escherichia phage Lambda").first.wait_for()
    page.get_by_role("tab", name="Taxa").click()
    page.locator("table.taxa tbody tr", has_text="Escherichia phage Lambda").first.wait_for()
    page.get_by_label("Show").select_option("lineage")
    page.locator("table.taxa tbody tr", has_text="Viruses").first.wait_for()
    assert page.url.endswith("#taxa/1?by=lineage")
    page.evaluate(AXE)
    assert page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"] == []
    page.get_by_role("tab", name="Descriptions").click()
    page.locator("th[data-key=organism]").wait_for()
