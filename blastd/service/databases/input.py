"""What is wrong with a FASTA file of which a database is to be made: the same scan as that of queries, in other words."""

from collections.abc import Sequence
from pathlib import Path

from blastd.core.fasta import Reader
from blastd.core.fasta_faults import SequenceFault
from blastd.core.model import Frozen, Warned
from blastd.core.molecule import NAMES, judge

BLOCK = 1 << 20
AT_ONCE_BYTES = 32 << 20
"""A file up to here is scanned while the client waits (about a second); a larger one when its turn has come."""
_OTHER = (
    "The file looks like {found}, and the database is to hold {wanted}: choose the other molecule; or, if the file is right, "
    "set 'molecule_check' to false."
)
_WORDS = (
    ("The query", "The file"),
    ("the query", "the file"),
    ("it can't have hits", "makeblastdb leaves it out"),
    ("would be searched as a sequence", "would become a sequence"),
)


class Examined(Frozen, frozen=True, kw_only=True):
    """What forbids a database, in sentences, and what stays with it as warnings."""

    faults: tuple[str, ...] = ()
    warnings: tuple[Warned, ...] = ()


def examine(fasta: Path, molecule: str, *, molecule_check: bool) -> Examined:
    """Read *fasta* to its end, in blocks, and return what is wrong with it for a database of *molecule*; blocking."""
    reader = Reader()
    with fasta.open("rb") as file:
        while not reader.stopped and (block := file.read(BLOCK)):
            reader.feed(block)
    scan = reader.end()[1]
    judged = judge(scan, molecule, molecule_check=molecule_check)
    other = _OTHER.format(found=NAMES.get(scan.molecule, ""), wanted=NAMES[molecule])
    return Examined(
        faults=tuple(other if _is_other(fault) else of_file(fault.sentence) for fault in judged.faults),
        warnings=tuple(Warned(text=of_file(warning.sentence)) for warning in judged.warnings),
    )


def _is_other(fault: SequenceFault) -> bool:
    return fault.code == "molecule" and not fault.record


def of_file(sentence: str) -> str:
    """Return a sentence about a query as one about a file of sequences."""
    for word, instead in _WORDS:
        sentence = sentence.replace(word, instead)
    return sentence


def together(faults: Sequence[str]) -> str:
    """Return the first faults as one text for a task."""
    rest = len(faults) - 3
    return " ".join(faults[:3]) + (f" And {rest:,} more." if rest > 0 else "")
