"""Settings of watches: searches that run again when their databases change."""

from typing import Annotated

from blastd.config.base import MIB, Seconds, SettingsSection, about


class WatchesSettings(SettingsSection, frozen=True, kw_only=True):
    """Searches that run again when their databases change."""

    per_owner: Annotated[int, about("Watches of one owner; one more is a 429. 0: none can be made.", ge=0)] = 50
    query_bytes: Annotated[
        int, about("Largest query of a watch, as it is stored: it is kept with the watch.", ge=1, le=64 * MIB)
    ] = 4 * MIB
    runs_kept: Annotated[
        int, about("Runs of one watch that are listed; older ones are forgotten.", ge=2, le=10_000)
    ] = 100
    retry_seconds: Annotated[
        Seconds, about("How long a watch that could not run waits until it is tried again.", gt=0)
    ] = 300.0
