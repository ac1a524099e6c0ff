"""What units ask of this machine, and in which order those of a search wait. Pure."""

from blastd.core import memory, sharing
from blastd.core.engine import Work
from blastd.core.model import Unit, UnitKind
from blastd.core.schedule import Piece


def piece_of(work: Work, unit: Unit) -> Piece:
    """Return what a unit asks of this machine."""
    shards = max((other.shard or 0 for other in work.units), default=0) + 1
    mapped = (
        f"{','.join(database.fingerprint for database in work.databases)}/{unit.shard}",
        sum(database.size_bytes for database in work.databases) // (shards if unit.shard is not None else 1),
    )
    return Piece(
        index=unit.index,
        threads=unit.threads,
        seconds=sharing.seconds(work, unit),
        memory_bytes=memory.process_bytes(work.job.program, unit.letters, unit.letters // max(unit.queries, 1)),
        mapped=mapped,
        after=unit.after,
    )


def shard_major(unit: Unit) -> tuple[bool, int, int]:
    """Order units so that a shard stays in memory while all batches search it; what writes results goes first when it can."""
    return unit.kind is UnitKind.PROPOSE, unit.shard or 0, unit.index
