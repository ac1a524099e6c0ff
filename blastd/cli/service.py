"""Commands about a service as a whole: login, logout, services, me, version, status, programs."""

import argparse
import asyncio
import getpass
import sys
from typing import Any

from msgspec.structs import replace

from blastd import __version__, errors
from blastd.cli import screen
from blastd.cli.answers import AnswerPart
from blastd.cli.client import ServiceClient, connect
from blastd.cli.connection import (
    URL,
    KeptService,
    KeptServices,
    kept_service,
    read_services,
    talk,
    token_in,
    where,
    write_services,
)
from blastd.cli.exits import ExitCode
from blastd.cli.jobs import newest, print_jobs
from blastd.cli.listing import Column, print_rows, value_of
from blastd.core.near import near

ACTIVE = ("queued", "running")
MOST_ACTIVE = 500
ME = (
    Column(name="owner"),
    Column(name="role"),
    Column(name="tokens", heading="TOKEN", show=lambda yes: "yes" if yes else "none needed"),
)
VERSIONS = (Column(name="part"), Column(name="version", whole=True), Column(name="where"))
KEPT = (
    Column(name="name"),
    Column(name="in_use", show=lambda yes: "*" if yes else ""),
    Column(name="url"),
    Column(name="token", heading="TOKEN"),
)
PROGRAMS = (
    Column(name="name", heading="PROGRAM", whole=True),
    Column(name="query"),
    Column(name="database"),
    Column(name="default_task", heading="TASK"),
    Column(name="title"),
)
OPTIONS = (
    Column(name="name", heading="OPTION", whole=True),
    Column(name="type"),
    Column(name="default"),
    Column(name="help"),
    Column(name="minimum", terminal=False),
    Column(name="maximum", terminal=False),
    Column(name="choices", terminal=False),
    Column(name="group", terminal=False),
)


class _Me(AnswerPart, frozen=True, kw_only=True):
    owner: str
    role: str = ""


class _Queue(AnswerPart, frozen=True, kw_only=True):
    queued: int = 0
    running: int = 0
    slots: int = 0
    slots_busy: int = 0


class _Component(AnswerPart, frozen=True, kw_only=True):
    name: str
    status: str = ""
    detail: str = ""


class _Health(AnswerPart, frozen=True, kw_only=True):
    status: str
    version: str = ""
    components: list[_Component] = []
    queue: _Queue = _Queue()


def login(given: argparse.Namespace) -> int:
    """Keep the address and token of a service, once it has said who that is."""
    kept = read_services()
    name = given.name or "default"
    url, file = getattr(given, "url", None), getattr(given, "token_file", None)
    if url is None and file is None and name in kept.services:
        service = kept.services[name]
    else:
        if url is None:
            url = kept.services[name].url if name in kept.services else URL
        service = KeptService(url=url, token=token_in(file) if file else _asked_token(url))
    me = asyncio.run(_identity(service))
    written = write_services(KeptServices(use=name, services=kept.services | {name: service}))
    screen.say(f"{me.owner} ({me.role}) at {service.url}; kept as {name!r} in {written}, and in use")
    return ExitCode.OK


def _asked_token(url: str) -> str:
    """Return the token that the user types, or that standard input has."""
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        return getpass.getpass(f"Token for {url} (empty: none): ").strip()
    return sys.stdin.readline().strip()


async def _identity(service: KeptService) -> _Me:
    async with connect(service.url, service.token) as client:
        return await client.ask(_Me, "GET", "api/me")


def logout(given: argparse.Namespace) -> int:
    """Forget a service and its token."""
    kept = read_services()
    name = given.name or kept.use or "default"
    kept_service(kept, name)
    rest = {other: service for other, service in kept.services.items() if other != name}
    write_services(replace(kept, use=None if kept.use == name else kept.use, services=rest))
    screen.say(f"{name!r} is forgotten; its token is valid until it is revoked: blastd token revoke")
    return ExitCode.OK


def services(given: argparse.Namespace) -> int:
    """List what is kept, never a token."""
    kept = read_services()
    rows = [
        {"name": name, "in_use": name == kept.use, "url": service.url, "token": "yes" if service.token else "no"}
        for name, service in kept.services.items()
    ]
    print_rows(given, rows, KEPT)
    return ExitCode.OK


def me(given: argparse.Namespace) -> int:
    """Say who one is to the service."""

    async def work(client: ServiceClient) -> int:
        print_rows(given, [await client.ask(dict[str, Any], "GET", "api/me")], ME, one=True)
        return ExitCode.OK

    return talk(given, work)


def version(given: argparse.Namespace) -> int:
    """Say the versions of this client, of the service and of its BLAST+."""
    own = {"part": "client", "version": __version__, "where": f"Python {sys.version.split()[0]}"}
    if given.client:
        print_rows(given, [own], VERSIONS)
        return ExitCode.OK

    async def work(client: ServiceClient) -> int:
        try:
            answer = await client.ask(dict[str, Any], "GET", "api/version")
        except errors.BlastdError:
            print_rows(given, [own], VERSIONS)
            raise
        rows: list[dict[str, Any]] = [
            own,
            {"part": "service", "version": answer.get("version"), "where": str(client.base)},
        ]
        rows += [
            {"part": name.removesuffix("_version"), "version": value, "where": "service"}
            for name, value in answer.items()
            if name != "version"
        ]
        print_rows(given, rows, VERSIONS)
        return ExitCode.OK

    return talk(given, work)


def status(given: argparse.Namespace) -> int:
    """Say how the service is, how many jobs stand where, and which are active."""

    async def work(client: ServiceClient) -> int:
        health = await client.ask(_Health, "GET", "api/health")
        counts = await client.ask(dict[str, int], "GET", "api/blast/jobs", "counts", params={"limit": "1"})
        active = await newest(client, [("status", state) for state in ACTIVE], MOST_ACTIVE)
        if given.output in (None, "table") and not given.fields:
            queue = health.queue
            screen.say(
                f"{where(given).url} is {health.status} (blastd {health.version}); {queue.slots_busy} of {queue.slots} slots "
                f"busy, {queue.queued} queued"
            )
            for part in health.components:
                if part.status != "ok":
                    screen.say(f"{part.name} is {part.status}: {part.detail}")
            screen.say(", ".join(f"{count:,} {state}" for state, count in counts.items() if count) or "no jobs yet")
        if active or given.output is not None or given.fields:
            print_jobs(given, active)
        return ExitCode.OK if health.status != "down" else ExitCode.FAILED

    return talk(given, work)


def programs(given: argparse.Namespace) -> int:
    """List the programs, or the options of one."""

    async def work(client: ServiceClient) -> int:
        found = await client.ask(list[dict[str, Any]], "GET", "api/blast/programs", "programs")
        if given.program is None:
            print_rows(given, found, PROGRAMS)
            return ExitCode.OK
        names = [str(value_of(row, "name")) for row in found]
        if given.program not in names:
            raise errors.NotFound(
                f"The service has no program {given.program!r}.{near(given.program, names)} It has {', '.join(names)}."
            )
        print_rows(given, decode_options(found[names.index(given.program)]), OPTIONS)
        return ExitCode.OK

    return talk(given, work)


def decode_options(program: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the options of a program, those that are most used first."""
    options = program.get("options")
    rows = [row for row in options if isinstance(row, dict)] if isinstance(options, list) else []
    return sorted(rows, key=lambda row: bool(row.get("advanced")))
