"""Threads, injected like time: work that blocks the loop is given to an executor that the composition root chose.

In production these are threads of the system; in `tests/schedules` work is done at an instant of virtual time.
"""

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

Threads = Callable[[str, int], Executor]
"""Makes an executor of threads called so, at most so many; its maker shuts it down."""


def system_threads(name: str, most: int) -> Executor:
    """Return threads of the system; they are made when they are needed."""
    return ThreadPoolExecutor(max_workers=most, thread_name_prefix=f"blastd-{name}")
