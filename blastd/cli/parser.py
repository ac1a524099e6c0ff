"""The parser of the command line: every command, its flags and its examples. What a command does is elsewhere."""

import argparse
from collections.abc import Callable
from typing import Any

from blastd import __version__
from blastd.cli import admin, archive, databases, doctor, fsck, jobs, serve
from blastd.cli.elastic import PROGRAMS

Sub = Any
"""What add_subparsers returns: argparse gives its type no public name."""
FORMATS = (
    "tabular",
    "commented",
    "csv",
    "xml",
    "xml2",
    "json",
    "pairwise",
    "anchored",
    "anchored_letters",
    "flat",
    "flat_letters",
    "asn1",
    "sam",
    "fasta",
)

TOP = """\
Run a BLAST service, or use one.

A first search, on the machine of the service:
  blastd db list
  blastd submit --program blastn --db 16S_demo query.fa --wait --format tabular

BLASTD_URL (default http://127.0.0.1:8470) and BLASTD_TOKEN tell client commands where the service is and who you are.

exit codes: 0 ok, 1 the search failed, 2 usage or input, 3 service not reachable, 4 cancelled, 5 time-out
"""


class Parser(argparse.ArgumentParser):
    """A parser whose texts keep their lines, and that takes no abbreviated flags."""

    def __init__(self, **how: Any) -> None:
        """Make a parser."""
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False, **how})


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of `blastd`."""
    parser = Parser(prog="blastd", description=TOP)
    parser.add_argument("--version", action="version", version=f"blastd {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)
    for add in (
        _serve,
        _submit,
        _jobs,
        _show,
        _wait,
        _results,
        _cancel,
        _retry,
        _delete,
        _db,
        _token,
        _doctor,
        _migrate,
        _backup,
        _fsck,
        _export,
        _import,
        _openapi,
    ):
        add(commands)
    return parser


def _command(commands: Sub, name: str, run: Callable[[argparse.Namespace], int], about: str, example: str) -> Parser:
    """Add the command *name*: *about* is its line in the list, *example* is shown below its flags."""
    text = (
        "example:\n  " + example.replace("\n", "\n  ")
        if "\n" not in example
        else "examples:\n  " + example.replace("\n", "\n  ")
    )
    parser = commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".", epilog=text)
    parser.set_defaults(run=run)
    made: Parser = parser
    return made


def _client(parser: argparse.ArgumentParser, *, as_json: bool = True) -> None:
    """Add the flags of a command that talks to a service."""
    parser.add_argument(
        "--url", metavar="URL", help="address of the service (default: $BLASTD_URL or http://127.0.0.1:8470)"
    )
    if as_json:
        parser.add_argument("--json", action="store_true", help="print the service's JSON")


def _settings(parser: argparse.ArgumentParser) -> None:
    """Add the flags of a command that works on the service's own state."""
    parser.add_argument("--config", metavar="FILE", help="settings file (default: $BLASTD_CONFIG, else none)")
    parser.add_argument(
        "--state-dir", metavar="DIR", help="folder of the state (default: $STATE_DIRECTORY or the XDG folder)"
    )


def _serve(commands: Sub) -> None:
    parser = _command(
        commands,
        "serve",
        serve.serve,
        "run the service",
        "blastd serve --db-dir /data/blastdb\nblastd serve --config /etc/blastd/blastd.toml --listen 0.0.0.0:8470",
    )
    _settings(parser)
    parser.add_argument("--listen", metavar="HOST:PORT", help="address to serve on (default: 127.0.0.1:8470)")
    parser.add_argument(
        "--db-dir",
        metavar="DIR",
        action="append",
        help="folder with BLAST databases; may be repeated; replaces databases.dirs",
    )
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")
    parser.add_argument("--log-format", metavar="FORMAT", help="auto, console or json")


