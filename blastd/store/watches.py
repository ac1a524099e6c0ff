"""The tables of watches: SQL and rows, no policy."""

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from blastd.clock import from_ms, to_ms
from blastd.core.difference import DifferenceCounts
from blastd.core.ids import JobId, Owner
from blastd.core.model import DatabaseRef, Frozen, Job, QueryInfo, Status
from blastd.core.search import Search
from blastd.core.watching import Watch, WatchRun, WatchState, WatchTrouble
from blastd.store.rows import dump, load, moment

T = TypeVar("T")

ADD = """INSERT INTO watch (watch_id, owner, label, state, search, query, created_at, updated_at, runs)
         VALUES (:watch_id, :owner, :label, :state, :search, :query, :now, :now, 0)"""
ADD_QUERY = "INSERT INTO watch_query (watch_id, fasta) VALUES (:watch_id, :fasta)"
QUERY = "SELECT fasta FROM watch_query WHERE watch_id = :watch_id"
GET = "SELECT * FROM watch WHERE watch_id = :watch_id"
COUNT = "SELECT count(*) FROM watch WHERE owner = :owner"
PAGE = """SELECT * FROM watch WHERE (created_at, watch_id) < (:created_ms, :after_id)
          ORDER BY created_at DESC, watch_id DESC LIMIT :limit"""
PAGE_OWNER = """SELECT * FROM watch WHERE owner = :owner AND (created_at, watch_id) < (:created_ms, :after_id)
                ORDER BY created_at DESC, watch_id DESC LIMIT :limit"""
OF_JOB = """SELECT watch.* FROM watch_run JOIN watch USING (watch_id) WHERE job_id = :job_id
            ORDER BY created_at DESC, watch_id DESC LIMIT :limit"""
ACTIVE = """SELECT watch.*, watch_run.databases, job.status FROM watch
            JOIN watch_run ON watch_run.watch_id = watch.watch_id AND watch_run.number = watch.runs
            LEFT JOIN job ON job.job_id = watch_run.job_id
            WHERE state = 'active' AND watch.watch_id > :after ORDER BY watch.watch_id LIMIT :limit"""
SET_STATE = "UPDATE watch SET state = :state, updated_at = :now WHERE watch_id = :watch_id"
SET_TROUBLE = """UPDATE watch SET trouble_code = :code, trouble = :text, trouble_at = :now
                 WHERE watch_id = :watch_id AND (trouble_code IS NOT :code OR trouble IS NOT :text)"""
REMOVE = "DELETE FROM watch WHERE watch_id = :watch_id"
ADD_RUN = """INSERT INTO watch_run (watch_id, number, job_id, databases, began_at, note)
             VALUES (:watch_id, :number, :job_id, :databases, :now, '')"""
CLOSE_RUNS = """UPDATE watch_run SET settled_at = :now, note = :note
                WHERE watch_id = :watch_id AND number < :number AND settled_at IS NULL"""
FORGET_RUNS = "DELETE FROM watch_run WHERE watch_id = :watch_id AND number <= :number"
BEGIN = """UPDATE watch SET runs = :number, updated_at = :now, trouble_code = NULL, trouble = NULL, trouble_at = NULL
           WHERE watch_id = :watch_id AND runs = :before"""
RUNS = "SELECT * FROM watch_run WHERE watch_id = :watch_id ORDER BY number DESC LIMIT :limit"
ENDED = """SELECT watch_run.* FROM watch_run LEFT JOIN job USING (job_id)
           WHERE settled_at IS NULL AND (job.job_id IS NULL OR job.status = 'completed') ORDER BY job_id LIMIT :limit"""
GOING = """SELECT 1 FROM watch_run JOIN job USING (job_id)
           WHERE settled_at IS NULL AND job.status NOT IN ('failed', 'cancelled') LIMIT 1"""
SETTLE_RUN = """UPDATE watch_run SET settled_at = :now, base_job = :base_job, difference = :difference, note = :note
                WHERE watch_id = :watch_id AND number = :number AND settled_at IS NULL"""
COMPARED = "UPDATE watch SET before_job = :before, after_job = :after, updated_at = :now WHERE watch_id = :watch_id"

