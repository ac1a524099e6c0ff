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
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog
from msgspec.structs import replace

from blastd.aio import by_size, duty
from blastd.blastplus.makedb import Made
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import LimitsSettings
from blastd.core import ids, quota, steps
from blastd.core.fasta import SequenceLimits
from blastd.core.ids import JobId, Owner
from blastd.core.model import Artifact, Frozen, Job, Phase, Status, Unit, Warned
from blastd.core.program_table import TITLES
from blastd.core.programs import molecules
from blastd.core.quota import Spent
from blastd.errors import DiskFull, Expired, IdempotencyMismatch, Invalid, QuotaUsed, TooMany, Unavailable
from blastd.service.access import Identity
from blastd.service.search.checks import CheckedSearch, Checks, SearchRequest
from blastd.service.search.query import QueryInput, ascii_of, read_query
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
FREE_SECONDS = 0.05
"""How long a look at the free disk space holds: each costs a request that comes with others a quarter of a millisecond."""
ROUND_UP = timedelta(seconds=59)
"""The minute in which there is room is shown, never the one before."""


class Submission(Frozen, frozen=True, kw_only=True):
    """A search as it arrived; `upload` is the query as plain bytes, in memory or in a temporary file that becomes ours.

    `subject` are the sequences to search in, in place of databases, likewise.
    """

    program: str
    databases: tuple[str, ...]
    upload: Path | bytes
    subject: Path | bytes | None = None
    task: str | None = None
    options: Mapping[str, Any] = {}
    title: str = ""
    engine: str | None = None
    priority: int = 0
    query_loc: str | None = None
    reuse: bool = True
    molecule_check: bool = True
    source: str = "api"
    idempotency_key: str | None = None
    webhook: str | None = None
    presentation: Mapping[str, str] = {}


