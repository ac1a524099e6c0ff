"""How the larger use cases are put together, each by a function of its own. Nothing starts here."""

import asyncio
import os

from blastd.blastplus import process
from blastd.config import Settings
from blastd.service.databases.fetches import Fetches
from blastd.service.databases.makings import Makings
from blastd.service.databases.offers import Offers
from blastd.service.databases.tasks import DatabaseTasks
from blastd.service.ground import Ground, Stock
from blastd.service.jobs import Jobs
from blastd.service.results.intact import Intact
from blastd.service.results.read import Results
from blastd.service.search.checks import Checks
from blastd.service.search.reuse import Reuse
from blastd.service.search.subjects import Subjects
from blastd.service.search.submit import Submit
from blastd.service.watches.keeping import Watches
from blastd.service.watches.runs import WatchRuns
from blastd.service.webhooks import Webhooks

NO_LIMIT_SECONDS = 10 * 365 * 86400.0


def makings_of(ground: Ground, stock: Stock) -> Makings:
    """Return what makes databases from FASTA."""
    return Makings(
        databases=stock.databases,
        tools=ground.tools,
        store=ground.store,
        files=ground.files,
        clock=ground.clock,
        chance=ground.chance,
        turns=ground.turns,
        floor=ground.settings.retention.disk_floor_bytes,
    )


def fetches_of(ground: Ground, stock: Stock, offers: Offers) -> Fetches:
    """Return what fetches databases from their sources."""
    return Fetches(
        offers=offers,
        databases=stock.databases,
        tools=ground.tools,
        store=ground.store,
        files=ground.files,
        clock=ground.clock,
        chance=ground.chance,
        settings=ground.settings,
        turns=ground.turns,
    )


def database_tasks_of(ground: Ground, makings: Makings, fetches: Fetches) -> DatabaseTasks:
    """Return what follows work on databases."""
    return DatabaseTasks(
        store=ground.store,
        files=ground.files,
        clock=ground.clock,
        settings=ground.settings,
        metrics=ground.metrics,
        carriers={"make": makings, "fetch": fetches, "update": fetches},
    )


def results_of(ground: Ground, stock: Stock, intact: Intact) -> Results:
    """Return what reads results and makes formats; *intact* knows which outputs were seen whole."""
    settings = ground.settings
    return Results(
        store=ground.store,
        files=ground.files,
        pins=stock.pins,
        tools=ground.tools,
        clock=ground.clock,
        intact=intact,
        taxa=stock.taxa,
        ids=stock.databases.ids,
        turns=ground.turns,
        completed=stock.completed,
        limits=process.Limits(
            seconds=settings.local.time_limit_seconds or NO_LIMIT_SECONDS,
            memory_bytes=settings.local.memory_limit_bytes or None,
            nice=settings.local.nice,
        ),
        links=[link.template for link in settings.databases.links],
    )


def submit_of(ground: Ground, stock: Stock, intact: Intact, stopping: asyncio.Event, webhooks: Webhooks) -> Submit:
    """Return what accepts searches until *stopping*."""
    settings = ground.settings
    return Submit(
        store=ground.store,
        files=ground.files,
        tracker=stock.tracker,
        clock=ground.clock,
        chance=ground.chance,
        checks=Checks(
            tools=ground.tools,
            offered=ground.offered,
            databases=stock.databases,
            pins=stock.pins,
            tracker=stock.tracker,
            taxa=stock.taxa,
            memory_bytes=memory_of(settings),
            seconds=seconds_of(settings),
        ),
        subjects=Subjects(ground.tools, ground.files, stock.pins, ground.chance),
        limits=settings.limits,
        floor_bytes=settings.retention.disk_floor_bytes,
        stopping=stopping,
        webhook_fault=webhooks.fault,
        reuse=Reuse(ground.store, ground.files, ground.clock, stock.pins, intact, stock.completed),
    )


def watch_runs_of(ground: Ground, stock: Stock, submit: Submit, results: Results, webhooks: Webhooks) -> WatchRuns:
    """Return what runs watched searches again."""
    return WatchRuns(
        store=ground.store,
        files=ground.files,
        clock=ground.clock,
        databases=stock.databases,
        submit=submit,
        results=results,
        webhooks=webhooks,
        settings=ground.settings.watches,
    )


def watches_of(
    ground: Ground, jobs: Jobs, submit: Submit, results: Results, runs: WatchRuns, webhooks: Webhooks
) -> Watches:
    """Return what keeps watches for their owners."""
    return Watches(
        store=ground.store,
        files=ground.files,
        clock=ground.clock,
        chance=ground.chance,
        jobs=jobs,
        submit=submit,
        results=results,
        runs=runs,
        settings=ground.settings.watches,
        webhook_fault=webhooks.fault,
    )


def memory_of(settings: Settings) -> dict[str, int]:
    """Return what one search may take, by engine: its limit, else what this machine has; absent: not known."""
    local = settings.local.memory_limit_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = settings.kubernetes.memory_limit_bytes
    return {"local": local} | ({"kubernetes": limit} if limit else {})


def seconds_of(settings: Settings) -> dict[str, float]:
    """Return how long one search may run, by engine; absent: there is no limit."""
    local = settings.local.time_limit_seconds
    return {"kubernetes": settings.kubernetes.time_limit_seconds} | ({"local": local} if local else {})
