"""Writing a job into an archive, from the store and its files. Blocks."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from blastd.core.ids import JobId
from blastd.core.model import Event, Frozen, Job, UnitState
from blastd.durable import digest, publish
from blastd.errors import Conflict, ResultGone
from blastd.store import artifacts, events, units
from blastd.store.files import Files
from blastd.upkeep.archive import Contents, Member, write

PAGE = 1000


class Written(Frozen, frozen=True, kw_only=True):
    """What an export wrote."""

    job: Job
    files: int
    size_bytes: int
    sha256: str


def write_job(db: sqlite3.Connection, files: Files, job: Job, target: Path, version: str) -> Written:
    """Write *job*, which has ended, with all that belongs to it to the new file *target*.

    Raises Conflict for a job that has not ended, ResultGone for one whose query or result is not whole. Formats that
    are not whole are left out: they are made again.
    """
    if not job.status.terminal:
        raise Conflict(f"The job is {job.status}: only one that has ended can be exported.", status=job.status)
    contents = contents_of(db, job)
    found = [(member, files.job_folder(job.job_id) / member.name) for member in _members(files, contents)]
    kept = {member.name for member, _ in found}
    listed = tuple(artifact for artifact in contents.artifacts if artifact.path in kept)
    whole = Contents(
        job=job, units=contents.units, attempts=contents.attempts, artifacts=listed, events=contents.events
    )
    temporary = target.with_name(f".{target.name}.part")
    try:
        write(temporary, whole, found, version)
        temporary.chmod(0o600)
        size, sha256 = publish(temporary, target)
    except FileNotFoundError as error:
        raise ResultGone(f"{error.filename} was removed while it was read.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return Written(job=job, files=len(found), size_bytes=size, sha256=sha256)


def contents_of(db: sqlite3.Connection, job: Job) -> Contents:
    """Return the rows of *job*."""
    return Contents(
        job=job,
        units=tuple(units.of_job(db, job.job_id)),
        attempts=tuple(units.attempts(db, job.job_id)),
        artifacts=tuple(artifacts.of_job(db, job.job_id)),
        events=tuple(_events(db, job.job_id)),
    )


def _events(db: sqlite3.Connection, job_id: JobId) -> Iterator[Event]:
    after = 0
    while page := events.after(db, after, job_id=job_id, limit=PAGE):
        yield from page
        after = page[-1].event_id


def _members(files: Files, contents: Contents) -> Iterator[Member]:
    job = contents.job
    folder = files.job_folder(job.job_id)
    yield _intact(folder, "query.fa", None, job.query.sha256)
    if job.standins:
        yield _intact(folder, "query.ascii.fa", None, "")
    for unit in contents.units:
        path = f"units/{unit.index}.out"
        if unit.state is UnitState.DONE and (folder / path).exists():
            yield _intact(folder, path, unit.output_bytes, unit.output_sha256 or "")
        elif any(artifact.path == path for artifact in contents.artifacts):
            raise ResultGone(f"The stored result is no longer whole: {path} is missing.")
    for artifact in contents.artifacts:
        if artifact.name.startswith("results/"):
            try:
                yield _intact(folder, artifact.path, artifact.size_bytes, artifact.sha256)
            except ResultGone:
                continue


def _intact(folder: Path, path: str, size_bytes: int | None, sha256: str) -> Member:
    """Return a stored file as a member. Raises ResultGone when it is not as its row says."""
    try:
        size, found = digest(folder / path)
    except OSError as error:
        raise ResultGone(f"The stored result is no longer whole: {path} can't be read ({error.strerror}).") from error
    if (size_bytes is not None and size != size_bytes) or (sha256 and found != sha256):
        raise ResultGone(f"The stored result is no longer whole: {path} is not as it was stored.")
    return Member(name=path, size_bytes=size, sha256=found)
