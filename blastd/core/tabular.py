r"""The stored form of a search result, and its projections to BLAST+ formats 6, 7 and 10.

Every unit that writes results runs with `-outfmt "7 …"`: BLAST+'s commented table (format 7) with the columns of
`RICH`. This form is stored because it

- says for each query, by position, whether and how it was searched: queries with equal names stay apart, queries
  without hits are kept, and a row that begins with `#` is no comment since the counts say where rows are;
- holds what formats 6, 7, 10, hit tables and alignments need, so that these cost no further BLAST+ run. `btop` with the
  query gives the aligned letters; `qseq` and `sseq` themselves would make the files 3.5 times as large (measured:
  130,846 rows of 500 queries, 76 MB against 267 MB);
- costs 4 % of the time of a search that prints 130,000 rows, and nothing measurable for an ordinary one. Columns that
  open further files (scientific names) or are rarely asked (GIs, merged titles) are left out.

`stitle` is last: a subject title may hold tabs. Text is read and written as UTF-8 with surrogateescape and `\n`, so
that bytes which BLAST+ passed through stay as they are.

Formats that hold more (alignments, statistics) and other columns are made by another run: `results/reformat.py`.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from blastd.errors import BlastdError, Invalid

STD = (
    "qaccver", "saccver", "pident", "length", "mismatch", "gapopen", "qstart", "qend", "sstart", "send", "evalue",
    "bitscore",
)  # fmt: skip
RICH = (
    *STD, "qseqid", "sseqid", "sacc", "qlen", "slen", "score", "nident", "positive", "gaps", "ppos", "qframe", "sframe",
    "sstrand", "qcovs", "qcovhsp", "qcovus", "staxids", "btop", "stitle",
)  # fmt: skip
RECOUNTING = {"positive": "qgi", "ppos": "sgi", "btop": "qacc"}
"""Columns that make a gapped blastn search with db_hard_mask count pident, mismatch and nident anew, from letters that are
masked, and what stands in their places there (2.12 to 2.17; `qseq` and `sseq` do so, too; no other columns do)."""
COLUMN = {name: at for at, name in enumerate(RICH)}
# Cells that hold text from sequences' names; all other columns are numbers or made of a few letters of BLAST+.
TEXT = frozenset(
    [
        "qseqid",
        "qacc",
        "qaccver",
        "sseqid",
        "sallseqid",
        "sacc",
        "saccver",
        "sallacc",
        "qseq",
        "sseq",
        "btop",
        "ssciname",
        "scomname",
        "sblastname",
        "sskingdom",
        "sscinames",
        "scomnames",
        "sblastnames",
        "sskingdoms",
        "stitle",
        "salltitles",
    ]
)
# What `# Fields:` calls each column (BLAST+ 2.12).
LABELS = {
    "qseqid": "query id", "qgi": "query gi", "qacc": "query acc.", "qaccver": "query acc.ver", "qlen": "query length",
    "sseqid": "subject id", "sallseqid": "subject ids", "sgi": "subject gi", "sallgi": "subject gis",
    "sacc": "subject acc.", "saccver": "subject acc.ver", "sallacc": "subject accs.", "slen": "subject length",
    "qstart": "q. start", "qend": "q. end", "sstart": "s. start", "send": "s. end", "qseq": "query seq",
    "sseq": "subject seq", "evalue": "evalue", "bitscore": "bit score", "score": "score", "length": "alignment length",
    "pident": "% identity", "nident": "identical", "mismatch": "mismatches", "positive": "positives",
    "gapopen": "gap opens", "gaps": "gaps", "ppos": "% positives", "frames": "query/sbjct frames",
    "qframe": "query frame", "sframe": "sbjct frame", "btop": "BTOP", "staxid": "subject tax id",
    "ssciname": "subject sci name", "scomname": "subject com names", "sblastname": "subject blast name",
    "sskingdom": "subject super kingdom", "staxids": "subject tax ids", "sscinames": "subject sci names",
    "scomnames": "subject com names", "sblastnames": "subject blast names", "sskingdoms": "subject super kingdoms",
    "stitle": "subject title", "salltitles": "subject titles", "sstrand": "subject strand",
    "qcovs": "% query coverage per subject", "qcovhsp": "% query coverage per hsp",
    "qcovus": "% query coverage per uniq subject",
}  # fmt: skip
RISKY_STARTS = ("=", "+", "-", "@", "\t", "\r")
TRAILER = "# BLAST processed "
FOUND = re.compile(r"# (\d+) hits found")
FIELDS = "# Fields: "
DATABASE = "# Database: "
PROGRAM = re.compile(r"# [A-Z-]+ \d+\.\d+")
ITERATION = "# Iteration: "
CONVERGED = "\nSearch has CONVERGED!\n"
"""What BLAST+ writes into every table, bare, behind the last iteration of a query that needs no further one."""


class Damaged(BlastdError):
    """A stored table is not as BLAST+ writes it."""

    code = "result_damaged"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """What the stored table says of one query."""

    title: str
    """The query's whole definition line."""
    head: tuple[str, ...]
    """The comment lines in front of the columns: program, query, database."""
    found: int | None
    """Rows found; None if BLAST+ could not search this query's whole round (only letters that mean nothing)."""
    rows: tuple[str, ...]
    """The table's rows, without line ends."""
    fields: str = ""
    """The comment line that names the columns; BLAST+ writes none for a query without hits."""
    iteration: int | None = None
    """The number of the iteration (from 1) of a program that tells of several; a query has a section for each."""
    converged: bool = False
    """Whether BLAST+ said after this iteration that further ones would find the same."""

    @property
    def begins_query(self) -> bool:
        """Tell whether this is the first section of its query."""
        return self.iteration in (None, 1)

    @property
    def program(self) -> str:
        """Return the program as BLAST+ calls it, in capitals: `# BLASTN 2.12.0+`."""
        return next((line.split(" ")[1] for line in self.head if PROGRAM.match(line)), "")

    @property
    def database(self) -> str:
        """Return what was searched, as BLAST+ tells it."""
        return next((line.removeprefix(DATABASE) for line in self.head if line.startswith(DATABASE)), "")


