"""What a search can begin with in place of sequences: a matrix of PSI-BLAST (PSSM, ASN.1 text) or an alignment. Pure.

BLAST+ reads these itself; here is only said what they are, how long, and what is wrong with what is neither.
"""

import re
from collections.abc import Callable, Mapping

from blastd.core.model import Frozen

PSSM = re.compile(r"\s*PssmWithParameters\s*::=\s*\{")
COLUMNS = re.compile(r"\bnumColumns\s+(\d+)")
PROTEIN = re.compile(r"\bisProtein\s+TRUE\b")
NAME = re.compile(r'\blocal\s+(?:str\s+"([^"]*)"|id\s+(\d+))')
RESIDUES = re.compile(r"[A-Za-z*.-]*")
MOST_LETTERS = 64 << 20
"""A matrix of 35,000 columns, as the longest known protein has, takes 60 MB as text."""
SHOWN = 40


class ProfileQuery(Frozen, frozen=True, kw_only=True):
    """What was read: the length in residues, the name of the query, and what is wrong, empty if nothing is."""

    letters: int = 0
    first_id: str = ""
    fault: str = ""


def read_pssm(text: str) -> ProfileQuery:
    """Return what a matrix says of itself."""
    if not PSSM.match(text):
        return ProfileQuery(
            fault="This is no PSSM: one begins with 'PssmWithParameters ::= {', as the format pssm of a psiblast search does."
        )
    if text.count("{") != text.count("}"):
        return ProfileQuery(fault="The PSSM is not whole: it has another number of { than of }.")
    columns = COLUMNS.search(text)
    if columns is None or not PROTEIN.search(text):
        return ProfileQuery(fault="The PSSM has no numColumns, or is none of a protein.")
    name = NAME.search(text)
    return ProfileQuery(letters=int(columns[1]), first_id=(name[1] or name[2]) if name is not None else "")


def read_alignment(text: str) -> ProfileQuery:
    """Return what an alignment in FASTA says of itself: sequences of one length, gaps as `-`, the first is the master."""
    records = re.split(r"(?m)^>", text)
    if records[0].strip() or len(records) < 3:
        return ProfileQuery(fault="An alignment is FASTA of two or more sequences of one length, with - for gaps.")
    rows: list[tuple[str, str]] = []
    for record in records[1:]:
        title, _, lines = record.partition("\n")
        letters = "".join(lines.split())
        if not RESIDUES.fullmatch(letters):
            return ProfileQuery(fault=f"Sequence {len(rows) + 1} of the alignment has letters that are no residues.")
        rows.append((title.strip(), letters))
    length = len(rows[0][1])
    for number, (_, letters) in enumerate(rows, 1):
        if len(letters) != length or not length:
            return ProfileQuery(
                fault=f"Sequence {number} of the alignment has {len(letters):,} letters and gaps, the first has {length:,}: all have one length."
            )
    master = rows[0][1].replace("-", "").replace(".", "")
    if not master:
        return ProfileQuery(fault="The first sequence of the alignment, its master, has gaps only.")
    return ProfileQuery(letters=len(master), first_id=(rows[0][0].split() or [""])[0])


READERS: Mapping[str, Callable[[str], ProfileQuery]] = {"pssm": read_pssm, "msa": read_alignment}
"""By `query_type`."""
