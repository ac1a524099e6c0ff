"""Compares the store's rows with the files of the state folder, and removes what no row owns.

A running daemon changes both all the time: then nothing is mended, what is young is left out, and what looks wrong is
looked at twice. All functions block; they are for a command beside the daemon, never for its loop.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import msgspec
from msgspec.structs import replace

from blastd.blastplus import makedb
from blastd.clock import from_ms
from blastd.core.ids import JobId
from blastd.core.model import Artifact, Frozen, Job, Status, Unit, UnitKind, UnitState
from blastd.durable import digest
from blastd.errors import SchemaTooNew, StoreBroken
from blastd.store import artifacts, connect, dbtasks, jobs, migrate, query_texts, sqlite, units
from blastd.store.connect import BUSY_SECONDS
from blastd.store.files import ASCII_QUERY, PART, QUERY, STRANGER_SECONDS, remove

PAGE = 1000
SHOWN = 100
"""Lines of SQLite's own checks that are shown; a file that is this broken needs its backup."""
DERIVED = frozenset(
    {
        "hits.sqlite",
        "difference.sqlite",
        "partial",
        "db",
        "seqids.txt",
        "negative_seqids.txt",
        "taxids.txt",
        "negative_taxids.txt",
    }
)
"""Made again from rows and artifacts whenever they are needed (`results.hits`, `blastplus.command`)."""
AGAIN = "search again; asking for the result is answered with result_missing"
RESTORE = "restore the last backup"
REMOVE = "--mend removes it"
PUT_BACK = "the next start of the service puts it back"
FORGET = "--mend forgets it, and the format is made again when it is next asked for"


class Finding(Frozen, frozen=True, kw_only=True):
    """One thing that is not as it should be; `path` is below the state folder, `mend` says what to do.

    Kinds: store_damaged, reference_broken, row_unreadable, row_missing, file_missing, file_size, file_checksum,
    file_unowned, folder_unowned, temporary. In the storage account (`path` is "blob:" with container and name):
    blob_missing, blob_size, blob_leftover, blob_unowned, temporary, account_away.
    """

    kind: str
    path: str
    detail: str
    mend: str = ""
    job_id: JobId | None = None
    artifact: str | None = None
    mended: bool = False


class Report(Frozen, frozen=True, kw_only=True):
    """What was looked at (`size_bytes`: bytes compared with their checksum; `blobs` by their sizes) and found."""

    running: bool
    jobs: int
    files: int
    size_bytes: int
    findings: tuple[Finding, ...]
    blobs: int = 0


class OwnedFile(Frozen, frozen=True, kw_only=True):
    """A file that rows say is there, by its path in the job's folder; unknown size or checksum: not compared."""

    path: str
    size_bytes: int | None
    sha256: str
    artifact: str | None = None


class Rows(Frozen, frozen=True, kw_only=True):
    """A job with everything of it, read at one moment."""

    job: Job
    units: Sequence[Unit]
    artifacts: Sequence[Artifact]
    text_kept: bool
    """Whether the store holds the query itself, and the next start writes its file if need be."""


def check(file: Path, now_seconds: float, *, running: bool, mend: bool) -> Report:
    """Compare the store *file* and the folder around it; *mend* needs that no daemon runs, and holds the folder.

    Raises StoreBroken when the file can't be read at all, SchemaTooNew.
    """
    try:
        with closing(_open(file)) as db:
            report = _Check(db, file, now_seconds, running=running).run()
    except sqlite3.DatabaseError as error:
        raise StoreBroken(
            f"The store {file} can't be read: {error}. Restore a copy made by 'blastd backup'."
        ) from error
    whole = not any(finding.kind in ("store_damaged", "reference_broken") for finding in report.findings)
    return _mended(file, report) if mend and not running and whole else report


def _open(file: Path) -> sqlite3.Connection:
    if not file.exists():
        raise StoreBroken(f"There is no store at {file}: name it with --state-dir.")
    return connect.prepared(connect.open_file(file, "ro", BUSY_SECONDS), _is_known)


def _is_known(db: sqlite3.Connection) -> None:
    db.row_factory = sqlite3.Row
    known, at = len(migrate.steps()), migrate.version(db)
    if at > known:
        raise SchemaTooNew(f"The store has schema {at}, this blastd knows {known}: use the newer blastd.")
    if at != known:
        raise StoreBroken(f"The store has schema {at} of {known}: run 'blastd migrate' first.")


