"""The papers: links lead somewhere, README stays short, no page is forgotten."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "config").rglob("*.md")]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
README_BYTES = 10_000
"""A first visit reads this much; the rest belongs into docs/."""


def test_every_link_to_a_file_leads_there() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text("utf-8"))
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_the_readme_is_short_and_names_every_page() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.encode()) <= README_BYTES
    pages = " ".join(page.read_text("utf-8") for page in PAGES)
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"{page.name})" not in pages] == []
