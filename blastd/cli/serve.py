"""`blastd serve`: settings, log, then the daemon until it is told to stop."""

import argparse
import asyncio
import os
import sys

import structlog

from blastd import log, serving, signals
from blastd.cli.exits import ExitCode
from blastd.cli.settings import settings_of
from blastd.config import Settings
from blastd.errors import BlastdError
from blastd.store.private import OTHERS


def serve(given: argparse.Namespace) -> int:
    """Serve until SIGTERM, SIGINT or SIGQUIT."""
    signals.hold()
    os.umask(OTHERS)
    settings = settings_of(given)
    lines, file = log.Gathered(sys.stderr), log.LogFile(sys.stderr)
    log.configure(settings.logging, lines)

    def reread() -> Settings:
        file.reopen()
        again = settings_of(given)
        log.configure(again.logging, lines)
        return again

    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):  # later Pythons do so by themselves
        asyncio.set_child_watcher(asyncio.PidfdChildWatcher())  # else each process of BLAST+ costs a thread that waits
    try:
        asyncio.run(serving.serve(settings, reread))
    except BlastdError:
        raise
    except ExceptionGroup as errors:
        _, others = errors.split(BlastdError)
        if others is not None:
            structlog.get_logger().error("daemon_failed", exc_info=others)
        raise
    except Exception:
        structlog.get_logger().exception("daemon_failed")
        raise
    finally:
        lines.send()
    return ExitCode.OK
