"""What becomes of the units of a job: what engines report of them, and which run again. Pure."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from blastd.core.engine import UnitReport
from blastd.core.model import Unit, UnitState


def merge(units: Sequence[Unit], reports: Sequence[UnitReport]) -> tuple[Unit, ...]:
    """Return the units that *reports* change. A unit that is done stays done; older attempts change nothing."""
    known = {unit.index: unit for unit in units}
    changed = []
    for report in reports:
        unit = known.get(report.index)
        if unit is None or unit.state is UnitState.DONE or report.attempt < unit.attempt:
            continue
        new = replace(
            unit,
            state=report.state,
            attempt=report.attempt,
            started_at=report.started_at or (unit.started_at if report.attempt == unit.attempt else None),
            ended_at=report.ended_at,
            exit_code=report.exit_code,
            error_code=report.trouble.code if report.trouble is not None else None,
            stderr=report.stderr,
            node=report.node or unit.node,
            output_bytes=report.size_bytes,
            output_sha256=report.sha256,
            blast_version=report.blast_version,
        )
        if new != unit:
            changed.append(new)
    return tuple(changed)


def outdated(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return the units that ran with another BLAST+ than the one that ended last, and those that need their output."""
    ran = [unit for unit in units if unit.state is UnitState.DONE and unit.blast_version]
    if len({unit.blast_version for unit in ran}) < 2:
        return ()
    last = max(ran, key=lambda unit: (unit.ended_at is not None, unit.ended_at, unit.index))
    old = {unit.index for unit in ran if unit.blast_version != last.blast_version}
    return tuple(unit for unit in units if unit.index in old or not old.isdisjoint(unit.after))


def reset(units: Sequence[Unit]) -> tuple[Unit, ...]:
    """Return the units of a new attempt that have to run again: all that are not done."""
    fresh: dict[str, Any] = {"state": UnitState.WAITING, "started_at": None, "ended_at": None, "exit_code": None}
    fresh |= {"error_code": None, "stderr": "", "node": None}
    return tuple(replace(unit, **fresh) for unit in units if unit.state is not UnitState.DONE)