def _submit(commands: Sub) -> None:
    parser = _command(
        commands,
        "submit",
        jobs.submit,
        "submit a search and print its id",
        "blastd submit --program blastn --db nt query.fa -o evalue=1e-10 -o max_target_seqs=50\n"
        "blastd submit --program blastp --db swissprot proteins.fa.gz --wait --format xml --out hits.xml\n"
        "zcat reads.fa.gz | blastd submit --program blastn --db 16S_demo - -- -evalue 1e-5 -ungapped\n"
        "blastd submit --program blastp --subject mine.fa query.fa --wait --format pairwise\n"
        "blastd submit --cfg elastic-blast.ini --wait",
    )
    parser.add_argument("files", metavar="FASTA", nargs="*", help="query files, plain or gzip; - is standard input")
    parser.add_argument("--program", choices=PROGRAMS, help="program")
    parser.add_argument("--task", metavar="TASK", help="task of the program, like megablast or blastp-fast")
    parser.add_argument("--db", metavar="NAME", action="append", help="database; may be repeated")
    parser.add_argument("--subject", metavar="FASTA", help="file of sequences to search in, in place of a database")
    parser.add_argument(
        "-o",
        "--option",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="search option by its BLAST+ name; may be repeated",
    )
    parser.add_argument("--query-loc", metavar="FROM-TO", help="part of the query to search with")
    parser.add_argument("--title", metavar="TEXT", default="", help="title of the job")
    parser.add_argument("--engine", metavar="NAME", help="local or kubernetes (default: the service chooses)")
    parser.add_argument("--priority", metavar="N", type=int, help="-10 to 10, higher runs earlier among your own jobs")
    parser.add_argument("--webhook", metavar="URL", help="address that is told when the job has ended")
    parser.add_argument("--no-reuse", action="store_true", help="run the search even if the same one has a result")
    parser.add_argument("--cfg", metavar="INI", help="take the search from an elastic-blast.ini")
    parser.add_argument(
        "--key", metavar="KEY", help="Idempotency-Key: the same key gives the same job (default: a new one)"
    )
    parser.add_argument("--wait", action="store_true", help="wait for the end, with progress")
    _result_flags(parser)
    _client(parser)


def _result_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=FORMATS, help="write the result in this format")
    parser.add_argument("--fields", metavar="FIELDS", help="columns of a tabular format, like 'qaccver saccver pident'")
    parser.add_argument("--out", metavar="FILE", help="file for the result (default: standard output)")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help="stop waiting after this time, exit code 5")


def _jobs(commands: Sub) -> None:
    parser = _command(
        commands,
        "jobs",
        jobs.list_jobs,
        "list jobs, newest first",
        "blastd jobs --status running\nblastd jobs -n 500 --json",
    )
    parser.add_argument(
        "--status", metavar="STATUS", action="append", help="queued, running, completed, failed or cancelled"
    )
    parser.add_argument("--program", choices=PROGRAMS, help="only of this program")
    parser.add_argument("--db", metavar="NAME", help="only of this database")
    parser.add_argument("-q", "--search", metavar="TEXT", help="text in title, id, first query or database")
    parser.add_argument("-n", "--limit", metavar="N", type=int, default=20, help="how many (default: 20)")
    _client(parser)


def _show(commands: Sub) -> None:
    parser = _command(
        commands,
        "show",
        jobs.show,
        "show one job",
        "blastd show 3f9c27a81b04\nblastd show --exit-code 3f9c27a81b04; echo $?",
    )
    parser.add_argument("job", metavar="ID", help="id, or its first 8 or more digits")
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help="exit as 'elastic-blast status --exit-code' does: 0 success, 1 failure, 2 creating, 3 submitting, 4 running, "
        "5 deleting, 6 unknown",
    )
    parser.add_argument("--logs", action="store_true", help="show what BLAST+ and the engine wrote")
    _client(parser)


def _wait(commands: Sub) -> None:
    parser = _command(
        commands, "wait", jobs.wait, "wait for the end of a job", "blastd wait 3f9c27a81b04 --timeout 600 && echo done"
    )
    parser.add_argument("job", metavar="ID", help="id, or its first 8 or more digits")
    parser.add_argument("--timeout", metavar="SECONDS", type=float, help="stop waiting after this time, exit code 5")
    _client(parser)


