"""`blastd serve`: settings, log, then the daemon until it is told to stop."""

import argparse
import asyncio

from blastd import daemon, log
from blastd.cli.exits import ExitCode
from blastd.cli.settings import settings_of


def serve(given: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    settings = settings_of(given)
    log.configure(settings.logging)
    asyncio.run(daemon.serve(settings))
    return ExitCode.OK
