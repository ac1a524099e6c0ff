"""The commands about a service and its databases, with their flags and examples."""

from blastd.cli.flags import Parser, Sub, client_flags, command, settings_flags


def _db(commands: Sub) -> None:
    outer = command(
        commands,
        "db",
        "databases.list_databases",
        "list, make, fetch, update, rename, remove, warm and push databases",
        "blastd db list\nblastd db make 16S.fa --name 16S\nblastd db fetch 16S_ribosomal_RNA",
    )
    inner = outer.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    client_flags(command(inner, "list", "databases.list_databases", "list databases", "blastd db list"))
    make = command(
        inner,
        "make",
        "databases.make",
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
    make.add_argument("--replace", action="store_true", help="replace a database of this name that was made here")
    client_flags(make)
    _sources(inner)
    _work(inner)
    taxa = command(
        inner,
        "taxa",
        "databases.list_taxa",
        "find organisms of databases, as 'blastd submit --organism' takes them",
        "blastd db taxa escherichia --db nt\nblastd db taxa 562 --db nt --db refseq",
    )
    taxa.add_argument("text", metavar="TEXT", help="beginning of a name or of a word in it, or a taxonomy id")
    taxa.add_argument("--db", metavar="NAME", action="append", required=True, help="database; may be repeated")
    client_flags(taxa)
    rescan = command(inner, "rescan", "databases.rescan", "look through the database folders now", "blastd db rescan")
    client_flags(rescan)
    warm = command(
        inner,
        "warm",
        "databases.warm",
        "put a database on the nodes of the cluster ahead of searches",
        "blastd db warm nt",
    )
    warm.add_argument("name", metavar="NAME", help="database")
    client_flags(warm)
    push = command(
        inner,
        "push",
        "databases.push",
        "upload a database of this machine to the storage account, from where it broke off",
        "blastd db push nt --config /etc/blastd/blastd.toml",
    )
    push.add_argument("name", metavar="NAME", help="database")
    push.add_argument("--db-dir", metavar="DIR", action="append", help="folder with databases; may be repeated")
    settings_flags(push)


def _sources(inner: Sub) -> None:
    available = command(
        inner,
        "available",
        "sources.available",
        "list what the sources of the service offer, and what is here",
        "blastd db available\nblastd db available 16S --source ncbi",
    )
    available.add_argument("words", metavar="TEXT", nargs="?", help="only those whose name or title holds this")
    available.add_argument("--source", metavar="NAME", help="only of this source")
    available.add_argument("--refresh", action="store_true", help="ask the sources anew, also within a minute")
    client_flags(available)
    fetch = command(
        inner,
        "fetch",
        "sources.fetch",
        "fetch a database from a source, and wait for it",
        "blastd db fetch 16S_ribosomal_RNA\nblastd db fetch swissprot --source cloud --as uniprot",
    )
    fetch.add_argument("name", metavar="NAME", help="what it is called in the source")
    fetch.add_argument("--source", metavar="NAME", help="which source (default: the first that offers it)")
    fetch.add_argument("--as", dest="called", metavar="NAME", help="what it is to be called here (default: the same)")
    fetch.add_argument(
        "--replace", action="store_true", help="replace a database of that name that was made or fetched here"
    )
    _type(fetch)
    client_flags(fetch)
    update = command(
        inner,
        "update",
        "sources.update",
        "bring fetched databases up to date, if their source is newer",
        "blastd db update 16S_ribosomal_RNA\nblastd db update --all",
    )
    update.add_argument("names", metavar="NAME", nargs="*", help="databases")
    update.add_argument("--all", action="store_true", help="all that were fetched and whose source is newer")
    _type(update)
    client_flags(update)
    rename = command(
        inner,
        "rename",
        "sources.rename",
        "rename a database that was made or fetched here",
        "blastd db rename 16S rrna",
    )
    rename.add_argument("name", metavar="NAME", help="what it is called now")
    rename.add_argument("new", metavar="NEW", help="what it is to be called")
    _type(rename)
    client_flags(rename)
    remove = command(
        inner,
        "remove",
        "sources.remove",
        "remove a database that was made or fetched here, after showing what it serves",
        "blastd db remove 16S\nblastd db remove 16S --yes",
    )
    remove.add_argument("name", metavar="NAME", help="database")
    remove.add_argument("--yes", action="store_true", help="don't ask")
    _type(remove)
    client_flags(remove)
    history = command(inner, "history", "sources.history", "list what became of a database", "blastd db history 16S")
    history.add_argument("name", metavar="NAME", help="database, also one that is gone")
    client_flags(history)


def _type(parser: Parser) -> None:
    parser.add_argument("--type", choices=("nucl", "prot"), help="needed only where there is one of each of this name")


def _work(inner: Sub) -> None:
    client_flags(
        command(
            inner, "tasks", "database_work.tasks", "list databases that are made, fetched or updated", "blastd db tasks"
        )
    )
    for name, about in (
        ("cancel", "let work on databases end"),
        ("retry", "begin failed or cancelled work on databases again"),
    ):
        parser = command(
            inner, name, f"database_work.{name}", about, f"blastd db {name} 71ff4879a4da4379bd1999b4c2b76ef0"
        )
        parser.add_argument("tasks", metavar="TASK", nargs="+", help="ids as 'blastd db tasks' lists them")
        client_flags(parser)


def _login(commands: Sub) -> None:
    parser = command(
        commands,
        "login",
        "service.login",
        "keep the address and token of a service, under a name, and use it",
        "blastd login --url https://blast.example.org --token-file token.txt\n"
        "blastd login lab --url https://blast.example.org < token.txt\n"
        "blastd login lab    # back to one that is kept",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="name of the service (default: default)")
    client_flags(parser, rows=False)


def _logout(commands: Sub) -> None:
    parser = command(commands, "logout", "service.logout", "forget a service and its token", "blastd logout lab")
    parser.add_argument("name", metavar="NAME", nargs="?", help="name of the service (default: the one in use)")


def _services(commands: Sub) -> None:
    client_flags(
        command(commands, "services", "service.services", "list the services that are kept", "blastd services")
    )


def _me(commands: Sub) -> None:
    client_flags(command(commands, "me", "service.me", "say who one is to the service", "blastd me"))


def _version(commands: Sub) -> None:
    parser = command(
        commands, "version", "service.version", "say the versions of client, service and BLAST+", "blastd version"
    )
    parser.add_argument("--client", action="store_true", help="of this client only, without asking the service")
    client_flags(parser)


def _status(commands: Sub) -> None:
    client_flags(
        command(
            commands,
            "status",
            "service.status",
            "say how the service is, how many jobs stand where, and list the active ones",
            "blastd status\nblastd status -o id | xargs -r blastd wait",
        )
    )


def _programs(commands: Sub) -> None:
    parser = command(
        commands,
        "programs",
        "service.programs",
        "list the programs of the service, or the options of one",
        "blastd programs\nblastd programs blastn\nblastd programs blastp --fields name,default,minimum,maximum",
    )
    parser.add_argument("program", metavar="PROGRAM", nargs="?", help="program whose options are listed")
    client_flags(parser)


def _mcp(commands: Sub) -> None:
    parser = command(
        commands,
        "mcp",
        "agents.serve",
        "serve the service's tools to an agent, by the Model Context Protocol over standard input and output",
        "blastd mcp",
    )
    client_flags(parser, rows=False)


EVERY = (_status, _programs, _db, _login, _logout, _services, _me, _version, _mcp)
"""In the order of the help."""
