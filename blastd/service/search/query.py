"""Taking in the query sequences of a submission: normalised, counted, judged for the program, with ASCII stand-ins.

What FASTA is and what is wrong with it is known by `core.fasta` and its neighbours; here files are read and written.
"""

import hashlib
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from blastd.core.ascii_titles import Encoder, make_table
from blastd.core.fasta import QueryScan, Reader, SequenceLimits
from blastd.core.model import Frozen, QueryInfo, Warned
from blastd.core.molecule import judge
from blastd.core.profile_query import MOST_LETTERS, READERS, ProfileQuery

BLOCK = 1 << 20


class Uploads(Frozen, frozen=True, kw_only=True):
    """The sequences of a search as they arrived: plain bytes, in memory or in a temporary file that becomes ours.

    `subject` are those to search in, in place of databases.
    """

    query: Path | bytes
    subject: Path | bytes | None = None


class QueryInput(Frozen, frozen=True, kw_only=True):
    """What was submitted: `letters`, `offsets` and `sizes` of each record in the file that BLAST+ reads.

    `query` is the normalised FASTA, `ascii` the one with stand-ins for titles that BLAST+ breaks, None when not needed:
    files, or bytes of a query that was read in memory.
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
    query: Path | bytes
    ascii: Path | bytes | None = None
    standins: dict[str, str] = {}


def read_query(
    upload: Path | bytes, query: Path | None, wanted: str | None, limits: SequenceLimits, *, check: bool
) -> QueryInput:
    """Read *upload*, write the normalised *query* (None: keep it in memory), and return what was found; blocking.

    A file *upload* is removed.
    *wanted* is the molecule that the program reads, None if the program is not known; *check* off lets pass what looks
    like the other molecule.
    """
    scan, kept = _copy(upload, query, limits)
    if isinstance(upload, Path):
        upload.unlink()
    judged = judge(scan, wanted or scan.molecule, molecule_check=check and wanted is not None)
    table: dict[str, str] = {}
    kept_ascii: Path | bytes | None = None
    read = scan
    if scan.needs_standins and not judged.faults:
        table = make_table(scan)
        read, kept_ascii = _write_ascii(kept, ascii_of(query) if query is not None else None, table)
    return QueryInput(
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
        query=kept,
        ascii=kept_ascii,
        standins=table,
    )


def read_profile(upload: Path | bytes, query: Path | None, query_type: str) -> QueryInput:
    """Read a matrix or an alignment that a search begins with, and keep it as it is at *query*; blocking."""
    text = upload if isinstance(upload, bytes) else upload.read_bytes()[: MOST_LETTERS + 1]
    if isinstance(upload, Path):
        upload.unlink()
    text = text.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")
    if len(text) > MOST_LETTERS:
        found = ProfileQuery(fault=f"The query has more than {MOST_LETTERS:,} bytes.")
    else:
        try:
            found = READERS[query_type](text.decode("ascii"))
        except UnicodeDecodeError:
            found = ProfileQuery(fault="The query is no plain ASCII text.")
    if query is not None:
        query.write_bytes(text)
    return QueryInput(
        info=QueryInfo(
            count=1,
            letters=found.letters,
            molecule="prot",
            first_id=found.first_id,
            sha256=hashlib.sha256(text).hexdigest(),
            type=query_type,
        ),
        letters=(found.letters,),
        offsets=(0,),
        sizes=(len(text),),
        unnamed=False,
        all_short=False,
        stopped=False,
        faults=(found.fault,) if found.fault else (),
        warnings=(),
        query=query or text,
    )


def ascii_of(query: Path) -> Path:
    """Return where the form with stand-ins of a normalised *query* is written."""
    return query.with_name(query.name + ".ascii")


def _copy(source: Path | bytes, target: Path | None, limits: SequenceLimits) -> tuple[QueryScan, Path | bytes]:
    """Write the normalised form of *source* to *target* and return what it holds, and where it is."""
    reader = Reader(limits)
    with _opened(source) as file, _made(target) as out:
        while not reader.stopped and (block := file.read(BLOCK)):
            out.write(reader.feed(block))
        last, scan = reader.end()
        out.write(last)
        return scan, target or cast("BytesIO", out).getvalue()


def _write_ascii(source: Path | bytes, target: Path | None, table: dict[str, str]) -> tuple[QueryScan, Path | bytes]:
    """Write *source* with stand-ins to *target*; the scan tells where its records lie."""
    encoder, reader = Encoder(table), Reader()
    with _opened(source) as file, _made(target) as out:
        while block := file.read(BLOCK):
            out.write(reader.feed(encoder.feed(block)))
        out.write(reader.feed(encoder.end()))
        last, scan = reader.end()
        out.write(last)
        return scan, target or cast("BytesIO", out).getvalue()


def _opened(source: Path | bytes) -> BinaryIO:
    return BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _made(target: Path | None) -> BinaryIO:
    return BytesIO() if target is None else target.open("wb")
