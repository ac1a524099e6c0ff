"""ASCII stand-ins for what is not ASCII in titles, since BLAST+ 2.12 breaks UTF-8 in XML, XML2 and archives.

A table maps each stand-in to the text that it stands for. The texts are runs of letters, digits and non-ASCII
characters, so putting them back needs no escaping in any format. Stand-ins look like `Z9Q0a1z`: a mark that no title
of the query holds, a number in base 35, `z`. They have the byte length of their text where that is possible, so that
pairwise output breaks its lines where it would have.

Both directions work on streams. BLAST+ breaks long strings in archives and pairwise output, inside a stand-in too:
such a line break is put after the text.
"""

import re
from collections.abc import Mapping

from blastd.core.fasta import QueryScan
from blastd.core.titles import WORD
from blastd.errors import Invalid

Table = Mapping[str, str]
"""Stand-in -> text."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxy"  # without z, which ends a stand-in
_MARK_LENGTH = 3
_MOST_CHARACTERS = 20_000
"""All of them stand in the job's row; no language writes titles with more."""


def make_table(scan: QueryScan) -> dict[str, str]:
    """Return the table for the titles of a query, empty when all are ASCII. Raises Invalid when there can be none."""
    texts = scan.words or scan.characters
    if not texts:
        return {}
    if len(texts) > _MOST_CHARACTERS:
        raise Invalid([("/query", f"The titles hold more than {_MOST_CHARACTERS:,} different non-ASCII characters.")])
    if not scan.salt:
        raise Invalid(
            [("/query", "The titles hold every mark that could stand for their non-ASCII letters; use ASCII ids.")]
        )
    table: dict[str, str] = {}
    for number, text in enumerate(sorted(texts, key=lambda text: (len(text.encode()), text))):
        length = max(len(text.encode()) - _MARK_LENGTH - 1, 1)
        table[f"{scan.salt}{_base35(number).rjust(length, '0')}z"] = text
    return table


def _base35(number: int) -> str:
    digits = _DIGITS[number % 35]
    while number := number // 35:
        digits = _DIGITS[number % 35] + digits
    return digits


def decode_titles(output: bytes, table: Table) -> bytes:
    """Return whole *output* with the texts put back."""
    decoder = Decoder(table)
    return decoder.feed(output) + decoder.end()


class Encoder:
    """Puts stand-ins into the titles of normalised FASTA: feed() its chunks, then end()."""

    def __init__(self, table: Table) -> None:
        """Take the table of the query."""
        self._standins = {text: standin for standin, text in table.items()}
        self._pending = b""

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return those that are ready."""
        data = self._pending + chunk
        if data.isascii() and not data.startswith(b">"):  # a long sequence needs no look at its lines
            cut = len(data)
            last = data.rfind(b"\n") + 1
            if data[last : last + 1] == b">":
                cut = last
        else:
            cut = data.rfind(b"\n") + 1
        ready, self._pending = data[:cut], data[cut:]
        if ready.isascii():
            return ready
        return b"\n".join(line if line.isascii() else self.line(line) for line in ready.split(b"\n"))

    def end(self) -> bytes:
        """Return the last bytes."""
        rest, self._pending = self._pending, b""
        return rest if rest.isascii() else self.line(rest)

    def line(self, line: bytes) -> bytes:
        """Return one line with stand-ins."""
        return WORD.sub(self._standin, line.decode("utf-8")).encode("utf-8")

    def _standin(self, found: re.Match[str]) -> str:
        word = found.group()
        if word in self._standins:
            return self._standins[word]
        return "".join(self._standins.get(letter, letter) for letter in word)


class Decoder:
    """Puts the texts back into any output of BLAST+: feed() its chunks, then end()."""

    def __init__(self, table: Table) -> None:
        """Take the table of the query."""
        self._texts = {standin.encode(): text.encode() for standin, text in table.items()}
        self._pending = b""
        mark = next(iter(table), "")[:_MARK_LENGTH]
        self._mark = mark[:1].encode()
        a, b, c = (re.escape(letter.encode()) for letter in mark) if mark else (b"",) * 3
        self._intact = re.compile(b"%b\n?%b\n?%b(?:\n?[0-9a-y])+\n?z" % (a, b, c))
        self._begun = re.compile(b"%b\n?(?:%b\n?(?:%b(?:\n?[0-9a-y])*\n?)?)?\\Z" % (a, b, c))
        self._longest = 2 * max(map(len, table), default=0)  # a line break may follow each letter

    def feed(self, chunk: bytes) -> bytes:
        """Take the next bytes; return those that are ready. What may be the beginning of a stand-in waits."""
        if not self._texts:
            return chunk
        data = self._pending + chunk
        cut = len(data)
        if self._mark in data[-self._longest :] and (begun := self._begun.search(data, max(cut - self._longest, 0))):
            cut = begun.start()
        self._pending = data[cut:]
        return self._intact.sub(self._text, data[:cut]) if self._mark in data else data[:cut]

    def end(self) -> bytes:
        """Return the last bytes."""
        rest, self._pending = self._pending, b""
        return rest

    def _text(self, found: re.Match[bytes]) -> bytes:
        written = found.group()
        text = self._texts.get(written.replace(b"\n", b""))
        return written if text is None else text + b"\n" * written.count(b"\n")
