"""The table of artifacts: the stored files that rows own."""

import sqlite3

from blastd.clock import from_ms, to_ms
from blastd.core.ids import JobId
from blastd.core.model import Artifact

PUT = """INSERT INTO artifact VALUES (:job_id, :name, :path, :media_type, :size_bytes, :sha256, :created_at)
         ON CONFLICT DO UPDATE SET path = :path, size_bytes = :size_bytes, sha256 = :sha256, created_at = :created_at"""
OF_JOB = "SELECT * FROM artifact WHERE job_id = :job_id ORDER BY name"
DROP = "DELETE FROM artifact WHERE job_id = :job_id AND name = :name"


def put(db: sqlite3.Connection, artifact: Artifact) -> None:
    """Add an artifact, or replace the one of the same name."""
    db.execute(
        PUT,
        {
            "job_id": artifact.job_id,
            "name": artifact.name,
            "path": artifact.path,
            "media_type": artifact.media_type,
            "size_bytes": artifact.size_bytes,
            "sha256": artifact.sha256,
            "created_at": to_ms(artifact.created_at),
        },
    )


def of_job(db: sqlite3.Connection, identifier: JobId) -> list[Artifact]:
    """Return the artifacts of a job by name."""
    return [artifact_from(row) for row in db.execute(OF_JOB, {"job_id": identifier})]


def drop(db: sqlite3.Connection, identifier: JobId, name: str) -> None:
    """Forget one artifact."""
    db.execute(DROP, {"job_id": identifier, "name": name})


def artifact_from(row: sqlite3.Row) -> Artifact:
    """Return the artifact of a row."""
    return Artifact(
        job_id=JobId(row["job_id"]),
        name=row["name"],
        path=row["path"],
        media_type=row["media_type"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
        created_at=from_ms(row["created_at"]),
    )