class _Check:
    """One pass over store and folder."""

    def __init__(self, db: sqlite3.Connection, file: Path, now_seconds: float, *, running: bool) -> None:
        self._db, self._name, self._root, self._now, self._running = db, file.name, file.parent, now_seconds, running
        self._sums: dict[tuple[int, int, int, int], str] = {}
        self._files = self._bytes = 0

    def run(self) -> Report:
        """Look at everything."""
        found = [*self._sqlite()]
        known: set[str] = set()
        if not any(finding.kind == "store_damaged" for finding in found):
            after = ""
            while page := jobs.ids_after(self._db, JobId(after), PAGE):
                known.update(page)
                after = page[-1]
            for job_id in sorted(known):
                found += self._job(JobId(job_id))
            found += [*self._strangers(known), *self._generations(), *self._tasks(), *self._temporary()]
        return Report(
            running=self._running, jobs=len(known), files=self._files, size_bytes=self._bytes, findings=tuple(found)
        )

    def _sqlite(self) -> Iterator[Finding]:
        for row in self._db.execute(f"PRAGMA integrity_check({SHOWN})"):
            if row[0] != "ok":
                yield Finding(kind="store_damaged", path=self._name, detail=str(row[0]), mend=RESTORE)
        for row in self._db.execute("PRAGMA foreign_key_check").fetchmany(SHOWN):
            yield Finding(
                kind="reference_broken",
                path=self._name,
                detail=f"a row of {row[0]} names a missing {row[2]}",
                mend=RESTORE,
            )

    # ------------------------------------------------------------------ jobs and their files
    def _job(self, job_id: JobId) -> list[Finding]:
        found = self._look(job_id)
        if found and self._running:  # between reading the row and the file the daemon may have changed both
            again = self._look(job_id)
            found = [finding for finding in found if finding in again]
        return found

    def _look(self, job_id: JobId) -> list[Finding]:
        try:
            rows = self._rows(job_id)
        except (msgspec.MsgspecError, ValueError) as error:
            return [
                Finding(kind="row_unreadable", path=f"jobs/{job_id}", detail=str(error), mend=RESTORE, job_id=job_id)
            ]
        if rows is None or rows.job.source == "external":
            return []
        found = [replace(finding, job_id=job_id, path=f"jobs/{job_id}/{finding.path}") for finding in missing(rows)]
        folder = self._root / "jobs" / job_id
        for stored in expected(rows):
            damage = list(self._damage(folder, job_id, stored))
            if not (rows.text_kept and stored.path in (QUERY, ASCII_QUERY)):
                found += damage
        return [*found, *self._unowned(folder, rows)]

    def _rows(self, job_id: JobId) -> Rows | None:
        self._db.execute("BEGIN")
        try:
            job = jobs.get(self._db, job_id)
            if job is None:
                return None
            its_units, its_artifacts = units.of_job(self._db, job_id), artifacts.of_job(self._db, job_id)
            return Rows(job=job, units=its_units, artifacts=its_artifacts, text_kept=query_texts.has(self._db, job_id))
        finally:
            self._db.execute("COMMIT")

    def _damage(self, folder: Path, job_id: JobId, stored: OwnedFile) -> Iterator[Finding]:
        kind, detail = self._compare(folder / stored.path, stored)
        if kind:
            yield Finding(
                kind=kind,
                path=f"jobs/{job_id}/{stored.path}",
                detail=detail,
                mend=FORGET if stored.artifact is not None else AGAIN,
                job_id=job_id,
                artifact=stored.artifact,
            )

    def _compare(self, path: Path, stored: OwnedFile) -> tuple[str, str]:
        """Return kind and sentence of what is wrong with a file, empty if nothing."""
        try:
            stat = path.stat(follow_symlinks=False)
            if stored.size_bytes is not None and stat.st_size != stored.size_bytes:
                return "file_size", f"has {stat.st_size:,} bytes instead of {stored.size_bytes:,}"
            key = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)  # reused results share a file
            if stored.sha256 and key not in self._sums:
                size, self._sums[key] = digest(path)
                self._bytes += size
        except OSError as error:
            return "file_missing", "is missing" if isinstance(error, FileNotFoundError) else f"can't be read: {error}"
        self._files += 1
        if stored.sha256 and self._sums[key] != stored.sha256:
            return "file_checksum", "has another checksum than when it was stored"
        return "", ""

    def _unowned(self, folder: Path, rows: Rows) -> Iterator[Finding]:
        """Yield files of a job's folder that it does not need."""
        if self._running and not rows.job.status.terminal:
            return
        keep = owned(rows)
        for path in (*_entries(folder), *_entries(folder / "units"), *_entries(folder / "results")):
            inside = path.relative_to(folder).as_posix()
            if inside not in keep and path.name not in DERIVED and self._old(path, STRANGER_SECONDS):
                cut_off = inside.startswith("units/") and PART.fullmatch(path.name) is not None
                yield self._stray(path, "temporary" if cut_off else "file_unowned", rows.job.job_id)

    # ------------------------------------------------------------------ folders
    def _strangers(self, known: set[str]) -> Iterator[Finding]:
        for path in _entries(self._root / "jobs"):
            if path.name not in known and self._old(path, STRANGER_SECONDS):
                if self._running and jobs.get(self._db, JobId(path.name)) is not None:
                    continue
                yield self._stray(path, "folder_unowned")

    def _generations(self) -> Iterator[Finding]:
        used = jobs.fingerprints(self._db)
        for path in _entries(self._root / "generations"):
            if path.name not in used and self._old(path, STRANGER_SECONDS):
                yield self._stray(path, "temporary" if path.name.startswith(".") else "folder_unowned")

    def _tasks(self) -> Iterator[Finding]:
        for task_id, why in dbtasks.unsound(self._db):
            detail = f"the making of a database (task {task_id}) can't be begun: {why}"
            yield Finding(kind="row_unreadable", path=self._name, detail=detail, mend="the service ends it failed")

    def _temporary(self) -> Iterator[Finding]:
        if self._running:
            return  # the daemon knows what it is making, and sweeps the rest
        inputs = dbtasks.inputs(self._db, from_ms(int(self._now * 1000)))
        for path in _entries(self._root / "tmp"):
            if path.name not in inputs:
                yield self._stray(path, "temporary")
        for path in _entries(self._root / "databases"):
            if path.name.startswith("."):
                stray = self._stray(path, "temporary")
                yield replace(stray, mend=PUT_BACK) if makedb.waits(path) else stray

    def _stray(self, path: Path, kind: str, job_id: JobId | None = None) -> Finding:
        detail = "is left over from work that was cut off: harmless" if kind == "temporary" else "belongs to no row"
        inside = path.relative_to(self._root).as_posix()
        return Finding(kind=kind, path=inside, detail=detail, mend=REMOVE, job_id=job_id)

    def _old(self, path: Path, seconds: float) -> bool:
        """Tell whether a file can't be one that a running daemon is making now."""
        if not self._running:
            return True
        try:
            return self._now - path.lstat().st_mtime > seconds
        except OSError:
            return False


