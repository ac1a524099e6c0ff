"""Records of FASTA, counted a block of lines at a time: where each begins, its letters, empty ones, limits reached."""

import re
from array import array
from itertools import accumulate

from blastd.core.fasta_faults import SequenceFaults, SequenceLimits
from blastd.core.fasta_lines import LinePlace, Lines
from blastd.core.fasta_prose import pir_title
from blastd.core.titles import Titles, parse_defline

# The end of a title that is rather a sequence: BLAST+ itself warns at 20 nucleotides.
_SEQUENCE = re.compile(rb"(?:[A-Z*]{20,}|[acgtun]{20,})\s*$")


class Records:
    """Takes whole lines, and pieces of long ones, in order."""

    def __init__(self, faults: SequenceFaults, warnings: SequenceFaults, limits: SequenceLimits) -> None:
        """Begin; what is found goes to *faults* and *warnings*; over *limits* it is `full`."""
        self._faults, self._warnings, self._limits = faults, warnings, limits
        self.lines, self.titles = Lines(faults, warnings), Titles(faults, warnings)
        self.offsets, self.nucleotides, self.residues = array("Q"), array("I"), array("I")
        self.line, self._at = 1, 0  # of the next byte
        self.full = self.bare = False
        self.first_id = ""
        # The last record, whose letters are still being counted: it has an offset, but no entry in the other two.
        self._open = False
        self._title, self._title_line, self._nucleotides, self._residues = b"", 0, 0, 0
        self._longest = 0

    def block(self, data: bytes) -> bytes:
        """Take whole lines, the first of which begins here; return them with titles in UTF-8."""
        pieces = data[:-1].split(b"\n>")
        before = None if data.startswith(b">") else pieces.pop(0)
        if before is None:
            pieces[0] = pieces[0][1:]
        else:
            self._continue(before)
        parts = [piece.partition(b"\n") for piece in pieces]
        titles, bodies = [title for title, _, _ in parts], [body for _, _, body in parts]
        if titles:
            lines = list(accumulate([piece.count(b"\n") + 1 for piece in pieces[:-1]], initial=self.line))
            if self.titles.strange(titles):
                known = len(self.offsets)
                checked = [self.titles.check(title, known + at + 1, lines[at]) for at, title in enumerate(titles)]
                if checked != titles:
                    titles = checked
                    pieces = [title + mark + body for title, (_, mark, body) in zip(titles, parts, strict=True)]
                    data = b"".join(
                        [*([] if before is None else [before, b"\n"]), *(b">%b\n" % piece for piece in pieces)]
                    )
            self._add(pieces, titles, bodies, lines)
        self._check_limits()
        return data

    def piece(self, piece: bytes) -> None:
        """Take a piece of a long sequence line; it ends the line if it ends with a newline."""
        last = piece.endswith(b"\n")
        text = piece[:-1] if last else piece
        self._begin_bare(text)
        nucleotides, residues = self.lines.piece(text, self._place(), self._residues, last=last)
        self._nucleotides += nucleotides
        self._residues += residues
        self.line += last
        self._at += len(piece)
        self._check_limits()

    def close(self, *, complete: bool) -> None:
        """End the last record; of a *complete* file say when it holds nothing to search."""
        if self._open:
            self._close()
        if complete and not self.lines.letters:
            if self.offsets:
                self._faults.add("no_sequence", "No record of the query has a sequence.")
            else:
                self._faults.add("empty", "The query is empty: send at least one sequence as FASTA.")

    def _continue(self, text: bytes) -> None:
        """Take lines that belong to the record before."""
        self._begin_bare(text)
        nucleotides, residues = self.lines.body(text, self._place(), self._residues)
        self._nucleotides += nucleotides
        self._residues += residues
        self.line += text.count(b"\n") + 1
        self._at += len(text) + 1

    def _begin_bare(self, text: bytes) -> None:
        """Open a record without a title if *text* is the first that is neither blank nor comment."""
        if self._open or self.lines.in_comment or not text.strip():
            return
        at = 0
        for line in text.split(b"\n"):
            if line.strip() and not line.lstrip().startswith((b"#", b"!", b";")):
                break
            at += len(line) + 1
        else:
            return
        self._open = self.bare = True
        self._title_line = self.line + text.count(b"\n", 0, at)
        self.offsets.append(self._at + at)
        self.first_id = "Query_1"

    def _place(self) -> LinePlace:
        return LinePlace(record=len(self.offsets), title=self._title, line=self.line)

    def _add(self, pieces: list[bytes], titles: list[bytes], bodies: list[bytes], lines: list[int]) -> None:
        """Add the records of a block, the last of which stays open."""
        first = len(self.offsets)
        if self._open:
            self._close()
        if first == 1 and self.bare:
            self._faults.add("text_before_title", "text before the first line that begins with '>' would be searched as a "
                             "sequence of its own; put a title before it, or remove it.", 1, "", self._title_line)  # fmt: skip
        if not first:
            self.first_id = parse_defline(titles[0])[0] or "Query_1"
        for at, title in enumerate(titles):
            if pir_title(title, bodies[at]):
                self._faults.add("pir", "the record is in PIR form, whose second line is a title that BLAST+ would read as "
                                 "sequence; make it FASTA: one title line, and no '*' at the end.",
                                 first + at + 1, parse_defline(title)[0], lines[at] + 1)  # fmt: skip
        counted = self.lines.bodies(bodies, titles, lines, first)
        nucleotides, residues = [some for some, _ in counted], [more for _, more in counted]
        begins = list(accumulate([len(piece) + 2 for piece in pieces], initial=self._at))
        self._at = begins.pop()
        self.offsets.extend(begins)
        self.nucleotides.extend(nucleotides[:-1])
        self.residues.extend(residues[:-1])
        if 0 in residues[:-1]:
            for at in [at for at, letters in enumerate(residues[:-1]) if not letters]:
                self._empty(first + at + 1, titles[at], lines[at])
        self._longest = max(self._longest, self._residues, *residues)
        self._open, self._title, self._title_line = True, titles[-1], lines[-1]
        self._nucleotides, self._residues = nucleotides[-1], residues[-1]
        self.line = lines[-1] + pieces[-1].count(b"\n") + 1

    def _close(self) -> None:
        self.nucleotides.append(self._nucleotides)
        self.residues.append(self._residues)
        if not self._residues:
            self._empty(len(self.offsets), self._title, self._title_line)
        self._open = False

    def _empty(self, record: int, title: bytes, line: int) -> None:
        """Note a record without letters."""
        record_id, _ = parse_defline(title)
        if _SEQUENCE.search(title):
            self._faults.add("sequence_in_title", "the record has no residues; its sequence seems to be on the title line. Begin the "
                             "sequence on the next line.", record, record_id, line)  # fmt: skip
        else:
            self._warnings.add(
                "empty_record", "the record has no residues; it can't have hits.", record, record_id, line
            )

    def _check_limits(self) -> None:
        """Note a limit that is reached, and be full."""
        limits, self._longest = self._limits, max(self._longest, self._residues)
        for over, text in (
            (len(self.offsets) > limits.sequences, f"more than {limits.sequences:,} sequences"),
            (self.lines.letters > limits.letters, f"more than {limits.letters:,} letters"),
            (self._longest > limits.record_letters, f"a sequence of more than {limits.record_letters:,} letters"),
        ):
            if over and not self.full:
                self._faults.add(
                    "too_large", f"The query has {text}, which is more than this service accepts; split it."
                )
                self.full = True
