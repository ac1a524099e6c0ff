"""The tables of units and of their ended attempts."""

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from blastd.core.ids import JobId
from blastd.core.model import Frozen, Unit, UnitKind, UnitState
from blastd.store.rows import dump, moment, ms

AFTER = msgspec.json.Decoder(tuple[int, ...])
COLUMNS = tuple(name for name in Unit.__struct_fields__ if name != "index")
INSERT = f"""INSERT INTO unit (idx, {", ".join(COLUMNS)}) VALUES (:idx, {", ".join(":" + name for name in COLUMNS)})"""
UPDATE = """UPDATE unit SET state = :state, attempt = :attempt, started_at = :started_at, ended_at = :ended_at,
            exit_code = :exit_code, error_code = :error_code, stderr = :stderr, node = :node,
            output_bytes = :output_bytes, output_sha256 = :output_sha256, blast_version = :blast_version WHERE job_id = :job_id AND idx = :idx"""
OF_JOB = "SELECT * FROM unit WHERE job_id = :job_id ORDER BY idx"
KEEP = """INSERT INTO attempt VALUES (:job_id, :idx, :attempt, :started_at, :ended_at, :exit_code, :error_code, :stderr, :node)
          ON CONFLICT DO UPDATE SET ended_at = :ended_at, exit_code = :exit_code, error_code = :error_code, stderr = :stderr"""
ATTEMPTS = "SELECT * FROM attempt WHERE job_id = :job_id ORDER BY idx, attempt LIMIT :limit"

ENDED = frozenset({UnitState.DONE, UnitState.FAILED, UnitState.CANCELLED})


class Attempt(Frozen, frozen=True, kw_only=True):
    """One ended try at a unit, with what BLAST+ wrote to stderr."""

    unit: int
    attempt: int
    started_at: datetime | None
    ended_at: datetime | None
    exit_code: int | None
    error_code: str | None
    stderr: str
    node: str | None


def insert(db: sqlite3.Connection, its_units: Sequence[Unit]) -> None:
    """Add the units of a job."""
    db.executemany(INSERT, [values_of(unit) for unit in its_units])


def update(db: sqlite3.Connection, its_units: Sequence[Unit]) -> None:
    """Write what changes of units, and keep ended attempts in their history."""
    for unit in its_units:
        values = values_of(unit)
        db.execute(UPDATE, values)
        if unit.state in ENDED and unit.attempt > 0:
            db.execute(KEEP, values)


def of_job(db: sqlite3.Connection, identifier: JobId) -> list[Unit]:
    """Return the units of a job in order."""
    return [unit_from(row) for row in db.execute(OF_JOB, {"job_id": identifier})]


def attempts(db: sqlite3.Connection, identifier: JobId, limit: int = 10_000) -> list[Attempt]:
    """Return the ended attempts at a job's units, by unit and attempt."""
    return [
        Attempt(
            unit=row["idx"],
            attempt=row["attempt"],
            started_at=moment(row["started_at"]),
            ended_at=moment(row["ended_at"]),
            exit_code=row["exit_code"],
            error_code=row["error_code"],
            stderr=row["stderr"],
            node=row["node"],
        )
        for row in db.execute(ATTEMPTS, {"job_id": identifier, "limit": limit})
    ]


def restore_attempts(db: sqlite3.Connection, identifier: JobId, its_attempts: Sequence[Attempt]) -> None:
    """Add ended attempts as they were elsewhere."""
    for attempt in its_attempts:
        values = {name: getattr(attempt, name) for name in Attempt.__struct_fields__ if name != "unit"}
        values |= {"started_at": ms(attempt.started_at), "ended_at": ms(attempt.ended_at)}
        db.execute(KEEP, values | {"job_id": identifier, "idx": attempt.unit})


def values_of(unit: Unit) -> dict[str, Any]:
    """Return the columns of *unit*."""
    values = {name: getattr(unit, name) for name in COLUMNS}
    values |= {"idx": unit.index, "kind": str(unit.kind), "state": str(unit.state), "after": dump(unit.after)}
    return values | {"started_at": ms(unit.started_at), "ended_at": ms(unit.ended_at)}


def unit_from(row: sqlite3.Row) -> Unit:
    """Return the unit of a row."""
    values: dict[str, Any] = {name: row[name] for name in COLUMNS}
    values |= {"index": row["idx"], "kind": UnitKind(row["kind"]), "state": UnitState(row["state"])}
    values |= {"after": AFTER.decode(row["after"])}
    return Unit(**values | {"started_at": moment(row["started_at"]), "ended_at": moment(row["ended_at"])})
