"""From the units' outputs to facts of the whole job: every stored file is read once, whole, and counted.

Files and checksums belong to the caller; this reads what they say.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from blastd.blastplus.remarks import hear
from blastd.core.alias import targets
from blastd.core.engine import Trouble
from blastd.core.model import Frozen, Job, Unit, UnitKind, Warned
from blastd.core.tabular import COLUMN, TRAILER, Damaged, sections
from blastd.durable import SCARCE
from blastd.errors import ResultGone

MOST_WARNINGS = 500


class Assembled(Frozen, frozen=True, kw_only=True):
    """What the outputs of a job say together.

    `hits` counts rows (aligned pieces); `limit_reached` the queries with as many subjects as max_target_seqs allows, so
    that there may be more.
    """

    hits: int
    limit_reached: int
    warnings: tuple[Warned, ...] = ()
    refuted: Mapping[int, Trouble] = {}
    """Units, by index, whose output is not that of the search that was asked for, although they ended well."""


def result_units(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return the units that write results, in query order."""
    return tuple(sorted((unit for unit in units if unit.kind is not UnitKind.PROPOSE), key=lambda unit: unit.batch))


def stored_path(folder: Path, unit: Unit) -> Path:
    """Return where the stored form of a unit lies in the job's *folder*."""
    return folder / "units" / f"{unit.index}.out"


def stored_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a stored file; bytes that are no UTF-8 come back when written with surrogateescape."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        yield from file


def subject_key(row: str) -> tuple[str, ...]:
    """Return what tells subjects of one query apart in a stored row; without parsed ids names may repeat."""
    cells = row.split("\t", COLUMN["slen"] + 1)
    return cells[COLUMN["saccver"]], cells[COLUMN["sseqid"]], cells[COLUMN["slen"]]


def assemble(folder: Path, job: Job, units: Sequence[Unit]) -> Assembled:
    """Read every stored file of *job* and count. Blocking. Raises ResultGone for a file that is missing or damaged, OSError when the machine is exhausted."""
    limit = targets(job.options)
    hits = reached = 0
    for unit in result_units(units):
        path = stored_path(folder, unit)
        queries = 0
        try:
            for section in sections(whole_lines(path)):
                queries += section.begins_query
                hits += len(section.rows)
                if len(section.rows) >= limit and len({subject_key(row) for row in section.rows}) >= limit:
                    reached += 1
        except OSError as error:
            if error.errno in SCARCE:
                raise
            raise ResultGone(f"The output of part {unit.index} can't be read: {error.strerror}.") from error
        except Damaged as error:
            raise ResultGone(f"The output of part {unit.index} is damaged: {error}") from error
        if queries != unit.queries:
            raise ResultGone(f"The output of part {unit.index} has {queries} queries instead of {unit.queries}.")
    warnings, refuted = said_by(units)
    return Assembled(hits=hits, limit_reached=reached, warnings=warnings, refuted=refuted)


def said_by(units: Sequence[Unit]) -> tuple[tuple[Warned, ...], Mapping[int, Trouble]]:
    """Return the warnings of all units, those that only propose included, and the units whose output can't be used."""
    found: dict[Warned, None] = {}
    refuted: dict[int, Trouble] = {}
    for unit in sorted(units, key=lambda unit: unit.kind is UnitKind.PROPOSE):
        said = hear(unit.stderr, unit.first_query)
        found |= dict.fromkeys(said.warnings)
        if said.trouble is not None:
            refuted[unit.index] = said.trouble
    return tuple(found)[:MOST_WARNINGS], refuted


def whole_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a stored file. Raises Damaged when its trailer is missing."""
    last = ""
    for last in stored_lines(path):
        yield last
    if not last.startswith(TRAILER) or not last.endswith("\n"):
        raise Damaged("it ends before its last line")
