"""The formats of a result, and those that are projections of the stored form.

Formats that need more than the stored form holds are made by `results/reformat.py`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from msgspec.structs import replace

from blastd.core import blat, gff3, tabular
from blastd.core.ascii_titles import Decoder
from blastd.core.model import Frozen, Unit
from blastd.results.assemble import result_units, stored_lines, stored_path

BLOCK_CHARACTERS = 1 << 18


class Format(Frozen, frozen=True, kw_only=True):
    """A format: its name, BLAST+'s number (None: not one of BLAST+), how it is sent; `programs` empty means all.

    `words` are more for BLAST+'s command line; `writes` is the option that names the file in which BLAST+ writes it beside its
    report, one for each query; `header`: a table begins with a line of its columns' names; `columns` are those that
    a projection needs beside what the stored form always holds.
    """

    name: str
    outfmt: int | None
    title: str
    media_type: str
    extension: str
    programs: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    header: bool = False
    writes: str = ""
    columns: tuple[str, ...] = ()


ORGANISMS = 18
"""BLAST+'s number of the report by organism: it leaves hits out, with exit code 0, whose organism taxdb does not name."""
FORMATS: Mapping[str, Format] = {
    kind.name: kind
    for kind in (
        Format(
            name="tabular",
            outfmt=6,
            title="Table, tab-separated",
            media_type="text/plain; charset=utf-8",
            extension="tsv",
        ),
        Format(
            name="commented",
            outfmt=7,
            title="Table with comment lines",
            media_type="text/plain; charset=utf-8",
            extension="txt",
        ),
        Format(
            name="csv",
            outfmt=10,
            title="Table, comma-separated, safe in spreadsheets",
            media_type="text/plain; charset=utf-8",
            extension="csv",
        ),
        Format(name="xml", outfmt=5, title="BLAST XML", media_type="application/xml", extension="xml"),
        Format(name="xml2", outfmt=16, title="BLAST XML2", media_type="application/xml", extension="xml2.xml"),
        Format(name="json", outfmt=15, title="BLAST JSON", media_type="application/json", extension="json"),
        Format(
            name="pairwise",
            outfmt=0,
            title="Pairwise alignments as text",
            media_type="text/plain; charset=utf-8",
            extension="txt",
        ),
        *(
            Format(
                name=name,
                outfmt=number,
                title=title,
                media_type="text/plain; charset=utf-8",
                extension="txt",
            )
            for name, number, title in (
                ("anchored", 1, "Alignments to the query, dots where they are the same"),
                ("anchored_letters", 2, "Alignments to the query, all letters"),
                ("flat", 3, "Flat alignments to the query, dots where they are the same"),
                ("flat_letters", 4, "Flat alignments to the query, all letters"),
            )
        ),
        Format(
            name="asn1",
            outfmt=11,
            title="BLAST archive (ASN.1 text)",
            media_type="text/plain; charset=utf-8",
            extension="asn1",
        ),
        Format(
            name="sam",
            outfmt=17,
            title="SAM",
            media_type="text/plain; charset=utf-8",
            extension="sam",
            programs=("blastn",),
        ),
        *(
            Format(
                name=name,
                outfmt=7,
                title=title,
                media_type="text/plain; charset=utf-8",
                extension=extension,
                programs=("psiblast", "deltablast"),
                writes=option,
            )
            for name, option, title, extension in (
                (
                    "pssm",
                    "out_pssm",
                    "Position-specific matrix of the last iteration (ASN.1), to search with again",
                    "smp",
                ),
                ("pssm_ascii", "out_ascii_pssm", "Position-specific matrix of the last iteration, to read", "pssm.txt"),
            )
        ),
        Format(
            name="organisms",
            outfmt=ORGANISMS,
            title="Hits by organism, as text",
            media_type="text/plain; charset=utf-8",
            extension="txt",
        ),
        Format(
            name="fasta",
            outfmt=None,
            title="Sequences of the hits",
            media_type="text/x-fasta; charset=utf-8",
            extension="fa",
        ),
        Format(
            name="gff3",
            outfmt=None,
            title="GFF3: a feature for each HSP, on the subject",
            media_type="text/gff3; charset=utf-8",
            extension="gff3",
        ),
        Format(
            name="blat",
            outfmt=None,
            title="JSON as UCSC's hgBlat answers, for genome browsers",
            media_type="application/json",
            extension="blat.json",
            programs=blat.PROGRAMS,
            columns=blat.COLUMNS,
        ),
    )
}
_Writer = Callable[[Iterable[Iterable[str]], Sequence[str], tabular.Beside | None], Iterator[str]]
_WRITERS: Mapping[str, _Writer] = {
    "tabular": tabular.table,
    "commented": tabular.commented,
    "csv": tabular.csv,
    "gff3": lambda parts, _names, _more: gff3.features(parts),
    "blat": lambda parts, _names, more: blat.document(parts, more),
}
PROJECTED = frozenset(_WRITERS)
"""Formats that are made of the stored form alone, but for columns that it lacks."""


