"""The search page: what it sees, what it keeps, what it says, and that the keyboard is enough."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, PROTEIN_QUERY
from tests.patience import PATIENCE_MS


@pytest.fixture(scope="module")
def shared(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path_factory.mktemp("search") / "state", [databases]).start()
    yield daemon
    daemon.kill()


def opened(page: Page, daemon: Daemon, path: str = "/search") -> Page:
    page.goto(daemon.url + path)
    page.locator("html[data-ready=yes]").wait_for(state="attached")
    return page


def test_it_says_at_once_what_was_pasted_and_offers_what_fits(shared: Daemon, page: Page) -> None:
    opened(page, shared)
    assert page.locator("#submit").get_attribute("aria-disabled") == "true"
    assert page.locator("#why").text_content() == "Paste or choose query sequences."
    page.fill("#query", PROTEIN_QUERY)
    page.locator("#seen").get_by_text("protein").first.wait_for()
    assert page.locator("#programs input:checked").get_attribute("value") == "blastp"
    fits = page.locator("#programs .card:not(.unfit) input").evaluate_all("all => all.map(one => one.value)")
    assert fits[:2] == ["blastp", "tblastn"]
    assert page.locator("#databases input").evaluate_all("all => all.map(one => one.value)") == ["taa"]
    page.fill("#query", LAMBDA_QUERY)
    page.locator("#seen").get_by_text("2 sequences").wait_for()
    page.locator("#databases").get_by_text("tnt", exact=True).wait_for()
    assert page.locator("#programs input:checked").get_attribute("value") == "blastn"


def test_faults_are_named_by_record_and_the_button_says_why(shared: Daemon, page: Page) -> None:
    opened(page, shared)
    page.fill("#query", ">good\nACGTACGTACGTACGT\n>second\nACGT!ACGT\n")
    fault = page.locator("#faults li").first
    fault.wait_for()
    assert "second" in (fault.text_content() or "") or "2" in (fault.text_content() or "")
    assert page.locator("#submit").get_attribute("aria-disabled") == "true"
    assert page.locator("#why").text_content() == fault.text_content()
    page.fill("#query", LAMBDA_QUERY)
    page.get_by_text("Choose a database.").wait_for()
    page.locator("#databases input[value=tnt]").check()
    page.get_by_text("Ready.").wait_for()
    page.fill("#query-loc", "9-3")
    page.locator("#query-loc-fault:not([hidden])").wait_for()
    assert page.locator("#submit").get_attribute("aria-disabled") == "true"


def test_options_are_checked_as_they_are_typed_and_snippets_follow(shared: Daemon, page: Page) -> None:
    opened(page, shared)
    page.fill("#query", LAMBDA_QUERY)
    page.locator("#databases input[value=tnt]").check()
    field = page.get_by_label("evalue", exact=False).first
    field.fill("many")
    page.get_by_text("The option evalue needs another value.").wait_for()
    field.fill("1e-20")
    page.get_by_text("Ready.").wait_for()
    code = page.locator("#snip-code")
    assert "-evalue 1e-20" in (code.text_content() or "")
    page.get_by_role("tab", name="curl").click()
    assert '"evalue":1e-20' in (code.text_content() or "").replace(" ", "").replace('"1e-20"', "1e-20")
    page.get_by_role("tab", name="Biopython").click()
    assert "qblast" in (code.text_content() or "")


def test_a_draft_survives_a_reload(shared: Daemon, page: Page) -> None:
    opened(page, shared)
    page.fill("#query", LAMBDA_QUERY)
    page.locator("#databases input[value=tnt]").check()
    page.get_by_label("evalue", exact=False).first.fill("1e-7")
    page.fill("#title", "kept")
    page.wait_for_timeout(700)  # it is written when the typing pauses
    page.reload()
    page.locator("html[data-ready=yes]").wait_for(state="attached")
    page.get_by_text("Ready.").wait_for()
    assert page.input_value("#query") == LAMBDA_QUERY
    assert page.input_value("#title") == "kept"
    assert page.locator("#databases input[value=tnt]").is_checked()
    assert "-evalue 1e-7" in (page.locator("#snip-code").text_content() or "")


def test_a_file_is_chosen_or_dropped(shared: Daemon, page: Page, tmp_path: Path) -> None:
    opened(page, shared)
    (tmp_path / "mine.fa").write_text(LAMBDA_QUERY)
    page.set_input_files("#choose", tmp_path / "mine.fa")
    page.locator("#file").get_by_text("mine.fa").wait_for()
    page.locator("#seen").get_by_text("2 sequences").wait_for()
    page.locator("#file button").first.click()
    data = page.evaluate_handle(
        "text => { const data = new DataTransfer(); data.items.add(new File([text], 'dropped.fa')); return data }",
        PROTEIN_QUERY,
    )
    page.dispatch_event("#drop", "drop", {"dataTransfer": data})
    page.locator("#file").get_by_text("dropped.fa").wait_for()
    page.locator("#seen").get_by_text("protein").first.wait_for()


def test_a_search_with_the_keyboard_alone(shared: Daemon, page: Page) -> None:
    opened(page, shared)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(30):
        if page.evaluate("document.activeElement.id") == "query":
            break
        page.keyboard.press("Tab")
    page.keyboard.insert_text(LAMBDA_QUERY)
    page.locator("#databases input[value=tnt]").wait_for()
    for _ in range(40):
        if page.evaluate("document.activeElement.value") == "tnt":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.get_by_text("Ready.").wait_for()
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/jobs/*")
    page.locator("#panel .hrow").first.wait_for(timeout=PATIENCE_MS)
    tab = page.get_by_role("tab", name="Descriptions")
    tab.focus()
    page.keyboard.press("ArrowRight")
    page.locator("#panel svg a").first.wait_for()
    assert page.evaluate("document.activeElement.dataset.key") == "graphic"
    page.keyboard.press("End")
    page.get_by_text("Methods text").wait_for()


def test_edit_and_resubmit(shared: Daemon, page: Page) -> None:
    options = {"evalue": 1e-5, "word_size": 16}
    old = shared.run(LAMBDA_QUERY, title="first try", options=options, query_loc="5-300")
    page.goto(f"{shared.url}/jobs/{old['job_id']}")
    page.get_by_role("link", name="Edit and resubmit").click()
    page.get_by_text("Ready.").wait_for()
    assert page.input_value("#query") == LAMBDA_QUERY
    assert page.input_value("#query-loc") == "5-300"
    assert page.locator("#databases input[value=tnt]").is_checked()
    assert "-word_size 16" in (page.locator("#snip-code").text_content() or "")
    page.get_by_label("evalue", exact=False).first.fill("1e-3")
    page.fill("#title", "second try")
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/jobs/*")
    new = shared.ended(page.url.split("/jobs/")[1].split("#")[0])
    assert new["job_id"] != old["job_id"]
    assert new["title"] == "second try"
    given = {name: float(value) for name, value in new["search"]["options"].items()}
    assert given == {"evalue": 1e-3, "word_size": 16}


def test_the_theme_is_chosen_and_kept(shared: Daemon, page: Page) -> None:
    opened(page, shared)
    page.click("#theme")
    chosen = page.evaluate("document.documentElement.dataset.theme")
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.goto(f"{shared.url}/jobs")
    assert page.evaluate("document.documentElement.dataset.theme") == chosen == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == dark


def test_sequences_of_ones_own_are_searched_in_place_of_a_database(shared: Daemon, page: Page) -> None:
    opened(page, shared)
    page.fill("#query", LAMBDA_QUERY)
    page.locator("#databases").get_by_text("tnt", exact=True).wait_for()
    page.get_by_label("Search in sequences of my own instead").check()
    page.get_by_text("Paste or choose the sequences to search in.").wait_for()
    assert page.locator("#databases").is_hidden()
    page.fill("#subject", PROTEIN_QUERY)
    page.locator("#why").get_by_text(
        "blastn searches nucleotide sequences; those to search in look like protein."
    ).wait_for()
    page.fill("#subject", ">bad\nACGT!\n")
    page.locator("#subject-faults li").first.wait_for()
    mine = ">of_my_own part of lambda\n" + LAMBDA_QUERY.split("\n", 1)[1].split(">")[0]
    page.fill("#subject", mine)
    page.get_by_text("Ready.").wait_for()
    assert "-subject subjects.fa" in (page.locator("#snip-code").text_content() or "")
    page.wait_for_timeout(400)  # the draft is kept a moment after the last key
    opened(page, shared)
    assert page.locator("#subject").input_value() == mine
    page.get_by_text("Ready.").wait_for()
    page.click("#submit")
    page.wait_for_url("**/jobs/*")
    page.get_by_text("of_my_own").first.wait_for()
    job = page.url.rsplit("/", 1)[1].split("#")[0]
    assert shared.ended(job)["status"] == "completed"
    table = shared.results(job, "tabular").decode()
    assert "of_my_own" in table
    opened(page, shared, f"/search?from={job}")
    page.get_by_text("give the sequences to search in once more").wait_for()
    assert page.locator("#own").is_checked()
    page.click("#clear")
    assert not page.locator("#own").is_checked()


def test_a_file_of_sequences_to_search_in_is_dropped_or_chosen(shared: Daemon, page: Page) -> None:
    opened(page, shared)
    page.fill("#query", LAMBDA_QUERY)
    page.get_by_label("Search in sequences of my own instead").check()
    page.set_input_files(
        "#choose-subject", {"name": "mine.fa", "mimeType": "text/plain", "buffer": LAMBDA_QUERY.encode()}
    )
    page.get_by_text("Ready.").wait_for()
    page.get_by_role("tab", name="curl").click()
    assert "subject=@mine.fa" in (page.locator("#snip-code").text_content() or "")
    page.click("#submit")
    page.wait_for_url("**/jobs/*")
    assert shared.ended(page.url.rsplit("/", 1)[1].split("#")[0])["status"] == "completed"