def columns(fields: Sequence[str], pointer: str = "/fields") -> tuple[str, ...]:
    """Return the columns that BLAST+ prints for *fields*: `std` becomes twelve, a repeated one counts once.

    Raises Invalid for a column that BLAST+ does not know, since it would leave it out in silence, or print twelve others.
    """
    names = [name for field in fields for name in (STD if field == "std" else (field,))]
    if unknown := [name for name in dict.fromkeys(names) if name not in LABELS]:
        known = ", ".join(["std", *sorted(LABELS)])
        raise Invalid([(pointer, f"{name!r} is not a column; columns are {known}.") for name in unknown])
    return tuple(dict.fromkeys(names)) or STD


def lacking(program: str, options: Mapping[str, object]) -> frozenset[str]:
    """Return the columns of RICH that the stored form of a search lacks, since asking for them changes others."""
    masked = program == "blastn" and "db_hard_mask" in options and not options.get("ungapped")
    return frozenset(RECOUNTING) if masked else frozenset()


def rich_spec(program: str, options: Mapping[str, object]) -> str:
    """Return the -outfmt of the stored form of a search: always the same places."""
    without = lacking(program, options)
    return "7 " + " ".join(RECOUNTING[name] if name in without else name for name in RICH)


def stored(names: Sequence[str], without: Collection[str] = ()) -> bool:
    """Tell whether the stored form, *without* some columns, holds all of *names*."""
    return not beside(names, without)


def beside(names: Sequence[str], without: Collection[str] = ()) -> tuple[str, ...]:
    """Return those of *names* that BLAST+ has to be asked for beside the stored form, in the order in which it is asked.

    It is asked for these alone, so that no column changes another: the rest comes from the stored form, `frames` from
    `qframe` and `sframe`, which are right there (alone, `frames` and `sframe` are what memory holds). Titles come last.
    """
    lacked = [name for name in dict.fromkeys(names) if name != "frames" and (name not in COLUMN or name in without)]
    return tuple(sorted(lacked, key=lambda name: name == "salltitles"))


def sections(lines: Iterable[str], most_rows: int | None = None) -> Iterator[Section]:
    """Yield one Section a query, or an iteration of it, from the lines (with ends) of a table in format 7.

    Rows are counted, not recognised: a query named `#q1` makes rows that look like comments. A section of more than *most_rows*
    has the first of them, and is the last.
    """
    held: Section | None = None
    for section in _tables(lines, most_rows):
        if held is not None:
            yield held if section is not None else msgspec.structs.replace(held, converged=True)
        if section is not None and len(section.rows) < (section.found or 0):
            yield section
            return
        # what follows an iteration says whether it was the last one
        held = section if section is not None and section.iteration is not None else None
        if held is None and section is not None:
            yield section
    if held is not None:
        yield held


def last_sections(lines: Iterable[str]) -> Iterator[Section]:
    """Yield one Section a query: of a program with several iterations the last one."""
    held: Section | None = None
    for section in sections(lines):
        if held is not None and section.begins_query:
            yield held
        held = section
    if held is not None:
        yield held


def _tables(lines: Iterable[str], most_rows: int | None) -> Iterator[Section | None]:
    """Yield each table, and None where BLAST+ says that the search of the table before has converged."""
    head: list[str] = []
    title: str | None = None
    fields = ""
    source = iter(lines)
    for raw in source:
        line = raw.removesuffix("\n")
        if not line or line.startswith(FIELDS):
            fields = line or fields
        elif title is not None and (count := FOUND.fullmatch(line)):
            found = int(count[1])
            rows = tuple(_rows(source, found if most_rows is None else min(found, most_rows)))
            yield _section(title, head, found, rows, fields)
            head, title, fields = [], None, ""
        elif line.startswith(TRAILER):
            break
        elif title is not None and not line.startswith(DATABASE):
            yield _section(title, head, None, ())
            head, title = [line], None
        elif line == CONVERGED.strip():
            yield None
        elif line.startswith("# "):
            head.append(line)
            if line.startswith("# Query:"):
                title = line.removeprefix("# Query:").removeprefix(" ")
        else:
            raise Damaged(f"A stored table has a line where none should be: {line[:80]!r}.")
    if title is not None:
        yield _section(title, head, None, ())


