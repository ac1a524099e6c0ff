"""The programs that are offered, and the check of a whole search, which finds every fault. Pure.

Options come from the installed BLAST+ (core/options.py), the rest from the tables of core/program_table.py. What the query
itself is worth is judged in core/fasta.py; whether a database exists is known to the catalogue of databases.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from blastd.core.model import Frozen
from blastd.core.near import Nearest, near
from blastd.core.options import SHOWN, Option, Value, check_value
from blastd.core.program_table import (
    INSTEAD,
    ITERATED,
    SEARCH_PROFILES,
    STARTS,
    TASK_HELP,
    TASK_TITLES,
    TASKS,
    TITLES,
    UNUSABLE,
)
from blastd.core.search import Arguments, Search
from blastd.errors import Faults

LOCATION = re.compile(r"([1-9][0-9]{0,9})-([1-9][0-9]{0,9})")
HIGHEST_POSITION = 2**31 - 1
DEFAULT_LIMIT = 500
NEWEST = 5  # version of databases; 4 has no taxonomy ids
FEW_TARGETS = 5  # below, BLAST+ itself warns
SHORT_LETTERS = 30
DISCONTIGUOUS_WORDS = ("11", "12")
NO_COMPOSITION = ("0", "F", "f")

Fault = tuple[str, str]
"""JSON pointer into the request, and a sentence with the mend."""


class Task(Frozen, frozen=True, kw_only=True):
    """A preset of a program."""

    name: str
    title: str
    help: str
    defaults: Mapping[str, str]


class Program(Frozen, frozen=True, kw_only=True):
    """A program as it is offered, its default task first; molecules are `nucl` or `prot`.

    `kind` is that of its databases: sequences or profiles. `starts` is what a query can be.
    """

    name: str
    title: str
    query: str
    database: str
    kind: str
    tasks: tuple[Task, ...]
    options: Mapping[str, Option]
    starts: tuple[str, ...] = ("sequences",)


class Catalogue(Frozen, frozen=True, kw_only=True):
    """All programs of one BLAST+ installation."""

    blast_version: str
    programs: Mapping[str, Program]


# ---------------------------------------------------------------- catalogue


def catalogue(
    version: str, helps: Mapping[str, Mapping[str, Option]], tried: Mapping[str, Mapping[str, str]] | None = None
) -> Catalogue:
    """Return what is offered, from the options that each program tells of itself.

    *tried* are defaults by task that were seen in a search.
    """
    programs = {}
    for name, (title, query, database) in TITLES.items():
        if name not in helps:
            continue
        told = helps[name]
        known = told["task"].choices if "task" in told else (name,)
        tasks = tuple(
            Task(
                name=task,
                title=TASK_TITLES[task],
                help=TASK_HELP[task],
                defaults=_defaults(task, defaults, told, (tried or {}).get(task, {})),
            )
            for task, defaults in TASKS[name].items()
            if task in known
        )
        options = _offered(name, told)
        starts = tuple(start for start, option in STARTS.get(name, {}).items() if option in told)
        programs[name] = Program(
            name=name,
            title=title,
            query=query,
            database=database,
            kind=kind_of(name),
            tasks=tasks,
            options=options,
            starts=("sequences", *starts),
        )
    return Catalogue(blast_version=version, programs=programs)


def _defaults(
    task: str, known: Mapping[str, str], told: Mapping[str, Option], tried: Mapping[str, str]
) -> dict[str, str]:
    """Return the defaults of a task that differ from the program's: *known* ones, those of the help, and those seen."""
    by_help = {name: option.by_task[task] for name, option in told.items() if task in option.by_task}
    seen = {name: value for name, value in tried.items() if name in told and value != told[name].default}
    return {**known, **by_help, **seen}


def _offered(program: str, told: Mapping[str, Option]) -> dict[str, Option]:
    """Leave out what is not offered, what needs that, and conflicts with it."""
    names = {name for name, option in told.items() if name not in INSTEAD and option.kind != "file"}
    names -= UNUSABLE.get(program, frozenset())
    names -= {name for name in names if not names.issuperset(told[name].requires)}
    return {
        name: replace(told[name], excludes=tuple(other for other in told[name].excludes if other in names))
        for name in told
        if name in names
    }


