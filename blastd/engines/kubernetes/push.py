"""A database generation to the storage: several files at once, resumable, the manifest last."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from blastd.aio import duty, first_of, offload
from blastd.blastplus.generation import RECORD
from blastd.core.engine import DatabaseAt
from blastd.durable import digest
from blastd.engines.kubernetes.podplan import Manifest, StoredFile, database_blob
from blastd.storage.contract import Area, Storage, StorageFailure, StorageMissing

log = structlog.get_logger()

MANIFEST = "manifest.json"
FILES_AT_ONCE = 4

Progress = Callable[[int, int], None]
"""Gets bytes done and bytes in all."""


async def find_manifest(storage: Storage, fingerprint: str) -> Manifest | None:
    """Return the manifest of a generation that is complete in the storage, None if it is not. Raises StorageFailure."""
    try:
        data = await storage.get(Area.DATABASES, database_blob(fingerprint, MANIFEST))
        return msgspec.json.decode(data, type=Manifest)
    except StorageMissing:
        return None
    except msgspec.MsgspecError as error:
        log.warning("manifest_unreadable", fingerprint=fingerprint, reason=str(error))
        return None


def files_of(database: DatabaseAt) -> list[Path]:
    """Return the files of a generation, links among them; blocking. Raises StorageFailure for one that is no flat folder."""
    entries = sorted(path for path in Path(database.folder).iterdir() if path.name != RECORD)
    if any(path.is_dir() for path in entries):
        raise StorageFailure(
            f"Database {database.name} has files of the same name in several folders, which nodes can't hold: give them "
            "names of their own."
        )
    return entries


async def push_database(storage: Storage, database: DatabaseAt, progress: Progress | None = None) -> Manifest:
    """Upload what is missing of *database*, then its manifest; harmless when repeated. Raises StorageFailure, OSError."""
    known = await find_manifest(storage, database.fingerprint)
    if known is not None:
        if progress is not None:
            progress(known.size, known.size)
        return known
    paths = await duty(files_of, database)
    total = sum([(await duty(path.stat)).st_size for path in paths])
    done = 0

    def add(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress(done, total)

    gate = asyncio.Semaphore(FILES_AT_ONCE)
    stored: dict[str, StoredFile] = {}

    async def one(path: Path) -> None:
        async with gate:
            size, sha256 = await offload(digest, path)
            name = database_blob(database.fingerprint, path.name)
            if (
                await storage.size_of(Area.DATABASES, name) == size
            ):  # committed at once, under a name made of the content
                add(size)
            else:
                await storage.upload(Area.DATABASES, name, path, add, resume=True)
            stored[path.name] = StoredFile(name=path.name, size=size, sha256=sha256)

    try:
        async with asyncio.TaskGroup() as group:
            for path in paths:
                group.create_task(one(path), name=f"upload {path.name}")
    except ExceptionGroup as errors:
        raise first_of(errors) from errors
    made = Manifest(
        fingerprint=database.fingerprint,
        name=database.name,
        molecule=database.molecule,
        files=tuple(stored[path.name] for path in paths),
    )
    await storage.put(Area.DATABASES, database_blob(database.fingerprint, MANIFEST), msgspec.json.encode(made))
    log.info("database_pushed", database=database.name, fingerprint=database.fingerprint, bytes=total)
    return made
