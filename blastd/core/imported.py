"""An HSP that was found elsewhere, as the columns that BLAST+ prints of it."""

import re
from collections.abc import Sequence
from itertools import groupby

from blastd.core.model import Frozen
from blastd.core.tabular import RICH

ENGINE = "import"
"""What the row of a job says that ran nowhere here: its result was imported."""
_NO_ID = "gnl|BL_ORD_ID|"
_TRANSLATED_QUERY = frozenset({"blastx", "tblastx"})


class ImportedHsp(Frozen, frozen=True, kw_only=True):
    """An HSP as BLAST XML tells it. Letters are aligned, gaps as `-`."""

    bit_score: float
    score: float
    evalue: float
    query_from: int
    query_to: int
    subject_from: int
    subject_to: int
    query_frame: int
    subject_frame: int
    identical: int
    positive: int
    gaps: int
    query_letters: str
    subject_letters: str


class ImportedSubject(Frozen, frozen=True, kw_only=True):
    """How a subject is called."""

    sseqid: str
    accession: str
    version: str
    title: str


def named(hit_id: str, definition: str, accession: str) -> ImportedSubject:
    """Return how BLAST+'s tables call a subject of which XML tells id, definition line and accession."""
    identifier, accession = "".join(hit_id.split()), "".join(accession.split())
    title = re.sub(r"[\t\r\n]", " ", definition.split(" >", maxsplit=1)[0])
    if identifier.startswith(_NO_ID) or not identifier:  # a database without ids: the first word is one
        identifier = title.partition(" ")[0] or "unknown"
        return ImportedSubject(sseqid=identifier, accession=identifier, version=identifier, title=title)
    accession = accession or identifier
    versioned = next((part for part in identifier.split("|") if part.startswith(f"{accession}.")), accession)
    return ImportedSubject(sseqid=identifier, accession=accession, version=versioned, title=title)


def ends(start: int, end: int, frame: int) -> tuple[int, int]:
    """Return start and end as tables have them: on the other strand the start is the larger one."""
    low, high = sorted((start, end))
    return (high, low) if frame < 0 else (low, high)


def covered(hsps: Sequence[ImportedHsp], length: int) -> int:
    """Return the per cent of a query of *length* letters that HSPs of one subject cover together."""
    total, reached = 0, 0
    for low, high in sorted((min(hsp.query_from, hsp.query_to), max(hsp.query_from, hsp.query_to)) for hsp in hsps):
        total += max(0, high - max(low - 1, reached))
        reached = max(reached, high)
    return per_cent(total, length)


def per_cent(part: int, whole: int) -> int:
    """Return *part* of *whole* as BLAST+ rounds it: 100 is all of it."""
    if whole <= 0:
        return 0
    return min(int(0.5 + 100 * part / whole), 100 if part >= whole else 99)


def evalue_text(value: float) -> str:
    """Return an E-value as BLAST+'s tables print it (objtools/align_format, GetScoreString)."""
    for below, form in (
        (1e-180, "0.0"),
        (0.0009, "%.2e"),
        (0.1, "%.3f"),
        (1.0, "%.2f"),
        (10.0, "%.1f"),
    ):
        if value < below:
            return form % value if "%" in form else form
    return f"{value:.0f}"


def bits_text(value: float) -> str:
    """Return a bit score as BLAST+'s tables print it."""
    if value > 99999:
        return f"{value:.3e}"
    return str(int(value)) if value > 99.9 else f"{value:4.1f}"


def traceback(mine: str, other: str) -> str:
    """Return the BTOP of two aligned sequences."""
    parts = []
    for same, run in groupby(zip(mine.upper(), other.upper(), strict=True), lambda pair: pair[0] == pair[1]):
        pairs = list(run)
        parts.append(str(len(pairs)) if same else "".join(a + b for a, b in pairs))
    return "".join(parts)


def _place(program: str, hsp: ImportedHsp) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return start and end on query and subject as tables have them, and both frames."""
    query = ends(hsp.query_from, hsp.query_to, hsp.query_frame)
    if program == "blastn" and hsp.subject_from > hsp.subject_to:  # some writers tell the strand by the order alone
        return query, (hsp.subject_from, hsp.subject_to), (1, -1)
    subject = ends(hsp.subject_from, hsp.subject_to, hsp.subject_frame)
    frames = (1, 1) if program == "blastp" else (hsp.query_frame, hsp.subject_frame)  # XML says 0, tables say 1
    return query, subject, frames


def cells_of(
    program: str, hsp: ImportedHsp, query: tuple[str, int], subject: tuple[ImportedSubject, int], share: int
) -> list[str]:
    """Return the columns of RICH of one HSP, from id and length of the query, subject and its length, and *share*: what its subject covers."""
    query_id, query_length = query
    names, subject_length = subject
    length = len(hsp.query_letters)
    (query_start, query_end), (subject_start, subject_end), frames = _place(program, hsp)
    letters = abs(query_end - query_start) + 1
    if program in _TRANSLATED_QUERY:  # an HSP's own cover is counted in residues there, that of a subject in letters
        letters //= 3
    opens = sum(letter == "-" for aligned in (hsp.query_letters, hsp.subject_letters) for letter, _ in groupby(aligned))
    strand = ("minus" if frames[1] < 0 else "plus") if program == "blastn" else "N/A"
    values = {
        "qaccver": query_id,
        "saccver": names.version,
        "pident": f"{100 * hsp.identical / length:.3f}",
        "length": str(length),
        "mismatch": str(max(length - hsp.identical - hsp.gaps, 0)),
        "gapopen": str(opens),
        "qstart": str(query_start),
        "qend": str(query_end),
        "sstart": str(subject_start),
        "send": str(subject_end),
        "evalue": evalue_text(hsp.evalue),
        "bitscore": bits_text(hsp.bit_score),
        "qseqid": query_id,
        "sseqid": names.sseqid,
        "sacc": names.accession,
        "qlen": str(query_length),
        "slen": str(subject_length),
        "score": f"{hsp.score:.0f}",
        "nident": str(hsp.identical),
        "positive": str(hsp.positive),
        "gaps": str(hsp.gaps),
        "ppos": f"{100 * hsp.positive / length:.2f}",
        "qframe": str(frames[0]),
        "sframe": str(frames[1]),
        "sstrand": strand,
        "qcovs": str(share),
        "qcovhsp": str(per_cent(letters, query_length)),
        "qcovus": "N/A",
        "staxids": "N/A",
        "btop": traceback(hsp.query_letters, hsp.subject_letters),
        "stitle": names.title,
    }
    return [values[name] for name in RICH]