def kind_of(program: str) -> str:
    """Return what the databases of a program hold: sequences or profiles."""
    return "profiles" if program in SEARCH_PROFILES else "sequences"


def iterates(program: str, options: Mapping[str, Any]) -> bool:
    """Tell whether a search tells of each of several iterations."""
    return program in ITERATED and str(options.get("num_iterations", "1")) != "1"


def molecules(program: str) -> tuple[str, str]:
    """Return the molecules of query and database, `nucl` or `prot`."""
    _, query, database = TITLES[program]
    return query, database


def limit_of(options: Mapping[str, Any]) -> int:
    """Return how many subjects are kept for each query."""
    return int(str(options.get("max_target_seqs", DEFAULT_LIMIT)))


def default_of(program: Program, task: str, name: str) -> str | None:
    """Return the value that BLAST+ takes for an option that is not given, None if it is not known."""
    own = next((preset.defaults for preset in program.tasks if preset.name == task), {})
    return own.get(name, program.options[name].default if name in program.options else None)


# ---------------------------------------------------------------- check


def check(search: Search, known: Catalogue) -> tuple[Arguments | None, Faults]:
    """Return what BLAST+ will be told, or None with every fault as (JSON pointer, sentence with the mend)."""
    faults = Faults()
    program = known.programs.get(search.program)
    if program is None:
        names = ", ".join(known.programs)
        hint = near(search.program, known.programs)
        faults.append(("/program", f"{search.program[:SHOWN]!r} is not offered: choose one of {names}.{hint}"))
    task = _task(program, search.task, known, faults) if program is not None else ""
    options = _options(program, task, search.options, faults) if program is not None else {}
    if not search.databases or not all(search.databases):
        faults.append(("/database", "No database is named."))
    if search.query_loc is not None and location(search.query_loc) is None:
        faults.append(
            ("/query_loc", f"{search.query_loc[:SHOWN]!r} is not START-STOP with 1 <= START < STOP, like 10-250.")
        )
    if program is not None:
        faults += _start_faults(program, search)
    if program is None or faults:
        return None, faults
    return Arguments(program=program.name, task=task, options=options, query_loc=search.query_loc), faults


def _start_faults(program: Program, search: Search) -> list[Fault]:
    """Return why the query can't be of its type."""
    if search.query_type not in program.starts:
        said = f"query_type {search.query_type[:SHOWN]!r}: {program.name} takes {' or '.join(program.starts)}."
        return [("/query_type", said)]
    if search.query_type != "sequences" and search.query_loc is not None:
        return [("/query_loc", f"query_loc can't be used together with query_type {search.query_type}.")]
    return []


def location(text: str) -> tuple[int, int] | None:
    """Return first and last position (from 1) that `START-STOP` names, None if it does not."""
    match = LOCATION.fullmatch(text)
    if match is None or not int(match[1]) < int(match[2]) <= HIGHEST_POSITION:  # one letter is none to BLAST+
        return None
    return int(match[1]), int(match[2])


def check_location(query_loc: str | None, letters: Sequence[int]) -> list[Fault]:
    """Return the fault of a query_loc outside the queries, whose *letters* are known.

    BLAST+ cuts a stop that is too high, drops queries that end before the start without a word, and fails only if all do.
    """
    span = location(query_loc) if query_loc is not None else None
    outside = [number for number, length in enumerate(letters, 1) if span is not None and span[0] > length]
    if not outside:
        return []
    number = outside[0]
    rest = f" and {len(outside) - 1:,} more" if len(outside) > 1 else ""
    sentence = f"query_loc {query_loc} begins behind the end of query {number} ({letters[number - 1]:,} letters){rest}."
    return [("/query_loc", sentence)]


def _task(program: Program, asked: str | None, known: Catalogue, faults: Faults) -> str:
    names = [task.name for task in program.tasks]
    if not asked:
        return names[0]
    if asked in names:
        return asked
    owners = [other.name for other in known.programs.values() if asked in [task.name for task in other.tasks]]
    hint = f" It is a task of {owners[0]}." if owners else near(asked, names)
    faults.append(("/task", f"{asked[:SHOWN]!r} is no task of {program.name}: choose one of {', '.join(names)}.{hint}"))
    return names[0]


