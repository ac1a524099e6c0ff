"""Settings and how they are gathered.

The descriptions of the keys are repeated in `config/blastd.toml` (a test compares keys and defaults).
What a setting does is left to the module that takes its section.
"""

from blastd.config.access import AccessSettings
from blastd.config.base import Secret
from blastd.config.cluster import AzureSettings, KubernetesSettings, Toleration, VolumeSettings
from blastd.config.databases import DatabasesSettings, SourceSettings
from blastd.config.load import DEFAULT_STATE, KEYS, SECTIONS, Loaded, gather, load, shown
from blastd.config.sections import (
    BlastSettings,
    LimitsSettings,
    LocalSettings,
    LoggingSettings,
    RetentionSettings,
    ServerSettings,
    Settings,
    StoreSettings,
    TrackingSettings,
    WebhooksSettings,
)

__all__ = [
    "DEFAULT_STATE",
    "KEYS",
    "SECTIONS",
    "AccessSettings",
    "AzureSettings",
    "BlastSettings",
    "DatabasesSettings",
    "KubernetesSettings",
    "LimitsSettings",
    "Loaded",
    "LocalSettings",
    "LoggingSettings",
    "RetentionSettings",
    "Secret",
    "ServerSettings",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "Toleration",
    "TrackingSettings",
    "VolumeSettings",
    "WebhooksSettings",
    "gather",
    "load",
    "shown",
]
