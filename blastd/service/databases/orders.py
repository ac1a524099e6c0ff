"""Databases that somebody ordered: what an order is, how its row is read, and how it looks while it is being made."""

from contextlib import suppress
from pathlib import Path

from blastd.aio import duty, offload
from blastd.blastplus.blastdb import BlastDatabase
from blastd.blastplus.makedb import BuildFailed, Order, check_name
from blastd.core.model import Frozen, Warned
from blastd.service.databases.input import examine, together
from blastd.store import dbtasks
from blastd.store.dbtasks import DatabaseTask


class Listed(Frozen, frozen=True, kw_only=True):
    """A database as the catalogue shows it; `warm_on` are nodes that hold it complete."""

    database: BlastDatabase
    warm_on: tuple[str, ...] = ()


class NewDatabase(Frozen, frozen=True, kw_only=True):
    """A database to be made; `upload` holds plain FASTA and becomes ours."""

    name: str
    upload: Path
    title: str = ""
    molecule: str = ""
    parse_seqids: bool = True
    replace: bool = False
    molecule_check: bool = True


def order_of(task: DatabaseTask, folder: Path) -> Order:
    """Return what a row orders. Raises BuildFailed for one that is not whole, DatabaseBroken for a name that is none."""
    try:
        ordered = dbtasks.ordered(task)
    except ValueError as error:
        raise BuildFailed(f"The order can't be read: {error}.") from error
    return Order(
        fasta=folder / ordered.fasta,
        name=check_name(task.name),
        title=ordered.title,
        molecule=ordered.molecule,
        parse_seqids=ordered.parse_seqids,
        replace=ordered.replace,
        task_id=task.task_id,
    )


def first_of_all(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first plain exception of a group."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


DONE = {"make": "made", "fetch": "fetched", "update": "updated"}


def building(task: DatabaseTask) -> BlastDatabase:
    """Return a database in the making as the catalogue shows it."""
    return BlastDatabase(
        name=task.name,
        path="",
        title=str(task.settings.get("title", "")),
        molecule=task.molecule,
        state="building",
        reason=f"being {DONE[task.kind]}, {task.progress:.0%} done",
    )


async def examined(task: DatabaseTask, order: Order) -> tuple[Warned, ...]:
    """Return the warnings of a file that was too large to be looked at before it was accepted. Raises BuildFailed."""
    ordered = dbtasks.ordered(task)
    if ordered.examined:
        return ()
    seen = await offload(examine, order.fasta, order.molecule, molecule_check=ordered.molecule_check)
    if seen.faults:
        raise BuildFailed(together(seen.faults))
    return seen.warnings


async def drop_upload(task: DatabaseTask, folder: Path) -> None:
    """Remove the FASTA of a task that has ended; what can't be removed now goes with the sweep."""
    name = str(task.settings.get("fasta", ""))
    with suppress(OSError, ValueError):
        if name and "/" not in name:
            await duty((folder / name).unlink, missing_ok=True)
