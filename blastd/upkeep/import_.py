"""Taking a job over from an archive: nothing of it is believed before it was compared with rules of our own. Blocks.

The rows must be those of a job that blastd could have written: an option that this service does not offer, a path, or
a media type of the archive's own choosing never gets into the store. The files must be as the rows say, and a completed
result is read whole, as at the end of a search. What an archive can't prove is that BLAST+ wrote its results.
"""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from msgspec.structs import replace

from blastd.core import programs
from blastd.core.ascii_titles import Decoder
from blastd.core.ids import JobId, Owner
from blastd.core.model import Artifact, Frozen, Job, Status, Unit, UnitKind, UnitState
from blastd.core.programs import Catalogue
from blastd.core.search import Search
from blastd.durable import BLOCK, flush, flush_folder
from blastd.errors import BadRequest, Conflict, ResultGone
from blastd.results.assemble import assemble
from blastd.results.formats import FORMATS
from blastd.store import artifacts, events, jobs, private, units
from blastd.store.files import Files
from blastd.tracking.finish import MEDIA_TYPE
from blastd.upkeep.archive import Archive, Contents, Member, job_id_of, same, times
from blastd.upkeep.export import contents_of

ENGINE = re.compile(r"[a-z][a-z0-9-]{0,39}")
MADE = re.compile(r"([a-z0-9_]+)(-[a-z0-9]{1,40}){0,2}")
"""Name of a kept format: the format, the sum of its columns, one query (`service.results.read.key_of`)."""
SOURCES = frozenset({"api", "web", "ncbi", "cli"})
STANDIN = re.compile(r"[A-Za-z0-9]{3}[0-9a-y]+z")
PLAIN = re.compile(r"[A-Za-z0-9\u0080-\U0010ffff]+")
"""What stand-ins are put back as, unescaped, in XML and JSON, too (`core.ascii_titles`)."""
SHOWN_FAULTS = 10
EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
"""Before there was a blastd."""
LATE = timedelta(days=1)
"""How far the clock of another machine may be ahead."""
PRIORITY = 10


class Taken(Frozen, frozen=True, kw_only=True):
    """What an import did; `fresh` False: the same job was here already."""

    job: Job
    files: int
    fresh: bool


def take_over(
    db: sqlite3.Connection, files: Files, archive: Archive, known: Catalogue, now: datetime, owner: Owner | None
) -> Taken:
    """Add the job of *archive* to the store, for *owner* if given. *known* are the options that this service offers.

    Raises BadRequest with its faults, Conflict when another job has its id.
    """
    contents = belonging_to(archive.contents, owner)
    places = _checked(contents, archive, known, now)
    contents = asking_again(contents)
    job = contents.job
    if (here := jobs.get(db, job.job_id)) is not None:
        if not _equal(contents_of(db, here), contents):
            raise Conflict(f"There is another job {job.job_id} here already, not identical to the archive's.")
        return Taken(job=here, files=0, fresh=False)
    with files.held():
        _unpack(db, files, archive, contents, places, now)
    return Taken(job=job, files=len(places), fresh=True)


def _unpack(
    db: sqlite3.Connection, files: Files, archive: Archive, contents: Contents, places: dict[str, str], now: datetime
) -> None:
    """Write the files, read them whole, and give them their place with the rows."""
    work = files.temporary()
    try:
        for folder in (work, work / "units", work / "results"):
            folder.mkdir(mode=0o700)
        for path in archive.files(lambda member: work / places[member.name]):
            flush(path)
        _read_whole(work, contents)
        private.give(files.root, work)
        for folder in (work / "units", work / "results", work):
            flush_folder(folder)
        _commit(db, files, contents, work, now)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def belonging_to(contents: Contents, owner: Owner | None) -> Contents:
    """Return *contents* with what means nothing here taken out, and for another owner if one is given.

    No reuse key: a result that only an archive vouches for does not answer searches of others. No engine reference: it
    names objects of another cluster.
    """
    owner = contents.job.owner if owner is None else owner
    job = replace(contents.job, owner=owner, reuse_key=None, engine_ref={}, queue_position=None, waiting_for=None)
    its_events = tuple(replace(event, owner=owner) for event in contents.events)
    return replace(contents, job=job, events=its_events)


def asking_again(contents: Contents) -> Contents:
    """Return *contents* in which no shard of an unfinished search has answered yet.

    What a shard proposes holds for the cut of the database that was made then, by the blastd of then: a retry with shards of
    another cut beside it could miss subjects.
    """
    if contents.job.status is Status.COMPLETED:
        return contents
    waiting = {"state": UnitState.WAITING, "output_bytes": None, "output_sha256": None, "exit_code": None}
    units = [
        replace(unit, **waiting, started_at=None, ended_at=None) if unit.kind is UnitKind.PROPOSE else unit
        for unit in contents.units
    ]
    return replace(contents, units=tuple(units))