def _results(commands: Sub) -> None:
    parser = _command(
        commands,
        "results",
        jobs.results,
        "write the result of a job",
        "blastd results 3f9c27a81b04 --format csv > hits.csv\n"
        "blastd results 3f9c27a81b04 --format tabular --fields 'qaccver saccver evalue stitle'\n"
        "blastd results 3f9c27a81b04 --format xml --out hits.xml",
    )
    parser.add_argument("job", metavar="ID", help="id, or its first 8 or more digits")
    parser.add_argument("--format", choices=FORMATS, default="tabular", help="format (default: tabular)")
    parser.add_argument("--fields", metavar="FIELDS", help="columns of a tabular format")
    parser.add_argument("--out", metavar="FILE", help="file (default: standard output)")
    parser.add_argument("--partial", action="store_true", help="while it runs: what is done already")
    _client(parser, as_json=False)


def _cancel(commands: Sub) -> None:
    parser = _command(commands, "cancel", jobs.cancel, "cancel jobs", "blastd cancel 3f9c27a81b04")
    parser.add_argument("jobs", metavar="ID", nargs="+", help="ids, or their first 8 or more digits")
    parser.add_argument("--wait", action="store_true", help="wait until nothing of them runs any more")
    _client(parser)


def _retry(commands: Sub) -> None:
    parser = _command(
        commands,
        "retry",
        jobs.retry,
        "run a failed or cancelled job again, keeping what is done",
        "blastd retry 3f9c27a81b04",
    )
    parser.add_argument("jobs", metavar="ID", nargs="+", help="ids, or their first 8 or more digits")
    _client(parser)


def _delete(commands: Sub) -> None:
    parser = _command(
        commands, "delete", jobs.delete, "delete ended jobs and their files for good", "blastd delete 3f9c27a81b04"
    )
    parser.add_argument("jobs", metavar="ID", nargs="+", help="ids, or their first 8 or more digits")
    _client(parser)


def _db(commands: Sub) -> None:
    outer = _command(
        commands,
        "db",
        databases.list_databases,
        "list, make, rescan, warm and push databases",
        "blastd db list\nblastd db make 16S.fa --name 16S",
    )
    inner = outer.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    _client(_command(inner, "list", databases.list_databases, "list databases", "blastd db list"))
    make = _command(
        inner,
        "make",
        databases.make,
        "make a database from FASTA, in the service",
        "blastd db make 16S.fa.gz --name 16S --title '16S rRNA genes'",
    )
    make.add_argument("file", metavar="FASTA", help="sequences, plain or gzip; - is standard input")
    make.add_argument("--name", required=True, metavar="NAME", help="name of the database")
    make.add_argument("--title", metavar="TEXT", default="", help="title (default: the name)")
    make.add_argument("--type", choices=("nucl", "prot"), default="nucl", help="nucleotide or protein (default: nucl)")
    make.add_argument(
        "--no-parse-seqids", action="store_true", help="keep ids as they are, without reading NCBI's forms"
    )
    make.add_argument(
        "--no-molecule-check",
        action="store_true",
        help="take the file although its letters look like the other molecule",
    )
    _client(make)
    rescan = _command(inner, "rescan", databases.rescan, "look through the database folders now", "blastd db rescan")
    _client(rescan)
    warm = _command(
        inner,
        "warm",
        databases.warm,
        "put a database on the nodes of the cluster ahead of searches",
        "blastd db warm nt",
    )
    warm.add_argument("name", metavar="NAME", help="database")
    _client(warm)
    push = _command(
        inner,
        "push",
        databases.push,
        "upload a database of this machine to the storage account, from where it broke off",
        "blastd db push nt --config /etc/blastd/blastd.toml",
    )
    push.add_argument("name", metavar="NAME", help="database")
    push.add_argument("--db-dir", metavar="DIR", action="append", help="folder with databases; may be repeated")
    _settings(push)


