"""An event loop without a world: time passes only when nothing is ready, and threads are events with a time of their own.

Two modes. *legal* keeps asyncio's promise that what is ready runs first in, first out; a seed draws only what a machine
decides (how long threads, SQLite, processes and the network take), so whatever is found can happen. *bold* shuffles what is
ready as well: it finds what a small change of the code may break, with false alarms.
"""

import asyncio
import contextvars
import heapq
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import Executor, Future
from functools import partial
from random import Random
from typing import Any
from zlib import crc32

MOST_TURNS = 200_000  # a schedule takes some thousand


LAME_OF = 8


class Killed(BaseException):
    """kill -9: nothing of the daemon runs any more."""


class Stuck(Exception):
    """The schedule can't end: nothing is ready and no timer runs, or it spins."""


class SimHandle:
    """A callback that waits for its turn."""

    __slots__ = ("args", "callback", "context", "moment", "void")

    def __init__(
        self, moment: float, callback: Callable[..., Any], args: tuple[Any, ...], context: contextvars.Context | None
    ) -> None:
        self.moment, self.callback, self.args, self.void = moment, callback, args, False
        self.context = context if context is not None else contextvars.copy_context()

    def cancel(self) -> None:
        self.void = True

    def cancelled(self) -> bool:
        return self.void

    def when(self) -> float:
        return self.moment


class SimTask(asyncio.Task[Any]):
    """A task whose place in a set does not depend on its address."""

    number: int = 0

    def __hash__(self) -> int:
        return self.number


class SimFuture(asyncio.Future[Any]):
    """A future whose place in a set does not depend on its address."""

    number: int = 0

    def __hash__(self) -> int:
        return self.number


