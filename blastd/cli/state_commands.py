"""The commands on the service's own state, and `serve`, with their flags and examples."""

from blastd.cli.flags import Parser, Sub, command, output_flags, settings_flags


def _serve(commands: Sub) -> None:
    parser = command(
        commands,
        "serve",
        "serve.serve",
        "run the service",
        "blastd serve --db-dir /data/blastdb\nblastd serve --config /etc/blastd/blastd.toml --listen 0.0.0.0:8470",
    )
    settings_flags(parser)
    parser.add_argument(
        "--listen", metavar="ADDRESS", help="HOST:PORT or unix:/PATH to serve on (default: 127.0.0.1:8470)"
    )
    parser.add_argument(
        "--db-dir",
        metavar="DIR",
        action="append",
        help="folder with BLAST databases; may be repeated; replaces databases.dirs",
    )
    parser.add_argument("--log-level", metavar="LEVEL", help="debug, info, warning or error")
    parser.add_argument("--log-format", metavar="FORMAT", help="auto, console or json")


def _token(commands: Sub) -> None:
    outer = command(
        commands,
        "token",
        "admin.list_tokens",
        "create, list and revoke access tokens",
        "blastd token create --owner ada --role user",
    )
    inner = outer.add_subparsers(metavar="ACTION", required=True, parser_class=Parser)
    create = command(
        inner,
        "create",
        "admin.create_token",
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
    settings_flags(create)
    listing = command(inner, "list", "admin.list_tokens", "list tokens, without their secrets", "blastd token list")
    output_flags(listing, "-o", "--output")
    listing.add_argument("--fields", metavar="NAMES", help="which fields, by their names in JSON")
    settings_flags(listing)
    revoke = command(inner, "revoke", "admin.revoke_token", "revoke a token, at once", "blastd token revoke k3v9x2ab")
    revoke.add_argument("token_id", metavar="TOKEN_ID", help="the first part of the token, as 'token list' shows it")
    settings_flags(revoke)


def _doctor(commands: Sub) -> None:
    parser = command(
        commands,
        "doctor",
        "doctor.doctor",
        "check what the service needs, and say how to mend it",
        "blastd doctor --db-dir /data/blastdb",
    )
    settings_flags(parser)
    parser.add_argument("--db-dir", metavar="DIR", action="append", help="folder with BLAST databases; may be repeated")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _migrate(commands: Sub) -> None:
    settings_flags(
        command(
            commands,
            "migrate",
            "admin.migrate",
            "bring the store to this version's schema ('serve' does so, too)",
            "blastd migrate",
        )
    )


def _backup(commands: Sub) -> None:
    parser = command(
        commands,
        "backup",
        "admin.backup",
        "write a consistent copy of the store, also while the service runs",
        "blastd backup /backup/blastd-$(date +%F).sqlite",
    )
    parser.add_argument("target", metavar="FILE", help="new file for the copy")
    settings_flags(parser)


def _fsck(commands: Sub) -> None:
    parser = command(
        commands,
        "fsck",
        "fsck.fsck",
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
    settings_flags(parser)


def _export(commands: Sub) -> None:
    parser = command(
        commands,
        "export",
        "archive.export_job",
        "write a job that has ended into one file, from the state folder; prints the file's SHA-256",
        "blastd export 3f9c27a81b04 --out job.tar.gz",
    )
    parser.add_argument("job", metavar="ID", help="id, or its first 8 or more digits")
    parser.add_argument("--out", metavar="FILE", required=True, help="new file for the archive, a tar.gz")
    settings_flags(parser)


def _import(commands: Sub) -> None:
    parser = command(
        commands,
        "import",
        "archive.import_job",
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
    settings_flags(parser)


def _openapi(commands: Sub) -> None:
    command(
        commands,
        "openapi",
        "admin.openapi",
        "print the OpenAPI 3.1 document of the HTTP API",
        "blastd openapi > openapi.json",
    )


def _completion(commands: Sub) -> None:
    parser = command(
        commands,
        "completion",
        "shells.completion",
        "print the completion script of a shell",
        "blastd completion bash > ~/.local/share/bash-completion/completions/blastd\n"
        "blastd completion zsh > ~/.zfunc/_blastd",
    )
    parser.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def _man(commands: Sub) -> None:
    parser = command(
        commands,
        "man",
        "shells.man",
        "print the manual page",
        "blastd man | man -l -\nblastd man --out ~/.local/share/man/man1/blastd.1",
    )
    parser.add_argument("--out", metavar="FILE", help="file (default: standard output)")


EVERY = (
    _serve, _token, _doctor, _migrate, _backup, _fsck, _export, _import, _openapi, _completion, _man,
)  # fmt: skip
"""In the order of the help."""
SHELLS = ("bash", "zsh", "fish", "tcsh")
"""Whose completion scripts shtab writes."""