def _options(program: Program, task: str, given: Mapping[str, Any], faults: Faults) -> dict[str, Value]:
    options: dict[str, Value] = {}
    nearest = Nearest(program.options)
    for name, value in given.items():
        option = program.options.get(name)
        if option is None:
            faults.each([name], lambda name: (pointer_of(name), _unknown(program, name, nearest)))
            continue
        good, fault = check_value(option, value)
        if fault is not None:
            faults.append((pointer_of(name), fault))
        elif good is not None and good is not False:
            options[name] = good
    faults += _together(program, options, given)
    faults += _task_rules(program, task, options)
    return options


def pointer_of(name: str) -> str:
    """Return the JSON pointer of an option in the request."""
    return f"/options/{name[:SHOWN].replace('~', '~0').replace('/', '~1')}"


def _together(program: Program, options: Mapping[str, Value], given: Mapping[str, Any]) -> list[Fault]:
    """Return conflicts, each pair once, and missing companions; a companion that is given but wrong is not missing."""
    faults: list[Fault] = []
    pairs = {
        tuple(sorted((name, other))) for name in options for other in program.options[name].excludes if other in options
    }
    faults += [(pointer_of(first), f"{first} can't be used together with {second}.") for first, second in sorted(pairs)]
    for name in options:
        missing = [other for other in program.options[name].requires if other not in given]
        faults += [(pointer_of(name), f"{name} needs {other}, too.") for other in missing]
    return faults


def _task_rules(program: Program, task: str, options: Mapping[str, Value]) -> list[Fault]:
    """Return what BLAST+ refuses of options that are good one by one (seen with 2.12)."""
    faults: list[Fault] = []
    word = options.get("word_size", default_of(program, task, "word_size"))
    if task == "dc-megablast" and word not in DISCONTIGUOUS_WORDS:
        faults.append((pointer_of("word_size"), f"word_size {word} is not 11 or 12, as dc-megablast needs."))
    if task != "dc-megablast" and "template_type" in options:
        faults.append(
            (pointer_of("template_type"), "template_type and template_length are for task dc-megablast only.")
        )
    if options.get("ungapped") and "comp_based_stats" in program.options:
        value = options.get("comp_based_stats", default_of(program, task, "comp_based_stats"))
        if value not in NO_COMPOSITION:
            faults.append(
                (pointer_of("ungapped"), "ungapped needs comp_based_stats 0: composition is adjusted with gaps only.")
            )
    costs = [options.get(name, default_of(program, task, name)) for name in ("gapopen", "gapextend")]
    if options.get("no_greedy") and costs == ["0", "0"]:
        said = f"no_greedy needs gap costs above 0, which {task} has not: give gapopen and gapextend, too."
        faults.append((pointer_of("no_greedy"), said))
    return faults


def _unknown(program: Program, name: str, nearest: Nearest) -> str:
    shown = name[:SHOWN]
    bare = shown.lstrip("-")
    if bare in INSTEAD:
        return f"{shown!r} is not an option here: {INSTEAD[bare]}."
    if bare in program.options:
        return f"{shown!r}: options are named without '-', say {bare!r}."
    return f"{shown!r} is no option of {program.name}.{nearest.hint(bare)} See GET /api/blast/programs."


# ---------------------------------------------------------------- databases


# ---------------------------------------------------------------- advice


def hints(arguments: Arguments, *, all_short: bool) -> list[str]:
    """Return advice that stays with the job; *all_short*: every query has fewer than SHORT_LETTERS letters."""
    found = []
    short = f"{arguments.program}-short"
    if all_short and short in TASKS[arguments.program] and arguments.task != short:
        found.append(
            f"Every query has fewer than {SHORT_LETTERS} letters: task {short} finds what {arguments.task} misses."
        )
    if arguments.program == "blastx" and "use_sw_tback" in arguments.options:
        found.append(
            "use_sw_tback can make blastx thousands of times slower (2.12: 193 s in place of 0.06 s for two queries)."
        )
    if limit_of(arguments.options) < FEW_TARGETS:
        found.append(
            f"max_target_seqs under {FEW_TARGETS} does not mean the best hits: BLAST+ applies it early in the search; "
            f"ask for {FEW_TARGETS} or more."
        )
    return found
