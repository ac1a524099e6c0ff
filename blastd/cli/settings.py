"""Settings of commands that work on the service's own state, and which store they mean.

Flags, file and environment say which store that is, as they do for `serve`. A command beside the daemon says which one it
uses, and refuses where there is none: a new one would be another than the service's, and whatever is done to it (a token,
a check) would look done and not be.
"""

import argparse
import os
from pathlib import Path

from blastd.cli import screen
from blastd.config import DEFAULT_STATE, Loaded, Settings, gather
from blastd.errors import NotFound
from blastd.store.connect import refuse_lost

FLAGS = {
    "listen": "server.listen",
    "state_dir": "store.state_dir",
    "db_dir": "databases.dirs",
    "log_level": "logging.level",
    "log_format": "logging.format",
}
SYSTEM_FILE = Path("/etc/blastd/blastd.toml")
"""Where the systemd unit has its settings."""
WAY_OUT = "Name the service's: --config FILE with store.state_dir, or --state-dir DIR, as 'blastd serve' has it."


def settings_of(given: argparse.Namespace) -> Settings:
    """Return the settings. Raises ConfigError with every fault."""
    return _gathered(given).settings


def told_settings(given: argparse.Namespace) -> Settings:
    """Return the settings, and say which state folder they mean. Raises ConfigError."""
    loaded = _gathered(given)
    screen.say(f"state: {loaded.settings.store.folder} (from {loaded.state_origin})")
    return loaded.settings


def existing_store(given: argparse.Namespace) -> Settings:
    """Return the settings of a store that is there, and say which. Raises ConfigError, NotFound."""
    loaded = _gathered(given)
    file = loaded.settings.store.file
    if _guessed(given, loaded) and SYSTEM_FILE.exists():
        raise NotFound(
            f"Which store is meant? {SYSTEM_FILE} is there, and nothing named {file.parent}. "
            f"Give --config {SYSTEM_FILE}, or --state-dir."
        )
    try:
        refuse_lost(file)
        there = file.exists() and file.stat().st_size > 0
    except OSError as error:
        raise NotFound(f"{file} can't be looked at: {error.strerror}. Run this as the service's user.") from error
    if not there:
        raise NotFound(
            f"There is no store at {file} (from {loaded.state_origin}). {WAY_OUT} Where there is none yet, 'blastd migrate' "
            "makes one, and so does the first 'blastd serve'."
        )
    screen.say(f"state: {file.parent} (from {loaded.state_origin})")
    return loaded.settings


def _guessed(given: argparse.Namespace, loaded: Loaded) -> bool:
    return not _file(given) and loaded.state_origin in (DEFAULT_STATE, "XDG_STATE_HOME")


def _file(given: argparse.Namespace) -> str | None:
    return given.config or os.environ.get("BLASTD_CONFIG") or None


def _gathered(given: argparse.Namespace) -> Loaded:
    flags = {key: value for flag, key in FLAGS.items() if (value := getattr(given, flag, None)) is not None}
    file = _file(given)
    return gather(Path(file) if file else None, os.environ, flags)
