"""Accepting a search: every fault is found before 202, and what is accepted is on the disk and in the store.

The order matters: replay of an Idempotency-Key, admission (stopping, disk, queue), scan of the query, checks, plan,
files, row. A small query is durable with its row, and its file a while later (`tracking.query_files`): accepting a search
takes one flush of the disk, which those that come together share. A crash leaves at worst a folder that no row owns,
which the sweep removes.
"""

import asyncio
import hashlib
import math
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import cast

import msgspec
import structlog
from msgspec.structs import replace

from blastd.aio import by_size, duty
from blastd.blastplus.blastdb import BlastDatabase
from blastd.blastplus.generation import Changing
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import LimitsSettings
from blastd.core import ids, quota, steps
from blastd.core.fasta import SequenceLimits
from blastd.core.ids import JobId, Owner
from blastd.core.model import Artifact, Frozen, Job, Phase, Status, Unit, Warned
from blastd.core.profile_query import READERS
from blastd.core.program_table import TITLES
from blastd.core.programs import molecules
from blastd.core.quota import Spent
from blastd.core.search import Search
from blastd.errors import DiskFull, Expired, IdempotencyMismatch, Invalid, QuotaUsed, TooMany, Unavailable
from blastd.service.access import Identity
from blastd.service.search.checks import Checked, Checks, reference
from blastd.service.search.query import QueryInput, Uploads, ascii_of, read_profile, read_query
from blastd.service.search.reuse import Reuse
from blastd.service.search.starts import Starts
from blastd.service.search.subjects import ENGINE as SUBJECT_ENGINE
from blastd.service.search.subjects import Subjects
from blastd.store import artifacts, jobs, outbox, presentations, query_texts, usage
from blastd.store.files import Files
from blastd.store.jobs import Idempotency
from blastd.store.query_texts import QueryText
from blastd.store.sqlite import Store
from blastd.tracking.tracker import Tracker

log = structlog.get_logger()

SMALL_BYTES = 16 << 10
"""A query up to here is read sooner than a thread has begun: 1 to 2 ms."""
CHANGES = 3
"""Times that a search is checked anew since a database was replaced meanwhile: once is all that ever happens."""
FREE_SECONDS = 0.05
"""How long a look at the free disk space holds: each costs a request that comes with others a quarter of a millisecond."""
ROUND_UP = timedelta(seconds=59)
"""The minute in which there is room is shown, never the one before."""


class Accepted(Frozen, frozen=True, kw_only=True):
    """The job that a submission made; `replayed`: an earlier request with the same key made it."""

    job: Job
    replayed: bool = False


class Received(Frozen, frozen=True, kw_only=True):
    """A search with its sequences read: those of the query, and its `own` subjects, normalised in the file `subject`."""

    search: Search
    query_input: QueryInput
    own: QueryInput | None
    subject: Path
    key: str | None
    """The Idempotency-Key."""

    @property
    def body_sha256(self) -> str:
        """Return what tells two requests apart: their meaning, not their bytes (a multipart border differs each time)."""
        search = self.search
        words = [
            search.program, search.databases, search.task, search.options, search.title, search.engine, search.priority,
            search.query_loc, search.reuse, search.molecule_check, search.organisms, search.exclude_organisms, self.query_input.info.sha256, search.webhook,
            *([self.own.info.sha256] if self.own is not None else []),
            *([search.time_limit_seconds] if search.time_limit_seconds is not None else []),
            *([search.query_type] if search.query_type != "sequences" else []),
        ]  # fmt: skip
        return hashlib.sha256(msgspec.json.encode(words, order="deterministic")).hexdigest()


