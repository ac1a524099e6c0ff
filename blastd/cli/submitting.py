"""`blastd submit`, and BLAST+'s own command lines with `blastd` in front: from flags to a search, its end and its result.

Everything that can be wrong with the output is found before the search is sent.
"""

import argparse
import secrets
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from blastd import errors
from blastd.cli import screen
from blastd.cli.answers import AnswerPart, JobView, decode
from blastd.cli.client import ServiceClient
from blastd.cli.connection import talk
from blastd.cli.elastic import FORMATS, OURS, Imported, read_ini, words
from blastd.cli.exits import ExitCode
from blastd.cli.fasta_files import check_files, spooled
from blastd.cli.flags import OUTPUTS, PROGRAMS
from blastd.cli.following import send
from blastd.cli.jobs import follow_to_end, print_jobs
from blastd.cli.outputs import checked_fields, result_file, write_result, writing
from blastd.core.program_table import STARTS

SUFFIX = {
    "tabular": "tsv",
    "commented": "tsv",
    "csv": "csv",
    "xml": "xml",
    "xml2": "xml",
    "json": "json",
    **dict.fromkeys(("pairwise", "anchored", "anchored_letters", "flat", "flat_letters"), "txt"),
}


class WantedResult(msgspec.Struct, frozen=True, kw_only=True):
    """Which result is written where; without a kind none is, without a file it goes to standard output."""

    kind: str | None = None
    fields: str | None = None
    out: Path | None = None

    @property
    def params(self) -> dict[str, str]:
        """Return what the service is asked for."""
        return {"format": self.kind or "tabular"} | ({"fields": self.fields} if self.fields else {})


class _Format(AnswerPart, frozen=True, kw_only=True):
    name: str
    outfmt: int | None = None
    programs: list[str] = []


def submit(given: argparse.Namespace) -> int:
    """Submit a search; with --wait or --format follow it to its end and write its result."""
    given.option, shown = _options_and_output(given)
    given.output = shown or given.output
    ini = read_ini(Path(given.cfg)) if given.cfg else None
    search = _search(given, ini)
    names = given.files or (ini.files if ini else [])
    if not names:
        if sys.stdin is None or sys.stdin.isatty():
            raise errors.BadRequest("Name a FASTA file, or - for standard input.")
        names = ["-"]
    files = check_files(names)
    wanted = _wanted(given, ini)
    for sentence in ini.skipped if ini else ():
        screen.say(f"skipped {sentence}")
    return _run(given, search, files, _subject(given.subject), wanted)


def blast(given: argparse.Namespace) -> int:
    """Run a BLAST+ command line: the same flags, and the same bytes in -out or on standard output."""
    faults: list[tuple[str, str]] = []
    options = words(given.tail, faults, "")
    query, out, databases, subject, outfmt = (
        _text(options, name, faults) for name in ("query", "out", "db", "subject", "outfmt")
    )
    for name in OURS.keys() & options.keys():
        del options[name]  # how many threads, say, is the service's choice, and changes no byte
    if options.pop("remote", None):
        faults.append(("-remote", "the search runs in the service, which is not NCBI."))
    kind, fields = _outfmt(outfmt or "0")
    search: dict[str, Any] = {"program": given.program, "options": options, "title": given.title}
    if databases is not None:
        search["database"] = databases.split()
    elif subject is None:
        faults.append(("-db", "name a database, or -subject with your own sequences; 'blastd db list' shows them."))
    started = _start(given.program, options, faults)
    if started is not None:
        search["query_type"], query = started
    for name in ("task", "query_loc"):
        if (value := _text(options, name, faults)) is not None:
            search[name] = value
    if faults:
        raise errors.Invalid(faults)
    wanted = WantedResult(kind=kind, fields=checked_fields(kind, fields), out=result_file(None if out == "-" else out))
    if query is None and (sys.stdin is None or sys.stdin.isatty()):
        raise errors.BadRequest("Name the query: -query FASTA, or - for standard input.")
    return _run(
        given,
        {name: value for name, value in search.items() if value},
        check_files([query or "-"]),
        _subject(subject),
        wanted,
    )


def _run(
    given: argparse.Namespace,
    search: Mapping[str, Any],
    files: Sequence[Path | None],
    subject: Path | None,
    wanted: WantedResult,
) -> int:
    """Send a search, and follow it as far as is wanted."""

    async def work(client: ServiceClient) -> int:
        if wanted.kind is not None:
            await _check_format(client, wanted.kind, str(search["program"]))
        async with spooled(files) as kept:
            body = await send(client, search, kept, given.key or secrets.token_hex(16), subject, given.timeout)
        job = decode(JobView, body)
        follows = given.wait or wanted.kind is not None
        _tell(given, job, body, follows=follows, to_output=wanted.kind is not None and wanted.out is None)
        if not follows:
            screen.say(screen.state_line(job))
            return ExitCode.OK
        code = await follow_to_end(client, job.job_id, given.timeout, known=True)
        if code == ExitCode.OK and wanted.kind is not None:
            await write_result(client, job.job_id, wanted.params, wanted.out)
        return code

    return talk(given, work)


