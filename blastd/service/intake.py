"""Taking in the query sequences of a submission: normalised, counted, judged for the program, with ASCII stand-ins.

What FASTA is and what is wrong with it is known by `core.fasta` and its neighbours; here files are read and written.
"""

from collections.abc import Sequence
from pathlib import Path

from blastd.core.fasta import Limits, Reader, Scan
from blastd.core.model import Frozen, QueryInfo, Warned
from blastd.core.molecule import judge
from blastd.core.standins import Encoder, make_table

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
    stopped: bool
    faults: tuple[str, ...]
    warnings: tuple[Warned, ...]
    query: Path
    ascii: Path | None = None
    standins: dict[str, str] = {}


def take_in(upload: Path, query: Path, wanted: str | None, limits: Limits, *, check: bool) -> Intake:
    """Read *upload*, write the normalised *query*, remove *upload*, and return what was found; blocking.

    *wanted* is the molecule that the program reads, None if the program is not known; *check* off lets pass what looks
    like the other molecule.
    """
    scan = _copy(upload, query, limits)
    upload.unlink()
    judged = judge(scan, wanted or scan.molecule, molecule_check=check and wanted is not None)
    table: dict[str, str] = {}
    ascii_file: Path | None = None
    read = scan
    if scan.needs_standins and not judged.faults:
        table = make_table(scan)
        ascii_file = ascii_of(query)
        read = _write_ascii(query, ascii_file, table)
    return Intake(
        info=QueryInfo(
            count=scan.count,
            letters=sum(judged.letters),
            molecule=wanted or scan.molecule,
            first_id=scan.first_id,
            sha256=scan.sha256,
        ),
        letters=judged.letters,
        offsets=read.offsets,
        sizes=read.sizes,
        unnamed=scan.unnamed,
        all_short=scan.all_short,
        stopped=scan.stopped,
        faults=tuple(fault.sentence for fault in judged.faults),
        warnings=tuple(Warned(text=warning.sentence, query=warning.record or None) for warning in judged.warnings),
        query=query,
        ascii=ascii_file,
        standins=table,
    )


def ascii_of(query: Path) -> Path:
    """Return where the form with stand-ins of a normalised *query* is written."""
    return query.with_name(query.name + ".ascii")


def _copy(source: Path, target: Path, limits: Limits) -> Scan:
    """Write the normalised form of *source* to *target* and return what it holds."""
    reader = Reader(limits)
    with source.open("rb") as file, target.open("wb") as out:
        while not reader.stopped and (block := file.read(BLOCK)):
            out.write(reader.feed(block))
        last, scan = reader.end()
        out.write(last)
    return scan


def _write_ascii(source: Path, target: Path, table: dict[str, str]) -> Scan:
    """Write *source* with stand-ins to *target*; the scan tells where its records lie."""
    encoder, reader = Encoder(table), Reader()
    with source.open("rb") as file, target.open("wb") as out:
        while block := file.read(BLOCK):
            out.write(reader.feed(encoder.feed(block)))
        out.write(reader.feed(encoder.end()))
        last, scan = reader.end()
        out.write(last)
    return scan
