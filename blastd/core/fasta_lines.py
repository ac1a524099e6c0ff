"""Sequence lines of FASTA, one by one: letters as BLAST+ 2.12 counts them, and a fault or warning for all that it drops.

BLAST+ drops in silence, or with a warning on stderr and exit code 0, what is no letter of the molecule: blanks, digits,
hyphens, control characters, anything else. Here blanks are fine, digits and hyphens are a warning, the rest is a fault.
Which letters are wrong depends on the program: they are noted apart, as `foreign` and `dropped`, for `core/molecule.py`.
"""

import re

import msgspec

from blastd.core.fasta_faults import MOST, SequenceFaults, printable
from blastd.core.fasta_prose import WORD_LINE, Prose, blank_line, title_word
from blastd.core.titles import parse_defline


def _both(letters: str) -> bytes:
    return (letters + letters.lower()).encode()


NUCLEOTIDES = _both("ACGTUNRYSWKMBDHV")
RESIDUES = _both("ABCDEFGHIJKLMNOPQRSTUVWXYZ") + b"*"
FOREIGN = _both("EFJLOPQZ")
"""Letters that no nucleotide sequence has; BLAST+ drops them."""
DROPPED = _both("XI") + b"*"
"""What people do write in nucleotide sequences (masking, inosine, stops) although BLAST+ drops it."""
_BASES, _AMINO = _both("ACGTUN"), _both("EFILPQJOZ")
_BLANKS = b" \t\x0b\x0c"
_KNOWN = RESIDUES + _BLANKS
_COMMENT = (b"#", b"!", b";")
_PLAIN = NUCLEOTIDES + b"\n"
NOT_NUCLEOTIDES = bytes(set(range(256)) - set(NUCLEOTIDES))
NOT_RESIDUES = bytes(set(range(256)) - set(RESIDUES))
_FIND_ODD = re.compile(b"[^" + re.escape(_KNOWN) + b"0-9-]")
WORDS = (
    "the line looks like words, of which BLAST+ reads every letter as a residue; put '>' before it if it is a title, and "
    "remove it if it is not sequence."
)
_ODD_SHARE = 0.1
_MOST_AMBIGUOUS = 10_000
_LOOKED_AT = 70  # letters of a first line that BLAST+ judges


class LinePlace(msgspec.Struct):
    """A line of a record."""

    record: int
    title: bytes
    line: int

    @property
    def record_id(self) -> str:
        """Return the record's id."""
        return parse_defline(self.title)[0]


