"""The commands about a service and its databases, with their flags and examples."""

from blastd.cli.flags import Parser, Sub, client_flags, command, settings_flags


def _db(commands: Sub) -> None:
    outer = command(
        commands,
        "db",
        "databases.list_databases",
        "list, make, rescan, warm and push databases",
        "blastd db list\nblastd db make 16S.fa --name 16S",
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
    client_flags(make)
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


EVERY = (_status, _programs, _db, _login, _logout, _services, _me, _version)
"""In the order of the help."""
