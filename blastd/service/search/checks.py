"""Everything that is looked at before a search is accepted: program, databases, limits, memory, plan.

What a program or an option means is known by `core.programs`; here it meets the databases and engines that there are.
Every fault is gathered, so that a user mends all of them at once.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from msgspec.structs import replace

from blastd.blastplus import command
from blastd.blastplus.blastdb import BlastDatabase
from blastd.blastplus.layout import in_order
from blastd.blastplus.pins import Pins
from blastd.blastplus.tools import Tools
from blastd.core import memory, programs, taxids
from blastd.core import plan as planning
from blastd.core.fit import DatabaseFacts, check_databases
from blastd.core.ids import JobId
from blastd.core.model import DatabaseRef, Frozen, Job, OrganismFilter, Unit
from blastd.core.near import Nearest
from blastd.core.organisms import Limited
from blastd.core.plan import Plan
from blastd.core.program_table import DOMAINS, TITLES
from blastd.core.programs import Catalogue, Fault
from blastd.core.search import Arguments, Search
from blastd.core.tabular import rich_spec
from blastd.errors import Faults, Invalid, ToolFailed
from blastd.service.databases.catalogue import Databases
from blastd.service.databases.scanning import settled
from blastd.service.search.query import QueryInput
from blastd.service.taxonomy.organisms import limit
from blastd.service.taxonomy.taxa import Taxa
from blastd.tracking.tracker import Tracker

IDS_SECONDS = 10.0
"""How long a submit waits for ids to be read the first time."""
COMPARED_IDS = 50_000_000
"""Of all databases of one search: their indices are 1.6 GB on the disk, made in some minutes."""
SHOWN_ARGVS = 10


class Checked(Frozen, frozen=True, kw_only=True):
    """A search that may be run, with the databases it will search and its plan."""

    arguments: Arguments
    databases: tuple[BlastDatabase, ...]
    domains: tuple[BlastDatabase, ...]
    """What is looked at beside the databases: of domains, for deltablast."""
    engine: str
    plan: Plan
    warnings: tuple[str, ...]
    blast_version: str
    organisms: OrganismFilter
    taxa: str
    """Names the taxonomy that serves it; empty: there is none."""


class CommandLines(Frozen, frozen=True, kw_only=True):
    """What runs: one line for a person to copy, and the exact arguments of the first units."""

    command: str
    argv: tuple[tuple[str, ...], ...]


class Shards(Frozen, frozen=True, kw_only=True):
    """Into how many shards a database is to be cut (None: no wish), and why."""

    number: int | None
    why: tuple[str, ...] = ()


class Checks:
    """Checks searches against what there is."""

    def __init__(
        self,
        *,
        offered: Catalogue,
        tools: Tools,
        databases: Databases,
        pins: Pins,
        tracker: Tracker,
        taxa: Taxa,
        memory_bytes: Mapping[str, int],
        seconds: Mapping[str, float],
    ) -> None:
        """Take the parts; *memory_bytes* is what a search may take and *seconds* how long, by engine (absent: not known, no limit)."""
        self.offered, self._tools = offered, tools
        self._databases, self._pins, self._tracker, self._memory = databases, pins, tracker, memory_bytes
        self._taxa, self._seconds = taxa, seconds

    async def check(
        self,
        search: Search,
        query_input: QueryInput,
        own: Sequence[BlastDatabase] | None = None,
        known: Iterable[Fault] = (),
    ) -> Checked:
        """Return the search with everything it needs. Raises Invalid with every fault, those *known* before too.

        *own* are subjects that came with the search, as a database, in place of those that it names: none if they can't
        be made one, which is among the faults known before.
        """
        faults = Faults(known)
        if own:
            search = replace(search, databases=tuple(database.name for database in own))
        arguments, wrong = programs.check(search, self.offered)
        faults += wrong if own is None else wrong.but("/database")
        faults += [("/query", text) for text in query_input.faults]
        engine = self._engine(search.engine, faults)
        faults += self._time_fault(search, engine)
        await settled(self._databases, search.databases if own is None else ())
        wanted = TITLES[search.program][2] if search.program in TITLES else ""
        databases = list(own) if own is not None else await self._find(search.databases, wanted, faults)
        organisms, remarks = OrganismFilter(), tuple[str, ...]()
        if arguments is not None:
            limited = await self._limited(search, arguments, None if own is not None else databases)
            faults += limited.faults
            if not query_input.faults:
                faults += programs.check_location(limited.arguments.query_loc, query_input.letters)
            arguments, more = await self._fit(limited.arguments, databases, faults)
            organisms, remarks = limited.organisms, (*limited.remarks, *more)
        domains = await self._domains(arguments, faults) if arguments is not None else []
        if not faults:
            faults += await self._shared_ids(databases)
        if faults or arguments is None:
            raise Invalid(faults)
        shards = self._shards(engine, arguments, databases, query_input, sum(each.bytes for each in domains))
        if not isinstance(shards, Shards):
            raise Invalid([shards])
        return Checked(
            arguments=arguments,
            databases=tuple(databases),
            domains=tuple(domains),
            engine=engine,
            plan=self._plan(arguments, databases, query_input, engine, shards),
            warnings=(*remarks, *programs.hints(arguments, all_short=query_input.all_short)),
            blast_version=await self._tools.version_of(arguments.program),
            organisms=organisms,
            taxa=await self._taxa.store_among(databases),
        )

    async def _limited(
        self, search: Search, arguments: Arguments, databases: Sequence[BlastDatabase] | None
    ) -> Limited:
        """Return the search in the organisms that it names; *databases* None: they came with it, and know no organisms."""
        if not search.organisms and not search.exclude_organisms:
            return Limited(arguments=arguments)
        return await limit(self._taxa, search, arguments, self.offered.programs[arguments.program], databases)

    def _time_fault(self, search: Search, engine: str) -> list[Fault]:
        most = self._seconds.get(engine)
        if most is None or (search.time_limit_seconds or 0) <= most:
            return []
        return [("/time_limit_seconds", f"The {engine} engine lets a search run for {most:,.0f} s at most.")]

    async def _fit(
        self, arguments: Arguments, databases: Sequence[BlastDatabase], faults: Faults
    ) -> tuple[Arguments, tuple[str, ...]]:
        """Spell out taxonomy ids where the program would, and add to *faults* why databases don't fit; returns remarks, too."""
        facts, remarks = [await self._facts(database, arguments) for database in databases], tuple[str, ...]()
        if taxids.expands(arguments, self.offered.programs[arguments.program]):
            below = await self._databases.taxa_below(taxids.requested(arguments), databases)
            spelled = taxids.spell(arguments, below, taxids.held(facts))
            arguments, remarks = spelled.arguments, tuple(spelled.remarks)
            faults += spelled.faults
        faults += check_databases(arguments, facts)
        return arguments, remarks

    async def pin(self, checked: Checked) -> None:
        """Keep the databases as they are now for this search. Raises DatabaseBroken."""
        for database in (*checked.databases, *checked.domains):
            await self._pins.pin(database)

    def units(self, job_id: JobId, plan: Plan) -> list[Unit]:
        """Return the units of a plan."""
        batches = {batch.index: batch for batch in plan.batches}
        return [
            Unit(
                job_id=job_id,
                index=unit.index,
                kind=unit.kind,
                batch=unit.batch,
                shard=unit.shard,
                first_query=batches[unit.batch].first,
                queries=batches[unit.batch].count,
                letters=batches[unit.batch].letters,
                offset=batches[unit.batch].offset,
                size=batches[unit.batch].bytes,
                threads=unit.threads,
                after=unit.after,
            )
            for unit in plan.units
        ]

    # ------------------------------------------------------------------ parts of the check
    def _engine(self, name: str | None, faults: Faults) -> str:
        names = list(self._tracker.engines)
        if name is None:
            return next(iter(names), "local")
        if name not in names:
            faults.append(("/engine", f"There is no engine {name[:40]!r}; choose one of {', '.join(names)}."))
        return name

    async def _find(self, names: Sequence[str], molecule: str, faults: Faults) -> list[BlastDatabase]:
        """Return the databases of these names as they are now, of the *molecule* that the program needs where there are two."""
        found: list[BlastDatabase] = []
        known = self._databases.names()
        nearest = Nearest(known)
        listed = f" There are {', '.join(known[:20])}." if known else " There is none; see databases.dirs."
        for name in dict.fromkeys(names):
            database = await self._databases.fresh(name, molecule)
            if database is None:
                faults.append(("/database", f"There is no database {name[:100]!r}.{nearest.hint(name)}{listed}"))
            elif database.state != "ready":
                faults.append(("/database", f"Database {name} is {database.state}: {database.reason}."))
            else:
                found.append(database)
        return found

    async def _domains(self, arguments: Arguments, faults: Faults) -> list[BlastDatabase]:
        """Return the database of domains that a search needs beside those that it searches."""
        option = self.offered.programs[arguments.program].options.get(DOMAINS)
        if option is None:
            return []
        name = str(arguments.options.get(DOMAINS) or option.default or "")
        found = await self._databases.fresh(name, "prot")
        if found is None or found.kind != "profiles" or not found.has_counts:
            there = [each for each in self._databases.names("prot") if self._databases.has_counts(each)]
            listed = (
                f"there are {', '.join(there[:20])}" if there else "there is none here (makeprofiledb -dbtype delta)"
            )
            faults.append(
                (f"/options/{DOMAINS}", f"{name[:100]!r} is no database of domains for {arguments.program}: {listed}.")
            )
            return []
        arguments.options[DOMAINS] = name
        return [found]

    async def _facts(self, database: BlastDatabase, arguments: Arguments) -> DatabaseFacts:
        filtered = any(name.endswith("taxids") for name in arguments.options)
        return DatabaseFacts(
            name=database.name,
            molecule=database.molecule,
            version=database.version,
            sequences=database.sequences,
            letters=database.letters,
            has_taxonomy=database.has_taxonomy,
            has_ids=database.has_ids,
            maskings=database.maskings,
            kind=database.kind,
            taxids=await self._databases.taxids(database) if filtered and database.has_taxonomy else None,
        )

    async def _shared_ids(self, found: Sequence[BlastDatabase]) -> list[Fault]:
        """Return the fault of databases that share ids: BLAST+ would show titles and letters of the wrong sequence."""
        named = [database for database in found if database.has_ids]
        if len(named) < 2:
            return []
        if sum(database.sequences for database in named) > COMPARED_IDS:
            return [
                ("/database", "These databases are too large to make sure that they share no id: search them apart.")
            ]
        try:
            shares = await self._databases.ids.first_shared(named, IDS_SECONDS)
        except ToolFailed as error:
            return [("/database", str(error))]
        if shares is None:
            return []
        first, second, shared = shares
        return [
            (
                "/database",
                f"Databases {first.name} and {second.name} share {shared.count:,} ids ({', '.join(shared.names)}): BLAST+ "
                "would mix their sequences up. Search them apart.",
            )
        ]

    def _searched(self, databases: Sequence[BlastDatabase]) -> planning.SearchedDatabases:
        return planning.SearchedDatabases(
            sequences=sum(database.sequences for database in databases),
            letters=sum(database.letters for database in databases),
            volumes=tuple(volume.sequences for database in databases for volume in database.volumes),
            databases=len(databases),
            in_order=all(in_order([Path(volume.path).name for volume in database.volumes]) for database in databases),
        )

    def _shards(
        self,
        engine: str,
        arguments: Arguments,
        databases: Sequence[BlastDatabase],
        query_input: QueryInput,
        domain_bytes: int,
    ) -> Shards | Fault:
        """Return into how many shards the database is to be cut, so that each fits into the memory, or what does not fit."""
        sequences = query_input.info.type == "sequences"
        size, has = sum(database.bytes for database in databases), self._memory.get(engine, 0)
        wanted = self._tracker.engines[engine].health().capacity.shards_of(size) if sequences else None
        if not has:
            return Shards(number=wanted)
        process = memory.process_bytes(arguments.program, sum(query_input.letters), max(query_input.letters, default=0))
        process += domain_bytes
        least = memory.shards_within(size, process, has)
        whole = planning.whole_database_reason(arguments.program, arguments.options, self._searched(databases))
        whole = whole if sequences else "the whole database is searched at once: the query is a profile"
        if least == 1 or (least is not None and whole is None and (wanted or 1) >= least):
            return Shards(number=wanted)
        if least is not None and whole is None:
            why = f"{least} shards: the database has {size:,} bytes, and a search may take {has:,} of memory"
            return Shards(number=least, why=(why,))
        reason = f" ({whole})" if whole is not None and least is not None else ""
        return (
            "/database",
            f"This search needs about {size + process:,} bytes of memory, {process:,} of them beside the database{reason}; the "
            f"{engine} engine has {has:,}: use a smaller database or shorter queries.",
        )

    def _plan(
        self,
        arguments: Arguments,
        databases: Sequence[BlastDatabase],
        query_input: QueryInput,
        engine: str,
        shards: Shards,
    ) -> Plan:
        capacity = self._tracker.engines[engine].health().capacity
        plan = planning.plan(
            program=arguments.program,
            task=arguments.task,
            options=arguments.options,
            letters=query_input.letters,
            offsets=query_input.offsets,
            sizes=query_input.sizes,
            unnamed=query_input.unnamed,
            database=self._searched(databases),
            slots=capacity.at_once,
            threads=capacity.threads,
            worth_seconds=capacity.worth_seconds,
            shards=shards.number,
        )
        return replace(plan, why=(*shards.why, *plan.why))


