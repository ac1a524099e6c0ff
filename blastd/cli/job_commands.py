"""The commands about searches, with their flags and examples. What they do is in `jobs`."""

from blastd.cli.flags import (
    FORMATS,
    PROGRAMS,
    Parser,
    Sub,
    client_flags,
    command,
    output_flags,
    result_flags,
    service_flags,
    timeout_flag,
)


def _submit(commands: Sub) -> None:
    parser = command(
        commands,
        "submit",
        "submitting.submit",
        "submit a search and print its id",
        "blastd submit --program blastn --db nt query.fa -o evalue=1e-10 -o max_target_seqs=50\n"
        "blastd submit --program blastp --db swissprot proteins.fa.gz --wait --format xml --out hits.xml\n"
        "zcat reads.fa.gz | blastd submit --program blastn --db 16S_demo - -- -evalue 1e-5 -ungapped\n"
        "blastd submit --program blastp --subject mine.fa proteins.fa.gz --wait --format pairwise\n"
        "blastd submit --cfg elastic-blast.ini --wait",
    )
    _search_flags(parser)
    parser.add_argument("--title", metavar="TEXT", default="", help="title of the job")
    parser.add_argument("--engine", metavar="NAME", help="local or kubernetes (default: the service chooses)")
    parser.add_argument("--priority", metavar="N", type=int, help="-10 to 10, higher runs earlier among your own jobs")
    parser.add_argument("--time-limit", metavar="SECONDS", type=int, help="stop the search when it has run so long")
    parser.add_argument("--webhook", metavar="URL", help="address that is told when the job has ended")
    parser.add_argument("--no-reuse", action="store_true", help="run the search even if the same one has a result")
    parser.add_argument("--cfg", metavar="INI", help="take the search from an elastic-blast.ini")
    parser.add_argument(
        "--key", metavar="KEY", help="Idempotency-Key: the same key gives the same job (default: a new one)"
    )
    parser.add_argument("--wait", action="store_true", help="wait for the end, with progress")
    result_flags(parser)
    output_flags(parser, "--output")
    service_flags(parser)
    parser.set_defaults(quiet=False, talks=True)


def _search_flags(parser: Parser) -> None:
    """Take what the search is: queries, program, databases and options."""
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
        help="search option by its BLAST+ name, may be repeated; table, tsv, json or id: what is printed of the job",
    )
    parser.add_argument(
        "--organism",
        metavar="NAME",
        action="append",
        help="search in this organism or group only, by any name or taxonomy id; may be repeated",
    )
    parser.add_argument("--exclude-organism", metavar="NAME", action="append", help="leave this one out, likewise")
    parser.add_argument(
        "--query-type",
        choices=("sequences", "pssm", "msa"),
        help="what the query is: sequences, a matrix of psiblast (pssm), or an alignment (msa)",
    )
    parser.add_argument("--query-loc", metavar="FROM-TO", help="part of the query to search with")


def _blast(commands: Sub) -> None:
    for program in PROGRAMS:
        _program(commands, program)


def _program(commands: Sub, program: str) -> None:
    parser = command(
        commands,
        program,
        "submitting.blast",
        f"BLAST+'s {program}, run in the service: its flags, its bytes",
        f"blastd {program} -query query.fa -db nt -evalue 1e-5 -outfmt 6 -out hits.tsv\n"
        f"blastd {program} -query query.fa -db nt -outfmt '6 std stitle' --url https://blast.example.org",
    )
    parser.usage = f"blastd {program} -query FASTA -db NAME [FLAGS OF BLAST+] [--title TEXT] [--timeout SECONDS] …"
    parser.add_argument("--title", metavar="TEXT", default="", help="title of the job")
    parser.add_argument(
        "--key", metavar="KEY", help="Idempotency-Key: the same key gives the same job (default: a new one)"
    )
    timeout_flag(parser)
    service_flags(parser)
    parser.set_defaults(program=program, quiet=True, wait=True, output=None, fields=None, talks=True)


def _jobs(commands: Sub) -> None:
    parser = command(
        commands,
        "jobs",
        "jobs.list_jobs",
        "list jobs, newest first",
        "blastd jobs --status running\nblastd jobs -n 500 -o json\nblastd jobs --status completed -o id",
    )
    parser.add_argument(
        "--status", metavar="STATUS", action="append", help="queued, running, completed, failed or cancelled"
    )
    parser.add_argument("--program", choices=PROGRAMS, help="only of this program")
    parser.add_argument("--db", metavar="NAME", help="only of this database")
    parser.add_argument("-q", "--search", metavar="TEXT", help="text in title, id, first query or database")
    parser.add_argument("-n", "--limit", metavar="N", type=int, default=20, help="how many (default: 20)")
    client_flags(parser)