def _tell(given: argparse.Namespace, job: JobView, body: bytes, *, follows: bool, to_output: bool) -> None:
    """Print the id, or the row, of a search that was taken, and what the service said of it."""
    if to_output or given.quiet:
        screen.say(f"job {job.job_id}")
    elif given.output in (None, "id") or follows:
        print(job.job_id, flush=True)
    else:
        print_jobs(given, [decode(dict[str, Any], body)], one=True)
    for warning in job.warnings:
        screen.say(f"warning: {warning.text}")
    if job.reused_from:
        screen.say(f"the same search was done before: its result is reused ({job.reused_from})")


async def _check_format(client: ServiceClient, kind: str, program: str) -> None:
    """Refuse a format that the service has not, or not for this program. Raises Invalid."""
    formats = await client.ask(list[_Format], "GET", "api/blast/programs", "formats")
    known = next((it for it in formats if kind in (it.name, str(it.outfmt))), None)
    fitting = ", ".join(it.name for it in formats if program in it.programs)
    if known is None:
        raise errors.Invalid([("--format", f"the service has no format {kind}; it has {fitting}.")])
    if known.programs and program not in known.programs:
        raise errors.Invalid([("--format", f"{program} has no format {known.name}; it has {fitting}.")])


def _options_and_output(given: argparse.Namespace) -> tuple[list[str], str | None]:
    """Return the search options of -o, and the way of printing where -o says one: no option of BLAST+ is called so."""
    shown = [text for text in given.option if text in OUTPUTS]
    return [text for text in given.option if text not in OUTPUTS], shown[-1] if shown else None


def _search(given: argparse.Namespace, ini: Imported | None) -> dict[str, Any]:
    """Return the search part of a submit. Raises Invalid with every fault."""
    faults: list[tuple[str, str]] = []
    options: dict[str, Any] = dict(ini.options) if ini else {}
    options |= words(given.tail, faults)
    for text in given.option:
        name, equals, value = text.partition("=")
        if not name.lstrip("-"):
            faults.append(("--option", f"{text!r} is not NAME=VALUE."))
        options[name.lstrip("-")] = value if equals else True
    program = given.program or (ini.program if ini else None)
    database = given.db or ([ini.database] if ini else None)
    if not program:
        faults.append(("--program", f"say which program: {', '.join(PROGRAMS)}."))
    if given.subject:
        database = given.db
    elif not database:
        faults.append(("--db", "name a database; 'blastd db list' shows them. Or --subject with your own sequences."))
    if faults:
        raise errors.Invalid(faults)
    task = given.task or options.pop("task", None)
    search = {
        "program": program,
        "database": database,
        "task": task,
        "options": options,
        "title": given.title,
        "engine": given.engine,
        "priority": given.priority,
        "time_limit_seconds": given.time_limit,
        "webhook": given.webhook,
        "query_loc": given.query_loc,
        "organisms": given.organism,
        "exclude_organisms": given.exclude_organism,
        "query_type": given.query_type,
        "reuse": False if given.no_reuse else None,
    }
    return {name: value for name, value in search.items() if value not in (None, "")}


def _subject(name: str | None) -> Path | None:
    return check_files([f"./{name}" if name == "-" else name])[0] if name else None


def _text(options: dict[str, str | bool], name: str, faults: list[tuple[str, str]]) -> str | None:
    """Take the value of a BLAST+ flag out of *options*, None where it is not there."""
    value = options.pop(name, None)
    if value is True:
        faults.append((f"-{name}", "a value is missing."))
    return value if isinstance(value, str) else None


def _start(program: str, options: dict[str, str | bool], faults: list[tuple[str, str]]) -> tuple[str, str] | None:
    """Take what a search begins with in place of sequences: its query type and the file, None where it is not there."""
    for query_type, option in STARTS.get(program, {}).items():
        if (value := _text(options, option, faults)) is not None:
            return query_type, value
    return None


def _outfmt(text: str) -> tuple[str, str | None]:
    """Return format and fields of a value of -outfmt; a number that is not known here is left to the service."""
    number, _, fields = text.strip().partition(" ")
    return FORMATS.get(number, number), fields.strip() or None


def _wanted(given: argparse.Namespace, ini: Imported | None) -> WantedResult:
    """Return the result that submit shall write, if any."""
    kind, fields = given.format, given.fields
    if ini is not None and kind is None and (given.wait or given.out):
        kind, fields = ini.format or "pairwise", fields or ini.fields
    if given.out and kind is None:
        kind = "tabular"
    if kind is None:
        return WantedResult()
    fields = checked_fields(kind, fields)
    out = result_file(given.out)
    if out is None and ini is not None and ini.folder is not None:
        with writing(ini.folder):
            ini.folder.mkdir(parents=True, exist_ok=True)
        out = ini.folder / f"{ini.program}-{Path(ini.database).name}.{SUFFIX.get(kind, kind)}"
    return WantedResult(kind=kind, fields=fields, out=out)
