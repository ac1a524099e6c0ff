"""`blastd db available, fetch, update, rename, remove, history`: sources of databases, and changes of the catalogue."""

import argparse
import sys
from typing import Any

from blastd.cli.answers import AnswerPart, decode
from blastd.cli.client import ServiceClient, segment
from blastd.cli.connection import talk
from blastd.cli.database_work import follow, size
from blastd.cli.exits import ExitCode
from blastd.cli.listing import Column, print_json, print_rows
from blastd.cli.words import say
from blastd.errors import BadRequest

DATABASES = "api/blast/databases"
LIST_SECONDS = 60.0
"""A source that is far away may take as long to list."""
OFFERS = (
    Column(name="name", whole=True),
    Column(name="molecule"),
    Column(name="date", whole=True),
    Column(name="size_bytes", right=True, show=size),
    Column(name="installed_as", show=lambda name: name or ""),
    Column(name="newer", show=lambda newer: "newer" if newer else ""),
    Column(name="source"),
    Column(name="title"),
)
HISTORY = (
    Column(name="at", whole=True),
    Column(name="kind"),
    Column(name="molecule"),
    Column(name="owner"),
    Column(name="detail"),
    Column(name="fingerprint", terminal=False),
)


class _Offers(AnswerPart, frozen=True, kw_only=True):
    databases: list[dict[str, Any]]
    problems: list[str] = []
    sources: list[str] = []


class _Uses(AnswerPart, frozen=True, kw_only=True):
    name: str
    jobs_active: int
    jobs_stored: int
    warm_on: list[str] = []
    size_bytes: int
    may_change: bool
    reason: str = ""


class _Update(AnswerPart, frozen=True, kw_only=True):
    task: dict[str, Any] | None
    detail: str


async def _offers(client: ServiceClient, **asked: str) -> tuple[bytes, _Offers]:
    body = await client.raw("GET", f"{DATABASES}/available", params=asked, seconds=LIST_SECONDS)
    return body, decode(_Offers, body)


def available(given: argparse.Namespace) -> int:
    """List what the sources offer."""

    async def work(client: ServiceClient) -> int:
        asked = {"q": given.words or "", "source": given.source or "", "refresh": str(given.refresh).lower()}
        body, found = await _offers(client, **asked)
        if given.output == "json" and not given.fields:
            print_json(body)
        else:
            print_rows(given, found.databases, OFFERS)
        if not found.sources:
            say("No source is configured: the operator adds one under [[databases.sources]] (docs/databases.md).")
        for problem in found.problems:
            say(problem)
        return ExitCode.OK

    return talk(given, work)


def fetch(given: argparse.Namespace) -> int:
    """Fetch a database from a source and wait for its end."""

    async def work(client: ServiceClient) -> int:
        wanted = {
            "name": given.name,
            "source": given.source or "",
            "called": given.called or "",
            "molecule": _molecule(given),
            "replace": given.replace,
        }
        body = await client.raw("POST", f"{DATABASES}/fetch", json=wanted, seconds=LIST_SECONDS)
        return await follow(client, given, body)

    return talk(given, work)


def update(given: argparse.Namespace) -> int:
    """Bring fetched databases up to date if their source is newer, one after the other."""
    if bool(given.names) == given.all:
        raise BadRequest("Name databases, or say --all.")

    async def work(client: ServiceClient) -> int:
        names = given.names or [one["installed_as"] for one in (await _offers(client))[1].databases if one["newer"]]
        code: int = ExitCode.OK
        for name in names:
            path = f"{DATABASES}/{segment(name)}/update"
            body = await client.raw("POST", path, params=_asked(given), seconds=LIST_SECONDS)
            if (answer := decode(_Update, body)).task is None:
                say(answer.detail)
            else:
                code = max(code, await follow(client, given, body))
        if not names:
            say("All fetched databases are up to date.")
        return code

    return talk(given, work)


def rename(given: argparse.Namespace) -> int:
    """Give a database that was made or fetched here another name."""

    async def work(client: ServiceClient) -> int:
        path = f"{DATABASES}/{segment(given.name)}/rename"
        body = await client.raw("POST", path, params=_asked(given), json={"name": given.new})
        if given.output == "json":
            print_json(body)
        say(f"Database {given.name} is called {given.new} now.")
        return ExitCode.OK

    return talk(given, work)


def remove(given: argparse.Namespace) -> int:
    """Remove a database that was made or fetched here, after showing what it serves."""

    async def work(client: ServiceClient) -> int:
        path = f"{DATABASES}/{segment(given.name)}"
        uses = decode(_Uses, await client.raw("GET", f"{path}/uses", params=_asked(given)))
        say(
            f"{uses.name} has {size(uses.size_bytes)} and serves {uses.jobs_active} searches that wait or run, and later "
            f"formats of {uses.jobs_stored} stored ones; all of them keep what they pinned."
        )
        if uses.warm_on:
            say(f"It lies on the nodes {', '.join(uses.warm_on)}.")
        if uses.may_change and not given.yes and not _agreed(f"Remove {uses.name}?"):
            say("Nothing was removed; say --yes to remove it without being asked.")
            return ExitCode.USAGE
        body = await client.raw("DELETE", path, params=_asked(given))
        if given.output == "json":
            print_json(body)
        say(f"Database {given.name} is removed.")
        return ExitCode.OK

    return talk(given, work)


def history(given: argparse.Namespace) -> int:
    """List what became of a database, the newest first."""

    async def work(client: ServiceClient) -> int:
        body = await client.raw("GET", f"{DATABASES}/{segment(given.name)}/history")
        print_rows(given, decode(list[dict[str, Any]], body, "history"), HISTORY)
        return ExitCode.OK

    return talk(given, work)


def _agreed(question: str) -> bool:
    """Ask at a terminal; elsewhere nobody agrees."""
    if not (sys.stdin is not None and sys.stdin.isatty()):
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _molecule(given: argparse.Namespace) -> str:
    return {"nucl": "nucleotide", "prot": "protein"}.get(given.type or "", "")


def _asked(given: argparse.Namespace) -> dict[str, str]:
    molecule = _molecule(given)
    return {"molecule": molecule} if molecule else {}
