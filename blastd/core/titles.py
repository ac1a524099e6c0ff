"""Definition lines of FASTA: id and title as BLAST+ reads them, and what is wrong with a title.

Titles that are not UTF-8 are taken for Windows-1252, of which Latin-1's letters are a part. Words that are not ASCII are
collected for `core/ascii_titles.py`, together with a mark that no title holds.
"""

import re

from blastd.core.fasta_faults import SequenceFaults, printable

CONTROLS = bytes({*range(32), 127})
_BLANKS = b" \t\x0b\x0c"
# BLAST+ 2.12 ends a title at the first control character (below the blank), Ctrl-A of joined titles included.
_CUT = re.compile(rb"[\x00-\x1f]")
# Runs that hold a non-ASCII character and nothing that any output format escapes or breaks lines at.
WORD = re.compile(r"[A-Za-z0-9]*[^\x00-\x7f][A-Za-z0-9\u0080-\U0010ffff]*")
MOST_WORDS = 2000
"""Above this the distinct characters have stand-ins instead of the words: the row keeps the table."""
SALTS = ("Z9Q", "J7Y", "X3V", "Q8Z")
"""Beginnings of stand-ins, each unlikely in any id, accession or title; one that the titles don't hold is used."""


def parse_defline(line: bytes) -> tuple[str, str]:
    """Return id and title of a definition line (with or without its `>`), both empty when BLAST+ would name it."""
    text = line.removeprefix(b">").lstrip(_BLANKS + CONTROLS[:32])
    if (cut := _CUT.search(text)) is not None:
        text = text[: cut.start()]
    words = [word.decode("utf-8", "replace") for word in text.split(b" ") if word]
    return (words[0] if words else ""), " ".join(words[1:])


class Titles:
    """Checks titles, and keeps what must be known of all of them."""

    def __init__(self, faults: SequenceFaults, warnings: SequenceFaults) -> None:
        """Begin; what is found goes to *faults* and *warnings*."""
        self._faults, self._warnings = faults, warnings
        self._words: set[str] | None = set()
        self._characters: set[str] = set()
        self._salts = list(SALTS)
        self.unnamed = False

    @property
    def words(self) -> frozenset[str]:
        """Return the non-ASCII words of all titles; none when they are too many."""
        return frozenset(self._words or ())

    @property
    def characters(self) -> frozenset[str]:
        """Return the non-ASCII characters of all titles."""
        return frozenset(self._characters)

    @property
    def salt(self) -> str:
        """Return a beginning for stand-ins that no title holds; empty if there is none."""
        return self._salts[0] if self._salts else ""

    def strange(self, titles: list[bytes]) -> bool:
        """Tell whether any of *titles* needs check(). Must see all titles."""
        joined = b"\n".join(titles)
        for salt in [salt for salt in self._salts if salt.encode() in joined]:
            self._salts.remove(salt)
        if not joined.isascii() or joined.startswith(b"?") or b"\n?" in joined:
            return True
        return len(joined) - len(joined.translate(None, CONTROLS)) >= len(titles) or not all(map(bytes.strip, titles))

    def check(self, title: bytes, record: int, line: int) -> bytes:
        """Note what is wrong with one title; return it in UTF-8."""
        if not title.isascii():
            title = self._unicode(title, record, line)
        record_id, _ = parse_defline(title)
        if not record_id:
            self.unnamed = True
        if title.startswith(b"?"):
            text = "BLAST+ reads a line that begins with '>?' as a gap in the sequence above; write the gap as N or X."
            self._faults.add("gap_line", text, record, record_id, line)
        controls = title.lstrip(_BLANKS).translate(None, bytes(set(range(256)) - set(CONTROLS)))
        if b"\x00" in controls:
            text = "the title holds a NUL byte; remove it."
            self._faults.add("control_character", text, record, record_id, line)
        elif controls.translate(None, b"\x7f"):
            text = (
                f"BLAST+ ends a title at a control character ({printable(controls[0])}); what follows it is not shown."
            )
            self._warnings.add("title_cut", text, record, record_id, line)
        return title

    def _unicode(self, title: bytes, record: int, line: int) -> bytes:
        """Return *title* in UTF-8, its words collected."""
        try:
            text = title.decode("utf-8")
        except UnicodeDecodeError:
            text = _windows(title)
            title = text.encode("utf-8")
            self._warnings.add(
                "latin1", "the title is not UTF-8 and was read as Latin-1.", record, parse_defline(title)[0], line
            )
        if "\ufffe" in text or "\uffff" in text:
            self._faults.add("not_a_character", "the title holds a code that is no character (U+FFFE or U+FFFF); remove it.",
                             record, parse_defline(title)[0], line)  # fmt: skip
        found = WORD.findall(text)
        self._characters.update(letter for word in found for letter in word if not letter.isascii())
        if self._words is not None:
            self._words.update(found)
            if len(self._words) > MOST_WORDS:
                self._words = None
        return title


def _windows(title: bytes) -> str:
    try:
        return title.decode("cp1252")
    except UnicodeDecodeError:  # five codes have no character in Windows-1252; Latin-1 has one for each
        return title.decode("latin-1")
