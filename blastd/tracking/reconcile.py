"""The periodic comparison of store and engines: missing pollers, orphans, runs of others, what was left behind.

It repairs through the same looks as everybody else: an object is treated as absent only by what the engine's own
complete listing says (`core.engine.Absent`), never because one answer failed to name it.
"""

from collections.abc import Mapping
from functools import partial

import structlog

from blastd.aio import isolated
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.core import ids, steps
from blastd.core.engine import Engine, External
from blastd.core.ids import JobId, Owner
from blastd.core.model import DatabaseRef, Job, Phase, QueryInfo, Status
from blastd.errors import StoreBroken
from blastd.metrics import Metrics
from blastd.store import jobs, leftovers, removal
from blastd.store.sqlite import Store
from blastd.tracking.tracker import Tracker

log = structlog.get_logger()

MOST_ATTEMPTS = 5
"""Failures of a clean-up that nobody foresaw, after which it is given up: the next would be the same."""
GIVEN_UP = "'blastd fsck' finds what is left of it in the cloud; delete its Job by hand if it is still there."
EXTERNAL_OWNER = Owner("external")


class Reconciler:
    """Compares store and engines; `run_once` is one whole pass."""

    def __init__(self, store: Store, tracker: Tracker, clock: Clock, chance: Chance, metrics: Metrics) -> None:
        """Take the parts."""
        self._store, self._tracker, self._clock, self._metrics = store, tracker, clock, metrics
        self._chance = chance
        self._adopted: set[JobId] = set()

    async def run_once(self) -> None:
        """Give every active job a poller and a look, adopt runs of others, clean up what removed jobs left."""
        begin = self._clock.monotonic()
        for job_id in await self._store.read(jobs.active):
            with isolated("reconcile", job_id=job_id):
                await self._tracker.look(job_id, "reconcile")
            if not self._tracker.follows(job_id):
                self._metrics.reconcile_repairs.labels(kind="poller").inc()
                self._tracker.follow(job_id)
        await self._adopt(self._tracker.engines)
        await self._clean()
        self._metrics.reconcile_seconds.observe(self._clock.monotonic() - begin)

    async def _adopt(self, engines: Mapping[str, Engine]) -> None:
        for name, engine in engines.items():
            with isolated("adopt", engine=name):
                for run in await engine.externals():
                    with isolated("adopt", engine=name, run=run.name):
                        await self._insert(name, run)

    async def _insert(self, engine: str, run: External) -> None:
        now = self._clock.now()
        job_id = run.job_id or ids.job_id(self._chance.uuid())
        if job_id in self._adopted:
            return
        job = Job(
            job_id=job_id,
            version=1,
            title=run.title or run.name,
            program=run.program,
            task="",
            databases=(DatabaseRef(name=run.database, fingerprint=""),),
            options={},
            query_loc=None,
            engine=engine,
            priority=0,
            owner=EXTERNAL_OWNER,
            source="external",
            query=QueryInfo(count=0, letters=0, molecule="unknown", first_id="", sha256=""),
            status=Status.QUEUED,
            phase=Phase.SUBMITTED,
            created_at=run.created_at,
            updated_at=now,
            steps=steps.begin(),
            engine_ref=run.ref,
        )
        if await self._store.read(lambda db: jobs.get(db, job_id) or removal.is_gone(db, job_id)):
            self._adopted.add(job_id)
            return
        await self._store.write(lambda db: jobs.insert(db, job, [], now))
        log.info("external_run_adopted", job_id=job_id, run=run.name)
        self._tracker.follow(job_id)

    async def _clean(self) -> None:
        for job_id in await self._store.read(leftovers.unreadable):
            log.error("leftover_unreadable", job_id=job_id)  # what its engine holds ends by itself
            await self._store.write(partial(leftovers.remove, identifier=job_id), of=())
        for job in await self._store.read(leftovers.page):
            with isolated("clean", job_id=job.job_id):
                try:
                    await self._tracker.clean(job)
                except StoreBroken:
                    raise
                except Exception:
                    await self._failed(job.job_id)
                    raise

    async def _failed(self, job_id: JobId) -> None:
        """Give a leftover up whose clean-up fails each time; an engine that is away fails nothing, it is asked again."""
        attempts = await self._store.write(partial(leftovers.failed, identifier=job_id), of=())
        if attempts >= MOST_ATTEMPTS:
            await self._store.write(partial(leftovers.remove, identifier=job_id), of=())
            self._metrics.reconcile_repairs.labels(kind="leftover_given_up").inc()
            log.error("leftover_given_up", job_id=job_id, attempts=attempts, remedy=GIVEN_UP)
