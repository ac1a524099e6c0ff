"""What a simulated daemon meets outside itself: time, chance, BLAST+ processes, receivers of webhooks, BLAST+'s answers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from blastd.aio import duty
from blastd.blastplus.process import Child, Limits
from blastd.blastplus.tools import Build, Ran, Tools
from blastd.config import WebhooksSettings
from blastd.service.posting import Post
from tests.schedules.loop import SimLoop

BEGIN = datetime(2026, 11, 29, 12, tzinfo=UTC)
TERM, KILL = 15, 9
Fate = tuple[int, float | None]
"""Exit code of a process and after how many seconds; None: it hangs until it is killed."""


class SimClock:
    """Virtual time as blastd's clock."""

    epoch = BEGIN.timestamp()

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop

    def now(self) -> datetime:
        return BEGIN + timedelta(milliseconds=int(self._loop.now * 1000))

    def monotonic(self) -> float:
        return self._loop.now

    async def wait(self, event: asyncio.Event, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return False
        return True


class SimChance:
    """Chance of a seed."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def share(self) -> float:
        return self._random.random()

    def uuid(self) -> UUID:
        return UUID(int=self._random.getrandbits(128), version=4)


class SimTools(Tools, frozen=True, kw_only=True):
    """BLAST+ applications of one version, of which no question is asked: a schedule's catalogue was read before."""

    async def build_of(self, name: str) -> Build:
        del name
        return Build(version=await duty(str, self.version))

    async def run(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        cwd: Path,
        seconds: float = 60.0,
        started: Callable[[int], None] | None = None,
    ) -> Ran:
        del started
        raise AssertionError(f"{name} {arguments} in {cwd} within {seconds}")


class SimChild:
    """A BLAST+ process: it ends by itself as was drawn, or by a signal."""

    def __init__(self, loop: SimLoop, pid: int, argv: Sequence[str], stdout: Path) -> None:
        self.pid, self.argv, self.stdout = pid, argv, stdout
        self.returncode: int | None = None
        self.on_end: Callable[[SimChild, int], None] = lambda _child, _code: None
        self.ended = False
        self._loop = loop
        self._over = asyncio.Event()

    async def wait(self) -> int:
        await self._over.wait()
        assert self.returncode is not None
        return self.returncode

    def signal(self, number: int) -> None:
        stubborn = number == TERM and self._loop.draw("stubborn")
        self._loop.call_later(stubborn or 0.0, self.end, -number)

    def end(self, code: int) -> None:
        if not self.ended:
            self.ended = True
            self.on_end(self, code)
            self._loop.call_later(self._loop.draw("process"), self._reap, code)

    def _reap(self, code: int) -> None:
        self.returncode = code
        self._over.set()


class SimTalking(SimChild):
    """A BLAST+ process that is fed: each time it answers after a while, hangs, or ends, as *fate* draws."""

    def __init__(
        self, loop: SimLoop, pid: int, fate: Callable[[], Fate], busy: Callable[["SimTalking", bool], None]
    ) -> None:
        super().__init__(loop, pid, (), Path())
        self.complained, self.private_bytes, self.closed = False, 0, False
        self._fate, self._busy = fate, busy
        self._before: str | None = None
        self._written = bytearray()
        self._more = asyncio.Event()

    def write(self, text: bytes) -> None:
        names = names_in(text.decode())
        before, self._before = self._before, names[-1]
        if before is None or self.ended:
            return
        code, seconds = self._fate()
        self._busy(self, True)
        if seconds is not None:
            self._loop.call_later(seconds, self._answer, code, [before, *names[:-1]])

    def _answer(self, code: int, names: Sequence[str]) -> None:
        if self.ended:
            return
        text = "".join(map(section, names)).encode()
        self._busy(self, False)
        if code:
            self.complained = code > 0
            self._written += text[: len(text) // 2]
            self.end(code)
        else:
            self._written += text
        self._more.set()

    async def read(self) -> bytes:
        while not self._written and self.returncode is None:
            self._more.clear()
            await self._more.wait()
        await asyncio.sleep(self._loop.draw("process"))
        text = bytes(self._written)
        self._written.clear()
        return text

    def end(self, code: int) -> None:
        if not self.ended:
            self._busy(self, False)
        super().end(code)

    def _reap(self, code: int) -> None:
        super()._reap(code)
        self._more.set()

    def close(self) -> None:
        self.closed = True


class SimProcesses:
    """Starts processes whose fate *fate* draws; *started* and *ended* are told, and *fed* when one that stays gets work."""

    def __init__(
        self,
        loop: SimLoop,
        fate: Callable[[], Fate],
        started: Callable[[SimChild], None],
        ended: Callable[[SimChild, int], None],
        fed: Callable[[], None],
    ) -> None:
        self.running: dict[int, SimChild] = {}
        self.talking: list[SimTalking] = []
        self._fed = fed
        self._loop, self._fate, self._started, self._ended = loop, fate, started, ended
        self._pids = 1000

    async def start(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], stdout: Path, stderr: Path, limits: Limits
    ) -> Child:
        del cwd, env, limits
        stdout.write_text(table_of(argv)[:-7])  # half an output, should somebody take it for a whole one
        stderr.write_bytes(b"")
        self._pids += 1
        child = SimChild(self._loop, self._pids, argv, stdout)
        child.on_end = self._end
        self.running[child.pid] = child
        self._started(child)
        code, seconds = self._fate()
        if seconds is not None:
            self._loop.call_later(seconds, child.end, code)
        try:
            await asyncio.sleep(self._loop.draw("process"))
        except BaseException:
            child.signal(KILL)
            await child.wait()
            raise
        return child

    def _end(self, child: SimChild, code: int) -> None:
        del self.running[child.pid]
        self._ended(child, code)
        if code == 0 and child.stdout.exists():
            child.stdout.write_text(table_of(child.argv))
        elif code > 0 and (errors := child.stdout.with_suffix(".err")).exists():
            errors.write_text("BLAST engine error: simulated\n")

    async def talk(self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], limits: Limits) -> SimTalking:
        del argv, cwd, env, limits
        self._pids += 1
        child = SimTalking(self._loop, self._pids, self._fate, self._busy)
        self.talking.append(child)
        try:
            await asyncio.sleep(self._loop.draw("process"))
        except BaseException:
            child.signal(KILL)
            await child.wait()
            child.close()
            raise
        return child

    def _busy(self, child: SimTalking, busy: bool) -> None:
        if busy:
            self.running[child.pid] = child
            self._fed()
        else:
            self.running.pop(child.pid, None)

    def scarce(self) -> bool:
        return self._loop.draw("scarce") > 0

    def kill_orphans(self, state_dir: Path) -> int:
        del state_dir
        return 0