def missing(rows: Rows) -> Iterator[Finding]:
    """Yield what a job's rows themselves lack; paths are below the job's folder."""
    if len(rows.units) != rows.job.units_total:
        detail = f"the row counts {rows.job.units_total} units, there are {len(rows.units)}"
        yield Finding(kind="row_missing", path="units", detail=detail, mend=RESTORE)
    if rows.job.status is not Status.COMPLETED:
        return
    names = {artifact.name for artifact in rows.artifacts}
    for unit in rows.units:
        if unit.kind is not UnitKind.PROPOSE and f"units/{unit.index}" not in names:
            detail = "the search has completed, and no artifact is listed for this part"
            yield Finding(kind="row_missing", path=f"units/{unit.index}.out", detail=detail, mend=AGAIN)


def expected(rows: Rows) -> Iterator[OwnedFile]:
    """Yield every file that must be there: the query, artifacts, and what finished parts of other jobs keep for a retry."""
    yield OwnedFile(path=QUERY, size_bytes=None, sha256=rows.job.query.sha256)
    if rows.job.standins:
        yield OwnedFile(path=ASCII_QUERY, size_bytes=None, sha256="")
    for artifact in rows.artifacts:
        made = artifact.name if artifact.name.startswith("results/") else None
        yield OwnedFile(path=artifact.path, size_bytes=artifact.size_bytes, sha256=artifact.sha256, artifact=made)
    if rows.job.status is Status.COMPLETED or rows.job.engine != "local":
        return
    for unit in rows.units:
        if unit.state is UnitState.DONE:
            yield OwnedFile(
                path=f"units/{unit.index}.out", size_bytes=unit.output_bytes, sha256=unit.output_sha256 or ""
            )


def owned(rows: Rows) -> set[str]:
    """Return the files that may lie in a job's folder, by their paths in it."""
    keep = {"units", "results", QUERY, ASCII_QUERY} | {artifact.path for artifact in rows.artifacts}
    keep |= {f"units/{unit.index}.out" for unit in rows.units}
    return keep | {f"units/batch-{unit.batch}.fa" for unit in rows.units}


def _mended(file: Path, report: Report) -> Report:
    """Remove what no row owns and forget formats that are gone, as the daemon's own sweep and reads do."""
    after: list[Finding] = []
    with closing(sqlite.open_sync(file)) as db:
        for finding in report.findings:
            path = file.parent / finding.path
            if finding.mend == FORGET and finding.job_id is not None and finding.artifact is not None:
                artifacts.drop(db, finding.job_id, finding.artifact)
            if finding.mend in (REMOVE, FORGET):
                remove(path)
            mended = finding.mend in (REMOVE, FORGET) and not os.path.lexists(path)
            after.append(replace(finding, mended=mended))
    return replace(report, findings=tuple(after))


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
