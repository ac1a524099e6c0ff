"""What the command line says of one search: where it stands, a progress bar on a terminal, a line a change elsewhere.

Results and ids go to standard output, everything said about them to standard error. Tables are in `listing`.
"""

import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from blastd.cli.answers import JobView
from blastd.cli.following import Away
from blastd.cli.words import clean, say
from blastd.clock import SystemClock

AWAY_LINE_SECONDS = 10.0
"""After which a second line says that the service is still away; the next ones come at growing distances."""
__all__ = ["age", "clean", "local_minute", "local_time", "number", "say", "span", "state_line", "took", "watch"]


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


def local_minute(text: str | None) -> str:
    """Return a time of the service in this machine's time zone, to the minute."""
    return _moment(text).astimezone().strftime("%Y-%m-%d %H:%M") if text else "-"


def age(text: str | None) -> str:
    """Return how long ago a time of the service is, in a few letters."""
    if not text:
        return "-"
    seconds = max(0.0, (SystemClock().now() - _moment(text)).total_seconds())
    for length, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= length:
            return f"{seconds // length:.0f}{letter}"
    return f"{seconds:.0f}s"


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
    if job.status == "completed":
        words.append(_outcome(job))
    if job.stale:
        words.append(f"[not seen lately: {job.stale_reason or 'the engine is away'}]")
    if job.error:
        words.append(f"{job.error_code}: {job.error}")
    return clean(" ".join(words))


def _outcome(job: JobView) -> str:
    """Return what an ended search found, and what to mind: its limit, and warnings."""
    said = [] if job.hits is None else [counted(job.hits, "hit")]
    if job.limit_reached:
        said.append(f"max_target_seqs was reached by {counted(job.limit_reached, 'query', 'queries')}")
    if job.warnings:
        said.append(f"{counted(len(job.warnings), 'warning')}: blastd show {job.short_id}")
    return "; ".join(said)


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


async def watch(changes: AsyncIterator[JobView | Away]) -> JobView | None:
    """Show a job until it ends: a bar on a terminal, a line a change elsewhere. Returns it as last seen."""
    return await (_watch_bar(changes) if sys.stderr.isatty() else _watch_lines(changes))


async def _watch_lines(changes: AsyncIterator[JobView | Away]) -> JobView | None:
    last, seen, away, next_line = None, "", False, 0.0
    async for change in changes:
        if isinstance(change, Away):
            if not away or change.seconds >= next_line:
                say(_away_line(change))
                next_line = max(AWAY_LINE_SECONDS, 2 * change.seconds)
            away = True
            continue
        if away:
            say("the service is back")
        last, away, next_line = change, False, 0.0
        if (line := state_line(change)) != seen:
            seen = line
            print(line, file=sys.stderr, flush=True)
    return last


async def _watch_bar(changes: AsyncIterator[JobView | Away]) -> JobView | None:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.fields[short_id]}", markup=False),
        BarColumn(bar_width=32),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    last = None
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=None, short_id="")
        async for change in changes:
            if isinstance(change, Away):
                progress.update(bar, description=f"the service is away for {span(change.seconds * 1000)}")
                continue
            last = job = change
            total = job.progress.units_total if job.status == "running" or job.ended else 0
            done, text = job.progress.units_done, _phase_text(job)
            progress.update(bar, description=text, total=total or None, completed=done, short_id=job.short_id)
    if last is not None:
        print(state_line(last), file=sys.stderr, flush=True)
    return last


def _away_line(away: Away) -> str:
    if away.seconds < AWAY_LINE_SECONDS:
        return f"blastd: the service is away, asking again; a job that was accepted goes on ({away.reason})"
    return f"blastd: the service is away for {span(away.seconds * 1000)}, asking again"


def _phase_text(job: JobView) -> str:
    text = job.phase or job.status
    if job.status == "queued" and job.waiting_for:
        text = f"queued, waits for {job.waiting_for}"
    if job.progress.eta_seconds is not None:
        made_of = f" (from {job.progress.eta_from})" if job.progress.eta_from else ""
        text += f", {span(job.progress.eta_seconds * 1000)} left{made_of}"
    return clean(text)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
