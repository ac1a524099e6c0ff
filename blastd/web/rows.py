"""Rows as they go over the wire: one reckoning for lists, details, events and streams, so that they can't differ."""

from datetime import datetime
from typing import Any

from aiohttp import web

from blastd.core.model import Artifact, DatabaseRef, FilterTaxon, Job, QueryInfo, Status, Step, Warned
from blastd.service.progress import progress
from blastd.web import wire
from blastd.web.middleware import SERVICES
from blastd.web.session import base_path

MOLECULES = {"nucl": "nucleotide", "prot": "protein"}
"""Words for what BLAST+ calls -dbtype."""


def base_of(request: web.Request) -> str:
    """Return the path under which the client sees us, "" at the root."""
    return base_path(request, request.app[SERVICES].settings.server.base_path or None)


def job_row(job: Job, now: datetime, base: str) -> wire.JobRow:
    """Return *job* as lists show it; *base* is put before its links."""
    return wire.JobRow(**row_values(job, now, base))


def row_values(job: Job, now: datetime, base: str) -> dict[str, Any]:
    """Return the fields of a row."""
    far = progress(job, now)
    return {
        "job_id": job.job_id,
        "short_id": job.short_id,
        "title": job.title,
        "program": job.program,
        "task": job.task,
        "database": [database.name for database in job.databases],
        "engine": job.engine,
        **_state(job),
        "owner": job.owner,
        "query": query_view(job.query),
        "organisms": [organism_view(taxon) for taxon in job.organisms.include],
        "exclude_organisms": [organism_view(taxon) for taxon in job.organisms.exclude],
        "progress": wire.Progress(
            units_done=far.units_done,
            units_total=far.units_total,
            fraction=far.fraction,
            eta_seconds=far.eta_seconds,
            eta_from=far.eta_from,
        ),
        "steps": [step_view(step) for step in job.steps],
        "error_code": job.error_code,
        "error": job.error,
        "attempt": job.attempt,
        "engine_ref": job.engine_ref,
        "blast_version": job.blast_version,
        "database_fingerprint": [database.fingerprint for database in job.databases],
        "source": job.source,
        "hits": job.hits,
        "limit_reached": job.limit_reached,
        "warnings": [warning_view(warned) for warned in job.warnings],
        "plan_why": list(job.plan_why),
        "reused_from": job.reused_from,
        "watch": job.watch,
        "links": links(job, base),
    }


def _state(job: Job) -> dict[str, Any]:
    """Return where a job is, since when, and who saw it last."""
    return {
        "priority": job.priority,
        "time_limit_seconds": job.time_limit_seconds,
        "status": str(job.status),
        "phase": str(job.phase),
        "waiting_for": job.waiting_for,
        "queue_position": job.queue_position,
        "created_at": wire.moment(job.created_at),
        "started_at": wire.maybe(job.started_at),
        "finished_at": wire.maybe(job.finished_at),
        "updated_at": wire.moment(job.updated_at),
        "observed_at": wire.maybe(job.observed_at),
        "observed_by": job.observed_by,
        "stale": job.stale,
        "stale_since": wire.maybe(job.stale_since),
        "stale_reason": job.stale_reason,
    }


def query_view(query: QueryInfo) -> wire.QueryView:
    """Return what was submitted, as it goes over the wire."""
    return wire.QueryView(
        count=query.count,
        letters=query.letters,
        molecule=MOLECULES.get(query.molecule, query.molecule),
        first_id=query.first_id,
        sha256=query.sha256,
        type=query.type,
    )


def links(job: Job, base: str) -> dict[str, str]:
    """Return where to go from a job: only what its state allows."""
    home = f"{base}/api/blast/jobs/{job.job_id}"
    found = {
        "self": home,
        "page": f"{base}/jobs/{job.job_id}",
        "query": f"{home}/query",
        "events": f"{home}/events",
        "logs": f"{home}/logs",
    }
    if job.status is Status.COMPLETED:
        found |= {"results": f"{home}/results", "hits": f"{home}/hits", "taxonomy": f"{home}/taxonomy"}
    if not job.status.terminal:
        found["cancel"] = f"{home}/cancel"
    if job.status in (Status.FAILED, Status.CANCELLED):
        found["retry"] = f"{home}/retry"
    return found


def step_view(step: Step) -> wire.StepView:
    """Return a step with its duration."""
    return wire.StepView(
        name=str(step.name),
        status=str(step.status),
        started_at=wire.maybe(step.started_at),
        ended_at=wire.maybe(step.ended_at),
        duration_ms=step.duration_ms,
        skip_reason=step.skip_reason,
        error=step.error,
        parts=step.parts,
    )


def organism_view(taxon: FilterTaxon) -> wire.OrganismView:
    """Return an organism of a filter."""
    return wire.OrganismView(
        asked=taxon.asked,
        taxid=taxon.taxid,
        name=taxon.name,
        rank=taxon.rank,
        taxa=taxon.taxa,
        sequences=taxon.sequences,
    )


def warning_view(warned: Warned) -> wire.WarningView:
    """Return a warning."""
    return wire.WarningView(text=warned.text, query=warned.query, source=warned.source)


def artifact_view(artifact: Artifact) -> wire.ArtifactView:
    """Return a stored file."""
    return wire.ArtifactView(
        name=artifact.name,
        media_type=artifact.media_type,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
        created_at=wire.moment(artifact.created_at),
    )


def searched_database(database: DatabaseRef) -> wire.SearchedDatabase:
    """Return a database as it was when the job was accepted."""
    return wire.SearchedDatabase(
        name=database.name,
        title=database.title,
        molecule=MOLECULES.get(database.molecule, database.molecule),
        sequences=database.sequences,
        letters=database.letters,
        date=database.date,
        version=database.version,
        fingerprint=database.fingerprint,
        taxonomy_fingerprint=database.taxonomy or None,
    )
