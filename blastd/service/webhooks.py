"""Telling others of the end of a job: what the outbox holds is sent until it was taken, or given up.

At least once: a letter leaves the outbox only after a 2xx, so a crash between the two sends it again, with the same id.
Each host has one letter at a time, so a slow one keeps nobody else waiting; nothing here is ever waited for by the tracker.
"""

import asyncio
import sqlite3
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus

import structlog

from blastd.aio import Tasks, owning_tasks
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config import WebhooksSettings
from blastd.core import webhook
from blastd.errors import Invalid, StoreBroken
from blastd.metrics import Metrics
from blastd.service.access import Identity
from blastd.service.posting import Post, Posting
from blastd.store import jobs, outbox
from blastd.store.outbox import Letter
from blastd.store.sqlite import Store

log = structlog.get_logger()

PAUSE_SECONDS = 0.2
"""Between looks into the outbox: every commit wakes us, and most have nothing for us."""
SLICE_SECONDS = 30.0


class Webhooks:
    """The owner of all deliveries."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        chance: Chance,
        settings: WebhooksSettings,
        metrics: Metrics,
        version: str,
        posting: Posting,
    ) -> None:
        """Take the parts; `run` starts the work."""
        self._store, self._clock, self._settings, self._metrics = store, clock, settings, metrics
        self._chance, self._posting = chance, posting
        self._agent = f"blastd/{version}"
        self._key = webhook.key(settings.secret.reveal()) if settings.secret else None
        self._busy: set[str] = set()

    def fault(self, url: str) -> str | None:
        """Return why a job may not name *url*, None if it may."""
        if self._key is None:
            return "Webhooks are switched off here; the operator switches them on with webhooks.secret_file."
        return webhook.fault(url, self._settings.allowed_hosts)

    async def default(self, who: Identity) -> str | None:
        """Return the address that is told of the ends of the jobs of *who*, where they name none."""
        return await self._store.read_few(lambda db: outbox.default_of(db, who.owner))

    async def set_default(self, who: Identity, url: str) -> None:
        """Set that address, for jobs submitted from now on. Raises Invalid."""
        if (wrong := self.fault(url)) is not None:
            raise Invalid([("/url", wrong)])
        now = self._clock.now()
        await self._store.write(lambda db: outbox.set_default(db, who.owner, url, now))

    async def clear_default(self, who: Identity) -> None:
        """Forget that address; repeating is harmless."""
        await self._store.write(lambda db: outbox.clear_default(db, who.owner))

    async def run(self) -> None:
        """Deliver what the outbox holds, as it comes, until cancelled."""
        if self._key is None:
            await asyncio.Event().wait()
        async with owning_tasks() as tasks, self._posting(self._settings) as post:
            while True:
                seen = self._store.feed.count
                try:
                    pause = await self._start(tasks, post)
                except StoreBroken as error:
                    log.warning("outbox_not_read", reason=str(error))
                    pause = SLICE_SECONDS
                await asyncio.sleep(PAUSE_SECONDS)
                await self._store.feed.wait(seen, pause)

    async def _start(self, tasks: Tasks, post: Post) -> float:
        """Start what is due and has room; returns seconds until the next one is."""
        room = self._settings.at_once - len(self._busy)
        if room <= 0:
            return SLICE_SECONDS  # the end of a delivery is a commit, which wakes us
        letters = await self._store.read(lambda db: outbox.next_ones(db, self._busy, room))
        for letter in letters:
            wait = (letter.due_at - self._clock.now()).total_seconds()
            if wait > 0:
                return min(wait, SLICE_SECONDS)
            self._busy.add(letter.host)
            tasks.start(f"webhook-{letter.event_id}", self._deliver(post, letter), partial(self._delivered, letter))
        return SLICE_SECONDS

    def _delivered(self, letter: Letter, error: BaseException | None) -> None:
        """Let the next letter for the host go, whatever became of this one."""
        del error  # logged by the owner of the tasks; the letter is still in the outbox
        self._busy.discard(letter.host)
        self._store.feed.wake()

    async def _deliver(self, post: Post, letter: Letter) -> None:
        try:
            try:
                problem, final = await self._send(post, letter)
            except Exception as error:  # whatever the row holds: a try that failed, of which there are so many
                log.exception("webhook_not_sent", job_id=letter.job_id)
                problem, final = f"{type(error).__name__}: {error}"[:300], False
            await self._note(letter, problem, final=final)
        except StoreBroken as error:  # the letter is still there and is sent again, but not at once
            log.warning("webhook_not_noted", job_id=letter.job_id, reason=str(error))
            await asyncio.sleep(SLICE_SECONDS)

    async def _send(self, post: Post, letter: Letter) -> tuple[str | None, bool]:
        """Send a letter once; returns what went wrong (None: it was taken) and whether no other try helps (410 Gone)."""
        now = int(self._clock.now().timestamp())
        headers = webhook.headers(self._key or b"", letter.message, letter.body, now)
        headers |= {"Content-Type": "application/json", "User-Agent": self._agent}
        if (wrong := webhook.fault(letter.url, self._settings.allowed_hosts)) is not None:  # the settings have changed
            return wrong, False
        status, problem = await post(letter.url, letter.body.encode(), headers)
        if status is None:
            return problem, False
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return None, False
        return f"the receiver answered {status}", status == HTTPStatus.GONE

    async def _note(self, letter: Letter, problem: str | None, *, final: bool) -> None:
        """Write how a try ended; the end of the last one is an event of the job."""
        attempts = letter.attempts + 1
        now = self._clock.now()
        last = problem is not None and (final or attempts >= self._settings.max_attempts)
        outcome = "delivered" if problem is None else "given_up" if last else "failed"

        def write(db: sqlite3.Connection) -> None:
            if problem is not None and not last:
                outbox.postpone(db, letter, self._next_try(attempts, now))
                return
            outbox.remove(db, letter)
            if (job := jobs.get(db, letter.job_id)) is not None:
                facts = {"message": letter.message, "host": letter.host, "attempts": attempts}
                jobs.add_event(db, job, f"webhook_{outcome}", now, facts | ({"reason": problem} if problem else {}))

        await self._store.write(write)
        self._metrics.webhooks.labels(outcome=outcome).inc()
        level = log.warning if last else log.info
        level(
            "webhook_tried", job_id=letter.job_id, host=letter.host, attempts=attempts, outcome=outcome, reason=problem
        )

    def _next_try(self, attempts: int, now: datetime) -> datetime:
        first, longest = self._settings.first_delay_seconds, self._settings.longest_delay_seconds
        return now + timedelta(seconds=webhook.delay(attempts, first, longest, self._chance.share()))
