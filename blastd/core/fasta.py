"""Incremental FASTA reader: what a query file holds, counted as BLAST+ 2.12 counts it, and what is wrong with it.

The reader is fed chunks of any size and gives back the bytes to store: as submitted, except that line ends become LF, a
UTF-8 byte order mark goes, a last newline is ensured and titles in Latin-1 become UTF-8. Memory follows the number of
records (16 bytes each) and the longest title, never the size of the file or of a line.

This module cuts bytes into lines; `core/fasta_records.py` counts records a block of lines at a time,
`core/fasta_lines.py` what has to be read line by line. What depends on the wanted molecule is judged by
`core/molecule.py`, stand-ins for non-ASCII titles are made by `core/ascii_titles.py`; files are opened by the store.
"""

import hashlib
import re
from array import array
from collections.abc import Sequence

import msgspec

from blastd.core.fasta_faults import SNIFFED_BYTES, SequenceFault, SequenceFaults, SequenceLimits, foreign_format
from blastd.core.fasta_records import Records
from blastd.core.molecule import NUCLEOTIDE, guess
from blastd.core.titles import parse_defline

__all__ = ["QueryScan", "Reader", "SequenceFault", "SequenceLimits", "parse_defline"]

BOM = b"\xef\xbb\xbf"
# A line without an end is worked on in pieces of this size, so that a line of 1 GB costs no memory.
FRAGMENT_BYTES = 1 << 16
SHORT_LETTERS = 30
"""Queries under this find nothing with the default tasks; the -short tasks are made for them (BLAST+ manual)."""

# A file that begins like this, without a title: BLAST+ takes the line for an accession and asks NCBI for it.
_ACCESSION = re.compile(rb"(?=[^\n]*[0-9|_])[A-Za-z0-9][A-Za-z0-9_.|:-]*[ \t]*(?:\n|\Z)")


class QueryScan(msgspec.Struct, frozen=True, kw_only=True):
    """What a query file holds.

    `offsets` are the first bytes of the records in the normalised file of `size` bytes; `nucleotides` and `residues`
    are each record's letters as a nucleotide and as a protein program of BLAST+ counts them (`letters_of` chooses).
    `molecule` is a guess: nucl, prot or unknown. `faults` forbid a search whatever the program is; the first 100 are
    kept, `faults_total` counts all; warnings likewise. `foreign` and `dropped` are lines with letters that a nucleotide
    program drops, `prose` lines of words that a protein program reads as residues, for `core.molecule.judge`. `words`, `characters` and `salt` are what `core.ascii_titles` needs.
    `stopped`: the reading ended early, so that counts are not those of the whole.
    """

    count: int
    size: int
    sha256: str
    first_id: str
    molecule: str
    offsets: Sequence[int]
    nucleotides: Sequence[int]
    residues: Sequence[int]
    unnamed: bool
    faults: tuple[SequenceFault, ...]
    faults_total: int
    warnings: tuple[SequenceFault, ...]
    warnings_total: int
    foreign: tuple[SequenceFault, ...] = ()
    foreign_letters: int = 0
    dropped: tuple[SequenceFault, ...] = ()
    dropped_letters: int = 0
    prose: tuple[SequenceFault, ...] = ()
    ambiguous: frozenset[int] = frozenset()
    words: frozenset[str] = frozenset()
    characters: frozenset[str] = frozenset()
    salt: str = ""
    stopped: bool = False

    @property
    def letters(self) -> int:
        """Return all letters, as a program for the guessed molecule counts them."""
        return sum(self.letters_of(self.molecule))

    @property
    def max_letters(self) -> int:
        """Return the letters of the longest record."""
        return max(self.letters_of(self.molecule), default=0)

    @property
    def all_short(self) -> bool:
        """Tell whether every query is under 30 letters, for which the default tasks are not made."""
        return 0 < self.max_letters < SHORT_LETTERS

    @property
    def needs_standins(self) -> bool:
        """Tell whether a title is not ASCII, which BLAST+ breaks in XML and archives."""
        return bool(self.characters)

    @property
    def sizes(self) -> Sequence[int]:
        """Return the bytes of each record, up to where the next one begins."""
        ends = [*self.offsets[1:], self.size] if self.count else []
        return array("Q", (end - begin for begin, end in zip(self.offsets, ends, strict=True)))

    def letters_of(self, molecule: str) -> Sequence[int]:
        """Return each record's letters as a program that wants *molecule* counts them."""
        return self.nucleotides if molecule == NUCLEOTIDE else self.residues

    def span(self, number: int) -> tuple[int, int]:
        """Return offset and bytes of record *number*, from 1, in the normalised file."""
        begin = self.offsets[number - 1]
        return begin, (self.offsets[number] if number < self.count else self.size) - begin