def _token(commands: Sub) -> None:
    outer = _command(
        commands,
        "token",
        admin.list_tokens,
        "create, list and revoke access tokens",
        "blastd token create --owner ada --role user",
    )
    inner = outer.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    create = _command(
        inner,
        "create",
        admin.create_token,
        "create a token and print it, once",
        "blastd token create --owner ada\nblastd token create --owner ops --role admin --days 90\n"
        "blastd token create --owner ada --only ncbi",
    )
    create.add_argument("--owner", required=True, metavar="NAME", help="whose jobs it submits and sees")
    create.add_argument("--role", choices=("user", "admin"), default="user", help="admins see all jobs (default: user)")
    create.add_argument(
        "--only",
        choices=("ncbi",),
        help="a narrow key for clients of NCBI: it submits and reads searches of that surface, nothing else",
    )
    create.add_argument("--days", metavar="N", type=float, help="how long it is valid (default: until it is revoked)")
    _settings(create)
    listing = _command(inner, "list", admin.list_tokens, "list tokens, without their secrets", "blastd token list")
    listing.add_argument("--json", action="store_true", help="print JSON")
    _settings(listing)
    revoke = _command(inner, "revoke", admin.revoke_token, "revoke a token, at once", "blastd token revoke k3v9x2ab")
    revoke.add_argument("token_id", metavar="TOKEN_ID", help="the first part of the token, as 'token list' shows it")
    _settings(revoke)


def _doctor(commands: Sub) -> None:
    parser = _command(
        commands,
        "doctor",
        doctor.doctor,
        "check what the service needs, and say how to mend it",
        "blastd doctor --db-dir /data/blastdb",
    )
    _settings(parser)
    parser.add_argument("--db-dir", metavar="DIR", action="append", help="folder with BLAST databases; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _migrate(commands: Sub) -> None:
    _settings(
        _command(
            commands,
            "migrate",
            admin.migrate,
            "bring the store to this version's schema ('serve' does so, too)",
            "blastd migrate",
        )
    )


def _backup(commands: Sub) -> None:
    parser = _command(
        commands,
        "backup",
        admin.backup,
        "write a consistent copy of the store, also while the service runs",
        "blastd backup /backup/blastd-$(date +%F).sqlite",
    )
    parser.add_argument("target", metavar="FILE", help="new file for the copy")
    _settings(parser)


def _fsck(commands: Sub) -> None:
    parser = _command(
        commands,
        "fsck",
        fsck.fsck,
        "compare the store with its files and blobs; exit 0 when all is as it should be, 1 with findings",
        "blastd fsck\nblastd fsck --mend    # with the service stopped",
    )
    parser.add_argument(
        "--mend",
        action="store_true",
        help="remove what no row owns and forget formats that are gone (results are never changed); the service must be stopped",
    )
    parser.add_argument("--no-blobs", action="store_true", help="leave the storage account out")
    parser.add_argument("--json", action="store_true", help="print JSON")
    _settings(parser)


def _export(commands: Sub) -> None:
    parser = _command(
        commands,
        "export",
        archive.export_job,
        "write a job that has ended into one file, from the state folder; prints the file's SHA-256",
        "blastd export 3f9c27a81b04 --out job.tar.gz",
    )
    parser.add_argument("job", metavar="ID", help="id, or its first 8 or more digits")
    parser.add_argument("--out", metavar="FILE", required=True, help="new file for the archive, a tar.gz")
    _settings(parser)


def _import(commands: Sub) -> None:
    parser = _command(
        commands,
        "import",
        archive.import_job,
        "take a job over from such a file, into the state folder; prints its id",
        "blastd import job.tar.gz\nblastd import job.tar.gz --owner ada",
    )
    parser.add_argument("file", metavar="FILE", help="archive that 'blastd export' wrote")
    parser.add_argument("--owner", metavar="NAME", help="whose job it becomes (default: the owner that it had)")
    parser.add_argument(
        "--max-bytes",
        metavar="N",
        type=int,
        default=16 << 30,
        help="most that it may unpack to (default: 17179869184, 16 GiB)",
    )
    _settings(parser)


def _openapi(commands: Sub) -> None:
    _command(
        commands,
        "openapi",
        admin.openapi,
        "print the OpenAPI 3.1 document of the HTTP API",
        "blastd openapi > openapi.json",
    )
