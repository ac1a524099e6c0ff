"""`blastd db`: list, make, rescan and warm databases of a service."""

import argparse
import asyncio
import json
from typing import Any

from blastd.cli.client import AnswerPart, DatabaseAnswer, ServiceClient, TaskAnswerView, decode, segment
from blastd.cli.exits import ExitCode
from blastd.cli.fasta_files import check_files, joined
from blastd.cli.jobs import print_json, talk
from blastd.cli.screen import number, say, table

POLL_SECONDS = 1.0


class _Catalogue(AnswerPart, frozen=True, kw_only=True):
    databases: list[DatabaseAnswer]
    problems: list[str] = []


def list_databases(given: argparse.Namespace) -> int:
    """List databases."""

    async def work(client: ServiceClient) -> int:
        return _show(await client.raw("GET", "api/blast/databases"), as_json=given.json)

    return talk(given, work)


def rescan(given: argparse.Namespace) -> int:
    """Look through the folders now."""

    async def work(client: ServiceClient) -> int:
        return _show(await client.raw("POST", "api/blast/databases/rescan"), as_json=given.json)

    return talk(given, work)


def warm(given: argparse.Namespace) -> int:
    """Put a database on the nodes of a cluster ahead of searches."""

    async def work(client: ServiceClient) -> int:
        body = await client.raw("POST", f"api/blast/databases/{segment(given.name)}/warm")
        if given.json:
            print_json(body)
        else:
            print(decode(str, body, "detail"))
        return ExitCode.OK

    return talk(given, work)


def push(given: argparse.Namespace) -> int:
    """Upload a database of this machine to the storage account."""
    # Imported here, so that the command line of a machine without a cluster starts quickly.
    from blastd.cli import cluster  # noqa: PLC0415

    return cluster.push(given)


def make(given: argparse.Namespace) -> int:
    """Make a database from FASTA and wait for its end."""
    files = check_files([given.file])

    async def work(client: ServiceClient) -> int:
        wanted: dict[str, Any] = {
            "name": given.name,
            "title": given.title,
            "parse_seqids": str(not given.no_parse_seqids).lower(),
            "molecule_check": str(not given.no_molecule_check).lower(),
        }
        wanted["molecule"] = {"nucl": "nucleotide", "prot": "protein"}[given.type]
        body = await client.raw("POST", "api/blast/databases", params=wanted, data=joined(files))
        task, shown = decode(TaskAnswerView, body, "task"), ""
        while task.status not in ("completed", "failed"):
            line = f"{task.status} {task.progress or 0:.0%}"
            if line != shown:
                say(line)
                shown = line
            await asyncio.sleep(POLL_SECONDS)
            body = await client.raw("GET", f"api/blast/database-tasks/{segment(task.id)}")
            task = decode(TaskAnswerView, body, "task")
        if given.json:
            print(json.dumps(decode(object, body, "task"), indent=2))
        for warning in task.warnings:
            say(f"warning: {warning.text}")
        if task.status == "failed":
            say(f"blastd: {task.error or 'the database could not be made'}")
            return ExitCode.FAILED
        say(f"Database {given.name} is ready.")
        return ExitCode.OK

    return talk(given, work)


def _show(body: bytes, *, as_json: bool) -> int:
    if as_json:
        print_json(body)
        return ExitCode.OK
    found = decode(_Catalogue, body)
    rows = [
        (
            one.name, one.molecule, number(one.sequences), number(one.letters), one.date or "-",
            one.state if one.state == "ready" else f"{one.state}: {one.reason}", one.title,
        )
        for one in found.databases
    ]  # fmt: skip
    table(["NAME", "MOLECULE", "SEQUENCES", "LETTERS", "DATE", "STATE", "TITLE"], rows)
    for problem in found.problems:
        say(problem)
    return ExitCode.OK
