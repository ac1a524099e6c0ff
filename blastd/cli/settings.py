"""Settings of commands that work on the service's own state, from their flags, the file and the environment."""

import argparse
import os
from pathlib import Path

from blastd.config import Settings, load

FLAGS = {
    "listen": "server.listen",
    "state_dir": "store.state_dir",
    "db_dir": "databases.dirs",
    "log_level": "logging.level",
    "log_format": "logging.format",
}


def settings_of(given: argparse.Namespace) -> Settings:
    """Return the settings. Raises ConfigError with every fault."""
    flags = {key: value for flag, key in FLAGS.items() if (value := getattr(given, flag, None)) is not None}
    file = given.config or os.environ.get("BLASTD_CONFIG")
    return load(Path(file) if file else None, os.environ, flags)
