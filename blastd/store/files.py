"""Files that rows own: their folders, their making and their sweep.

All functions block: call them through `aio.offload` (small ones take well under a millisecond).
"""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from blastd.chance import Chance
from blastd.core.ids import JobId
from blastd.durable import SharedFlush, flush, flush_folder, put
from blastd.store import private
from blastd.store.lock import hold_file, is_held
from blastd.store.query_texts import QueryText

QUERY, ASCII_QUERY = "query.fa", "query.ascii.fa"
HELD = ".held"
STRANGER_SECONDS = 3600.0
PART = re.compile(r"[0-9]+\.(?!out$).*|batch-[0-9]+\.fa(\..*)?")
"""What is made on the way to the output of a unit, in the folder of units; earlier versions kept files of batches."""


class Files:
    """The folders of the store under one root: jobs, generations, databases, tmp."""

    def __init__(self, root: Path, chance: Chance) -> None:
        """Make the folders under *root*, readable by this user only; *chance* names what is temporary."""
        self.root = root
        self.jobs, self.generations = root / "jobs", root / "generations"
        self.databases, self.tmp = root / "databases", root / "tmp"
        self.folders = (self.jobs, self.generations, self.databases, self.tmp)
        for folder in self.folders:
            if not folder.exists():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                private.give(root, folder)
        self._prefix, self._numbers = chance.uuid().hex, count()
        self._jobs_flush = SharedFlush(self.jobs)

    def job_folder(self, identifier: JobId) -> Path:
        """Return the folder of a job."""
        return self.jobs / identifier

    def query_path(self, identifier: JobId) -> Path:
        """Return the submitted query sequences, normalised."""
        return self.jobs / identifier / QUERY

    def units_folder(self, identifier: JobId) -> Path:
        """Return where outputs of units lie."""
        return self.jobs / identifier / "units"

    def temporary(self) -> Path:
        """Return a new name on the same file system; the sweep removes what is left there."""
        return self.tmp / f"{self._prefix}-{next(self._numbers)}"

    def make_job(self, identifier: JobId, query: Path, ascii_query: Path | None) -> None:
        """Make the folder of a job and move the files of its query there, durable when this returns."""
        folder = self._make_folders(identifier)
        if ascii_query is not None:
            put(ascii_query, folder / ASCII_QUERY)
        put(query, folder / QUERY)
        flush_folder(folder)
        self._jobs_flush.flush()

    def write_query(self, text: QueryText) -> None:
        """Make the folder of a job with its query; the store keeps the text until this is durable, too."""
        self._make_folders(text.job_id)
        for path, content in self._texts(text):
            path.write_bytes(content)

    def flush_queries(self, page: Sequence[QueryText]) -> None:
        """Make the query files of jobs durable; one that is not there went with its job."""
        for text in page:
            folder = self.job_folder(text.job_id)
            with suppress(FileNotFoundError):
                for path, _ in self._texts(text):
                    flush(path)
                flush_folder(folder)
        flush_folder(self.jobs)

    def restore_queries(self, page: Sequence[QueryText]) -> Sequence[JobId]:
        """Write the query files of jobs again that are not as the store has them; returns whose."""
        written = []
        for text in page:
            self._make_folders(text.job_id)
            for path, content in self._texts(text):
                if not path.exists() or path.read_bytes() != content:
                    path.write_bytes(content)
                    written.append(text.job_id)
        return written

    def _texts(self, text: QueryText) -> Iterator[tuple[Path, bytes]]:
        folder = self.job_folder(text.job_id)
        yield folder / QUERY, text.fasta
        if text.ascii is not None:
            yield folder / ASCII_QUERY, text.ascii

    def _make_folders(self, identifier: JobId) -> Path:
        """Make the folder of a job, and in it the one for outputs of units, which these make durable."""
        folder = self.job_folder(identifier)
        for one in (folder, self.units_folder(identifier)):
            one.mkdir(mode=0o700, exist_ok=True)
        return folder

    def remove_job(self, identifier: JobId) -> int:
        """Remove the files of a job; returns bytes freed."""
        folder = self.job_folder(identifier)
        freed = sum(size for _, size in walk(folder))
        shutil.rmtree(folder, ignore_errors=True)
        return freed

    def tidy_units(self, identifier: JobId) -> None:
        """Remove what a crash left half made of a job's units; nothing when the job went meanwhile."""
        with suppress(FileNotFoundError):
            for path in list(self.units_folder(identifier).iterdir()):
                if PART.fullmatch(path.name):
                    remove(path)

    def make_units(self, identifier: JobId) -> None:
        """Make the folder of a job's units if that went."""
        self._make_folders(identifier)

    def old_folders(self, now_seconds: float, size: int) -> Iterator[list[str]]:
        """Yield the names of folders of jobs that are older than a submit can take, *size* at once."""
        names: list[str] = []
        with os.scandir(self.jobs) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if now_seconds - entry.stat(follow_symlinks=False).st_mtime > STRANGER_SECONDS:
                        names.append(entry.name)
                if len(names) == size:
                    yield names
                    names = []
        yield names

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep what this process makes in `tmp` from the daemon's sweep, for a command beside it."""
        with hold_file(self.tmp / f"{self._prefix}{HELD}"):
            yield

    def temporaries(self) -> list[Path]:
        """Return what lies in `tmp` and no process that lives has made: what a crash left, and inputs that rows own.

        A name begins with the prefix of the process that made it; a process beside the daemon holds its own (`held`).
        """
        entries = list(self.tmp.iterdir())
        alive = {self._prefix, *(path.stem for path in entries if path.suffix == HELD and is_held(path))}
        return [path for path in entries if path.name.removesuffix(HELD).partition("-")[0] not in alive]

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