class Submit:
    """The use case of submitting."""

    def __init__(
        self,
        *,
        store: Store,
        files: Files,
        tracker: Tracker,
        clock: Clock,
        chance: Chance,
        checks: Checks,
        subjects: Subjects,
        limits: LimitsSettings,
        floor_bytes: int,
        stopping: asyncio.Event,
        webhook_fault: Callable[[str], str | None],
        reuse: Reuse,
    ) -> None:
        """Take the parts; *webhook_fault* says why an address may not be told of ends."""
        self._store, self._files, self._clock = store, files, clock
        self._chance, self._checks, self._limits, self._floor, self._stopping = (
            chance,
            checks,
            limits,
            floor_bytes,
            stopping,
        )
        self._webhook_fault, self._subjects = webhook_fault, subjects
        self._reuse = reuse
        self._free, self._free_at = 0, -math.inf
        self._starts = Starts(tracker.follow)

    async def admit(self, who: Identity) -> None:
        """Refuse early, before a body is read. Raises Unavailable, DiskFull, TooMany."""
        self._admit_any()
        await self._store.read_few(lambda db: self._room(db, who.owner))

    def _admit_any(self) -> None:
        """Refuse what nobody may submit now."""
        if self._stopping.is_set():
            raise Unavailable("The service is stopping; submit again in a moment.")
        now = self._clock.monotonic()
        if now - self._free_at >= FREE_SECONDS:
            self._free, self._free_at = self._files.free_bytes(), now
        free = self._free
        if free < self._floor:
            raise DiskFull(
                f"Free disk space ({free:,} bytes) is under the floor of {self._floor:,}: no new searches until there "
                "is room. Delete jobs that are not needed.",
                free_bytes=free,
                floor_bytes=self._floor,
            )

    def temporary(self) -> Path:
        """Return a name for an upload, on the file system of the state."""
        return self._files.temporary()

    async def submit(self, who: Identity, search: Search, uploads: Uploads, key: str | None = None) -> Accepted:
        """Accept a search; *key* is its Idempotency-Key. Raises Invalid with every fault, IdempotencyMismatch, TooMany, DiskFull, Unavailable."""
        with self._starts.request():
            return await self._submit(who, search, uploads, key)

    async def _submit(self, who: Identity, search: Search, uploads: Uploads, key: str | None) -> Accepted:
        query, subject = self._files.temporary(), self._files.temporary()
        small = isinstance(uploads.query, bytes) and len(uploads.query) <= SMALL_BYTES
        try:
            wanted = molecules(search.program)[0] if search.program in TITLES else None
            limits = SequenceLimits(letters=self._limits.query_letters, sequences=self._limits.query_sequences)
            if search.query_type in READERS:
                kept = None if small else query
                query_input = await by_size(_size(uploads.query), read_profile, uploads.query, kept, search.query_type)
            elif small:
                query_input = read_query(uploads.query, None, wanted, limits, check=search.molecule_check)
            else:
                query_input = await by_size(
                    _size(uploads.query), read_query, uploads.query, query, wanted, limits, check=search.molecule_check
                )
            own = None
            if uploads.subject is not None:
                own = await self._subjects.read(search, uploads.subject, subject)
            request = Received(search=search, query_input=query_input, own=own, subject=subject, key=key)
            replayed = await self._replayed(who, request)
            if replayed is not None:
                return replayed
            self._admit_any()  # how many the owner has is counted where the row is written
            return await self._accept_unchanged(who, request)
        finally:
            left = [upload for upload in (uploads.query, uploads.subject) if isinstance(upload, Path)]
            if not small or uploads.subject is not None:
                left += [path for file in (query, subject) for path in (file, ascii_of(file))]
            if any(path.exists() for path in left):
                await duty(_drop, *left)

    async def _accept_unchanged(self, who: Identity, request: Received) -> Accepted:
        """Accept a search on databases as they are: one that is replaced between check and pin is checked anew."""
        for _ in range(CHANGES):
            with suppress(Changing):
                return await self._accept(who, request)
        return await self._accept(who, request)

    async def _accept(self, who: Identity, request: Received) -> Accepted:
        search, query_input = request.search, request.query_input
        wrong = self._webhook_fault(search.webhook) if search.webhook else None
        known = [("/webhook", wrong)] if wrong else []
        own: list[BlastDatabase] | None = None
        warnings: tuple[Warned, ...] = ()
        if request.own is not None:
            made, faults = await self._subjects.database(search, request.own, request.subject)
            known += faults
            own, warnings = ([made.database], made.warnings) if made is not None else ([], ())
            search = replace(search, engine=search.engine or SUBJECT_ENGINE)
        checked = await self._checks.check(search, query_input, own, known)
        key = _reuse_key(query_input, checked)
        job = self._job(ids.job_id(self._chance.uuid()), who.owner, request, checked, key)
        job = replace(job, warnings=(*job.warnings, *warnings))
        if search.reuse and (same := await self._reuse.find(who.owner, key)) is not None:
            reused = await self._reuse.take(same, job)
            if reused is not None:
                accepted = await self._commit(request, reused.job, reused.units, reused.artifacts)
                self._reuse.committed(reused.job)
                return accepted
        await self._checks.pin(checked)
        if isinstance(query_input.query, Path):
            await by_size(
                query_input.query.stat().st_size,
                self._files.make_job,
                job.job_id,
                query_input.query,
                cast("Path | None", query_input.ascii),
            )
        return await self._commit(request, job, self._checks.units(job.job_id, checked.plan), ())

    async def _commit(
        self, request: Received, job: Job, its_units: Sequence[Unit], kept: Sequence[Artifact]
    ) -> Accepted:
        """Write the row with everything that belongs to it, unless the same request was faster."""
        sha = request.body_sha256
        text = None if job.status.terminal else _text(job.job_id, request.query_input)
        idempotency = (
            Idempotency(owner=job.owner, key=request.key, body_sha256=sha) if request.key is not None else None
        )

        def write(db: sqlite3.Connection) -> tuple[JobId, str] | None:
            if idempotency is not None and (before := jobs.replay(db, job.owner, idempotency.key)) is not None:
                return before
            if not job.status.terminal:
                self._room(db, job.owner)
                self._spend(db, job)
            jobs.insert(db, job, its_units, job.created_at, idempotency, self._told(db, job.owner, request.search))
            if text is not None:
                query_texts.add(db, text)
                self._files.write_query(text)
            presentations.put(db, job.job_id, request.search.presentation)
            for artifact in kept:
                artifacts.put(db, artifact)
            return None

        try:
            before = await self._store.write(write, of=[job.job_id])
        except Exception:  # a write whose caller is cancelled may be stored all the same: then the sweep decides
            await duty(self._files.remove_job, job.job_id)
            raise
        if before is not None:
            await duty(self._files.remove_job, job.job_id)
            return await self._answer(before, sha)
        log.info("job_accepted", job_id=job.job_id, program=job.program, units=len(its_units), source=job.source)
        if not job.status.terminal:
            self._starts.accepted(job.job_id)
        return Accepted(job=job)

    def _told(self, db: sqlite3.Connection, owner: Owner, search: Search) -> str | None:
        """Return the address that is told of the end: that of the request, "" for none, else the owner's own."""
        if search.webhook is not None:
            return search.webhook or None
        url = outbox.default_of(db, owner)
        return url if url is not None and self._webhook_fault(url) is None else None

    async def _replayed(self, who: Identity, request: Received) -> Accepted | None:
        key = request.key
        if key is None:
            return None
        before = await self._store.read_few(lambda db: jobs.replay(db, who.owner, key))
        return None if before is None else await self._answer(before, request.body_sha256)

    async def _answer(self, before: tuple[JobId, str], sha: str) -> Accepted:
        """Answer a repeated Idempotency-Key."""
        job_id, same = before
        if sha != same:
            raise IdempotencyMismatch
        job = await self._store.read_few(lambda db: jobs.get(db, job_id))
        if job is None:
            raise Expired("The job that this Idempotency-Key made has been removed; use a new key to search again.")
        return Accepted(job=job, replayed=True)

    def _room(self, db: sqlite3.Connection, owner: Owner) -> None:
        """Raise TooMany when *owner* has as many jobs as the limits allow."""
        queued, running = jobs.active_count(db, owner)
        limits = self._limits
        if queued >= limits.queued_jobs_per_owner:
            raise TooMany(f"You have {queued} jobs waiting, as many as this service allows; wait for some to start.")
        if queued + running >= limits.active_jobs_per_owner:
            raise TooMany(
                f"You have {queued + running} active jobs, as many as this service allows; wait for some to end."
            )

    def _spend(self, db: sqlite3.Connection, job: Job) -> None:
        """Note the letters of *job*, in the transaction that accepts it. Raises QuotaUsed, Invalid."""
        letters, now = job.query.letters, job.created_at
        if self._limits.letters_per_day:
            check_quota(usage.spent(db, job.owner, now), letters, self._limits.letters_per_day, now)
        usage.add(db, job.owner, letters, now)

    def _job(self, job_id: JobId, owner: Owner, request: Received, checked: Checked, key: str) -> Job:
        search, query_input, arguments, now = request.search, request.query_input, checked.arguments, self._clock.now()
        return Job(
            job_id=job_id,
            version=1,
            title=" ".join(search.title.split()),
            program=arguments.program,
            task=arguments.task,
            databases=(
                *(reference(database, checked.taxa) for database in checked.databases),
                *(reference(database, "", "domains") for database in checked.domains),
            ),
            options=dict(arguments.options),
            query_loc=arguments.query_loc,
            organisms=checked.organisms,
            engine=checked.engine,
            priority=search.priority,
            time_limit_seconds=search.time_limit_seconds,
            owner=owner,
            source=search.source,
            query=query_input.info,
            status=Status.QUEUED,
            phase=Phase.QUEUED,
            created_at=now,
            updated_at=now,
            steps=steps.begin(),
            units_total=len(checked.plan.units),
            blast_version=checked.blast_version,
            warnings=(*query_input.warnings, *(Warned(text=text) for text in checked.warnings)),
            plan_why=checked.plan.why,
            reuse_key=key,
            standins=query_input.standins,
            watch=search.watch,
        )


