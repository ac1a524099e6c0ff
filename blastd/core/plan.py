"""How a job is cut into units: query batches x database shards, and why it is not cut further.

A result must equal one unsplit BLAST+ run byte for byte, so a cut is allowed only where it can't be seen:

- *Queries.* Statistics and marginal hits of a query depend on the queries that BLAST+ searches in the same round.
  The protein and translated programs close a round after a fixed number of letters (`ROUND_LETTERS`), so batches end
  there and nowhere else. blastn sizes its rounds by the number of extensions in the rounds before, which nobody
  knows in advance; lookup table and seeds, and with them marginal hits, change with the round (seen with 2.12 at E = 50 with word
  size 11, and at the cut of 500 subjects with megablast). A blastn search therefore stays one process, which gets its
  speed from threads: they divide the database, not the queries. With threads BLAST+ may, rarely, keep another of
  several equal subjects at the limit of max_target_seqs (seen once in some hundred runs of 2.12 on a busy machine);
  one thread always gives the same.
- *Database.* A shard only proposes subjects, then one finish per batch runs the user's own search on the proposals
  (`core/alias.py`). Options that compare subjects before hit lists exist forbid it.

This module decides sizes and reasons; the engines run the units.
"""

from collections.abc import Mapping, Sequence

import msgspec

from blastd.core.model import UnitKind
from blastd.core.program_table import ITERATED, SEARCH_PROFILES

Options = Mapping[str, str | bool | tuple[str, ...]]

# Letters after which BLAST+ 2.12 closes a round of queries.
ROUND_LETTERS = {
    "blastp": 10_000, "blastx": 10_002, "tblastn": 20_000, "tblastx": 10_002,
    "psiblast": 10_000, "deltablast": 10_000, "rpsblast": 10_000, "rpstblastn": 10_002,
}  # fmt: skip
WHOLE_PROGRAMS = {
    **dict.fromkeys(SEARCH_PROFILES, "profiles can't be masked"),
    **dict.fromkeys(ITERATED, "a profile is made of all that was found"),
}
"""Programs that never search a part of a database, and why."""
# These compare hits of different subjects before the hit lists exist.
WHOLE_DATABASE = ("culling_limit", "best_hit_overhang", "best_hit_score_edge")
# These name sequences; BLAST+ finds them when it opens the database, and counts them for its statistics.
SELECT = ("seqidlist", "taxids", "taxidlist", "negative_seqidlist", "negative_taxids", "negative_taxidlist")
# CPU seconds for one query letter against one database letter: orders of magnitude, measured with BLAST+ 2.12
# on the sets described in tests/data (blastp 2.5e5 x 9.1e6 letters: 72 s). Used to choose sizes, never shown.
SECONDS_PER_CELL = {
    "blastn": 4e-11,
    "megablast": 1e-11,
    "dc-megablast": 2e-11,
    "blastp": 3e-11,
    "blastp-fast": 1.5e-11,
    "blastx": 2e-11,
    "tblastn": 1.5e-11,
    "tblastx": 6e-11,
    "psiblast": 6e-11,
    "deltablast": 1e-10,
    "rpsblast": 1e-9,
    "rpstblastn": 2e-9,
}
# A process start costs 0.03 s and a database its mapping: below this a second process or thread does not pay.
WORTH_A_PROCESS_SECONDS = 0.5
# More batches than slots even out their differences and show progress; each costs a process start.
BATCHES_PER_SLOT = 4
# What a crash costs at most is one batch: of this estimate, which may be five times too small.
BATCH_SECONDS = 60.0
MOST_BATCHES = 1000
MOST_UNITS = 10_000
"""Of one search: what one Kubernetes Job, one row's units and one page of progress hold without trouble."""


