"""The list of jobs and the page of one job: what can be done there, and what is seen while it runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests import mirror
from tests.daemon import Daemon
from tests.databases import DB, LAMBDA_QUERY, SLOW, SLOW_QUERY, make, random_dna
from tests.patience import PATIENCE_MS

WIDE = {"word_size": 7, "evalue": 1000}


@pytest.fixture(scope="module")
def shared(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Daemon, str]]:
    """A daemon, and a search with many hits in it."""
    daemon = Daemon(tmp_path_factory.mktemp("jobs") / "state", [databases], {"BLASTD_LOCAL__SLOTS": "1"}).start()
    yield daemon, daemon.run(LAMBDA_QUERY, options=WIDE | {"lcase_masking": True}, title="many hits")["job_id"]
    daemon.kill()


def fasta(text: str) -> list[tuple[str, str]]:
    records = [record.split("\n", 1) for record in text.split(">")[1:]]
    return [(title, letters.replace("\n", "")) for title, letters in records]


def test_several_jobs_are_chosen_cancelled_retried_and_deleted_at_once(daemon: Daemon, page: Page) -> None:
    daemon.start()
    ids = [daemon.submit(SLOW_QUERY, **SLOW, title=f"slow {number}")["job_id"] for number in range(4)]
    page.goto(f"{daemon.url}/jobs")
    page.locator(".vitem").nth(3).wait_for()
    page.get_by_label("Select slow 3").check()
    page.get_by_label("Select slow 1").click(modifiers=["Shift"])
    bulk = page.locator("#bulk")
    assert bulk.locator("#bulk-count").text_content() == "3 selected"
    assert bulk.get_by_role("button", name="Delete").is_disabled()
    bulk.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel the search").click()
    for number in (1, 2, 3):
        row = page.locator(".vitem", has_text=f"slow {number}")
        row.get_by_text("cancelled", exact=True).wait_for(timeout=PATIENCE_MS)
    assert daemon.job(ids[0])["status"] == "running"
    assert page.locator("#chips button[data-name=cancelled] .n").text_content() == "3"
    if not bulk.is_visible():
        for number in (1, 2, 3):
            page.get_by_label(f"Select slow {number}").check()
    page.get_by_label("Select slow 1").uncheck()
    bulk.get_by_role("button", name="Retry").click()
    page.locator(".vitem", has_text="slow 2").get_by_text("attempt 2").wait_for()
    assert daemon.job(ids[2])["status"] == "queued"
    page.get_by_role("button", name="Clear selection").or_(page.locator("#total")).first.click()
    page.get_by_label("Select slow 1").check()
    bulk.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.get_by_label("Select slow 1").wait_for(state="detached")
    assert daemon.get(f"/api/blast/jobs/{ids[1]}").status == 410
    page.locator("#chips button[data-name=running]").click()
    page.get_by_label("Select slow 2").wait_for(state="detached")
    page.get_by_label("Select slow 0").wait_for()  # the list is empty for a moment
    assert page.locator(".vitem").count() == 1
    page.reload()
    page.get_by_label("Select slow 0").wait_for()
    assert page.locator(".vitem").count() == 1, "the filter is in the address"


def test_a_row_has_a_menu_for_the_keyboard(shared: tuple[Daemon, str], page: Page) -> None:
    daemon, _ = shared
    page.goto(f"{daemon.url}/jobs")
    button = page.get_by_label("Actions for many hits")
    button.focus()
    page.keyboard.press("Enter")
    page.get_by_role("menuitem", name="Open").wait_for()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "Edit and resubmit"
    page.keyboard.press("Escape")
    assert page.get_by_role("menu").count() == 0
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Actions for many hits"


def test_W11_what_waits_and_runs_is_live_with_reason_place_and_progress(daemon: Daemon, page: Page) -> None:
    daemon.start()
    page.goto(f"{daemon.url}/jobs")
    page.get_by_text("No searches yet").wait_for()
    first = daemon.submit(SLOW_QUERY, **SLOW, title="the first")["job_id"]
    daemon.submit(SLOW_QUERY, **SLOW, title="the second")
    row = page.locator(".vitem", has_text="the first")
    row.get_by_text("running", exact=True).wait_for()
    page.locator(".vitem", has_text="the second").get_by_text("Waiting for a free slot, position 1").wait_for()
    row.get_by_text("units").wait_for(timeout=PATIENCE_MS)
    assert row.locator("progress").get_attribute("value") is None, "nothing is known before the first unit is done"
    daemon.post(f"/api/blast/jobs/{first}/cancel")
    row.get_by_text("cancelled", exact=True).wait_for(timeout=PATIENCE_MS)


def test_what_is_not_confirmed_says_since_when(shared: tuple[Daemon, str], page: Page) -> None:
    daemon, job_id = shared
    since = "2024-02-03T04:05:06.000Z"

    def stale(route: Route) -> None:
        answer = route.fetch()
        found: Any = answer.json()
        for row in found.get("jobs", [found]):
            row |= {"status": "running", "phase": "running", "finished_at": None, "stale": True}
            row |= {"stale_since": since, "stale_reason": "The cluster does not answer."}
        route.fulfill(response=answer, body=json.dumps(found))

    page.route("**/api/blast/jobs?*", stale)
    page.route(f"**/api/blast/jobs/{job_id}", stale)
    page.goto(f"{daemon.url}/jobs")
    page.locator(".vitem").get_by_text("Not confirmed since").get_by_text("The cluster does not answer.").or_(
        page.get_by_text("Not confirmed since Feb 3, 2024: The cluster does not answer.")
    ).or_(page.locator(".vitem .stale", has_text="The cluster does not answer.")).first.wait_for()
    page.goto(f"{daemon.url}/jobs/{job_id}")
    note = page.locator("#notes .warn", has_text="Not confirmed since")
    note.wait_for()
    assert "2024" in (note.text_content() or "")
    assert "The cluster does not answer." in (note.text_content() or "")


def test_results_are_seen_while_the_search_runs(daemon: Daemon, tmp_path: Path, page: Page) -> None:
    folder = tmp_path / "some"
    folder.mkdir()
    (folder / "some.fa").write_text(
        "".join(f">r{number}\n{random_dna(20_000, 5000 + number)}\n" for number in range(2))
    )
    make(folder, folder / "some.fa", "some", "nucl", "-parse_seqids")
    daemon.db_dirs.append(folder)
    daemon.start()
    rest = "".join(SLOW_QUERY.replace(">", f">{name}") for name in "abcde")
    query = f">known\n{random_dna(20_000, 5000)}\n{rest}"
    job_id = daemon.submit(query, **SLOW | {"database": "some"})["job_id"]
    page.goto(f"{daemon.url}/jobs/{job_id}#descriptions")
    page.locator("#panel .hrow", has_text="r0").wait_for(timeout=PATIENCE_MS)
    assert daemon.job(job_id)["status"] == "running"
    assert "so far" in (page.locator("#panel").text_content() or "")
    page.locator("#queries .vitem", has_text="known").wait_for()
    page.get_by_role("tab", name="Statistics").click()
    page.locator("#panel figure").first.wait_for()
    page.get_by_role("tab", name="Download").click()
    page.get_by_text("The search is still running").wait_for()
    told = page.locator("#queries p[role=status]")
    expect(told).not_to_have_text(told.text_content() or "", timeout=PATIENCE_MS)
    assert not page.locator(".toast.bad").count()
    partial = daemon.get(f"/api/blast/jobs/{job_id}/hits?partial=true&limit=1").json
    assert partial["complete"] is False
    assert partial["hits"][0]["query_id"] == "known"
    assert daemon.get(f"/api/blast/jobs/{job_id}/hits").status == 409
    daemon.post(f"/api/blast/jobs/{job_id}/cancel")
    page.get_by_text("cancelled").first.wait_for(timeout=PATIENCE_MS)
    daemon.ended(job_id)
    page.get_by_role("tab", name="Descriptions").click()
    page.locator("#panel .hrow", has_text="r0").wait_for()


def test_the_table_is_sorted_filtered_and_chosen_from(shared: tuple[Daemon, str], page: Page) -> None:
    daemon, job_id = shared
    page.goto(f"{daemon.url}/jobs/{job_id}#descriptions")
    rows = page.locator("#panel .hrow")
    rows.nth(5).wait_for()
    head = page.locator(".hhead [data-key=identity] button")
    head.click()
    page.locator(".hhead [data-key=identity][aria-sort]").wait_for()
    page.wait_for_timeout(300)
    order = page.locator(".hhead [data-key=identity]").get_attribute("aria-sort")
    values = rows.locator("[data-key=identity]").all_text_contents()
    shown = [float(value.split()[0]) for value in values]
    assert shown == sorted(shown, reverse=order == "descending")
    page.fill("#d-q", "lam0")
    page.get_by_text("1 subject match these filters").or_(page.get_by_text("match these filters")).wait_for()
    rows.get_by_text("lam0").first.wait_for()
    page.fill("#d-q", "")
    rows.nth(5).wait_for()
    wanted = [rows.nth(number).locator("input") for number in (0, 2)]
    for one in wanted:
        one.check()
    names = [(one.get_attribute("aria-label") or "").removeprefix("Select ") for one in wanted]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download FASTA (2)").click()
    got = {title.split()[0]: letters for title, letters in fasta(Path(download.value.path()).read_text())}
    assert set(got) == set(names)
    known = {title.split()[0]: letters for title, letters in fasta((DB / "nt.fa").read_text())}
    assert all(letters == known[name] for name, letters in got.items())


def test_W01_W09_the_table_is_a_real_one_and_the_address_is_the_view(shared: tuple[Daemon, str], page: Page) -> None:
    daemon, job_id = shared
    page.goto(f"{daemon.url}/jobs/{job_id}#descriptions")
    rows = page.locator("#panel table.hits tbody tr.hrow")
    rows.nth(5).wait_for()
    assert not page.locator("#time").count(), "the result comes first"
    found = daemon.get(f"/api/blast/jobs/{job_id}/hits?group=subject&query=1&limit=1000").json
    assert rows.count() == min(found["total"], 500), "find, copy and print reach every row of the page"
    first = rows.first.locator("button.open")
    first.click()
    text = page.locator("tr.opened pre").first.text_content() or ""
    assert text in daemon.results(job_id, "pairwise").decode()
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Accession").check()
    page.locator("th[data-key=accession]").wait_for()
    page.reload()
    page.locator("th[data-key=accession]").wait_for()
    page.get_by_role("tab", name="Methods").click()
    page.get_by_role("tab", name="Download").click()
    page.go_back()
    page.get_by_text("Methods text").first.wait_for()
    assert page.url.endswith("#methods/1")
    page.go_back()
    rows.nth(5).wait_for()


def test_W07_bins_of_a_histogram_have_no_gaps(shared: tuple[Daemon, str], page: Page) -> None:
    daemon, job_id = shared
    page.goto(f"{daemon.url}/jobs/{job_id}#statistics")
    figure = page.locator("#panel figure", has_text="Identity").last
    figure.locator("rect").first.wait_for()
    bins = daemon.get(f"/api/blast/jobs/{job_id}/statistics?query=1").json["identity_histogram"]
    lows = [column["from"] for column in bins if column["count"]]
    places = figure.locator("rect.bar").evaluate_all("bars => bars.map(bar => +bar.getAttribute(`x`))")
    assert len(places) == len(lows), "one bar for each bin that holds something"
    scale = {(place - places[0]) / (low - lows[0]) for place, low in zip(places[1:], lows[1:], strict=True)}
    assert max(scale) - min(scale) < 0.01, "as far apart as their values are"


def test_graphic_alignments_and_plots_are_drawn(shared: tuple[Daemon, str], page: Page) -> None:
    daemon, job_id = shared
    page.goto(f"{daemon.url}/jobs/{job_id}#graphic")
    bars = page.locator("#panel svg a")
    bars.nth(3).wait_for()
    assert page.locator("#panel .key .swatch").count() == 5
    bars.first.click()
    page.locator("#panel article").first.wait_for()
    text = page.locator("#panel pre").first.text_content() or ""
    assert text in daemon.results(job_id, "pairwise").decode(), "as BLAST+ wrote it"
    query, marks, subject = text.split("\n\n")[1].splitlines()[:3]
    assert (query[:5], subject[:5]) == ("Query", "Sbjct")
    assert marks.count("|") > 20
    page.get_by_role("button", name="Show all alignments").click()
    page.locator("#panel .hsp").nth(60).wait_for()
    page.get_by_role("tab", name="Statistics").click()
    for title in ("Identity and length of the alignments", "E-values", "Query coverage"):
        page.locator("#panel figure", has_text=title).locator("rect, circle").nth(1).wait_for()
    page.get_by_role("tab", name="Methods").click()
    page.locator("#time summary").click()
    steps = page.locator("#timeline")
    assert "Searching" in (steps.text_content() or "")
    assert "skipped" not in (steps.text_content() or "")
    assert steps.locator(".fill").count() >= 1


def test_methods_and_citation_can_be_copied(shared: tuple[Daemon, str], browser: Browser) -> None:
    daemon, job_id = shared
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(f"{daemon.url}/jobs/{job_id}#methods")
    row = daemon.job(job_id)
    for title, parts in (
        ("Methods text", ["blastn", row["blast_version"], row["databases"][0]["fingerprint"][:16], "-evalue 1000",
                          "-lcase_masking", job_id]),
        ("Citation", ["Camacho", "BMC Bioinformatics", "doi:10.1186/1471-2105-10-421"]),
        ("Command line", ["blastn -query", "-db tnt", "-word_size 7"]),
    ):  # fmt: skip
        page.get_by_label(f"Copy: {title}").click()
        text = page.evaluate("navigator.clipboard.readText()")
        assert [part for part in parts if part not in text] == [], text
    assert "-lcase_masking true" not in page.evaluate("document.body.textContent")
    context.close()


def test_a_database_is_made_from_a_file_and_a_broken_one_says_why(
    databases: Path, tmp_path: Path, daemon: Daemon, page: Page
) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in databases.glob("tnt4.n*"):
        (broken / file.name.replace("tnt4", "cut")).write_bytes(file.read_bytes()[:200])
    daemon.db_dirs.append(broken)
    daemon.start()
    page.goto(f"{daemon.url}/databases")
    card = page.locator(".db", has=page.get_by_role("heading", name="cut"))
    card.get_by_text("broken").first.wait_for()
    assert card.locator(".note.bad").text_content()
    page.set_input_files("#file", DB / "nt.fa")
    page.locator("#file-seen").get_by_text("nucleotide").wait_for()
    page.fill("#name", "made_here")
    page.get_by_role("button", name="Make database").click()
    page.get_by_text("made_here is ready").first.wait_for(timeout=PATIENCE_MS)
    page.locator(".db", has_text="made_here").get_by_role("link", name="Search it").click()
    page.locator("#databases input[value=made_here]").wait_for()
    assert daemon.run(LAMBDA_QUERY, database="made_here")["hits"] > 0


def test_the_system_page_tells_of_queue_slots_disk_and_versions(shared: tuple[Daemon, str], page: Page) -> None:
    daemon, _ = shared
    page.goto(f"{daemon.url}/system")
    version = daemon.get("/api/version").json
    for text in ("local", version["version"], version["blast_version"]):
        page.locator("main").get_by_text(text).first.wait_for()
    words = (page.locator("main").text_content() or "").lower()
    assert [word for word in ("slot", "disk", "waiting", "free") if word not in words] == []


def test_W19_a_database_is_fetched_updated_renamed_and_removed(tmp_path: Path, daemon: Daemon, page: Page) -> None:
    first, second = (mirror.build(tmp_path, version) for version in (1, 2))
    with mirror.mirroring(first) as source:
        daemon.environ["BLASTD_DATABASES__SOURCES"] = json.dumps(
            [{"name": "ncbi", "layout": "ncbi", "url": source.url}]
        )
        daemon.start()
        page.goto(f"{daemon.url}/databases")
        page.get_by_text("Fetch a database from a source").click()
        page.get_by_role("button", name="Fetch mini").click()
        page.get_by_role("button", name="Fetch", exact=True).click()
        card = page.locator(".db", has=page.get_by_role("heading", name="mini"))
        card.get_by_text("from ncbi, 2026-01-01").wait_for()
        source.folder = second
        page.get_by_role("button", name="Ask again").click()
        page.locator(".offers").get_by_role("button", name="Update mini").click()
        card.get_by_text("from ncbi, 2026-01-02").wait_for()
        card.get_by_role("button", name="Rename mini").click()
        page.get_by_label("New name").fill("ours")
        page.get_by_role("button", name="Rename", exact=True).click()
        card = page.locator(".db", has=page.get_by_role("heading", name="ours"))
        card.get_by_role("button", name="Remove ours").click()
        page.get_by_text("It serves 0 searches in work").wait_for()
        page.get_by_role("button", name="Remove", exact=True).click()
        card.wait_for(state="detached")
        assert daemon.get("/api/blast/databases/ours").status == 404