def reference(database: BlastDatabase, taxa: str, role: str = "searched") -> DatabaseRef:
    """Return what a job keeps of a database; *taxa* names the taxonomy that serves it."""
    return DatabaseRef(
        name=database.name,
        fingerprint=database.fingerprint,
        title=database.title,
        molecule=database.molecule,
        sequences=database.sequences,
        letters=database.letters,
        date=database.date,
        version=database.version,
        taxonomy=database.taxonomy.fingerprint,
        taxa=taxa,
        role=role,
    )


def command_lines(job: Job, units: Sequence[Unit]) -> CommandLines:
    """Return what runs for *job*; runs of others have no program that we know."""
    if job.source == "external":
        return CommandLines(command="", argv=())
    words = command.arguments(job)
    searched = [database.name for database in job.databases if database.role == "searched"]
    names = [Path(name).name for name in searched]
    query_option = command.query_option(job.program, job.query.type)
    argvs = [
        command.argv(
            job.program,
            words,
            query=command.QUERY_SHOWN if len(units) == 1 else f"batch-{unit.batch}.fa",
            database=command.database_argument(names),
            outfmt=rich_spec(job.program, job.options),
            query_option=query_option,
            threads=unit.threads,
        )
        for unit in units[:SHOWN_ARGVS]
    ]
    return CommandLines(
        command=command.shown(job.program, words, searched, query_option=query_option),
        argv=tuple(tuple(argv) for argv in argvs),
    )