class SearchedDatabases(msgspec.Struct, frozen=True, kw_only=True):
    """What planning needs of the searched database (all databases of the search together)."""

    sequences: int
    letters: int
    volumes: tuple[int, ...] = ()
    """Sequences per volume in the order of positions; their sum differs from *sequences* if an alias hides some."""
    databases: int = 1
    in_order: bool = True
    """Whether the volumes' names are in order, so that positions can be counted through them."""

    @property
    def addressable(self) -> bool:
        """Tell whether every position of the volumes belongs to the database, so that masks can name subjects."""
        return self.in_order and self.sequences > 0 and sum(self.volumes) == self.sequences


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """A run of whole query records: the bytes [offset, offset + bytes) of the normalised query file."""

    index: int
    first: int
    count: int
    letters: int
    offset: int
    bytes: int


class UnitPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one BLAST+ process does."""

    index: int
    kind: UnitKind
    batch: int
    shard: int | None = None
    after: tuple[int, ...] = ()
    threads: int = 1


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A job's units, in the order in which they may start."""

    batches: tuple[Batch, ...]
    shards: int
    units: tuple[UnitPlan, ...]
    why: tuple[str, ...] = ()

    def results(self) -> tuple[UnitPlan, ...]:
        """Return the units that write results, one a batch, in query order."""
        return tuple(unit for unit in self.units if unit.kind is not UnitKind.PROPOSE)


def plan(
    *,
    program: str,
    task: str | None,
    options: Options,
    letters: Sequence[int],
    offsets: Sequence[int],
    sizes: Sequence[int],
    unnamed: bool,
    database: SearchedDatabases,
    slots: int,
    threads: int = 0,
    shards: int | None = None,
    batches: int | None = None,
    worth_seconds: float = WORTH_A_PROCESS_SECONDS,
) -> Plan:
    """Cut a search into units.

    *letters*, *offsets* and *sizes* (bytes) are those of each query record in the query file; letters as BLAST+ counts
    them, without what it drops. *unnamed* says that a record has no definition. *slots* are the processes that may run
    at once, *threads* the most of one process (0: no limit of its own), *worth_seconds* the work for which another process
    pays. *shards* and *batches* are wishes: fewer are made where more would not be exact.
    """
    cost = sum(letters) * database.letters * seconds_per_cell(program, task)
    why_whole = whole_database_reason(program, options, database)
    parts = min(max(shards or 1, 1), max(database.sequences, 1), MOST_UNITS - 1)
    why: list[str] = []
    if parts > 1 and why_whole:
        parts = 1
        why.append(why_whole)
    if parts > 1:
        why.append(f"{parts} shards of about {database.letters // parts:,} letters each, one after the other")
    rounds = query_rounds(program, options, letters, unnamed=unnamed, why=why)
    wanted = batches if batches is not None else batches_for(cost, slots, worth_seconds)
    most = MOST_UNITS // (parts + 1 if parts > 1 else 1)
    if min(wanted, len(rounds)) > most:
        why.append(f"{most} query batches: {parts} shards of more would be over {MOST_UNITS:,} parts")
    cut = _batches(rounds, min(max(wanted, 1), len(rounds), most), letters, offsets, sizes)
    free = slots // len(cut)
    used = threads_for(cost / len(cut), min(free, threads) if threads else free) if parts == 1 else 1
    if used > 1:
        why.append(f"{used} threads: BLAST+ may keep another of several equal subjects at the limit of max_target_seqs")
    return Plan(batches=cut, shards=parts, units=_units(len(cut), parts, used), why=tuple(why))


def seconds_per_cell(program: str, task: str | None) -> float:
    """Return a rough CPU time for one query letter against one database letter."""
    if program == "blastn" and task is None:
        task = "megablast"
    return SECONDS_PER_CELL.get(task or program, SECONDS_PER_CELL[program])


