"""Results from the storage to the job's folder: each fetch in a file of its own, checksummed, named only when whole."""

import base64
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from blastd.aio import duty, offload, uninterrupted
from blastd.core.engine import Trouble, UnitReport
from blastd.core.ids import JobId
from blastd.core.model import Frozen, UnitState
from blastd.durable import digest, publish_unit
from blastd.engines.kubernetes.podplan import unit_blob
from blastd.engines.kubernetes.status import moment
from blastd.storage.contract import Area, Storage, StorageFailure, StorageMissing

FETCHES = count(1)
"""Each fetch has a file of its own, named before it is made: a cancel between the two leaves nothing."""


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the pod's program says of a result, in its metadata (podrunner.py: `publish`)."""

    unit: int
    size: int
    sha256: str
    started_at: float
    ended_at: float
    stderr: str = ""
    pod: str = ""
    node: str = ""
    blast_version: str = ""
    seconds: dict[str, float] = {}


class Harvested(Frozen, frozen=True, kw_only=True):
    """A unit whose output lies in the job's folder."""

    report: UnitReport
    told: Told


async def harvest(storage: Storage, folder: Path, job_id: JobId, attempt: int, unit: int) -> Harvested | None:
    """Bring a unit's output to *folder*/units; None if there is no result. Raises StorageFailure, also for a damaged one."""
    target = folder / "units" / f"{unit}.out"
    part = target.with_name(f"{unit}.{next(FETCHES)}.harvest.part")
    try:
        await duty(part.parent.mkdir, mode=0o700, exist_ok=True)
        metadata = await storage.download(Area.RESULTS, unit_blob(job_id, attempt, unit), part)
        told = decoded(metadata)
        size, sha256 = await offload(digest, part)
        if (size, sha256) != (told.size, told.sha256):
            raise StorageFailure(f"The result of part {unit} arrived damaged: {size:,} of {told.size:,} bytes.")
        await offload(publish_unit, part, target)
    except StorageMissing:
        return None
    finally:
        await uninterrupted(duty(part.unlink, missing_ok=True))  # a second cancel would leave it there
    return Harvested(report=report_of(told, attempt), told=told)


def decoded(metadata: Any) -> Told:
    """Return what the metadata of a result says. Raises StorageFailure."""
    try:
        return msgspec.json.decode(base64.b64decode(metadata["report"]), type=Told)
    except (KeyError, ValueError, msgspec.MsgspecError) as error:
        raise StorageFailure(f"A result in the storage has no report of the search's pod: {error}.") from error


def report_of(told: Told, attempt: int) -> UnitReport:
    """Return the report of a unit whose output is here."""
    return UnitReport(
        index=told.unit,
        state=UnitState.DONE,
        attempt=attempt,
        started_at=moment(told.started_at),
        ended_at=moment(told.ended_at),
        exit_code=0,
        stderr=told.stderr,
        node=told.node or None,
        path=f"units/{told.unit}.out",
        size_bytes=told.size,
        sha256=told.sha256,
        blast_version=told.blast_version or None,
    )


def trouble_of(error: StorageFailure) -> Trouble:
    """Return what keeps results away."""
    return Trouble(
        code=error.code,
        sentence=f"The search has ended, but its results can't be fetched yet: {error}",
        remedy="It is tried again; check the storage and the way to it.",
        retryable=True,
    )
