"""Filters by taxonomy id, spelled out so that no BLAST+ looks anything up. Pure.

BLAST+ up to 2.14 takes an id for itself. Later ones take it for all that lies below it in their tree of taxa; where they
don't find the file of the tree they search without the filter and end with exit code 0, unless they are told not to look
(`no_taxid_expansion`). Here the ids below are named one by one before the search is accepted, and BLAST+ is always told:
the same search then means the same on every machine, in every format, whatever file appears or changes meanwhile.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from blastd.core.fit import DatabaseFacts
from blastd.core.model import Frozen
from blastd.core.options import LIST_ITEMS
from blastd.core.programs import Fault, Program
from blastd.core.search import Arguments

FILTERS = ("taxids", "negative_taxids")
LITERAL = "no_taxid_expansion"


class Spelled(Frozen, frozen=True, kw_only=True):
    """What BLAST+ is told, with the ids spelled out, what a user should know of it, and why it can't be."""

    arguments: Arguments
    remarks: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def filtered(arguments: Arguments) -> bool:
    """Tell whether the search filters by taxonomy."""
    return any(name in arguments.options for name in FILTERS)


def expands(arguments: Arguments, program: Program) -> bool:
    """Tell whether the installed BLAST+ would take the ids for all that lies below them, too."""
    return filtered(arguments) and LITERAL in program.options and LITERAL not in arguments.options


def held(facts: Sequence[DatabaseFacts]) -> frozenset[int] | None:
    """Return the taxonomy ids that the databases hold together, None if that is not known."""
    if not facts or any(fact.taxids is None for fact in facts):
        return None
    return frozenset[int]().union(*(fact.taxids or () for fact in facts))


def requested(arguments: Arguments) -> list[int]:
    """Return every id that a filter names."""
    lists = [arguments.options.get(name) for name in FILTERS]
    return sorted({int(one) for ids in lists if isinstance(ids, tuple) for one in ids})


def spell(arguments: Arguments, below: Mapping[int, frozenset[int]] | None, there: frozenset[int] | None) -> Spelled:
    """Return *arguments* with the ids of its filters named one by one.

    *below* are the ids under each id, itself included; None where no tree of taxa is installed: then an id means itself.
    *there* are those that the databases hold. An id below which nothing is there stays, and is a fault of the search.
    """
    options, remarks, faults = dict(arguments.options), list[str](), list[Fault]()
    for name in FILTERS:
        ids = options.get(name)
        if not isinstance(ids, tuple) or below is None or there is None:
            continue
        named = {int(one): sorted(below.get(int(one), frozenset()) & there) for one in ids}
        remarks += [
            f"{name} {taxid} stands for {len(found):,} taxonomy ids of the databases."
            for taxid, found in named.items()
            if found and found != [taxid]
        ]
        spelled = sorted({each for taxid, found in named.items() for each in found or [taxid]})
        if len(spelled) > LIST_ITEMS:
            sentence = f"{name} stands for {len(spelled):,} taxonomy ids of the databases, more than {LIST_ITEMS:,}: name a smaller group."
            faults.append((f"/options/{name}", sentence))
        options[name] = tuple(map(str, spelled))
    options[LITERAL] = True
    return Spelled(arguments=replace(arguments, options=options), remarks=tuple(remarks[:10]), faults=tuple(faults))
