"""What a BLAST+ process that stays is fed, and how the tables of its queries are cut from what it writes. Pure.

With BATCH_SIZE=1 BLAST+ searches a query, and writes its section of the commented table (format 7), once it has read the
next definition line. So each query is followed by a mark, a record of our own whose name nobody can guess: where the
section of the mark begins, that of the query is whole. The letters of a mark follow only when they have to: they end the mark
before the next query, and the last mark of a group is pushed out by the definition line of another.

Sections are told apart by marks and by nothing else: a query of letters that mean nothing has no line that counts its
hits, and a title may hold any text.
"""

from collections import deque
from collections.abc import Sequence

from blastd.core.program_table import TITLES
from blastd.core.tabular import TRAILER, Damaged

LETTERS = {"nucl": b"ACGT\n", "prot": b"A\n"}
"""Of a mark: fewer than any word, so that it finds nothing, and such as BLAST+ has no word to say about."""
QUERY_LINE = b"# Query: "
SECTION_BYTES = 32 << 20
"""Of what is held in memory until a query's table is whole; one that is larger is written to a file by a process of its own."""


class Feeding:
    """What one process was fed and has to answer: `start`, then `feed` and, for each query, a table from `take`."""

    def __init__(self, program: str) -> None:
        """Begin with a process of *program* that has read nothing."""
        self._letters = LETTERS[TITLES[program][1]]
        self._marks = deque[bytes]()
        self._before = 1  # sections of marks that stand before that of the next query
        self._text = bytearray()
        self._looked = 0

    def start(self, mark: str) -> bytes:
        """Return what the process reads first: *mark* stands in front of all queries."""
        return f">{mark}\n".encode()

    def feed(self, queries: Sequence[bytes], mark: str) -> bytes:
        """Return what the process reads next: FASTA of one record each. *mark* is new, random and without blanks."""
        parts = []
        for number, query in enumerate(queries):
            name = f"{mark}.{number}".encode()
            self._marks.append(name)
            parts += [self._letters, query, b"" if query.endswith(b"\n") else b"\n", b">", name, b"\n"]
        return b"".join([*parts, self._letters, b">", mark.encode(), b".end\n"])

    @property
    def owes(self) -> int:
        """Return how many queries have no table yet."""
        return len(self._marks)

    def wrote(self, text: bytes) -> None:
        """Add what the process has written. Raises Damaged when it is more than SECTION_BYTES for one query."""
        self._text += text
        if len(self._text) > SECTION_BYTES and not self._found():
            raise Damaged(f"The table of one query has more than {SECTION_BYTES:,} bytes.")

    def take(self) -> bytes | None:
        """Return the table of the next query as a search of it alone writes it; None while it is not whole.

        Raises Damaged when the process wrote anything else than that.
        """
        end = self._found()
        if not end:
            return None
        banner = bytes(self._text[: self._text.index(b"\n") + 1])
        begin = 0
        for _ in range(self._before):
            begin = self._text.find(b"\n" + banner, begin, end) + 1
        section = bytes(self._text[begin:end])
        del self._text[:end]
        self._looked = 0
        self._marks.popleft()
        self._before = 1 if self._marks else 2  # behind the last of a group stands the mark that pushed it out
        whole = begin and section.startswith(banner + QUERY_LINE) and b"\n" + banner not in section
        if not whole or not self._text.startswith(banner):
            raise Damaged("Between two marks there is not the table of one query.")
        return section + f"{TRAILER}1 queries\n".encode()

    def _found(self) -> int:
        """Return where the section of the next mark begins, 0 while it does not."""
        if not self._marks:
            return 0
        line = b"\n" + QUERY_LINE + self._marks[0] + b"\n"
        at = self._text.find(line, self._looked)
        if at < 0:
            self._looked = max(0, len(self._text) - len(line))
            return 0
        return self._text.rfind(b"\n", 0, at) + 1
