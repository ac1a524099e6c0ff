"""Which nodes hold which database generation: a hint that saves the staging container, kept over restarts.

A node may lose its cache at any time; a pod that does not find the database then brings it itself.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from blastd.durable import publish

MOST = 1000
"""Generations remembered."""


class Nodes:
    """The hint, in memory and in a file. Reading and writing the file block."""

    def __init__(self, file: Path) -> None:
        """Read *file*; one that is missing or damaged is an empty hint."""
        self._file = file
        self._held: dict[str, list[str]] = {}
        try:
            self._held = msgspec.json.decode(file.read_bytes(), type=dict[str, list[str]])
        except (OSError, msgspec.MsgspecError):
            return

    def of(self, fingerprint: str) -> tuple[str, ...]:
        """Return the nodes that held a generation when last seen."""
        return tuple(self._held.get(fingerprint, ()))

    def all(self) -> Mapping[str, list[str]]:
        """Return nodes by generation."""
        return self._held

    def add(self, fingerprint: str, node: str) -> bool:
        """Note a node; True if it is news, and `save` is due."""
        known = self._held.setdefault(fingerprint, [])
        if not node or node in known:
            return False
        known.append(node)
        known.sort()
        while len(self._held) > MOST:
            self._held.pop(next(iter(self._held)))
        return True

    def save(self) -> None:
        """Write the file; blocking."""
        part = self._file.with_name(f"{self._file.name}.{os.getpid()}.part")
        part.write_bytes(msgspec.json.encode(self._held))
        publish(part, self._file)
