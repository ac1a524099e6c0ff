"""W02, W09, W23: the answer of a search of several queries: its sentence, what its numbers lead to, and the way back."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from playwright.sync_api import Page, expect

from tests.daemon import Daemon
from tests.databases import make, random_dna
from tests.integration.test_query_tables import OTHER, QUERIES, WHOLE


@pytest.fixture
def job(daemon: Daemon, databases: Path) -> str:
    fasta = databases / "own.fa"
    fasta.write_text(f">whole 1-2 Kocuria rosea\n{WHOLE}\n>other <b>&amp;\n{OTHER}\n")
    make(databases, fasta, "own", "nucl", "-parse_seqids", "-title", "own")
    daemon.start()
    query = "".join(f">{name} title of {name}\n{letters}\n" for name, letters in QUERIES.items())
    query += "".join(f">more{n}\n{random_dna(200, 50 + n)}\n" for n in range(20))
    row = daemon.run(query, database="own")
    assert row["status"] == "completed", row
    return str(row["job_id"])


def test_W02_W09_W23_numbers_of_the_sentence_filter_and_the_view_is_in_the_address(
    daemon: Daemon, job: str, page: Page
) -> None:
    page.goto(f"{daemon.url}/jobs/{job}")
    expect(page.locator("#answer")).to_contain_text("3 of 26 queries have a good hit")
    rows = page.locator(".qtable tbody tr")
    expect(rows).to_have_count(26)
    assert rows.nth(11).bounding_box()["y"] < 900  # type: ignore[index]

    page.locator("#answer a.none").click()
    expect(rows).to_have_count(21)
    assert page.url.endswith("#queries?verdict=none")
    page.get_by_role("button", name="Letters").click()
    expect(rows.first).to_contain_text("alien")
    page.go_back()
    page.go_back()
    expect(rows).to_have_count(26)
    page.go_forward()
    expect(rows).to_have_count(21)
    page.reload()
    expect(rows).to_have_count(21)

    page.get_by_role("link", name="with the more sensitive task blastn").click()
    expect(page.locator("#seen")).to_contain_text("21 sequences")
    expect(page.locator("input[name=task][value=blastn]")).to_be_checked()
    page.go_back()

    page.get_by_text("What is good?").click()
    page.get_by_label("Identity at least").fill("90")
    page.get_by_label("over at least").fill("40")
    page.get_by_role("button", name="Use").click()
    expect(page.locator("#answer")).to_contain_text("5 of 26 queries have a good hit (≥ 90 % identity over ≥ 40 %")
    page.get_by_role("button", name="All 26").click()
    page.get_by_role("button", name="MARCH1").click()
    expect(page.locator("table.hits:not(.qtable) tbody tr")).to_have_count(1)
    assert "#descriptions/1" in page.url


def test_W04_W06_matches_are_mapped_to_scale_and_the_picture_is_saved_with_its_caption(
    daemon: Daemon, job: str, page: Page
) -> None:
    page.goto(f"{daemon.url}/jobs/{job}#descriptions/4")
    page.locator("button.open").first.click()
    bands = page.locator(".maps polygon.band")
    expect(bands).to_have_count(2)
    first = [float(place) for place in (bands.last.get_attribute("points") or "").replace(",", " ").split()]
    hsps = daemon.get(f"/api/blast/jobs/{job}/hits?query=4&rank=1").json["hits"]
    at = 90 + (hsps[0]["query_start"] - 1) / (960 - 1) * (888 - 90)
    assert abs(first[0] - at) < 0.01
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the figure as SVG").first.click()
    picture = ET.parse(saved.value.path()).getroot()
    assert saved.value.suggested_filename.endswith("-other-map.svg")
    words = " ".join("".join(text.itertext()) for text in picture.iter("{http://www.w3.org/2000/svg}text"))
    assert "2 matches between interrupted (960 letters) and other (900 letters)" in words
    assert "against own" in words and "blastd" in words
    assert {band.get("fill") for band in picture.iter("{http://www.w3.org/2000/svg}polygon")} == {"rgb(10, 99, 88)"}
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the figure as PNG").first.click()
    assert saved.value.path().read_bytes().startswith(b"\x89PNG")
