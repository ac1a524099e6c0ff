"""From a job's work to its Kubernetes Job: independent operations at once, each timed, then Secret and Job.

Names are deterministic, so everything here may be repeated after a crash or a time-out at any point: what is there
already is compared and taken over.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from blastd.aio import Operation, together
from blastd.clock import Clock
from blastd.config import KubernetesSettings
from blastd.core.engine import Work
from blastd.core.ids import JobId
from blastd.core.model import Job
from blastd.engines.kubernetes import manifests
from blastd.engines.kubernetes.client import ClusterClient
from blastd.engines.kubernetes.failures import ObjectExists, ObjectMissing, ObjectRefused
from blastd.engines.kubernetes.objects import JobObject
from blastd.engines.kubernetes.podplan import (
    Manifest,
    job_plan,
    plan_blob,
    pod_plan,
    query_blob,
    tables_blob,
    unit_blob,
    warm_folder,
    warm_plan,
)
from blastd.storage.contract import INLINE_BYTES, Area, PodMounts, PodNeeds, Storage


class Bootstrap:
    """Makes a job's objects in cluster and storage."""

    def __init__(
        self,
        client: ClusterClient,
        storage: Storage,
        settings: KubernetesSettings,
        script: str,
        clock: Clock,
        blast_version: str = "",
        instance: str = "",
    ) -> None:
        """Take the parts; *script* is the text of the pod's program, *blast_version* what its BLAST+ has to be.

        *instance* names the store whose jobs these are.
        """
        self._blast_version, self.instance = blast_version, instance
        self._client, self._storage, self._settings, self._clock = client, storage, settings, clock
        self._script = script

    async def run(
        self,
        work: Work,
        databases: Sequence[Manifest],
        seconds: dict[str, float],
        *,
        staging: bool,
        again: bool = False,
    ) -> JobObject:
        """Make everything of *work*, timing each operation into *seconds*, and return the Job that runs now.

        Harmless when repeated; *again*: its Job may be there, since the answer to its making was lost. Raises OperationFailed, ClusterFailure, BlobFailure.
        """
        job = work.job
        operations: dict[str, Operation] = {
            "remove stale objects": lambda: self._remove_stale(job),
            "scripts": self.ensure_scripts,
            "upload queries": lambda: self._upload_query(job.job_id, Path(work.query_path)),
        }
        if self._settings.parallel_bootstrap:
            await together(operations, self._clock, seconds)
        else:
            for name, operation in operations.items():
                await together({name: operation}, self._clock, seconds)
        begin = self._clock.monotonic()
        mounts = self._storage.pod_mounts(str(job.job_id), f"{job.job_id}/{job.attempt}")
        plan = job_plan(work, self._settings, staging=staging, instance=self.instance, mounts=mounts)
        name = manifests.job_name(job.job_id, job.attempt)
        access = await self.access(job.job_id, job.attempt, units_in(plan), databases)
        its_labels = manifests.labels(job.job_id, job.attempt, self.instance)
        told = pod_plan(work, plan, databases, self._settings.time_limit_seconds, self._blast_version)
        await self.put_secret(name, its_labels, access, await self.spilled(told, plan_blob(job.job_id, job.attempt)))
        try:
            made = await self._create(manifests.job(plan, self._settings, self._script), again=again)
            await self._client.patch_secret(name, manifests.owned_by(name, made.metadata.uid))
        finally:
            seconds["create job"] = self._clock.monotonic() - begin  # also of one whose answer was lost
        return made

    @property
    def access_seconds(self) -> float:
        """Return how long addresses serve."""
        return self._storage.grant_seconds

    def now(self) -> datetime:
        """Return the time from which addresses count."""
        return self._clock.now()

    async def ensure_scripts(self) -> None:
        """Make the ConfigMap with the pod's program unless it is there: its name says what it holds."""
        try:
            await self._client.get_config_map(manifests.scripts_name(self._script))
        except ObjectMissing:
            try:
                await self._client.create_config_map(manifests.scripts(self._script))
            except ObjectExists:
                return

    async def put_secret(
        self, name: str, its_labels: Mapping[str, str], access: Mapping[str, Any], plan: Mapping[str, Any] | None
    ) -> None:
        """Make the Secret of what pods reach and do, or bring one that is there up to date."""
        body = manifests.secret(name, its_labels, access, plan)
        try:
            await self._client.create_secret(body)
        except ObjectExists:
            await self._client.patch_secret(name, {"data": body["data"]})

    async def spilled(self, plan: dict[str, Any], name: str) -> dict[str, Any] | None:
        """Return a plan that a Secret holds; a longer one is put into the storage as *name*. Raises StorageFailure."""
        text = json.dumps(plan, separators=(",", ":")).encode()
        if len(text) <= INLINE_BYTES:
            return plan
        await self._storage.put(Area.QUERIES, name, text)
        return None

    async def renew(self, name: str, access: Mapping[str, Any]) -> None:
        """Put fresh addresses into a Secret; a mounted one follows within a minute or so."""
        await self._client.patch_secret(name, {"data": manifests.access_data(access)})

    async def access(
        self, job_id: JobId, attempt: int, units: Sequence[int], databases: Sequence[Manifest]
    ) -> dict[str, Any]:
        """Return access.json: how this job's query, its units' results and its databases are reached, and nothing else."""
        needs = PodNeeds(
            tables=tables_blob(job_id),
            query=query_blob(job_id),
            plan=plan_blob(job_id, attempt),
            units={unit: unit_blob(job_id, attempt, unit) for unit in units},
            databases={each.fingerprint: [one.name for one in each.files] for each in databases},
        )
        return await self._storage.pod_access(needs, self._clock.now())

    async def warm_access(self, name: str, database: Manifest) -> dict[str, Any]:
        """Return access.json of the pods that keep a generation warm; *name* is that of their DaemonSet."""
        files = {database.fingerprint: [one.name for one in database.files]}
        needs = PodNeeds(tables=f"{warm_folder(name)}/tables.json", plan=warm_plan(name), databases=files)
        return await self._storage.pod_access(needs, self._clock.now())

    def warm_mounts(self, name: str) -> PodMounts:
        """Return what the pods mount that keep a generation warm."""
        return self._storage.pod_mounts(warm_folder(name), "")

    # ------------------------------------------------------------------ operations
    async def _remove_stale(self, job: Job) -> None:
        """Remove Jobs and Secrets of earlier attempts of this job."""
        current = manifests.job_name(job.job_id, job.attempt)
        for each in await self._client.list_jobs(manifests.of_job(job.job_id)):
            if each.metadata.name != current:
                await self._delete(self._client.delete_job(each.metadata.name, each.metadata.uid))
        for attempt in range(1, job.attempt):
            await self._delete(self._client.delete_secret(manifests.job_name(job.job_id, attempt)))

    async def _delete(self, deletion: Any) -> None:
        try:
            await deletion
        except ObjectMissing:
            return

    async def _upload_query(self, job_id: JobId, path: Path) -> None:
        await self._storage.upload(Area.QUERIES, query_blob(job_id), path)

    async def _create(self, wanted: dict[str, Any], *, again: bool) -> JobObject:
        """Create the Job; one of that name is taken over if it is the same, and refused if it is not."""
        if again and (found := await self._found(wanted)) is not None:
            return found
        try:
            return await self._client.create_job(wanted)
        except ObjectExists:
            if (found := await self._found(wanted)) is not None:
                return found
            raise  # it was removed between the two answers: the next try makes it

    async def _found(self, wanted: dict[str, Any]) -> JobObject | None:
        """Return the Job that is there under the name of *wanted*, None if there is none. Raises ObjectRefused for another."""
        name = wanted["metadata"]["name"]
        try:
            found = await self._client.get_job_manifest(name)
        except ObjectMissing:
            return None
        if not agrees(found, wanted):
            raise ObjectRefused(
                f"There is another Job {name} in the namespace, which blastd did not make: delete it, then retry."
            )
        return msgspec.convert(found, JobObject, strict=False)


def units_in(plan: manifests.JobPlan) -> list[int]:
    """Return all units that a Job runs."""
    return [unit for units in plan.completions for unit in units] + list(plan.riders)


def agrees(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether a Job that exists is the one we would create: same job, attempt, units and program text."""
    theirs, ours = found.get("metadata", {}), wanted["metadata"]
    if any(theirs.get("labels", {}).get(key) != ours["labels"][key] for key in (manifests.JOB_ID, manifests.ATTEMPT)):
        return False
    spec = found.get("spec", {})
    return bool(
        theirs.get("annotations", {}).get(manifests.PLAN) == ours["annotations"][manifests.PLAN]
        and spec.get("completions") == wanted["spec"]["completions"]
    )
