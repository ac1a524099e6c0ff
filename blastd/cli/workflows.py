"""`blastd workflow`: a job as a small workflow that runs it again, with the same bytes as long as the databases are the same.

The search is one command of ours in a script; the Snakefile names its input and output. So nothing has to be escaped twice, and
who uses another workflow engine, or none, runs the script.
"""

import argparse
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blastd import errors
from blastd.cli.client import ServiceClient, segment
from blastd.cli.connection import talk
from blastd.cli.exits import ExitCode
from blastd.cli.outputs import writing
from blastd.cli.words import say

IMPORTED = "import"
SNAKEFILE = """\
# Runs search {short_id} of {url} again; BLASTD_URL and BLASTD_TOKEN, or `blastd login`, say where.
rule search:
    input:
        query="query.fa",
        script="search.sh",
    output:
        "result.{format}",
    shell:
        "sh {{input.script}} {{input.query}} {{output}}"
"""
SCRIPT = """\
#!/bin/sh
# Usage: sh search.sh QUERY OUTPUT. A run that was broken off goes on with the same search: an equal one is not searched twice.
exec {command} --wait --format {format} --out "$2" "$1"
"""


def workflow(given: argparse.Namespace) -> int:
    """Write query, script and Snakefile of a job into a new folder."""
    folder = Path(given.dir)

    async def work(client: ServiceClient) -> int:
        job = await client.ask(dict[str, Any], "GET", f"api/blast/jobs/{segment(given.job)}")
        command = shlex.join(words_of(job))
        query = await client.raw("GET", f"api/blast/jobs/{job['job_id']}/query")
        facts = {"short_id": job["short_id"], "url": str(client.base), "format": given.format, "command": command}
        script, snakefile = SCRIPT.format(**facts).encode(), SNAKEFILE.format(**facts).encode()
        with writing(folder):
            folder.mkdir()
            for name, text in (("query.fa", query), ("search.sh", script), ("Snakefile", snakefile)):
                (folder / name).write_bytes(text)
        say(
            f"{folder}: snakemake --cores 1 --directory {shlex.quote(str(folder))} --snakefile {shlex.quote(str(folder))}/Snakefile"
        )
        return ExitCode.OK

    return talk(given, work)


def words_of(job: Mapping[str, Any]) -> list[str]:
    """Return the command that submits the search of *job*, without its query. Raises BadRequest for one that can't be sent again."""
    search = job["search"]
    if job["engine"] == IMPORTED or job["source"] == "external":
        raise errors.BadRequest("This job was not searched by the service, so it can't be run again.")
    words = ["blastd", "submit", "--program", search["program"], "--task", search["task"]]
    for name in search["database"]:
        words += ["--db", name]
    for name, value in search["options"].items():
        shown = ",".join(map(str, value)) if isinstance(value, list) else value
        words += ["--option", f"{name}={str(shown).lower() if isinstance(shown, bool) else shown}"]
    if search["query_loc"]:
        words += ["--query-loc", search["query_loc"]]
    if (kind := job["query"]["type"]) != "sequences":
        words += ["--query-type", kind]
    return words