def _equal(here: Contents, there: Contents) -> bool:
    """Tell whether two jobs are the same: row, units and results; formats may have been made on either side."""
    here = asking_again(belonging_to(here, there.job.owner))
    results = [[artifact for artifact in one.artifacts if artifact.name.startswith("units/")] for one in (here, there)]
    return same(here.job, there.job) and same(here.units, there.units) and same(*results)


# ---------------------------------------------------------------- checks
def _checked(contents: Contents, archive: Archive, known: Catalogue, now: datetime) -> dict[str, str]:
    """Return where each file of the archive goes in the job's folder. Raises BadRequest with the faults."""
    members = {member.name: member for member in archive.members}
    wanted = {member.name: path for path, member in _files(contents, members)}
    faults = [*_row_faults(contents, archive, known), *_unit_faults(contents, members)]
    faults += _time_faults(contents, now)
    faults += [f"{name[:100]!r} belongs to no row" for name in members if name not in wanted]
    faults += [fault for artifact in contents.artifacts for fault in _artifact_faults(artifact, contents, members)]
    if "query.fa" not in members or members["query.fa"].sha256 != contents.job.query.sha256:
        faults.append("its query is not the one that the row names")
    if contents.job.standins and "query.ascii.fa" not in members:
        faults.append("query.ascii.fa is missing")
    if faults:
        more = f"; and {len(faults) - SHOWN_FAULTS} more" if len(faults) > SHOWN_FAULTS else ""
        raise BadRequest(f"The archive's rows are not sound: {'; '.join(faults[:SHOWN_FAULTS])}{more}.")
    return wanted


def _files(contents: Contents, members: dict[str, Member]) -> Iterator[tuple[str, Member]]:
    """Yield (path in the job's folder, member) of every file that the rows have a place for; the paths are ours."""
    paths = ["query.fa", *(["query.ascii.fa"] if contents.job.standins else [])]
    paths += [f"units/{unit.index}.out" for unit in contents.units if unit.state is UnitState.DONE]
    for artifact in contents.artifacts:
        if (path := _made_path(artifact)) is not None:
            paths.append(path)
    for path in paths:
        if path in members:
            yield path, members[path]


def _made_path(artifact: Artifact) -> str | None:
    """Return where a kept format of this name lies; None when it is no such name."""
    match = MADE.fullmatch(artifact.name.removeprefix("results/"))
    if not artifact.name.startswith("results/") or match is None or match[1] not in FORMATS:
        return None
    return f"{artifact.name}.{FORMATS[match[1]].extension}"


def _row_faults(contents: Contents, archive: Archive, known: Catalogue) -> Iterator[str]:
    job = contents.job
    job_id_of(job.job_id)
    belonging = {unit.job_id for unit in contents.units} | {artifact.job_id for artifact in contents.artifacts}
    belonging |= {event.job_id for event in contents.events} | {JobId(archive.manifest.job_id)}
    if belonging != {job.job_id}:
        yield "they are of several jobs"
    if not job.status.terminal or str(job.phase) != str(job.status) or job.finished_at is None:
        yield f"the job is {job.status}, not ended"
    names = tuple(ref.name for ref in job.databases)
    search = Search(program=job.program, databases=names, task=job.task, options=job.options, query_loc=job.query_loc)
    arguments, faults = programs.check(search, known)
    yield from (f"{pointer.lstrip('/')}: {text.rstrip('.')}" for pointer, text in faults)
    if arguments is not None and not (same(arguments.options, job.options) and arguments.task == job.task):
        yield "its options are not written as blastd writes them"
    texts = [job.title, job.owner, *names]
    texts += [text for ref in job.databases for text in (ref.title, ref.date, ref.fingerprint, ref.molecule)]
    if any(not letter.isprintable() for text in texts for letter in text):
        yield "a title or name has control characters"  # a database's title becomes a line of an alias file
    if not ENGINE.fullmatch(job.engine) or abs(job.priority) > PRIORITY or job.source not in SOURCES:
        yield "engine, priority or source are none of ours"
    if any(not STANDIN.fullmatch(name) or not PLAIN.fullmatch(text) for name, text in job.standins.items()):
        yield "its stand-ins are none of ours"


def _time_faults(contents: Contents, now: datetime) -> Iterator[str]:
    """Yield times that no search of a blastd can have had: lists and retention go by them."""
    latest = now + LATE
    for place, moment in times(contents):
        if not EARLIEST <= moment <= latest:
            yield f"{place} is {moment:%Y-%m-%d %H:%M}, not between {EARLIEST:%Y} and now"
    job = contents.job
    if job.finished_at is not None and job.finished_at < job.created_at:
        yield "the job ended before it began"
    numbers = [event.event_id for event in contents.events]
    if numbers != sorted(set(numbers)):
        yield "its events are not in order"


