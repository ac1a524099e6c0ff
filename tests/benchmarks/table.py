"""Writes the table of figures in docs/numbers.md from a run's JSON: `python -m tests.benchmarks.table [FILE]`.

Without FILE from the kept run (tests/benchmarks/figures.json); with it, FILE's parts take the place of the kept ones.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tests.acceptance_table import ROOT, with_table
from tests.benchmarks.figures import KEPT, Figure, Part, number, read, shown

NUMBERS = ROOT / "docs" / "numbers.md"
BEGIN = "<!-- begin of the figures that `make bench` writes -->\n"
END = "<!-- end of the figures -->\n"
TITLES = {
    "local": "`make bench`, beside bare BLAST+ and blastweb 0.1.6, another BLAST service (from PyPI)",
    "load": "`make load`, a crowd on one daemon",
    "pages": "`make bench`, the list of jobs in Chromium",
    "cluster": "`make bench-cluster`, beside `kubectl`; API server, kubelet, pods and storage emulator on the same cores",
}


def aim(figure: Figure) -> str:
    if figure.limit is None:
        return ""
    text = f"{'≥' if figure.more_is_better else '≤'} {number(figure.limit)} {figure.unit}"
    return text if figure.met else f"{text}: **missed**"


def table(parts: Mapping[str, Part]) -> str:
    """Return a table for each part, each with what it was measured on."""
    text = ""
    for name in sorted(parts, key=list(TITLES).index):
        machine, figures = parts[name].machine, parts[name].figures
        text += f"\n{TITLES[name]} ({machine.cores} cores, BLAST+ {machine.blast}, Python {machine.python}, "
        text += f"load average at the start {machine.load_average:g}):\n\n"
        text += "| what | measured | aim |\n|---|---|---|\n"
        text += "".join(f"| {figure.name} | {describe(figure)} | {aim(figure)} |\n" for figure in figures)
    return text + "\n"


def describe(figure: Figure) -> str:
    return f"p99 {shown(figure)}" if figure.of == "p99" else shown(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="*", type=Path)
    given = parser.parse_args()
    parts = read(KEPT)
    for file in given.file:
        parts |= read(file)
    KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(parts), indent=1) + b"\n")
    NUMBERS.write_text(with_table(NUMBERS.read_text(), table(parts), BEGIN, END))


if __name__ == "__main__":
    main()