def whole_database_reason(program: str, options: Options, database: SearchedDatabases) -> str | None:
    """Return why the database can't be searched in shards, or None if it can."""
    if program in WHOLE_PROGRAMS:
        return f"the whole database is searched at once: {WHOLE_PROGRAMS[program]}"
    for name in WHOLE_DATABASE:
        if name in options:
            return f"the whole database is searched at once: -{name} compares hits of different subjects"
    for name in SELECT:
        if name in options:
            return f"the whole database is searched at once: -{name} selects sequences of it"
    if database.databases > 1:
        return "all databases are searched at once: positions can't be counted through several"
    if not database.addressable:
        return "the whole database is searched at once: it is itself a selection from larger volumes"
    return None


def query_rounds(
    program: str, options: Options, letters: Sequence[int], *, unnamed: bool, why: list[str]
) -> list[tuple[int, int]]:
    """Return the runs [first, end) of records between borders that can't be seen; add to *why* what forbids borders."""
    whole = [(0, len(letters))]
    if len(letters) < 2:
        return whole
    if unnamed:
        why.append("one query batch: a query without a definition is named by its number in the whole file")
        return whole
    if options.get("parse_deflines"):
        why.append("one query batch: with -parse_deflines names are read across the whole file")
        return whole
    if program not in ROUND_LETTERS:
        why.append("one query batch: blastn sizes its rounds while it runs, and marginal hits depend on them")
        return whole
    rounds, first, sum_letters = [], 0, 0
    for at, count in enumerate(letters):
        sum_letters += count
        if sum_letters >= ROUND_LETTERS[program]:
            rounds.append((first, at + 1))
            first, sum_letters = at + 1, 0
    if first < len(letters):
        rounds.append((first, len(letters)))
    return rounds


def batches_for(cost_seconds: float, slots: int, worth_seconds: float = WORTH_A_PROCESS_SECONDS) -> int:
    """Return how many processes are worth starting for *cost_seconds* of work."""
    even = min(int(cost_seconds / worth_seconds), slots * BATCHES_PER_SLOT)
    safe = min(int(cost_seconds / max(BATCH_SECONDS, 4 * worth_seconds)), MOST_BATCHES)
    return max(1, even, safe)


def threads_for(cost_seconds: float, slots: int) -> int:
    """Return how many of *slots* threads a process of *cost_seconds* can use."""
    return max(1, min(int(cost_seconds / WORTH_A_PROCESS_SECONDS), slots))


def _batches(
    rounds: Sequence[tuple[int, int]],
    wanted: int,
    letters: Sequence[int],
    offsets: Sequence[int],
    sizes: Sequence[int],
) -> tuple[Batch, ...]:
    """Join neighbouring rounds into *wanted* batches of about equal letters, none empty."""
    weights = [sum(letters[first:end]) for first, end in rounds]
    total, done, at, found = sum(weights), 0, 0, []
    for index in range(wanted):
        start = at
        last = len(rounds) - (wanted - index - 1)  # leaves a round for each batch to come
        while at < last and (at == start or done + weights[at] / 2 <= total * (index + 1) / wanted):
            done += weights[at]
            at += 1
        if index == wanted - 1:
            at = len(rounds)
        first, end = rounds[start][0], rounds[at - 1][1]
        span = offsets[end - 1] + sizes[end - 1] - offsets[first] if end > first else 0
        offset = offsets[first] if end > first else 0
        found.append(
            Batch(
                index=index, first=first, count=end - first, letters=sum(weights[start:at]), offset=offset, bytes=span
            )
        )
    return tuple(found)


def _units(batches: int, shards: int, threads: int) -> tuple[UnitPlan, ...]:
    units: list[UnitPlan] = []
    for batch in range(batches):
        if shards == 1:
            units.append(UnitPlan(index=len(units), kind=UnitKind.SEARCH, batch=batch, threads=threads))
            continue
        first = len(units)
        units += [
            UnitPlan(index=first + shard, kind=UnitKind.PROPOSE, batch=batch, shard=shard, threads=1)
            for shard in range(shards)
        ]
        after = tuple(range(first, first + shards))
        units.append(UnitPlan(index=len(units), kind=UnitKind.FINISH, batch=batch, after=after))
    return tuple(units)
