"""Files that are derived from databases, each made once by a process of its own, however many ask for it.

What such a process needs follows the size of a database, so it must not be the daemon's memory, nor its interpreter.
"""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from blastd.aio import Tasks, duty, owning_tasks
from blastd.blastplus import process
from blastd.clock import Clock
from blastd.errors import ToolFailed

LIMITS = process.Limits(seconds=3600.0, nice=10)
"""Three million ids take some fifteen seconds, as many taxa a minute."""
YOUNG_SECONDS = 3600.0


class Derived:
    """Owns the tasks that make files, one for each file."""

    def __init__(self) -> None:
        """Begin with none; nothing is made before `run`."""
        self._tasks: Tasks | None = None
        self._ended: dict[Path, asyncio.Future[None]] = {}

    async def run(self) -> None:
        """Own the tasks, until cancelled."""
        async with owning_tasks() as self._tasks:
            await asyncio.Event().wait()

    def making(self, path: Path) -> bool:
        """Tell whether *path* is being made now."""
        return path in self._ended

    async def made(self, path: Path, make: Callable[[], Coroutine[Any, Any, None]], seconds: float) -> bool:
        """Tell whether *path* is there, after waiting at most *seconds* for it; it is made however this ends.

        Raises what *make* raised when it could not be made; who asks again has it tried again.
        """
        if await duty(path.exists):
            return True
        ended = self._ended.get(path)
        if ended is None:
            ended = self._ended[path] = asyncio.get_running_loop().create_future()
            ended.add_done_callback(lambda future: future.exception())  # nobody may be waiting
            if self._tasks is None:
                self._give_back(path, ToolFailed("The service is starting."))
            else:
                name = (
                    f"making {path.parent.name}/{path.name}"  # ids and taxa of one database are two files of one name
                )
                self._tasks.start(name, make(), lambda error: self._give_back(path, error))
        done, _ = await asyncio.wait({ended}, timeout=seconds)
        if not done:
            return False
        ended.result()
        return True

    def _give_back(self, path: Path, error: BaseException | None) -> None:
        ended = self._ended.pop(path)
        if isinstance(error, Exception):
            ended.set_exception(error)
        elif error is not None:
            ended.set_exception(ToolFailed("The service is stopping."))
        else:
            ended.set_result(None)


def sweep(folder: Path, used: set[str], now_seconds: float) -> int:
    """Remove files of *folder* whose names up to the first dot are not *used* and that are not young; blocking.

    Returns how many.
    """
    removed = 0
    if not folder.is_dir():
        return 0
    for path in folder.iterdir():
        if path.name.partition(".")[0] not in used and now_seconds - path.stat().st_mtime > YOUNG_SECONDS:
            path.unlink(missing_ok=True)
            removed += 1
    return removed


async def run_program(
    program: str,
    words: Sequence[str],
    *,
    stem: Path,
    cwd: Path,
    env: Mapping[str, str],
    clock: Clock,
    failure: str,
) -> bytes:
    """Run one of our own programs, which import nothing of ours, and return what it prints.

    Its output lies in STEM.out and STEM.err while it runs. Raises ToolFailed that begins with the sentence *failure*.
    """
    out, errors = stem.with_name(f"{stem.name}.out"), stem.with_name(f"{stem.name}.err")
    try:
        ended = await process.run(
            [sys.executable, "-I", "-S", program, *words],
            cwd=cwd,
            env=env,
            stdout=out,
            stderr=errors,
            limits=LIMITS,
            clock=clock,
        )
        if ended.exit_code != 0:
            said = (await duty(process.excerpt, errors, 500)).strip()
            raise ToolFailed(f"{failure}: {said or 'it took too long'}")
        return await duty(out.read_bytes)
    except OSError as error:
        raise ToolFailed(f"{failure}: {error}.") from error
    finally:
        for path in (out, errors):
            await duty(path.unlink, missing_ok=True)


def clean(part: Path) -> None:
    """Remove what a making that ended left beside *part*; blocking."""
    for path in part.parent.glob(f"{part.name}*"):
        path.unlink(missing_ok=True)
