"""What a request gets while the first look of a start at the databases goes on."""

import asyncio
from collections.abc import Sequence

from blastd.errors import Unavailable
from blastd.service.databases.catalogue import Databases

SCAN_SECONDS = 5.0
"""How long a submit waits for its databases."""
RETRY_SECONDS = 5


async def settled(databases: Databases, names: Sequence[str]) -> None:
    """Return when the catalogue can say what *names* are. Raises Unavailable when that takes long."""
    if databases.scanned.is_set() or all(databases.current(name) is not None for name in names):
        return
    try:
        async with asyncio.timeout(SCAN_SECONDS):
            await databases.scanned.wait()
    except TimeoutError as error:
        raise Unavailable(
            "The service has just started and is still scanning its databases: submit again in a moment.",
            retry_after_seconds=RETRY_SECONDS,
        ) from error
