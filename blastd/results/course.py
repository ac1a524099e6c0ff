"""How far the making of a format is: what is done now, and what share of it, from files that grow. Pure but for the sizes of files."""

from dataclasses import dataclass
from pathlib import Path

CHECKING, WRITING = "checking", "writing"


@dataclass
class FormatCourse:
    """One making of a format, part by part. A part is searched again and compared first, then written; each counts half.

    Checking is as far as what it wrote is of what was stored. How much will be written is not known: writing is expected to last
    as long as checking did. `step` and the rest are set by who makes, `fraction` is asked by who waits.
    """

    total_bytes: int = 0
    done_bytes: int = 0
    part_bytes: int = 0
    step: str = CHECKING
    file: Path | None = None
    since: float = 0.0
    checked_seconds: float = 0.0

    def begin(self, part_bytes: int) -> None:
        """Note that a part whose stored form has so many bytes is begun, and the one before is done."""
        self.done_bytes += self.part_bytes
        self.part_bytes = part_bytes

    def checks(self, file: Path, now: float) -> None:
        """Note that the part is searched into *file*, to be compared."""
        self.step, self.file, self.since = CHECKING, file, now

    def writes(self, now: float) -> None:
        """Note that the part was as stored, and is written."""
        if self.step == CHECKING:
            self.checked_seconds = now - self.since
        self.step, self.file, self.since = WRITING, None, now

    def fraction(self, now: float) -> float | None:
        """Return how much of the making is done, None while nothing is known; blocking, for the time of one stat."""
        if not self.total_bytes or not self.part_bytes:
            return None
        half = self.part_bytes / 2
        if self.step == CHECKING:
            part = half * min(1.0, _size(self.file) / self.part_bytes)
        else:
            part = half + half * min(0.95, (now - self.since) / max(self.checked_seconds, 0.1))
        return min((self.done_bytes + part) / self.total_bytes, 0.99)


def _size(file: Path | None) -> int:
    try:
        return file.stat().st_size if file is not None else 0
    except OSError:
        return 0
