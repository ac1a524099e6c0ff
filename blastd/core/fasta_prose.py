"""Words where residues should be: nearly every letter is a residue, so BLAST+ reads titles and prose as protein in silence.

A sequence is written in lines of letters, or in blocks of one length; words have blanks between them and lengths of their
own. Each rule here was tried on 20,000 true proteins and lets all pass.
"""

import re

_PIR = re.compile(rb"(?:P1|F1|D[LC]|R[LC]|N[13]|XX);")
"""How titles of PIR (NBRF) begin; the line behind such a title is a second title."""
_BLANK_LINE = re.compile(rb"\S[ \t]*\n(?:[ \t]*\n)+[ \t]*[^\s#!;]")
_BLANK_START = re.compile(rb"(?:[ \t]*\n)+[ \t]*[^\s#!;]")
WORD_LINE = re.compile(rb"(?:\A|\n)([A-Z]?[a-z]{2,29})\n([A-Z*]{10,})")
"""A line of one word above capitals: no lines of one width look so."""
_BLOCK = 10  # of most programs that write blocks; two words of other lengths are more likely words
_LONG_LINE = 1000
_MEAN_WORD = 12  # letters of words on average, where they are words: longer ones are sequence with a stray blank


def pir_title(title: bytes, body: bytes) -> bool:
    """Tell whether a record is in PIR form: its *title* says so, and the first line of its *body* is no sequence."""
    if not _PIR.match(title):
        return False
    first, newline, rest = body.partition(b"\n")
    if not newline:
        return False
    return not first.strip() or b" " in first.strip() or len(first) < len(rest.partition(b"\n")[0])


def blank_line(body: bytes, *, after_letters: bool, after_blank: bool) -> int | None:
    """Return the number of line ends in front of what follows a blank line inside of a sequence, None if there is none.

    *after_letters* and *after_blank* say what came before *body* in the same record.
    """
    if after_letters and (start := _BLANK_START.match(body)) is not None:
        return body.count(b"\n", 0, start.end() - 1)
    if after_letters and after_blank and body.strip():
        return 0
    found = _BLANK_LINE.search(body)
    return None if found is None else body.count(b"\n", 0, found.end() - 1)


def title_word(body: bytes) -> bool:
    """Tell whether the first line of a record is one word in another case than the longer lines behind it."""
    found = WORD_LINE.match(body)
    return found is not None and len(found[1]) < len(found[2])


class Prose:
    """Tells words from blocks of letters; what is a block is learnt from the lines before."""

    def __init__(self) -> None:
        """Begin without a line."""
        self._block = _BLOCK

    def is_words(self, line: bytes) -> bool:
        """Tell whether a sequence line is rather words, or the cells of a table."""
        if len(line) > _LONG_LINE:
            return False
        words = [word for word in line.split() if not word.isdigit()]
        if len(words) < 2 or sum(map(len, words)) > _MEAN_WORD * len(words):
            return False
        width = len(words[0])
        even = all(len(word) == width for word in words[:-1]) and len(words[-1]) <= width
        if even and len(words) > 2:
            self._block = width
        return not even or (len(words) == 2 and width not in (_BLOCK, self._block))
