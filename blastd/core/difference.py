"""What became of the hits of a search when it ran again: subjects that are new, lost or changed, query by query. Pure.

A subject is the same when it has the same id; one with another version of the same accession counts as changed. E-values
follow the size of a database, so they are shown and never make a change: what counts is the subject and its alignments.
"""

from collections.abc import Hashable, Iterable, Sequence

from blastd.core.model import Frozen

NEW, LOST, CHANGED = "new", "lost", "changed"
KINDS = (NEW, LOST, CHANGED)


class DifferenceCounts(Frozen, frozen=True, kw_only=True):
    """How many subjects are new, lost and changed, counted for each query, and for how many queries."""

    new: int = 0
    lost: int = 0
    changed: int = 0
    queries: int = 0

    def __bool__(self) -> bool:
        return bool(self.new or self.lost or self.changed)


class FoundSubject(Frozen, frozen=True, kw_only=True):
    """A subject that a query found, by its best HSP; `alignments` tells its HSPs from others."""

    subject: str
    accession: str
    title: str
    length: int
    rank: int
    evalue: str
    bit_score: float
    identity: float | None
    coverage: float | None
    alignments: str = ""


class SubjectChange(Frozen, frozen=True, kw_only=True):
    """What became of one subject of a query: `kind` is new, lost or changed, `what` says what changed in it."""

    kind: str
    before: FoundSubject | None
    after: FoundSubject | None
    what: tuple[str, ...] = ()


def differences(before: Sequence[FoundSubject], after: Sequence[FoundSubject]) -> list[SubjectChange]:
    """Return what became of the subjects of one query: those that it finds now in their order, then the lost ones."""
    pairs = _pairs(before, after)
    found: list[SubjectChange] = []
    for at, now in enumerate(after):
        then = pairs.get(at)
        if then is None:
            found.append(SubjectChange(kind=NEW, before=None, after=now))
        elif what := _what(before[then], now):
            found.append(SubjectChange(kind=CHANGED, before=before[then], after=now, what=what))
    kept = set(pairs.values())
    found += [SubjectChange(kind=LOST, before=one, after=None) for at, one in enumerate(before) if at not in kept]
    return found


def count(changes: Iterable[SubjectChange]) -> dict[str, int]:
    """Return how many there are of each kind."""
    numbers = dict.fromkeys(KINDS, 0)
    for change in changes:
        numbers[change.kind] += 1
    return numbers


def _pairs(before: Sequence[FoundSubject], after: Sequence[FoundSubject]) -> dict[int, int]:
    """Return the place of each subject of *after* that *before* holds, too: by id and title, by id, then by accession."""
    pairs: dict[int, int] = {}
    left = list(range(len(before)))
    rest = list(range(len(after)))
    for key in (_by_title, _by_id, _by_accession):
        places: dict[Hashable, list[int]] = {}
        for at in reversed(left):  # so that the first of several equal ones is taken first
            places.setdefault(key(before[at]), []).append(at)
        waiting, rest = rest, []
        for at in waiting:
            same = places.get(key(after[at]))
            if same:
                pairs[at] = same.pop()
            else:
                rest.append(at)
        taken = set(pairs.values())
        left = [at for at in left if at not in taken]
    return pairs


def _by_title(found: FoundSubject) -> Hashable:
    return found.subject, found.title


def _by_id(found: FoundSubject) -> Hashable:
    return found.subject


def _by_accession(found: FoundSubject) -> Hashable:
    return found.accession


def _what(before: FoundSubject, after: FoundSubject) -> tuple[str, ...]:
    names = {
        "id": before.subject != after.subject,
        "title": before.title != after.title,
        "length": before.length != after.length,
        "alignments": before.alignments != after.alignments,
    }
    return tuple(name for name, differs in names.items() if differs)
