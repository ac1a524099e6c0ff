"""What clients of a schedule order, as a seed draws it."""

import asyncio
import traceback
from collections import Counter
from collections.abc import Awaitable
from contextlib import suppress
from random import Random
from typing import Any, Protocol

from blastd.core.ids import Owner
from blastd.core.search import Search
from blastd.daemon import Parts
from blastd.errors import BlastdError
from blastd.service.access import Identity
from blastd.service.jobs import JobFilter
from blastd.service.search.query import Uploads
from tests.schedules.checker import Checker
from tests.schedules.kit import Kit
from tests.schedules.loop import SimLoop
from tests.schedules.scenarios import Kind

ADMIN = Identity(owner=Owner("root"), role="admin")
LETTERS = "ACGTACGTACGTTTGACGATCGATCGATGCATCGATCGACTGACT"
LONG = "MKVLAADTGHWERYPQNCIF" * 505  # a round of blastp, so that two of these are two units


class Place(Protocol):
    """What clients see of the world."""

    random: Random
    kit: Kit
    plan: Kind
    parts: Parts
    loop: SimLoop
    checker: Checker
    keys: dict[str, str]
    left: int
    orders: int
    slow: bool
    filled: bool
    last_ended: str
    process_ended: asyncio.Event

    def say(self, *words: object) -> None: ...
    def fault(self, kind: str, text: str) -> None: ...
    async def meddle(self) -> None: ...
    async def away(self) -> None: ...


