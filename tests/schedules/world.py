"""One schedule: a state folder, lives of a daemon made by `daemon.build`, clients that act by a seed, and what must hold."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import replace

from blastd import daemon
from blastd.aio import DUTIES, FAVOURS
from blastd.config import Settings
from blastd.core.engine import Engine
from blastd.core.intervals import Intervals
from blastd.core.schedule import Schedule, SlotLane
from blastd.daemon import Outside, Parts
from blastd.engines.kubernetes.engine import KubernetesEngine
from blastd.engines.kubernetes.failures import CoolDown
from blastd.engines.local.units import Running
from blastd.storage.contract import Area
from tests.schedules import kit as kits
from tests.schedules.checker import ENDS, Checker
from tests.schedules.cluster import Cluster, SimBlobs, SimClient
from tests.schedules.kit import Kit
from tests.schedules.loop import LAME_OF, Killed, SimLoop, Stuck
from tests.schedules.orders import Clients
from tests.schedules.outside import Fate, SimChance, SimChild, SimClock, SimPosting, SimProcesses, names_in
from tests.schedules.scenarios import CHANNELS, KINDS, PROFILES, STALLS, WEIGHTS

ROOTS = ("tracker", "reconcile", "settle", "webhooks", "build-databases")
"""What runs beside the engines; retention runs when a client orders it, metrics and rescans only cost time."""
PUSHED_SECONDS = 2.0
"""From the end of compute to the end of the row, beside what slow threads and disks take."""


class World:
    """The schedule of a seed; `run` lives it and returns the faults."""

    def __init__(self, seed: int, kit: Kit, folder: Path, *, bold: bool = False, kind: str | None = None) -> None:
        self.kit, self.folder, self.bold = kit, folder, bold
        self.random = Random(f"{seed}-{bold}")
        self.kind = kind or self.random.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        self.plan = KINDS[self.kind]
        self.faults: list[tuple[str, str]] = []
        self.history: list[str] = []
        self.orders = self.turns = 0
        self.profiles = {channel: self.random.choice(self.plan.profiles.get(channel, PROFILES)) for channel in CHANNELS}
        self.stalls: dict[str, tuple[float, ...]] = {name: STALLS[of] for name, of in self.profiles.items()}
        self.stalls |= {"stubborn": (0.0, 0.0, 0.5, 3.0), "scarce": (0.0,) * 20 + (1.0,), "lame": (0.1, 0.5, 2.0, 5.0)}
        self.lame = self.random.choice((None, None, *range(LAME_OF)))
        self.slow = "slow" in self.profiles.values() or self.lame is not None
        self.slots = self.random.choice((1, 1, 2, 3))
        self.failing = self.random.choice((0.0, 0.0, 0.1, 0.3))
        self.reconcile_seconds = 60.0 if self._in_cluster else self.random.choice((60.0, 1e7))
        self.settings = self._settings()
        self.left = self.random.choice(self.plan.most)
        self.keys: dict[str, str] = {}
        self.filled = False  # whether the store's disk was full once
        self.last_ended = ""
        """The search whose process ended last."""
        self.process_ended: asyncio.Event
        self.checker = Checker(self.fault, self.say, lambda: self.loop.now)
        self.graves: list[Any] = []  # what a killed daemon left in memory is not ended, only forgotten
        self.cluster = Cluster(self.random, self.say, self._pod_started, self._names) if self._in_cluster else None
        if self.cluster is not None:
            for name, data in kit.manifests.items():
                self.cluster.blobs[Area.DATABASES, name] = (data, {})
        self.loop: SimLoop
        self.parts: Parts
        self.processes: SimProcesses

    @property
    def _in_cluster(self) -> bool:
        return self.plan.engine == "kubernetes"

    def _settings(self) -> Settings:
        settings = self.kit.settings_for(
            self.folder,
            slots=self.slots,
            together=self.random.choice((1, 8)),
            threads=self.random.choice((0, 1, 1)),
            residents=self.random.choice((0, 1, 8, 8)),
            express=self.random.choice(self.plan.express),
        )
        return replace(
            settings, limits=replace(settings.limits, share_seconds=self.random.choice((1, 5, 60))), tracking=replace(settings.tracking, reconcile_seconds=self.reconcile_seconds),
            retention=replace(settings.retention, sweep_seconds=1e7),
        )  # fmt: skip

    # ------------------------------------------------------------------ telling
    def say(self, *words: object) -> None:
        self.history.append(f"{self.loop.now:9.3f} " + " ".join(map(str, words)))

    def fault(self, kind: str, text: str) -> None:
        self.say("FAULT", kind, text)
        self.faults.append((kind, f"t={self.loop.now:.3f} {text}"))

    # ------------------------------------------------------------------ lives
    def run(self) -> list[tuple[str, str]]:
        """Live from the first start to the last rest, with kills between."""
        self.folder.mkdir(mode=0o700, parents=True)
        (self.folder / "blastd.sqlite").write_bytes(self.kit.store)
        kills, now = self.random.choice(self.plan.kills), 0.0
        try:
            while self._life(now, last=kills == 0):
                kills -= 1
                now = self.loop.now + self.random.choice((0.1, 5.0))
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.graves.clear()
        return self.faults

    def _life(self, now: float, *, last: bool) -> bool:
        """Run a daemon; returns whether it was killed."""
        kits.ERRORS.clear()
        self.loop = loop = SimLoop(Random(self.random.getrandbits(64)), now, self.stalls, bold=self.bold)
        loop.lame = self.lame
        loop.begins = self._thread_begins
        loop.looked = lambda name: self.checker.look() if name == "store-writer" else None
        if not last:
            loop.kill_at = self.random.choice((20, 60, 150, 300, 600))
        killed = False
        try:
            loop.run_until_complete(self._live())
        except Killed:
            self.say("KILL -9 before turn", loop.turns)
            killed = True
        except Stuck as error:
            self.fault("stuck", str(error))
        except BaseExceptionGroup as errors:
            self.fault(f"daemon_died:{_first(errors)!r}"[:80], repr(_first(errors)))
        self.turns += loop.turns
        self.checker.close()
        if killed:
            self._bury()
        for failure in loop.failures:
            self.fault(f"unheard:{type(failure).__name__}", repr(failure))
        for text in kits.ERRORS:
            if not (self.filled and ("StoreBroken" in text or "DiskFull" in text or "full" in text)):
                self.fault(f"logged:{text.split()[0]}", text)
        loop.close()
        return killed

    def _bury(self) -> None:
        """Take what the killed daemon had in memory out of use: its tasks never go on, its SQLite connections are gone."""
        itself: Any = self.loop
        self.graves += [asyncio.all_tasks(itself), itself]
        parts = getattr(self, "parts", None)
        self.graves.append(parts)
        if parts is not None:
            store = parts.store
            for connection in (store._writer, *_waiting(store._readers)):
                if connection._db is not None:
                    connection._db.close()
            store._few._db.close()
        self.loop.close()

    async def _live(self) -> None:
        clock = SimClock(self.loop)
        self.process_ended = asyncio.Event()
        self.processes = SimProcesses(self.loop, self._fate, self._started, self._ended, self._fed)
        posting = SimPosting(self.random, lambda letter: self.say("letter", letter))
        outside = Outside(
            chance=SimChance(self.random), threads=self.loop.threads, processes=self.processes, posting=posting.open,
            applications=self._applications,
        )  # fmt: skip
        async with daemon.build(self.settings, clock, self._engines(clock), outside) as parts:
            self.parts = parts
            self.checker.open(self.folder)
            parts.services.databases._scan = self.kit.catalogues[0]
            parts.services.databases.scanned.set()
            async with asyncio.TaskGroup() as group:
                names = [name for name in parts.roots if name in ROOTS or name.startswith("engine-")]
                roots = [group.create_task(_run(parts.roots[name]), name=name) for name in names]
                await Clients(self).act()
                await self._rest()
                for task in roots:
                    task.cancel()
            if staying := [child.pid for child in self.processes.talking if not child.ended or not child.closed]:
                self.fault("process_stays", str(staying))
            for pool in (DUTIES, FAVOURS):
                if pool.at_work():
                    self.fault("thread_without_owner", str(pool.at_work()))
        left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            self.fault("task_without_owner", str(left))

    async def _applications(self, _settings: Settings) -> daemon.Applications:
        return self.kit.applications

    def _engines(self, clock: SimClock) -> Mapping[str, Engine] | None:
        """Return the engine of a cluster that outlives the daemon; None: the local one, as the settings say."""
        if self.cluster is None:
            return None
        chance = SimChance(self.random)
        client = SimClient(self.cluster, self.loop, clock, CoolDown(clock, Intervals(), chance.share))
        blobs = SimBlobs(self.cluster, self.loop, self.settings.azure)
        self.cluster.live_on(self.loop)
        kubernetes = self.settings.kubernetes
        return {"kubernetes": KubernetesEngine(client, blobs, kubernetes, self.folder / "jobs", clock, chance)}

    # ------------------------------------------------------------------ cluster
    def _pod_started(self, job_id: str, attempt: int) -> None:
        self.say("pod starts", job_id[:8], "attempt", attempt)
        row = self.checker.row(job_id)
        if row is not None and (row["status"] in ENDS or row["attempt"] != attempt):
            self.fault("pod_starts_after_end", f"{job_id[:8]} attempt {attempt} while its row is {tuple(row)}")

    def _names(self, job_id: str, index: int) -> list[str]:
        """Return the names of a unit's queries."""
        query = self.folder / "jobs" / job_id / "query.fa"
        units = self.checker.queries_of(job_id)
        names = names_in(query.read_text()) if query.exists() else []
        first = sum(count for number, count in units if number < index)
        return names[first : first + dict(units).get(index, 0)]

    # ------------------------------------------------------------------ processes
    def _fate(self) -> Fate:
        draw, seconds = self.random.random(), self.random.choice((0.0, 0.001, 0.01, 0.1, 0.1, 1.0, 3.0))
        if draw < self.failing:
            return self.random.choice((1, 2, 3, 255, -9, -11)), seconds
        return 0, seconds if draw < 0.98 else None

    def _started(self, child: SimChild) -> None:
        job_id = child.stdout.parts[-3]
        self.say("process starts", job_id[:8], child.stdout.name)
        schedule, now = self.parts.turns.schedule, self.loop.now
        for text in overcommitted(schedule, len(self.processes.running), now):
            self.fault("overcommit", text)
        row = self.checker.row(job_id)
        if row is None or row["status"] in ENDS:
            self.fault("starts_after_end", f"{job_id[:8]} while its row is {tuple(row) if row else None}")

    def _fed(self) -> None:
        """Compare what computes with the slots, when a process that stays begins to."""
        self.say("process is fed")
        for text in overcommitted(self.parts.turns.schedule, len(self.processes.running), self.loop.now):
            self.fault("overcommit", text)

    def _ended(self, child: SimChild, code: int) -> None:
        self.last_ended = child.stdout.parts[-3]
        self.say("process ends", self.last_ended[:8], child.stdout.name, "with", code)
        self.process_ended.set()

    def _thread_begins(self, work: Callable[..., Any]) -> None:
        """A thread that works at a unit has an owner: its search has not ended, and no other attempt has begun."""
        for running in (each for each in getattr(work, "args", ()) if isinstance(each, Running)):
            job = running.work.job
            row = self.checker.row(job.job_id)
            if row is None or row["status"] in ENDS or row["attempt"] != job.attempt:
                told = None if row is None else (row["status"], row["attempt"])
                self.fault("thread_after_end", f"{job.job_id[:8]} {running.stem.name} while its row is {told}")

    async def meddle(self) -> None:
        """Let somebody delete a Job of the cluster."""
        if self.cluster is None:
            return
        if self.random.random() < 0.4:
            self.cluster.snatching = lambda job_id: self.checker.excused.add(job_id[:8])
        elif (job_id := self.cluster.somebody_deletes()) is not None:
            self.checker.excused.add(job_id[:8])

    async def away(self) -> None:
        """Let the cluster be away for a while."""
        if self.cluster is not None:
            self.cluster.away_until = self.loop.now + self.random.choice((1.0, 10.0, 70.0))

    # ------------------------------------------------------------------ rest
    async def _rest(self) -> None:
        """No orders any more: everything has to end, by itself and in time, and to leave nothing behind."""
        active = self.checker.active
        until = self.loop.now + (400.0 if self._in_cluster else 60.0) + 40.0 * len(active())
        await self._until(lambda: not active() and not self.processes.running, until, 1.0)
        self._late()
        if stuck := active():
            rows = [self.checker.rows[job_id] for job_id in stuck]
            told = [f"{row['job_id'][:8]} {row['status']}/{row['phase']}" for row in rows]
            follows = [self.parts.tracker.follows(row["job_id"]) for row in rows]
            kinds = {
                f"{row['phase']}{'' if follow else ':nobody follows'}"
                for row, follow in zip(rows, follows, strict=True)
            }
            self.fault(f"never_ends:{','.join(sorted(kinds))}", f"{told} {self._facts()}")
            return
        await self._letters()
        if self.cluster is not None:
            self.cluster.trouble = 0.0
            await asyncio.sleep(130.0)  # reconcile cleans up, twice
        await asyncio.sleep(6.0)  # of virtual time: what is left may take turns; `_empty` waits for longer
        await self._sweep()
        await self._empty()
        self.checker.at_rest()

    async def _sweep(self) -> None:
        """Let the hour pass after which files that no row owns go, for those of jobs that went as the daemon was killed."""
        left = [path for path in map(self.parts.files.jobs.joinpath, self.checker.cut_off()) if path.exists()]
        for folder in left:
            os.utime(folder, (0, 0))
        if left:
            await self.parts.retention.run_once()

    async def _until(self, holds: Callable[[], bool], until: float, pause: float) -> bool:
        """Wait in virtual time until something holds; False when it does not by then."""
        while not holds():
            if self.loop.now >= until:
                return False
            await asyncio.sleep(pause)
        return True

    def _facts(self) -> str:
        return " ".join(f"{name} {engine.health().capacity}" for name, engine in self.parts.engines.items())

    def _late(self) -> None:
        """Compare when compute ended with when rows ended."""
        if self.filled or self._in_cluster:
            return
        allowed = PUSHED_SECONDS + 20 * max(max(self.stalls[name]) for name in self._slowest())
        for job_id, row in self.checker.rows.items():
            if row["status"] != "completed" or row["reused_from"] is not None or job_id not in self.checker.ended_at:
                continue
            last = self.checker.query("SELECT max(ended_at) FROM unit WHERE job_id = ?", job_id)[0][0]
            computed = last / 1000 - SimClock(self.loop).epoch if last else self.loop.now
            late = self.checker.ended_at[job_id] - max(computed, self.checker.tried_at[job_id])
            if late > allowed and self.checker.ended_at[job_id] > self.checker.opened + allowed:
                self.fault("late_end", f"{job_id[:8]} ended {late:.2f} s after its compute, of {allowed:.2f} s")

    def _slowest(self) -> tuple[str, ...]:
        return ("thread", "sqlite", "process") if self.lame is None else ("thread", "sqlite", "process", "lame")

    async def _letters(self) -> None:
        """Wait until the outbox is empty."""
        until = self.loop.now + 3600.0
        if not await self._until(lambda: not self.checker.query("SELECT 1 FROM outbox"), until, 5.0):
            self.fault("letters_left", str(len(self.checker.query("SELECT 1 FROM outbox"))))

    async def _empty(self) -> None:
        """What is held for jobs must be given back; what repeats (settling, say) may be at work at any one moment."""
        for _ in range(30):
            held = {name: left for name, left in self._held().items() if left}
            if not held:
                return
            await asyncio.sleep(1.7)
        for name, left in held.items():
            self.fault(f"not_empty:{name}", str(list(left))[:200])

    def _held(self) -> dict[str, Any]:
        tracker, store = self.parts.tracker, self.parts.store
        looks, submit = tracker._looks, self.parts.services.submit
        held: dict[str, Any] = {
            "wakes": tracker._wakes, "tracker's tasks": tracker._tasks._tasks if tracker._tasks else (),
            "last looks": looks._last, "settled looks": looks._settled, "writes": store._writes, "starts": submit._starts._jobs,
            "duties": DUTIES.at_work(), "favours": FAVOURS.at_work(), "busy hosts": self.parts.services.webhooks._busy,
        }  # fmt: skip
        for engine in self.parts.engines.values():
            held |= self._of_engine(engine)
        return held

    def _of_engine(self, engine: Any) -> dict[str, Any]:
        if self.cluster is not None:
            kinds = {f"cluster's {kind}": self.cluster.of(kind) for kind in ("jobs", "pods", "secrets")}
            blobs = [key for key in self.cluster.blobs if key[0] != self.settings.azure.databases_container]
            tasks = engine._tasks._tasks if engine._tasks else ()
            held = {"held": engine._holdings._held, "waiting": engine._waiting, "news": engine._news._keys}
            return kinds | {"blobs": blobs, "engine's tasks": tasks} | held
        capacity = engine.health().capacity
        slots = engine._slots
        return {
            "slots": [name for name in ("slots_busy", "units", "jobs") if getattr(capacity, name)], "held": engine._held,
            "engine's tasks": engine._tasks._tasks if engine._tasks else (), "waiting": slots._works,
            "owners": slots._owners, "sharing": slots._sharing, "news": engine._news._keys,
        }  # fmt: skip


