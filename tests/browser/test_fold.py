"""W08, W13, W14: the result comes first, and what went wrong or fell short says what to do about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.daemon import Daemon
from tests.databases import LAMBDA_QUERY, make, random_dna

WIDTH, HEIGHT = 1280, 800
GENE = random_dna(900, 21)


@pytest.fixture(scope="module")
def many(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon whose database holds forty copies of one gene."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "copies.fa").write_text("".join(f">copy{n} of a gene\n{GENE[: 900 - n]}\n" for n in range(40)))
    make(folder, folder / "copies.fa", "copies", "nucl", "-parse_seqids", "-title", "copies")
    daemon = Daemon(tmp_path_factory.mktemp("fold") / "state", [databases, folder]).start()
    yield daemon
    daemon.kill()


def above(page: Page) -> int:
    """Return how many rows of the result stand whole in the window before anybody scrolls."""
    page.locator("tr.hrow").nth(20).wait_for()
    bottoms = page.locator("tr.hrow").evaluate_all("all => all.map(row => row.getBoundingClientRect().bottom)")
    return sum(bottom <= HEIGHT for bottom in bottoms)


def test_W08_fifteen_rows_stand_above_the_fold_and_the_course_is_told_with_the_methods(
    many: Daemon, page: Page
) -> None:
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    one = many.run(f">gene\n{GENE}\n", database="copies")["job_id"]
    page.goto(f"{many.url}/jobs/{one}")
    assert above(page) >= 15
    assert not page.locator("#time").count()
    assert page.locator("main .panel").evaluate_all("all => all.every(panel => panel.innerText.trim())")
    several = "".join(f">part{n}\n{GENE[n * 10 : n * 10 + 300]}\n" for n in range(40))
    page.goto(f"{many.url}/jobs/{many.run(several, database='copies')['job_id']}")
    assert above(page) >= 15
    page.get_by_role("tab", name="Methods").click()
    course = page.locator("#time")
    assert course.get_attribute("open") is None
    course.locator("summary").click()
    expect(course).to_contain_text("Searching")
    expect(course).not_to_contain_text("skipped")


def test_W13_a_failure_leads_to_the_fields_that_it_means(many: Daemon, page: Page) -> None:
    job_id = many.submit(LAMBDA_QUERY, options={"reward": 1, "penalty": -7})["job_id"]
    assert many.ended(job_id)["error_options"] == ["reward", "penalty"]
    page.goto(f"{many.url}/jobs/{job_id}")
    expect(page.locator("#actions .primary")).to_have_text("Edit and resubmit")
    page.get_by_role("alert").get_by_role("link", name="-penalty").click()
    expect(page.locator("#o-penalty")).to_be_focused()
    expect(page.locator("#o-penalty")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#o-reward-fault")).to_contain_text("Substitution scores 1 and -7 are not supported")
    page.locator("#o-penalty").fill("-3")
    expect(page.locator("#o-penalty")).not_to_have_attribute("aria-invalid", "true")


def test_W14_what_reached_the_limit_is_searched_again_with_more_in_one_click(many: Daemon, page: Page) -> None:
    job_id = many.run(f">gene\n{GENE}\n", database="copies", options={"max_target_seqs": 3})["job_id"]
    page.goto(f"{many.url}/jobs/{job_id}")
    page.locator("#notes").get_by_role("link", name="Search again with 5 subjects").click()
    expect(page.locator("#o-max_target_seqs")).to_have_value("5")
    page.go_back()
    page.get_by_role("link", name="Search again with 5,000").click()
    expect(page.locator("#o-max_target_seqs")).to_have_value("5000")
    page.get_by_role("button", name="Search", exact=True).click()
    page.wait_for_url("**/jobs/*")
    expect(page.locator("#answer")).to_contain_text("40 subjects found")


def test_W14_a_warning_says_which_task_finds_more(many: Daemon, page: Page) -> None:
    job_id = many.run(f">primer\n{GENE[100:120]}\n", database="copies")["job_id"]
    page.goto(f"{many.url}/jobs/{job_id}")
    page.get_by_role("link", name="Search again with blastn-short").click()
    expect(page.locator("input[name=task][value=blastn-short]")).to_be_checked()
