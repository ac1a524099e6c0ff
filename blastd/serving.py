"""One daemon process: it holds its state folder, answers signals, and serves until it is told to stop."""

import asyncio
import gc
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog
from msgspec.structs import replace

from blastd import signals, systemd
from blastd.aio import DUTIES, FAVOURS, LABOURS, duty, owning_tasks
from blastd.clock import SystemClock
from blastd.config import KEYS, Settings
from blastd.daemon import Parts, build, running
from blastd.errors import BlastdError, ConfigError
from blastd.store import private
from blastd.store.lock import try_hold
from blastd.web import listening

log = structlog.get_logger()

COLLECT_AFTER = (700, 10, 1_000)
"""As Python does, but look through all objects a hundredth as often: with 1,000 active searches that holds the loop up for
35 to 75 ms. What only such a look finds, cycles that have grown old, waits for one of ours, each `daemon.COLLECT_SECONDS`."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the state folder: two daemons on one store would both follow every job. Raises ConfigError."""
    with ExitStack() as stack:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            private.close(folder)  # before anything is made in it
            held = stack.enter_context(try_hold(folder))
        except OSError as error:
            raise ConfigError(
                f"store.state_dir: {folder} can't be written: {error.strerror or error}. Give --state-dir a folder of this user."
            ) from error
        if not held:
            raise ConfigError(f"{folder}: another blastd runs on this state folder; stop it, or give --state-dir.")
        yield


async def serve(settings: Settings, reread: Callable[[], Settings]) -> None:
    """Run the daemon until SIGTERM, SIGINT or SIGQUIT. Raises ConfigError, SchemaTooNew, StoreBroken when it can't start.

    At a SIGHUP *reread* opens the log anew and reads the settings again, of which it applies those of the log.
    """
    inherited = systemd.sockets(os.environ, os.getpid())
    if (farthest := listening.reach(inherited)) is not None:
        settings = replace(settings, server=replace(settings.server, listen=farthest))
    stop, hang_up = asyncio.Event(), asyncio.Event()
    signals.handle(asyncio.get_running_loop(), stop.set, hang_up.set)
    with only_one(settings.store.folder):
        _take_room()
        async with build(settings, SystemClock()) as parts, running(parts, inherited), owning_tasks() as tasks:
            tasks.start("reload", _reload(parts, reread, hang_up))
            gc.collect()
            gc.freeze()  # what is here stays: looking through it again and again would hold up requests for 20 ms and more
            gc.set_threshold(*COLLECT_AFTER)
            systemd.notify("READY=1", os.environ)
            await stop.wait()
            systemd.notify("STOPPING=1", os.environ)
    log.info("stopped")


def _take_room() -> None:
    """Take the file descriptors that the system allows, and the threads, before others do. Raises ConfigError."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError) as error:  # a system with a limit of its own under that of the process
            log.warning("descriptor_limit_not_raised", soft=soft, hard=hard, reason=str(error))
    try:
        for pool in (DUTIES, FAVOURS, LABOURS):
            pool.start()
    except OSError as error:
        raise ConfigError(
            f"The threads of the service can't be made: {error.strerror}. Raise the limit of tasks."
        ) from error


async def _reload(parts: Parts, reread: Callable[[], Settings], hang_up: asyncio.Event) -> None:
    """At each SIGHUP open the log anew, apply the settings that can be, and look through the database folders."""
    settings = parts.settings
    while True:
        await hang_up.wait()
        hang_up.clear()
        systemd.notify("RELOADING=1", os.environ)
        try:
            again = await duty(reread)
            changed = [key for key in KEYS if _value(again, key) != _value(settings, key)]
            waits = [key for key in changed if not key.startswith("logging.")]
            log.warning("reloaded", applied=[key for key in changed if key not in waits], need_a_restart=waits)
            await parts.services.databases.rescan()
        except (BlastdError, OSError) as error:
            log.error("reload_refused", reason=str(error))  # noqa: TRY400  # the sentence says all
        systemd.notify("READY=1", os.environ)


def _value(settings: Settings, key: str) -> object:
    section, _, name = key.partition(".")
    return getattr(getattr(settings, section), name)
