"""BLAST XML (-outfmt 5) that was made elsewhere, as a stored form: what it tells of each HSP, in the columns of `core.tabular.RICH`.

It is read as it comes, one subject at a time, with `defusedxml`: entities are refused, nothing outside the file is opened, and
depth and counts have limits. What the XML does not tell (taxonomy, the query's letters) is not made up: the query file has
`N` (`X` of proteins) in place of every letter, so that positions are right. Blocking.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from blastd.core.imported import ImportedHsp, cells_of, covered, named
from blastd.core.model import Frozen
from blastd.core.programs import molecules
from blastd.core.tabular import DATABASE, FIELDS, LABELS, RICH, TRAILER
from blastd.errors import Invalid

PROGRAMS = ("blastn", "blastp", "blastx", "tblastn", "tblastx")
DEEPEST = 16
"""BLAST XML has ten levels."""
HELD_BYTES = 4 << 20
"""Rows of one query that are held in memory until their number is known."""
LINE = 1 << 16
KEPT = re.compile(r"Iteration_query-(def|ID|len)|Hit_(id|def|accession|len|hsps)|Hsp|Hsp_[\w-]+")
"""Elements that are looked at later; all others are forgotten at once."""
MOST_HELD = 1_000_000
"""Elements of one subject that are held at once: 50,000 HSPs."""
_POINTER = "/xml"


class ImportLimits(Frozen, frozen=True, kw_only=True):
    """How much one import may hold."""

    queries: int
    letters: int


class ImportedResult(Frozen, frozen=True, kw_only=True):
    """What a file holds, beside its rows."""

    program: str
    version: str
    database: str
    queries: int
    letters: int
    first_id: str
    hits: int
    options: dict[str, str]


class _Reader:
    """Writes the stored form and the query file while the XML is read."""

    def __init__(self, stored: IO[str], query: IO[str], limits: ImportLimits) -> None:
        self.stored, self.query, self.limits = stored, query, limits
        self.program = self.version = self.database = self.first_id = ""
        self.options: dict[str, str] = {}
        self.queries = self.letters = self.hits = 0
        self.rows: SpooledTemporaryFile[str] | None = None
        self.count = 0
        self.query_id, self.query_title, self.length = "", "", 0
        self.parents: list[Element] = []
        self.held = 0

    def begin(self, element: Element) -> None:
        """See an element begin."""
        self.parents.append(element)
        self.held += 1
        if len(self.parents) == 1 and element.tag != "BlastOutput":
            wanted = "BLAST XML of -outfmt 5 begins with <BlastOutput>"
            hint = " XML2 (-outfmt 16) is not read." if element.tag.rpartition("}")[2] == "BlastXML2" else ""
            raise Invalid([(_POINTER, f"{wanted}, this with <{element.tag[:60]}>.{hint}")])
        if len(self.parents) > DEEPEST:
            raise Invalid([(_POINTER, f"Elements lie more than {DEEPEST} deep: this is no BLAST XML.")])
        if self.held > MOST_HELD:
            raise Invalid([(_POINTER, f"One subject has more than {MOST_HELD:,} elements.")])

    def end(self, element: Element) -> None:
        """Take what an element says, and forget it."""
        self.parents.pop()
        tag, text = element.tag, (element.text or "").strip()
        if tag == "BlastOutput_program":
            self.program = text.lower()
            if self.program not in PROGRAMS:
                raise Invalid([(_POINTER, f"Results of {', '.join(PROGRAMS)} are read, not of {text[:40]!r}.")])
        elif tag == "BlastOutput_version":
            self.version = _line(text, 100)
        elif tag == "BlastOutput_db":
            self.database = _line(text, 500)
        elif tag.startswith("Parameters_"):
            self.options[tag.removeprefix("Parameters_")] = _line(text, 200)
        elif tag == "Hit":
            self._hit(element)
        elif tag == "Iteration":
            self._query(element)
        if self.parents and KEPT.fullmatch(tag) is None:
            self.parents[-1].remove(element)
            self.held = len(self.parents) if tag in ("Hit", "Iteration") else self.held - 1

    def _hit(self, hit: Element) -> None:
        if not self.program:
            raise Invalid([(_POINTER, "The file names no program before its hits.")])
        iteration = next((parent for parent in self.parents if parent.tag == "Iteration"), None)
        if iteration is None:
            raise Invalid([(_POINTER, "A hit lies outside the queries: this is no BLAST XML.")])
        self._name(iteration)
        subject = named(_text(hit, "Hit_id"), hit.findtext("Hit_def") or "", _text(hit, "Hit_accession"))
        length = _length(hit, "Hit_len")
        if self.rows is None:
            self.rows = SpooledTemporaryFile(  # noqa: SIM115  # given up in _query or by the interpreter
                max_size=HELD_BYTES, mode="w+", encoding="utf-8", newline="\n"
            )
        hsps = [_hsp(element) for element in hit.iter("Hsp")]
        share = covered(hsps, self.length)
        for hsp in hsps:
            cells = cells_of(self.program, hsp, (self.query_id, self.length), (subject, length), share)
            self.rows.write("\t".join(cells) + "\n")
            self.count += 1

    def _name(self, iteration: Element) -> None:
        title = _line(_text(iteration, "Iteration_query-def"), 100_000)
        self.query_title = "" if title == "No definition line" else title
        self.query_id = (self.query_title.split() or [_line(_text(iteration, "Iteration_query-ID"), 1000) or "Query"])[
            0
        ]
        self.length = _length(iteration, "Iteration_query-len")

    def _query(self, iteration: Element) -> None:
        self._name(iteration)
        self.queries += 1
        self.letters += self.length
        if self.queries > self.limits.queries or self.letters > self.limits.letters:
            raise Invalid(
                [(_POINTER, f"More than {self.limits.queries:,} queries or {self.limits.letters:,} letters.")]
            )
        self.first_id = self.first_id or self.query_id
        title = self.query_title or self.query_id
        version = re.search(r"\d[\w.+-]*", self.version)
        self.stored.write(f"# {self.program.upper()} {version[0] if version else '0.0'}\n# Query: {title}\n")
        self.stored.write(f"{DATABASE}{self.database}\n")
        if self.count:
            self.stored.write(FIELDS + ", ".join(LABELS[name] for name in RICH) + "\n")
        self.stored.write(f"# {self.count} hits found\n")
        if self.rows is not None:
            self.rows.seek(0)
            while block := self.rows.read(LINE):
                self.stored.write(block)
            self.rows.close()
        self.hits += self.count
        self.rows, self.count = None, 0
        self._placeholder(title)

    def _placeholder(self, title: str) -> None:
        letter = "X" if molecules(self.program)[0] == "prot" else "N"
        self.query.write(f">{title}\n")
        for begin in range(0, self.length, LINE):
            self.query.write(letter * min(LINE, self.length - begin))
        self.query.write("\n")


def read_xml(source: Path, stored: Path, query: Path, limits: ImportLimits) -> ImportedResult:
    """Write the stored form of the XML file *source* to *stored*, and what stands for its queries to *query*.

    Raises Invalid for what is no BLAST XML, is hostile, or is larger than *limits*.
    """
    with (
        source.open("rb") as file,
        stored.open("w", encoding="utf-8", newline="\n") as table,
        query.open("w", encoding="utf-8", newline="\n") as fasta,
    ):
        reader = _Reader(table, fasta, limits)
        for event, element in _events(file):
            (reader.begin if event == "start" else reader.end)(element)
        if not reader.queries:
            raise Invalid([(_POINTER, "The file holds no query.")])
        table.write(f"{TRAILER}{reader.queries} queries\n")
    return ImportedResult(
        program=reader.program,
        version=reader.version,
        database=reader.database,
        queries=reader.queries,
        letters=reader.letters,
        first_id=reader.first_id,
        hits=reader.hits,
        options=reader.options,
    )


def _events(file: IO[bytes]) -> Iterator[tuple[str, Element]]:
    try:
        yield from iterparse(
            file, events=("start", "end"), forbid_dtd=False, forbid_entities=True, forbid_external=True
        )
    except ParseError as error:
        raise Invalid([(_POINTER, f"This is not XML: {error}.")]) from error
    except DefusedXmlException as error:
        raise Invalid([(_POINTER, "The file declares entities, which no BLAST XML has; it is refused.")]) from error
    except (ValueError, LookupError) as error:  # an encoding that Python does not know, a number where none can be
        raise Invalid([(_POINTER, f"This can't be read as BLAST XML: {error}.")]) from error


def _text(element: Element, name: str) -> str:
    return (element.findtext(name) or "").strip()


def _line(text: str, most: int) -> str:
    """Return *text* as one line of a table."""
    return " ".join(text[:most].split())


def _number(element: Element, name: str, default: int | None = None) -> int:
    text = _text(element, name)
    if not text and default is not None:
        return default
    if re.fullmatch(r"-?\d{1,15}", text) is None:
        raise Invalid([(_POINTER, f"<{name}> is no number: {text[:40]!r}.")])
    return int(text)


def _length(element: Element, name: str) -> int:
    length = _number(element, name)
    if length < 0:
        raise Invalid([(_POINTER, f"<{name}> is negative.")])
    return length


def _real(element: Element, name: str) -> float:
    text = _text(element, name)
    if re.fullmatch(r"-?\d{1,20}(\.\d{1,20})?([eE][-+]?\d{1,4})?", text) is None:
        raise Invalid([(_POINTER, f"<{name}> is no number: {text[:40]!r}.")])
    return float(text)


def _hsp(element: Element) -> ImportedHsp:
    hsp = ImportedHsp(
        bit_score=_real(element, "Hsp_bit-score"),
        score=_real(element, "Hsp_score"),
        evalue=_real(element, "Hsp_evalue"),
        query_from=_number(element, "Hsp_query-from"),
        query_to=_number(element, "Hsp_query-to"),
        subject_from=_number(element, "Hsp_hit-from"),
        subject_to=_number(element, "Hsp_hit-to"),
        query_frame=_number(element, "Hsp_query-frame", 0),
        subject_frame=_number(element, "Hsp_hit-frame", 0),
        identical=_number(element, "Hsp_identity", 0),
        positive=_number(element, "Hsp_positive", 0),
        gaps=_number(element, "Hsp_gaps", 0),
        query_letters=_text(element, "Hsp_qseq"),
        subject_letters=_text(element, "Hsp_hseq"),
    )
    if not hsp.query_letters or len(hsp.query_letters) != len(hsp.subject_letters):
        raise Invalid([(_POINTER, "<Hsp_qseq> and <Hsp_hseq> of an HSP are not of one length.")])
    if re.search(r"\s", hsp.query_letters + hsp.subject_letters):
        raise Invalid([(_POINTER, "<Hsp_qseq> or <Hsp_hseq> holds blanks.")])
    return hsp