LAST_MS = 2**62
"""After every time: where the first page begins."""


class WatchCursor(Frozen, frozen=True, kw_only=True):
    """The place in a list after a watch."""

    created_ms: int = LAST_MS
    watch_id: str = ""


class ActiveWatch(Frozen, frozen=True, kw_only=True):
    """A watch that is not paused, with the databases of its newest run and how that stands (None: its search is gone)."""

    watch: Watch
    databases: tuple[DatabaseRef, ...]
    status: Status | None


def add(db: sqlite3.Connection, watch: Watch, fasta: bytes) -> None:
    """Add a watch with its query; its first run is added after it."""
    values = {
        "watch_id": watch.watch_id,
        "owner": watch.owner,
        "label": watch.label,
        "state": str(watch.state),
        "search": dump(watch.search),
        "query": dump(watch.query),
        "now": to_ms(watch.created_at),
    }
    db.execute(ADD, values)
    db.execute(ADD_QUERY, {"watch_id": watch.watch_id, "fasta": fasta})


def query(db: sqlite3.Connection, watch_id: str) -> bytes | None:
    """Return the query sequences of a watch, None for one that is gone."""
    row = db.execute(QUERY, {"watch_id": watch_id}).fetchone()
    return None if row is None else bytes(row["fasta"])


def get(db: sqlite3.Connection, watch_id: str) -> Watch | None:
    """Return a watch, None if there is none."""
    row = db.execute(GET, {"watch_id": watch_id}).fetchone()
    return None if row is None else _watch(row)


def count(db: sqlite3.Connection, owner: Owner) -> int:
    """Return how many watches an owner has."""
    return int(db.execute(COUNT, {"owner": owner}).fetchone()[0])


def page(
    db: sqlite3.Connection, owner: Owner | None, after: WatchCursor, limit: int
) -> tuple[list[Watch], WatchCursor | None]:
    """Return up to *limit* watches of *owner* (None: of all), newest first, and where the next page begins."""
    values = {"owner": owner, "created_ms": after.created_ms, "after_id": after.watch_id, "limit": limit + 1}
    rows = db.execute(PAGE if owner is None else PAGE_OWNER, values).fetchall()
    last = rows[limit - 1] if len(rows) > limit else None
    following = None if last is None else WatchCursor(created_ms=last["created_at"], watch_id=last["watch_id"])
    return _readable(_watch, rows[:limit]), following


def of_job(db: sqlite3.Connection, job_id: JobId, limit: int = 100) -> list[Watch]:
    """Return the watches of which a search is a run, newest first."""
    return _readable(_watch, db.execute(OF_JOB, {"job_id": job_id, "limit": limit}))


def active(db: sqlite3.Connection, after: str, limit: int) -> tuple[list[ActiveWatch], str | None]:
    """Return up to *limit* watches that are not paused, by id, those after *after*, and after which to go on (None: the last)."""
    rows = db.execute(ACTIVE, {"after": after, "limit": limit}).fetchall()
    return _readable(_active, rows), rows[-1]["watch_id"] if len(rows) == limit else None


def set_state(db: sqlite3.Connection, watch_id: str, state: WatchState, now: datetime) -> None:
    """Pause a watch, or let it go on."""
    db.execute(SET_STATE, {"watch_id": watch_id, "state": str(state), "now": to_ms(now)})


def set_trouble(db: sqlite3.Connection, watch_id: str, trouble: tuple[str, str] | None, now: datetime) -> None:
    """Note why a watch can't run (code and sentence), None that nothing keeps it; the same as before keeps its time."""
    code, text = trouble or (None, None)
    values: dict[str, Any] = {"watch_id": watch_id, "code": code, "text": text}
    db.execute(SET_TROUBLE, values | {"now": to_ms(now) if trouble else None})


def remove(db: sqlite3.Connection, watch_id: str) -> None:
    """Remove a watch; its searches stay."""
    db.execute(REMOVE, {"watch_id": watch_id})


