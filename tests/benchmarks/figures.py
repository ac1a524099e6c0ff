"""Figures of a run: what was measured, how far it spread, and its aim; printed, and kept as JSON for the table of docs/numbers.md."""

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from blastd.core.model import Frozen

KEPT = Path(__file__).with_name("figures.json")
"""The last whole run on an otherwise idle machine; the table of docs/numbers.md is made from it."""


class Figure(Frozen, frozen=True, kw_only=True):
    """A value with its unit; `of` says what it is of the measured: median, p99, or a single one.

    `low` and `high` are the least and largest measured; for a p99, `low` is the median. `limit` is the aim: below it, or
    above it where more is better.
    """

    name: str
    unit: str
    value: float
    of: str = "single"
    low: float | None = None
    high: float | None = None
    count: int = 1
    limit: float | None = None
    more_is_better: bool = False

    @property
    def met(self) -> bool | None:
        """Tell whether the aim is met; None without one."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.more_is_better else self.value <= self.limit


class Machine(Frozen, frozen=True, kw_only=True):
    """Where it was measured, and what else ran at the start."""

    cores: int
    blast: str
    python: str
    load_average: float


class Part(Frozen, frozen=True, kw_only=True):
    """The figures of one benchmark."""

    machine: Machine
    figures: tuple[Figure, ...]


def p99(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def machine() -> Machine:
    told = subprocess.run(["blastn", "-version"], capture_output=True, text=True, check=True).stdout
    return Machine(
        cores=os.cpu_count() or 1,
        blast=told.split()[1].rstrip("+"),
        python=platform.python_version(),
        load_average=round(os.getloadavg()[0], 1),
    )


class Figures:
    """Collects and prints the figures of one benchmark."""

    def __init__(self, part: str) -> None:
        self.part, self.machine = part, machine()
        self.found: list[Figure] = []
        print(
            f"{part}: {self.machine.cores} cores, BLAST+ {self.machine.blast}, load average {self.machine.load_average}"
        )

    def add(self, figure: Figure) -> None:
        self.found.append(figure)
        print(f"{figure.name:<74} {shown(figure)}", flush=True)

    def median(
        self, name: str, values: Sequence[float], unit: str, limit: float | None = None, *, more_is_better: bool = False
    ) -> None:
        """Note the median of some runs."""
        self.add(
            Figure(
                name=name,
                unit=unit,
                value=statistics.median(values),
                of="median",
                low=min(values),
                high=max(values),
                count=len(values),
                limit=limit,
                more_is_better=more_is_better,
            )
        )

    def ratio(
        self,
        name: str,
        ours: Sequence[float],
        others: Sequence[float],
        limit: float | None = None,
        *,
        more_is_better: bool = False,
    ) -> None:
        """Note the ratio of the medians of runs in turn; it spreads as the ratios of each turn do."""
        each = [one / other for one, other in zip(ours, others, strict=True)]
        self.add(
            Figure(
                name=name,
                unit="×",
                value=statistics.median(ours) / statistics.median(others),
                of="median",
                low=min(each),
                high=max(each),
                count=len(each),
                limit=limit,
                more_is_better=more_is_better,
            )
        )

    def p99(self, name: str, values: Sequence[float], unit: str, limit: float | None = None) -> None:
        """Note the 99th percentile of many."""
        self.add(
            Figure(
                name=name,
                unit=unit,
                value=p99(values),
                of="p99",
                low=statistics.median(values),
                high=max(values),
                count=len(values),
                limit=limit,
            )
        )

    def single(self, name: str, value: float, unit: str, limit: float | None = None) -> None:
        """Note what was measured once."""
        self.add(Figure(name=name, unit=unit, value=value, limit=limit))

    def keep(self, file: Path | None) -> None:
        """Put the figures into *file*, in the place of those of the same benchmark."""
        if file is None:
            return
        parts = read(file) if file.exists() else {}
        parts[self.part] = Part(machine=self.machine, figures=tuple(rounded(one) for one in self.found))
        file.write_text(json.dumps(msgspec.to_builtins(parts), indent=1, ensure_ascii=False) + "\n")


def read(file: Path) -> dict[str, Part]:
    return msgspec.json.decode(file.read_bytes(), type=dict[str, Part])


def rounded(figure: Figure) -> Figure:
    """Return the figure with the digits that mean something."""

    def cut(value: float | None) -> float | None:
        return None if value is None else float(f"{value:.4g}")

    return msgspec.structs.replace(
        figure, value=float(f"{figure.value:.4g}"), low=cut(figure.low), high=cut(figure.high)
    )


def number(value: float) -> str:
    """Return three digits at most, but whole numbers whole."""
    if value != 0 and abs(value) < 0.995:
        return f"{value:.2f}"
    if abs(value) < 9.95:
        return f"{value:.2f}".removesuffix("0").removesuffix(".0")
    return f"{value:,.0f}" if abs(value) >= 99.5 else f"{value:.1f}".removesuffix(".0")


def shown(figure: Figure) -> str:
    """Return value, unit, and how it spread."""
    value = f"{number(figure.value)} {figure.unit}"
    count = f"n {figure.count:,}"
    if figure.of == "single":
        return value
    if figure.low is None or figure.high is None:
        return f"{value} ({count})"
    low, high = number(figure.low), number(figure.high)
    if figure.of == "p99":
        return f"{value} (median {low}, longest {high}; {count})"
    return f"{value} ({low}–{high}; {count})"
