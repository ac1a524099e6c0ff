"""The only asyncio helpers of blastd: what must end once begun, what runs together, what repeats, what leaves the loop."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager, suppress
from errno import EAGAIN
from functools import partial
from threading import Event, get_native_id
from typing import Any, Generic, ParamSpec, TypeVar

import structlog

from blastd.clock import Clock
from blastd.errors import OperationFailed, StoreBroken
from blastd.threads import Threads, system_threads

T = TypeVar("T")
P = ParamSpec("P")
Operation = Callable[[], Awaitable[None]]

log = structlog.get_logger()

Ended = Callable[[BaseException | None], None]
"""Takes what a task held back: None when its work ran to the end, CancelledError also when it never began, or its error."""


class Pool:
    """Threads for blocking work; each piece belongs to the task that waits for it and is named after both."""

    def __init__(self, name: str, size: int) -> None:
        """Allow *size* threads; they are made when they are needed, or all by `start`."""
        self._name, self._size = name, size
        self.take(system_threads)

    def take(self, threads: Threads) -> None:
        """Use executors of this kind from now on; the composition root chooses it."""
        self._threads = threads(self._name, self._size)
        self._at_work: dict[Future[Any], str] = {}

    def start(self) -> None:
        """Make all threads now, so that none is missing when the machine has no room for it. Raises OSError."""
        gate = Event()
        try:
            for _ in range(self._size):
                self._threads.submit(gate.wait)
        except RuntimeError as error:  # what Python makes of EAGAIN
            raise OSError(EAGAIN, "The machine allows no more threads") from error
        finally:
            gate.set()

    def at_work(self) -> list[str]:
        """Return the names of what is done now or waits for a thread, the oldest first."""
        return list(self._at_work.values())

    async def run(self, work: Callable[[], T], name: str, stop: Event | None = None) -> T:
        """Run *work* in a thread and return when it has ended, whatever becomes of the caller.

        A caller that is cancelled takes back what has not begun; what has begun ends first, and the cancellation is raised
        then. So nothing is written by a thread whose owner has gone. Work that looks at *stop*, which is set at a cancel, ends soon.
        """
        try:
            future = self._threads.submit(work)
        except RuntimeError as error:  # as in `start`, which leaves no room for it
            raise OSError(EAGAIN, "The machine allows no more threads") from error
        self._at_work[future] = name
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            if stop is not None:
                stop.set()
            if not future.cancel():
                await uninterrupted(_end_of(future))
            raise
        finally:
            self._at_work.pop(future, None)


async def _end_of(future: Future[Any]) -> None:
    end = asyncio.wrap_future(future)
    await asyncio.wait({end})
    end.exception()  # its owner was cancelled: nobody else asks for it


# More threads than cores, since most of the work waits for the disk; bounded, since each holds memory.
FAVOURS = Pool("favour", 8)
DUTIES = Pool("duty", 8)
LABOURS = Pool("labour", 3)
LABOUR_NICE = 10
SHORT_BYTES = 2 << 20
"""Read, hashed and counted in 50 ms: what does as much is a duty."""


async def offload(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do a long favour, whose time follows the size of something: hash, zip, index, merge.

    The thread belongs to the calling task (`Pool.run`). Favours wait for each other and keep no duty waiting.
    """
    return await FAVOURS.run(partial(work, *args, **kwargs), _name(work))