def _show(commands: Sub) -> None:
    parser = command(
        commands,
        "show",
        "jobs.show",
        "show jobs, with their steps and warnings",
        "blastd show 3f9c27a81b04\nblastd show 3f9c27a81b04 --fields job_id,status,hits\nblastd show --exit-code 3f9c27a81b04; echo $?",
    )
    parser.add_argument("jobs", metavar="ID", nargs="+", help="ids, or their first 8 or more digits")
    parser.add_argument(
        "--exit-code",
        action="store_true",
        help="exit as 'elastic-blast status --exit-code' does: 0 success, 1 failure, 2 creating, 3 submitting, 4 running, "
        "5 deleting, 6 unknown",
    )
    parser.add_argument("--logs", action="store_true", help="show what BLAST+ and the engine wrote")
    client_flags(parser)


def _wait(commands: Sub) -> None:
    parser = command(
        commands,
        "wait",
        "jobs.wait",
        "wait for the ends of jobs, through outages of the service",
        "blastd wait 3f9c27a81b04 --timeout 600 && echo done",
    )
    parser.add_argument("jobs", metavar="ID", nargs="+", help="ids, or their first 8 or more digits")
    timeout_flag(parser)
    client_flags(parser)


def _logs(commands: Sub) -> None:
    parser = command(commands, "logs", "jobs.logs", "show what BLAST+ and the engine wrote", "blastd logs 3f9c27a81b04")
    parser.add_argument("jobs", metavar="ID", nargs="+", help="ids, or their first 8 or more digits")
    client_flags(parser, rows=False)


def _results(commands: Sub) -> None:
    parser = command(
        commands,
        "results",
        "jobs.results",
        "write the result of a job",
        "blastd results 3f9c27a81b04 --format csv > hits.csv\n"
        "blastd results 3f9c27a81b04 --format tabular --fields 'qaccver saccver evalue stitle'\n"
        "blastd results 3f9c27a81b04 --format xml --out hits.xml",
    )
    parser.add_argument("job", metavar="ID", help="id, or its first 8 or more digits")
    parser.add_argument(
        "--format",
        metavar="FORMAT",
        choices=FORMATS,
        default="tabular",
        help=f"{', '.join(FORMATS)} (default: tabular)",
    )
    parser.add_argument("--fields", metavar="FIELDS", help="columns of a tabular format")
    parser.add_argument("--out", metavar="FILE", help="file (default: standard output)")
    parser.add_argument("--partial", action="store_true", help="while it runs: what is done already")
    client_flags(parser, rows=False)


def _cancel(commands: Sub) -> None:
    parser = command(commands, "cancel", "jobs.cancel", "cancel jobs", "blastd cancel 3f9c27a81b04")
    parser.add_argument("jobs", metavar="ID", nargs="+", help="ids, or their first 8 or more digits")
    parser.add_argument("--wait", action="store_true", help="wait until nothing of them runs any more")
    client_flags(parser)


def _retry(commands: Sub) -> None:
    parser = command(
        commands,
        "retry",
        "jobs.retry",
        "run a failed or cancelled job again, keeping what is done",
        "blastd retry 3f9c27a81b04",
    )
    parser.add_argument("jobs", metavar="ID", nargs="+", help="ids, or their first 8 or more digits")
    client_flags(parser)


def _delete(commands: Sub) -> None:
    parser = command(
        commands, "delete", "jobs.delete", "delete ended jobs and their files for good", "blastd delete 3f9c27a81b04"
    )
    parser.add_argument("jobs", metavar="ID", nargs="+", help="ids, or their first 8 or more digits")
    client_flags(parser)


def _import_xml(commands: Sub) -> None:
    parser = command(
        commands,
        "import-xml",
        "jobs.import_xml",
        "keep BLAST XML made elsewhere as a job to read",
        "blastd import-xml old-result.xml --title 'of the old server'\nblastd import-xml old-result.xml.gz -o id",
    )
    parser.add_argument("file", metavar="FILE", help="BLAST XML (-outfmt 5), plain or .gz")
    parser.add_argument("--title", metavar="TEXT", default="", help="title of the job")
    client_flags(parser)


def _workflow(commands: Sub) -> None:
    parser = command(
        commands,
        "workflow",
        "workflows.workflow",
        "write a job as a small workflow that runs it again",
        "blastd workflow 3f9c27a81b04 --dir again",
    )
    parser.add_argument("job", metavar="ID", help="id, or its first 8 or more digits")
    parser.add_argument("--dir", metavar="DIR", required=True, help="new folder for query.fa, search.sh and Snakefile")
    parser.add_argument(
        "--format", metavar="FORMAT", choices=FORMATS, default="tabular", help=f"of the result: {', '.join(FORMATS)}"
    )
    client_flags(parser, rows=False)


EVERY = (_submit, _blast, _jobs, _show, _wait, _logs, _results, _cancel, _retry, _delete, _import_xml, _workflow)
"""In the order of the help."""
