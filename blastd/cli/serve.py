"""`blastd serve`: settings, log, then the daemon until it is told to stop."""

import argparse
import asyncio
import os
import sys

from blastd import daemon, log
from blastd.cli.exits import ExitCode
from blastd.cli.settings import settings_of


def serve(given: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT."""
    settings = settings_of(given)
    lines = log.Gathered(sys.stderr)
    log.configure(settings.logging, lines)
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):  # later Pythons do so by themselves
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())  # else each process of BLAST+ costs a thread that waits
    try:
        asyncio.run(daemon.serve(settings))
    finally:
        lines.send()
    return ExitCode.OK
