"""Taxa as data: what one is, how a user names one, and what several have in common. Pure."""

import re
from collections.abc import Iterable, Sequence

from blastd.core.model import Frozen

NAMED_ID = re.compile(r"(?:txid|taxid:?|taxon:?)?\s*([1-9][0-9]{0,9})|.*\(taxid:\s*([1-9][0-9]{0,9})\)", re.IGNORECASE)
"""An id by itself, as NCBI writes it, and behind a name as NCBI's form and our page send it."""
HIGHEST = 2**31 - 1


class Taxon(Frozen, frozen=True, kw_only=True):
    """A taxon of NCBI's taxonomy; empty: not known."""

    taxid: int
    name: str = ""
    common_name: str = ""
    rank: str = ""


class Lineage(Frozen, frozen=True, kw_only=True):
    """A taxon with all above it, from the root's child down to its parent."""

    taxon: Taxon
    above: tuple[Taxon, ...] = ()

    @property
    def path(self) -> tuple[Taxon, ...]:
        """Return the whole way down, the taxon itself last."""
        return (*self.above, self.taxon)


class NamedOrganism(Frozen, frozen=True, kw_only=True):
    """An organism as rows of hits name it; `lineage` are the names above it, the highest first."""

    taxid: int
    name: str
    common_name: str
    rank: str
    lineage: tuple[str, ...]


def organism_of(lineage: Lineage) -> NamedOrganism:
    """Return an organism as rows of hits name it."""
    taxon = lineage.taxon
    return NamedOrganism(
        taxid=taxon.taxid,
        name=taxon.name,
        common_name=taxon.common_name,
        rank=taxon.rank,
        lineage=tuple(above.name for above in lineage.above),
    )


def taxid_of(text: str) -> int | None:
    """Return the id that *text* gives for a taxon, None if it is a name."""
    match = NAMED_ID.fullmatch(text.strip())
    number = int(match[1] or match[2]) if match is not None else 0
    return number if 0 < number <= HIGHEST else None


def shown(taxon: Taxon) -> str:
    """Return a taxon for a sentence."""
    rank = f"{taxon.rank}, " if taxon.rank else ""
    return f"{taxon.name or 'a taxon without a name'} ({rank}{taxon.taxid})"


def common(paths: Iterable[Sequence[Taxon]]) -> Taxon | None:
    """Return the lowest taxon that all *paths* (from the top down) go through; None where they share none."""
    shared: list[Taxon] | None = None
    for path in paths:
        if shared is None:
            shared = list(path)
            continue
        same = 0
        for first, second in zip(shared, path, strict=False):
            if first.taxid != second.taxid:
                break
            same += 1
        del shared[same:]
    return shared[-1] if shared else None