class Lines:
    """Counts letters of lines, and pieces of a long line, and keeps the totals that tell the molecule."""

    def __init__(self, faults: SequenceFaults, warnings: SequenceFaults) -> None:
        """Begin; what is found goes to *faults* and *warnings*."""
        self._faults, self._warnings = faults, warnings
        self.foreign, self.dropped = SequenceFaults(located=False), SequenceFaults(located=False)
        self.letters = self.bases = self.amino = self.foreign_letters = self.dropped_letters = 0
        self.words = SequenceFaults()
        self.ambiguous: set[int] = set()
        """Records of letters for several bases, as no true nucleotide sequence has many."""
        self._prose, self._blank_end = Prose(), False
        self.quiet = _PLAIN
        self.column = 0
        """Bytes of the present line that came in pieces before."""
        self._comment = False

    @property
    def in_comment(self) -> bool:
        """Tell whether the present line, which comes in pieces, is a comment."""
        return self._comment

    def bodies(self, bodies: list[bytes], titles: list[bytes], lines: list[int], first: int) -> list[tuple[int, int]]:
        """Count the letters of several records; *lines* are those of the titles, *first* records came before."""
        joined = b"\n".join(bodies)
        if not joined.translate(None, self.quiet) and b"\n\n" not in joined and not WORD_LINE.search(joined):
            self._blank_end = False
            if joined.translate(None, _BASES + b"\n"):
                for at, body in enumerate(bodies):
                    self._ambiguous(body, first + at + 1)
            self.tally(joined)
            letters = [len(body) - body.count(b"\n") for body in bodies]
            self.letters += sum(letters)
            if joined.translate(None, _PLAIN):
                return [
                    (len(body.translate(None, NOT_NUCLEOTIDES)), count)
                    for body, count in zip(bodies, letters, strict=True)
                ]
            return list(zip(letters, letters, strict=True))
        counts = []
        for at, body in enumerate(bodies):
            where = LinePlace(record=first + at + 1, title=titles[at], line=lines[at] + 1)
            counts.append(self.body(body, where, 0))
        return counts

    def body(self, body: bytes, where: LinePlace, before: int) -> tuple[int, int]:
        """Count whole lines (without the last newline) of a record that has *before* residues already.

        Return the letters as a nucleotide and as a protein program counts them. *where* is the first line.
        """
        self._look_at_lines(body, where, before)
        if not body.translate(None, self.quiet):
            letters = len(body) - body.count(b"\n")
            nucleotides = letters if not body.translate(None, _PLAIN) else len(body.translate(None, NOT_NUCLEOTIDES))
            self.tally(body)
            self.letters += letters
            return nucleotides, letters
        nucleotides = residues = 0
        for number, line in enumerate(body.split(b"\n"), where.line):
            if line:
                where.line = number
                some, more = self._line(line, where, before + residues)
                nucleotides, residues = nucleotides + some, residues + more
                self._comment = False
        return nucleotides, residues

    def _look_at_lines(self, body: bytes, where: LinePlace, before: int) -> None:
        """Note blank lines inside of a sequence, and a title that is taken for one."""
        at = blank_line(body, after_letters=before > 0, after_blank=self._blank_end)
        if at is not None:
            there = LinePlace(record=where.record, title=where.title, line=where.line + at)
            self._warn("blank_line", "a blank line parts the record here, and BLAST+ reads both parts as one sequence; if "
                       "this is another one, put a title line, which begins with '>', before it.", there)  # fmt: skip
        if not before and title_word(body):
            self.words.add("words", WORDS, where.record, where.record_id, where.line, each="record")
        self._blank_end = body.endswith(b"\n")
        self._ambiguous(body, where.record)

    def _ambiguous(self, body: bytes, record: int) -> None:
        """Note a record that may be a protein although each of its letters may be a nucleotide, like a protamine."""
        odd = body.translate(None, _BASES + b"\n")
        if (
            len(odd) > _ODD_SHARE * len(body)
            and len(self.ambiguous) < _MOST_AMBIGUOUS
            and not odd.translate(None, _PLAIN)
        ):
            self.ambiguous.add(record)

    def piece(self, piece: bytes, where: LinePlace, before: int, *, last: bool) -> tuple[int, int]:
        """Count a piece of a line; *last* ends the line."""
        counts = (0, 0) if self._comment else self._line(piece, where, before)
        self.column = 0 if last else self.column + len(piece)
        self._comment = self._comment and not last
        return counts

    def tally(self, text: bytes) -> None:
        """Add sequence *text* to the totals, all but `letters`."""
        self.bases += len(text) - len(text.translate(None, _BASES))
        if odd := text.translate(None, _PLAIN):
            self.amino += len(odd) - len(odd.translate(None, _AMINO))
            self.foreign_letters += len(odd) - len(odd.translate(None, FOREIGN))
            self.dropped_letters += len(odd) - len(odd.translate(None, DROPPED))

    def _line(self, line: bytes, where: LinePlace, before: int) -> tuple[int, int]:
        if not self.column and line.lstrip(_BLANKS).startswith(_COMMENT):
            self._comment = True  # the pieces that follow belong to it
            self._warnings.add("comment", "BLAST+ ignores lines that begin with '#', '!' or ';'.",
                               where.record, where.record_id, where.line, each="record")  # fmt: skip
            return 0, 0
        nucleotides, residues = len(line.translate(None, NOT_NUCLEOTIDES)), len(line.translate(None, NOT_RESIDUES))
        self.letters += residues
        self.tally(line)
        if (b" " in line or b"\t" in line) and self._prose.is_words(line):
            self.words.add("words", WORDS, where.record, where.record_id, where.line)
        if odd := line.translate(None, _KNOWN):
            self._odd(line, odd, where)
            if not before and not self.column:
                self._plausible(line, where)
        if letters := line.translate(None, self.quiet + b"0123456789-" + _BLANKS):
            self._letters(letters, where)
        return nucleotides, residues

    def _odd(self, line: bytes, odd: bytes, where: LinePlace) -> None:
        """Note what is no letter."""
        if b"-" in odd:
            self._warn(
                "hyphens", "hyphens are not sequence; BLAST+ ignores them, so positions count without them.", where
            )
        if odd.translate(None, b"-") != (rest := odd.translate(None, b"-0123456789")):
            self._warn(
                "digits",
                "digits are not sequence; BLAST+ ignores them. If the line is a title, put '>' before it.",
                where,
            )
        if not rest:
            return
        found = _FIND_ODD.search(line)
        at = self.column + (found.start() if found else 0) + 1
        byte = rest[0]
        if byte < 0x20 or byte == 0x7F:
            self._fault("control_character", f"{printable(byte)} at position {at} is not sequence; remove it.", where)
        elif byte >= 0x80:
            self._fault(
                "not_ascii",
                f"a character at position {at} is not ASCII, so it is no letter of a sequence; remove it.",
                where,
            )
        elif byte == ord(">"):
            self._fault("misplaced_title", f"'>' at position {at} is not at the line's start, so BLAST+ would read the title "
                        "as sequence; begin the title on a new line.", where)  # fmt: skip
        else:
            self._fault("invalid_character", f"{printable(byte)} at position {at} is no letter of a sequence, and BLAST+ "
                        "would drop it in silence; remove it, or put '>' before the line if it is a title.", where)  # fmt: skip

    def _plausible(self, line: bytes, where: LinePlace) -> None:
        """Note a first line that BLAST+ refuses (CFastaReader::CheckDataLine)."""
        line = line.strip(_BLANKS)[:_LOOKED_AT]
        good = len(line.translate(None, NOT_RESIDUES))
        if good < 3 and (len(line) > 3 or not good):
            self._fault(
                "no_letters", "the first line of the record holds hardly a letter; BLAST+ would refuse it.", where
            )

    def _letters(self, letters: bytes, where: LinePlace) -> None:
        """Note letters that not every program takes, up to the number of lines that is kept."""
        if foreign := _distinct(letters, FOREIGN):
            self.foreign.add("foreign_letters", foreign, where.record, where.record_id, where.line)
        if dropped := _distinct(letters, DROPPED):
            self.dropped.add("dropped_letters", dropped, where.record, where.record_id, where.line)
        if b"O" in letters or b"o" in letters:
            self._warn("pyrrolysine", "O (pyrrolysine) is replaced by X in alignments.", where)
        if self.foreign.total >= MOST and b"E" not in self.quiet:
            self.quiet += FOREIGN.translate(None, b"Oo")
        if self.dropped.total >= MOST and b"X" not in self.quiet:
            self.quiet += DROPPED

    def _fault(self, code: str, text: str, where: LinePlace) -> None:
        self._faults.add(code, text, where.record, where.record_id, where.line)

    def _warn(self, code: str, text: str, where: LinePlace) -> None:
        self._warnings.add(code, text, where.record, where.record_id, where.line, each="record")


def _distinct(letters: bytes, wanted: bytes) -> str:
    """Return those of *wanted* that are among *letters*, in order."""
    return "".join(chr(letter) for letter in sorted(set(letters) & set(wanted)))
