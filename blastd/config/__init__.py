"""Settings and how they are gathered.

The descriptions of the keys are their only documentation: `config/blastd.toml` and the table in README.md are made
from them (`blastd.cli.papers`). What a setting does is left to the module that takes its section.
"""

from blastd.config.load import KEYS, SECTIONS, load, shown
from blastd.config.sections import (
    AzureSettings,
    BlastSettings,
    DatabasesSettings,
    KubernetesSettings,
    LimitsSettings,
    LocalSettings,
    LoggingSettings,
    RetentionSettings,
    Secret,
    ServerSettings,
    Settings,
    StoreSettings,
    Toleration,
    TrackingSettings,
)

__all__ = [
    "KEYS",
    "SECTIONS",
    "AzureSettings",
    "BlastSettings",
    "DatabasesSettings",
    "KubernetesSettings",
    "LimitsSettings",
    "LocalSettings",
    "LoggingSettings",
    "RetentionSettings",
    "Secret",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "Toleration",
    "TrackingSettings",
    "load",
    "shown",
]
