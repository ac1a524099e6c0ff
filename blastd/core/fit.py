"""Whether databases fit a search and each other. Pure."""

from collections.abc import Collection, Sequence

from blastd.core.model import Frozen, Masking
from blastd.core.options import Value
from blastd.core.program_table import SEARCH_PROFILES, TITLES, WORDS
from blastd.core.programs import NEWEST, Fault, kind_of, molecules, pointer_of
from blastd.core.search import Arguments

MASKS = frozenset({"db_soft_mask", "db_hard_mask"})
NAMED_IDS = 10  # taxonomy ids that one sentence lists
NEEDS_INDEXED = {"seqidlist", "negative_seqidlist"}


class DatabaseFacts(Frozen, frozen=True, kw_only=True):
    """What a search needs to know of a database; `taxids` are those that it holds, None if that is not known."""

    name: str
    molecule: str
    version: int
    sequences: int
    letters: int
    has_taxonomy: bool
    has_ids: bool
    kind: str = "sequences"
    taxids: frozenset[int] | None = None
    maskings: tuple[Masking, ...] = ()


def check_databases(arguments: Arguments, facts: Sequence[DatabaseFacts]) -> list[Fault]:
    """Return every reason why these databases don't fit the search or each other."""
    faults: list[Fault] = []
    query, wanted = molecules(arguments.program)
    kind = kind_of(arguments.program)
    faults += [("/database", _other_kind(arguments.program, fact)) for fact in facts if fact.kind != kind]
    wrong = [fact for fact in facts if fact.molecule != wanted and fact.kind == kind]
    for fact in wrong:
        fits = [
            name
            for name, (_, its_query, base) in TITLES.items()
            if (its_query, base) == (query, fact.molecule) and kind_of(name) == kind
        ]
        mend = f"; for this query try {' or '.join(fits)}" if fits else ""
        said = f"database {fact.name} is {WORDS[fact.molecule]}, {arguments.program} needs a {WORDS[wanted]} database{mend}."
        faults.append(("/database", said))
    if len({fact.version for fact in facts}) > 1:
        listed = ", ".join(f"{fact.name} (version {fact.version})" for fact in facts)
        faults.append(("/database", f"databases of versions 4 and 5 can't be searched together: {listed}."))
    elif len({fact.has_ids for fact in facts if fact.version == NEWEST}) > 1:
        # "Error pre-fetching sequence data", exit code 2, once there are hits: versions 5 only
        parsed = ", ".join(fact.name for fact in facts if fact.has_ids)
        plain = ", ".join(fact.name for fact in facts if not fact.has_ids)
        said = (
            f"databases with parsed ids ({parsed}) and without ({plain}) can't be searched together: search them apart."
        )
        faults.append(("/database", said))
    for name in arguments.options:
        if name.endswith("taxids") or name in NEEDS_INDEXED:
            faults += _filter_faults(name, arguments.options[name], facts)
        elif name in MASKS:
            faults += _mask_faults(name, arguments.options[name], facts)
    return faults


def _mask_faults(name: str, value: Value, facts: Sequence[DatabaseFacts]) -> list[Fault]:
    """Return the databases without this masking: BLAST+ fails for a number it does not know, and ignores a word."""
    faults = list[Fault]()
    for fact in facts:
        if str(value) not in {str(masking.id) for masking in fact.maskings}:
            held = ", ".join(f"{masking.id} ({masking.algorithm})" for masking in fact.maskings)
            there = f"it has {held}" if held else "it has none (makeblastdb -mask_data adds some)"
            faults.append((pointer_of(name), f"database {fact.name} has no masking {str(value)[:40]}: {there}."))
    return faults


def _other_kind(program: str, fact: DatabaseFacts) -> str:
    if fact.kind == "profiles":
        return f"database {fact.name} holds profiles, which {' and '.join(sorted(SEARCH_PROFILES))} search; {program} searches sequences."
    return f"database {fact.name} holds sequences, {program} searches profiles (makeprofiledb makes such databases)."


def _filter_faults(name: str, ids: Value, facts: Sequence[DatabaseFacts]) -> list[Fault]:
    pointer, faults = pointer_of(name), list[Fault]()
    by_taxonomy = name.endswith("taxids")
    for fact in facts:
        if by_taxonomy and fact.version < NEWEST:
            said = f"database {fact.name} is of version 4, which knows no taxonomy ids: rebuild it as version 5."
        elif by_taxonomy and not fact.has_taxonomy:
            said = f"database {fact.name} has no taxonomy ids: build it with a map of ids to taxonomy ids (-taxid_map)."
        elif not by_taxonomy and not fact.has_ids:
            said = f"database {fact.name} has no parsed ids: build it with -parse_seqids."
        else:
            continue
        faults.append((pointer, said))
    if by_taxonomy and not faults and isinstance(ids, tuple):
        faults += _absent(pointer, name, ids, facts)
    return faults


def _absent(pointer: str, name: str, ids: Collection[str], facts: Sequence[DatabaseFacts]) -> list[Fault]:
    """Return the fault of taxonomy ids that none of the databases holds; nothing if that is not known."""
    if not facts or any(fact.taxids is None for fact in facts):
        return []
    held = frozenset[int]().union(*(fact.taxids or () for fact in facts))
    absent = [one for one in ids if int(one) not in held]
    if not absent:
        return []
    listed = ", ".join(absent[:NAMED_IDS]) + (
        f" and {len(absent) - NAMED_IDS:,} more" if len(absent) > NAMED_IDS else ""
    )
    names = ", ".join(fact.name for fact in facts)
    have = ", ".join(str(one) for one in sorted(held)) if 0 < len(held) <= NAMED_IDS else ""
    said = f"{name} {listed}: not in {names}. Ids of ranks above species have to be given as those of their species."
    return [(pointer, said + (f" It holds {have}." if have else ""))]
