"""What `blastd fsck` looks at in the storage account: the blobs of searches and databases, compared with the store's rows.

A blob counts as ours when its name begins with the id of a search that the store knows, or knew. Others are reported and
never removed: another blastd may use the account. Contents are not downloaded: sizes are compared, checksums are not.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from uuid import UUID

from msgspec.structs import replace

from blastd.chance import SystemChance
from blastd.clock import SystemClock
from blastd.config import Settings
from blastd.core.ids import JobId, job_id
from blastd.core.model import Frozen, Job, Phase, Unit, UnitKind, UnitState
from blastd.engines.kubernetes.podplan import Manifest, database_blob, query_blob, unit_blob
from blastd.engines.kubernetes.push import MANIFEST, find_manifest
from blastd.errors import ConfigError
from blastd.storage.contract import Area, Storage, StorageFailure, StoredObject
from blastd.storage.opening import open_storage
from blastd.store import jobs, leftovers, removal, units
from blastd.store.files import STRANGER_SECONDS
from blastd.upkeep.fsck import REMOVE, Finding, Report

ENGINE = "kubernetes"
SENT = frozenset({Phase.SUBMITTED, Phase.RUNNING, Phase.EXPORTING, Phase.RESULTS_PENDING})
"""Phases in which the pods of a search may read its query."""
OTHERS = "remove it if no other blastd uses this account"
FAILS = "the search is going to fail, saying so: retry it"
PUSH = "--mend forgets it there, and 'blastd db push', or the next search on it, uploads what is missing"
GOES_ON = "'blastd db push', or the next search on it, goes on from there"
ALL = 1_000_000


class AccountBlobs(Frozen, frozen=True, kw_only=True):
    """What the account holds: blobs of the three containers, and the databases that it says are complete."""

    queries: Sequence[StoredObject]
    results: Sequence[StoredObject]
    databases: Sequence[StoredObject]
    manifests: Mapping[str, Manifest]


async def add_blobs(report: Report, file: Path, settings: Settings, *, mend: bool) -> Report:
    """Return *report* with what is wrong in the storage of the store *file*; *mend* as `upkeep.fsck.check` has it."""
    try:
        async with open_storage(settings, SystemChance()) as storage:
            held = await _held(storage)
            found = compare(file, held, SystemClock().now(), running=report.running)
            if found and report.running:  # the daemon may have changed both between the two looks
                held = await _held(storage)
                again = compare(file, held, SystemClock().now(), running=True)
                found = [finding for finding in found if finding in again]
            if mend and not report.running:
                found = [await _mended(storage, finding) for finding in found]
    except (StorageFailure, ConfigError) as error:
        away = Finding(kind="account_away", path="blob:", detail=str(error), mend="check it with 'blastd doctor'")
        return replace(report, findings=(*report.findings, away))
    count = len(held.queries) + len(held.results) + len(held.databases)
    return replace(report, blobs=count, findings=(*report.findings, *found))


async def _held(storage: Storage) -> AccountBlobs:
    databases = await storage.listed(Area.DATABASES, "")
    complete = [one.name.partition("/")[0] for one in databases if one.name.endswith(f"/{MANIFEST}")]
    manifests = {each: await find_manifest(storage, each) for each in complete}
    return AccountBlobs(
        queries=await storage.listed(Area.QUERIES, ""),
        results=await storage.listed(Area.RESULTS, ""),
        databases=databases,
        manifests={name: manifest for name, manifest in manifests.items() if manifest is not None},
    )


def compare(file: Path, held: AccountBlobs, now: datetime, *, running: bool) -> list[Finding]:
    """Return what is wrong; rows are read after the account was, so that a blob without a row has lost it."""
    with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        found = [*_missing(db, held)]
        young = STRANGER_SECONDS if running else 0.0
        told = {job.job_id for job in leftovers.page(db, ALL)}
        for area, blobs in (
            (Area.QUERIES, held.queries),
            (Area.RESULTS, held.results),
        ):
            old = [one for one in blobs if one.modified is None or (now - one.modified).total_seconds() >= young]
            found += _strangers(db, area, old, told)
    return [*found, *_databases(held, running=running)]


def _strangers(
    db: sqlite3.Connection, area: Area, blobs: Sequence[StoredObject], told: set[JobId]
) -> Iterator[Finding]:
    """Yield blobs that no search needs; those of `leftover` rows go when the daemon next tells the engine."""
    for blob in blobs:
        identifier = _job_of(blob.name)
        if identifier is None or identifier in told:
            continue
        row = jobs.get(db, identifier)
        path = f"blob:{area}/{blob.name}"
        if row is None and not removal.is_gone(db, identifier):
            detail = "no row of this store knows its search"
            yield Finding(kind="blob_unowned", path=path, detail=detail, mend=OTHERS, job_id=identifier)
        elif row is None or row.status.terminal:
            detail = "is left over from a search that has ended"
            yield Finding(kind="blob_leftover", path=path, detail=detail, mend=REMOVE, job_id=identifier)


def _job_of(name: str) -> JobId | None:
    """Return the job that a blob is named after; None for a blob that is not ours."""
    first = name.partition("/")[0]
    try:
        return job_id(UUID(first)) if str(UUID(first)) == first else None
    except ValueError:
        return None


def _missing(db: sqlite3.Connection, held: AccountBlobs) -> Iterator[Finding]:
    """Yield blobs that active searches need and that are not there."""
    there = {f"{Area.QUERIES}/{one.name}" for one in held.queries}
    there |= {f"{Area.RESULTS}/{one.name}" for one in held.results}
    for identifier in jobs.active(db):
        job = jobs.get(db, identifier)
        if job is None or job.engine != ENGINE or job.source == "external" or job.phase not in SENT:
            continue
        for area, name, detail in _needed(job, units.of_job(db, identifier)):
            if f"{area}/{name}" not in there:
                path = f"blob:{area}/{name}"
                yield Finding(kind="blob_missing", path=path, detail=detail, mend=FAILS, job_id=identifier)


def _needed(job: Job, its_units: Sequence[Unit]) -> Iterator[tuple[str, str, str]]:
    """Yield area, name and what it means when it is not there."""
    left = [unit for unit in its_units if unit.state is not UnitState.DONE and unit.kind is not UnitKind.PROPOSE]
    if left and job.phase is not Phase.RESULTS_PENDING:
        yield Area.QUERIES, query_blob(job.job_id), "is missing, and pods may still have to read it"
    if job.phase is Phase.RESULTS_PENDING:
        for unit in left:
            name = unit_blob(job.job_id, job.attempt, unit.index)
            yield Area.RESULTS, name, "is missing: the search has run, and this part was not fetched"


def _databases(held: AccountBlobs, *, running: bool) -> Iterator[Finding]:
    """Yield databases that the account says are complete and that are not, and uploads that broke off."""
    sizes: dict[str, dict[str, int]] = defaultdict(dict)
    for blob in held.databases:
        fingerprint, _, name = blob.name.partition("/")
        sizes[fingerprint][name] = blob.size
    for fingerprint, files in sizes.items():
        manifest = held.manifests.get(fingerprint)
        if manifest is None:
            if not running:  # else it may be on its way
                detail = f"is an upload that broke off ({len(files)} files)"
                yield Finding(
                    kind="temporary", path=f"blob:{Area.DATABASES}/{fingerprint}", detail=detail, mend=GOES_ON
                )
            continue
        for wanted in manifest.files:
            size = files.get(wanted.name)
            if size == wanted.size:
                continue
            kind = "blob_missing" if size is None else "blob_size"
            detail = "is missing" if size is None else f"has {size:,} bytes instead of {wanted.size:,}"
            path = f"blob:{Area.DATABASES}/{database_blob(fingerprint, wanted.name)}"
            yield Finding(kind=kind, path=path, detail=f"{detail} (database {manifest.name})", mend=PUSH)


async def _mended(storage: Storage, finding: Finding) -> Finding:
    """Remove what a search left, or the manifest of a database that is not whole."""
    area, _, name = finding.path.removeprefix("blob:").partition("/")
    if finding.mend == REMOVE:
        await storage.remove(Area(area), name)
    elif finding.mend == PUSH:
        await storage.remove(Area(area), database_blob(name.partition("/")[0], MANIFEST))
    return replace(finding, mended=finding.mend in (REMOVE, PUSH))