def overcommitted(schedule: Schedule, processes: int, now: float) -> Iterable[str]:
    """Say which of the scheduler's promises does not hold while so many *processes* run."""
    pieces = [(owner, piece) for owner, piece in schedule._running() if piece.width]
    if processes > len(pieces):
        yield f"{processes} processes of {len(pieces)} pieces"
    if sum(piece.width for _, piece in pieces if piece.lane is SlotLane.SLOT) > schedule.total:
        yield f"more pieces on slots than the {schedule.total} that there are"
    if sum(piece.lane is SlotLane.EXPRESS and not piece.counts(now) for _, piece in pieces) > schedule.express:
        yield f"more pieces on the express lane than the {schedule.express} places"
    if len(pieces) > 2 * schedule.total + schedule.express:
        yield f"{len(pieces)} pieces on {schedule.total} slots"
    owed = [owner for owner, piece in pieces if piece.lane is SlotLane.OWED]
    if len(set(owed)) < len(owed):
        yield f"owners with more than their share: {owed}"


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _waiting(queue: Any) -> Iterable[Any]:
    """Return what is in an asyncio.Queue; a reader that is at work is not, and dies with its thread."""
    return tuple(queue._queue)


async def _run(root: Callable[[], Awaitable[None]]) -> None:
    await root()
