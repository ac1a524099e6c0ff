"""What can be wrong with submitted sequences, as data: faults, warnings, limits, and foreign formats told by their start.

`core/fasta.py` finds them while it reads, `core/molecule.py` those that depend on the molecule a program wants.
"""

import re
from collections.abc import Mapping

import msgspec

MOST = 100
"""Faults and warnings that are kept: nobody reads more, and memory must not follow the size of a bad file."""


class SequenceFault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to mend, or to know. Record and line count from 1, 0 means the file as a whole."""

    code: str
    sentence: str
    record: int = 0
    record_id: str = ""
    line: int = 0


class SequenceLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What ends the reading early. A record's letters must stay below 2**32, as BLAST+ itself wants."""

    letters: int = 2**62
    sequences: int = 2**32 - 1
    record_letters: int = 2**32 - 1
    title_bytes: int = 2**20


class SequenceFaults:
    """Faults or warnings in the order in which they were found: each key once, the first `MOST` kept, all counted."""

    def __init__(self, *, located: bool = True) -> None:
        """Begin empty; *located* puts the place before each sentence."""
        self._located = located
        self._kept: dict[tuple[str, int, int], SequenceFault] = {}
        self._last: tuple[str, int, int] | None = None
        self.total = 0

    def add(
        self, code: str, text: str, record: int = 0, record_id: str = "", line: int = 0, *, each: str = "line"
    ) -> None:
        """Note *text* about a line, or once for the whole record when *each* is "record"."""
        key = (code, record, line if each == "line" else 0)
        if key in self._kept or key == self._last:
            return
        self._last = key
        self.total += 1
        if len(self._kept) < MOST:
            sentence = f"{place(record, record_id, line)}{text}" if self._located else text
            self._kept[key] = SequenceFault(code=code, sentence=sentence, record=record, record_id=record_id, line=line)

    def all(self) -> tuple[SequenceFault, ...]:
        """Return what was kept."""
        return tuple(self._kept.values())


def place(record: int, record_id: str, line: int) -> str:
    """Return where something is, as the beginning of a sentence."""
    if not record:
        return f"Line {line}: " if line else ""
    name = f' "{record_id[:80]}"' if record_id else ""
    return f"Record {record}{name}, line {line}: " if line else f"Record {record}{name}: "


def printable(byte: int) -> str:
    """Return a byte for a sentence."""
    named: Mapping[int, str] = {
        0: "a NUL byte",
        9: "a tab",
        0x1A: "a Ctrl-Z (DOS end of file)",
        0x20: "a blank",
        0x7F: "a DEL byte",
    }
    if byte in named:
        return named[byte]
    return f"'{chr(byte)}'" if 0x20 < byte < 0x7F else f"byte 0x{byte:02x}"


# ---- formats that BLAST+ would swallow as sequence, or refuse with a sentence that helps nobody

SNIFFED_BYTES = 1024
"""Enough to know every format below by its start, and to see that a file is not text."""

_SAVE = "save it as FASTA"
_FORMATS: tuple[tuple[str, bytes, str], ...] = (
    ("gzip", rb"\x1f\x8b", "the query is still compressed after unpacking it once: send plain FASTA, or gzip of it"),
    ("zip", rb"PK(\x03\x04|\x05\x06)", "the query is a zip archive (or an Office document): unpack it, and send plain FASTA or gzip"),
    ("bzip2", rb"BZh[1-9]1AY", "the query is compressed with bzip2: send plain FASTA or gzip"),
    ("xz", rb"\xfd7zXZ\x00", "the query is compressed with xz: send plain FASTA or gzip"),
    ("zstd", rb"\x28\xb5\x2f\xfd", "the query is compressed with zstd: send plain FASTA or gzip"),
    ("tar", rb"(?s).{257}ustar", "the query is a tar archive: unpack it, and send one FASTA file, plain or gzip"),
    ("pdf", rb"%PDF-", f"the query is a PDF document: {_SAVE} text"),
    ("rtf", rb"\{\\rtf", f"the query is a rich text document: {_SAVE} (plain text)"),
    ("sam", rb"@(HD|SQ|RG|PG|CO)\t", "the query is SAM: convert it with `samtools fasta`"),
    ("bam", rb"BAM\x01", "the query is BAM: convert it with `samtools fasta`"),
    ("fastq", rb"\s*@", "the query is FASTQ, which BLAST+ would glue into one sequence: convert it to FASTA, "
     "for example with `seqtk seq -a reads.fq`"),
    ("genbank", rb"\s*LOCUS[ \t]+\S", f"the query is a GenBank record, whose words BLAST+ would read as letters: {_SAVE}"),
    ("embl", rb"\s*ID {3}\S", f"the query is an EMBL or Swiss-Prot record, whose words BLAST+ would read as letters: {_SAVE}"),
    ("clustal", rb"\s*(CLUSTAL|MUSCLE)\b", f"the query is a Clustal alignment: {_SAVE}, without gaps"),
    ("stockholm", rb"# STOCKHOLM", f"the query is a Stockholm alignment: {_SAVE}, without gaps"),
    ("nexus", rb"(?i)#NEXUS", f"the query is a NEXUS file: {_SAVE}, without gaps"),
    ("phylip", rb"[ \t]*\d+[ \t]+\d+[ \t]*\r?\n[ \t]*[A-Za-z]", f"the query is a PHYLIP alignment: {_SAVE}, without gaps"),
    ("gff", rb"##gff-version", "the query is GFF, which holds features: send the sequences as FASTA"),
    ("vcf", rb"##fileformat=VCF", "the query is VCF, which holds variants: send the sequences as FASTA"),
    ("asn1", rb"(Seq-entry|Bioseq-set|Bioseq|Blast4-archive)[ \t]*::=", f"the query is ASN.1 text: {_SAVE}"),
    ("xml", rb"\s*<(\?xml|!DOCTYPE|html|HTML)", f"the query is an XML or web page: {_SAVE} text"),
    ("json", rb"\s*\{\s*\"", "the query is JSON: send FASTA, or send JSON with the content type application/json"),
)  # fmt: skip
_KNOWN = tuple((code, re.compile(start), sentence) for code, start, sentence in _FORMATS)
_UTF16 = re.compile(rb"\xff\xfe|\xfe\xff|[>A-Za-z;#]\x00|\x00[>A-Za-z;#]|\x00\x00\xfe\xff")
# A table with bytes that text doesn't have; NUL and a few others alone may be an accident that a fault can name.
_BINARY = bytes({*range(9), *range(14, 32), 127})


def foreign_format(start: bytes) -> SequenceFault | None:
    """Return what a file that begins with *start* is, if it is known not to be FASTA."""
    if _UTF16.match(start):
        return SequenceFault(
            code="utf16", sentence="The query is UTF-16 or UTF-32 text: save it as UTF-8 or plain text."
        )
    for code, pattern, sentence in _KNOWN:
        if pattern.match(start):
            return SequenceFault(code=code, sentence=f"{sentence[0].upper()}{sentence[1:]}.")
    strange = len(start) - len(start.translate(None, _BINARY))
    if strange > 8 and strange * 20 > len(start):
        return SequenceFault(code="not_text", sentence="The query is a binary file, not FASTA text.")
    return None
