"""Work on databases from the command line: followed to its end with its bytes and time left, listed, cancelled, tried again."""

import argparse
import asyncio
import json
import sys
from typing import Any

from blastd.cli.answers import AnswerPart, WarningAnswer, decode
from blastd.cli.client import ServiceClient, segment
from blastd.cli.connection import talk
from blastd.cli.exits import ExitCode
from blastd.cli.listing import Column, print_json, print_rows
from blastd.cli.words import say

POLL_SECONDS = 1.0
TASKS = "api/blast/database-tasks"
ENDS = ("completed", "failed", "cancelled")
COLUMNS = (
    Column(name="id", whole=True),
    Column(name="kind"),
    Column(name="name", whole=True),
    Column(name="status"),
    Column(name="step"),
    Column(name="progress", right=True, show=lambda share: f"{share:.0%}"),
    Column(name="owner"),
    Column(name="error"),
    Column(name="bytes_done", right=True, terminal=False),
    Column(name="bytes_total", right=True, terminal=False),
    Column(name="eta_seconds", right=True, terminal=False),
)
DONE = {"make": "is ready", "fetch": "is fetched and ready", "update": "is up to date"}


class TaskRow(AnswerPart, frozen=True, kw_only=True):
    """Work on a database."""

    id: str
    name: str
    kind: str
    status: str
    step: str = ""
    progress: float = 0.0
    bytes_done: int = 0
    bytes_total: int = 0
    eta_seconds: float | None = None
    next_try_at: str | None = None
    error: str | None = None
    warnings: list[WarningAnswer] = []


def line_of(task: TaskRow) -> str:
    """Return how far work is, in a line."""
    parts = [task.status if task.status != "running" or not task.step else task.step]
    if task.status == "running":
        parts.append(f"{task.progress:.0%}")
        if task.bytes_total:
            parts.append(f"{size(task.bytes_done)} of {size(task.bytes_total)}")
        if task.eta_seconds is not None:
            parts.append(f"about {duration(task.eta_seconds)} left")
    if task.next_try_at is not None:
        parts.append(f"{task.error or ''} Next try at {task.next_try_at}.")
    return ", ".join(parts)


def size(count: int) -> str:
    """Return bytes for people."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):  # the last one that is needed
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return seconds for people."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


async def follow(client: ServiceClient, given: argparse.Namespace, body: bytes) -> int:
    """Show work on a database until it has ended."""
    task, shown = decode(TaskRow, body, "task"), ""
    while task.status not in ENDS:
        line = line_of(task)
        if line != shown:
            say(line)
            shown = line
        await asyncio.sleep(POLL_SECONDS)
        body = await client.raw("GET", f"{TASKS}/{segment(task.id)}")
        task = decode(TaskRow, body, "task")
    if given.output == "json":
        print(json.dumps(decode(object, body, "task"), indent=2))
    for warning in task.warnings:
        say(f"warning: {warning.text}")
    if task.status == "cancelled":
        say(f"The work on {task.name} was cancelled.")
        return ExitCode.CANCELLED
    if task.status == "failed":
        say(f"blastd: {task.error or 'it failed'}")
        return ExitCode.FAILED
    say(f"Database {task.name} {DONE.get(task.kind, 'is ready')}.")
    return ExitCode.OK


def tasks(given: argparse.Namespace) -> int:
    """List work on databases, the newest first."""

    async def work(client: ServiceClient) -> int:
        rows = decode(list[dict[str, Any]], await client.raw("GET", TASKS), "tasks")
        print_rows(given, rows, COLUMNS)
        return ExitCode.OK

    return talk(given, work)


def cancel(given: argparse.Namespace) -> int:
    """Let work on databases end."""
    return _each(given, "cancel")


def retry(given: argparse.Namespace) -> int:
    """Begin failed or cancelled work on databases again."""
    return _each(given, "retry")


def _each(given: argparse.Namespace, what: str) -> int:
    async def work(client: ServiceClient) -> int:
        for task_id in given.tasks:
            body = await client.raw("POST", f"{TASKS}/{segment(task_id)}/{what}")
            if given.output == "json":
                print_json(body)
            else:
                task = decode(TaskRow, body, "task")
                print(f"{task.id}\t{task.name}\t{task.status}")
        sys.stdout.flush()
        return ExitCode.OK

    return talk(given, work)