def _section(title: str, head: Sequence[str], found: int | None, rows: tuple[str, ...], fields: str = "") -> Section:
    return Section(title=title, head=tuple(head), found=found, rows=rows, fields=fields, iteration=_iteration(head))


def _iteration(head: Sequence[str]) -> int | None:
    """Return the number of the iteration that comment lines tell, None for a program that has none."""
    told = next((line.removeprefix(ITERATION) for line in head if line.startswith(ITERATION)), "")
    return int(told) if told.isdigit() else None


def cells(row: str) -> list[str]:
    """Split a stored row into the columns of RICH; tabs in the subject's title stay in it."""
    found = row.split("\t", len(RICH) - 1)
    if len(found) != len(RICH):
        raise Damaged(f"A stored row has {len(found)} columns instead of {len(RICH)}: {row[:80]!r}.")
    return found


def table(parts: Iterable[Iterable[str]], names: Sequence[str] = STD, more: "Beside | None" = None) -> Iterator[str]:
    """Yield lines as `-outfmt "6 NAMES"` prints them, from the lines of each stored part in query order and from *more*."""
    pick = _picker(names, more)
    for lines in parts:
        for section in sections(lines):
            for row in section.rows:
                yield "\t".join(pick(row)) + "\n"
            if section.converged:
                yield CONVERGED


def commented(
    parts: Iterable[Iterable[str]], names: Sequence[str] = STD, more: "Beside | None" = None
) -> Iterator[str]:
    """Yield lines as `-outfmt "7 NAMES"` prints them: one trailer, whatever the number of parts."""
    pick = _picker(names, more)
    fields = "# Fields: " + ", ".join(LABELS[name] for name in names) + "\n"
    queries = 0
    for lines in parts:
        for section in sections(lines):
            queries += 1
            yield "".join(line + "\n" for line in section.head)
            if section.rows:
                yield fields
            if section.found is not None:
                yield f"# {section.found} hits found\n"
            for row in section.rows:
                yield "\t".join(pick(row)) + "\n"
            if section.converged:
                yield CONVERGED
    yield f"{TRAILER}{queries} queries\n"


def csv(parts: Iterable[Iterable[str]], names: Sequence[str] = STD, more: "Beside | None" = None) -> Iterator[str]:
    """Yield lines as `-outfmt "10 NAMES"` prints them, but quoted where a cell needs it and harmless in a spreadsheet."""
    pick = _picker(names, more)
    text = [name in TEXT for name in names]
    for lines in parts:
        for section in sections(lines):
            for row in section.rows:
                yield (
                    ",".join(
                        safe_cell(cell) if is_text else cell for cell, is_text in zip(pick(row), text, strict=True)
                    )
                    + "\n"
                )
            if section.converged:
                yield CONVERGED


def safe_cell(text: str) -> str:
    """Return *text* as a CSV cell that no spreadsheet takes for a formula."""
    if text.startswith(RISKY_STARTS):
        text = "'" + text
    if any(mark in text for mark in ',"\n\r'):
        text = '"' + text.replace('"', '""') + '"'
    return text


class Beside:
    """Columns that the stored form has not, from the lines of a table of them alone: one line for each stored row."""

    def __init__(self, names: Sequence[str], lines: Iterator[str]) -> None:
        """Take the columns of the table and its lines, with ends."""
        self.names, self._lines = tuple(names), lines

    def row(self) -> dict[str, str]:
        """Return the cells of the next row by column. Raises Damaged when there is none."""
        line = next(self._lines, None)
        values = line.removesuffix("\n").split("\t", len(self.names) - 1) if line is not None else []
        if len(values) != len(self.names):
            raise Damaged("The further columns have other rows than the stored table.")
        return dict(zip(self.names, values, strict=True))


class _picker:  # noqa: N801 -- a function with prepared values
    """Picks columns of a stored row, and of what is beside it."""

    def __init__(self, names: Sequence[str], more: Beside | None = None) -> None:
        have = more.names if more is not None else ()
        if lacked := [name for name in beside(names) if name not in have]:
            raise Invalid([("/fields", f"{name!r} is not in the stored table.") for name in lacked])
        self._names, self._more = tuple(names), more
        self._first = self._names == STD

    def __call__(self, row: str) -> list[str]:
        """Return the cells of *row* in the order asked for."""
        if self._first:
            return row.split("\t", len(STD))[: len(STD)]
        found = dict(zip(RICH, cells(row), strict=True))
        found["frames"] = f"{found['qframe']}/{found['sframe']}"
        if self._more is not None:
            found |= self._more.row()
        return [found[name] for name in self._names]


def _rows(source: Iterator[str], count: int) -> Iterator[str]:
    for _ in range(count):
        row = next(source, None)
        if row is None or not row.endswith("\n"):
            raise Damaged("A stored table ends before its last row.")
        yield row.removesuffix("\n")
