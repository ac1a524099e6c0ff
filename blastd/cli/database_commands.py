"""The commands about databases, with their flags and examples."""

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
    for add in (_make, _available, _fetch, _update, _rename, _remove, _history, _work, _taxa, _rescan, _warm, _push):
        add(inner)


def _make(inner: Sub) -> None:
    parser = command(
        inner,
        "make",
        "databases.make",
        "make a database from FASTA, in the service",
        "blastd db make 16S.fa.gz --name 16S --title '16S rRNA genes'",
    )
    parser.add_argument("file", metavar="FASTA", help="sequences, plain or gzip; - is standard input")
    parser.add_argument("--name", required=True, metavar="NAME", help="name of the database")
    parser.add_argument("--title", metavar="TEXT", default="", help="title (default: the name)")
    parser.add_argument(
        "--type", choices=("nucl", "prot"), default="nucl", help="nucleotide or protein (default: nucl)"
    )
    parser.add_argument(
        "--no-parse-seqids", action="store_true", help="keep ids as they are, without reading NCBI's forms"
    )
    parser.add_argument(
        "--no-molecule-check",
        action="store_true",
        help="take the file although its letters look like the other molecule",
    )
    parser.add_argument("--replace", action="store_true", help="replace a database of this name that was made here")
    client_flags(parser)


def _available(inner: Sub) -> None:
    parser = command(
        inner,
        "available",
        "sources.available",
        "list what the sources of the service offer, and what is here",
        "blastd db available\nblastd db available 16S --source ncbi",
    )
    parser.add_argument("words", metavar="TEXT", nargs="?", help="only those whose name or title holds this")
    parser.add_argument("--source", metavar="NAME", help="only of this source")
    parser.add_argument("--refresh", action="store_true", help="ask the sources anew, also within a minute")
    client_flags(parser)


def _fetch(inner: Sub) -> None:
    parser = command(
        inner,
        "fetch",
        "sources.fetch",
        "fetch a database from a source, and wait for it",
        "blastd db fetch 16S_ribosomal_RNA\nblastd db fetch swissprot --source cloud --as uniprot",
    )
    parser.add_argument("name", metavar="NAME", help="what it is called in the source")
    parser.add_argument("--source", metavar="NAME", help="which source (default: the first that offers it)")
    parser.add_argument("--as", dest="called", metavar="NAME", help="what it is to be called here (default: the same)")
    parser.add_argument(
        "--replace", action="store_true", help="replace a database of that name that was made or fetched here"
    )
    _type(parser)
    client_flags(parser)


def _update(inner: Sub) -> None:
    parser = command(
        inner,
        "update",
        "sources.update",
        "bring fetched databases up to date, if their source is newer",
        "blastd db update 16S_ribosomal_RNA\nblastd db update --all",
    )
    parser.add_argument("names", metavar="NAME", nargs="*", help="databases")
    parser.add_argument("--all", action="store_true", help="all that were fetched and whose source is newer")
    _type(parser)
    client_flags(parser)


def _rename(inner: Sub) -> None:
    parser = command(
        inner,
        "rename",
        "sources.rename",
        "rename a database that was made or fetched here",
        "blastd db rename 16S rrna",
    )
    parser.add_argument("name", metavar="NAME", help="what it is called now")
    parser.add_argument("new", metavar="NEW", help="what it is to be called")
    _type(parser)
    client_flags(parser)


def _remove(inner: Sub) -> None:
    parser = command(
        inner,
        "remove",
        "sources.remove",
        "remove a database that was made or fetched here, after showing what it serves",
        "blastd db remove 16S\nblastd db remove 16S --yes",
    )
    parser.add_argument("name", metavar="NAME", help="database")
    parser.add_argument("--yes", action="store_true", help="don't ask")
    _type(parser)
    client_flags(parser)


def _history(inner: Sub) -> None:
    parser = command(inner, "history", "sources.history", "list what became of a database", "blastd db history 16S")
    parser.add_argument("name", metavar="NAME", help="database, also one that is gone")
    client_flags(parser)


def _taxa(inner: Sub) -> None:
    parser = command(
        inner,
        "taxa",
        "databases.list_taxa",
        "find organisms of databases, as 'blastd submit --organism' takes them",
        "blastd db taxa escherichia --db nt\nblastd db taxa 562 --db nt --db refseq",
    )
    parser.add_argument("text", metavar="TEXT", help="beginning of a name or of a word in it, or a taxonomy id")
    parser.add_argument("--db", metavar="NAME", action="append", required=True, help="database; may be repeated")
    client_flags(parser)


def _rescan(inner: Sub) -> None:
    parser = command(inner, "rescan", "databases.rescan", "look through the database folders now", "blastd db rescan")
    client_flags(parser)


def _warm(inner: Sub) -> None:
    parser = command(
        inner,
        "warm",
        "databases.warm",
        "put a database on the nodes of the cluster ahead of searches",
        "blastd db warm nt",
    )
    parser.add_argument("name", metavar="NAME", help="database")
    client_flags(parser)


def _push(inner: Sub) -> None:
    parser = command(
        inner,
        "push",
        "databases.push",
        "upload a database of this machine to the storage account, from where it broke off",
        "blastd db push nt --config /etc/blastd/blastd.toml",
    )
    parser.add_argument("name", metavar="NAME", help="database")
    parser.add_argument("--db-dir", metavar="DIR", action="append", help="folder with databases; may be repeated")
    settings_flags(parser)


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


def _type(parser: Parser) -> None:
    parser.add_argument("--type", choices=("nucl", "prot"), help="needed only where there is one of each of this name")


EVERY = (_db,)
