"""`blastd watch`: searches that run again when their databases change."""

import argparse
from typing import Any

from blastd.cli.answers import AnswerPart, decode
from blastd.cli.client import ServiceClient, segment
from blastd.cli.connection import talk
from blastd.cli.exits import ExitCode
from blastd.cli.listing import Column, print_rows
from blastd.cli.screen import local_minute
from blastd.cli.words import say

WATCHES = "api/blast/watches"
PAGE = "500"
WATCH_COLUMNS = (
    Column(name="watch_id", whole=True),
    Column(name="state"),
    Column(name="label"),
    Column(name="search.program", heading="PROGRAM"),
    Column(name="search.database", heading="DATABASE"),
    Column(name="runs", right=True),
    Column(name="updated_at", show=local_minute),
    Column(name="owner", terminal=False),
    Column(name="trouble.text", heading="TROUBLE"),
)
RUN_COLUMNS = (
    Column(name="number", heading="RUN", right=True),
    Column(name="job_id", whole=True),
    Column(name="began_at", show=local_minute),
    Column(name="difference.new", heading="NEW", right=True),
    Column(name="difference.lost", heading="LOST", right=True),
    Column(name="difference.changed", heading="CHANGED", right=True),
    Column(name="note"),
)
CHANGE_COLUMNS = (
    Column(name="query_id", heading="QUERY"),
    Column(name="kind", whole=True),
    Column(name="subject", whole=True),
    Column(name="title"),
    Column(name="evalue", right=True),
    Column(name="bit_score", right=True),
    Column(name="identity", right=True),
    Column(name="what"),
    Column(name="query", terminal=False),
    Column(name="evalue_before", terminal=False),
    Column(name="bit_score_before", terminal=False),
    Column(name="identity_before", terminal=False),
)


class _Cursor(AnswerPart, frozen=True, kw_only=True):
    next_cursor: str | None = None


class _Watches(AnswerPart, frozen=True, kw_only=True):
    watches: list[dict[str, Any]]
    page: _Cursor


class _Changes(AnswerPart, frozen=True, kw_only=True):
    changes: list[dict[str, Any]]
    page: _Cursor


class _Watch(AnswerPart, frozen=True, kw_only=True):
    watch: dict[str, Any]
    runs: list[dict[str, Any]]


def add(given: argparse.Namespace) -> int:
    """Watch a search."""

    async def work(client: ServiceClient) -> int:
        body = {"job": given.job, "label": given.label, "webhook": given.webhook}
        made = await client.ask(_Watch, "POST", WATCHES, json=body)
        print_rows(given, [made.watch], WATCH_COLUMNS, one=True)
        return ExitCode.OK

    return talk(given, work)


def list_watches(given: argparse.Namespace) -> int:
    """List watches."""

    async def work(client: ServiceClient) -> int:
        rows: list[dict[str, Any]] = []
        asked = {"limit": PAGE}
        while True:
            found = await client.ask(_Watches, "GET", WATCHES, params=asked)
            rows += found.watches
            if found.page.next_cursor is None:
                break
            asked["cursor"] = found.page.next_cursor
        print_rows(given, rows, WATCH_COLUMNS)
        return ExitCode.OK

    return talk(given, work)


def show(given: argparse.Namespace) -> int:
    """List the runs of a watch."""

    async def work(client: ServiceClient) -> int:
        found = await client.ask(_Watch, "GET", _path(given))
        trouble = found.watch.get("trouble")
        if trouble:
            say(trouble["text"])
        print_rows(given, found.runs, RUN_COLUMNS)
        return ExitCode.OK

    return talk(given, work)


def changes(given: argparse.Namespace) -> int:
    """List what is new, lost and changed."""

    async def work(client: ServiceClient) -> int:
        chosen = {"run": given.run, "query": given.query, "kind": given.kind, "limit": PAGE}
        asked = {name: str(value) for name, value in chosen.items() if value is not None}
        rows: list[dict[str, Any]] = []
        while True:
            body = await client.raw("GET", f"{_path(given)}/changes", params=asked)
            found = decode(_Changes, body)
            rows += [_flat(change) for change in found.changes]
            if found.page.next_cursor is None:
                break
            asked["cursor"] = found.page.next_cursor
        print_rows(given, rows, CHANGE_COLUMNS)
        return ExitCode.OK

    return talk(given, work)


def pause(given: argparse.Namespace) -> int:
    """Let a watch rest."""
    return _changed(given, "pause")


def resume(given: argparse.Namespace) -> int:
    """Let a watch go on."""
    return _changed(given, "resume")


def delete(given: argparse.Namespace) -> int:
    """Remove a watch."""

    async def work(client: ServiceClient) -> int:
        removed = await client.ask(dict[str, Any], "DELETE", _path(given))
        if given.output in ("json", "id"):
            print_rows(given, [removed], WATCH_COLUMNS, one=True)
        say(f"Watch {given.watch} is removed; its searches stay.")
        return ExitCode.OK

    return talk(given, work)


def _changed(given: argparse.Namespace, action: str) -> int:
    async def work(client: ServiceClient) -> int:
        found = await client.ask(_Watch, "POST", f"{_path(given)}/{action}")
        print_rows(given, [found.watch], WATCH_COLUMNS, one=True)
        return ExitCode.OK

    return talk(given, work)


def _path(given: argparse.Namespace) -> str:
    return f"{WATCHES}/{segment(given.watch)}"


def _flat(change: dict[str, Any]) -> dict[str, Any]:
    """Return a change as one row: the subject as it is now, or as it was where it is lost."""
    before, after = change["before"] or {}, change["after"] or {}
    found = after or before
    values = {name: found.get(name) for name in ("subject", "title", "evalue", "bit_score", "identity")}
    values |= {f"{name}_before": before.get(name) for name in ("evalue", "bit_score", "identity")}
    return {name: change[name] for name in ("query", "query_id", "kind", "what")} | values
