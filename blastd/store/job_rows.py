"""Rows of the table of jobs, and the jobs that they hold."""

import sqlite3
from typing import Any

import msgspec

from blastd.core.model import DatabaseRef, Job, OrganismFilter, Phase, QueryInfo, Status, Step, Warned
from blastd.store.rows import dump, moment, ms

JSON_COLUMNS: dict[str, msgspec.json.Decoder[Any]] = {
    "databases": msgspec.json.Decoder(tuple[DatabaseRef, ...]),
    "options": msgspec.json.Decoder(dict[str, Any]),
    "query": msgspec.json.Decoder(QueryInfo),
    "steps": msgspec.json.Decoder(tuple[Step, ...]),
    "engine_ref": msgspec.json.Decoder(dict[str, Any]),
    "warnings": msgspec.json.Decoder(tuple[Warned, ...]),
    "plan_why": msgspec.json.Decoder(tuple[str, ...]),
    "organisms": msgspec.json.Decoder(OrganismFilter),
    "standins": msgspec.json.Decoder(dict[str, str]),
}
TIME_COLUMNS = frozenset(
    {"created_at", "updated_at", "started_at", "finished_at", "observed_at", "stale_since", "expected_end_at"}
)
COLUMNS = tuple(Job.__struct_fields__)


def column_value(name: str, value: Any) -> Any:
    """Return *value* as the column *name* holds it."""
    if name in JSON_COLUMNS:
        return dump(value)
    if name in TIME_COLUMNS:
        return ms(value)
    return value if value is None or isinstance(value, int) else str(value)


def row_values(job: Job) -> dict[str, Any]:
    """Return the columns of *job*."""
    return {name: column_value(name, getattr(job, name)) for name in COLUMNS}


def job_from(row: sqlite3.Row) -> Job:
    """Return the job of a row."""
    values: dict[str, Any] = {name: row[name] for name in COLUMNS}
    for name, decoder in JSON_COLUMNS.items():
        values[name] = decoder.decode(values[name])
    for name in TIME_COLUMNS:
        values[name] = moment(values[name])
    return Job(**values | {"status": Status(row["status"]), "phase": Phase(row["phase"])})
