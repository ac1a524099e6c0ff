"""Opens the storage that the settings choose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from blastd.chance import Chance
from blastd.config import Settings
from blastd.storage.blob import open_blobs
from blastd.storage.contract import Storage
from blastd.storage.volume import open_volume


@asynccontextmanager
async def open_storage(settings: Settings, chance: Chance) -> AsyncIterator[Storage]:
    """Give the storage of cluster searches; nothing is asked of it yet. Raises ConfigError."""
    if settings.kubernetes.storage == "volume":
        yield open_volume(settings.volume, chance)
        return
    async with open_blobs(settings.azure) as blobs:
        yield blobs
