"""What a search found, in one sentence: how many queries have a good hit, a weaker one, none. Pure.

A query has a good hit where HSPs of at least the asked identity cover at least the asked part of it, all of one subject.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum

from blastd.core.model import Frozen
from blastd.core.taxa import NamedOrganism

NUCLEOTIDE = 97.0, 90.0
"""Identity and coverage in per cent: 97 % of a marker gene is the custom for "the same species"."""
PROTEIN = 40.0, 70.0
"""The usual limits above which two proteins are taken for homologues of one fold and mostly one function."""
MORE_SUBJECTS = 5000
"""What a search that reached its limit is repeated with, at least."""


class Verdict(StrEnum):
    """How good the hits of one query are."""

    GOOD = "good"
    WEAKER = "weaker"
    NONE = "none"


class GoodHit(Frozen, frozen=True, kw_only=True):
    """From which identity over which part of the query a hit is good, both in per cent."""

    identity: float
    coverage: float


class BestHit(Frozen, frozen=True, kw_only=True):
    """The first subject of a query in the order of BLAST+, by its best HSP; `spans` are its HSPs on the query."""

    subject: str
    accession: str
    title: str
    length: int
    taxids: tuple[int, ...]
    identity: float | None
    coverage: float | None
    evalue: float | None
    evalue_text: str
    bit_score: float | None
    spans: tuple[tuple[int, int], ...] = ()
    organisms: tuple[NamedOrganism, ...] = ()
    """What the taxonomy of the search knows of `taxids`."""


class Counts(Frozen, frozen=True, kw_only=True):
    """Queries by what they found."""

    queries: int
    good: int
    weaker: int
    none: int
    limit_reached: int


class Phrase(Frozen, frozen=True, kw_only=True):
    """A piece of the sentence. `filter` names the queries that its number counts: a verdict, or `limit`."""

    text: str
    filter: str | None = None


def standard(program: str) -> GoodHit:
    """Return the limits that hold for a program until somebody says others."""
    identity, coverage = NUCLEOTIDE if program == "blastn" else PROTEIN
    return GoodHit(identity=identity, coverage=coverage)


def verdict(good: bool, hits: int) -> Verdict:
    """Return how good the hits of a query are."""
    return Verdict.GOOD if good else Verdict.WEAKER if hits else Verdict.NONE


def covered(spans: Iterable[tuple[int, int]]) -> int:
    """Return how many positions lie in at least one of *spans*, which are from and to in either order."""
    total, reached = 0, 0
    for start, end in sorted((min(span), max(span)) for span in spans):
        total += max(0, end - max(start, reached + 1) + 1)
        reached = max(reached, end)
    return total


def more_subjects(limit: int) -> int:
    """Return the limit of subjects to search again with."""
    return max(MORE_SUBJECTS, 10 * limit)


def sentence(counts: Counts, rule: GoodHit, limit: int, best: BestHit | None, hits: int) -> list[Phrase]:
    """Return what a search found, for people. *best* and *hits* are of the only query, where there is one only."""
    if counts.queries == 1:
        return _one(best, hits, counts.limit_reached > 0, limit)
    if counts.good + counts.weaker == 0:
        return [
            Phrase(text="None of the "),
            Phrase(text=f"{counts.queries:,}", filter="none"),
            Phrase(text=" queries has a hit."),
        ]
    has = "has" if counts.good == 1 else "have"
    parts = [
        Phrase(text=f"{counts.good:,}", filter="good"),
        Phrase(
            text=f" of {counts.queries:,} queries {has} a good hit (≥ {rule.identity:g} % identity over "
            f"≥ {rule.coverage:g} % of the query), "
        ),
        Phrase(text=f"{counts.weaker:,}", filter="weaker"),
        Phrase(text=" a weaker one, "),
        Phrase(text=f"{counts.none:,}", filter="none"),
        Phrase(text=" none."),
    ]
    if counts.limit_reached:
        parts += [
            Phrase(text=" "),
            Phrase(text=f"{counts.limit_reached:,}", filter="limit"),
            Phrase(text=f" reached the limit of {limit:,} subjects."),
        ]
    return parts


def _one(best: BestHit | None, hits: int, limited: bool, limit: int) -> list[Phrase]:
    if best is None:
        return [Phrase(text="No hit.")]
    name = best.title.removeprefix(f"{best.subject} ").strip()
    named = f"{name} ({best.accession or best.subject})" if name and name != best.subject else best.subject
    numbers = [f"{value:.{digits}f} % {what}" for value, digits, what in _known(best)]
    numbers.append(f"E-value {best.evalue_text}")
    found = f"{hits:,} subject{'' if hits == 1 else 's'} found"
    reached = f", which is the limit of {limit:,}." if limited else "."
    return [Phrase(text=f"Best hit: {named}, {', '.join(numbers)}. {found}{reached}")]


def _known(best: BestHit) -> Sequence[tuple[float, int, str]]:
    told = ((best.identity, 1, "identity"), (best.coverage, 0, "of the query covered"))
    return [(value, digits, what) for value, digits, what in told if value is not None]
