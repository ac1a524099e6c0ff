"""Nucleotides or protein: a guess from the letters, and what is wrong with a query for a program that wants one of them.

The alphabets overlap, so a guess can be wrong and short queries often have none: unknown fits every program. Who knows
better than the guess sets `molecule_check` to false.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from blastd.core.fasta_faults import MOST, SequenceFault, place

NUCLEOTIDE, PROTEIN, UNKNOWN = "nucl", "prot", "unknown"
NAMES = {NUCLEOTIDE: "nucleotides", PROTEIN: "protein"}
_PROGRAMS = {NUCLEOTIDE: "blastp or tblastn", PROTEIN: "blastn, blastx or tblastx"}
# Share of A, C, G, T, U and N from which letters are nucleotides: IUPAC codes are rarer, silk (GAGAGS) stays under it.
_BASES_SHARE = 0.9
# Share of letters that only proteins have (E F I L P Q and rare ones); a third in nature, 0 in nucleotides.
_AMINO_SHARE = 0.05
# Under this peptides are made of A, C, G, T and N by chance.
_ENOUGH_LETTERS = 30
_LONG_LETTERS = 60


class Scanned(Protocol):
    """What judging needs of `core.fasta.Scan`."""

    @property
    def molecule(self) -> str: ...  # noqa: D102
    @property
    def nucleotides(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def residues(self) -> Sequence[int]: ...  # noqa: D102
    @property
    def faults(self) -> tuple[SequenceFault, ...]: ...  # noqa: D102
    @property
    def warnings(self) -> tuple[SequenceFault, ...]: ...  # noqa: D102
    @property
    def foreign(self) -> tuple[SequenceFault, ...]: ...  # noqa: D102
    @property
    def dropped(self) -> tuple[SequenceFault, ...]: ...  # noqa: D102
    @property
    def prose(self) -> tuple[SequenceFault, ...]: ...  # noqa: D102
    @property
    def ambiguous(self) -> frozenset[int]: ...  # noqa: D102


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a program of one molecule makes of a query: faults forbid the search, warnings stay with it."""

    faults: tuple[SequenceFault, ...]
    warnings: tuple[SequenceFault, ...]
    letters: Sequence[int]


def guess(letters: int, bases: int, amino: int) -> str:
    """Return nucl, prot or unknown from the counts of all letters, of ACGTUN and of those that only proteins have."""
    if not letters:
        return UNKNOWN
    if bases >= _BASES_SHARE * letters:
        return NUCLEOTIDE if letters >= _ENOUGH_LETTERS and amino < _AMINO_SHARE * letters else UNKNOWN
    return PROTEIN if amino >= _AMINO_SHARE * letters else UNKNOWN


def mismatch(scan: Scanned, wanted: str) -> SequenceFault | None:
    """Return a fault if the query is surely not of the *wanted* molecule (nucl or prot)."""
    if scan.molecule in {wanted, UNKNOWN}:
        return None
    text = (
        f"The query looks like {NAMES[scan.molecule]}, and this program wants {NAMES[wanted]}. Use {_PROGRAMS[wanted]}; "
        "or, if the query is right, set 'molecule_check' to false."
    )
    return SequenceFault(code="molecule", sentence=text)


def judge(scan: Scanned, wanted: str, *, molecule_check: bool = True) -> Judgement:
    """Return all that is wrong with the query for a program that wants nucl or prot.

    Without *molecule_check* letters that BLAST+ drops are a warning, and the guess is not used.
    """
    faults, warnings = list(scan.faults), list(scan.warnings)
    other = mismatch(scan, wanted) if molecule_check else None
    if other is not None:
        faults.insert(0, other)
    elif wanted == NUCLEOTIDE:
        warnings = [warning for warning in warnings if warning.code != "pyrrolysine"]
        (faults if molecule_check else warnings).extend(_foreign(fault) for fault in scan.foreign)
        warnings.extend(_dropped(fault) for fault in scan.dropped)
    else:
        warnings.extend(scan.prose)
        if molecule_check and scan.molecule == PROTEIN:
            warnings.extend(_nucleotides_among(scan))
    letters = scan.nucleotides if wanted == NUCLEOTIDE else scan.residues
    return Judgement(faults=tuple(faults[:MOST]), warnings=tuple(warnings[:MOST]), letters=letters)


def _foreign(fault: SequenceFault) -> SequenceFault:
    text = (
        f"{_listed(fault.sentence)} can't be in a nucleotide sequence, and BLAST+ would drop it in silence. Is the line a "
        "title that lacks its '>', or the sequence a protein?"
    )
    return _with(fault, text)


def _dropped(fault: SequenceFault) -> SequenceFault:
    text = (
        f"BLAST+ drops {_listed(fault.sentence)} from nucleotides, so positions count without it; write N to keep them."
    )
    return _with(fault, text)


def _with(fault: SequenceFault, text: str) -> SequenceFault:
    return msgspec.structs.replace(fault, sentence=place(fault.record, fault.record_id, fault.line) + text)


def _listed(letters: str) -> str:
    return ", ".join(letters)


def _nucleotides_among(scan: Scanned) -> list[SequenceFault]:
    """Return a warning for each long record among proteins that has no letter of proteins alone."""
    pairs = enumerate(zip(scan.nucleotides, scan.residues, strict=True), 1)
    return [
        SequenceFault(
            code="molecule", sentence=f"Record {number} looks like nucleotides among proteins.", record=number
        )
        for number, (bases, letters) in pairs
        if bases == letters >= _LONG_LETTERS and number not in scan.ambiguous
    ][:MOST]
