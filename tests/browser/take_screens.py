"""Takes the pictures of README.md anew from the demonstration database: `python -m tests.browser.take_screens`."""

import gzip
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.daemon import Daemon
from tests.databases import make

SCREENS = Path(__file__).with_name("screens")
DEMO = Path(__file__).parents[2] / "config" / "demo"


def take(page: Page, daemon: Daemon) -> None:
    """Take one picture of the search page, filled in, and one of a completed search."""
    query = (DEMO / "query.fa").read_text()
    page.goto(f"{daemon.url}/search")
    page.fill("textarea", query)
    page.locator("input[value='16S_demo']").check()  # the only database is chosen already
    page.get_by_text("No faults found").wait_for()
    page.evaluate("scrollTo(0, 0); document.activeElement.blur(); document.querySelector('textarea').scrollTo(0, 0)")
    page.screenshot(path=SCREENS / "search.png")
    job_id = daemon.run(query, "blastn", "16S_demo", title="first search")["job_id"]
    page.goto(f"{daemon.url}/jobs/{job_id}")
    page.locator("#panel .hrow").nth(10).wait_for()
    page.screenshot(path=SCREENS / "job.png")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        db = Path(folder) / "db"
        db.mkdir()
        (db / "16S_demo.fa").write_bytes(gzip.decompress((DEMO / "16S_demo.fa.gz").read_bytes()))
        make(db, db / "16S_demo.fa", "16S_demo", "nucl", "-parse_seqids", "-title", "16S rRNA genes (demonstration)")
        daemon = Daemon(Path(folder) / "state", [db]).start()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        take(browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light").new_page(), daemon)
        browser.close()
        daemon.stop()


if __name__ == "__main__":
    main()
