"""Which searches one BLAST+ process may do one after the other: pure rules.

To start BLAST+ and open a database costs more than a tiny search itself, so tiny searches are fed to a process that is
open (`core.feeding`). With BATCH_SIZE=1 in its environment BLAST+ closes a round after each query, so a query is searched as
if it were alone in its process: lookup table, mean query length, statistics and lists are made for the round. Without
it queries of one round change each other's e-values and marginal hits.

Only searches of one query share: several queries form rounds of their own, which BATCH_SIZE would cut. The query has a
name, since BLAST+ counts nameless ones through its input.
"""

from collections.abc import Hashable

from blastd.core.engine import Work
from blastd.core.model import Unit, UnitKind
from blastd.core.plan import seconds_per_cell
from blastd.core.program_table import PROFILED

ENVIRONMENT = {"BATCH_SIZE": "1"}
TINY_SECONDS = 0.1
"""Work (by `core.plan`'s estimate) of a search that is gladly searched with others."""
TINY_BYTES = 64 * 1024
"""Of a query that is held in memory for a while, and fed through a pipe."""
# These look at the whole file of queries, or keep something from one query to the next.
ALONE = ("query_loc", "parse_deflines", "use_index", "index_name")
NAMELESS = "Query_1"


def kind_of(work: Work) -> Hashable | None:
    """Return what searches have in common that may share a process; None: this one runs alone."""
    job = work.job
    if len(work.units) != 1 or job.query.count != 1 or job.query.first_id == NAMELESS:
        return None
    if job.program in PROFILED or job.query.type != "sequences":
        return None
    unit = work.units[0]
    if unit.kind is not UnitKind.SEARCH or unit.threads != 1 or job.query_loc is not None:
        return None
    if any(name in job.options for name in ALONE) or unit.size > TINY_BYTES or seconds(work, unit) > TINY_SECONDS:
        return None
    databases = tuple((database.folder, database.fingerprint) for database in work.databases)
    return (
        job.program, tuple(work.arguments), databases, work.database_argument, work.rich_format, work.taxonomy,
        work.time_limit_seconds,
    )  # fmt: skip


def seconds(work: Work, unit: Unit) -> float:
    """Return about how long a unit takes of one core."""
    letters = sum(database.letters for database in work.databases)
    return unit.letters * letters * seconds_per_cell(work.job.program, work.job.task)


def stays(work: Work) -> bool:
    """Tell whether a process of the kind of *work* may stay: nothing that it may open by name goes with a job or changes."""
    words = (work.run_folder, *work.arguments)
    return all(database.pinned for database in work.databases) and not any(work.folder in word for word in words)
