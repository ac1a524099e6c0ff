"""The commands about a service, with their flags and examples."""

from blastd.cli.flags import Sub, client_flags, command


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


EVERY = (_status, _programs, _login, _logout, _services, _me, _version, _mcp)
"""In the order of the help."""
