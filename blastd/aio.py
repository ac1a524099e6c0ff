"""The only asyncio helpers of blastd: what must end once begun, what runs together, what repeats, what leaves the loop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, Generic, ParamSpec, TypeVar

import structlog

from blastd.clock import Clock
from blastd.errors import OperationFailed

T = TypeVar("T")
P = ParamSpec("P")
Operation = Callable[[], Awaitable[None]]

log = structlog.get_logger()

# Threads for blocking work. More than cores, since most of it waits for the disk; bounded, since each holds memory.
_POOL = ThreadPoolExecutor(max_workers=8, thread_name_prefix="blastd-work")


async def offload(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking *work* in a thread of a bounded pool; a cancelled caller leaves the thread to finish alone."""
    return await asyncio.get_running_loop().run_in_executor(_POOL, lambda: work(*args, **kwargs))


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
    """An owner of tasks that come and go: each has a name, none dies silently, all are awaited at the end."""

    def __init__(self) -> None:
        """Make an owner without tasks; use it through `owning_tasks`."""
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Start *work* under *name*; a second one under the same name is refused while the first runs."""
        if name in self and not self._tasks[name].done():
            work.close()
            return
        task = asyncio.create_task(work, name=name)
        self._tasks[name] = task
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if self._tasks.get(task.get_name()) is task:
            del self._tasks[task.get_name()]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task_failed", task=task.get_name(), exc_info=error)

    def __contains__(self, name: str) -> bool:
        """Tell whether a task of this name runs."""
        return name in self._tasks

    def cancel(self, name: str) -> None:
        """Cancel the task of this name, if it runs."""
        if (task := self._tasks.get(name)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Cancel all and wait until they ended."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def owning_tasks() -> AsyncIterator[Tasks]:
    """Give an owner of tasks that ends them when the block ends."""
    tasks = Tasks()
    try:
        yield tasks
    finally:
        await tasks.close()
