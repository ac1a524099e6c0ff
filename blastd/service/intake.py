"""Taking in the query sequences of a submission: normalised, counted, judged for the program, with ASCII stand-ins.

What FASTA is and what is wrong with it is known by `core.fasta` and its neighbours; here files are read and written.
"""

from collections.abc import Sequence
from pathlib import Path

from blastd.core import molecule, standins
from blastd.core.fasta import Limits, Reader, Scan
from blastd.core.model import Frozen, QueryInfo, Warned

BLOCK = 1 << 20


class Intake(Frozen, frozen=True, kw_only=True):
    """What was submitted: `letters`, `offsets` and `sizes` of each record in the file that BLAST+ reads.

    `query` is the normalised file, `ascii` the one with stand-ins for titles that BLAST+ breaks, None when not needed.
    """

    info: QueryInfo
    letters: Sequence[int]
    offsets: Sequence[int]
    sizes: Sequence[int]
    unnamed: bool
    all_short: bool
    faults: tuple[str, ...]
    warnings: tuple[Warned, ...]
    query: Path
    ascii: Path | None = None
    standins: dict[str, str] = {}


def take_in(upload: Path, query: Path, wanted: str | None, limits: Limits, *, check: bool) -> Intake:
    """Read *upload*, write the normalised *query*, and return what was found; blocking.

    *wanted* is the molecule that the program reads, None if the program is not known; *check* off lets pass what looks
    like the other molecule.
    """
    scan = _copy(upload, query, limits)
    kind = wanted or scan.molecule
    faults, warnings = molecule.judge(scan, kind, check=check)
    table: dict[str, str] = {}
    ascii_file: Path | None = None
    read = scan
    if scan.needs_standins and not faults:
        table = standins.table(scan)
        ascii_file = query.with_name(query.name + ".ascii")
        read = _write_ascii(query, ascii_file, table, limits)
    return Intake(
        info=QueryInfo(
            count=scan.count,
            letters=sum(scan.letters_of(kind)),
            molecule=kind,
            first_id=scan.first_id,
            sha256=scan.sha256,
        ),
        letters=scan.letters_of(kind),
        offsets=read.offsets,
        sizes=read.sizes,
        unnamed=scan.unnamed,
        all_short=scan.all_short,
        faults=tuple(fault.sentence for fault in faults),
        warnings=tuple(Warned(text=warning.sentence, query=warning.record or None) for warning in warnings),
        query=query,
        ascii=ascii_file,
        standins=table,
    )


def _copy(source: Path, target: Path, limits: Limits) -> Scan:
    """Write the normalised form of *source* to *target* and return what it holds."""
    reader = Reader(limits)
    with source.open("rb") as file, target.open("wb") as out:
        while (block := file.read(BLOCK)) and not reader.stopped:
            out.write(reader.feed(block))
        last, scan = reader.end()
        out.write(last)
    return scan


def _write_ascii(source: Path, target: Path, table: dict[str, str], limits: Limits) -> Scan:
    """Write *source* with stand-ins to *target*; the scan gives where its records lie."""
    reader = Reader(limits)
    with source.open("rb") as file, target.open("wb") as out:
        for line in file:
            out.write(reader.feed(standins.put(line, table) if line.startswith(b">") else line))
        last, scan = reader.end()
        out.write(last)
    return scan