def _unit_faults(contents: Contents, members: dict[str, Member]) -> Iterator[str]:
    its_units, job = contents.units, contents.job
    if [unit.index for unit in its_units] != list(range(job.units_total)):
        yield f"the units are not those of a plan of {job.units_total}"
    if sum(unit.queries for unit in its_units if unit.kind is not UnitKind.PROPOSE) != job.query.count:
        yield f"the units are not of {job.query.count} queries"
    if any(attempt.unit >= len(its_units) or attempt.unit < 0 for attempt in contents.attempts):
        yield "an attempt is of no unit"
    for unit in its_units:
        numbers = (unit.batch, unit.first_query, unit.queries, unit.letters, unit.offset, unit.size, unit.attempt)
        if min(numbers) < 0 or unit.threads < 1:
            yield f"unit {unit.index} has numbers below zero"
        member = members.get(f"units/{unit.index}.out")
        if member is not None and (member.size_bytes, member.sha256) != (unit.output_bytes, unit.output_sha256):
            yield f"{member.name} is not the output that unit {unit.index} names"
    if job.status is not Status.COMPLETED:
        return
    listed = {artifact.name for artifact in contents.artifacts}
    for unit in its_units:
        if unit.kind is not UnitKind.PROPOSE and not (unit.state is UnitState.DONE and f"units/{unit.index}" in listed):
            yield f"the result of unit {unit.index} is missing"


def _artifact_faults(artifact: Artifact, contents: Contents, members: dict[str, Member]) -> Iterator[str]:
    outputs: dict[str, Unit] = {f"units/{unit.index}": unit for unit in contents.units}
    path, media_type = _made_path(artifact), MEDIA_TYPE
    if artifact.name in outputs:
        path = f"{artifact.name}.out"
    elif path is not None:
        media_type = FORMATS[artifact.name.removeprefix("results/").partition("-")[0]].media_type
    member = members.get(path or "")
    if path is None or artifact.path != path or artifact.media_type != media_type:
        yield f"artifact {artifact.name[:60]!r} is none that blastd makes"
    elif member is None or (member.size_bytes, member.sha256) != (artifact.size_bytes, artifact.sha256):
        yield f"artifact {artifact.name} is not in the archive as its row says"


def _read_whole(work: Path, contents: Contents) -> None:
    """Read a completed result as at the end of a search, and the query's two forms. Raises BadRequest."""
    if contents.job.standins and not _same_query(work, contents.job):
        raise BadRequest("The archive's two forms of the query are not the same query.")
    for unit in contents.units:
        path = work / "units" / f"{unit.index}.out"
        if unit.kind is UnitKind.PROPOSE and path.exists() and not _are_ranges(path, contents.job):
            raise BadRequest(f"The archive's {path.name} names no sequences of the databases.")
    if contents.job.status is not Status.COMPLETED:
        return
    try:
        found = assemble(work, contents.job, contents.units)
    except ResultGone as error:
        raise BadRequest(f"The archive's result can't be read: {error}") from error
    if found.hits != contents.job.hits:
        raise BadRequest(f"The archive's result has {found.hits} hits, its row says {contents.job.hits}.")


def _are_ranges(path: Path, job: Job) -> bool:
    """Tell whether a file holds what a proposing part writes: ascending half-open ranges of positions."""
    try:
        ranges = msgspec.json.decode(path.read_bytes(), type=tuple[tuple[int, int], ...])
    except msgspec.MsgspecError:
        return False
    ends = [0, *(end for pair in ranges for end in pair), sum(ref.sequences for ref in job.databases)]
    return all(begin < end for begin, end in ranges) and ends == sorted(ends)


def _same_query(work: Path, job: Job) -> bool:
    decoder = Decoder(job.standins)
    with (work / "query.ascii.fa").open("rb") as ascii_file, (work / "query.fa").open("rb") as query:
        while block := ascii_file.read(BLOCK):
            ready = decoder.feed(block)
            if query.read(len(ready)) != ready:
                return False
        rest = decoder.end()
        return query.read() == rest


# ---------------------------------------------------------------- store
def _commit(db: sqlite3.Connection, files: Files, contents: Contents, work: Path, now: datetime) -> None:
    """Give the files their place and write the rows, both in the one write transaction: two imports take turns.

    A crash between leaves a folder that no row owns, which the sweep removes.
    """
    job = contents.job
    folder = files.job_folder(job.job_id)
    placed = False
    db.execute("BEGIN IMMEDIATE")
    try:
        if jobs.get(db, job.job_id) is not None:
            raise Conflict(f"Job {job.job_id} was imported by somebody else just now.")
        files.remove_job(job.job_id)  # what an import that crashed here left
        work.rename(folder)
        placed = True
        flush_folder(folder.parent)
        _rows(db, contents, now)
        db.execute("COMMIT")
    except BaseException as error:
        with suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        if placed:
            files.remove_job(job.job_id)
        if isinstance(error, (sqlite3.IntegrityError, OverflowError)):  # what the schema itself does not take
            raise BadRequest(f"The archive's rows are not sound: {error}.") from error
        raise


def _rows(db: sqlite3.Connection, contents: Contents, now: datetime) -> None:
    job = contents.job
    jobs.restore(db, job)
    units.insert(db, contents.units)
    units.restore_attempts(db, job.job_id, contents.attempts)
    for artifact in contents.artifacts:
        artifacts.put(db, artifact)
    events.restore(db, job.job_id, contents.events)
    jobs.add_event(db, job, "imported", now, {})