async def duty(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do what takes under 50 ms on a healthy disk: look at a file, rename, read or write a block, ask SQLite for a few rows.

    Neither a tiny search nor an answer about the service's own health does any favour.
    """
    return await DUTIES.run(partial(work, *args, **kwargs), _name(work))


async def labour(work: Callable[..., T], *args: Any) -> T:
    """Do what takes minutes (unpack an archive, compare gigabytes), in threads of its own that are nice to all others.

    *work* is given an event as its last argument, which is set when the caller is cancelled: it looks at it, and ends soon.
    """
    stop = Event()
    return await LABOURS.run(partial(_nicely, work, *args, stop), _name(work), stop)


def _nicely(work: Callable[..., T], *args: Any) -> T:
    with suppress(OSError):  # where a thread has no priority of its own it works all the same
        os.setpriority(os.PRIO_PROCESS, get_native_id(), LABOUR_NICE)
    return work(*args)


async def by_size(size_bytes: int, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Do *work* on so many bytes: a duty when they are few, else a favour."""
    return await (duty if size_bytes <= SHORT_BYTES else offload)(work, *args, **kwargs)


def _name(work: Callable[..., object]) -> str:
    task = asyncio.current_task()
    return f"{task.get_name() if task else 'loop'}: {getattr(work, '__qualname__', type(work).__name__)}"


async def uninterrupted(work: Coroutine[Any, Any, T]) -> T:
    """Finish *work* however often the caller is cancelled; the cancellation is raised afterwards."""
    task = asyncio.ensure_future(work)
    late: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            late = error
    if late is not None:
        raise late from task.exception()
    return task.result()


async def together(operations: Mapping[str, Operation], clock: Clock, seconds: dict[str, float]) -> None:
    """Run all at once, timing each into *seconds*. The first failure stops the rest, names itself and is raised bare."""

    async def timed(name: str, operation: Operation) -> None:
        begin = clock.monotonic()
        try:
            await operation()
        except Exception as error:
            raise OperationFailed(f"{name}: {error}", operation=name) from error
        finally:
            seconds[name] = clock.monotonic() - begin  # known for the failed and the stopped, too

    tasks = [asyncio.create_task(timed(name, operation), name=name) for name, operation in operations.items()]
    try:
        await asyncio.gather(*tasks)  # gather alone would let the rest run on; a TaskGroup would wrap the error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def first_of(errors: ExceptionGroup) -> Exception:
    """Return the first error of nested groups, which says what happened; the group only says that something did."""
    first = errors.exceptions[0]
    return first_of(first) if isinstance(first, ExceptionGroup) else first


async def every(seconds: float, work: Operation, clock: Clock, name: str, wake: asyncio.Event | None = None) -> None:
    """Do *work* again and again, *seconds* after it ended or when *wake* is set; a failure is logged, not fatal."""
    event = wake if wake is not None else asyncio.Event()
    while True:
        await clock.wait(event, seconds)
        event.clear()
        try:
            await work()
        except Exception:
            log.exception("periodic_work_failed", work=name)


@contextmanager
def isolated(work: str, **facts: str) -> Iterator[None]:
    """Let one item of many fail alone: its error is logged with *facts*. What the store can't do concerns all, and is raised."""
    try:
        yield
    except StoreBroken:
        raise
    except Exception:
        log.exception("item_failed", work=work, **facts)


class News(Generic[T]):
    """Keys of what changed, each once until it is taken, the oldest first: bounded by the number of keys."""

    def __init__(self) -> None:
        """Begin without news."""
        self._keys: dict[T, None] = {}
        self._any = asyncio.Event()

    def tell(self, key: T) -> None:
        """Note that something of *key* changed."""
        self._keys[key] = None
        self._any.set()

    def drop(self, key: T) -> None:
        """Forget news of *key*."""
        self._keys.pop(key, None)

    async def next(self) -> T:
        """Wait for a key that changed and take it."""
        while not self._keys:
            self._any.clear()
            await self._any.wait()
        key = next(iter(self._keys))
        del self._keys[key]
        return key


class Tasks:
    """An owner of tasks that come and go: each has a name, none dies silently, all are awaited at the end.

    What is given to a task for as long as it runs (a slot, an entry, a lock, a file) is given back by `ended`, and there
    only: a task that is cancelled before its first step never enters the `try` of its work.
    """

    def __init__(self) -> None:
        """Make an owner without tasks; use it through `owning_tasks`."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._closed = False

    def start(self, name: str, work: Coroutine[Any, Any, None], ended: Ended | None = None) -> bool:
        """Start *work* under *name*; False when one of that name has not ended yet, or when all were told to end.

        *ended* is called exactly once, in a later turn of the loop, whatever happens: with None after a good end, with the
        error after a bad one, with CancelledError when it was cancelled, never began or was refused. The name is free by then.
        """
        if self._closed or name in self._tasks:
            work.close()
            if ended is not None:
                asyncio.get_running_loop().call_soon(ended, asyncio.CancelledError(f"{name} was not started"))
            return False
        task = asyncio.create_task(work, name=name)
        self._tasks[name] = task
        task.add_done_callback(partial(self._end, name, ended))
        return True

    def _end(self, name: str, ended: Ended | None, task: asyncio.Task[None]) -> None:
        del self._tasks[name]
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            log.error("task_failed", task=name, exc_info=error)
        if ended is not None:
            ended(error)

    def __contains__(self, name: str) -> bool:
        """Tell whether a task of this name has not ended."""
        return name in self._tasks

    def __len__(self) -> int:
        """Return how many have not ended."""
        return len(self._tasks)

    def cancel(self, name: str) -> None:
        """Cancel the task of this name, if it runs."""
        if (task := self._tasks.get(name)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel all, start no more, and return when all have ended and given back what they held."""
        self._closed = True
        for task in self._tasks.values():
            task.cancel()
        await uninterrupted(self._all_ended())

    async def _all_ended(self) -> None:
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))
            await asyncio.sleep(0)  # their `ended` is called in the turn after


@asynccontextmanager
async def owning_tasks() -> AsyncIterator[Tasks]:
    """Give an owner of tasks that ends them when the block ends."""
    tasks = Tasks()
    try:
        yield tasks
    finally:
        await tasks.close()
