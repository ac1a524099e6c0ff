"""How a pinned database lies in volumes, and alias folders on this machine that restrict it (rules: `core/alias.py`).

All functions but the last block.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path

from blastd.blastplus.anatomy import SUFFIXES, VOLUME, anatomy
from blastd.blastplus.blastdb import check_volume
from blastd.blastplus.generation import Generation
from blastd.blastplus.indexfile import read_index, sequence_offset
from blastd.blastplus.regular import BoundedReader
from blastd.core import alias
from blastd.core.model import DatabaseRef
from blastd.errors import DatabaseBroken


def layout_of(generations: Sequence[Generation], refs: Sequence[DatabaseRef], argument: str) -> alias.Layout | None:
    """Return the layout of one pinned database; None if positions can't be told from its volumes.

    That is so for several databases (BLAST+ orders their volumes by rules of its own), for volumes whose names are not
    in order, and for a database that is itself a selection. *argument* is the value of -db.
    """
    if len(generations) != 1:
        return None
    made, ref = generations[0], refs[0]
    volumes = volumes_of(made)
    names = [Path(volume.path).name for volume in volumes]
    layout = alias.Layout(
        molecule=made.molecule,
        argument=argument,
        databases=(
            alias.Named(
                name=made.name,
                title=ref.title,
                sequences=ref.sequences,
                letters=ref.letters,
                volumes=tuple(range(len(volumes))),
            ),
        ),
        volumes=volumes,
        has_ids=has_ids(made),
    )
    return layout if layout.addressable and in_order(names) else None


def cuts_of(layout: alias.Layout, shards: int) -> tuple[int, ...]:
    """Return where *shards* of about the same letters begin, and the end of the last. Raises DatabaseBroken.

    Letters are told by the bytes that they take in the sequence files, which the indices name for each position: a
    nucleotide database packs four into one and adds its ambiguous ones.
    """
    suffix = SUFFIXES[layout.molecule][0]
    with ExitStack() as stack:
        files = [stack.enter_context(BoundedReader(Path(f"{volume.path}.{suffix}"))) for volume in layout.volumes]
        indices = [read_index(file) for file in files]
        starts = [0, *accumulate(volume.sequences for volume in layout.volumes)]
        sizes = [0, *accumulate(index.sequence_bytes for index in indices)]

        def before(position: int) -> int:
            number = min(bisect_right(starts, position) - 1, len(files) - 1)
            return sizes[number] + sequence_offset(files[number], indices[number], position - starts[number])

        return alias.even_cuts(layout.sequences, shards, before)


def in_order(names: Sequence[str]) -> bool:
    """Tell whether volumes of these names come in this order whoever sorts them."""
    return len(set(names)) == len(names) and list(names) == sorted(names)


def volumes_of(made: Generation) -> tuple[alias.AliasVolume, ...]:
    """Return the volumes of a pinned database in the order of its alias; empty if they can't be read."""
    try:
        bases = anatomy(made.path, made.molecule).volumes
        return tuple(
            alias.AliasVolume(path=base, sequences=check_volume(Path(base), made.molecule).sequences) for base in bases
        )
    except DatabaseBroken:
        return ()


def has_ids(made: Generation) -> bool:
    """Tell whether blastdbcmd finds every sequence by its id: each volume has the files of an id index.

    makeprofiledb makes only the one that all volumes share.
    """
    indexed = {Path(part.path).stem for part in made.parts if Path(part.path).suffix[2:] in ("og", "sd", "si")}
    shared = {Path(part.path).stem for part in made.parts if Path(part.path).suffix[2:] == "os"}
    volumes = {Path(part.path).stem for part in made.parts if Path(part.path).suffix[1:] in ("nin", "pin")}
    return bool(volumes) and all(
        volume in indexed or volume in shared or whole_of(volume) in shared for volume in volumes
    )


def whole_of(volume: str) -> str:
    """Return the name of the database of which a volume is one."""
    match = VOLUME.fullmatch(volume)
    return match[1] if match is not None else volume


def write_alias(files: alias.Restriction, layout: alias.Layout, folder: Path) -> None:
    """Write the alias that *files* describe into *folder*, where BLAST+ then runs with the database's own name."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.texts:
        (folder / name).write_text(alias.placed(text, layout), "utf-8", "surrogateescape")
    for mask in files.masks:
        (folder / mask.name).write_bytes(alias.mask_bytes(mask))


def records(fasta: Path, wanted: Sequence[int]) -> str:
    """Return the records of *fasta* whose numbers (from 0) are *wanted*."""
    chosen = set(wanted)
    text = fasta.read_text("utf-8", "surrogateescape")
    parts = [part for part in re.split(r"(?m)^(?=>)", text) if part.strip()]
    return "".join(part for at, part in enumerate(parts) if at in chosen)
