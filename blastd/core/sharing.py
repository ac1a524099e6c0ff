"""Which searches may share a BLAST+ process, and how its output is taken apart again: pure rules.

To start BLAST+ and open a database costs more than a tiny search itself, so tiny searches that wait for a slot run
together. With BATCH_SIZE=1 in its environment BLAST+ 2.12 closes a round after each query, so a query is searched as
if it were alone in its process: lookup table, mean query length, statistics and lists are made for the round. Without
it queries of one round change each other's e-values and marginal hits.

Only searches of one query share: several queries form rounds of their own, which BATCH_SIZE would cut. The query has a
name, since BLAST+ counts nameless ones through the file. Output and stderr of a process that did not go smoothly can't
be told apart by query, so then each search runs alone.
"""

from collections.abc import Hashable, Iterable

from blastd.core.engine import Work
from blastd.core.model import Unit, UnitKind
from blastd.core.plan import seconds_per_cell
from blastd.core.program_table import PROFILED
from blastd.core.tabular import TRAILER, Damaged, sections

ENVIRONMENT = {"BATCH_SIZE": "1"}
TINY_SECONDS = 0.1
"""Work (by `core.plan`'s estimate) of a search that is gladly searched with others."""
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
    if any(name in job.options for name in ALONE) or seconds(work, unit) > TINY_SECONDS:
        return None
    databases = tuple((database.folder, database.fingerprint) for database in work.databases)
    return (job.program, tuple(work.arguments), databases, work.database_argument, work.rich_format, work.taxonomy)


def seconds(work: Work, unit: Unit) -> float:
    """Return about how long a unit takes of one core."""
    letters = sum(database.letters for database in work.databases)
    return unit.letters * letters * seconds_per_cell(work.job.program, work.job.task)


def split(lines: Iterable[str], count: int) -> list[str]:
    """Return the table of each of *count* queries as a search of it alone writes it, from their common table (format 7).

    Raises Damaged when the table is not that of so many queries, or not whole.
    """
    parts: list[list[str]] = []
    seen: list[str] = []
    source = iter(lines)

    def noted() -> Iterable[str]:
        for line in source:
            seen.append(line)
            yield line

    for section in sections(noted()):
        if section.found is None:
            raise Damaged("A query was not searched.")
        parts.append(seen[:])
        seen.clear()
    if len(parts) != count or [*seen, *source] != [f"{TRAILER}{count} queries\n"]:
        raise Damaged(f"A common table of {count} searches has {len(parts)}.")
    return ["".join([*part, f"{TRAILER}1 queries\n"]) for part in parts]
