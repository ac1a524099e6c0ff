"""What the command line shows: tables and a progress bar on a terminal, plain tab-separated lines in a pipe.

Results and ids go to standard output, everything said about them to standard error.
"""

import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from blastd.cli.client import JobView
from blastd.cli.words import clean, say

__all__ = ["clean", "local_time", "number", "say", "span", "state_line", "table", "took", "watch"]
COLOURS = {
    "completed": "green",
    "ready": "green",
    "ok": "green",
    "failed": "red",
    "broken": "red",
    "fail": "red",
    "cancelled": "yellow",
    "cancelling": "yellow",
    "warn": "yellow",
    "running": "cyan",
    "queued": "blue",
}


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: aligned and coloured on a terminal, tab-separated in a pipe."""
    if not sys.stdout.isatty():
        for row in (headings, *rows):
            print("\t".join(clean(cell) for cell in row))
        return
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        grid.add_column(heading, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(clean(cell), style=COLOURS.get(cell, "")) for cell in row))
    Console().print(grid)


def number(value: int | None) -> str:
    """Return a number with separators; a dash when it is unknown."""
    return "-" if value is None else f"{value:,}"


def span(milliseconds: float | None) -> str:
    """Return a length of time for people; a dash when it is unknown."""
    if milliseconds is None:
        return "-"
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def took(job: JobView) -> str:
    """Return the time from submit to end; a dash while it runs."""
    if not job.finished_at or not job.created_at:
        return "-"
    return span((_moment(job.finished_at) - _moment(job.created_at)).total_seconds() * 1000)


def local_time(text: str) -> str:
    """Return a time of the service in this machine's time zone."""
    return _moment(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else "-"


def state_line(job: JobView) -> str:
    """Return in one line where a job stands."""
    words = [job.short_id, job.status]
    if job.phase and job.phase != job.status:
        words.append(f"({job.phase})")
    if job.progress.units_total and not job.ended and job.status != "queued":
        words.append(f"{job.progress.units_done}/{job.progress.units_total} units")
    if job.waiting_for:
        place = f", place {job.queue_position}" if job.queue_position is not None else ""
        words.append(f"waits for {job.waiting_for}{place}")
    if job.status == "completed" and job.hits is not None:
        words.append(f"{job.hits:,} hits")
    if job.stale:
        words.append(f"[not seen lately: {job.stale_reason or 'the engine is away'}]")
    if job.error:
        words.append(f"{job.error_code}: {job.error}")
    return clean(" ".join(words))


async def watch(changes: AsyncIterator[JobView]) -> JobView | None:
    """Show a job until it ends: a bar on a terminal, a line a change elsewhere. Returns it as last seen."""
    return await (_watch_bar(changes) if sys.stderr.isatty() else _watch_lines(changes))


async def _watch_lines(changes: AsyncIterator[JobView]) -> JobView | None:
    last, seen = None, ""
    async for job in changes:
        last = job
        if (line := state_line(job)) != seen:
            seen = line
            print(line, file=sys.stderr, flush=True)
    return last


async def _watch_bar(changes: AsyncIterator[JobView]) -> JobView | None:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[short_id]}", markup=False),
        BarColumn(bar_width=32),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    last = None
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = None
        async for job in changes:
            last = job
            if bar is None:
                bar = progress.add_task("", total=None, short_id=job.short_id)
            total = job.progress.units_total if job.status == "running" or job.ended else 0
            progress.update(bar, description=_phase_text(job), total=total or None, completed=job.progress.units_done)
    if last is not None:
        print(state_line(last), file=sys.stderr, flush=True)
    return last


def _phase_text(job: JobView) -> str:
    text = job.phase or job.status
    if job.status == "queued" and job.waiting_for:
        text = f"queued, waits for {job.waiting_for}"
    if job.progress.eta_seconds is not None:
        text += f", {span(job.progress.eta_seconds * 1000)} left"
    return clean(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
