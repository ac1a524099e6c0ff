"""X07: a search is watched from its page, and the page of watches tells what its runs found."""

import random
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.daemon import Daemon
from tests.growing import build, families, fasta_of, mutated
from tests.patience import until

PROTEINS = families(random.Random(7), "prot", 3, 6, 140)


def test_X07_a_search_is_watched_and_its_changes_are_shown_by_query(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "db"
    build(folder, "grown", PROTEINS, "prot")
    daemon = Daemon(tmp_path / "state", [folder], {"BLASTD_LOCAL__SLOTS": "1"}).start().ready()
    try:
        query = fasta_of({"mine": PROTEINS["f0m0"]})
        job_id = daemon.run(query, program="blastp", database="grown", title="our enzyme")["job_id"]
        page.goto(f"{daemon.url}/jobs/{job_id}")
        page.get_by_role("button", name="Watch").click()
        dialog = page.get_by_role("dialog")
        expect(dialog.get_by_label("What it is called")).to_have_value("our enzyme")
        dialog.get_by_role("button", name="Watch").click()
        expect(dialog).to_be_hidden()
        build(folder, "grown", PROTEINS | {"fresh": mutated(random.Random(8), PROTEINS["f0m0"], 0.05, "prot")}, "prot")
        daemon.post("/api/blast/databases/rescan")

        def compared() -> bool:
            watch = daemon.get("/api/blast/watches").json["watches"][0]
            return watch["before_job_id"] is not None

        until(compared)
        page.get_by_role("link", name="Watches").click()
        expect(page.get_by_role("heading", name="our enzyme")).to_be_visible()
        expect(page.get_by_text("1 new")).to_be_visible()
        page.get_by_role("button", name="Show what changed in run 2").click()
        expect(page.get_by_role("cell", name="fresh").first).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Resume")).to_be_visible()
        page.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_text("Nothing is watched yet")).to_be_visible()
    finally:
        daemon.kill()
