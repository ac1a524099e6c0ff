"""How soon the list of jobs shows something in a real browser, and what it weighs.

    python -m tests.benchmarks.pages [--jobs 1000] [--json FILE]

Needs chromium on PATH. Prints one line a figure; nothing here passes or fails, since times belong to a machine.
"""

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.benchmarks.figures import Figures
from tests.benchmarks.local import fill
from tests.daemon import Daemon

REPEATS = 15
PAINTED = """() => performance.getEntriesByName('first-contentful-paint').length
  && document.querySelectorAll('main [role=listitem], main tbody tr, main .vitem').length > 5"""
FIGURES = """() => {
  const paint = performance.getEntriesByName('first-contentful-paint')[0].startTime
  const all = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]
  const sum = name => all.reduce((sum, one) => sum + one[name], 0)
  return [paint, performance.now(), sum('transferSize'), sum('decodedBodySize'), all.length]
}"""


def visit(browser: Browser, url: str) -> list[float]:
    """Open the page in a browser that has never seen it: first paint and rows shown in ms, bytes, unpacked, requests."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(url)
    page.wait_for_function(PAINTED)
    figures: Any = page.evaluate(FIGURES)
    context.close()
    return [float(one) for one in figures]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    figures = Figures("pages")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        state = Path(folder) / "state"
        fill(state, given.jobs)
        daemon = Daemon(state, []).start()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        try:
            seen = [visit(browser, daemon.url + "/jobs") for _ in range(REPEATS)]
        finally:
            browser.close()
            daemon.stop()
    paint, rows, weight, unpacked, requests = zip(*seen, strict=True)
    name = f"page of {given.jobs:,} jobs, empty cache"
    figures.median(f"{name}: first contentful paint", paint, "ms", 300)
    figures.median(f"{name}: rows shown", rows, "ms")
    figures.median(f"{name}: weight", [one / 1000 for one in weight], "kB", 200)
    figures.median(f"{name}: weight, unpacked", [one / 1000 for one in unpacked], "kB")
    figures.median(f"{name}: requests", requests, "requests")
    figures.keep(given.json)


if __name__ == "__main__":
    main()
