"""Which nodes hold which database generation: a hint that saves the staging container, kept over restarts.

A node may lose its cache at any time; a pod that does not find the database then brings it itself. So what was seen counts
for some hours, unless it is seen again.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from blastd.clock import Clock
from blastd.durable import publish

MOST = 1000
"""Generations remembered."""
PROVEN_SECONDS = 6 * 3600.0
"""How long a node counts as one that holds a generation after it was last seen to."""
NEWS_SECONDS = 600.0
"""What was seen again so soon is not written again."""


class Nodes:
    """The hint, in memory and in a file. Reading and writing the file block."""

    def __init__(self, file: Path, clock: Clock) -> None:
        """Read *file*; one that is missing, damaged or of an earlier form is an empty hint."""
        self._file, self._clock = file, clock
        self._seen: dict[str, dict[str, float]] = {}
        try:
            self._seen = msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, float]])
        except (OSError, msgspec.MsgspecError):
            return

    def of(self, fingerprint: str) -> tuple[str, ...]:
        """Return the nodes that were lately seen to hold a generation."""
        now = self._clock.now().timestamp()
        seen = self._seen.get(fingerprint, {})
        return tuple(sorted(node for node, at in seen.items() if abs(now - at) < PROVEN_SECONDS))

    def all(self) -> Mapping[str, Mapping[str, float]]:
        """Return by generation when each node was last seen to hold it, in seconds since the epoch."""
        return self._seen

    def add(self, fingerprint: str, node: str) -> bool:
        """Note that a node holds a generation; True if it is news, and `save` is due."""
        if not node:
            return False
        seen, now = self._seen.setdefault(fingerprint, {}), self._clock.now().timestamp()
        news = abs(now - seen.get(node, 0.0)) > NEWS_SECONDS
        if news:
            seen[node] = now
        while len(self._seen) > MOST:
            self._seen.pop(next(iter(self._seen)))
        return news

    def remove(self, fingerprint: str, node: str) -> bool:
        """Note that a node does not hold a generation; True if it is news, and `save` is due."""
        return self._seen.get(fingerprint, {}).pop(node, None) is not None

    def save(self) -> None:
        """Write the file; blocking."""
        part = self._file.with_name(f"{self._file.name}.{os.getpid()}.part")
        part.write_bytes(msgspec.json.encode(self._seen))
        publish(part, self._file)
