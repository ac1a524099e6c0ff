"""What people do with watches: make, list, show, pause, resume, remove, and ask what became of the hits.

Whose watches are seen is decided as for searches: by `Identity.reads`, and whose are changed by `Identity.scope`. A link to a
search opens no watch of it.
"""

import re
import sqlite3
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from blastd.aio import by_size, duty
from blastd.chance import Chance
from blastd.clock import Clock
from blastd.config.watches import WatchesSettings
from blastd.core import watching
from blastd.core.difference import KINDS
from blastd.core.ids import Owner
from blastd.core.model import Frozen, Job
from blastd.core.search import Search
from blastd.core.watching import Watch, WatchRun, WatchState
from blastd.errors import Conflict, Invalid, NotFound, ResultGone, TooMany
from blastd.results import difference
from blastd.results.difference import QueryChange
from blastd.service.access import Identity
from blastd.service.jobs import Jobs
from blastd.service.results.pages import offset_of
from blastd.service.results.read import Results
from blastd.service.search.query import Uploads
from blastd.service.search.submit import Submit
from blastd.service.watches.runs import WatchRuns
from blastd.store import watches
from blastd.store.files import Files
from blastd.store.sqlite import Store
from blastd.store.watches import WatchCursor

WATCH_ID = re.compile(r"[0-9a-f]{12}")
ID_DIGITS = 12
NONE = "There is no such watch."


class WatchPage(Frozen, frozen=True, kw_only=True):
    """Watches, newest first, and where the next page begins."""

    watches: list[Watch]
    next_cursor: str | None = None


class WatchParts(Frozen, frozen=True, kw_only=True):
    """A watch with its runs, newest first."""

    watch: Watch
    runs: list[WatchRun]


class ChangePage(Frozen, frozen=True, kw_only=True):
    """What became of the hits between two runs, from `offset` on, and of how many changes; `run` is the later one."""

    run: WatchRun
    total: int
    offset: int
    changes: list[QueryChange]


