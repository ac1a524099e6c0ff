"""Files that rows own: their folders, their making and their sweep.

All functions block: call them through `aio.offload` (small ones take well under a millisecond).
"""

import os
import re
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import uuid4

from blastd.core.ids import JobId
from blastd.durable import SharedFlush, flush_folder, put

STRANGER_SECONDS = 3600.0
PART = re.compile(r"[0-9]+\.(?!out$).*|batch-[0-9]+\.fa\.[0-9]+")
"""What the output of a unit and its batch file are called while they are made, in the folder of units."""


class Files:
    """The folders of the store under one root: jobs, generations, databases, tmp."""

    def __init__(self, root: Path) -> None:
        """Make the folders under *root*, readable by this user only."""
        self.root = root
        self.jobs, self.generations = root / "jobs", root / "generations"
        self.databases, self.tmp = root / "databases", root / "tmp"
        for folder in (self.jobs, self.generations, self.databases, self.tmp):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._prefix, self._numbers = uuid4().hex, count()
        self._jobs_flush = SharedFlush(self.jobs)

    def job_folder(self, identifier: JobId) -> Path:
        """Return the folder of a job."""
        return self.jobs / identifier

    def query_path(self, identifier: JobId) -> Path:
        """Return the submitted query sequences, normalised."""
        return self.jobs / identifier / "query.fa"

    def units_folder(self, identifier: JobId) -> Path:
        """Return where outputs of units lie."""
        return self.jobs / identifier / "units"

    def results_folder(self, identifier: JobId) -> Path:
        """Return where made formats lie."""
        return self.jobs / identifier / "results"

    def temporary(self) -> Path:
        """Return a new name on the same file system; the sweep removes what is left there."""
        return self.tmp / f"{self._prefix}-{next(self._numbers)}"

    def make_job(self, identifier: JobId, query: Path | bytes) -> None:
        """Make the folder of a job with its query (a file is moved there), durable when this returns."""
        folder = self.job_folder(identifier)
        folder.mkdir(mode=0o700, exist_ok=True)
        put(query, folder / "query.fa")
        flush_folder(folder)
        self._jobs_flush.flush()

    def make_units(self, identifier: JobId) -> None:
        """Make the folder for outputs of units, which they make durable; a fifth of a millisecond."""
        self.units_folder(identifier).mkdir(mode=0o700, exist_ok=True)

    def remove_job(self, identifier: JobId) -> int:
        """Remove the files of a job; returns bytes freed."""
        folder = self.job_folder(identifier)
        freed = sum(size for _, size in walk(folder))
        shutil.rmtree(folder, ignore_errors=True)
        return freed

    def parts(self, identifier: JobId) -> list[Path]:
        """Return what is half made of a job's units: nothing, unless a crash cut it off. Takes a few microseconds."""
        try:
            with os.scandir(self.units_folder(identifier)) as entries:
                return [Path(entry.path) for entry in entries if PART.fullmatch(entry.name)]
        except FileNotFoundError:
            return []

    def strangers(self, known: set[str], now_seconds: float) -> list[JobId]:
        """Return job folders that no row owns and that are older than a submit can take."""
        return [
            JobId(entry.name)
            for entry in self.jobs.iterdir()
            if entry.name not in known and now_seconds - entry.lstat().st_mtime > STRANGER_SECONDS
        ]

    def sweep_tmp(self, older_than_seconds: float, now_seconds: float) -> int:
        """Remove temporary files that nobody touched for a while; returns how many."""
        removed = 0
        for entry in self.tmp.iterdir():
            if now_seconds - entry.lstat().st_mtime > older_than_seconds:
                remove(entry)
                removed += 1
        return removed

    def free_bytes(self) -> int:
        """Return free disk space for this user."""
        stat = os.statvfs(self.root)
        return stat.f_bavail * stat.f_frsize


def walk(folder: Path) -> Iterator[tuple[Path, int]]:
    """Yield every file under *folder* with its size; a folder that is not there has none."""
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                yield path, path.lstat().st_size
            except FileNotFoundError:
                continue


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; one that is gone already is as good."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
