"""Filters by organism: which ids of the databases they come to, and how BLAST+ is told. Pure.

BLAST+ knows filters by ids only, and what an id means depends on its version (`core.taxids`). So the ids of the databases
are named one by one, and a version that would look up more is told not to: the same bytes from each.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from blastd.core.fit import DatabaseFacts
from blastd.core.model import Frozen, OrganismFilter
from blastd.core.options import LIST_ITEMS, Value
from blastd.core.programs import NEWEST, Fault, Program
from blastd.core.search import Arguments
from blastd.core.taxids import LITERAL

INCLUDE, EXCLUDE = "/organisms", "/exclude_organisms"


class Limited(Frozen, frozen=True, kw_only=True):
    """What BLAST+ is told, with a filter by organisms as ids; what a user should know of it, and why it can't be."""

    arguments: Arguments
    organisms: OrganismFilter = OrganismFilter()
    remarks: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def unfit(arguments: Arguments, program: Program, facts: Sequence[DatabaseFacts] | None, pointer: str) -> list[Fault]:
    """Return why a search can't be limited to organisms at all; *facts* are None for subjects that come with it."""
    if "taxids" not in program.options:
        return [(pointer, f"{program.name} can't be limited to organisms.")]
    excluded = {"taxids", "negative_taxids", *program.options["taxids"].excludes} & arguments.options.keys()
    faults = [
        (pointer, f"Organisms can't be chosen together with the option {name}: give one of them.")
        for name in sorted(excluded)
    ]
    if facts is None:
        return [*faults, (pointer, "Subjects that come with the search have no organisms: leave this out.")]
    for fact in facts:
        if fact.version < NEWEST:
            faults.append(
                (pointer, f"database {fact.name} is of version 4, which knows no organisms: rebuild it as version 5.")
            )
        elif not fact.has_taxonomy:
            said = f"database {fact.name} does not say of which organisms its sequences are: build it with -taxid_map."
            faults.append((pointer, said))
    return faults


def told(arguments: Arguments, program: Program, include: Iterable[int] | None, exclude: Iterable[int]) -> Limited:
    """Return *arguments* with the ids of the databases that a filter comes to; *include* is None where only some are left out."""
    left_out = set(exclude)
    ids = sorted(left_out if include is None else set(include) - left_out)
    name = "negative_taxids" if include is None else "taxids"
    pointer = EXCLUDE if include is None or not ids else INCLUDE
    if not ids:
        return Limited(
            arguments=arguments, faults=((pointer, "Nothing is left: what is left out holds all that was chosen."),)
        )
    if len(ids) > LIST_ITEMS:
        said = f"This stands for {len(ids):,} taxonomy ids of the databases, more than {LIST_ITEMS:,}: name a smaller group."
        return Limited(arguments=arguments, faults=((pointer, said),))
    options: dict[str, Value] = {**arguments.options, name: tuple(map(str, ids))}
    if LITERAL in program.options:
        options[LITERAL] = True
    return Limited(arguments=replace(arguments, options=options))


def without_filter(options: Mapping[str, Value], organisms: OrganismFilter) -> dict[str, Value]:
    """Return options as somebody chose them: the ids that stand for organisms are not among them."""
    ours = {"taxids", "negative_taxids", LITERAL} if organisms else set[str]()
    return {name: value for name, value in options.items() if name not in ours}