def names_in(fasta: str) -> list[str]:
    """Return the names of the records of a FASTA text."""
    return [line[1:].split()[0] for line in fasta.splitlines() if line.startswith(">")]


def section(name: str) -> str:
    """Return what a table says of a query without hits."""
    return f"# BLASTN 2.12.0+\n# Query: {name}\n# Database: d\n# 0 hits found\n"


def table(names: Sequence[str]) -> str:
    """Return a table without hits, in which each query has its name."""
    text = "".join(map(section, names))
    return f"{text}# BLAST processed {len(names)} queries\n"


def table_of(argv: Sequence[str]) -> str:
    """Return what BLAST+ writes for a command line."""
    query = Path(argv[argv.index("-query") + 1])
    return table(names_in(query.read_text()) if query.exists() else [])


class SimPosting:
    """Receivers of webhooks that take their time and fail now and then."""

    def __init__(self, random: Random, told: Callable[[str], None]) -> None:
        self._random, self._told = random, told

    @asynccontextmanager
    async def open(self, settings: WebhooksSettings) -> AsyncIterator[Post]:
        del settings

        async def post(url: str, body: bytes, headers: Mapping[str, str]) -> tuple[int | None, str]:
            del url, body
            await asyncio.sleep(self._random.choice((0.0, 0.01, 0.3, 5.0)))
            draw = self._random.random()
            if draw < 0.15:
                return 500, ""
            if draw < 0.25:
                return None, "no answer"
            self._told(headers["webhook-id"])
            return 200, ""

        yield post
