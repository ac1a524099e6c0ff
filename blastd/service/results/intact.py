"""Whether stored files are still what was stored: sizes and checksums, compared before anything is read, shared or made of them."""

from collections.abc import Sequence
from pathlib import Path
from stat import S_ISREG

from blastd.core.model import Artifact
from blastd.durable import digest
from blastd.errors import ResultGone

Seen = tuple[int, int, int, int]
MOST_SEEN = 100_000
"""Files whose look is remembered: about 30 MB; then all are forgotten."""
AGAIN = "Submit the search again: a damaged result is never reused."


class Intact:
    """Compares files with their checksums, each once for as long as it does not change. All methods block."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._seen: dict[Path, tuple[Seen, str]] = {}

    def unread_bytes(self, folder: Path, its_artifacts: Sequence[Artifact]) -> int:
        """Return the bytes of the files of a job that nobody has looked at yet."""
        return sum(artifact.size_bytes for artifact in its_artifacts if folder / artifact.path not in self._seen)

    def damage(self, path: Path, size: int | None, sha256: str) -> str | None:
        """Return what is wrong with a stored file, None if nothing is; *size* None and an empty *sha256* are not known."""
        try:
            stat = path.stat()
            if not S_ISREG(stat.st_mode):
                return "is no plain file"
            if size is not None and stat.st_size != size:
                return f"has {stat.st_size:,} bytes instead of {size:,}"
            seen = (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size)
            if self._seen.get(path) != (seen, sha256):
                if sha256 and digest(path)[1] != sha256:
                    return "has another checksum than when it was stored"
                if len(self._seen) >= MOST_SEEN:
                    self._seen.clear()
                self._seen[path] = (seen, sha256)
        except FileNotFoundError:
            return "is missing"
        except OSError as error:
            return f"can't be read: {error.strerror}"
        return None

    def check(self, folder: Path, its_artifacts: Sequence[Artifact]) -> None:
        """Compare files of a job with their rows. Raises ResultGone."""
        for artifact in its_artifacts:
            reason = self.damage(folder / artifact.path, artifact.size_bytes, artifact.sha256)
            if reason is not None:
                raise ResultGone(f"The stored result is no longer whole: {artifact.path} {reason}. {AGAIN}")

    def check_query(self, path: Path, sha256: str) -> None:
        """Compare the submitted sequences of a job with its row. Raises ResultGone."""
        reason = self.damage(path, None, sha256)
        if reason is not None:
            raise ResultGone(f"The submitted sequences are no longer whole: the file {reason}. {AGAIN}")