class Reader:
    """Reads one FASTA file: feed() its chunks, then end()."""

    def __init__(self, limits: SequenceLimits | None = None) -> None:
        """Begin; *limits* end the reading with a fault of the code `too_large`."""
        self._limits = limits or SequenceLimits()
        self._start: bytearray | None = bytearray()  # the first bytes, until the format is known
        self._pending = b""  # a line whose end has not come
        self._held_cr = False
        self._within = False  # a part of the present line has been counted
        self._faults, self._warnings = SequenceFaults(), SequenceFaults()
        self._records = Records(self._faults, self._warnings, self._limits)
        self._sha256, self._size = hashlib.sha256(), 0
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Tell whether there is no use in reading on: not FASTA, or over a limit."""
        return self._stopped or self._records.full

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return those that are ready for the normalised file. After a stop: nothing."""
        if self.stopped:
            return b""
        if self._start is not None:
            self._start += chunk
            return self._begin() if len(self._start) >= SNIFFED_BYTES else b""
        return self._take(chunk)

    def end(self) -> tuple[bytes, QueryScan]:
        """Return the last bytes of the normalised file, and what was found."""
        last = b"" if self._start is None else self._begin()
        if not self.stopped and self._held_cr:
            last += self._take(b"\n", hold=False)
        if not self.stopped and (self._pending or self._within):
            last += self._take(b"\n")
        self._records.close(complete=not self.stopped)
        return last, self._scan()

    def _scan(self) -> QueryScan:
        records, lines, titles = self._records, self._records.lines, self._records.titles
        return QueryScan(
            count=len(records.offsets),
            size=self._size,
            sha256=self._sha256.hexdigest(),
            first_id=records.first_id,
            molecule=guess(lines.letters, lines.bases, lines.amino),
            offsets=records.offsets,
            nucleotides=records.nucleotides,
            residues=records.residues,
            unnamed=records.bare or titles.unnamed,
            faults=self._faults.all(),
            faults_total=self._faults.total,
            warnings=self._warnings.all(),
            warnings_total=self._warnings.total,
            foreign=lines.foreign.all(),
            foreign_letters=lines.foreign_letters,
            dropped=lines.dropped.all(),
            dropped_letters=lines.dropped_letters,
            prose=lines.words.all(),
            ambiguous=frozenset(lines.ambiguous),
            words=titles.words,
            characters=titles.characters,
            salt=titles.salt,
            stopped=self.stopped,
        )

    def _begin(self) -> bytes:
        """Look at the first bytes, then read on."""
        start, self._start = bytes(self._start or b""), None
        while start.startswith(BOM):  # editors that open a file with one may write a second
            start = start.removeprefix(BOM)
        if (fault := foreign_format(start)) is not None:
            self._stop(fault.code, fault.sentence)
            return b""
        if (accession := _ACCESSION.match(start.replace(b"\r", b"\n"))) is not None:
            name = accession.group().strip().decode("ascii", "replace")
            self._stop("accession", f"Line 1: '{name[:80]}' looks like an accession, not a sequence; accessions are not "
                       "looked up here. Send the sequence itself as FASTA.")  # fmt: skip
            return b""
        return self._take(start)

    def _stop(self, code: str, sentence: str) -> None:
        self._faults.add(code, sentence)
        self._stopped = True

    def _take(self, chunk: bytes, *, hold: bool = True) -> bytes:
        """Work on the lines that are whole now; keep the rest, or only its state when it is long."""
        if hold and (self._held_cr or b"\r" in chunk):
            chunk = self._unix(chunk)
        data = self._pending + chunk if self._pending else chunk
        cut = data.rfind(b"\n") + 1
        whole, self._pending = (data[:cut], data[cut:]) if cut else (b"", data)
        out = self._whole_lines(whole) if whole else b""
        if not self.stopped:
            out += self._rest()
        self._sha256.update(out)
        self._size += len(out)
        return out

    def _rest(self) -> bytes:
        """Keep a line that has no end yet, if it is short or a title."""
        if self._pending.startswith(b">") and not self._within:
            limit = self._limits.title_bytes
            if len(self._pending) > limit:
                self._stop("title_too_long", f"Line {self._records.line}: a title has more than {limit:,} bytes; is a "
                           "newline missing after it?")  # fmt: skip
        elif len(self._pending) > FRAGMENT_BYTES:
            piece, self._pending, self._within = self._pending, b"", True
            self._records.piece(piece)
            return piece
        return b""

    def _unix(self, chunk: bytes) -> bytes:
        """Make CRLF and CR into LF, as BLAST+ reads them; a CR at the end waits for what follows."""
        if self._held_cr:
            chunk = b"\r" + chunk
        self._held_cr = chunk.endswith(b"\r")
        return (chunk[:-1] if self._held_cr else chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _whole_lines(self, data: bytes) -> bytes:
        """Work on *data*, which ends with a newline."""
        out = b""
        if self._within:
            cut = data.find(b"\n") + 1
            out, data, self._within = data[:cut], data[cut:], False
            self._records.piece(out)
        return out + self._records.block(data) if data and not self.stopped else out