class SimLoop:
    """The loop of one life of a daemon; `stalls` gives the seconds that each kind of outside work may take."""

    def __init__(self, random: Random, now: float, stalls: Mapping[str, Sequence[float]], *, bold: bool) -> None:
        self.now, self.turns = now, 0
        self.kill_at: int | None = None
        """The turn before which the daemon dies."""
        self.failures: list[BaseException] = []
        """What callbacks raised, and what nobody asked a future for."""
        self.lame: int | None = None
        """Of LAME_OF groups of work (by name) the one that takes seconds: a disk or a file may be slow for one thing alone."""
        self.looked: Callable[[str], None] = lambda _name: None
        """Told after each piece of work that a thread did."""
        self.begins: Callable[[Callable[..., Any]], None] = lambda _work: None
        """Told before each piece of work that a thread does."""
        self._random, self._stalls, self._bold = random, stalls, bold
        self._ready = deque[SimHandle]()
        self._timers: list[tuple[float, int, SimHandle]] = []
        self._told = 0.0
        self._numbers = 0
        self._itself: Any = self  # asyncio asks for no more of a loop than is here
        self._closed = False

    # ------------------------------------------------------------------ running
    def run_until_complete(self, work: Coroutine[Any, Any, Any]) -> Any:
        hooks = sys.get_asyncgen_hooks()
        asyncio._set_running_loop(self._itself)
        sys.set_asyncgen_hooks(finalizer=self._end_generator)
        try:
            task = self.create_task(work, name="schedule")
            while not task.done():
                self._turn()
            return task.result()
        finally:
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(None)

    def _turn(self) -> None:
        self.turns += 1
        if self.kill_at is not None and self.turns >= self.kill_at:
            raise Killed
        if self.turns > MOST_TURNS:
            raise Stuck("it spins")
        ready, timers = self._ready, self._timers
        if not ready:
            while timers and timers[0][2].void:
                heapq.heappop(timers)
            if not timers:
                raise Stuck("nothing is ready and no timer runs")
            self.now = max(self.now, timers[0][0])
        while timers and timers[0][0] <= self.now:
            ready.append(heapq.heappop(timers)[2])
        if self._bold:
            shuffled = list(ready)
            self._random.shuffle(shuffled)
            ready = self._ready = deque(shuffled)
        self._run_ready()

    def _run_ready(self) -> None:
        ready = self._ready
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.void:
                try:
                    handle.context.run(handle.callback, *handle.args)
                except Exception as error:  # noqa: BLE001  # a fault of the code under test
                    self.failures.append(error)

    def _end_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self._closed:
            self.create_task(generator.aclose(), name="end of a generator")

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    def get_debug(self) -> bool:
        return False

    def time(self) -> float:
        return self.now

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._closed and (error := context.get("exception")) is not None:
            self.failures.append(error)

    # ------------------------------------------------------------------ what asyncio asks for
    def call_soon(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        handle = SimHandle(self.now, callback, args, context)
        self._ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        handle = SimHandle(when, callback, args, context)
        self._numbers += 1
        heapq.heappush(self._timers, (when, self._numbers, handle))
        return handle

    def call_later(self, delay: float, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: contextvars.Context | None = None) -> Any:
        """From a thread: heard a while later, in the order told."""
        self._told = max(self._told, self.now + self.draw("thread"))
        return self.call_at(self._told, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        future = SimFuture(loop=self._itself)
        self._numbers += 1
        future.number = self._numbers
        return future

    def create_task(self, coro: Any, *, name: str | None = None, context: contextvars.Context | None = None) -> Any:
        task = SimTask(coro, loop=self._itself, name=name, context=context)
        self._numbers += 1
        task.number = self._numbers
        return task

    # ------------------------------------------------------------------ threads
    def draw(self, kind: str) -> float:
        """Draw how long something outside takes: few different values, so that ends often meet."""
        return self._random.choice(self._stalls[kind])

    def draw_for(self, kind: str, work: Callable[..., Any]) -> float:
        """Draw how long a piece of *work* takes."""
        if self.lame is not None and crc32(_name(work).encode()) % LAME_OF == self.lame:
            kind = "lame"
        return self.draw(kind)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        return asyncio.wrap_future(executor.submit(func, *args), loop=self._itself)

    def threads(self, name: str, most: int) -> Executor:
        """Make threads whose work is done at instants of this loop (`blastd.threads.Threads`)."""
        return SimThreads(self, name, most)


class SimThreads(Executor):
    """Threads as events: work begins, is done at one instant, and is told of, each a drawn while after the other."""

    def __init__(self, loop: SimLoop, name: str, most: int) -> None:
        self._loop, self._name, self._free = loop, name, most
        self._kind = "sqlite" if name.startswith("store") else "thread"
        self._waiting = deque[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]]()

    def submit(self, work: Callable[..., Any], /, *args: Any, **more: Any) -> Future[Any]:
        assert not more
        future = Future[Any]()
        self._waiting.append((future, work, args))
        if self._free:
            self._free -= 1
            self._loop.call_later(self._loop.draw(self._kind), self._begin)
        return future

    def _begin(self) -> None:
        while self._waiting:
            future, work, args = self._waiting.popleft()
            if future.set_running_or_notify_cancel():
                self._loop.call_later(self._loop.draw_for(self._kind, work), self._work, future, work, args)
                return
        self._free += 1

    def _work(self, future: Future[Any], work: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._loop.begins(work)
        try:
            result, error = work(*args), None
        except BaseException as caught:  # noqa: BLE001  # raised where it is waited for
            result, error = None, caught
        self._loop.looked(self._name)
        self._loop.call_later(self._loop.draw(self._kind), self._tell, future, result, error)
        self._begin()  # a thread goes on before the loop has heard of what it did

    def _tell(self, future: Future[Any], result: Any, error: BaseException | None) -> None:
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        del wait, cancel_futures


def _name(work: Callable[..., Any]) -> str:
    while isinstance(work, partial):
        work = work.func
    return getattr(work, "__qualname__", type(work).__name__)