def begin_run(db: sqlite3.Connection, watch_id: str, number: int, job: Job, now: datetime, keep: int) -> bool:
    """Add run *number* of a watch, the next one; False if it has that already or is gone.

    Runs before it that never came to a comparison are closed, and of its history the newest *keep* stay.
    """
    values = {"watch_id": watch_id, "number": number, "now": to_ms(now)}
    if db.execute(BEGIN, values | {"before": number - 1}).rowcount == 0:
        return False
    db.execute(CLOSE_RUNS, values | {"note": "It did not complete, and the next run took its place."})
    db.execute(ADD_RUN, values | {"job_id": job.job_id, "databases": dump(job.databases)})
    db.execute(FORGET_RUNS, {"watch_id": watch_id, "number": number - keep})
    return True


def runs(db: sqlite3.Connection, watch_id: str, limit: int) -> list[WatchRun]:
    """Return the runs of a watch, newest first."""
    return _readable(_run, db.execute(RUNS, {"watch_id": watch_id, "limit": limit}))


def ended(db: sqlite3.Connection, limit: int) -> list[WatchRun]:
    """Return runs that are to be settled: their searches completed, or are gone."""
    return _readable(_run, db.execute(ENDED, {"limit": limit}))


def any_going(db: sqlite3.Connection) -> bool:
    """Tell whether a run of any watch is not settled, and will be soon: one that failed may be retried, or never is."""
    return db.execute(GOING).fetchone() is not None


def settle(db: sqlite3.Connection, run: WatchRun, now: datetime) -> bool:
    """Write how a run was settled, and its comparison as the last one of its watch; False if that was done before."""
    values: dict[str, Any] = {"watch_id": run.watch_id, "number": run.number, "now": to_ms(now)}
    difference = None if run.difference is None else dump(run.difference)
    settled = values | {"base_job": run.base_job, "difference": difference, "note": run.note}
    return db.execute(SETTLE_RUN, settled).rowcount > 0


def compared(db: sqlite3.Connection, run: WatchRun, now: datetime) -> None:
    """Make a settled run the one that the next is compared with."""
    before = run.base_job if run.difference is not None else None
    values: dict[str, Any] = {"watch_id": run.watch_id, "before": before, "after": run.job_id, "now": to_ms(now)}
    db.execute(COMPARED, values)


def _readable(make: Callable[[sqlite3.Row], T], rows: Iterable[sqlite3.Row]) -> list[T]:
    """Return what *rows* are, without those that can't be read: they hold up no other."""
    found: list[T] = []
    for row in rows:
        with suppress(ValueError, TypeError, OverflowError):  # msgspec's errors are ValueErrors
            found.append(make(row))
    return found


def _active(row: sqlite3.Row) -> ActiveWatch:
    status = None if row["status"] is None else Status(row["status"])
    return ActiveWatch(watch=_watch(row), databases=_databases(row), status=status)


def _watch(row: sqlite3.Row) -> Watch:
    trouble = None
    if row["trouble_code"] is not None:
        trouble = WatchTrouble(code=row["trouble_code"], text=row["trouble"], at=from_ms(row["trouble_at"]))
    return Watch(
        watch_id=row["watch_id"],
        owner=Owner(row["owner"]),
        label=row["label"],
        state=WatchState(row["state"]),
        search=load(row["search"], Search),
        query=load(row["query"], QueryInfo),
        created_at=from_ms(row["created_at"]),
        updated_at=from_ms(row["updated_at"]),
        runs=row["runs"],
        before_job=row["before_job"],
        after_job=row["after_job"],
        trouble=trouble,
    )


def _run(row: sqlite3.Row) -> WatchRun:
    return WatchRun(
        watch_id=row["watch_id"],
        number=row["number"],
        job_id=JobId(row["job_id"]),
        databases=_databases(row),
        began_at=from_ms(row["began_at"]),
        settled_at=moment(row["settled_at"]),
        base_job=row["base_job"],
        difference=None if row["difference"] is None else load(row["difference"], DifferenceCounts),
        note=row["note"],
    )


DATABASES = msgspec.json.Decoder(tuple[DatabaseRef, ...])


def _databases(row: sqlite3.Row) -> tuple[DatabaseRef, ...]:
    found: tuple[DatabaseRef, ...] = DATABASES.decode(row["databases"])
    return found