class Accepted(Frozen, frozen=True, kw_only=True):
    """The job that a submission made; `replayed`: an earlier request with the same key made it."""

    job: Job
    replayed: bool = False


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

    async def submit(self, who: Identity, given: Submission) -> Accepted:
        """Accept a search. Raises Invalid with every fault, IdempotencyMismatch, TooMany, DiskFull, Unavailable."""
        with self._starts.request():
            return await self._submit(who, given)

    async def _submit(self, who: Identity, given: Submission) -> Accepted:
        query, subject = self._files.temporary(), self._files.temporary()
        small = isinstance(given.upload, bytes) and len(given.upload) <= SMALL_BYTES
        try:
            wanted = molecules(given.program)[0] if given.program in TITLES else None
            limits = SequenceLimits(letters=self._limits.query_letters, sequences=self._limits.query_sequences)
            if small:
                query_input = read_query(given.upload, None, wanted, limits, check=given.molecule_check)
            else:
                query_input = await by_size(
                    _size(given.upload), read_query, given.upload, query, wanted, limits, check=given.molecule_check
                )
            own = await self._subjects.read(given, subject) if given.subject is not None else None
            replayed = await self._replayed(who, given, query_input, own)
            if replayed is not None:
                return replayed
            self._admit_any()  # how many the owner has is counted where the row is written
            return await self._accept(who, given, query_input, own, subject)
        finally:
            left = [one for one in (given.upload, given.subject) if isinstance(one, Path)]
            if not small or given.subject is not None:
                left += [path for one in (query, subject) for path in (one, ascii_of(one))]
            if any(path.exists() for path in left):
                await duty(_drop, *left)

    async def _accept(
        self, who: Identity, given: Submission, query_input: QueryInput, own: QueryInput | None, subject: Path
    ) -> Accepted:
        wrong = self._webhook_fault(given.webhook) if given.webhook else None
        known = [("/webhook", wrong)] if wrong else []
        made: Made | None = None
        if own is not None:
            made, faults = await self._subjects.database(given, own, subject)
            known += faults
        request = SearchRequest(
            program=given.program,
            databases=given.databases,
            task=given.task,
            options=given.options,
            query_loc=given.query_loc,
            engine=given.engine if own is None or given.engine else SUBJECT_ENGINE,
            subjects=own is not None,
            own=made.database if made is not None else None,
        )
        checked = await self._checks.check(request, query_input, known)
        key = _reuse_key(query_input, checked)
        job_id, now = ids.job_id(self._chance.uuid()), self._clock.now()
        job = self._job(job_id, who.owner, given, query_input, checked, key, now)
        if made is not None:
            job = replace(job, warnings=(*job.warnings, *made.warnings))
        its_units = self._checks.units(job_id, checked.plan)
        if given.reuse and (same := await self._reuse.find(who.owner, key)) is not None:
            reused = await self._reuse.take(same, job)
            if reused is not None:
                accepted = await self._commit(given, query_input, own, reused.job, reused.units, reused.artifacts)
                self._reuse.committed(reused.job)
                return accepted
        await self._checks.pin(checked)
        if isinstance(query_input.query, Path):
            await by_size(
                query_input.query.stat().st_size,
                self._files.make_job,
                job_id,
                query_input.query,
                cast("Path | None", query_input.ascii),
            )
        return await self._commit(given, query_input, own, job, its_units, ())

    async def _commit(
        self,
        given: Submission,
        query_input: QueryInput,
        own: QueryInput | None,
        job: Job,
        its_units: Sequence[Unit],
        kept: Sequence[Artifact],
    ) -> Accepted:
        """Write the row with everything that belongs to it, unless the same request was faster."""
        sha = body_sha256(given, query_input, own)
        text = None if job.status.terminal else _text(job.job_id, query_input)
        idempotency = (
            Idempotency(owner=job.owner, key=given.idempotency_key, body_sha256=sha) if given.idempotency_key else None
        )

        def write(db: sqlite3.Connection) -> tuple[JobId, str] | None:
            if idempotency is not None and (before := jobs.replay(db, job.owner, idempotency.key)) is not None:
                return before
            if not job.status.terminal:
                self._room(db, job.owner)
                self._spend(db, job)
            jobs.insert(db, job, its_units, job.created_at, idempotency, self._told(db, job.owner, given))
            if text is not None:
                query_texts.add(db, text)
                self._files.write_query(text)
            presentations.put(db, job.job_id, given.presentation)
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

    def _told(self, db: sqlite3.Connection, owner: Owner, given: Submission) -> str | None:
        """Return the address that is told of the end: that of the request, "" for none, else the owner's own."""
        if given.webhook is not None:
            return given.webhook or None
        url = outbox.default_of(db, owner)
        return url if url is not None and self._webhook_fault(url) is None else None

    async def _replayed(
        self, who: Identity, given: Submission, query_input: QueryInput, own: QueryInput | None
    ) -> Accepted | None:
        key = given.idempotency_key
        if key is None:
            return None
        before = await self._store.read_few(lambda db: jobs.replay(db, who.owner, key))
        return None if before is None else await self._answer(before, body_sha256(given, query_input, own))

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

    def _job(
        self,
        job_id: JobId,
        owner: Owner,
        given: Submission,
        query_input: QueryInput,
        checked: CheckedSearch,
        key: str,
        now: datetime,
    ) -> Job:
        return Job(
            job_id=job_id,
            version=1,
            title=" ".join(given.title.split()),
            program=given.program,
            task=checked.task,
            databases=checked.databases,
            options=checked.options,
            query_loc=given.query_loc,
            engine=checked.engine,
            priority=given.priority,
            owner=owner,
            source=given.source,
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


def body_sha256(given: Submission, query_input: QueryInput, own: QueryInput | None) -> str:
    """Return what tells two requests apart: their meaning, not their bytes (a multipart border differs each time)."""
    words = [
        given.program, given.databases, given.task, given.options, given.title, given.engine, given.priority,
        given.query_loc, given.reuse, given.molecule_check, query_input.info.sha256, given.webhook,
        *([own.info.sha256] if own is not None else []),
    ]  # fmt: skip
    return hashlib.sha256(msgspec.json.encode(words, order="deterministic")).hexdigest()


def _reuse_key(query_input: QueryInput, checked: CheckedSearch) -> str:
    """Return what two searches with the same result have in common."""
    words = [
        query_input.info.sha256, [(database.name, database.fingerprint, database.taxonomy) for database in checked.databases],
        checked.program, checked.task, checked.options, checked.query_loc, checked.blast_version,
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