class Clients:
    """Clients that give the orders that are left."""

    def __init__(self, world: Place) -> None:
        self.world, self.random, self.checker = world, world.random, world.checker
        self.refusals = Counter[str]()

    async def act(self) -> None:
        """Give all orders."""
        many = self.random.choice((1, 2, 4))
        await asyncio.sleep(self.random.choice((0.0, 20.0)))  # while the daemon starts, or when all of it is at work
        async with asyncio.TaskGroup() as group:
            for number in range(many):
                group.create_task(self._client(-(-self.world.left // many)), name=f"client-{number}")

    async def _client(self, orders: int) -> None:
        who = Identity(owner=Owner(self.random.choice(("ann", "bob"))), role="user")
        words, weights = list(self.world.plan.orders), list(self.world.plan.orders.values())
        for _ in range(orders):
            if self.world.left <= 0:
                return
            self.world.left -= 1
            self.world.orders += 1
            at_end = self.random.random() < self.world.plan.at_ends
            await (self._process_end() if at_end else self._pause())
            word = self.random.choices(words, weights)[0]
            known = list(self.checker.rows)[-6:]
            if not known and word in ("cancel", "retry", "delete", "wait"):
                word = "submit"
            job_id = self.random.choice(known) if known else ""
            if at_end and self.world.last_ended in known:
                job_id = self.world.last_ended
            self.world.say("order", word, job_id[:8])
            await self._try(word, getattr(self, f"order_{word}")(who, job_id))

    async def _pause(self) -> None:
        draw, feed = self.random.random(), self.world.parts.store.feed
        if draw < 0.35:
            await feed.wait(feed.count, self.random.choice((0.01, 1.0)))
        elif draw < 0.8:
            await asyncio.sleep(self.random.choice((0.0, 0.0, 0.001, 0.01, 0.1, 0.5)))
        elif draw < 0.95:
            await asyncio.sleep(self.random.choice((1.0, 2.0, 5.0)))
        for _ in range(self.random.choice((0, 0, 1, 2, 3, 5, 8))):
            await asyncio.sleep(0)

    async def _process_end(self) -> None:
        """Wait until a process ends, and a moment more: its output is read, published and told of now."""
        self.world.process_ended.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(5.0):
                await self.world.process_ended.wait()
        await asyncio.sleep(self.random.choice((0.0, 0.0, 0.001, 0.01, 0.1)))

    async def _try(self, word: str, order: Awaitable[Any]) -> None:
        try:
            await order
        except BlastdError as error:
            self.refusals[f"{word}: {type(error).__name__}"] += 1
        except Exception as error:  # noqa: BLE001  # every other end of an order is a fault
            frames = traceback.extract_tb(error.__traceback__)[-4:]
            places = " ".join(f"{frame.filename.split('/')[-1]}:{frame.lineno}" for frame in frames)
            self.world.fault(f"unexpected:{word}:{type(error).__name__}", f"{error!r} at {places}")

    async def _all(self, word: str, orders: list[Awaitable[Any]]) -> None:
        async with asyncio.TaskGroup() as group:
            for number, order in enumerate(orders):
                group.create_task(self._try(word, order), name=f"{word}-{number}")

    # ------------------------------------------------------------------ orders
    async def order_submit(self, who: Identity, _job_id: str, *, long: bool = False) -> None:
        number = self.random.randrange(4)
        program, database, text = "blastn", "n", f">q{number}\n{LETTERS[number:]}\n"
        if long:
            program, database = "blastp", "p"
            text = "".join(f">p{number}_{part}\n{LONG[number:]}\n" for part in range(self.random.choice((2, 3))))
        reuse, priority = self.random.random() < 0.4, self.random.choice((0, 0, 1))
        hook = self.random.choice((None, None, "http://hooks.example:80/a"))
        key = f"{number}{reuse}{priority}{hook}{len(text)}" if self.random.random() < 0.25 else None
        search = Search(
            program=program, databases=(database,), reuse=reuse, priority=priority, webhook=hook, title=f"t{number}"
        )
        accepted = await self.world.parts.services.submit.submit(who, search, Uploads(query=text.encode()), key)
        job_id = accepted.job.job_id
        self.world.say("accepted", job_id[:8], "again" if accepted.replayed else "", accepted.job.status)
        self.checker.accepted[job_id] = self.world.loop.now
        if self.checker.row(job_id) is None and job_id not in self.checker.gone:
            self.world.fault("accepted_without_row", job_id[:8])
        if key is not None and self.world.keys.setdefault(f"{who.owner} {key}", job_id) != job_id:
            self.world.fault("two_jobs_of_one_key", f"{self.world.keys[f'{who.owner} {key}'][:8]} {job_id[:8]}")

    async def order_long(self, who: Identity, job_id: str) -> None:
        await self.order_submit(who, job_id, long=True)

    async def order_crowd(self, who: Identity, job_id: str) -> None:
        await self._all("crowd", [self.order_submit(who, job_id) for _ in range(self.random.choice((2, 4, 8)))])

    async def order_cancel(self, _who: Identity, job_id: str) -> None:
        await self.world.parts.services.jobs.cancel(ADMIN, job_id)

    async def order_cancel_all(self, _who: Identity, _job_id: str) -> None:
        cancel = self.world.parts.services.jobs.cancel
        await self._all("cancel", [cancel(ADMIN, each) for each in self.checker.active()])

    async def order_retry(self, _who: Identity, job_id: str) -> None:
        await self.world.parts.services.jobs.retry(ADMIN, job_id)

    async def order_delete(self, _who: Identity, job_id: str) -> None:
        await self.world.parts.services.jobs.delete(ADMIN, job_id)
        if job_id in self.checker.rows:
            self.world.fault("deleted_is_there", job_id[:8])

    async def order_wait(self, _who: Identity, job_id: str) -> None:
        begin, seconds = self.world.loop.now, self.random.choice((0.5, 3.0, 20.0))
        await self.world.parts.services.jobs.wait(ADMIN, job_id, seconds, None, lambda: True)
        took, most = self.world.loop.now - begin, seconds + 1.3
        if took > most + (25 if self.world.slow or self.world.filled else 0):
            self.world.fault("wait_too_long", f"{job_id[:8]} {took:.2f} of {seconds} s")

    async def order_list(self, _who: Identity, _job_id: str) -> None:
        page = await self.world.parts.services.jobs.page(ADMIN, JobFilter(), None, 50)
        listed = Counter(str(job.status) for job in page.jobs)
        if any(page.counts.get(status, 0) != listed.get(status, 0) for status in (*page.counts, *listed)):
            self.world.fault("list_and_counts", f"{page.counts} {dict(listed)}")

    async def order_sweep(self, _who: Identity, _job_id: str) -> None:
        await self.world.parts.retention.run_once()

    async def order_replace(self, _who: Identity, _job_id: str) -> None:
        """Make the nucleotide database anew, or put the older one back."""
        self.world.parts.services.databases._scan = self.random.choice(self.world.kit.catalogues)

    async def order_fill(self, _who: Identity, _job_id: str) -> None:
        """Let the store find no room for a while, as on a full disk."""
        self.world.filled = True
        pages = self._writer("PRAGMA page_count")
        self._writer(f"PRAGMA max_page_count = {pages}")
        await asyncio.sleep(self.random.choice((0.01, 1.0, 8.0)))
        self._writer("PRAGMA max_page_count = 1000000")

    def _writer(self, text: str) -> Any:
        db = self.world.parts.store._writer._db
        return None if db is None else db.execute(text).fetchone()[0]

    async def order_meddle(self, _who: Identity, _job_id: str) -> None:
        await self.world.meddle()

    async def order_away(self, _who: Identity, _job_id: str) -> None:
        await self.world.away()
