"""From a job's work to what its pods are told: the Job's plan, plan.json and the objects that access.json leads to. Pure.

Pods run BLAST+ beside links to all files of the databases, so that its output names them as it would here. Addresses
stand in access.json, which is renewed; all else stands in plan.json, which never changes for an attempt.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blastd.blastplus import command
from blastd.config import KubernetesSettings
from blastd.core import alias, proposals
from blastd.core.engine import Work
from blastd.core.ids import JobId
from blastd.core.memory import SHARD_ROOM
from blastd.core.model import Frozen, Unit, UnitKind, UnitState
from blastd.engines.kubernetes.manifests import NO_MOUNTS, JobPlan
from blastd.storage.contract import PodMounts

LIMIT = "{limit}"


class StoredFile(Frozen, frozen=True, kw_only=True):
    """A file of a database in the storage account."""

    name: str
    size: int
    sha256: str


class Manifest(Frozen, frozen=True, kw_only=True):
    """A database generation in the storage account; it is written last, so that it says the generation is complete."""

    fingerprint: str
    name: str
    molecule: str
    files: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(each.size for each in self.files)

    @property
    def told(self) -> dict[str, Any]:
        """Return what plan.json says of it."""
        return {
            "fingerprint": self.fingerprint,
            "files": [{"name": one.name, "size": one.size, "sha256": one.sha256} for one in self.files],
        }


def query_blob(job_id: JobId) -> str:
    """Return the name of a job's query file in the area of queries."""
    return f"{job_id}/query.fa"


def plan_blob(job_id: JobId, attempt: int) -> str:
    """Return the name, in the area of queries, of what the pods of an attempt do, where it is too long for a Secret."""
    return f"{job_id}/{attempt}.plan.json"


def tables_blob(job_id: JobId) -> str:
    """Return the name, in the area of queries, of the addresses of a job, where they are too many for a Secret."""
    return f"{job_id}/tables.json"


def warm_folder(name: str) -> str:
    """Return the folder, in the area of queries, of the pods of a warming DaemonSet."""
    return f"warm/{name}"


def warm_plan(name: str) -> str:
    """Return the name, in the area of queries, of what those pods do."""
    return f"{warm_folder(name)}/plan.json"


def unit_blob(job_id: JobId, attempt: int, unit: int) -> str:
    """Return the name of a unit's result of an attempt in the area of results."""
    return f"{job_id}/{attempt}/{unit}.out"


def database_blob(fingerprint: str, name: str) -> str:
    """Return the name of a database's file in the area of databases."""
    return f"{fingerprint}/{name}"


def missing(units: Sequence[Unit]) -> list[Unit]:
    """Return the units that an attempt has to run: what is not done, with the proposals of a finish that is not.

    Proposals are stored under their attempt, so a finish that runs again asks its shards again.
    """
    needed = {index for unit in units if unit.state is not UnitState.DONE for index in (unit.index, *unit.after)}
    return [unit for unit in units if unit.index in needed]


def job_plan(
    work: Work, settings: KubernetesSettings, *, staging: bool, instance: str = "", mounts: PodMounts = NO_MOUNTS
) -> JobPlan:
    """Return what the Job's manifest needs: a completion for each unit but the finishes, which ride on proposals."""
    run = missing(work.units)
    own = [unit for unit in run if unit.kind is not UnitKind.FINISH]
    job, size = work.job, sum(database.size_bytes for database in work.databases)
    shards = max((len(unit.after) for unit in run if unit.kind is UnitKind.FINISH), default=1)
    return JobPlan(
        job_id=job.job_id,
        attempt=job.attempt,
        title=job.title,
        program=job.program,
        database=" ".join(database.name for database in work.databases),
        completions=tuple((unit.index,) for unit in own),
        riders={unit.index: unit.after for unit in run if unit.kind is UnitKind.FINISH},
        memory_limit_bytes=settings.memory_limit_bytes or None,
        database_bytes=size,
        unit_bytes=size if shards == 1 else min(size, int(size * SHARD_ROOM) // shards),
        generations=tuple(database.fingerprint for database in work.databases),
        staging=staging,
        instance=instance,
        mounts=mounts,
    )


def pod_plan(
    work: Work, plan: JobPlan, manifests: Sequence[Manifest], time_limit_seconds: float, blast_version: str = ""
) -> dict[str, Any]:
    """Return plan.json; pods refuse to search with another BLAST+ than *blast_version* (empty: any).

    The time limit is that of a pod's searching: Kubernetes would count the wait for a node, too.
    """
    job = work.job
    run = missing(work.units)
    places = {units[0]: place for place, units in enumerate(plan.completions)}
    told: dict[str, Any] = {
        "program": job.program,
        "query_option": command.query_option(job.program, job.query.type),
        "blast_version": blast_version,
        "time_limit_seconds": min(time_limit_seconds, job.time_limit_seconds or time_limit_seconds),
        "molecule": work.databases[0].molecule,
        "argument": work.database_argument,
        "databases": [each.told for each in manifests],
        "words": command.arguments(job),
        "lists": command.list_files(job.options),
        "rich": work.rich_format,
        "units": {str(unit.index): told_unit(work, unit) for unit in run},
        "completions": [list(units) for units in plan.completions],
        "riders": {str(unit): [places[host] for host in hosts] for unit, hosts in plan.riders.items()},
    }
    if any(unit.kind is UnitKind.PROPOSE for unit in run):
        told["alias"] = told_alias(work)
    return told


def told_unit(work: Work, unit: Unit) -> dict[str, Any]:
    """Return what a pod needs to know of a unit."""
    told: dict[str, Any] = {
        "kind": str(unit.kind),
        "batch": unit.batch,
        "offset": unit.offset,
        "size": unit.size,
        "threads": unit.threads,
    }
    if unit.kind is UnitKind.PROPOSE and work.layout is not None:
        told["shard"] = alias.shard(work.cuts, unit.shard or 0)
    if unit.kind is UnitKind.FINISH:
        told["after"] = list(unit.after)
    return told


def told_alias(work: Work) -> dict[str, Any]:
    """Return how a pod restricts the database, and how a proposing search asks."""
    job, layout = work.job, work.layout
    if layout is None:
        raise ValueError("a database that can't be restricted has no shards")
    files = alias.restrict(layout, ((0, layout.sequences),))
    search = proposals.proposing(job.program, job.task, job.options, job.query_loc)
    again = search.options | {"max_target_seqs": LIMIT}
    return {
        "texts": [list(each) for each in files.texts],
        "masks": [[mask.name, mask.count] for mask in files.masks],
        "volumes": [Path(volume.path).name for volume in layout.volumes],
        "has_ids": layout.has_ids,
        "outfmt": proposals.outfmt(layout),
        "limit": proposals.limit_of(search.options),
        "asks_again": alias.asks_again(job.program, job.options),
        "words": command.arguments(search),
        "again_words": command.arguments(
            proposals.Proposing(program=job.program, task=job.task, options=again, query_loc=job.query_loc)
        ),
    }