class HeaderForm(Frozen, frozen=True, kw_only=True):
    """How a table with a line of names is sent: a reader of the media type takes that line for what it is (RFC 4180, IANA)."""

    media_type: str
    separator: str


WITH_HEADER: Mapping[str, HeaderForm] = {
    "tabular": HeaderForm(media_type="text/tab-separated-values; charset=utf-8; header=present", separator="\t"),
    "csv": HeaderForm(media_type="text/csv; charset=utf-8; header=present", separator=","),
}
"""Tables that can have one. Without it they are sent as plain text, since readers of these types drop the first line."""


def with_header(kind: Format) -> Format:
    """Return a table that begins with a line of its columns' names."""
    return replace(kind, header=True, media_type=WITH_HEADER[kind.name].media_type)


def with_gis(kind: Format) -> Format:
    """Return a text format with the GIs of subjects that have one; what is made for programs stays as it is."""
    if kind.outfmt is None or not 0 <= kind.outfmt <= 4:
        return kind
    return replace(kind, name=f"{kind.name}-gi", words=("-show_gis",))


def with_alignments(kind: Format, number: int) -> Format:
    """Return a text format that shows the alignments of *number* subjects a query; BLAST+ shows 250 by itself."""
    return replace(kind, name=f"{kind.name}-{number}", words=("-num_alignments", str(number)))


def projection(
    folder: Path,
    units: Sequence[Unit],
    name: str,
    names: Sequence[str] | None = None,
    query: int | None = None,
    *,
    standins: Mapping[str, str] | None = None,
    without: Collection[str] = (),
    more: Path | None = None,
    header: bool = False,
) -> Iterator[bytes] | None:
    """Yield blocks of the format *name* made from the stored files of *units*; None when it can't be made from them.

    *without* are columns that these lack; *more* is a table of those that have to be beside them (`tabular.beside`).

    *header*: the names of the columns come first, in a line of their own.
    *names* are checked columns (`tabular.columns`), *query* is one query's number from 1. Blocking, at most a few
    milliseconds a block. Raises Damaged, in the middle, for a file that is not whole.
    """
    writer = _WRITERS.get(name)
    names = tuple(names) if names is not None else tabular.STD
    lacked = tabular.beside(names, without)
    if writer is None or (lacked and more is None):
        return None
    parts = [stored_lines(stored_path(folder, unit)) for unit in result_units(units)]
    if query is not None:
        parts = [only(folder, units, query)]
    further = tabular.Beside(lacked, stored_lines(more)) if lacked and more is not None else None
    first = [WITH_HEADER[name].separator.join(names) + "\n"] if header else []
    return _encoded(chain(first, writer(parts, names, further)), standins or {})


def only(folder: Path, units: Sequence[Unit], query: int) -> Iterator[str]:
    """Yield the lines of the stored form of one query (its number from 1), as a file of its own."""
    tables = 0
    for unit in result_units(units):
        at = query - 1 - unit.first_query
        if not 0 <= at < unit.queries:
            continue
        number = -1
        for section in tabular.sections(stored_lines(stored_path(folder, unit))):
            number += section.begins_query
            if number > at:
                break
            if number == at:
                tables += 1
                yield from (line + "\n" for line in section.head)
                if section.fields:
                    yield section.fields + "\n"
                if section.found is not None:
                    yield f"# {section.found} hits found\n"
                yield from (row + "\n" for row in section.rows)
                if section.converged:
                    yield tabular.CONVERGED
    yield f"{tabular.TRAILER}{max(tables, 1)} queries\n"


def _encoded(lines: Iterable[str], standins: Mapping[str, str]) -> Iterator[bytes]:
    """Yield *lines* as blocks of bytes with the texts of stand-ins put back."""
    decoder = Decoder(standins)
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= BLOCK_CHARACTERS:
            yield decoder.feed("".join(held).encode("utf-8", "surrogateescape"))
            held, size = [], 0
    yield decoder.feed("".join(held).encode("utf-8", "surrogateescape")) + decoder.end()


def write_all(blocks: Iterator[bytes], target: Path) -> None:
    """Write *blocks* to *target*; blocking."""
    with target.open("wb") as file:
        for block in blocks:
            file.write(block)
