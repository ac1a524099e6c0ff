"""`blastd db`: list, make, rescan and warm databases of a service."""

import argparse
from typing import Any

from blastd.cli.answers import AnswerPart, decode
from blastd.cli.client import ServiceClient, segment
from blastd.cli.connection import talk
from blastd.cli.database_work import follow
from blastd.cli.exits import ExitCode
from blastd.cli.fasta_files import check_files, joined
from blastd.cli.listing import Column, print_json, print_rows
from blastd.cli.words import say

COLUMNS = (
    Column(name="name", whole=True),
    Column(name="molecule"),
    Column(name="sequences", right=True),
    Column(name="letters", right=True),
    Column(name="state"),
    Column(name="title"),
    Column(name="date", terminal=False),
    Column(name="reason", terminal=False),
)


TAXA = (
    Column(name="taxid", right=True, whole=True),
    Column(name="name"),
    Column(name="common_name"),
    Column(name="rank"),
    Column(name="sequences", right=True),
)


class _Catalogue(AnswerPart, frozen=True, kw_only=True):
    problems: list[str] = []


def list_databases(given: argparse.Namespace) -> int:
    """List databases."""

    async def work(client: ServiceClient) -> int:
        return _show(given, await client.raw("GET", "api/blast/databases"))

    return talk(given, work)


def list_taxa(given: argparse.Namespace) -> int:
    """List the organisms of databases that begin as asked."""

    async def work(client: ServiceClient) -> int:
        asked = [("q", given.text), ("limit", "50"), *(("database", name) for name in given.db)]
        body = await client.raw("GET", "api/blast/taxa", params=asked)
        if given.output == "json" and not given.fields:
            print_json(body)
            return ExitCode.OK
        print_rows(given, decode(list[dict[str, Any]], body, "taxa"), TAXA)
        if not decode(bool, body, "names"):
            say("There is no taxonomy in this service: only ids are found.")
        return ExitCode.OK

    return talk(given, work)


def rescan(given: argparse.Namespace) -> int:
    """Look through the folders now."""

    async def work(client: ServiceClient) -> int:
        return _show(given, await client.raw("POST", "api/blast/databases/rescan"))

    return talk(given, work)


def warm(given: argparse.Namespace) -> int:
    """Put a database on the nodes of a cluster ahead of searches."""

    async def work(client: ServiceClient) -> int:
        body = await client.raw("POST", f"api/blast/databases/{segment(given.name)}/warm")
        if given.output == "json":
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
        wanted["replace"] = str(given.replace).lower()
        body = await client.raw("POST", "api/blast/databases", params=wanted, data=joined(files))
        return await follow(client, given, body)

    return talk(given, work)


def _show(given: argparse.Namespace, body: bytes) -> int:
    if given.output == "json" and not given.fields:
        print_json(body)
        return ExitCode.OK
    rows = decode(list[dict[str, Any]], body, "databases")
    print_rows(given, rows, COLUMNS)
    for row in rows:
        if reason := row.get("reason"):
            say(f"{row.get('name')} is {row.get('state')}: {reason}")
    for problem in decode(_Catalogue, body).problems:
        say(problem)
    return ExitCode.OK