def check_quota(spent: Sequence[Spent], letters: int, limit: int, now: datetime) -> None:
    """Raise QuotaUsed when a search of *letters* has to wait, Invalid when it never fits."""
    at = quota.room_at(spent, letters, limit, now)
    if at is None:
        text = f"The query has {letters:,} letters; one owner may search {limit:,} within 24 hours. Send a smaller one."
        raise Invalid([("/query", text)])
    if at > now:
        used = quota.used(spent)
        raise QuotaUsed(
            f"You have searched {used:,} of {limit:,} letters within 24 hours, and this needs {letters:,}: "
            f"there is room for it from {at + ROUND_UP:%Y-%m-%d %H:%M} UTC.",
            used_letters=used,
            limit_letters=limit,
            retry_after_seconds=math.ceil((at - now).total_seconds()),
        )


def _reuse_key(query_input: QueryInput, checked: Checked) -> str:
    """Return what two searches with the same result have in common."""
    arguments = checked.arguments
    words = [
        query_input.info.sha256,
        [(database.name, database.fingerprint, database.taxonomy.fingerprint) for database in (*checked.databases, *checked.domains)],
        arguments.program, arguments.task, arguments.options, arguments.query_loc, checked.blast_version,
        *([query_input.info.type] if query_input.info.type != "sequences" else []),
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(words, order="deterministic")).hexdigest()


def _text(job_id: JobId, query_input: QueryInput) -> QueryText | None:
    """Return a query that was read in memory; None for one in files."""
    if isinstance(query_input.query, Path):
        return None
    return QueryText(job_id=job_id, fasta=query_input.query, ascii=cast("bytes | None", query_input.ascii))


def _size(upload: Path | bytes) -> int:
    """Return the bytes of a query that was uploaded. Raises OSError."""
    return len(upload) if isinstance(upload, bytes) else upload.stat().st_size


def _drop(*paths: Path) -> None:
    """Remove what was neither read nor moved into a job's folder; blocking."""
    for path in paths:
        path.unlink(missing_ok=True)
