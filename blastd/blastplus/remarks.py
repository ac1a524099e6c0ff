"""What BLAST+ says on stderr although it ends with exit code 0: nothing, a warning, or that the result is not what was asked.

Every line is known or shown. Lines of one of BLAST+'s two forms of warnings stay with the job; `HARMLESS` says nothing
about the result; a line of `CONTRADICTIONS` means that the output is that of another search, so that the job fails; any
other line is unknown to us and is a warning in BLAST+'s own words. Pure; `makeblastdb` speaks in the same forms.
"""

import re

from blastd.core.engine import Trouble
from blastd.core.model import Frozen, Warned

WARNINGS = 200  # kept of one unit: a file of bad records would otherwise fill the row
LETTERS = 500  # of one cause or warning

WARNING = re.compile(r"^Warning:(?: \[\w+\])?(?: (.*))?$")
READER = re.compile(r"^(?:C?FastaReader|FASTA-Reader): (.*)$")
QUERY_NAME = re.compile(r"^Query_(\d+)\b ?")
CUT = "[... "
"""How a line begins that stands for what was left out of the middle of a long stderr."""
HARMLESS = (
    "To obtain better run time performance, please run blastdb_aliastool",
    "Number of threads was reduced to",
    "This set of queries is too small to fully benefit from the -mt_mode",
)
"""About how blastd calls BLAST+: they say nothing of the result."""


class Contradiction(Frozen, frozen=True, kw_only=True):
    """A line, by a part of it, that makes a result with exit code 0 another one than was asked for."""

    words: str
    code: str
    sentence: str
    remedy: str


CONTRADICTIONS = (
    Contradiction(
        words="command line option requires additional data files",
        code="taxonomy_missing",
        sentence="BLAST+ did not find taxonomy4blast.sqlite3, and would have searched without the taxids filter.",
        remedy="Submit the search again; with a BLAST+ of another version on the nodes, bring them to one version.",
    ),
    Contradiction(
        words="Taxonomy ID(s) not found",
        code="taxids_not_found",
        sentence="BLAST+ did not find taxonomy ids in the database, and would have searched without the filter.",
        remedy="Name taxonomy ids that the database holds.",
    ),
)
"""Seen with 2.12 to 2.17, exit code 0 and rows of the whole database."""


class Said(Frozen, frozen=True, kw_only=True):
    """What a stderr holds: warnings once each, and why the result can't be used, None if it can."""

    warnings: tuple[Warned, ...]
    trouble: Trouble | None = None


def hear(stderr: str, first_query: int = 0) -> Said:
    """Return what a BLAST+ run with exit code 0 said: at most WARNINGS warnings and a last one that counts the rest.

    `Query_n` of a batch becomes the number in the whole file: *first_query* counts from 0, `Warned.query` from 1.
    """
    found: dict[tuple[int | None, str], None] = {}
    trouble: Trouble | None = None
    for line in stderr.splitlines():
        known = WARNING.match(line.strip()) or READER.match(line.strip())
        text = (known[1] or "" if known is not None else line).strip()
        if not text or text.startswith(HARMLESS):
            continue
        named = QUERY_NAME.match(text) if known is not None else None
        if named is not None:  # what follows may be a title, so no word of it decides anything
            found[int(named[1]) + first_query, cut(text[named.end() :].lstrip(": "))] = None
            continue
        trouble = trouble or _contradiction(text)
        found[None, cut(text if known is not None else _unknown(text))] = None
    kept = [Warned(text=text, query=query, source="blast") for query, text in list(found)[:WARNINGS]]
    if len(found) > WARNINGS:
        kept.append(Warned(text=f"{len(found) - WARNINGS:,} more warnings are in the log of the job.", source="blast"))
    return Said(warnings=tuple(kept), trouble=trouble)


def _contradiction(text: str) -> Trouble | None:
    for known in CONTRADICTIONS:
        if known.words in text:
            return Trouble(code=known.code, sentence=known.sentence, remedy=known.remedy)
    return None


def _unknown(text: str) -> str:
    return text if text.startswith(CUT) else f"BLAST+ said: {text}"


def cut(text: str) -> str:
    """Return *text* on one line, of at most LETTERS printable letters."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return text if len(text) <= LETTERS else text[: LETTERS - 3] + "..."