class Watches:
    """Use cases of watches."""

    def __init__(
        self,
        *,
        store: Store,
        files: Files,
        clock: Clock,
        chance: Chance,
        jobs: Jobs,
        submit: Submit,
        results: Results,
        runs: WatchRuns,
        settings: WatchesSettings,
        webhook_fault: Callable[[str], str | None],
    ) -> None:
        """Take the parts; *webhook_fault* says why an address may not be told."""
        self._store, self._files, self._clock, self._chance = store, files, clock, chance
        self._jobs, self._submit, self._results, self._runs = jobs, submit, results, runs
        self._settings, self._webhook_fault = settings, webhook_fault

    # ------------------------------------------------------------------ making
    async def of_job(self, who: Identity, text: str, label: str, webhook: str | None) -> WatchParts:
        """Watch the search of a job, whose result is that of the first run.

        Raises NotFound, Ambiguous, Expired; Invalid, Conflict for one that can't be watched; TooMany.
        """
        job = await self._jobs.own(who, text)
        if (reason := watching.unwatchable(job)) is not None:
            raise Conflict(reason)
        search = replace(watching.search_of(job), webhook=webhook)
        return await self._keep(who, job, search, label or job.title)

    async def of_search(
        self, who: Identity, search: Search, uploads: Uploads, label: str, webhook: str | None
    ) -> WatchParts:
        """Submit a search, which is the first run, and watch it. Raises as `Submit.submit` does."""
        if uploads.subject is not None:
            raise Invalid([("/subject", "Subjects that come with a search never change: name a database.")])
        await self._store.read_few(lambda db: self._room(db, who.owner))
        accepted = await self._submit.submit(who, replace(search, webhook=""), uploads)
        search = replace(search, webhook=webhook, molecule_check=False, query_type=accepted.job.query.type)
        return await self._keep(who, accepted.job, search, label or accepted.job.title)

    async def _keep(self, who: Identity, job: Job, search: Search, label: str) -> WatchParts:
        fasta = await self._query(job)
        now = self._clock.now()
        watch = Watch(
            watch_id=self._chance.uuid().hex[:ID_DIGITS],
            owner=who.owner,
            label=" ".join(label.split()),
            state=WatchState.ACTIVE,
            search=search,
            query=job.query,
            created_at=now,
            updated_at=now,
        )

        def write(db: sqlite3.Connection) -> None:
            self._room(db, who.owner)
            watches.add(db, watch, fasta)
            watches.begin_run(db, watch.watch_id, 1, job, now, self._settings.runs_kept)

        await self._store.write(write, of=())
        self._runs.begun()
        return await self._parts(watch.watch_id)

    async def _query(self, job: Job) -> bytes:
        """Return the normalised query of a job. Raises Invalid for one that is too large to be kept, ResultGone."""
        file = await self._results.query(job)
        if file.size_bytes > self._settings.query_bytes:
            text = (
                f"The query has {file.size_bytes:,} bytes; one of a watch has {self._settings.query_bytes:,} at most."
            )
            raise Invalid([("/query", text)])
        try:
            return await by_size(file.size_bytes, file.path.read_bytes)
        except OSError as error:
            raise ResultGone("The submitted sequences are no longer there.") from error

    def check_webhook(self, webhook: str | None) -> None:
        """Raise Invalid for an address that may not be told."""
        if webhook and (wrong := self._webhook_fault(webhook)) is not None:
            raise Invalid([("/webhook", wrong)])

    def _room(self, db: sqlite3.Connection, owner: Owner) -> None:
        most = self._settings.per_owner
        if watches.count(db, owner) >= most:
            raise TooMany(f"You have {most} watches, as many as this service allows; remove one that you don't need.")

    # ------------------------------------------------------------------ reading
    async def page(self, who: Identity, cursor: str | None, limit: int) -> WatchPage:
        """Return a page of the watches that *who* sees, newest first. Raises Invalid."""
        after = _cursor(cursor)
        found, following = await self._store.read_few(lambda db: watches.page(db, who.reads, after, limit))
        text = None if following is None else f"{following.created_ms:x}.{following.watch_id}"
        return WatchPage(watches=found, next_cursor=text)

    async def with_run(self, who: Identity, job_text: str) -> WatchPage:
        """Return the watches of which a job is a run. Raises NotFound, Ambiguous, Expired."""
        job = await self._jobs.find(who, job_text)
        found = await self._store.read_few(lambda db: watches.of_job(db, job.job_id))
        return WatchPage(watches=[watch for watch in found if who.reads in (None, watch.owner)])

    async def show(self, who: Identity, watch_id: str) -> WatchParts:
        """Return a watch with its runs. Raises NotFound."""
        watch = await self._find(watch_id, who.reads)
        return await self._parts(watch.watch_id)

    async def changes(
        self,
        who: Identity,
        watch_id: str,
        *,
        run: int | None,
        query: int | None,
        kind: str | None,
        limit: int,
        cursor: str | None,
    ) -> ChangePage:
        """Return what is new, lost and changed since the run before: at the last comparison, or at the one of a *run*.

        Raises NotFound; Conflict where nothing was compared yet, or what was compared is gone; Invalid.
        """
        if kind is not None and kind not in KINDS:
            raise Invalid([("/kind", f"There is no kind {kind[:40]!r}: choose one of {', '.join(KINDS)}.")])
        offset = offset_of(cursor)
        parts = await self.show(who, watch_id)
        found = _compared(parts, run)
        path = self._files.job_folder(found.job_id) / difference.NAME
        try:
            size = (await duty(path.stat)).st_size
            total, changes = await by_size(size, difference.page, path, query, kind, limit, offset)
        except (OSError, sqlite3.Error) as error:
            raise ResultGone("The searches of this comparison were removed, and it went with them.") from error
        return ChangePage(run=found, total=total, offset=offset, changes=changes)

    async def _find(self, watch_id: str, owner: Owner | None) -> Watch:
        if not WATCH_ID.fullmatch(watch_id):
            raise NotFound(NONE)
        watch = await self._store.read_few(lambda db: watches.get(db, watch_id))
        if watch is None or owner not in (None, watch.owner):
            raise NotFound(NONE)
        return watch

    async def _parts(self, watch_id: str) -> WatchParts:
        def read(db: sqlite3.Connection) -> WatchParts | None:
            watch = watches.get(db, watch_id)
            if watch is None:
                return None
            return WatchParts(watch=watch, runs=watches.runs(db, watch_id, self._settings.runs_kept))

        parts = await self._store.read_few(read)
        if parts is None:
            raise NotFound("The watch has just been removed.")
        return parts

    # ------------------------------------------------------------------ changing
    async def pause(self, who: Identity, watch_id: str) -> WatchParts:
        """Let a watch run no more until it is resumed; repeating is harmless. Raises NotFound."""
        return await self._set(who, watch_id, WatchState.PAUSED)

    async def resume(self, who: Identity, watch_id: str) -> WatchParts:
        """Let a watch go on: it runs at once if its databases changed meanwhile. Raises NotFound."""
        parts = await self._set(who, watch_id, WatchState.ACTIVE)
        self._runs.look_now(watch_id)
        return parts

    async def _set(self, who: Identity, watch_id: str, state: WatchState) -> WatchParts:
        watch, now = await self._find(watch_id, who.scope), self._clock.now()
        if watch.state is not state:
            await self._store.write(lambda db: watches.set_state(db, watch_id, state, now), of=())
        return await self._parts(watch_id)

    async def remove(self, who: Identity, watch_id: str) -> Watch:
        """Remove a watch for good; its searches stay as long as others do. Raises NotFound."""
        watch = await self._find(watch_id, who.scope)
        await self._store.write(lambda db: watches.remove(db, watch_id), of=())
        return watch


def _compared(parts: WatchParts, number: int | None) -> WatchRun:
    """Return the run whose comparison is asked for. Raises NotFound, Conflict."""
    if number is not None:
        run = next((run for run in parts.runs if run.number == number), None)
        if run is None:
            raise NotFound("There is no such run of this watch.")
        if run.difference is None:
            raise Conflict(run.note or "This run was not compared with an earlier one.")
        return run
    return _newest(parts.runs)


def _newest(runs: Sequence[WatchRun]) -> WatchRun:
    run = next((run for run in runs if run.difference is not None), None)
    if run is None:
        raise Conflict("Nothing was compared yet: the databases have not changed since the first run.")
    return run


def _cursor(text: str | None) -> WatchCursor:
    if text is None:
        return WatchCursor()
    created, _, watch_id = text.partition(".")
    try:
        if len(created) > 15 or not WATCH_ID.fullmatch(watch_id):
            raise ValueError(text)
        return WatchCursor(created_ms=int(created, 16), watch_id=watch_id)
    except ValueError as error:
        raise Invalid([("/cursor", "This is no cursor of ours: use `next_cursor` of the page before.")]) from error


__all__ = ["ChangePage", "WatchPage", "WatchParts", "Watches"]
